"""Stage 1 of a translation: one VA range of a regime (Arm ARM D8.2.1, D8.4.1, D8.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from walks import attributes, layout
from walks.attributes import Memory
from walks.interp import (
    ACCESS_FLAG,
    ADDRESS_SIZE,
    EL2,
    EL10,
    EXTERNAL,
    PERMISSION,
    TG0,
    TG1,
    TRANSLATION,
    Core,
    Fault,
    Leaf,
    Memories,
    Registers,
    Step,
    Tables,
    code,
    size_faults,
)
from walks.layout import parse
from walks.stage2 import Stage2


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
