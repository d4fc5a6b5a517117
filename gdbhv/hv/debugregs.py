"""A vCPU's own debug registers: its breakpoints, watchpoints and software step, switched lazily as KVM does.

MDCR_EL2.TDA traps them until the guest writes one; from then on the hardware holds the guest's values until the vCPU leaves
its CPU. A vCPU whose MDSCR_EL1 enables anything gets them back whenever it is loaded; for others they cost nothing.
The OS lock (MDCR_EL2.TDOSA) is always trapped, and is unlocked at the start, as if by firmware. (MDSCR_EL1 itself is
switched with the rest of the context, as are OSDLR_EL1 and DBGPRCR_EL1.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from gdbhv.tables import encode, encoding, register

if TYPE_CHECKING:
    from gdbhv._core import Machine

BREAKPOINTS, WATCHPOINTS = 6, 4

NAMES = (
    [f"DBGB{kind}R{n}_EL1" for n in range(BREAKPOINTS) for kind in "VC"]
    + [f"DBGW{kind}R{n}_EL1" for n in range(WATCHPOINTS) for kind in "VC"]
    + ["MDCCINT_EL1", "OSECCR_EL1", "OSDTRRX_EL1", "OSDTRTX_EL1", "DBGCLAIMCLR_EL1"]
)
"""The registers that are switched lazily. DBGCLAIMCLR_EL1 reads as the tags that DBGCLAIMSET_EL1 sets."""

SET, CLEAR, ALL_TAGS = "DBGCLAIMSET_EL1", "DBGCLAIMCLR_EL1", 0xFF


@cache
def numbers() -> list[int]:
    """Return the numbers of :data:`NAMES`."""
    return [encoding(name) for name in NAMES]


@cache
def enables() -> int:
    """Return the bits of MDSCR_EL1 that make a guest's debug registers matter."""
    return encode("MDSCR_EL1", SS=1, KDE=1, MDE=1)


@cache
def tda() -> int:
    """MDCR_EL2.TDA."""
    return encode("MDCR_EL2", TDA=1)


@cache
def name_of(which: str | int) -> str | None:
    """Return the name of a register that is switched lazily, given by name or number; None for any other."""
    known = {encoding(name): name for name in (*NAMES, SET)}
    if isinstance(which, str):
        return which.upper() if which.upper() in known.values() else None
    return known.get(which)


def os_lock(m: Machine, cpu: int) -> bool:
    """Whether the OS lock of a CPU is set (OSLSR_EL1.OSLK)."""
    return bool(m.mrs(cpu, "OSLSR_EL1") & encode("OSLSR_EL1", OSLK=1))


@contextlib.contextmanager
def under_os_lock(m: Machine, cpu: int, afterwards: bool) -> Iterator[None]:
    """Set the OS lock while a context is loaded: MDSCR_EL1 takes some of its bits only then."""
    m.msr(cpu, "OSLAR_EL1", 1)
    yield
    m.msr(cpu, "OSLAR_EL1", int(afterwards))


@dataclass(eq=False, slots=True)
class DebugState:
    """The debug registers of one vCPU."""

    values: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))  # stale while ``live``
    locked: bool = False  # OSLSR_EL1.OSLK while the vCPU is off its CPU
    live: bool = False  # they are on the CPU
    owned: bool = False  # and the guest accesses them without a trap


class DebugRegisters(DebugState):
    """The debug registers of one vCPU, and how they get to its CPU."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def load(self, cpu: int, mdscr: int) -> None:
        """Load the vCPU, whose MDSCR_EL1 is ``mdscr``, on ``cpu``, before the rest of its context."""
        if mdscr & enables():
            self.put(cpu)
            self.own(cpu)
        else:
            self._trap(cpu, True)

    def read(self, name: str) -> int:
        """Return a register that is not on the CPU."""
        return ALL_TAGS if name == SET else self.values[name]

    def write(self, name: str, value: int) -> None:
        """Write a register that is not on the CPU, as MSR does."""
        value &= register(name).write_mask
        if name == SET:
            self.values[CLEAR] |= value
        elif name == CLEAR:
            self.values[CLEAR] &= ~value
        else:
            self.values[name] = value

    def put(self, cpu: int) -> None:
        """Write the values to ``cpu``."""
        if not self.live:
            self.machine.msr(cpu, CLEAR, ALL_TAGS)
            values = dict(self.values)
            tags = values.pop(CLEAR)
            self.machine.msr_many(cpu, numbers()[:-1], list(values.values()))
            self.machine.msr(cpu, SET, tags)
            self.live = True

    def own(self, cpu: int) -> None:
        """Give the guest access without traps, from its first write on."""
        self.put(cpu)
        self.owned = True
        self._trap(cpu, False)

    def save(self, cpu: int) -> None:
        """Take the vCPU off ``cpu``."""
        m = self.machine
        self.locked = os_lock(m, cpu)
        if self.live:
            self.values = dict(zip(NAMES, m.mrs_many(cpu, numbers()), strict=True))
        self.live = self.owned = False

    def _trap(self, cpu: int, on: bool) -> None:
        m = self.machine
        m.msr(cpu, "MDCR_EL2", m.mrs(cpu, "MDCR_EL2") & ~tda() | on * tda())
