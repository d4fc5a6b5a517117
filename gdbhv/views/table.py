"""Aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: str = "") -> list[str]:
    """Return lines with ``head`` over ``rows``, columns two spaces apart.

    :param right: a character for each column, "r" for those that are aligned to the right (numbers); the rest is left.
    """
    cells = [list(head), *([str(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    aligned = right.ljust(len(head))
    return [
        "  ".join(c.rjust(w) if a == "r" else c.ljust(w) for c, w, a in zip(row, widths, aligned, strict=True)).rstrip()
        for row in cells
    ]
