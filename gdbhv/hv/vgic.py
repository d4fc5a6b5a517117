"""The virtual GICv3 of a VM, as KVM makes it: the distributor and the redistributors are emulated by MMIO exits
(:mod:`~gdbhv.hv.vgic_mmio`); the CPU interface is the hardware's own, fed through the list registers (ICH_LR<n>_EL2, Arm
IHI 0069 chapters 6 and 12.4).

Each interrupt is one :class:`Irq`. A vCPU has a list of those that are pending or active for it. :meth:`Vgic.flush` puts the
most urgent of them into list registers before the vCPU enters; :meth:`Vgic.sync` reads back what the guest did with them
after it has left. While a vCPU is out of its guest the list registers are empty, and the list is complete.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.errors import GdbhvError
from gdbhv.hv.irq import Irq
from gdbhv.hv.list_registers import EOI_COUNT, LR_ACTIVE, LR_PENDING, NAMES, load, unload
from gdbhv.hv.urgency import Queue, signals
from gdbhv.hv.vgic_mmio import GICD_BASE, GICR_BASE, GICR_STRIDE, INTERRUPTS, Distributor, Redistributor
from gdbhv.hv.vits import FIRST_LPI, GITS_BASE, Its, Lpis, LpiState
from gdbhv.tables import encode, encoding

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vm import Vm

PPI_VTIMER = 27
PPI_PMU = 23
PASSED = (PPI_VTIMER, PPI_PMU)
"""Private interrupts of the hardware that are passed through: the guest deactivates them itself (ICH_LR.HW)."""
AFFINITY = 0xFF_00FF_FFFF

# ICC_SGI1R_EL1 (Arm IHI 0069 12.2.20)
SGI_TARGETS, SGI_AFF1, SGI_AFF2, SGI_AFF3, SGI_RANGE, SGI_INTID, SGI_IRM = (
    tables.field(f"ICC_SGI1R_EL1.{name}") for name in ("TargetList", "Aff1", "Aff2", "Aff3", "RS", "INTID", "IRM")
)


def set_physical_active(vcpu: Vcpu, intid: int, *, active: bool) -> None:
    """Set the state of a private interrupt in the physical redistributor (GICR_ISACTIVER0, GICR_ICACTIVER0)."""
    assert vcpu.cpu is not None
    register = GICR_BASE + vcpu.cpu * GICR_STRIDE + (0x10300 if active else 0x10380)
    vcpu.machine.bus_write(vcpu.cpu, register, 4, 1 << intid)


@dataclass(eq=False, slots=True)
class VgicState:
    """The interrupts of a VM, and the registers that concern all of them."""

    enabled: int = 0  # GICD_CTLR's enable bits
    shared: list[Irq] = field(default_factory=list)  # INTIDs 32 and up
    private: list[list[Irq]] = field(default_factory=list)  # INTIDs 0 to 31, by vCPU
    lpis: LpiState = field(default_factory=LpiState)


class Vgic(VgicState):
    """The interrupt controller of one VM."""

    lpis: Lpis

    def __init__(self, vm: Vm) -> None:
        super().__init__()
        self.vm = vm
        self.machine = vm.machine
        self._out: set[int] | None = None  # CPUs that wait for the end of :meth:`together`
        self.power_on()
        self.list_registers = [encoding(name) for name in NAMES]
        self.control = encoding("ICH_HCR_EL2")
        self._on = encode("ICH_HCR_EL2", En=1)
        self._more_pending = encode("ICH_HCR_EL2", NPIE=1)
        self._more_active = encode("ICH_HCR_EL2", LRENPIE=1, TDIR=1)
        vm.add_device(GICD_BASE, Distributor(self))
        self.its = Its(self)
        vm.add_device(GITS_BASE, self.its)
        for v in vm.vcpus:
            vm.add_device(GICR_BASE + v.index * GICR_STRIDE, Redistributor(self, v))

    def power_on(self) -> None:
        """Reset: all interrupts are disabled and none is pending. No vCPU may be loaded."""
        vcpus = self.vm.vcpus
        self.enabled = 0
        self.shared = [Irq(n) for n in range(32, INTERRUPTS)]
        self.private = [[Irq(n, v.index, edge=n < 16) for n in range(32)] for v in vcpus]
        for bank in self.private:
            for intid in PASSED:
                bank[intid].physical = intid
        self.lpis = Lpis(self)
        self.rebuild()

    def rebuild(self) -> None:
        """Derive the lists from the interrupts' ``holder`` and ``lr``."""
        irqs = [*(i for bank in self.private for i in bank), *self.shared, *self.lpis.irqs.values()]
        numbers = range(len(self.vm.vcpus))
        # by vCPU: the interrupts pending or active for it; while it executes, those in its list registers
        self.lists = [Queue(i for i in irqs if i.holder == n) for n in numbers]
        self.used: list[list[Irq]] = [[i for i in irqs if i.holder == n and i.lr is not None] for n in numbers]
        for used in self.used:
            used.sort(key=lambda i: i.lr or 0)

    def _vcpu(self, number: int | None) -> Vcpu | None:
        return None if number is None else self.vm.vcpus[number]

    def irq(self, intid: int, vcpu: Vcpu) -> Irq:
        """Return interrupt ``intid`` as ``vcpu`` sees it."""
        return self.private[vcpu.index][intid] if intid < 32 else self.shared[intid - 32]

    def passed(self, vcpu: Vcpu) -> list[Irq]:
        """Return the interrupts of :data:`PASSED` of ``vcpu``."""
        return [self.private[vcpu.index][intid] for intid in PASSED]

    def lpi(self, intid: int) -> Irq:
        """Return a new LPI: edge-triggered, group 1, without an active state."""
        return Irq(intid, edge=True)

    # --- from devices, timers and other vCPUs

    def set_spi(self, intid: int, level: bool) -> None:
        """Set the line of a shared interrupt. :raises gdbhv.errors.GdbhvError: there is no such interrupt."""
        if not 32 <= intid < INTERRUPTS:
            raise GdbhvError(f"INTID {intid} is no shared interrupt: they are 32 to {INTERRUPTS - 1}")
        irq = self.shared[intid - 32]
        if irq.edge and level and not irq.level:
            irq.latch = True
        irq.level = level
        self.changed(irq)

    def fired(self, vcpu: Vcpu, intid: int) -> None:
        """Pass a private interrupt of :data:`PASSED` on to ``vcpu``, since its timer has fired or a counter has
        overflowed."""
        irq = self.private[vcpu.index][intid]
        irq.level = True
        self.changed(irq)

    def reset(self, vcpu: Vcpu) -> None:
        """Lower the lines of the timers and counters of ``vcpu``, which are off after a reset (PSCI CPU_ON)."""
        for intid in (*PASSED, vcpu.ptimer.PPI):
            irq = self.private[vcpu.index][intid]
            irq.level = False
            self.changed(irq)

    def send_sgi(self, vcpu: Vcpu, value: int, *, group1: bool = True) -> None:
        """Send the SGIs of a write to ICC_SGI1R_EL1 by ``vcpu`` (Arm IHI 0069 12.2.20).

        :param group1: False for ICC_SGI0R_EL1 and ICC_ASGI1R_EL1, which send SGIs of group 0 only.
        """
        intid = SGI_INTID.of(value)
        if value & SGI_IRM.mask:  # all but self
            targets = [v for v in self.vm.vcpus if v is not vcpu]
        else:
            upper = SGI_AFF3.of(value) << 32 | SGI_AFF2.of(value) << 16 | SGI_AFF1.of(value) << 8
            first, listed = SGI_RANGE.of(value) * 16, SGI_TARGETS.of(value)
            numbers = {upper | first + n for n in range(16) if listed >> n & 1}
            targets = [v for v in self.vm.vcpus if v.mpidr & AFFINITY in numbers]
        for v in targets:
            irq = self.private[v.index][intid]
            if group1 or not irq.group1:
                irq.latch = True
                self.changed(irq)

    # --- routing interrupts to vCPUs, and notifying them

    def target(self, irq: Irq) -> int | None:
        """Return the number of the vCPU that ``irq`` is routed to; None if it does not exist."""
        if irq.owner is not None:
            return irq.owner
        if irq.intid >= FIRST_LPI:
            return irq.home if irq.home is not None and self.lpis.enabled[irq.home] else None
        for v in self.vm.vcpus:
            if v.mpidr & AFFINITY == irq.route & AFFINITY:
                return v.index
        return None

    def deliverable(self, irq: Irq) -> bool:
        """Whether ``irq`` is pending and enabled in the distributor."""
        return irq.pending and irq.enabled and bool(self.enabled >> irq.group1 & 1)

    def changed(self, irq: Irq) -> None:
        """Update the lists after any change of ``irq``, and notify its vCPU if necessary."""
        deliverable = self.deliverable(irq)
        if irq.lr is None:
            if irq.active and irq.holder is not None:
                to: int | None = irq.holder  # it stays with the vCPU that acknowledged it, which deactivates it
            else:
                to = self.target(irq) if deliverable or irq.active else None
            if irq.holder is not None and to != irq.holder:
                self.lists[irq.holder].discard(irq)
            if to is not None:
                self.lists[to].put(irq)
                if irq.holder is None and not irq.active:
                    self.machine.trace_pended(self.vm.vmid, to, irq.intid)
            irq.holder = to
            if to is not None and deliverable and not irq.active:
                self.vm.host.scheduler.kick(self.vm.vcpus[to], irq)
        elif irq.latch and irq.edge and deliverable and irq.holder is not None:
            self.vm.host.scheduler.kick(self.vm.vcpus[irq.holder], irq)  # pending again while it is in a list register

    def has_pending(self, vcpu: Vcpu) -> bool:
        """Whether an interrupt is pending that the CPU interface would signal, which ends a WFI. Call it outside the guest
        only."""
        return self.signalled(vcpu, self.lists[vcpu.index])

    def signalled(self, vcpu: Vcpu, irqs: Queue | list[Irq]) -> bool:
        """Whether the CPU interface would signal one of these interrupts of ``vcpu``. Call it outside the guest only.

        One that does not preempt what the guest handles is not signalled (Arm IHI 0069 4.8.6): a guest that never returns
        from a handler, for instance on a CPU that another one has stopped, waits for ever.

        :param irqs: the most urgent first.
        """
        if not irqs:
            return False
        control, active = vcpu.read("ICH_VMCR_EL2"), vcpu.read("ICH_AP0R0_EL2") | vcpu.read("ICH_AP1R0_EL2")
        return signals((i for i in irqs if not i.active and self.deliverable(i)), control, active)

    @contextlib.contextmanager
    def held_still(self, irq: Irq) -> Iterator[None]:
        """Keep ``irq`` out of the list registers for the body: a vCPU that executes with it is taken out of its guest."""
        with self.together():
            self.take_out(irq)
            yield

    def take_out(self, irq: Irq) -> None:
        """Keep ``irq`` out of the list registers until the end of the enclosing :meth:`together`."""
        cpu = self.vm.vcpus[irq.holder].cpu if irq.lr is not None and irq.holder is not None else None
        if cpu is not None and self._out is not None:
            self.vm.host.scheduler.leave(cpu)
            self._out.add(cpu)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Resume vCPUs that :meth:`take_out` has taken out of their guests only after the body, when all changes are
        made."""
        if self._out is not None:
            yield
            return
        self._out = out = set[int]()
        try:
            yield
        finally:
            self._out = None
        scheduler = self.vm.host.scheduler
        for cpu in sorted(out):
            if not scheduler.in_guest[cpu]:
                scheduler.schedule(cpu)

    # --- list registers

    def flush(self, vcpu: Vcpu) -> None:
        """Fill the list registers of the CPU that ``vcpu`` is about to execute on.

        Active interrupts come first, since the guest's deactivation looks for them there, but one register is kept for the
        most urgent pending one. If some do not fit, ICH_HCR_EL2 requests an exit as soon as there is room (NPIE), or when
        the guest deactivates an interrupt that is in no list register (LRENPIE, TDIR).
        """
        irqs = self.lists[vcpu.index]
        if not irqs:
            return
        assert vcpu.cpu is not None
        chosen, control = self.choose(irqs)
        for n, irq in enumerate(chosen):
            irq.lr = n
        self.used[vcpu.index] = chosen
        values = [load(irq, self.deliverable(irq)) for irq in chosen]
        self.machine.msr_many(vcpu.cpu, [*self.list_registers[: len(chosen)], self.control], [*values, control])

    def choose(self, irqs: Iterable[Irq]) -> tuple[list[Irq], int]:
        """Choose which of a vCPU's interrupts go into list registers.

        :param irqs: in the order of :func:`~gdbhv.hv.urgency.place`.
        :returns: the interrupts in the registers' order, and the value of ICH_HCR_EL2.
        """
        active: list[Irq] = []
        pending: list[Irq] = []
        for irq in irqs:
            if irq.active:
                active.append(irq)
            elif self.deliverable(irq):
                pending.append(irq)
                if len(pending) > len(NAMES):
                    break
        room = len(NAMES) - bool(pending)
        chosen = (active[:room] + pending)[: len(NAMES)]
        control = self._on
        control |= self._more_active if len(active) > room else 0
        control |= self._more_pending if len(active[:room]) + len(pending) > len(NAMES) else 0
        return chosen, control

    def sync(self, vcpu: Vcpu) -> None:
        """Read back the list registers, after ``vcpu`` has left its guest."""
        used = self.used[vcpu.index]
        if not used:
            return
        assert vcpu.cpu is not None
        registers = [*self.list_registers[: len(used)], self.control]
        *values, control = self.machine.mrs_many(vcpu.cpu, registers)
        self.machine.msr_many(vcpu.cpu, registers, [0] * len(used) + [self._on])
        self.used[vcpu.index] = []
        for irq, value in zip(used, values, strict=True):
            irq.lr = None
            unload(irq, value)
            if irq.physical is not None:
                self._sync_physical(vcpu, irq, value)
            self.changed(irq)
        if ended := EOI_COUNT.of(control):
            for irq in self.outside(vcpu, used)[:ended]:  # the guest deactivated that many, the most urgent first
                self.end(irq)
                self.changed(irq)

    def outside(self, vcpu: Vcpu, used: list[Irq]) -> list[Irq]:
        """Return the active interrupts of a vCPU that are in no list register, the most urgent first."""
        active = itertools.takewhile(lambda i: i.active, self.lists[vcpu.index])
        return [i for i in active if i not in used]

    def _sync_physical(self, vcpu: Vcpu, irq: Irq, value: int) -> None:
        """Follow the line of a physical interrupt that is passed through, such as the timer's."""
        if not value & (LR_PENDING | LR_ACTIVE):
            irq.level = False  # deactivated together with the physical one, which is pending again if the line is still high
        elif value & LR_PENDING:
            self.sample(vcpu, irq.intid)

    def sample(self, vcpu: Vcpu, intid: int) -> None:
        """Withdraw an interrupt whose line is low: its timer was stopped or set anew, or its overflow cleared, before the
        guest acknowledged it."""
        irq = self.private[vcpu.index][intid]
        if irq.level and not irq.active and vcpu.cpu is not None and not self.high(vcpu, intid):
            self.end(irq)
            self.changed(irq)

    def high(self, vcpu: Vcpu, intid: int) -> bool:
        """Whether the line of a physical interrupt of ``vcpu`` is high, or will be once the vCPU is on a CPU."""
        return vcpu.pmu.line() if intid == PPI_PMU else vcpu.timer_fires()

    def deactivate(self, vcpu: Vcpu, intid: int) -> None:
        """Deactivate an interrupt (ICC_DIR_EL1, trapped while active interrupts are outside the list registers)."""
        if intid < INTERRUPTS:
            irq = self.irq(intid, vcpu)
            self.end(irq)
            self.changed(irq)

    def end(self, irq: Irq) -> None:
        """Deactivate ``irq``, and the physical interrupt that it stands for; :meth:`changed` must follow."""
        irq.active = False
        owner = self._vcpu(irq.owner)
        if irq.physical is not None and owner is not None:
            irq.level = False
            if owner.cpu is not None:
                set_physical_active(owner, irq.physical, active=False)

    # --- switching the physical interrupts with the vCPU

    def load(self, vcpu: Vcpu) -> None:
        """Restore the active state of passed-through interrupts on the CPU of ``vcpu``, which has just been loaded."""
        self._set_active(vcpu, active=True)

    def unload(self, vcpu: Vcpu) -> None:
        """Clear the active state of passed-through interrupts on the CPU that ``vcpu`` leaves, for the next vCPU there."""
        self._set_active(vcpu, active=False)

    def _set_active(self, vcpu: Vcpu, *, active: bool) -> None:
        for irq in self.passed(vcpu):
            if irq.level or irq.active:
                set_physical_active(vcpu, irq.intid, active=active)
