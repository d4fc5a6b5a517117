"""A vCPU: the register context that a hypervisor switches, and what the vCPU is doing.

While a vCPU is *loaded* on a CPU its registers are the CPU's; the copy here is stale. :meth:`Vcpu.save` and
:meth:`Vcpu.load` move
them. The guest's PC and PSTATE are ELR_EL2 and SPSR_EL2, because a loaded vCPU whose exit is being handled is a CPU at EL2.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from gdbhv.hv.ptimer import PhysicalTimer
from gdbhv.tables import encode, encoding

if TYPE_CHECKING:
    from gdbhv._core import Machine
    from gdbhv.hv.vm import Vm

# What belongs to the guest and not to the CPU, in the order of restoring. The timer's controls come last: with them the
# interrupt line may rise.
CONTEXT = """
    ELR_EL2 SPSR_EL2 SP_EL0 SP_EL1 ELR_EL1 SPSR_EL1 ESR_EL1 FAR_EL1 AFSR0_EL1 AFSR1_EL1 VBAR_EL1
    SCTLR_EL1 CPACR_EL1 TTBR0_EL1 TTBR1_EL1 TCR_EL1 MAIR_EL1 AMAIR_EL1 CONTEXTIDR_EL1 PAR_EL1 CSSELR_EL1
    TPIDR_EL0 TPIDRRO_EL0 TPIDR_EL1 MDSCR_EL1 CNTKCTL_EL1 FPCR FPSR
    ICH_VMCR_EL2 ICH_AP0R0_EL2 ICH_AP1R0_EL2
    CNTV_CVAL_EL0 CNTV_CTL_EL0
