"""``gic why``: whether an interrupt is taken, and which condition keeps it back.

The conditions are asked in the order in which the architecture asks them: the Distributor's, the CPU interface's (GICv3, Arm
IHI 0069, 4.2 to 4.8), the PE's (Arm ARM D1.3.6); for a virtual one the list register comes in the Distributor's place (6.2).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gdbhv import tables
from gdbhv.errors import CommandError, GdbhvError, RegisterError
from gdbhv.exits.lives import FIRST_LPI
from gdbhv.monitor.lives import interrupt, known
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.target import Process, Target, Thread, ThreadId
from gdbhv.views.gic import interrupt_name

IDLE = 0xFF  # running priority of an interface that works on nothing
EN = tables.field("ICH_HCR_EL2.En")
LR = {name: tables.field(f"ICH_LR0_EL2.{name}") for name in ("State", "Group", "Priority", "HW", "pINTID")}
PENDING, ACTIVE = 1, 2  # bits of ICH_LR<n>_EL2.State
KINDS = (("FIQ", 1 << 6, "FMO"), ("IRQ", 1 << 7, "IMO"))  # by group: name, mask in PSTATE, routing bit of HCR_EL2
ENABLE, IMASK, ISTATUS = 1, 2, 4  # of CNT*_CTL (Arm ARM D24.10)


@dataclass(frozen=True)
class Check:
    """One condition: whether it holds, and how it is, in words, with the values that decide it."""

    holds: bool
    text: str


def check(holds: bool, so: str, otherwise: str) -> Check:
    """Return a condition with the words for the case."""
    return Check(holds, so if holds else otherwise)


@dataclass(frozen=True)
class Interface:
    """A CPU interface, physical or virtual: what it lets through."""

    groups: list[bool]
    mask: int
    running: int
    fiq: bool  # it signals group 0 as FIQ
    first: int | None  # what it would signal first


class Asked:
    """An interrupt as one thread sees it."""

    def __init__(self, target: Target, thread: ThreadId, intid: int) -> None:
        self.target, self.thread, self.intid = target, thread, intid
        self.process, self.row = _find(target, thread)
        self.document, _ = target.gic(thread)
        self.pstate = target.read_register(thread, "cpsr")
        self.el2 = "HCR_EL2" in target.registers

    def checks(self) -> Iterator[Check]:
        """Return the conditions, in order."""
        if not self.row.alive:
            yield Check(False, f"{self.row.name} is off (PSCI)")
        if self.process.found:
            yield from self._virtual(None)
        elif self.target.hosted:
            irq = self.irq()
            yield from self._distributor(irq)
            yield from self._virtual(irq)
        else:
            yield from self._physical()

    # --- the Distributor

    def irq(self) -> dict[str, Any]:
        """Return the interrupt as the controller has it. :raises gdbhv.errors.CommandError: it has none of that number."""
        cpu, lpi = self.thread.tid - 1, self.intid >= FIRST_LPI
        if lpi and not self.target.hosted:
            config = dict(self.document["cpus"][cpu]["lpis"])
            pending, byte = self.intid in config, config.get(self.intid) or 0
            state = {"enabled": bool(byte & 1), "pending": pending, "active": False, "priority": byte & 0xFC}
            return {**state, "group": 1, "cpu": cpu, "route": None, "line": False, "edge": True}
        for irq in self.document["interrupts"]:
            if irq["intid"] == self.intid and (irq["cpu"] in (None, cpu) or lpi):
                return dict(irq)
        raise CommandError(f"{interrupt_name(self.intid)}: the interrupt controller has no such interrupt")

    def _distributor(self, irq: dict[str, Any]) -> Iterator[Check]:
        lpi, private = self.intid >= FIRST_LPI, self.intid < 32
        yield Check(irq["pending"], self._pending(irq))
        where = "the LPI configuration table" if lpi else "GICR_ISENABLER0" if private else "GICD_ISENABLER"
        yield check(irq["enabled"], f"it is enabled ({where})", f"it is not enabled ({where})")
        forwards, group = self.document["ctlr"] >> irq["group"] & 1 == 1, f"group {irq['group']} (GICD_CTLR)"
        yield check(forwards, f"the Distributor forwards {group}", f"the Distributor does not forward {group}")
        if irq["route"] is not None:
            yield self._routed(irq)
        elif lpi and irq["cpu"] is None:
            yield Check(False, "its collection is mapped to no Redistributor (MAPC, MAPTI)")
        if not self.target.hosted:
            active = "it is active already: its handler has not ended it (EOIR, DIR)"
            yield check(not irq["active"], "it is not active", active)

    def _pending(self, irq: dict[str, Any]) -> str:
        if irq["pending"]:
            level = "the line is high" if irq["line"] else "by a write to GICD_ISPENDR or its like"
            return "it is pending (edge-triggered)" if irq["edge"] else f"it is pending (level-sensitive, {level})"
        if irq["edge"]:
            return "it is not pending: it is edge-triggered, and no edge, SGI or message has come since the last one"
        low = "it is not pending: it is level-sensitive, and the line is low"
        timer = next(((control, name) for control, name, intid in tables.TIMERS if intid == self.intid), None)
        try:
            control = None if timer is None else self.target.read_register(self.thread, timer[0])
        except GdbhvError:
            control = None
        if timer is None or control is None:
            return low
        why = "is off (ENABLE)" if not control & ENABLE else "is masked (IMASK)" if control & IMASK else "has not fired yet"
        return f"{low}: the {timer[1]} {why}"

    def _routed(self, irq: dict[str, Any]) -> Check:
        route = irq["route"]
        if self.document["version"] == 2:
            targets = f"(GICD_ITARGETSR is {route:#04x})"
            here = bool(route >> (self.thread.tid - 1) & 1)
            return check(
                here,
                f"it goes to this CPU {targets}",
                f"it goes to other CPUs {targets}",
            )
        mpidr = "VMPIDR_EL2" if self.process.found else "MPIDR_EL1"
        own = self.target.read_register(self.thread, mpidr) & 0xFF00FFFFFF
        any_ = bool(route >> 31 & 1)
        text = "any" if any_ else f"{route:#x}"
        routed = f"GICD_IROUTER is {text}, this CPU is {own:#x}"
        return check(any_ or route == own, f"it goes to this CPU ({routed})", f"it goes to another CPU ({routed})")

    # --- the interfaces

    def _interface(self, irq: dict[str, Any], i: Interface, names: tuple[str, str, str]) -> Iterator[Check]:
        """Ask a CPU interface (GICv3 4.8.6).

        :param names: of its group enables, mask and running priority.
        """
        group, priority = irq["group"], irq["priority"]
        enable, mask, running = names
        takes = f"group {group} ({enable.format(group)})"
        yield check(i.groups[group], f"the CPU interface takes {takes}", f"the CPU interface does not take {takes}")
        own, masks = f"its priority {priority:#04x}", f"the mask {i.mask:#04x} ({mask})"
        yield check(priority < i.mask, f"{own} is above {masks}", f"{own} is not above {masks}")
        handled = f"one of priority {i.running:#04x} is being handled ({running})"
        idle = f"nothing is being handled ({running})" if i.running == IDLE else f"{own} is above the running one: {handled}"
        yield check(i.running == IDLE or priority < i.running, idle, handled)
        if i.first is not None and i.first != self.intid:
            yield Check(False, f"{interrupt_name(i.first)} comes first, which is more urgent")

    def _physical(self) -> Iterator[Check]:
        irq = self.irq()
        yield from self._distributor(irq)
        i = self.document["cpus"][self.thread.tid - 1]
        if self.intid >= FIRST_LPI:
            on = i["lpis_enabled"]
            yield check(on, "the Redistributor has LPIs on (GICR_CTLR.EnableLPIs)", "LPIs are off (GICR_CTLR.EnableLPIs)")
        names = ("ICC_IGRPEN{}_EL1", "ICC_PMR_EL1", "ICC_RPR_EL1")
        if self.document["version"] == 2:
            names = ("GICC_CTLR, group {}", "GICC_PMR", "GICC_RPR")
        interface = Interface(i["groups"], i["mask"], i["running"], i["fiq"], i["first"])
        yield from self._interface(irq, interface, names)
        yield from self._pe(KINDS[irq["group"] == 1 or not interface.fiq])

    def _pe(self, kind: tuple[str, int, str]) -> Iterator[Check]:
        """Whether the PE takes a physical interrupt (Arm ARM D1.3.6, tables of masks and targets)."""
        name, mask, route = kind
        el = tables.exception_level(self.pstate)
        masked = bool(self.pstate & mask)
        if not self.el2:
            yield _mask(name, masked, "")
            return
        hcr = tables.decode("HCR_EL2", self.target.read_register(self.thread, "HCR_EL2"))
        to_el2 = bool(hcr[route] or hcr["TGE"])
        by = f"HCR_EL2.{route}" if hcr[route] else "HCR_EL2.TGE"
        if el == 2 and not to_el2:
            yield Check(False, f"{name}s are for EL2 (HCR_EL2.{route} and TGE are 0): they wait until EL1 or EL0 executes")
        elif el < 2 and to_el2:
            yield Check(True, f"{name}s go to EL2 ({by}), whatever PSTATE.{name[0]} is at EL{el}")
        else:
            yield _mask(name, masked, f" at EL{el}")

    # --- virtual interrupts

    def _virtual(self, irq: dict[str, Any] | None) -> Iterator[Check]:
        """Ask the conditions of a virtual one, from the list register on.

        :param irq: as gdbhv's hypervisor has it; None: another has it, and what is known is in the list register.
        """
        if irq is None:
            if self.row.cpu is None:
                yield Check(
                    False,
                    f"{self.row.name} is on no CPU: what its hypervisor has for it is in that one's memory{self._life()}",
                )
                return
            yield Check(True, f"{self.row.name} is on cpu{self.row.cpu}")
        listed = self.target.list_register(self.thread, self.intid)
        if listed is None:
            yield Check(False, f"it is in no list register: {self._unlisted(irq)}")
            if irq is not None:
                yield from self._guests(irq)
            return
        number, value = listed
        state = LR["State"].of(value)
        physical = f", with physical {interrupt_name(LR['pINTID'].of(value))}" if LR["HW"].of(value) else ""
        yield Check(True, f"it is in a list register, LR{number}{physical}")
        words = {PENDING: "pending", ACTIVE: "active", PENDING | ACTIVE: "active and pending"}[state]
        active = f"it is {words}: the guest has acknowledged it and has not ended it (EOIR, DIR)"
        yield check(state == PENDING, f"LR{number} has it pending", active)
        found = {"group": LR["Group"].of(value), "priority": LR["Priority"].of(value)}
        yield from self._bare_interface(found) if irq is None else self._guests(found)

    def _guests(self, irq: dict[str, Any]) -> Iterator[Check]:
        """Ask the virtual interface of a vCPU of gdbhv's, and the guest's PSTATE."""
        names = ("ICC_IGRPEN{}_EL1", "ICC_PMR_EL1", "ICC_RPR_EL1")
        yield from self._interface(irq, self._guests_interface(), names)
        yield from self._taken(KINDS[irq["group"]])

    def _life(self) -> str:
        """Say what became of it last, as far as the trace goes."""
        lives = [one for one in known(Context(self.target, self.thread)) if one.intid == self.intid]
        own = [one for one in lives if (one.vm, one.vcpu) == (self.thread.pid, self.thread.tid - 1)]
        if not own or (begin := own[-1].begin) is None:
            return ""
        return (
            f" (the last one came {self.target.core.now - begin.ns:,} ns ago, and was {own[-1].state} when it was seen last)"
        )

    def _unlisted(self, irq: dict[str, Any] | None) -> str:
        if irq is None:
            return f"its hypervisor has put it in none{self._life()}"
        holder = irq["holder"]
        if holder is not None and holder != self.thread.tid - 1:
            return f"vcpu{holder} has it"
        return "it waits at the Distributor" if holder is None else "more urgent ones are in all of them"

    def _guests_interface(self) -> Interface:
        """Return the virtual interface of a vCPU of gdbhv's, on a CPU or not."""

        def read(name: str) -> int:
            return self.target.read_register(self.thread, name)

        first = read("ICC_HPPIR1_EL1")
        groups = [bool(read(f"ICC_IGRPEN{g}_EL1") & 1) for g in (0, 1)]
        return Interface(groups, read("ICC_PMR_EL1"), read("ICC_RPR_EL1"), True, None if first > 1019 else first)

    def _bare_interface(self, found: dict[str, Any]) -> Iterator[Check]:
        assert self.row.cpu is not None
        v = self.target.core.gic()["cpus"][self.row.cpu]["virtual"]
        v2 = self.document["version"] == 2
        control = f"{'GICH_HCR' if v2 else 'ICH_HCR_EL2'}.En"
        on, off = f"the virtual interface is on ({control})", f"the virtual interface is off ({control})"
        yield check(bool(EN.of(v["hcr"])), on, off)
        names = (
            ("GICV_CTLR, group {}", "GICV_PMR", "GICV_RPR")
            if v2
            else ("ICH_VMCR_EL2.VENG{}", "ICH_VMCR_EL2.VPMR", "ICV_RPR_EL1")
        )
        yield from self._interface(found, Interface(v["groups"], v["mask"], v["running"], v["fiq"], v["best"]), names)
        kind = KINDS[found["group"] == 1 or not v["fiq"]]
        hcr = tables.decode("HCR_EL2", self.target.core.read_register(self.row.cpu, "HCR_EL2"))
        on, off = f"virtual {kind[0]}s are on (HCR_EL2.{kind[2]})", f"virtual {kind[0]}s are off (HCR_EL2.{kind[2]} is 0)"
        yield check(bool(hcr[kind[2]]), on, off)
        yield from self._taken(kind, self.target.core.read_register(self.row.cpu, "cpsr"))

    def _taken(self, kind: tuple[str, int, str], pstate: int | None = None) -> Iterator[Check]:
        """Whether the guest takes it: virtual interrupts are taken at EL1 and EL0 alone (Arm ARM D1.3.6.5)."""
        pstate = self.pstate if pstate is None else pstate
        el = tables.exception_level(pstate)
        if el == 2:
            yield Check(False, "the CPU is at EL2: virtual interrupts wait for the entry")
            pstate = self.pstate
        yield _mask(kind[0], bool(pstate & kind[1]), " in the guest")


