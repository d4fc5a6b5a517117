"""Stage 2 tables as data and as text, read as the walker reads them: from VTTBR_EL2 and VTCR_EL2 (Arm ARM D8.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gdbhv.tables import encode, field
from gdbhv.views.attributes import rwx, size, stage2_leaf
from gdbhv.views.table import table

GRANULES = {
    0: 12,
    1: 16,
    2: 14,
    3: 12,
}  # by VTCR_EL2.TG0; the reserved value acts as 4 KiB, as does 16 KiB on a CPU without it
PA_BITS = (32, 36, 40, 42, 44, 48, 52)  # by ID_AA64MMFR0_EL1.PARange
MMFR0 = encode("ID_AA64MMFR0_EL1", PARange=5, TGran16=1)  # 48 bits of PA, all granules
TG0, T0SZ, SL0, SL2, SH0, PS, DS = (field(f"VTCR_EL2.{name}") for name in ("TG0", "T0SZ", "SL0", "SL2", "SH0", "PS", "DS"))
PA_RANGE, GRANULE_16K, FWB = field("ID_AA64MMFR0_EL1.PARange"), field("ID_AA64MMFR0_EL1.TGran16"), field("HCR_EL2.FWB")


@dataclass(frozen=True)
class Geometry:
    """How the tables are laid out: granule and IPA in bits, first level and its descriptors, how these hold an address."""

    granule: int
    ipa_bits: int
    start: int
    entries: int
    root: int
    pa_bits: int = 48
    shareability: int | None = None  # of all leaves: 52-bit descriptors of FEAT_LPA2 have none of their own
    forced: bool = False  # HCR_EL2.FWB
    xnx: bool = True  # FEAT_XNX: EL1 and EL0 are told apart

    @staticmethod
    def of(vttbr: int, vtcr: int, mmfr0: int = MMFR0, hcr: int = 0, *, xnx: bool = True, ttst: bool = True) -> Geometry:
        """Return the geometry that the registers select on a CPU whose ID_AA64MMFR0_EL1 is ``mmfr0``.

        :param xnx: it has FEAT_XNX.
        :param ttst: it has FEAT_TTST: T0SZ may be more than 39, and a walk with the 4 KiB granule may begin at level 3.
        :raises ValueError: a combination that is a translation fault of level 0 whatever the IPA (Arm ARM J1.1.5,
            ``AArch64.S2InvalidSL``, ``AArch64.S2InconsistentSL``)
        """
        granule = GRANULES[TG0.of(vtcr)]
        if granule == 14 and not GRANULE_16K.of(mmfr0):
            granule = 12
        t0sz = T0SZ.of(vtcr)
        ipa_bits = 64 - t0sz
        limit = PA_BITS[min(PA_RANGE.of(mmfr0), 6)]
        ds = granule != 16 and bool(DS.of(vtcr))
        pa_bits = 52 if ds or (granule == 16 and limit == 52) else 48
        sl = SL0.of(vtcr) | SL2.of(vtcr) << 2 if ds and granule == 12 else SL0.of(vtcr)
        start = {12: (2, 1, 0, 3, -1), 14: (3, 2, 1, 0 if ds else None), 16: (3, 2, 1)}[granule][sl : sl + 1]
        refused = ValueError(f"VTCR_EL2: SL = {sl} and T0SZ = {t0sz} do not go together")
        smallest = 39 if not ttst else 47 if granule == 16 else 48
        if not start or start[0] is None or ipa_bits > min(limit, pa_bits) or t0sz > smallest:
            raise refused
        if (granule, sl) == (12, 3) and not ttst:
            raise refused
        if sl == 2 and limit < {12: 44, 14: 42, 16: 44}[granule]:
            raise refused
        level = start[0]
        lowest = granule + (granule - 3) * (3 - level)
        concatenated = ipa_bits - lowest - (granule - 3)  # log2 of tables side by side at the first level: 16 at most
        if ipa_bits <= lowest or concatenated > 4:
            raise refused
        entries = 1 << (ipa_bits - lowest)
        root = vttbr & ((1 << 48) - 2)
        if ds or (pa_bits == 52 and PS.of(vtcr) >= 6):
            root = root & ~0x3F | (vttbr >> 2 & 15) << 48
        root &= -(8 * entries)
        shareability = SH0.of(vtcr) if ds else None
        return Geometry(granule, ipa_bits, level, entries, root, pa_bits, shareability, bool(FWB.of(hcr)), xnx)

    def output(self, descriptor: int, lsb: int) -> int:
        """Return the address in a descriptor of a table or of a leaf of ``1 << lsb`` bytes."""
        low = descriptor & ((1 << 48) - (1 << lsb))
        if self.pa_bits == 48:
            return low
        if self.granule == 16:
            return low | (descriptor >> 12 & 15) << 48
        return low | (descriptor >> 48 & 3) << 48 | (descriptor >> 8 & 3) << 50

    def leaf(self, descriptor: int) -> dict[str, object]:
        """Return the attributes of a block or page."""
        return stage2_leaf(descriptor, self.shareability, self.forced, xnx=self.xnx)

    def has_block(self, level: int) -> bool:
        """Return whether a descriptor of ``level`` may be a block."""
        return 3 > level >= {12: 1, 14: 2, 16: 2}[self.granule] - (self.pa_bits == 52)

    def shift(self, level: int) -> int:
        """Return the lowest IPA bit that ``level`` translates."""
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
    first, last = max(0, (low - base) // step), min(count - 1, (high - base) // step)
    if first > last:
        return
    raw = read(address + 8 * first, 8 * (last - first + 1))
    for i, d in enumerate(struct.unpack(f"<{last - first + 1}Q", raw), first):
        if not d & 1:
            continue
        ipa = base + i * step
        is_table = level < 3 and bool(d & 2)
        if not is_table and (not g.has_block(level) if level < 3 else not d & 2):
            continue  # reserved at this level: invalid
        output = g.output(d, g.granule if is_table else g.shift(level))
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


def extend(ranges: list[dict[str, Any]], e: Entry, g: Geometry) -> None:
    """Add a leaf to ranges: it goes on the last one, with the same attributes, or begins another."""
    attributes = g.leaf(e.descriptor)
    if ranges:
        r = ranges[-1]
        follows = r["ipa"] + r["size"] == e.ipa and r["pa"] + r["size"] == e.output
        if follows and r["attributes"] == attributes and r["leaf"] == e.size:
            r["size"] += e.size
            r["leaves"] += 1
            return
    ranges.append({"ipa": e.ipa, "pa": e.output, "size": e.size, "leaf": e.size, "leaves": 1, "attributes": attributes})


def merged(leaves: Iterable[Entry], g: Geometry) -> list[dict[str, Any]]:
    """Return ranges of leaves that continue each other, with the same attributes."""
    ranges: list[dict[str, Any]] = []
    for e in leaves:
        extend(ranges, e, g)
    return ranges


def dump(ranges: Sequence[dict[str, Any]], name: Callable[[int, int], str] = lambda ipa, pa: "") -> list[str]:
    """Return the merged ranges as a table. ``name``: what is at an IPA and the PA that it is mapped to."""
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
                name(r["ipa"], r["pa"]),
            )
        )
    if not rows:
        return ["nothing is mapped there"]
    return table(("IPA", "PA", "size", "leaves", "perm", "memory", "what"), rows, "  rr")


def tree(found: Iterable[Entry], g: Geometry) -> list[str]:
    """Return tables and leaves, a line each, indented by level."""
    return [tree_line(e, g) for e in found]


def tree_line(e: Entry, g: Geometry) -> str:
    """Return the line of one descriptor in the tree."""
    indent = "  " * (e.level - g.start)
    where = f"[{e.address:#x}] = {e.descriptor:#018x}"
    if e.table:
        at = f"{e.output:#x}" if e.in_ram else f"{e.output:#x}, which is not RAM"
        return f"{indent}L{e.level} {e.ipa:#012x} table at {at}  {where}"
    a = g.leaf(e.descriptor)
    return f"{indent}L{e.level} {e.ipa:#012x} {size(e.size)} -> {e.output:#x} {rwx(a)} {a['memory']}  {where}"
