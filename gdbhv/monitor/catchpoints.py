"""The catchpoints of one target: what `vmexit catch` has set, and how often each was hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from gdbhv.exitspec import ExitSpec


@dataclass
class Catchpoint:
    """A row of `vmexit list`."""

    number: int
    spec: ExitSpec
    keep: bool = False  # when the debugger that set it leaves
    hits: int = 0


@dataclass
class Catchpoints:
    """All of them; numbers are not used again."""

    rows: dict[int, Catchpoint] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, spec: ExitSpec, *, keep: bool = False) -> Catchpoint:
        """File a specification under a new number."""
        point = Catchpoint(next(self._numbers), spec, keep)
        self.rows[point.number] = point
        return point

    def unkept(self) -> list[int]:
        """Return the numbers of those that end with the session."""
        return [number for number, point in self.rows.items() if not point.keep]
