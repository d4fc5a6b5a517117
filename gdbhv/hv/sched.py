"""Which vCPU runs on which CPU: each has a home CPU, and the ready ones of a CPU take turns of :data:`SLICE` nanoseconds.

A CPU with nothing to run is idle until a physical interrupt is pending. The hypervisor's own timer (CNTHP_EL2, PPI
26) ends slices and
wakes vCPUs whose virtual timer fires while they are off their CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.hv.vcpu import Vcpu, VcpuState

if TYPE_CHECKING:
    from gdbhv.hv.host import Host

SLICE = 4_000_000
TICK = 16  # nanoseconds of one count at CNTFRQ_EL0 = 62.5 MHz
EL2H_MASKED = 0x3C9  # PSTATE of the hypervisor
KICK_SGI = 1  # the physical SGI that makes a CPU leave its guest


class Scheduler:
    """The vCPUs of all VMs on the CPUs of one machine."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.machine = host.machine
        self.queues: list[list[Vcpu]] = [[] for _ in range(self.machine.cpus)]
        self.loaded: list[Vcpu | None] = [None] * self.machine.cpus
        self.in_guest = [False] * self.machine.cpus
        self._timer_on = [False] * self.machine.cpus
        self._allowed: set[Vcpu] | None = None  # None: all

    def add(self, vcpu: Vcpu) -> None:
        """Give a new vCPU its home: CPUs in turn."""
        vcpu.home = sum(len(q) for q in self.queues) % len(self.queues)
        self.queues[vcpu.home].append(vcpu)

    def start(self, vcpu: Vcpu, entry: int, x0: int) -> None:
        """Start a vCPU that is off."""
        if vcpu.cpu is not None:
            self._unload(vcpu.cpu)
        vcpu.reset(entry, x0)
        vcpu.state = VcpuState.READY
        self._wake_home(vcpu)

    def wait(self, vcpu: Vcpu) -> None:
        """WFI: wait, unless an interrupt is there already."""
        if not self.host.interrupt_for(vcpu):
            vcpu.state = VcpuState.WAITING

    def give_way(self, vcpu: Vcpu) -> None:
        """WFE: others first."""
        queue = self.queues[vcpu.home]
        queue.remove(vcpu)
        queue.append(vcpu)
        self.machine.end_turn()

    def kick(self, vcpu: Vcpu) -> None:
        """An interrupt is pending for ``vcpu``: wake it, or make it leave its guest so that it is seen."""
        if vcpu.state is VcpuState.WAITING:
            vcpu.state = VcpuState.READY
            self._wake_home(vcpu)
        elif vcpu.state is VcpuState.READY and vcpu.cpu is not None and self.in_guest[vcpu.cpu]:
            self.machine.msr(vcpu.cpu, "ICC_SGI1R_EL1", KICK_SGI << 24 | vcpu.cpu >> 4 << 44 | 1 << (vcpu.cpu & 15))

    def _wake_home(self, vcpu: Vcpu) -> None:
        if not self.in_guest[vcpu.home] and vcpu.home != self.host.handling:
            self.schedule(vcpu.home)

    def schedule(self, cpu: int) -> None:
        """Enter the next ready vCPU on ``cpu``, or let it idle. The CPU is out of its guest."""
        queue = self.queues[cpu]
        ready = [v for v in queue if v.state is VcpuState.READY and self._may(v)]
        if not ready:
            self.in_guest[cpu] = False
            self._set_timer(cpu, contended=False)
            self.machine.set_power(cpu, "idle")
            return
        vcpu = ready[0]
        if self.loaded[cpu] is not vcpu:
            self._unload(cpu)
            self.host.load(vcpu, cpu)
            self.loaded[cpu] = vcpu
        self._set_timer(cpu, contended=len(ready) > 1)
        vcpu.vm.vgic.flush(vcpu)
        self.in_guest[cpu] = True
        self.machine.eret(cpu)

    # --- a debugger that lets only some vCPUs run

    def _may(self, vcpu: Vcpu) -> bool:
        return self._allowed is None or vcpu in self._allowed

    def allow(self, vcpus: list[Vcpu] | None) -> None:
        """Let only these vCPUs execute from now on; None: all. A CPU in the guest of another one makes room."""
        self._allowed = None if vcpus is None else set(vcpus)
        for vcpu in vcpus or ():
            other = self.loaded[vcpu.home]
            if vcpu.cpu is None and vcpu.state is VcpuState.READY and other is not None and not self._may(other):
                self.leave(vcpu.home)

    def leave(self, cpu: int) -> None:
        """Take ``cpu`` out of its guest without an exit, for a debugger: ELR_EL2 and SPSR_EL2 are as after one."""
        vcpu = self.loaded[cpu]
        if vcpu is None or not self.in_guest[cpu]:
            return
        m = self.machine
        pc, pstate = m.read_register(cpu, "pc"), m.read_register(cpu, "cpsr")
        m.write_register(cpu, "cpsr", EL2H_MASKED)
        m.msr(cpu, "ELR_EL2", pc)
        m.msr(cpu, "SPSR_EL2", pstate)
        self.in_guest[cpu] = False
        vcpu.vm.vgic.sync(vcpu)

    def mask(self) -> int:
        """The CPUs that may execute: those whose guest is allowed, and those that are out of a guest."""
        mask = 0
        for cpu, vcpu in enumerate(self.loaded):
            if not self.in_guest[cpu] or vcpu is None or self._may(vcpu):
                mask |= 1 << cpu
        return mask

    def resume(self) -> None:
        """CPUs that are out of their guests look again for something to run."""
        for cpu in range(len(self.queues)):
            if not self.in_guest[cpu]:
                self.schedule(cpu)

    def slice_ended(self, cpu: int) -> None:
        """The hypervisor's timer fired on ``cpu``: the next one, and whoever's timer has fired meanwhile."""
        queue = self.queues[cpu]
        queue.append(queue.pop(0))
        for v in queue:
            deadline = self._deadline(v) if v.cpu is None else None
            if v.state is VcpuState.WAITING and deadline is not None and deadline <= self.machine.now:
                v.state = VcpuState.READY
            v.ptimer.check(v)

    def _unload(self, cpu: int) -> None:
        vcpu = self.loaded[cpu]
        if vcpu is not None:
            vcpu.vm.vgic.unload(vcpu)
            vcpu.save()
            self.loaded[cpu] = None

    def _deadline(self, vcpu: Vcpu) -> int | None:
        """When the virtual timer of a vCPU that is off its CPU fires, in nanoseconds."""
        if vcpu.sys["CNTV_CTL_EL0"] & 3 != 1:
            return None
        return (vcpu.sys["CNTV_CVAL_EL0"] + vcpu.vm.cntvoff) * TICK

    def _set_timer(self, cpu: int, *, contended: bool) -> None:
        """Program CNTHP: the end of the slice, emulated timers, timers of waiting vCPUs that are off the CPU."""
        due = [t for v in self.queues[cpu] if (t := v.ptimer.deadline()) is not None]
        if len(self.queues[cpu]) > 1:
            times = [self._deadline(v) for v in self.queues[cpu] if v.state is VcpuState.WAITING and v.cpu is None]
            due += [t for t in times if t is not None]
        if contended:
            due.append(self.machine.now + SLICE)
        if not due and not self._timer_on[cpu]:
            return
        self._timer_on[cpu] = bool(due)
        if due:
            self.machine.msr(cpu, "CNTHP_CVAL_EL2", min(due) // TICK + 1)
        self.machine.msr(cpu, "CNTHP_CTL_EL2", 1 if due else 0)
