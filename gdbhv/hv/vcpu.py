"""A vCPU: the register context that a hypervisor switches, and what the vCPU is doing.

While a vCPU is *loaded* on a CPU its registers are the CPU's; the copy here is stale. :meth:`Vcpu.save` and
:meth:`Vcpu.load` move them. The guest's PC and PSTATE are ELR_EL2 and SPSR_EL2, because a loaded vCPU whose exit is being
handled is a CPU at EL2. The SIMD registers are switched lazily: their first use exits (CPTR_EL2.TFP), and only then are
they loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.exits.records import ExitRecord
from gdbhv.hv.debugregs import DebugRegisters, DebugState, under_os_lock
from gdbhv.hv.pmu import GuestPmu, PmuState
from gdbhv.hv.ptimer import TICK, PhysicalTimer, TimerState, time_of
from gdbhv.tables import encode, encoding, exception_class, exception_level, iss_field

if TYPE_CHECKING:
    from gdbhv._core import Machine
    from gdbhv.hv.vm import Vm

# The registers that are switched, in the order of restoring. The timer's controls come last, since the interrupt line may
# rise when they are written.
CONTEXT = """
    ELR_EL2 SPSR_EL2 SP_EL0 SP_EL1 ELR_EL1 SPSR_EL1 ESR_EL1 FAR_EL1 AFSR0_EL1 AFSR1_EL1 VBAR_EL1
    SCTLR_EL1 CPACR_EL1 TTBR0_EL1 TTBR1_EL1 TCR_EL1 MAIR_EL1 AMAIR_EL1 CONTEXTIDR_EL1 PAR_EL1 CSSELR_EL1
    TPIDR_EL0 TPIDRRO_EL0 TPIDR_EL1 MDSCR_EL1 OSDLR_EL1 DBGPRCR_EL1 CNTKCTL_EL1 FPCR FPSR
    ICH_VMCR_EL2 ICH_AP0R0_EL2 ICH_AP1R0_EL2
    CNTV_CVAL_EL0 CNTV_CTL_EL0
""".split()


@cache
def context_numbers(ras: bool) -> dict[str, int]:
    """Return the numbers of :data:`CONTEXT`, and with FEAT_RAS that of the register to which ESB defers SErrors."""
    return {name: encoding(name) for name in [*(["VDISR_EL2"] if ras else []), *CONTEXT]}


VSE, TFP = tables.field("HCR_EL2.VSE").mask, tables.field("CPTR_EL2.TFP").mask
SPAN, DSSBS = (tables.field(f"SCTLR_EL1.{name}").mask for name in ("SPAN", "DSSBS"))

# PSTATE in the layout of SPSR_EL2 (Arm ARM C5.2.20)
DIT, PAN, SSBS, STEPPING = (tables.field(f"SPSR_EL2.{name}").mask for name in ("DIT", "PAN", "SSBS", "SS"))
NZCV, DAIF = encode("SPSR_EL2", N=1, Z=1, C=1, V=1), encode("SPSR_EL2", D=1, A=1, I=1, F=1)
EL1H = 0b0101  # M

# Syndromes, in the layout of ESR_ELx
EC, IL = tables.field("ESR_EL1.EC"), tables.field("ESR_EL1.IL").mask
INSTRUCTION_ABORT, DATA_ABORT = exception_class("iabt"), exception_class("dabt")
HAVE_SAME_EL = {INSTRUCTION_ABORT, DATA_ABORT, *map(exception_class, ("bp", "step", "wp"))}
"""Exception classes for which an exception from the same EL has the next higher number."""
IDS = iss_field("serror", "IDS").mask
EXTERNAL, EXTERNAL_ON_WALK = 0b010000, 0b010100  # fault status codes; the latter of level 0


class RunState(Enum):
    """The state of a vCPU from the hypervisor's view."""

    OFF = "off"  # off until PSCI CPU_ON
    READY = "ready"  # ready to execute
    WAITING = "waiting"  # in WFI, until an interrupt is pending for it


VREG = 16  # bytes of a SIMD register


@dataclass(eq=False, slots=True)
class VcpuState:
    """One vCPU. The registers are stale while it is loaded on a CPU."""

    state: RunState = RunState.OFF
    cpu: int | None = None  # where it is loaded
    home: int = 0  # the CPU that it is scheduled on
    exits: int = 0
    completed: int = 0  # exits whose instruction is complete: it was emulated, or raised an exception instead
    last_exit: ExitRecord | None = None
    held: tuple[int, bool] | None = None  # the debugger's stop at which it still is (Machine.held)
    vserror: int | None = None  # syndrome of the virtual SError that is pending
    fp_live: bool = False  # whether v0 to v31 are on the CPU, since it has used them since it was loaded
    timeout: int | None = None  # of WFIT, in virtual nanoseconds
    gave_way: bool = False  # in WFE: it yields to the others on its CPU
    gprs: list[int] = field(default_factory=lambda: [0] * 31)
    vregs: bytes = bytes(32 * VREG)  # v0 first, little endian
    sys: dict[str, int] = field(default_factory=dict)  # by name: CONTEXT
    # Registers of EL2 in which a debugger may change traps (hv/guestregs.py); FP is trapped, and no virtual SError pending
    controls: dict[str, int] = field(default_factory=dict)
    debug: DebugState = field(default_factory=DebugState)
    ptimer: TimerState = field(default_factory=TimerState)
    pmu: PmuState = field(default_factory=PmuState)


