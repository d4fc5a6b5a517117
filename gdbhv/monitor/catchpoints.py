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
    hits: int = 0


@dataclass
class Catchpoints:
    """All of them; numbers are not used again."""

    rows: dict[int, Catchpoint] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, spec: ExitSpec) -> Catchpoint:
        """File a specification under a new number."""
        point = Catchpoint(next(self._numbers), spec)
        self.rows[point.number] = point
        return point