""".split()


@cache
def context_encodings() -> list[int]:
    """The numbers of :data:`CONTEXT`."""
    return [encoding(name) for name in CONTEXT]


class VcpuState(Enum):
    """What a vCPU is doing, as its hypervisor sees it."""

    OFF = "off"  # until PSCI CPU_ON
    READY = "ready"  # has something to execute
    WAITING = "waiting"  # in WFI, until an interrupt is pending for it


class Vcpu:
    """One vCPU of a VM."""

    def __init__(self, vm: Vm, index: int) -> None:
        self.vm = vm
        self.index = index
        self.state = VcpuState.OFF
        self.cpu: int | None = None  # where it is loaded
        self.home = 0  # the CPU that it is scheduled on
        self.exits = 0
        self.gprs = [0] * 31
        self.vregs = [0] * 32
        self.sys = dict.fromkeys(CONTEXT, 0)
        self.ptimer: PhysicalTimer = PhysicalTimer(self)
        self.reset(0, 0)

    def __repr__(self) -> str:
        return f"<{self.name} {self.state.value}>"

    @property
    def name(self) -> str:
        """VM and number: ``vm1/vcpu0``."""
        return f"{self.vm.name}/vcpu{self.index}"

    @property
    def mpidr(self) -> int:
        """VMPIDR_EL2: bit 31 is RES1, affinity 0 is the number."""
        return 1 << 31 | self.index

    @property
    def machine(self) -> Machine:
        """The machine that runs it."""
        return self.vm.machine

    def reset(self, entry: int, x0: int) -> None:
        """The architecture's reset at EL1, then ``entry`` and ``x0`` (PSCI CPU_ON). Only for a vCPU that is not loaded."""
        self.gprs = [x0] + [0] * 30
        self.vregs = [0] * 32
        self.sys = dict.fromkeys(CONTEXT, 0)
        self.sys["ELR_EL2"] = entry
        self.sys["SPSR_EL2"] = encode("SPSR_EL2", D=1, A=1, I=1, F=1, M=0b0101)  # EL1h, all masked
        self.sys["SCTLR_EL1"] = 0x00C50838  # MMU and caches off; the RES1 bits of v8.0 (D24.2.175)
        self.ptimer = PhysicalTimer(self)

    # --- the switch

    def load(self, cpu: int) -> None:
        """Put the context on CPU ``cpu``, with this VM's stage 2 and identity."""
        m = self.machine
        m.set_gprs(cpu, self.gprs)
        m.set_vregs(cpu, self.vregs)
        m.msr_many(cpu, context_encodings(), list(self.sys.values()))
        m.msr(cpu, "VTTBR_EL2", self.vm.vttbr)
        m.msr(cpu, "VMPIDR_EL2", self.mpidr)
        m.msr(cpu, "CNTVOFF_EL2", self.vm.cntvoff)
        self.cpu = cpu

    def save(self) -> None:
        """Take the context from the CPU, and stop its timers there."""
        assert self.cpu is not None
        m, cpu = self.machine, self.cpu
        self.gprs = m.gprs(cpu)
        self.vregs = m.vregs(cpu)
        self.sys = dict(zip(CONTEXT, m.mrs_many(cpu, context_encodings()), strict=True))
        m.msr(cpu, "CNTV_CTL_EL0", 0)
        self.cpu = None

    # --- registers, wherever they are

    def read(self, name: str) -> int:
        """Return a register of :data:`CONTEXT`."""
        return self.sys[name] if self.cpu is None else self.machine.mrs(self.cpu, name)

    def write(self, name: str, value: int) -> None:
        """Set a register of :data:`CONTEXT`."""
        if self.cpu is None:
            self.sys[name] = value
        else:
            self.machine.msr(self.cpu, name, value)

    def x(self, n: int) -> int:
        """Return general-purpose register ``n``; 31 is zero."""
        if n == 31:
            return 0
        return self.gprs[n] if self.cpu is None else self.machine.read_register(self.cpu, f"x{n}")

    def set_x(self, n: int, value: int) -> None:
        """Set general-purpose register ``n``; 31 is none."""
        value &= (1 << 64) - 1
        if n == 31:
            return
        if self.cpu is None:
            self.gprs[n] = value
        else:
            self.machine.write_register(self.cpu, f"x{n}", value)

    @property
    def pc(self) -> int:
        """The guest's PC while it is out of the guest."""
        return self.read("ELR_EL2")

    @pc.setter
    def pc(self, value: int) -> None:
        self.write("ELR_EL2", value)

    def skip(self) -> None:
        """Go on behind the instruction that caused the exit."""
        self.pc += 4

    # --- what a hypervisor does to a guest's EL1, as the hardware would (Arm ARM D1.3, AArch64.TakeException)

    def inject(self, esr: int, far: int | None = None) -> None:
        """Make the guest take a synchronous exception to its EL1 with syndrome ``esr`` (its EC for "lower EL" is
        adjusted)."""
        spsr, pc = self.read("SPSR_EL2"), self.pc
        el, sp = spsr >> 2 & 3, spsr & 1
        if el == 1 and esr >> 26 in (0x20, 0x24):
            esr += 1 << 26  # the same abort, from the current EL
        self.write("ESR_EL1", esr)
        self.write("ELR_EL1", pc)
        self.write("SPSR_EL1", spsr)
        if far is not None:
            self.write("FAR_EL1", far)
        quarter = 0x400 if el == 0 else 0x200 if sp else 0
        self.pc = self.read("VBAR_EL1") + quarter
        pan = spsr & (1 << 22)
        if self.vm.has_pan and not self.read("SCTLR_EL1") >> 23 & 1:  # SPAN
            pan = 1 << 22
        keep = spsr & (0xF << 28) | spsr & (1 << 24)  # NZCV, DIT
        self.write("SPSR_EL2", keep | pan | 0xF << 6 | 0b0101)

    def inject_undefined(self) -> None:
        """An undefined instruction (EC 0)."""
        self.inject(1 << 25)

    def inject_abort(self, far: int, *, fetch: bool, write: bool = False) -> None:
        """A synchronous external abort (FSC 0x10) on the access that exited: what a bus answers where nothing is."""
        ec = 0x20 if fetch else 0x24
        self.inject(ec << 26 | 1 << 25 | (write << 6) | 0x10, far)