class Vcpu(VcpuState):
    """One vCPU of a VM.

    :param number: of all vCPUs of the host, from 0.
    :param index: of the VM's, from 0.
    """

    debug: DebugRegisters
    ptimer: PhysicalTimer
    pmu: GuestPmu

    def __init__(self, vm: Vm, number: int, index: int) -> None:
        super().__init__()
        self.vm = vm
        self.machine: Machine = vm.machine
        self.number = number
        self.index = index
        self.numbers = context_numbers(vm.has_ras)
        self.controls = {"HCR_EL2": vm.host.hcr, "CPTR_EL2": vm.host.cptr}
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

    def reset(self, entry: int, x0: int) -> None:
        """Reset to EL1, with ``entry`` and ``x0`` (PSCI CPU_ON). The vCPU must not be loaded."""
        self.gprs = [x0] + [0] * 30
        self.vregs = bytes(32 * VREG)
        self.sys = dict.fromkeys(self.numbers, 0)
        self.vserror = None
        self.sys["ELR_EL2"] = entry
        self.sys["SPSR_EL2"] = DAIF | EL1H
        self.sys["SCTLR_EL1"] = 0x00C50838  # MMU and caches off; the RES1 bits of v8.0 (D24.2.175)
        self.debug = DebugRegisters(self.machine)
        self.ptimer = PhysicalTimer(self)
        self.pmu = GuestPmu(self)

    def power_off(self) -> None:
        """Switch off and reset, as before the start of the VM. The vCPU must not be loaded."""
        self.reset(0, 0)
        self.state = RunState.OFF
        self.held = self.timeout = self.last_exit = None
        self.gave_way = False

    # --- the switch

    def load(self, cpu: int) -> None:
        """Put the context on CPU ``cpu``, with this VM's stage 2 and identity."""
        m = self.machine
        m.set_gprs(cpu, self.gprs)
        for name, value in self.identity().items():
            m.msr(cpu, name, value)
        self.debug.load(cpu, self.sys["MDSCR_EL1"])
        with under_os_lock(m, cpu, self.debug.locked):
            m.msr_many(cpu, list(self.numbers.values()), list(self.sys.values()))
        self.pmu.load(cpu)
        self.cpu = cpu
        self.set_serror()
        self.vm.vgic.load(self)

    def identity(self) -> dict[str, int]:
        """Return the values of the EL2 registers that identify the VM and the vCPU while it is loaded."""
        return {"VTTBR_EL2": self.vm.vttbr, "VMPIDR_EL2": self.mpidr, "CNTVOFF_EL2": self.vm.cntvoff, **self.controls}

    def set_control(self, name: str, value: int) -> None:
        """Keep a debugger's value of one of :attr:`controls`, which is set whenever the vCPU is loaded."""
        self.controls[name] = value | TFP if name == "CPTR_EL2" else value & ~VSE

    def load_fp(self) -> None:
        """Load the SIMD registers on the CPU too."""
        assert self.cpu is not None
        self.machine.set_vregs(self.cpu, [self.v(n) for n in range(32)])
        self.fp_live = True

    def save(self) -> None:
        """Save the context from the CPU, and stop its timers there."""
        assert self.cpu is not None
        m, cpu = self.machine, self.cpu
        self.gprs = m.gprs(cpu)
        if self.fp_live:
            self.vregs = b"".join(value.to_bytes(VREG, "little") for value in m.vregs(cpu))
            self.fp_live = False
        self.sys = dict(zip(self.numbers, m.mrs_many(cpu, list(self.numbers.values())), strict=True))
        self.debug.save(cpu)
        if self.vserror is not None:
            hcr = m.mrs(cpu, "HCR_EL2")
            self.vserror = self.vserror if hcr & VSE else None  # no longer pending once it is taken, or deferred by ESB
            m.msr(cpu, "HCR_EL2", hcr & ~VSE)
        m.msr(cpu, "CNTV_CTL_EL0", 0)
        self.pmu.save(cpu)
        self.cpu = None

    def at_count(self, count: int) -> int | None:
        """Return when the guest's virtual counter reaches ``count``, in virtual nanoseconds; None if never."""
        return time_of(count + self.vm.cntvoff)

    def timer_fires(self) -> bool:
        """Whether the virtual timer is on, not masked, and has fired."""
        control = self.read("CNTV_CTL_EL0") & 7
        if self.cpu is not None or control & 3 != 1:
            return control == 5
        return (self.machine.now // TICK - self.vm.cntvoff) & (1 << 64) - 1 >= self.sys["CNTV_CVAL_EL0"]

    # --- registers, wherever they are

    def read(self, name: str) -> int:
        """Return a register of :data:`CONTEXT`."""
        return self.sys[name] if self.cpu is None else self.machine.mrs(self.cpu, self.numbers[name])

    def write(self, name: str, value: int) -> None:
        """Set a register of :data:`CONTEXT`."""
        if self.cpu is None:
            self.sys[name] = value
        else:
            self.machine.msr(self.cpu, self.numbers[name], value)

    def x(self, n: int) -> int:
        """Return general-purpose register ``n``; 31 is zero."""
        if self.cpu is not None:
            return self.machine.x(self.cpu, n)
        return 0 if n == 31 else self.gprs[n]

    def set_x(self, n: int, value: int) -> None:
        """Set general-purpose register ``n``; 31 is the zero register, which ignores it."""
        value &= (1 << 64) - 1
        if self.cpu is not None:
            self.machine.set_x(self.cpu, n, value)
        elif n != 31:
            self.gprs[n] = value

    def v(self, n: int) -> int:
        """Return SIMD register ``n`` while it is not on a CPU."""
        return int.from_bytes(self.vregs[n * VREG : (n + 1) * VREG], "little")

    def set_v(self, n: int, value: int) -> None:
        """Set SIMD register ``n`` while it is not on a CPU."""
        at, data = n * VREG, (value & (1 << 128) - 1).to_bytes(VREG, "little")
        self.vregs = self.vregs[:at] + data + self.vregs[at + VREG :]

    @property
    def pc(self) -> int:
        """The guest's PC while it is out of the guest."""
        return self.read("ELR_EL2")

    @pc.setter
    def pc(self, value: int) -> None:
        self.write("ELR_EL2", value)

    def skip(self) -> None:
        """Advance the PC over the instruction that caused the exit; this also completes a guest's own step
        (``SSAdvance``)."""
        self.completed += 1
        if self.cpu is not None:
            self.machine.skip(self.cpu)
            return
        self.write("ELR_EL2", self.read("ELR_EL2") + 4 & (1 << 64) - 1)
        spsr = self.read("SPSR_EL2")
        if spsr & STEPPING:
            self.write("SPSR_EL2", spsr & ~STEPPING)

    # --- injecting exceptions into a guest's EL1, as the hardware takes them (Arm ARM D1.3, AArch64.TakeException)

    def inject(self, esr: int, far: int | None = None) -> None:
        """Make the guest take a synchronous exception to its EL1 with syndrome ``esr`` (its EC for "lower EL" is
        adjusted)."""
        self.completed += 1
        spsr, pc = self.read("SPSR_EL2"), self.pc
        el, sp = exception_level(spsr), spsr & 1
        if el == 1 and EC.of(esr) in HAVE_SAME_EL:
            esr += 1 << EC.lsb
        self.write("ESR_EL1", esr)
        self.write("ELR_EL1", pc)
        self.write("SPSR_EL1", spsr)
        if far is not None:
            self.write("FAR_EL1", far)
        control = self.read("SCTLR_EL1")
        quarter = 0x400 if el == 0 else 0x200 if sp else 0
        self.pc = (self.read("VBAR_EL1") & ~0x7FF) + quarter
        pstate = spsr & (NZCV | DIT | PAN) | DAIF | EL1H
        if self.vm.has_pan and not control & SPAN:
            pstate |= PAN
        if self.vm.has_ssbs and control & DSSBS:
            pstate |= SSBS
        self.write("SPSR_EL2", pstate)

    def inject_serror(self, syndrome: int = IDS) -> None:
        """Make a virtual SError pending (HCR_EL2.VSE): the guest takes it at EL1 once PSTATE.A allows, or defers it by ESB.

        :param syndrome: its ESR_EL1.ISS (VSESR_EL2; a CPU without FEAT_RAS has none): by default IDS, as KVM sets it.
        """
        self.vserror = syndrome
        if self.cpu is not None:
            self.set_serror()
        elif self.state is RunState.WAITING:  # an SError ends a WFI
            self.state = RunState.READY

    def set_serror(self) -> None:
        """Set the virtual SError on the CPU of this vCPU, if one is pending."""
        if self.vserror is None or self.cpu is None:
            return
        m, cpu = self.machine, self.cpu
        if self.vm.has_ras:
            m.msr(cpu, "VSESR_EL2", self.vserror)
        m.msr(cpu, "HCR_EL2", m.mrs(cpu, "HCR_EL2") | VSE)

    def inject_undefined(self) -> None:
        """Inject an undefined instruction (EC 0)."""
        self.inject(IL)

    def inject_abort(self, far: int, *, fetch: bool, kind: int = 0, walk: int | None = None) -> None:
        """Inject a synchronous external abort on the access that exited, as a bus reports for an address without a device.

        :param kind: CM and WnR of the exit's ISS, which a data abort keeps: AT and cache maintenance walk tables too.
        :param walk: level of the stage 1 descriptor whose fetch it was (FSC 0x14 to 0x17), or None for the access (0x10).
        """
        ec = INSTRUCTION_ABORT if fetch else DATA_ABORT
        fsc = EXTERNAL if walk is None else EXTERNAL_ON_WALK + walk
        self.inject(ec << EC.lsb | IL | kind | fsc, far)
