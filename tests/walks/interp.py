"""A second interpreter of translation tables, written from the Arm ARM's D8 and nothing else: what the model's walker is compared with.

One :class:`Stage1` or :class:`Stage2` is one setting of the registers over one memory. They walk; :class:`Translation` puts them
together as an access does: both stages, permissions, memory types, and what hardware writes into descriptors. It is written to be
read beside D8 and fast enough for a million walks: descriptors are parsed once (:mod:`layout`), and a stage 2 walk of a page
and the way to each stage 1 table are kept.

Not modelled: FEAT_NV's other layout of permissions, big-endian tables, and the Contiguous bit, which changes nothing but a TLB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from walks import attributes, layout
from walks.attributes import Memory
from walks.layout import parse

# Fault status codes of level 0 (the ISS of Data Aborts, D24.2.37); level -1 has codes of its own.
ADDRESS_SIZE, TRANSLATION, ACCESS_FLAG, PERMISSION, EXTERNAL = 0x00, 0x04, 0x08, 0x0C, 0x14
BELOW_ZERO = {ADDRESS_SIZE: 0x29, TRANSLATION: 0x2B, EXTERNAL: 0x13}
SIZES = (32, 36, 40, 42, 44, 48, 52, 52)  # of TCR.IPS and its kind; 7 is reserved, and taken as the largest


def code(kind: int, level: int) -> int:
    return kind + level if level >= 0 else BELOW_ZERO[kind]


class Fault(NamedTuple):
    fsc: int
    stage: int = 1
    s1ptw: bool = False
    ipa: int | None = None


class Step(NamedTuple):
    """A descriptor that was read, and where."""

    stage: int
    level: int
    pa: int
    value: int


class Memories:
    """RAM as a list of 64-bit words. What a walk reads elsewhere is an external abort."""

    def __init__(self, base: int, words: list[int]) -> None:
        self.base, self.words = base, words

    def read(self, pa: int) -> int | None:
        index = pa - self.base >> 3
        return self.words[index] if 0 <= index < len(self.words) else None


@dataclass(frozen=True)
class Core:
    """What the profile has."""

    features: frozenset[str]
    pa_bits: int

    def has(self, name: str) -> bool:
        return name in self.features

    def pa_max(self, granule: int, ds: bool) -> int:
        wide = self.has("LPA") and (granule == 16 or ds)
        return min(52 if wide else 48, self.pa_bits)


class Tables:
    """What both stages share: the geometry of a walk and the addresses in descriptors."""

    def __init__(self, core: Core, granule: int, ds: bool, txsz: int, ps: int, start: int, base: int) -> None:
        self.core, self.granule, self.ds = core, granule, ds
        self.stride = granule - 3
        self.ia_bits = 64 - txsz
        self.oa_bits = min(SIZES[ps], core.pa_max(granule, ds))
        self.wide64 = granule == 16 and core.has("LPA")
        self.start = start
        # D8.2.5: the table is aligned to its size, concatenated or not; with 52-bit addresses to 64 bytes at least, and bits 5:2 are high.
        size = max(self.ia_bits - ((3 - start) * self.stride + granule) + 3, 0)  # less than 0 only where SL0 is refused
        if ds or (self.wide64 and ps == 6):
            size = max(size, 6)
            base = base & 0xFFFF_FFFF_FFC0 | (base >> 2 & 15) << 48
        self.base = base >> size << size

    def shift(self, level: int) -> int:
        return self.granule + (3 - level) * self.stride

    def entry(self, table: int, level: int, address: int) -> int:
        """Where the descriptor of ``address`` is."""
        shift = self.shift(level)
        top = self.ia_bits if level == self.start else shift + self.stride
        return table | (address >> shift & (1 << max(top - shift, 0)) - 1) << 3

    def out_of_range(self, address: int) -> bool:
        return address >> self.oa_bits != 0

    def output(self, d: object, low: int) -> int:
        """The address in a descriptor, from bit ``low`` up (D8.3)."""
        address: int = d.address << 12  # type: ignore[attr-defined]
        base = address >> low << low
        if self.wide64:
            return base | (address >> 12 & 15) << 48
        if self.ds:
            return base | (d.top << 2 | d.high) << 48  # type: ignore[attr-defined]
        return base

    def block(self, level: int) -> bool:
        """D8.3.1: whether there are blocks at this level."""
        if self.granule == 12:
            return level in (1, 2) or (level == 0 and self.ds)
        if self.granule == 14:
            return level == 2 or (level == 1 and self.ds)
        return level == 2 or (level == 1 and self.wide64)

    def leaf(self, value: int, level: int) -> bool | None:
        """True: a block or a page; False: a table; None: invalid."""
        kind = value & 3
        if kind == 3:
            return level == 3
        return True if kind == 1 and self.block(level) else None


def size_faults(core: Core, txsz: int, least: int, granule: int) -> bool:
    """D8.2.4: TxSZ that no table can have."""
    return txsz < least or txsz > ((47 if granule == 16 else 48) if core.has("TTST") else 39)


@dataclass(slots=True)
class Leaf:
    """Where a walk ended well: the last descriptor, and what it gives."""

    level: int
    value: int
    at: int  # PA of the descriptor
    base: int
    mask: int
    steps: tuple[Step, ...]
    r: bool = False
    w: bool = False
    xp: bool = False
    xu: bool = False
    attr: int = 0
    sh: int = 0
    memory: Memory = attributes.STRONGEST
    user: tuple[bool, bool, bool] = (False, False, False)
    privileged: tuple[bool, bool, bool] = (False, False, False)
    pan: bool = False  # PSTATE.PAN keeps EL1 and EL2 from reading and writing
    update: int = 0  # what the access flag makes of it
    dirty: int = 0  # what a write makes of it
    ipa: int = 0  # of the descriptor, stage 1


Walked = tuple[tuple[Step, ...], int, Leaf | None]  # steps, FSC, leaf


@dataclass
class Registers:
    """Values of the registers as they were written."""

    hcr: int = 0
    vtcr: int = 0
    vttbr: int = 0
    sctlr: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    tcr: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    ttbr0: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    ttbr1: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    mair: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})


class Stage2:
    """Stage 2 with one setting of the registers (D8.2.2, D8.4.2)."""

    def __init__(self, core: Core, registers: Registers, memory: Memories) -> None:
        self.core, self.memory = core, memory
        h, v = parse(layout.HCR, registers.hcr), parse(layout.VTCR, registers.vtcr)
        host = h.E2H and h.TGE and core.has("VHE")
        self.enabled = (h.VM or h.DC) and not host
        self.ptw, self.fwb = h.PTW and not h.TGE, h.FWB and core.has("S2FWB")
        self.cd, self.id = h.CD, h.ID
        self.ha = v.HA and core.has("HAFDBS")
        self.hd = self.ha and v.HD
        granule = TG0.get(v.TG0, 12)
        ds = bool(v.DS and core.has("LPA2") and granule != 16)
        self.sh = v.SH0 if ds else None
        sl = v.SL0 | (v.SL2 and ds) << 2
        start = START_LEVELS[granule].get(sl)
        pa_max = core.pa_max(granule, ds)
        least = 64 - pa_max  # below it is CONSTRAINED UNPREDICTABLE before FEAT_LPA: it faults
        self.bad = size_faults(core, v.T0SZ, least, granule) or start is None
        self.bad = self.bad or (granule == 12 and sl == 3 and not core.has("TTST")) or (granule == 14 and sl == 3 and not ds)
        self.bad = (
            self.bad
            or (granule == 12 and sl == 2 and core.pa_bits < 44)
            or (granule == 16 and sl == 2 and core.pa_bits < 44)
        )
        self.tables = t = Tables(
            core, granule, ds, v.T0SZ, v.PS, 0 if start is None else start, registers.vttbr & (1 << 48) - 2
        )
        # AArch64.S2InconsistentSL: at least one bit is resolved at the start, at most 16 tables are concatenated.
        least = (3 - t.start) * t.stride + granule + 1
        self.bad = bool(self.bad or t.ia_bits < least or t.ia_bits > least + t.stride - 1 + 4)
        self.known: dict[int, Walked] = {}

    def walk(self, ipa: int) -> Walked:
        page = ipa >> 12
        found = self.known.get(page)
        if found is None:
            found = self.known[page] = self._walk(ipa)
        return found

    def _walk(self, ipa: int) -> Walked:
        t = self.tables
        if self.bad or ipa >> t.ia_bits:
            return (), TRANSLATION, None
        if t.out_of_range(t.base):
            return (), ADDRESS_SIZE, None
        table, steps = t.base, ()
        for level in range(t.start, 4):
            at = t.entry(table, level, ipa)
            value = self.memory.read(at)
            if value is None:
                return steps, code(EXTERNAL, level), None
            steps = (*steps, Step(2, level, at, value))
            leaf = t.leaf(value, level)
            if leaf is None:
                return steps, code(TRANSLATION, level), None
            d = parse(layout.S2_LEAF, value)
            low = t.shift(level) if leaf else t.granule
            table = t.output(d, low)
            if t.out_of_range(table):
                return steps, code(ADDRESS_SIZE, level), None
            if leaf:
                if not d.AF and not self.ha:
                    return steps, code(ACCESS_FLAG, level), None
                return steps, 0, self._leaf(d, Leaf(level, value, at, table, (1 << low) - 1, steps))
        raise AssertionError("level 3 has no tables")

    def _leaf(self, d: object, leaf: Leaf) -> Leaf:
        leaf.r, leaf.w = bool(d.S2AP & 1), bool(d.S2AP & 2)  # type: ignore[attr-defined]
        leaf.update = leaf.value | 1 << 10 if self.ha else leaf.value
        leaf.dirty = leaf.update
        if self.hd and d.DBM:  # type: ignore[attr-defined]
            leaf.w = True
            leaf.dirty |= 1 << 7
        xn = d.XN  # type: ignore[attr-defined]
        if self.core.has("XNX"):
            leaf.xp, leaf.xu = xn in (0, 3), xn in (0, 1)
        else:
            leaf.xp = leaf.xu = xn < 2
        leaf.attr = d.MemAttr & 7 if self.fwb else d.MemAttr  # type: ignore[attr-defined]
        leaf.sh = d.SH if self.sh is None else self.sh  # type: ignore[attr-defined]
        return leaf

    def device(self, leaf: Leaf) -> bool:
        return leaf.attr < 4


TG0, TG1 = {0: 12, 1: 16, 2: 14}, {2: 12, 3: 16, 1: 14}  # the reserved value is taken as 4 KiB
START_LEVELS = {12: {0: 2, 1: 1, 2: 0, 3: 3, 4: -1}, 14: {0: 3, 1: 2, 2: 1, 3: 0}, 16: {0: 3, 1: 2, 2: 1}}
EL10, EL2, EL20 = "EL1&0", "EL2", "EL2&0"


class Way(NamedTuple):
    """How a stage 1 descriptor was reached: steps of stage 2 and its own read."""

    steps: tuple[Step, ...]
    fault: Fault | None
    value: int
    pa: int
    s2: Leaf | None


class Stage1:
    """Stage 1 of one VA range of a regime (D8.2.1, D8.4.1)."""

    def __init__(
        self, core: Core, registers: Registers, memory: Memories, regime: str, upper: bool, s2: Stage2 | None
    ) -> None:
        self.core, self.memory, self.regime, self.upper, self.s2 = core, memory, regime, upper, s2
        el = 1 if regime == EL10 else 2
        h, sctlr = parse(layout.HCR, registers.hcr), parse(layout.SCTLR, registers.sctlr[el])
        self.two = regime != EL2
        self.dc = regime == EL10 and h.DC and not (h.E2H and h.TGE and core.has("VHE"))
        self.enabled = sctlr.M and not (regime == EL10 and (h.DC or h.TGE))
        self.wxn, self.epan = sctlr.WXN, sctlr.EPAN and core.has("PAN3")
        self.c, self.i = sctlr.C, sctlr.I
        self.mair = registers.mair[el]
        value = registers.tcr[el]
        n = int(upper)
        if self.two:
            c = parse(layout.TCR_TWO, value)
            txsz, tg, ps = c[f"T{n}SZ"], c[f"TG{n}"], c.IPS
            granule = (TG1 if upper else TG0).get(tg, 12)
            self.tbi, tbid, hpd, self.epd = c[f"TBI{n}"], c[f"TBID{n}"], c[f"HPD{n}"], c[f"EPD{n}"]
            self.e0pd = c[f"E0PD{n}"] and core.has("E0PD")
        else:
            c = parse(layout.TCR_ONE, value)
            txsz, tg, ps = c.T0SZ, c.TG0, c.PS
            granule = TG0.get(tg, 12)
            self.tbi, tbid, hpd, self.epd, self.e0pd = c.TBI, c.TBID, c.HPD, False, False
        self.tbid = tbid and core.has("PAuth")
        self.hpd = hpd and core.has("HPDS")
        self.ha = c.HA and core.has("HAFDBS")
        self.hd = self.ha and c.HD
        ds = bool(c.DS and core.has("LPA2") and granule != 16)
        self.sh = (c[f"SH{n}"] if self.two else c.SH0) if ds else None
        least = 12 if ds or (core.has("LVA") and granule == 16) else 16
        self.bad = size_faults(core, txsz, least, granule)
        base = (registers.ttbr1 if upper else registers.ttbr0)[el] & (1 << 48) - 2
        start = 3 - (64 - txsz - granule - 1) // (granule - 3)
        self.tables = Tables(core, granule, ds, txsz, ps, start, base)
        self.ways: dict[tuple[int, int], Way] = {}

    def top(self, fetch: bool) -> int:
        """The highest bit of a VA that is part of the address (D8.8.1)."""
        return 55 if self.tbi and not (fetch and self.tbid) else 63

    def out_of_range(self, va: int, fetch: bool) -> bool:
        width = self.top(fetch) - self.tables.ia_bits + 1
        rest = va >> self.tables.ia_bits & (1 << width) - 1
        return rest != ((1 << width) - 1 if self.upper else 0)

    def disabled(self, va: int, fetch: bool) -> tuple[int, Memory] | None:
        """Stage 1 off: the address and its memory type; None is an Address size fault (D8.2.9)."""
        address = va & (1 << self.top(fetch) + 1) - 1
        if address >> self.core.pa_bits:
            return None
        if self.dc:
            return address, attributes.DEFAULT
        if fetch:
            return address, attributes.FETCHED if self.i else attributes.NOT_CACHED
        return address, attributes.STRONGEST

    def cached(self, memory: Memory, fetch: bool) -> Memory:
        """SCTLR.C and SCTLR.I: what is not to be cached is Non-cacheable, and so is what is fetched from Device memory."""
        device = attributes.is_device(memory)
        weak = (device or not self.i) if fetch else (not device and not self.c)
        return (attributes.NC, attributes.NC, memory[2]) if weak else memory

    def way(self, at: int, level: int) -> Way:
        """Read the descriptor at ``at``, by stage 2 if there is one (D8.2.10)."""
        found = self.ways.get((at, level))
        if found is None:
            found = self.ways[at, level] = self._way(at, level)
        return found

    def _way(self, at: int, level: int) -> Way:
        steps, pa, leaf = (), at, None
        if self.s2:
            steps, fsc, leaf = self.s2.walk(at)
            if leaf is None:
                return Way(steps, Fault(fsc, 2, True, at), 0, 0, None)
            if not leaf.r or (self.s2.ptw and self.s2.device(leaf)):
                return Way(steps, Fault(code(PERMISSION, leaf.level), 2, True, at), 0, 0, leaf)
            pa = leaf.base | at & leaf.mask
        value = self.memory.read(pa)
        if value is None:
            return Way(steps, Fault(code(EXTERNAL, level)), 0, pa, leaf)
        return Way((*steps, Step(1, level, pa, value)), None, value, pa, leaf)

    def walk(
        self, va: int, el0: bool, fetch: bool, touch: Callable[[Leaf], None]
    ) -> tuple[list[Step], Fault | None, Leaf | None]:
        """Down the tables. ``touch`` hears of the stage 2 leaf that each descriptor was read through."""
        t, steps = self.tables, []
        if self.bad or self.epd or (el0 and self.e0pd) or self.out_of_range(va, fetch):
            return steps, Fault(TRANSLATION), None
        if t.out_of_range(t.base):
            return steps, Fault(ADDRESS_SIZE), None
        table, limits = t.base, 0
        for level in range(t.start, 4):
            at = t.entry(table, level, va)
            way = self.way(at, level)
            steps += way.steps
            if way.s2 and way.fault is None:
                touch(way.s2)
            if way.fault:
                return steps, way.fault, None
            leaf = t.leaf(way.value, level)
            if leaf is None:
                return steps, Fault(code(TRANSLATION, level)), None
            d = parse(layout.S1_LEAF if leaf else layout.S1_TABLE, way.value)
            low = t.shift(level) if leaf else t.granule
            table = t.output(d, low)
            if t.out_of_range(table):
                return steps, Fault(code(ADDRESS_SIZE, level)), None
            if leaf:
                if not d.AF and not self.ha:
                    return steps, Fault(code(ACCESS_FLAG, level)), None
                found = Leaf(level, way.value, way.pa, table, (1 << low) - 1, (), ipa=at)
                return steps, None, self._leaf(d, found, limits)
            if not self.hpd:
                limits |= d.PXNTable | d.UXNTable << 1 | d.APTable0 << 2 | d.APTable1 << 3
        raise AssertionError("level 3 has no tables")

    def _leaf(self, d: object, leaf: Leaf, limits: int) -> Leaf:
        ap, uxn, pxn = d.AP, d.UXN, d.PXN  # type: ignore[attr-defined]
        leaf.update = leaf.dirty = leaf.value | 1 << 10 if self.ha else leaf.value
        if self.hd and d.DBM:  # type: ignore[attr-defined]
            ap &= ~2
            leaf.dirty &= ~(1 << 7)
        if self.two:
            pr, pw, ur, uw = True, ap < 2, bool(ap & 1), ap == 1
            if limits & 4:
                ur = uw = False
            if limits & 8:
                pw = uw = False
            ux = not (uxn or limits & 2)
            px = not (pxn or limits & 1 or uw)
        else:
            pr, pw, px, ur, uw, ux = True, ap < 2 and not limits & 8, not (uxn or limits & 2), False, False, False
        pan = ur or bool(self.epan and ux)  # D8.4.1.2.3: what PSTATE.PAN keeps EL1 and EL2 from
        if self.wxn:
            px, ux = px and not pw, ux and not uw
        leaf.user, leaf.privileged = (ur, uw, ux), (pr, pw, px)
        leaf.pan = self.two and pan
        sh = d.SH if self.sh is None else self.sh  # type: ignore[attr-defined]
        leaf.memory = attributes.of_mair(self.mair, d.AttrIndx, sh)  # type: ignore[attr-defined]
        return leaf
