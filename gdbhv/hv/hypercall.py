"""Hypercalls: SMCCC (Arm DEN 0028) and PSCI 1.1 (Arm DEN 0022) by HVC or SMC, and the ones that a user adds."""

from __future__ import annotations

from collections.abc import Callable

from gdbhv.hv.vcpu import Vcpu, VcpuState

NOT_SUPPORTED = -1
INVALID_PARAMETERS = -2
DENIED = -3
ALREADY_ON = -4
SUCCESS = 0

AFFINITY = 0xFF_00FF_FFFF  # the affinity fields of MPIDR_EL1

Call = Callable[[Vcpu], int | None]
CALLS: dict[int, tuple[str, Call]] = {}


def call(name: str, *functions: int) -> Callable[[Call], Call]:
    """File a function under its SMCCC function identifiers. What it returns goes to x0; None leaves the registers alone."""

    def add(f: Call) -> Call:
        for number in functions:
            CALLS[number] = (name, f)
        return f

    return add


def name_of(function: int) -> str:
    """Return the name of a function identifier, or its number."""
    return CALLS[function][0] if function in CALLS else f"{function:#x}"


def handle(vcpu: Vcpu) -> None:
    """Serve the call whose identifier is in w0."""
    function = vcpu.x(0) & 0xFFFFFFFF
    served = vcpu.vm.hypercalls.get(function) or CALLS.get(function, (None, None))[1]
    result = NOT_SUPPORTED if served is None else served(vcpu)
    if result is not None:
        vcpu.set_x(0, result)


def target(vcpu: Vcpu, mpidr: int) -> Vcpu | None:
    """Return the vCPU of the same VM with affinity ``mpidr``."""
    for other in vcpu.vm.vcpus:
        if other.mpidr & AFFINITY == mpidr & AFFINITY and mpidr & ~AFFINITY == 0:
            return other
    return None


@call("PSCI_VERSION", 0x84000000)
def version(vcpu: Vcpu) -> int:
    """1.1."""
    return 0x10001


@call("CPU_SUSPEND", 0x84000001, 0xC4000001)
def cpu_suspend(vcpu: Vcpu) -> int:
    """A standby state: wait as in WFI."""
    vcpu.vm.host.scheduler.wait(vcpu)
    return SUCCESS


@call("CPU_OFF", 0x84000002)
def cpu_off(vcpu: Vcpu) -> int | None:
    """The calling vCPU goes off; the call does not return."""
    vcpu.state = VcpuState.OFF
    return None


@call("CPU_ON", 0x84000003, 0xC4000003)
def cpu_on(vcpu: Vcpu) -> int:
    """Start the vCPU of affinity x1 at address x2 with x3 in its x0."""
    wide = vcpu.x(0) >> 30 & 1
    mask = (1 << 64) - 1 if wide else (1 << 32) - 1
    other = target(vcpu, vcpu.x(1) & mask)
    if other is None:
        return INVALID_PARAMETERS
    if other.state is not VcpuState.OFF:
        return ALREADY_ON
    vcpu.vm.host.scheduler.start(other, vcpu.x(2) & mask, vcpu.x(3) & mask)
    return SUCCESS


@call("AFFINITY_INFO", 0x84000004, 0xC4000004)
def affinity_info(vcpu: Vcpu) -> int:
    """0 on, 1 off."""
    other = target(vcpu, vcpu.x(1))
    if other is None or vcpu.x(2):
        return INVALID_PARAMETERS
    return int(other.state is VcpuState.OFF)


@call("MIGRATE_INFO_TYPE", 0x84000006)
def migrate_info_type(vcpu: Vcpu) -> int:
    """2: there is no trusted OS that would have to migrate."""
    return 2


@call("SYSTEM_OFF", 0x84000008)
def system_off(vcpu: Vcpu) -> int | None:
    """The VM ends."""
    vcpu.vm.stop("poweroff")
    return None


@call("SYSTEM_RESET", 0x84000009)
@call("SYSTEM_RESET2", 0x84000012, 0xC4000012)
def system_reset(vcpu: Vcpu) -> int | None:
    """The VM asks to begin again; the host decides."""
    vcpu.vm.stop("reset")
    return None


@call("PSCI_FEATURES", 0x8400000A)
def psci_features(vcpu: Vcpu) -> int:
    """Whether a function is there."""
    return SUCCESS if vcpu.x(1) & 0xFFFFFFFF in CALLS else NOT_SUPPORTED


@call("SMCCC_VERSION", 0x80000000)
def smccc_version(vcpu: Vcpu) -> int:
    """1.1."""
    return 0x10001


@call("SMCCC_ARCH_FEATURES", 0x80000001)
def smccc_arch_features(vcpu: Vcpu) -> int:
    """No workaround calls are needed: nothing here speculates."""
    return SUCCESS if vcpu.x(1) & 0xFFFFFFFF in (0x80000000, 0x80000001) else NOT_SUPPORTED
