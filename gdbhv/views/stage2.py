"""Stage 2 tables as data and as text, read as the walker reads them: from VTTBR_EL2 and VTCR_EL2 (Arm ARM D8.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gdbhv.tables import encode, field
from gdbhv.views.attributes import rwx, size, stage2_leaf
from gdbhv.views.descend import Entry, Layout, Range, extend
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
class Geometry(Layout):
    """The tables of stage 2."""

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
        forced, output_bits = bool(FWB.of(hcr)), min(limit, PA_BITS[min(PS.of(vtcr), 6)])
        return Geometry(granule, ipa_bits, level, entries, root, pa_bits, output_bits, shareability, forced, xnx)

    def leaf(self, descriptor: int, limits: int = 0) -> dict[str, object]:
        """See :class:`Layout`; no table of stage 2 limits anything."""
        return stage2_leaf(descriptor, self.shareability, self.forced, xnx=self.xnx)

    def reserved(self, descriptor: int, *, table: bool) -> int:
        """See :class:`Layout` (D8.3.1, D8.3.2)."""
        if table:
            return descriptor & 0x1F << 59
        memory = self.leaf(descriptor)["memory"]
        odd = 0xF << 2 if isinstance(memory, str) and ("reserved" in memory or "?" in memory) else 0
        return descriptor & (1 << 50 | (0 if self.xnx else 1 << 53) | odd)

    def permission(self, attributes: dict[str, object]) -> str:
        """See :class:`Layout`."""
        return rwx(attributes)


def merged(leaves: Iterable[Entry], g: Layout) -> list[Range]:
    """Return ranges of leaves that continue each other, with the same attributes."""
    ranges: list[Range] = []
    for e in leaves:
        extend(ranges, e, g)
    return ranges


def dump(
    ranges: Sequence[Range],
    name: Callable[[int, int], str] = lambda ipa, pa: "",
    holes: Sequence[tuple[int, int]] = (),
    *,
    columns: tuple[str, str] = ("IPA", "PA"),
    permission: Callable[[dict[str, object]], str] = rwx,
) -> list[str]:
    """Return the merged ranges as a table, and holes between them.

    :param name: what is at an input address and the output address that it is mapped to.
    :param columns: what the addresses are called.
    """
    rows = [(r.ipa, _row(r, name, permission)) for r in ranges]
    rows += [(at, (f"{at:#012x}-{at + n - 1:#012x}", "", size(n), "", "", "not mapped", "")) for at, n in holes]
    if not rows:
        return ["nothing is mapped there"]
    return table((*columns, "size", "leaves", "perm", "memory", "what"), [row for _, row in sorted(rows)], "  rr")


def _row(
    r: Range, name: Callable[[int, int], str], permission: Callable[[dict[str, object]], str]
) -> tuple[str, str, str, str, str, str, str]:
    a = r.attributes
    flags = ("" if a["af"] else " AF=0") + (" contiguous" if a["contiguous"] else "") + str(a.get("flags", ""))
    return (
        f"{r.ipa:#012x}-{r.ipa + r.size - 1:#012x}",
        f"{r.pa:#012x}",
        size(r.size),
        f"{r.leaves} x {size(r.leaf)}",
        permission(a),
        f"{a['memory']}, {a['shareability']}{flags}",
        name(r.ipa, r.pa),
    )


def tree(found: Iterable[Entry], g: Layout) -> list[str]:
    """Return tables and leaves, a line each, indented by level."""
    return [tree_line(e, g) for e in found]


def tree_line(e: Entry, g: Layout) -> str:
    """Return the line of one descriptor in the tree."""
    indent = "  " * (e.level - g.start)
    where = f"[{e.address:#x}] = {e.descriptor:#018x}"
    if e.table:
        at = f"{e.output:#x}" if e.in_ram else f"{e.output:#x}, which is not RAM"
        return f"{indent}L{e.level} {e.ipa:#012x} table at {at}  {where}"
    a = g.leaf(e.descriptor, e.limits)
    return f"{indent}L{e.level} {e.ipa:#012x} {size(e.size)} -> {e.output:#x} {g.permission(a)} {a['memory']}  {where}"


def raw_line(e: Entry, g: Layout) -> str:
    """Return a descriptor as it is in memory: where, what, and for which input addresses."""
    kind = "invalid" if not e.valid else "table" if e.table else "page" if e.level == 3 else "block"
    return f"{e.address:#012x}  {e.descriptor:#018x}  L{e.level:<2} {e.ipa:#012x}  {kind}"
