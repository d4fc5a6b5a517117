"""The guest's performance monitors: the CPU's own, accessed by traps (MDCR_EL2.TPM) and switched with the vCPU.

KVM emulates them on top of the host's perf events. Here nobody else needs the counters, so the guest gets the hardware's: an
access exits and is then made on the register itself. Nothing is counted outside the guest, since the hypervisor executes no
instructions, and MDCR_EL2.HPMD also forbids counting at EL2. The overflow interrupt is passed on like the virtual timer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.tables import encode, encoding, exception_level

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu

COUNTERS = 6
EVERY = 1 << 31 | (1 << COUNTERS) - 1
"""The cycle counter and the event counters, as PMCNTENSET_EL0 has them."""
ENABLE = tables.field("PMCR_EL0.E").mask
NSH = {name: tables.field(f"{name}.NSH").mask for name in ("PMCCFILTR_EL0", *(f"PMEVTYPER{n}_EL0" for n in range(COUNTERS)))}
"""The bit that filters EL2 in each register that has one; it is RES0, since the guest has no EL2."""

# What is switched, in the order of restoring. On a CPU where all is clear, writing a saved value to a set register restores
# it; the enable comes last.
CONTEXT = [
    *("PMSELR_EL0", "PMUSERENR_EL0", "PMCCFILTR_EL0", "PMCCNTR_EL0"),
    *(f"PMEVTYPER{n}_EL0" for n in range(COUNTERS)),
    *(f"PMEVCNTR{n}_EL0" for n in range(COUNTERS)),
    *("PMOVSSET_EL0", "PMINTENSET_EL1", "PMCNTENSET_EL0", "PMCR_EL0"),
]
CLEAR = {"PMCR_EL0": encode("PMCR_EL0", P=1, C=1), "PMCNTENCLR_EL0": EVERY, "PMINTENCLR_EL1": EVERY, "PMOVSCLR_EL0": EVERY}
CLEAR |= dict.fromkeys([n for n in CONTEXT if "TYPER" in n or n in ("PMSELR_EL0", "PMUSERENR_EL0", "PMCCFILTR_EL0")], 0)


def is_one(register: str | int) -> bool:
    """Whether a register, by name or number, is one of the performance monitors'."""
    return register.upper() in _names() if isinstance(register, str) else register in _numbers()


@cache
def _names() -> frozenset[str]:
    return frozenset((*CONTEXT, *CLEAR))


@cache
def _numbers() -> frozenset[int]:
    return frozenset(encoding(n) for n in _names())


@dataclass(eq=False, slots=True)
class PmuState:
    """The state of the performance monitors of a vCPU that is off its CPU."""

    used: bool = False  # the guest has written to them
    saved: dict[str, int] = field(default_factory=dict)  # by name, as :data:`CONTEXT` has them


class GuestPmu(PmuState):
    """The performance monitors of one vCPU. Until the guest first writes to them there is nothing to switch."""

    PPI = 23

    def __init__(self, vcpu: Vcpu) -> None:
        super().__init__()
        self._vcpu = vcpu

    def load(self, cpu: int) -> None:
        """Put the registers on ``cpu``, where they are clear."""
        if self.used:
            self._vcpu.machine.msr_many(cpu, [encoding(n) for n in self.saved], list(self.saved.values()))

    def save(self, cpu: int) -> None:
        """Take the registers from ``cpu``, and clear them there."""
        if self.used:
            m = self._vcpu.machine
            self.saved = dict(zip(CONTEXT, m.mrs_many(cpu, [encoding(n) for n in CONTEXT]), strict=True))
            m.msr_many(cpu, [encoding(n) for n in CLEAR], list(CLEAR.values()))

    def read(self, name: str) -> int:
        """Read a register whose read was trapped."""
        assert self._vcpu.cpu is not None
        return self._vcpu.machine.mrs(self._vcpu.cpu, name)

    def write(self, name: str, value: int) -> None:
        """Write a register whose write was trapped."""
        assert self._vcpu.cpu is not None
        m, cpu = self._vcpu.machine, self._vcpu.cpu
        self.used = True
        if name == "PMSWINC_EL0":  # count the event as the guest's: at EL2 its counters do not count
            m.software_increment(cpu, value & EVERY, exception_level(m.mrs(cpu, "SPSR_EL2")))
        else:
            m.msr(cpu, name, value & ~NSH.get(name, 0))
        self._vcpu.vm.vgic.sample(self._vcpu, self.PPI)

    def line(self) -> bool:
        """Return the overflow interrupt's level, while the vCPU is on a CPU."""
        if not self.used or self._vcpu.cpu is None:
            return False
        names = ("PMCR_EL0", "PMOVSSET_EL0", "PMINTENSET_EL1")
        control, overflowed, enabled = self._vcpu.machine.mrs_many(self._vcpu.cpu, [encoding(n) for n in names])
        return bool(control & ENABLE and overflowed & enabled)
