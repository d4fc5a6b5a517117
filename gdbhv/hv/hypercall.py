"""Hypercalls: SMCCC (Arm DEN 0028) and PSCI 1.1 (Arm DEN 0022) by HVC or SMC, and those that a user adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gdbhv.hv.vcpu import RunState, Vcpu

NOT_SUPPORTED = -1
INVALID_PARAMETERS = -2
DENIED = -3
ALREADY_ON = -4
INVALID_ADDRESS = -9
SUCCESS = 0

AFFINITY = 0xFF_00FF_FFFF  # the affinity fields of MPIDR_EL1; other bits of a target are ignored
# Bits of CPU_SUSPEND's power state: levels above the CPU's own, which cannot be suspended, and reserved ones
NO_STATE = 0xFFFE_0000

Serve = Callable[[Vcpu], int | None]


class Call(NamedTuple):
    """A function of SMCCC: its name, how many arguments it has in x1 and up, and what it does."""

    name: str
    arguments: int
    serve: Serve


CALLS: dict[int, Call] = {}
MOST_ARGUMENTS = 3  # as many as an exit's record has, and PSCI uses


def call(name: str, arguments: int, *functions: int) -> Callable[[Serve], Serve]:
    """Register a function for SMCCC function identifiers. Its result goes to x0; None leaves the registers alone.

    :param arguments: the number of its arguments.
    """

    def add(f: Serve) -> Serve:
        for number in functions:
            CALLS[number] = Call(name, arguments, f)
        return f

    return add


def text(registers: Sequence[int]) -> str:
    """Return a call in function notation, with the number of a function without a name: ``CPU_ON(0x1, 0x40080000, 0x0)``.

    :param registers: x0 to x3 at the call.
    """
    function, *values = registers
    function &= 0xFFFFFFFF
    known = CALLS.get(function)
    name, arguments = (f"{function:#x}", MOST_ARGUMENTS) if known is None else known[:2]
    return f"{name}({', '.join(f'{_argument(function, v):#x}' for v in values[:arguments])})"


def handle(vcpu: Vcpu) -> None:
    """Serve the call whose identifier is in w0."""
    function = vcpu.x(0) & 0xFFFFFFFF
    known = CALLS.get(function)
    served = vcpu.vm.hypercalls.get(function) or (None if known is None else known.serve)
    result = NOT_SUPPORTED if served is None else served(vcpu)
    if result is not None:
        vcpu.set_x(0, result)


def argument(vcpu: Vcpu, number: int) -> int:
    """Return an argument of the call, X1 to X3."""
    return _argument(vcpu.x(0), vcpu.x(number))


def _argument(function: int, value: int) -> int:
    """Return an argument from its register: a 32-bit call has them in W1 to W3 (SMCCC, 2.5)."""
    return value if function >> 30 & 1 else value & 0xFFFFFFFF


def targets(vcpu: Vcpu, mpidr: int, level: int = 0) -> list[Vcpu]:
    """Return the vCPUs of the same VM whose affinity is ``mpidr`` from ``level`` up."""
    mask = AFFINITY >> 8 * level << 8 * level
    return [other for other in vcpu.vm.vcpus if (other.mpidr ^ mpidr) & mask == 0]


@call("PSCI_VERSION", 0, 0x84000000)
def version(vcpu: Vcpu) -> int:
    """Return 1.1."""
    return 0x10001


@call("CPU_SUSPEND", 3, 0x84000001, 0xC4000001)
def cpu_suspend(vcpu: Vcpu) -> int:
    """Wait as in WFI: standby, which is also allowed for a power-down state."""
    if argument(vcpu, 1) & NO_STATE:
        return INVALID_PARAMETERS
    vcpu.vm.host.scheduler.wait(vcpu)
    return SUCCESS


@call("CPU_OFF", 0, 0x84000002)
def cpu_off(vcpu: Vcpu) -> int | None:
    """Switch the calling vCPU off; the call does not return."""
    vcpu.state = RunState.OFF
    return None


@call("CPU_ON", 3, 0x84000003, 0xC4000003)
def cpu_on(vcpu: Vcpu) -> int:
    """Start the vCPU of affinity x1 at address x2 with x3 in its x0."""
    entry = argument(vcpu, 2)
    others = targets(vcpu, argument(vcpu, 1))
    if not others:
        return INVALID_PARAMETERS
    if others[0].state is not RunState.OFF:
        return ALREADY_ON
    if entry % 4 or vcpu.vm.slot(entry) is None:
        return INVALID_ADDRESS
    vcpu.vm.host.scheduler.start(others[0], entry, argument(vcpu, 3))
    return SUCCESS


@call("AFFINITY_INFO", 2, 0x84000004, 0xC4000004)
def affinity_info(vcpu: Vcpu) -> int:
    """Return 0 if a vCPU of affinity x1, from level x2 (0 to 3) up, is on; 1 if all are off."""
    level = argument(vcpu, 2)
    others = targets(vcpu, argument(vcpu, 1), level) if level <= 3 else []
    if not others:
        return INVALID_PARAMETERS
    return int(all(other.state is RunState.OFF for other in others))


@call("MIGRATE_INFO_TYPE", 0, 0x84000006)
def migrate_info_type(vcpu: Vcpu) -> int:
    """Return 2: there is no trusted OS that would have to migrate."""
    return 2


@call("SYSTEM_OFF", 0, 0x84000008)
def system_off(vcpu: Vcpu) -> int | None:
    """End the VM."""
    vcpu.vm.stop("poweroff")
    return None


@call("SYSTEM_RESET", 0, 0x84000009)
def system_reset(vcpu: Vcpu) -> int | None:
    """Ask the host to reset the VM."""
    vcpu.vm.stop("reset")
    return None


@call("SYSTEM_RESET2", 2, 0x84000012, 0xC4000012)
def system_reset2(vcpu: Vcpu) -> int | None:
    """Reset the VM: a warm reset (type 0 in w1) or a vendor's (bit 31). Other types are reserved."""
    return INVALID_PARAMETERS if 0 < vcpu.x(1) & 0xFFFFFFFF < 1 << 31 else system_reset(vcpu)


@call("PSCI_FEATURES", 1, 0x8400000A)
def psci_features(vcpu: Vcpu) -> int:
    """Return whether a function exists."""
    return SUCCESS if vcpu.x(1) & 0xFFFFFFFF in CALLS else NOT_SUPPORTED


@call("SMCCC_VERSION", 0, 0x80000000)
def smccc_version(vcpu: Vcpu) -> int:
    """Return 1.1."""
    return 0x10001


@call("SMCCC_ARCH_FEATURES", 1, 0x80000001)
def smccc_arch_features(vcpu: Vcpu) -> int:
    """Return that no workaround calls are needed: nothing here speculates."""
    return SUCCESS if vcpu.x(1) & 0xFFFFFFFF in (0x80000000, 0x80000001) else NOT_SUPPORTED
