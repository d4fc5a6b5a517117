"""The same translations as a CPU makes them: AT with PAR_EL1, and loads, stores and fetches with the syndromes of
their faults.

Each is one instruction, run from a page that the tables under test map (or at EL2 with its MMU off), after its caches
of translations were emptied; what hardware wrote into descriptors is compared, and taken back.
"""

from __future__ import annotations

from dataclasses import dataclass

from gdbhv import _core
from walks import generate
from walks.access import Translation, Verdict
from walks.generate import FLUSH_LENGTH, FLUSHER
from walks.interp import EL2, EL10, EL20, EXTERNAL, PERMISSION, Memories
from walks.native import PAN, PSTATE

NOP, LDR, STR = 0xD503201F, 0xF9400020, 0xF9000020  # x0 and [x1]
SYS_X1 = 0xD5080001
VBAR = {1: 0xFFFF_8000_1234_0000, 2: 0x0000_7FFF_4321_0000}
VALUE = 0x1122_3344_5566_7788
RAM = range(generate.BASE, generate.BASE + generate.SIZE)
# Name: op1, CRm, op2, EL of the access (None: 1, or 2 where the instruction means EL2&0), access, both stages, with
# PSTATE.PAN.
AT = {
    "S1E1R": (0, 8, 0, None, "read", False, False),
    "S1E1W": (0, 8, 1, None, "write", False, False),
    "S1E0R": (0, 8, 2, 0, "read", False, False),
    "S1E0W": (0, 8, 3, 0, "write", False, False),
    "S1E2R": (4, 8, 0, 2, "read", False, False),
    "S1E2W": (4, 8, 1, 2, "write", False, False),
    "S12E1R": (4, 8, 4, None, "read", True, False),
    "S12E1W": (4, 8, 5, None, "write", True, False),
    "S12E0R": (4, 8, 6, 0, "read", True, False),
    "S12E0W": (4, 8, 7, 0, "write", True, False),
    "S1E1RP": (0, 9, 0, None, "read", False, True),
    "S1E1WP": (0, 9, 1, None, "write", False, True),
}


@dataclass
class Site:
    """Where an instruction can be executed: an address at an EL, and the physical one that it leads to."""

    el: int
    va: int
    pa: int


