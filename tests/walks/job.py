"""One unit of the comparison: some sets of tables of one shape, walked with many settings of the registers. Runs
in a process of its own.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from gdbhv import _core
from walks import generate, native
from walks.access import Translation, Verdict
from walks.executed import AT, Executor
from walks.generate import Pool, Shape
from walks.interp import EL2, EL10, Core, Memories, Registers

CONFIGURATIONS = 12  # settings of the registers for each set of tables
EXECUTED = 3  # of them are executed, too
ACCESSES = 24  # of each kind at each EL there
SHOWN = 3  # differences that a job reports in full


@dataclass(frozen=True)
class Job:
    cpu: str
    shape: Shape
    seed: int
    walks: int

    def __str__(self) -> str:
        s = self.shape
        second = f"-s2-{1 << s.granule2 - 10}K-ipa{s.ipa_bits}" if s.granule2 else ""
        return f"{self.cpu}-{1 << s.granule1 - 10}K{second}{'-ds' if s.ds else ''}-seed{self.seed}"


@dataclass
class Report:
    """What came of a job: how many of each kind, and differences."""

    walks: int = 0
    executed: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    differences: int = 0
    shown: list[str] = field(default_factory=list)

    def differs(self, text: str) -> None:
        self.differences += 1
        if len(self.shown) < SHOWN:
            self.shown.append(text)


def run(job: Job) -> Report:
    core, report = native.core(job.cpu), Report()
    rng = random.Random(f"{job}")
    while report.walks < job.walks:
        one_set(job, core, rng, report)
    return report


def one_set(job: Job, core: Core, rng: random.Random, report: Report) -> None:
    words = Pool(rng, core, job.shape).words()
    data, memory = words.tobytes(), Memories(generate.BASE, words.tolist())
    machine = native.machine(job.cpu, data)
    each = min(600, -(-job.walks // CONFIGURATIONS))
    for n in range(CONFIGURATIONS):
        r = generate.registers(rng, core, job.shape)
        if n < EXECUTED and rng.getrandbits(1):
            r.sctlr[2] &= ~1  # EL2 can run code where it likes
        t = Translation(core, r, memory)
        pan = core.has("PAN") and rng.random() < 0.4
        case = Case(job, core, r, t, native.program(r, t.e2h), pan)
        native.apply(machine, case.pairs)
        native.set_pan(machine, pan)
        for _ in range(each):
            case.walk(machine, rng, report)
        if n < EXECUTED:
            execute(case, native.machine(job.cpu, data), memory, rng, report)
    assert machine.read_pa(generate.BASE, generate.SIZE) == data, "a walk that is only looked at changed memory"


@dataclass
class Case:
    """One setting of the registers."""

    job: Job
    core: Core
    registers: Registers
    t: Translation
    pairs: list[tuple[str, int]]
    pan: bool

    def address(self, rng: random.Random, el: int) -> int:
        regime = self.t.regime(el)
        return generate.address(rng, self.core, self.registers, 1 if regime == EL10 else 2, regime != EL2)

    def walk(self, machine: _core.Machine, rng: random.Random, report: Report) -> None:
        el = rng.choice((0, 1, 2, 0, 1, 1) if self.job.shape.granule2 else (0, 1, 2))
        if el == 1 and self.t.tge:
            el = 0  # there is no EL1 then
        va, access = self.address(rng, el), rng.choice(("read", "write", "fetch"))
        seen = machine.translate(0, va, el=el, access=access, checked=True)
        v = self.t.access(va, el, access, self.pan)
        report.walks += 1
        report.verdicts[
            "ok" if v.fault is None else f"{v.fault.fsc:#04x} stage {v.fault.stage}{' s1ptw' * v.fault.s1ptw}"
        ] += 1
        if v.fault:
            same = "fault" in seen and native.fault_of(seen) == v.fault
        else:
            same = (
                "pa" in seen
                and seen["pa"] == v.pa
                and seen["ipa"] == v.ipa
                and (seen["read"], seen["write"], seen["execute"]) == v.allowed
                and (seen["memory"], seen["shareability"]) == v.memory
            )
        if not same or [(s["stage"], s["level"], s["pa"], s["value"]) for s in seen["steps"]] != v.steps:
            report.differs(
                self.reproduction(f"m.translate(0, {va:#x}, el={el}, access={access!r}, checked=True)", v, str(seen))
            )

    def reproduction(self, call: str, v: Verdict, seen: str) -> str:
        tables = ", ".join(f"{s.pa:#x}: {s.value:#x}" for s in v.steps)
        registers = ", ".join(f"({name!r}, {value:#x})" for name, value in self.pairs)
        return (
            f"# {self.job}\n# model: {seen}\n# tests: {v}\nfrom gdbhv import _core\n"
            f"m = _core.Machine(memory={generate.SIZE:#x}, cpu={self.job.cpu!r}, hosted=False)\n"
            f"for pa, value in {{{tables}}}.items():\n    m.write_pa(pa, value.to_bytes(8, 'little'))\n"
            f"for name, value in [{registers}]:\n    m.write_register(0, name, value)\n"
            f"m.write_register(0, 'cpsr', {native.PSTATE[2] | (native.PAN if self.pan else 0):#x})\n{call}\n"
        )


def execute(case: Case, machine: _core.Machine, memory: Memories, rng: random.Random, report: Report) -> None:
    """A share of the same by instructions."""
    e = Executor(machine, case.pairs, case.t, memory, case.pan)
    names = [name for name in AT if case.core.has("PAN") or not name.endswith("P")]
    for el in (0, 1, 2):
        if el == 1 and case.t.tge:
            continue
        flat = [generate.DATA] if el == 2 and not case.registers.sctlr[2] & 1 else []
        site = e.site(el, flat + [case.address(rng, el) for _ in range(200)])
        for _ in range(ACCESSES):
            va = case.address(rng, el) & ~7
            done = [("fetch", va, e.fetch(el, va))]
            if site:
                write = bool(rng.getrandbits(1))
                done.append(("store" if write else "load", va, e.data(site, va, write)))
            if site and el == 2:
                name = rng.choice(names)
                va = case.address(rng, 2 if "E2" in name else rng.randrange(2))
                done.append((f"AT {name}", va, e.at(site, name, va)))
            for what, va, wrong in done:
                report.executed[what.split()[0]] += 1
                if wrong:
                    # An AT of another regime has its verdict in the message only.
                    v = case.t.access(va, el, {"fetch": "fetch", "store": "write"}.get(what, "read"), case.pan)
                    report.differs(case.reproduction(f"# {what} of {va:#x} at EL{el}, from {site}", v, wrong))
