"""Stage 2 of a translation (Arm ARM D8.2.2, D8.4.2, D8.6)."""

from __future__ import annotations

from walks import layout
from walks.interp import (
    ACCESS_FLAG,
    ADDRESS_SIZE,
    EXTERNAL,
    START_LEVELS,
    TG0,
    TRANSLATION,
    Core,
    Leaf,
    Memories,
    Registers,
    Step,
    Tables,
    Walked,
    code,
    size_faults,
)
from walks.layout import parse


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
        sl = v.SL0 | (v.SL2 and ds and granule == 12) << 2  # SL2 is RES0 elsewhere
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
