"""The common part of dumps of tables of either stage: how much is read, and how it is shown."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from gdbhv import _core
from gdbhv.monitor.registry import Arg
from gdbhv.tables import device_at
from gdbhv.views import descend, stage2
from gdbhv.views.attributes import size

MOST = 200_000  # descriptors that are read: 780 MiB in pages of 4 KiB
LINES = 10_000  # ranges, or descriptors of the tree, that are shown
PIECE = 500  # descriptors between two checks for a Ctrl-C
FAULTY = 20  # wrong descriptors that are listed

Name = Callable[[int, int], str]
"""Returns a description of an input address and the output address that it is mapped to."""

TREE = Arg("--tree", "show every table and leaf", flag=True)
RAW = Arg("--raw", "show every descriptor that is not 0, as it is in memory", flag=True)
HOLES = Arg("--holes", "show what is not mapped, too", flag=True)


def options(args: argparse.Namespace) -> str:
    """Return the options that select the form, as they are typed."""
    return "".join(f" --{name}" for name in ("tree", "raw", "holes") if getattr(args, name))


class Found:
    """The dump of some tables, made from their descriptors; ``next`` is the input address at which it was cut off."""

    def __init__(self, layout: descend.Layout, args: argparse.Namespace, low: int, high: int) -> None:
        self.layout, self.low, self.high = layout, max(low, layout.first), min(high, layout.last)
        self._tree, self._raw, self._holes = args.tree, args.raw, args.holes
        self.seen = self.tables = self.mapped = 0
        self.leaves: Counter[int] = Counter()
        self.permissions: Counter[str] = Counter()
        self.entries: list[descend.Entry] = []
        self.ranges: list[descend.Range] = []
        self.wrong: list[descend.Wrong] = []
        self.faulty = 0
        self.next: int | None = None

    def look(self, read: descend.Read) -> Iterator[None]:
        """Take descriptors until there are no more, or too many. :raises IndexError: the first table is not in memory."""
        found = descend.entries(self.layout, read, self.low, self.high, note=self._note, invalid=self._raw)
        for e in found:
            if not self._take(e):
                return
            if self.seen % PIECE == 0:
                yield None

    def _note(self, wrong: descend.Wrong) -> None:
        self.faulty += 1
        if len(self.wrong) < FAULTY:
            self.wrong.append(wrong)

    def _take(self, e: descend.Entry) -> bool:
        if self.seen == MOST or len(self.entries) == LINES or len(self.ranges) > LINES:
            self.next = e.ipa
            return False
        self.seen += 1
        if self._tree or self._raw:
            self.entries.append(e)
        elif not e.table:
            descend.extend(self.ranges, e, self.layout)
        if e.table:
            self.tables += 1
        elif e.valid:
            self.leaves[e.size] += 1
            self.permissions[self.layout.permission(self.layout.leaf(e.descriptor, e.limits))] += e.size
            self.mapped += e.size
        return True

    @property
    def holes(self) -> list[tuple[int, int]]:
        """The unmapped ranges in the part that was read: first address and bytes."""
        return descend.holes(self.ranges, self.low, self.high if self.next is None else self.next - 1)

    def lines(self, name: Name, columns: tuple[str, str] = ("IPA", "PA")) -> Iterator[str]:
        """Yield ranges, tree or descriptors, totals, and what is wrong."""
        g = self.layout
        if self._raw:
            yield from (stage2.raw_line(e, g) for e in self.entries)
        elif self._tree:
            yield from (stage2.tree_line(e, g) for e in self.entries)
        else:
            holes = self.holes if self._holes else []
            yield from stage2.dump(self.ranges, name, holes, columns=columns, permission=g.permission)
        leaves = ", ".join(f"{n} x {size(s)}" for s, n in sorted(self.leaves.items(), reverse=True)) or "0"
        by = ", ".join(f"{p} {n >> 10:,} KiB" for p, n in sorted(self.permissions.items()))
        kinds = f" ({by if len(self.permissions) > 1 else next(iter(self.permissions))})" if by else ""
        yield f"leaves: {leaves}, mapping {self.mapped >> 10:,} KiB{kinds}; tables below the first: {self.tables}"
        for w in self.wrong:
            yield f"wrong: {columns[0]} {w.ipa:#x}, level {w.level}, [{w.address:#x}] = {w.descriptor:#018x}: {w.what}"
        if self.faulty > len(self.wrong):
            yield f"wrong: {self.faulty - len(self.wrong):,} more"

    def document(self, name: Name, keys: tuple[str, str] = ("ipa", "pa")) -> dict[str, Any]:
        """Return the same as data; ``keys``: what input and output addresses are called."""
        as_in, as_out = keys

        def row(of: Any) -> dict[str, Any]:
            renamed = {"ipa": as_in, "pa": as_out}
            return {renamed.get(key, key): value for key, value in asdict(of).items()}

        d: dict[str, Any] = {} if self.next is None else {"next": self.next}
        if self._raw or self._tree:
            d["entries"] = [row(e) for e in self.entries]
        else:
            d["ranges"] = [{**row(r), "what": name(r.ipa, r.pa)} for r in self.ranges]
            d["holes"] = [{as_in: at, "size": n} for at, n in self.holes]
        leaves = [{"size": s, "count": n} for s, n in sorted(self.leaves.items())]
        d["totals"] = {"leaves": leaves, "permissions": dict(sorted(self.permissions.items())), "tables": self.tables}
        d["wrong"] = [row(w) for w in self.wrong]
        d["wrong_in_all"] = self.faulty
        return d


def at(machine: _core.Machine, pa: int) -> str:
    """Return a description of what the machine has at a PA."""
    base, size_ = machine.ram
    if base <= pa < base + size_:
        return "memory"
    found = device_at(pa, machine.gic()["version"])
    return found[0] if found else "nothing there"
