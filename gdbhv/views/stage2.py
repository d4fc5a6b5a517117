"""Stage 2 tables as data and as text, read as the walker reads them: from VTTBR_EL2 and VTCR_EL2 (Arm ARM D8.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gdbhv.views.attributes import rwx, size, stage2_leaf
from gdbhv.views.table import table

GRANULES = {0: 12, 1: 16, 2: 14}  # VTCR_EL2.TG0


@dataclass(frozen=True)
class Geometry:
    """How the tables are laid out: bits of the granule, of the IPA, the first level, and its descriptors."""

    granule: int
    ipa_bits: int
    start: int
    entries: int
    root: int

    @staticmethod
    def of(vttbr: int, vtcr: int) -> Geometry:
        """Return the geometry that the registers select. :raises ValueError: a reserved combination."""
        granule = GRANULES.get(vtcr >> 14 & 3)
        if granule is None:
            raise ValueError("VTCR_EL2.TG0 = 3 is reserved")
        ipa_bits = 64 - (vtcr & 0x3F)
        sl0 = vtcr >> 6 & 3
        start = {12: (2, 1, 0, 3), 14: (3, 2, 1, 0), 16: (3, 2, 1, 0)}[granule][sl0]
        lowest = granule + (granule - 3) * (3 - start)
        concatenated = ipa_bits - lowest - (granule - 3)  # log2 of tables side by side at the first level: 16 at most
        if ipa_bits <= lowest or ipa_bits > 52 or concatenated > 4:
            raise ValueError(f"VTCR_EL2: SL0 = {sl0} and T0SZ = {vtcr & 0x3F} do not go together")
        return Geometry(granule, ipa_bits, start, 1 << (ipa_bits - lowest), vttbr & ((1 << 48) - 2))

    def shift(self, level: int) -> int:
        """The lowest IPA bit that ``level`` translates."""
        return self.granule + (self.granule - 3) * (3 - level)


@dataclass(frozen=True)
class Entry:
    """A descriptor that is valid: a table or a leaf."""

    level: int
    ipa: int
    size: int
    address: int  # of the descriptor
    descriptor: int
    output: int
    table: bool
    in_ram: bool = True  # of a table: whether it can be read


def entries(geometry: Geometry, read: Callable[[int, int], bytes], low: int = 0, high: int | None = None) -> Iterator[Entry]:
    """Yield the valid descriptors for IPAs ``low`` to ``high``, tables before what is in them."""
    last = (1 << geometry.ipa_bits) - 1 if high is None else high
    yield from _table(geometry, read, geometry.root, geometry.start, 0, geometry.entries, low, last)


def _table(
    g: Geometry, read: Callable[[int, int], bytes], address: int, level: int, base: int, count: int, low: int, high: int
) -> Iterator[Entry]:
    step = 1 << g.shift(level)
    mask = ((1 << 48) - 1) & -(1 << g.granule)
    first, last = max(0, (low - base) // step), min(count - 1, (high - base) // step)
    if first > last:
        return
    raw = read(address + 8 * first, 8 * (last - first + 1))
    for i, d in enumerate(struct.unpack(f"<{last - first + 1}Q", raw), first):
        if not d & 1:
            continue
        ipa = base + i * step
        is_table = level < 3 and bool(d & 2)
        if not is_table and level == 3 and not d & 2:
            continue  # reserved at the last level: invalid
        output = d & mask & (-(1 << g.granule) if is_table else -step)
        readable = not is_table or _readable(read, output, 1 << g.granule)
        yield Entry(level, ipa, step, address + 8 * i, d, output, is_table, readable)
        if is_table and readable:
            yield from _table(g, read, output, level + 1, ipa, 1 << (g.granule - 3), low, high)


def _readable(read: Callable[[int, int], bytes], address: int, length: int) -> bool:
    try:
        read(address, length)
    except IndexError:
        return False
    return True


def merged(leaves: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return ranges of leaves that continue each other, with the same attributes."""
    ranges: list[dict[str, Any]] = []
    for e in leaves:
        attributes = stage2_leaf(e.descriptor)
        if ranges:
            r = ranges[-1]
            follows = r["ipa"] + r["size"] == e.ipa and r["pa"] + r["size"] == e.output
            if follows and r["attributes"] == attributes and r["leaf"] == e.size:
                r["size"] += e.size
                r["leaves"] += 1
                continue
        ranges.append({"ipa": e.ipa, "pa": e.output, "size": e.size, "leaf": e.size, "leaves": 1, "attributes": attributes})
    return ranges


def dump(ranges: Sequence[dict[str, Any]], name: Callable[[int], str] = lambda ipa: "") -> list[str]:
    """Return the merged ranges as a table."""
    rows = []
    for r in ranges:
        a = r["attributes"]
        flags = ("" if a["af"] else " AF=0") + (" contiguous" if a["contiguous"] else "")
        rows.append(
            (
                f"{r['ipa']:#012x}-{r['ipa'] + r['size'] - 1:#012x}",
                f"{r['pa']:#012x}",
                size(r["size"]),
                f"{r['leaves']} x {size(r['leaf'])}",
                rwx(a),
                f"{a['memory']}, {a['shareability']}{flags}",
                name(r["ipa"]),
            )
        )
    if not rows:
        return ["nothing is mapped there"]
    return table(("IPA", "PA", "size", "leaves", "perm", "memory", "what"), rows, "  rr")


def tree(found: Sequence[Entry], start: int) -> list[str]:
    """Return tables and leaves, a line each, indented by level."""
    lines = []
    for e in found:
        indent = "  " * (e.level - start)
        if e.table:
            at = f"{e.output:#x}" if e.in_ram else f"{e.output:#x}, which is not RAM"
            lines.append(f"{indent}L{e.level} {e.ipa:#012x} table at {at}  [{e.address:#x}] = {e.descriptor:#018x}")
        else:
            a = stage2_leaf(e.descriptor)
            where = f"[{e.address:#x}] = {e.descriptor:#018x}"
            lines.append(f"{indent}L{e.level} {e.ipa:#012x} {size(e.size)} -> {e.output:#x} {rwx(a)} {a['memory']}  {where}")
    return lines
