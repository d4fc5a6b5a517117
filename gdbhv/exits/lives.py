"""The lives of virtual interrupts, put together from the trace of a machine: pended, in a list register, taken by the guest,
acknowledged, ended, and the maintenance interrupt that told the hypervisor.

``pended`` is known of gdbhv's own hypervisor; what another one has in its memory is not: there a life begins in the list
register.
Arm IHI 0069: 4.1.2 (states), 6.2 (list registers), 6.5 (maintenance interrupts).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdbhv.exits.records import TraceEvent

STEPS = ("pended", "listed", "taken", "acknowledged", "ended")
FIRST_LPI = 8192  # LPIs have no active state: an acknowledgement is the end
UNDERFLOW = 2  # ICH_MISR_EL2.U: of no single interrupt

Who = tuple[int, int, int]  # VM, VMID and vCPU


@dataclass(frozen=True)
class Step:
    """When something happened: virtual nanoseconds, and instructions of the CPU that it happened on."""

    ns: int
    insns: int
    cpu: int


@dataclass
class Life:
    """One time that a virtual interrupt was there for a vCPU."""

    vm: int  # number of the VM; 0: none that is known
    vmid: int
    vcpu: int
    intid: int
    steps: dict[str, Step] = field(default_factory=dict)  # by STEPS
    register: int | None = None  # number of the list register that it was in last
    listings: int = 0  # how often it was put into one before it was acknowledged
    after: str | None = None  # the exit that was being handled when it came
    maintenance: int | None = None  # ICH_MISR_EL2 as its end asserted the maintenance interrupt
    withdrawn: bool = False  # its hypervisor took it back before it was acknowledged

    def took(self, first: str, then: str) -> int | None:
        """Return the nanoseconds between two steps; None: one of them is not known."""
        a, b = self.steps.get(first), self.steps.get(then)
        return None if a is None or b is None else b.ns - a.ns

    def executed(self, first: str, then: str) -> int | None:
        """Return the instructions that one CPU executed between two steps on it; None: that is not known."""
        a, b = self.steps.get(first), self.steps.get(then)
        return None if a is None or b is None or a.cpu != b.cpu else b.insns - a.insns

    @property
    def begin(self) -> Step | None:
        """Its first step that is known."""
        return next((self.steps[name] for name in STEPS if name in self.steps), None)

    @property
    def state(self) -> str:
        """Where it is now: "pending" (in no list register), "listed", "active", "ended" or "withdrawn"."""
        if self.withdrawn or "ended" in self.steps:
            return "withdrawn" if self.withdrawn else "ended"
        if "acknowledged" in self.steps:
            return "active"
        return "pending" if self.register is None else "listed"

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        steps = {name: {"ns": s.ns, "insns": s.insns, "cpu": s.cpu} for name, s in self.steps.items()}
        whose = {"vm": self.vm, "vmid": self.vmid, "vcpu": self.vcpu, "intid": self.intid, "state": self.state}
        lists = {"register": self.register, "listings": self.listings, "maintenance": self.maintenance}
        return {**whose, **lists, "after": self.after, "steps": steps}


class _Reader:
    """What is known at some place of the trace."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.waiting: dict[tuple[Who, int], Life] = {}  # not acknowledged yet
        self.active: dict[tuple[Who, int], Life] = {}
        self.listed: dict[int, dict[int, TraceEvent]] = {}  # by CPU and INTID: by its hypervisor, for whom it enters next
        self.inside: dict[int, Who] = {}  # by CPU: whom it has entered or left last
        self.exits: dict[int, str] = {}  # by CPU: the exit that it handles
        self.ended: dict[int, Life] = {}  # by CPU: the last that has ended there

    def life(self, who: Who, e: TraceEvent) -> Life:
        """Return the life of an interrupt that waits for its acknowledgement; a new one if there is none."""
        assert e["intid"] is not None
        key = (who, e["intid"])
        if key not in self.waiting:
            self.waiting[key] = Life(*who, e["intid"], after=self.exits.get(e["cpu"]))
            self.lives.append(self.waiting[key])
        return self.waiting[key]

    def exit(self, e: TraceEvent) -> None:
        self.inside[e["cpu"]] = _who(e)
        self.exits[e["cpu"]] = e["name"]

    def entry(self, e: TraceEvent) -> None:
        who, cpu = _who(e), e["cpu"]
        for listed in self.listed.pop(cpu, {}).values():
            life = self.life(who, listed)
            life.steps.setdefault("listed", _step(listed))
            life.register = listed["value"]
            life.listings += 1
        for key in [k for k, life in self.waiting.items() if k[0] == who and life.listings and life.register is None]:
            self.waiting.pop(key).withdrawn = True
        self.inside[cpu] = who
        self.exits.pop(cpu, None)

    def pended(self, e: TraceEvent) -> None:
        self.life(_who(e), e).steps.setdefault("pended", _step(e))

    def listed_(self, e: TraceEvent) -> None:
        assert e["intid"] is not None
        self.listed.setdefault(e["cpu"], {})[e["intid"]] = e

    def unlisted(self, e: TraceEvent) -> None:
        cpu, intid = e["cpu"], e["intid"]
        assert intid is not None
        if self.listed.get(cpu, {}).pop(intid, None) is None and cpu in self.inside:
            life = self.waiting.get((self.inside[cpu], intid))
            if life is not None:
                life.register = None

    def virtual(self, e: TraceEvent) -> None:
        if e["intid"] is not None:
            self.life(_who(e), e).steps.setdefault("taken", _step(e))

    def acknowledged(self, e: TraceEvent) -> None:
        life, key = self.life(_who(e), e), (_who(e), e["intid"] or 0)
        life.register = e["value"]
        life.steps["acknowledged"] = _step(e)
        self.active[key] = self.waiting.pop(key)
        if life.intid >= FIRST_LPI:
            self.ended_(e)

    def ended_(self, e: TraceEvent) -> None:
        life = self.active.pop((_who(e), e["intid"] or 0), None)
        if life is not None:
            life.steps["ended"] = _step(e)
            self.ended[e["cpu"]] = life

    def maintenance(self, e: TraceEvent) -> None:
        life, misr = self.ended.get(e["cpu"]), e["value"]
        if life is not None and life.steps["ended"].ns == e["now"] and e["el"] < 2:
            life.maintenance = misr


def _who(e: TraceEvent) -> Who:
    return (e["vm"], e["vmid"], e["vcpu"])


def _step(e: TraceEvent) -> Step:
    return Step(e["now"], e["insns"], e["cpu"])


def lives(events: Iterable[TraceEvent]) -> list[Life]:
    """Return the lives in a trace, in the order in which they began. At its beginning they may lack their first steps."""
    reader = _Reader()
    read = {
        "exit": reader.exit,
        "entry": reader.entry,
        "virtual": reader.virtual,
        "pended": reader.pended,
        "listed": reader.listed_,
        "unlisted": reader.unlisted,
        "acknowledged": reader.acknowledged,
        "ended": reader.ended_,
        "maintenance": reader.maintenance,
    }
    for e in events:
        read[e["what"]](e)
    return reader.lives


def latencies(found: Iterable[Life]) -> Iterator[tuple[str, str, list[int]]]:
    """Return, for each pair of steps that follow each other, the nanoseconds between them, sorted, where they are known."""
    known = list(found)
    for first, then in (*pairwise(STEPS), ("listed", "acknowledged"), ("listed", "ended")):
        values = sorted(ns for life in known if (ns := life.took(first, then)) is not None)
        if values:
            yield first, then, values
