"""Trapped system registers: what KVM's ``sys_regs.c`` does, as one table of names.

An access that no row serves is undefined to the guest, and reported to the user (``Vm.note``).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from gdbhv.tables import iss_field, registers

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord
    from gdbhv.hv.vcpu import Vcpu

# read(vcpu, name) -> value; write(vcpu, name, value)
Read = Callable[["Vcpu", str], int]
Write = Callable[["Vcpu", str, int], None]


def hardware(vcpu: Vcpu, name: str) -> int:
    """Read the CPU's own value: ID registers describe what the machine implements."""
    assert vcpu.cpu is not None
    return vcpu.machine.mrs(vcpu.cpu, name)


def zero(vcpu: Vcpu, name: str) -> int:
    """Read as zero."""
    return 0


def ignore(vcpu: Vcpu, name: str, value: int) -> None:
    """Ignore a write."""


def to_hardware(vcpu: Vcpu, name: str, value: int) -> None:
    """Read the guest's own register, whose accesses are trapped only so that a debugger sees them (HCR_EL2.TVM)."""
    assert vcpu.cpu is not None
    vcpu.machine.msr(vcpu.cpu, name, value)


def without_features(vcpu: Vcpu, name: str) -> int:
    """Read an ID register without the features that the guest does not get: EL2 and nested virtualization."""
    value = hardware(vcpu, name)
    for field_name in HIDDEN.get(name, ()):
        value &= ~registers()[name].field(field_name).mask
    return value


HIDDEN = {
    "ID_AA64PFR0_EL1": ("EL2",),
    "ID_AA64MMFR0_EL1": ("FGT",),
    "ID_AA64MMFR1_EL1": ("HCX",),
    "ID_AA64MMFR2_EL1": ("NV",),
    "ID_AA64DFR0_EL1": ("PMSVer", "TraceVer"),
}


def send_sgi(vcpu: Vcpu, name: str, value: int) -> None:
    """Send an SGI to vCPUs of the VM (ICC_SGI1R_EL1, ICC_SGI0R_EL1 and ICC_ASGI1R_EL1)."""
    vcpu.vm.vgic.send_sgi(vcpu, value, group1=name == "ICC_SGI1R_EL1")


def deactivate(vcpu: Vcpu, name: str, value: int) -> None:
    """Deactivate an interrupt (ICC_DIR_EL1, trapped only while active interrupts are outside the list registers)."""
    vcpu.vm.vgic.deactivate(vcpu, value & 0xFFFFFF)


def read_timer(vcpu: Vcpu, name: str) -> int:
    """Read the emulated EL1 physical timer."""
    return vcpu.ptimer.read(name)


def write_timer(vcpu: Vcpu, name: str, value: int) -> None:
    """Write the emulated EL1 physical timer."""
    vcpu.ptimer.write(name, value)


def lent(vcpu: Vcpu, name: str) -> int:
    """Read a debug register that the guest has not written yet."""
    assert vcpu.cpu is not None
    vcpu.debug.put(vcpu.cpu)
    return hardware(vcpu, name)


def own_debug(vcpu: Vcpu, name: str, value: int) -> None:
    """Write a debug register for the first time: it goes to the hardware, and writes that follow are not trapped."""
    assert vcpu.cpu is not None
    vcpu.debug.own(vcpu.cpu)
    to_hardware(vcpu, name, value)


def read_pmu(vcpu: Vcpu, name: str) -> int:
    """Read the guest's performance monitors."""
    return vcpu.pmu.read(name)


def write_pmu(vcpu: Vcpu, name: str, value: int) -> None:
    """Write the guest's performance monitors."""
    vcpu.pmu.write(name, value)


# (name or glob, read, write); the first row that matches applies.
TABLE: list[tuple[str, Read | None, Write | None]] = [
    ("ID_*", without_features, None),
    ("S3_0_C0_C[1-7]_?", zero, None),  # reserved for ID registers: RAZ (D24.1.3)
    ("MVFR*", hardware, None),
    ("REVIDR_EL1", hardware, None),
    ("AIDR_EL1", hardware, None),
    ("CCSIDR_EL1", hardware, None),
    ("CLIDR_EL1", hardware, None),
    ("CSSELR_EL1", hardware, to_hardware),
    ("CTR_EL0", hardware, None),
    ("ACTLR_EL1", zero, ignore),
    ("ICC_SGI1R_EL1", None, send_sgi),
    ("ICC_DIR_EL1", None, deactivate),
    ("ICC_ASGI1R_EL1", None, send_sgi),
    ("ICC_SGI0R_EL1", None, send_sgi),
    ("ICC_SRE_EL1", hardware, ignore),
    ("SCTLR_EL1", hardware, to_hardware),
    ("TCR_EL1", hardware, to_hardware),
    ("TTBR?_EL1", hardware, to_hardware),
    ("MAIR_EL1", hardware, to_hardware),
    ("AMAIR_EL1", hardware, to_hardware),
    ("AFSR?_EL1", hardware, to_hardware),
    ("ESR_EL1", hardware, to_hardware),
    ("FAR_EL1", hardware, to_hardware),
    ("CONTEXTIDR_EL1", hardware, to_hardware),
    ("CPACR_EL1", hardware, to_hardware),
    ("CNTP_*", read_timer, write_timer),
    ("PMMIR_EL1", read_pmu, None),
    ("PMCEID?_EL0", read_pmu, None),
    ("PMSWINC_EL0", None, write_pmu),
    ("PM*", read_pmu, write_pmu),
    # Debug: trapped until the guest writes one of these (hv/debugregs.py), the OS lock always
    ("MDSCR_EL1", hardware, own_debug),
    ("DBGAUTHSTATUS_EL1", hardware, None),
    ("DBGDTR*", zero, ignore),
    ("DBGPRCR_EL1", hardware, to_hardware),
    ("DBG*", lent, own_debug),
    ("MDCCINT_EL1", lent, own_debug),
    ("MDCCSR_EL0", zero, None),
    ("MDRAR_EL1", zero, None),
    ("OSLAR_EL1", None, to_hardware),
    ("OSLSR_EL1", hardware, None),
    ("OSDLR_EL1", hardware, to_hardware),
    ("OSECCR_EL1", lent, own_debug),
    ("OSDTR*", lent, own_debug),
    ("LOR*", zero, ignore),
    ("ERRIDR_EL1", zero, None),
]


RT = iss_field("sysreg", "Rt")


@cache
def row(name: str) -> tuple[Read | None, Write | None]:
    """Return the functions that serve register ``name``."""
    for pattern, read, write in TABLE:
        if fnmatch.fnmatchcase(name, pattern):
            return read, write
    return None, None


def emulate(vcpu: Vcpu, record: ExitRecord) -> None:
    """Serve one trapped access and continue after it, or make it undefined."""
    kind, _, name = record["name"].partition(":")
    rt = RT.of(record["esr"])
    if kind == "sysinsn":
        if name.startswith(("DC_", "DC ", "IC_", "IC ")):
            vcpu.skip()  # the machine's caches are coherent, so maintenance by set and way does nothing
            return
    else:
        read, write = row(name)
        if kind == "sysreg.read" and read is not None:
            vcpu.set_x(rt, read(vcpu, name))
            vcpu.skip()
            return
        if kind == "sysreg.write" and write is not None:
            write(vcpu, name, vcpu.x(rt))
            vcpu.skip()
            return
    vcpu.vm.note(record["name"], record["pc"])
    vcpu.inject_undefined()