class Executor:
    """One setting of the registers on a machine of its own."""

    def __init__(
        self, machine: _core.Machine, pairs: list[tuple[str, int]], t: Translation, memory: Memories, pan: bool
    ) -> None:
        self.m, self.t, self.memory, self.pan = machine, t, memory, pan
        self.pairs = pairs
        self.sctlr2 = dict(pairs)["SCTLR_EL2"]
        for name, value in pairs:
            machine.write_register(0, name, value)
        for el, value in VBAR.items():
            machine.write_register(0, f"VBAR_EL{el}", value)
        self.flush()

    def step(self, el: int, pc: int, insns: int = 1) -> None:
        self.m.write_register(0, "cpsr", PSTATE[el] | (PAN if self.pan else 0))
        self.m.write_register(0, "pc", pc)
        self.m.run(1 << 62, insns=sum(self.m.insns) + insns)

    def flush(self) -> None:
        self.m.write_register(0, "SCTLR_EL2", self.sctlr2 & ~1)
        self.m.write_register(0, "cpsr", PSTATE[2])
        self.m.write_register(0, "pc", FLUSHER)
        self.m.run(1 << 62, insns=sum(self.m.insns) + FLUSH_LENGTH)
        assert self.m.read_register(0, "pc") == FLUSHER + 4 * FLUSH_LENGTH
        self.m.write_register(0, "SCTLR_EL2", self.sctlr2)

    def site(self, el: int, addresses: list[int]) -> Site | None:
        """An address from which this EL can execute something that we may put there."""
        for va in addresses:
            va &= ~3
            v = self.t.access(va, el, "fetch", self.pan)
            if self.program_counter(el, va) and v.fault is None and not v.updates and v.pa in range(generate.DATA, FLUSHER):
                return Site(el, va, v.pa)
        return None

    def program_counter(self, el: int, va: int) -> bool:
        """Whether it has no tag, which a branch would remove (AArch64.BranchAddr)."""
        return va >> 56 == (0xFF if va >> 55 & 1 and self.t.regime(el) != EL2 else 0)

    def execute(self, site: Site, word: int, x1: int) -> dict[str, int]:
        """Run one instruction and tell what came of it."""
        m = self.m
        old = m.read_pa(site.pa, 4)
        m.write_pa(site.pa, word.to_bytes(4, "little"))
        for name in ("ESR_EL1", "FAR_EL1", "ESR_EL2", "FAR_EL2", "HPFAR_EL2", "PAR_EL1"):
            m.write_register(0, name, 0)
        m.set_x(0, 0, VALUE)
        m.set_x(0, 1, x1)
        self.step(site.el, site.va)
        seen = {name: m.read_register(0, name) for name in ("pc", "cpsr", "PAR_EL1", "x0")}
        el = seen["el"] = seen["cpsr"] >> 2 & 3
        if el:
            seen |= {"esr": m.read_register(0, f"ESR_EL{el}"), "far": m.read_register(0, f"FAR_EL{el}")}
        seen["hpfar"] = m.read_register(0, "HPFAR_EL2")
        m.write_pa(site.pa, old)
        return seen

    def descriptors(self, v: Verdict, exact: bool, write: bool) -> str | None:
        """Compare the descriptors of a walk with what hardware should have made of them; put the old ones back.

        :param exact: False where the access flag may be set or not: hardware may set it for what it only speculates on
            (D8.5).
        """
        wrong = None
        for pa, old in {step.pa: step.value for step in v.steps}.items():
            now = int.from_bytes(self.m.read_pa(pa, 8), "little")
            wanted = v.updates.get(pa, old)
            allowed = 0 if exact else 1 << 10 | write << 7  # of a walk that faulted, or AT's
            if (now ^ (wanted if exact else old)) & ~(allowed | (0 if exact else wanted ^ old)):
                wrong = f"descriptor at {pa:#x}: {now:#x}, not {wanted:#x} (was {old:#x})"
            if now != old:
                self.m.write_pa(pa, old.to_bytes(8, "little"))
        self.flush()
        return wrong

    def data(self, site: Site, va: int, write: bool) -> str | None:
        """A load or a store of x0. None: as it should be, or nothing that can be judged."""
        v = self.t.access(va, site.el, "write" if write else "read", self.pan)
        inside = v.fault is None and v.pa in RAM
        if v.fault is None and (v.pa < generate.BASE or (inside and any(v.pa == s.pa for s in v.steps))):
            return None  # a device, or a descriptor of this walk
        old = self.m.read_pa(v.pa, 8) if inside else b""
        if any(pa in range(site.pa & ~7, site.pa + 8) for pa in (v.pa, *(s.pa for s in v.steps))):
            return None  # the instruction itself is in the way
        seen = self.execute(site, STR if write else LDR, va)
        wrong = None
        if v.fault is None and inside:
            done = int.from_bytes(self.m.read_pa(v.pa, 8), "little")
            wanted = VALUE if write else int.from_bytes(old, "little")
            if seen["pc"] != site.va + 4 or (done if write else seen["x0"]) != wanted:
                wrong = f"not executed: {show(seen)}"
        elif v.fault is None:
            wrong = self.abort(seen, site, va, v, 0x10, False, write, 0x24)
        else:
            wrong = self.abort(seen, site, va, v, v.fault.fsc, v.fault.stage == 2, write, 0x24)
        again = self.descriptors(v, v.fault is None, write)
        if inside and write:
            self.m.write_pa(v.pa, old)
            self.flush()
        return wrong or again

    def fetch(self, el: int, va: int) -> str | None:
        v = self.t.access(va, el, "fetch", self.pan)
        if not self.program_counter(el, va) or (v.fault is None and v.pa not in range(generate.DATA, FLUSHER)):
            return None
        for name in ("ESR_EL1", "FAR_EL1", "ESR_EL2", "FAR_EL2", "HPFAR_EL2"):
            self.m.write_register(0, name, 0)
        self.step(el, va)
        seen = {name: self.m.read_register(0, name) for name in ("pc", "cpsr")}
        now = seen["el"] = seen["cpsr"] >> 2 & 3
        if now:
            seen |= {"esr": self.m.read_register(0, f"ESR_EL{now}"), "far": self.m.read_register(0, f"FAR_EL{now}")}
        seen["hpfar"] = self.m.read_register(0, "HPFAR_EL2")
        if v.fault is None:
            wrong = None if seen["pc"] == va + 4 else f"not executed: {show(seen)}"
        else:
            wrong = self.abort(seen, Site(el, va, 0), va, v, v.fault.fsc, v.fault.stage == 2, False, 0x20)
        return wrong or self.descriptors(v, v.fault is None, False)

    def abort(
        self, seen: dict[str, int], site: Site, va: int, v: Verdict, fsc: int, stage2: bool, write: bool, ec: int
    ) -> str | None:
        """Compare a Data Abort or Instruction Abort (D24.2.37): who takes it, ESR, FAR, HPFAR."""
        to = 2 if stage2 or site.el == 2 or (site.el == 0 and self.t.tge) else 1
        s1ptw = v.fault is not None and v.fault.s1ptw
        iss = fsc | s1ptw << 7
        unsure, external = 0, fsc & 0x3C == EXTERNAL or fsc == 0x13
        if ec == 0x24:
            if s1ptw:
                unsure |= 1 << 6  # an update of a descriptor writes, too
            iss |= write << 6
            if stage2 and not s1ptw and not external:  # LDR and STR of x0: ISV, 8 bytes, SF
                iss |= 1 << 24 | 3 << 22 | 1 << 15
        esr = (ec + (site.el == to)) << 26 | 1 << 25 | iss
        offset = 0x200 if site.el == to else 0x400
        wrong = []
        if seen["el"] != to or seen["pc"] != VBAR[to] + offset:
            wrong.append(f"goes to EL{to}")
        if (seen.get("esr", 0) ^ esr) & ~unsure:
            wrong.append(f"ESR {esr:#x}")
        if seen.get("far") != va:
            wrong.append(f"FAR {va:#x}")
        if stage2 and v.fault and v.fault.ipa is not None and not external and (s1ptw or fsc & 0x3C != PERMISSION):
            hpfar = v.fault.ipa >> 12 << 4
            if seen["hpfar"] != hpfar:
                wrong.append(f"HPFAR {hpfar:#x}")
        return f"wanted {', '.join(wrong)}; got {show(seen)}" if wrong else None

    def at(self, site: Site, name: str, va: int) -> str | None:
        """An AT instruction at EL2, and PAR_EL1."""
        op1, crm, op2, el, access, both, pan = AT[name]
        host = self.t.e2h and self.t.tge
        if name.startswith("S1E2"):
            regime, level = (EL20 if self.t.e2h else EL2), 2
        else:
            host = host and not both  # both stages are always those of EL1&0
            regime = EL20 if host else EL10
            level = (2 if host else 1) if el is None else el
        verdicts = [
            self.t.access(va, level, access, self.pan and pan, regime, s1_only=not both, updates=u) for u in (False, True)
        ]
        v = verdicts[0]
        if v.fault and v.fault.fsc in (*range(EXTERNAL, EXTERNAL + 4), 0x13):
            return None  # an exception: tested in system programs
        if any(s.pa == site.pa & ~7 for s in v.steps):
            return None
        seen = self.execute(site, SYS_X1 | op1 << 16 | 7 << 12 | crm << 8 | op2 << 5, va)
        par, wrong = seen["PAR_EL1"], None
        if seen["pc"] != site.va + 4:
            wrong = f"AT {name}: not executed: {show(seen)}"
        elif all(
            (par ^ par_of(v)) & ~(0 if v.fault else UNKNOWN) for v in verdicts
        ):  # whether AT sets access flags is its own choice
            wrong = f"AT {name}: PAR_EL1 {par:#x}, not {par_of(v):#x}"
        # The most that AT may do to descriptors is what a read does: nothing becomes dirty but tables in which access
        # flags are set.
        return wrong or self.descriptors(self.t.access(va, level, "read", False, regime, s1_only=not both), False, False)


UNKNOWN = 1 << 9 | 1 << 10  # of a success: NS, and an IMPLEMENTATION DEFINED bit


def par_of(v: Verdict) -> int:
    """D24.2, PAR_EL1."""
    if v.fault:
        return 1 | v.fault.fsc << 1 | v.fault.s1ptw << 8 | (v.fault.stage == 2) << 9 | 1 << 11
    attr, sh = v.memory
    return attr << 56 | v.pa & ~0xFFF | 1 << 11 | sh << 7


def show(seen: dict[str, int]) -> str:
    return ", ".join(f"{name} {value:#x}" for name, value in seen.items())
