"""Scheduling: each vCPU has a home CPU, and the ready vCPUs of a CPU take turns of :data:`SLICE` nanoseconds.

A CPU with nothing to run is idle until a physical interrupt is pending. The hypervisor's own timer (CNTHP_EL2, PPI 26) ends
slices, wakes vCPUs whose virtual timer fires while they are off their CPU, and drives emulated physical timers and devices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from gdbhv.hv.vcpu import RunState, Vcpu
from gdbhv.hv.vgic import PPI_VTIMER
from gdbhv.pace import FOREVER
from gdbhv.tables import encode

if TYPE_CHECKING:
    from gdbhv.hv.host import Host
    from gdbhv.hv.irq import Irq
    from gdbhv.hv.vm import Vm

SLICE = 1_000_000  # short, since a vCPU that spins for another one on the same CPU wastes the rest of its slice
TICK = 16  # nanoseconds of one count at CNTFRQ_EL0 = 62.5 MHz
EL2H_MASKED = 0x3C9  # PSTATE of the hypervisor
KICK_SGI = 1  # the physical SGI that makes a CPU leave its guest


@cache
def kick_of(cpu: int) -> int:
    """Return the value of ICC_SGI1R_EL1 that makes :data:`KICK_SGI` pending at a physical CPU."""
    return encode("ICC_SGI1R_EL1", INTID=KICK_SGI, RS=cpu >> 4, TargetList=1 << (cpu & 15))


@dataclass(eq=False, slots=True)
class SchedulerState:
    """The state of the scheduler. All lists are indexed by CPU; times are virtual nanoseconds."""

    queues: list[list[int]] = field(default_factory=list)  # numbers of vCPUs; the first one has its turn
    in_guest: list[bool] = field(default_factory=list)
    slice_end: list[int] = field(default_factory=list)
    alarm: list[int | None] = field(default_factory=list)  # what CNTHP is set to
    event_wait: list[int | None] = field(default_factory=list)  # until when the guest that is entered next stays in its WFE


class Scheduler(SchedulerState):
    """The vCPUs of all VMs on the CPUs of one machine."""

    def __init__(self, host: Host) -> None:
        super().__init__(queues=[[] for _ in range(host.machine.cpus)])
        self.host = host
        self.machine = host.machine
        self.vcpus = host.vcpus
        self._vms: list[list[Vm]] = [[] for _ in self.queues]  # by CPU: the VMs that have vCPUs there
        self.power_on()

    def power_on(self) -> None:
        """Reset to a state in which no CPU has executed anything."""
        cpus = self.machine.cpus
        for queue in self.queues:
            queue.sort()  # the order in which they came
        self.loaded: list[Vcpu | None] = [None] * cpus
        self.in_guest = [False] * cpus
        self.slice_end = [0] * cpus
        self.alarm = [None] * cpus
        self.event_wait = [None] * cpus
        self._allowed: set[Vcpu] | None = None  # None: all

    def rebuild(self) -> None:
        """Derive from the vCPUs which one is on which CPU."""
        self.loaded = [next((v for v in self.vcpus if v.cpu == cpu), None) for cpu in range(len(self.queues))]

    def add(self, vcpu: Vcpu) -> None:
        """Assign a home CPU to a new vCPU, in turn."""
        vcpu.home = sum(len(q) for q in self.queues) % len(self.queues)
        self.queues[vcpu.home].append(vcpu.number)
        if vcpu.vm not in self._vms[vcpu.home]:
            self._vms[vcpu.home].append(vcpu.vm)

    def start(self, vcpu: Vcpu, entry: int, x0: int) -> None:
        """Start a vCPU from reset, wherever its old context is."""
        if vcpu.cpu is not None:
            self.leave(vcpu.cpu)
            self._unload(vcpu.cpu)
        vcpu.reset(entry, x0)
        vcpu.vm.vgic.reset(vcpu)
        vcpu.state = RunState.READY
        self._notice(vcpu.home)

    def begin_again(self, vm: Vm) -> None:
        """Queue a VM that was reset after the others: one that resets itself for ever would starve them."""
        for v in vm.vcpus:
            self._to_the_end(v)
        self._notice(vm.vcpus[0].home)

    def wait(self, vcpu: Vcpu, until: int | None = None) -> None:
        """Wait as in WFI, unless an interrupt is pending already; for WFIT, until virtual time ``until`` (nanoseconds) at
        most."""
        if not vcpu.vm.vgic.has_pending(vcpu):
            vcpu.state = RunState.WAITING
            vcpu.timeout = self.machine.wait_until(until)

    def wait_for_event(self, vcpu: Vcpu, until: int | None = None) -> None:
        """Yield as in WFE to the others on the CPU. If there are none, or all of them yield too, ``vcpu`` waits on its CPU.

        Then nothing executes there until an event comes: SEV, the event stream, an interrupt, the end of the slice, or the
        timeout of WFET, which is virtual time ``until`` (nanoseconds).
        """
        assert vcpu.cpu is not None
        here = self._of(vcpu.home)
        if any(v is not vcpu and v.state is RunState.READY and self.may(v) and not v.gave_way for v in here):
            vcpu.gave_way = True
            self._to_the_end(vcpu)
            self.machine.end_turn()
            return
        for v in here:
            v.gave_way = False  # when its wait is over, the others get their turn again
        self.event_wait[vcpu.cpu] = FOREVER if until is None else until

    def kick(self, vcpu: Vcpu, irq: Irq) -> None:
        """Deliver ``irq``, now pending for ``vcpu``: wake it, or make it leave its guest, so that it takes the interrupt."""
        if vcpu.state is RunState.WAITING:
            if vcpu.vm.vgic.signalled(vcpu, [irq]):
                vcpu.state = RunState.READY
                self._notice(vcpu.home)
        elif vcpu.state is RunState.READY and vcpu.cpu is not None and self.in_guest[vcpu.cpu]:
            self._interrupt(vcpu.cpu)

    def _notice(self, cpu: int) -> None:
        """Make ``cpu`` check its queue again, as one more of its vCPUs is ready."""
        if self.in_guest[cpu]:
            self._interrupt(cpu)
        elif cpu != self.host.handling:
            self.schedule(cpu)

    def rearm(self, vm: Vm) -> None:
        """Set a CPU's timer for a deadline that a device of ``vm`` has got from outside."""
        self._notice(vm.vcpus[0].home)

    def _of(self, cpu: int) -> list[Vcpu]:
        """Return the vCPUs of a CPU, the one that has its turn first."""
        return [self.vcpus[n] for n in self.queues[cpu]]

    def _ready(self, cpu: int) -> tuple[list[Vcpu], list[Vcpu]]:
        """Return the vCPUs of a CPU, and those that may execute now; the one that has its turn first."""
        allowed, here = self._allowed, self._of(cpu)
        return here, [v for v in here if v.state is RunState.READY and (allowed is None or v in allowed)]

    def _to_the_end(self, vcpu: Vcpu) -> None:
        queue = self.queues[vcpu.home]
        queue.remove(vcpu.number)
        queue.append(vcpu.number)

    def _interrupt(self, cpu: int) -> None:
        self.machine.msr(cpu, "ICC_SGI1R_EL1", kick_of(cpu))

    def schedule(self, cpu: int) -> None:
        """Enter the next ready vCPU on ``cpu``, or let it idle. The CPU is out of its guest."""
        current = self.loaded[cpu]
        if current is not None and current.state is RunState.OFF:
            self._unload(cpu)
            current = None
        here, ready = self._ready(cpu)
        if not ready:
            self._set_timer(cpu, here, contended=False)
            self.machine.set_power(cpu, "idle")
            return
        vcpu = ready[0]
        wait, self.event_wait[cpu] = self.event_wait[cpu], None
        if current is not vcpu:
            wait = None
            vcpu.gave_way = False
            self._unload(cpu)
            self.host.load_vcpu(vcpu, cpu)
            self.loaded[cpu] = vcpu
            self.slice_end[cpu] = self.machine.now + SLICE
        self._set_timer(cpu, here, contended=len(ready) > 1)
        vcpu.vm.vgic.flush(vcpu)
        if vcpu.held is not None:
            self.machine.hold(cpu, vcpu.held)
        self.in_guest[cpu] = True
        self.machine.eret(cpu, wait)

    def left(self, cpu: int) -> Vcpu:
        """Save the vCPU's state from ``cpu``, which has left its guest by an exit or for the debugger."""
        vcpu = self.loaded[cpu]
        assert vcpu is not None
        self.in_guest[cpu] = False
        if vcpu.held is not None:
            # Where the debugger stopped it: it resumes from there unless it has moved. (An instruction that exits has not.)
            pc = vcpu.held[0]
            vcpu.held = vcpu.held if self.machine.held(cpu) is not None or vcpu.pc == pc else None
            self.machine.hold(cpu, None)
        vcpu.vm.vgic.sync(vcpu)
        return vcpu

    # --- debuggers that let only some vCPUs run

    def may(self, vcpu: Vcpu) -> bool:
        return self._allowed is None or vcpu in self._allowed

    def allow(self, vcpus: list[Vcpu] | None) -> None:
        """Let only these vCPUs execute from now on (None: all). A CPU that executes another one leaves it."""
        self._allowed = None if vcpus is None else set(vcpus)
        for vcpu in vcpus or ():
            other = self.loaded[vcpu.home]
            if vcpu.cpu is None and vcpu.state is RunState.READY and other is not None and not self.may(other):
                self.leave(vcpu.home)
        for cpu in range(len(self.loaded)):
            if self.in_guest[cpu]:  # what else may run there ends the slice, or does no longer
                here, ready = self._ready(cpu)
                self._set_timer(cpu, here, contended=len(ready) > 1)

    def leave(self, cpu: int) -> None:
        """Take ``cpu`` out of its guest without an exit; ELR_EL2 and SPSR_EL2 are set as by one."""
        if not self.in_guest[cpu]:
            return
        m = self.machine
        pc, pstate = m.read_register(cpu, "pc"), m.read_register(cpu, "cpsr")
        m.write_register(cpu, "cpsr", EL2H_MASKED)
        m.msr(cpu, "ELR_EL2", pc)
        m.msr(cpu, "SPSR_EL2", pstate)
        self.left(cpu)

    def retire(self, vm: Vm) -> None:
        """Take the CPUs that execute a VM that has ended away from it."""
        for cpu, vcpu in enumerate(self.loaded):
            if vcpu is not None and vcpu.vm is vm and cpu != self.host.handling:
                self.leave(cpu)
                self.schedule(cpu)

    def mask(self) -> int:
        """Return the CPUs that may execute: those whose guest is allowed, and those that are out of a guest."""
        if self._allowed is None:
            return (1 << len(self.loaded)) - 1
        mask = 0
        for cpu, vcpu in enumerate(self.loaded):
            if not self.in_guest[cpu] or vcpu is None or self.may(vcpu):
                mask |= 1 << cpu
        return mask

    def resume(self) -> None:
        """Make CPUs that are out of their guests look again for something to run."""
        for cpu in range(len(self.queues)):
            if not self.in_guest[cpu] and cpu != self.host.handling:
                self.schedule(cpu)

    # --- time

    def timer_fired(self, cpu: int) -> None:
        """Handle the hypervisor's timer on ``cpu``: the slice is over, or a guest's timer has fired meanwhile."""
        self.alarm[cpu] = None
        self.machine.msr(cpu, "CNTHP_CTL_EL2", 0)
        now, current = self.machine.now, self.loaded[cpu]
        if current is not None and now >= self.slice_end[cpu]:
            self._to_the_end(current)
            self.slice_end[cpu] = now + SLICE
        here = self._of(cpu)
        for v in here:
            deadline = self._deadline(v)
            if deadline is not None and deadline <= now:
                v.vm.vgic.fired(v, PPI_VTIMER)
            v.ptimer.check(v)
            if v.state is RunState.WAITING and v.timeout is not None and v.timeout <= now:
                v.state = RunState.READY
        for vm in dict.fromkeys(v.vm for v in here):
            vm.device_events(now)

    def _unload(self, cpu: int) -> None:
        vcpu = self.loaded[cpu]
        if vcpu is not None:
            vcpu.vm.vgic.unload(vcpu)
            vcpu.save()
            self.loaded[cpu] = None

    def _deadline(self, vcpu: Vcpu) -> int | None:
        """Return when the virtual timer of a waiting vCPU off its CPU fires, in nanoseconds; None if it has, or never
        will."""
        if vcpu.state is not RunState.WAITING or vcpu.cpu is not None or vcpu.sys["CNTV_CTL_EL0"] & 3 != 1:
            return None
        if vcpu.vm.vgic.irq(27, vcpu).level:
            return None
        return vcpu.at_count(vcpu.sys["CNTV_CVAL_EL0"])

    def _set_timer(self, cpu: int, here: list[Vcpu], *, contended: bool) -> None:
        """Program CNTHP: the end of the slice, emulated timers, timers of waiting vCPUs that are off the CPU, devices."""
        due = [self.slice_end[cpu]] if contended else []
        for v in here:
            if v.state is RunState.WAITING and v.timeout is not None:
                due.append(v.timeout)
            if v.ptimer.enabled and (t := v.ptimer.deadline()) is not None:
                due.append(t)
            if v.cpu is None and (t := self._deadline(v)) is not None:
                due.append(t)
        for vm in self._vms[cpu]:
            if not vm.stopped and (t := vm.device_deadline()) is not None:
                due.append(t)
        alarm = min(due) if due else None
        if alarm == self.alarm[cpu]:
            return
        self.alarm[cpu] = alarm
        if alarm is not None:
            self.machine.msr(cpu, "CNTHP_CVAL_EL2", -(-alarm // TICK))
        self.machine.msr(cpu, "CNTHP_CTL_EL2", int(alarm is not None))
