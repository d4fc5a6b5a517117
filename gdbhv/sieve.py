"""Which catchpoints an exit may be meant by, of a thousand: each exit asks this, and most are meant by none.

What a catchpoint asks of an exit's name is asked once for each name; of those that also want a range (of IPAs, of PCs), a
search among the ranges leaves the few that the exit is in. Only these are asked for the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.records import ExitRecord
    from gdbhv.target import Catcher

MOST_NAMES = 4096  # that are remembered: a guest may cause 65,536 by HVC alone

FIELDS: dict[str, Callable[[ExitRecord], int | None]] = {
    "ipa": lambda r: r["ipa"],
    "pc": lambda r: r["pc"],
    "va": lambda r: r["far"],
    "intid": lambda r: r["intid"],
}
"""What an exit has of each of ``gdbhv.exitspec.RANGES``."""


class _Ranges:
    """Ranges that may overlap, by their first value."""

    def __init__(self, rows: Iterable[tuple[int, int, Catcher]]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])
        self._lows = [low for low, _, _ in self._rows]
        self._most = list(accumulate((high for _, high, _ in self._rows), max))  # the last value of these and all before

    def at(self, value: int) -> Iterator[Catcher]:
        """Return those that a value is in."""
        n = bisect_right(self._lows, value)
        while n and self._most[n - 1] >= value:
            n -= 1
            if self._rows[n][1] >= value:
                yield self._rows[n][2]


class Sieve:
    """The catchpoints of a run; ``entries``: whether any wants entries."""

    def __init__(self, catchers: Iterable[Catcher]) -> None:
        self._by_class: dict[tuple[int | None, bool], list[Catcher]] = {}
        for c in catchers:
            for number in (None,) if c.classes is None else c.classes:
                self._by_class.setdefault((number, c.entries), []).append(c)
        self.entries = any(entries for _, entries in self._by_class)
        self._known: dict[tuple[str, bool], tuple[list[Catcher], list[tuple[str, _Ranges]]]] = {}

    def classes(self, every: Iterable[int]) -> list[int]:
        """Return the numbers of the classes whose exits may be meant, of all that there are."""
        meant = {number for number, entries in self._by_class if not entries}
        return sorted(every if None in meant else (number for number in meant if number is not None))

    def candidates(self, record: ExitRecord, *, entry: bool) -> list[Catcher]:
        """Return those that may want an exit, or the entry after it."""
        plain, ranges = self._known.get((record["name"], entry)) or self._learn(record, entry=entry)
        if not ranges:
            return plain
        found = list(plain)
        for field, rows in ranges:
            value = FIELDS[field](record)
            if value is not None:
                found += rows.at(value)
        return found

    def _learn(self, record: ExitRecord, *, entry: bool) -> tuple[list[Catcher], list[tuple[str, _Ranges]]]:
        number, name = record["number"], record["name"]
        of_class = (c for key in (number, None) for c in self._by_class.get((key, entry), ()))
        meant = [c for c in of_class if c.named is None or c.named(name)]
        by_field: dict[str, list[tuple[int, int, Catcher]]] = {}
        for c in meant:
            if c.range is not None:
                field, low, high = c.range
                by_field.setdefault(field, []).append((low, high, c))
        plain = [c for c in meant if c.range is None]
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        self._known[name, entry] = found = plain, [(field, _Ranges(rows)) for field, rows in by_field.items()]
        return found
