"""The guest's EL1 physical timer, emulated: with CNTHCTL_EL2.EL1PCEN = 0, accesses to its registers exit (D11.2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu

TICK = 16  # nanoseconds of one count at CNTFRQ_EL0 = 62.5 MHz
PPI = 30
ENABLE, IMASK, ISTATUS = 1, 2, 4


def time_of(count: int) -> int | None:
    """Return when the system counter reaches ``count``, in virtual nanoseconds; None if that is beyond 2^64."""
    at = count * TICK
    return None if at >> 64 else at


@dataclass(eq=False, slots=True)
class TimerState:
    """The registers with state of their own; the others follow from them and the time."""

    control: int = 0  # CNTP_CTL_EL0 without ISTATUS
    compare: int = 0  # CNTP_CVAL_EL0


class PhysicalTimer(TimerState):
    """CNTP_CTL_EL0, CNTP_CVAL_EL0 and CNTP_TVAL_EL0 of one vCPU; the hypervisor's own timer fires for it."""

    PPI = PPI
    REGISTERS = ("CNTP_CTL_EL0", "CNTP_CVAL_EL0", "CNTP_TVAL_EL0")

    def __init__(self, vcpu: Vcpu) -> None:
        super().__init__()
        self._vcpu = vcpu

    def _count(self) -> int:
        return self._vcpu.machine.now // TICK

    def read(self, name: str) -> int:
        """Return a register of the timer."""
        if name == "CNTP_CVAL_EL0":
            return self.compare
        if name == "CNTP_TVAL_EL0":
            return (self.compare - self._count()) & 0xFFFFFFFF
        fired = self.control & ENABLE and self._count() >= self.compare
        return self.control | (ISTATUS if fired else 0)

    def write(self, name: str, value: int) -> None:
        """Write a register of the timer."""
        if name == "CNTP_CVAL_EL0":
            self.compare = value
        elif name == "CNTP_TVAL_EL0":
            signed = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
            self.compare = (self._count() + signed) & ((1 << 64) - 1)
        else:
            self.control = value & (ENABLE | IMASK)
        self.check(self._vcpu)

    @property
    def enabled(self) -> bool:
        """Whether it is on and not masked."""
        return self.control & 3 == ENABLE

    def deadline(self) -> int | None:
        """When it fires, in nanoseconds; None if it is off, masked, has fired, or never will."""
        if not self.enabled or self._count() >= self.compare:
            return None
        return time_of(self.compare)

    def check(self, vcpu: Vcpu) -> None:
        """Set the level of its interrupt."""
        irq = vcpu.vm.vgic.irq(PPI, vcpu)
        level = self.enabled and self._count() >= self.compare
        if irq.level != level:
            irq.level = level
            vcpu.vm.vgic.changed(irq)