def _mask(name: str, masked: bool, where: str) -> Check:
    """Whether PSTATE masks interrupts of a kind."""
    field = f"PSTATE.{name[0]}"
    return check(not masked, f"{field} does not mask {name}s{where}", f"{field} masks {name}s{where}")


def _find(target: Target, thread: ThreadId) -> tuple[Process, Thread]:
    for process in target.processes():
        for row in process.threads:
            if row.id == thread:
                return process, row
    raise GdbhvError(f"no thread {thread}")


def why_not(target: Target, thread: ThreadId, intid: int) -> str | None:
    """Return the first condition that keeps an interrupt back; None: it is taken next."""
    return next((c.text for c in Asked(target, thread, intid).checks() if not c.holds), None)


@command(
    "gic why",
    Arg("interrupt", "an INTID, or sgi1, ppi27, spi33, lpi8192"),
    JSON,
    help="say why an interrupt is not taken: each condition in order",
    more=lambda: [
        "For a thread of the machine that is the physical interrupt, at that CPU; for a VM (hosted, or vm:2) the virtual",
        "one, from what its hypervisor has to the guest's PSTATE. What does not hold is marked NO; the first keeps it back.",
    ],
)
def why(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Ask each condition, also those behind the first that fails: all of them have to hold."""
    thread, intid = context.thread, interrupt(args.interrupt)
    try:
        asked = Asked(context.target, thread, intid)
        checks = list(asked.checks())
    except RegisterError as e:
        raise CommandError(str(e)) from None
    failing = next((c.text for c in checks if not c.holds), None)
    if args.json:
        conditions = [{"holds": c.holds, "text": c.text} for c in checks]
        yield from to_json({"intid": intid, "thread": str(thread), "taken": failing is None, "conditions": conditions})
        return
    yield f"{interrupt_name(intid)} of {asked.process.name} {asked.row.name}:"
    yield from (f"  {'yes' if c.holds else 'NO '}  {c.text}" for c in checks)
    yield "=> it is taken next" if failing is None else f"=> it is not taken: {failing}"
