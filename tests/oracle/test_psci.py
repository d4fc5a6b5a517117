"""The firmware against a live QEMU: each function of PSCI 1.1 and SMCCC 1.1, by SMC from EL2, by HVC from EL1, and in a VM.

PSCI (Arm DEN 0022) and SMCCC (DEN 0028) are the judges. Where we differ is listed here with the reason, and an entry that is
not needed any more fails.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import StopKind
from hv.programs import CODE, HVC0, add_vm, branch
from oracle import psci
from oracle.psci import Call, Results

CPU_SUSPEND, CPU_OFF, CPU_ON, AFFINITY_INFO, SYSTEM_OFF, SYSTEM_RESET, FEATURES = 1, 2, 3, 4, 8, 9, 10
SYSTEM_RESET2 = 0x12
SMC32, SMC64 = 0x8400_0000, 0xC400_0000
SMCCC = (0x8000_0000, 0x8000_0001)
"""SMCCC_VERSION and SMCCC_ARCH_FEATURES."""
QEMU_0_1 = range(0x95C1_BA5E, 0x95C1_BA62)
AFFINITY = 0xFF_00FF_FFFF


def both(function: int) -> tuple[int, int]:
    """Return a function's numbers: the 32-bit form, and what would be the 64-bit form."""
    return SMC32 | function, SMC64 | function


def numbers() -> Iterator[Call]:
    """Every function number that may mean something, with zeros, and PSCI_FEATURES of it."""
    own = [n for f in range(0x24) for n in both(f)]
    smccc = [0x8000_0000, 0x8000_0001, 0x8000_0002, 0x8000_3FFF, 0x8000_7FFF, 0x8000_8000, 0xC000_0000, 0xC000_0001]
    owners = [0x8400_FF01, 0x8400_FF03, 0x8600_FF01, 0x8600_FF03, 0xC600_FF01, 0xBF00_FF01, 0xBF00_FF03]
    odd = [0, 1, 0x0400_0000, 0x4400_0000, 0xFFFF_FFFF, 0xDEAD_0000_8400_0000]
    ending = {SMC32 | CPU_OFF, SMC32 | SYSTEM_OFF, SMC32 | SYSTEM_RESET, *both(SYSTEM_RESET2), QEMU_0_1[1], QEMU_0_1[2]}
    for n in (*own, *smccc, *owners, *QEMU_0_1, *odd):
        if n not in ending:
            yield Call(n)
        yield from (Call(features, n) for features in both(FEATURES))
        yield Call(0x8000_0001, n)
    yield Call(SMC32 | FEATURES, 0xFFFF_FFFF_8400_0000)
    yield from (Call(n, 1) for n in both(SYSTEM_RESET2))  # a reserved type


TARGETS = (0, 1, 7, 8, 0x100, 0x1_0000, 0x1_0000_0000, AFFINITY, 1 << 24, 1 << 30 | 1, 1 << 31, 1 << 31 | 1, 1 << 63)
LEVELS = (0, 1, 2, 3, 4, 0xFFFF_FFFF, 1 << 32)
STATES = (0, 1, 0xFFFF, *(1 << n for n in range(16, 33)), 0x1_0001, 0x300_0000, 0xFFFF_FFFF)


def states() -> Iterator[Call]:
    """CPU_SUSPEND with each kind of power state, and AFFINITY_INFO of each kind of target, of which CPU 0 alone is on."""
    yield from (Call(n, state, psci.secondary(), 5) for n in both(CPU_SUSPEND) for state in STATES)
    yield from (Call(n, target, level) for n in both(AFFINITY_INFO) for target in TARGETS for level in LEVELS)


def lives() -> Iterator[Call]:
    """CPUs that are started, asked for, switched off by themselves, and started again; targets and entries of every kind."""
    start = psci.secondary()
    for n in (SMC64 | CPU_ON, SMC32 | CPU_ON):
        for target in (0, 8, 0x100, 0x1_0000, 0x1_0000_0000, 1 << 31, 0xFFFF_FFFF_0000_0000):
            yield Call(n, target, start, 5)
    yield from (Call(SMC64 | CPU_ON, cpu, start, 0x1234_5678_9ABC_DEF0 | cpu) for cpu in (1, 2, 3))
    for n in both(AFFINITY_INFO):
        yield from (Call(n, cpu) for cpu in range(psci.CPUS))
    yield from (Call(n, 1, start, 5) for n in both(CPU_ON))
    for cpu, off in ((1, SMC64 | CPU_OFF), (1, SMC32 | CPU_OFF), (2, SMC32 | CPU_OFF)):
        yield Call(off, cpu=cpu)
        yield from (Call(n, cpu, level) for n in both(AFFINITY_INFO) for level in (0, 1))
    yield Call(SMC64 | CPU_ON, 1, start, -1)
    yield Call(SMC32 | CPU_ON, 2, start, -1)
    yield Call(SMC32 | CPU_ON, 0xFFFF_FFFF_0000_0004, start | 0xFFFF_FFFF_0000_0000, 0x1_0000_0004)
    yield Call(SMC64 | CPU_ON, 1 << 31 | 5, start, 6)
    entries = (start + 2, 0, 1 << 63 | start, 0x40_0000_0000)
    yield from (Call(SMC32 | CPU_OFF, cpu=cpu) for cpu in (2, 3))
    yield from (Call(SMC64 | CPU_ON, target, e, 5) for target, e in zip((2, 3, 6, 7), entries, strict=True))


class Difference(NamedTuple):
    """Calls that give something else here, the first row that has one counts; what they give here and on QEMU."""

    reason: str
    has: Callable[[Call], bool]
    ours: set[str]
    theirs: set[str]


def is_(call: Call, *functions: int) -> bool:
    return call.x0 & ~(1 << 30) in {SMC32 | f for f in functions}


DIFFERENT = [
    Difference(
        "the numbers of PSCI 0.1 are the firmware's own choice: the tree has to tell them, and does not",
        lambda c: c.x0 in QEMU_0_1 or c.x1 in QEMU_0_1,
        {"-1"},
        {"0"},
    ),
    Difference(
        "SMCCC 2.5: a function's number is W0, and PSCI_FEATURES takes one in W1",
        lambda c: c.x0 >> 32 != 0 or (is_(c, FEATURES) and c.x1 >> 32 != 0),
        {"0x10001", "0"},
        {"-1"},
    ),
    Difference(
        "SMCCC 2.5: a 32-bit call has its arguments in W1 to W3",
        lambda c: c.x0 < 1 << 31 | 1 << 30 and (c.x1 | c.x2) >> 32 != 0,
        {"0", "1", "-2", "-4"},
        {"0", "-2"},
    ),
    Difference(
        "INVALID_ADDRESS (DEN 0022, CPU_ON): QEMU starts the CPU where nothing can be executed, or has INVALID_PARAMETERS",
        lambda c: is_(c, CPU_ON) and c.x2 != psci.secondary(),
        {"-9"},
        {"0", "-2"},
    ),
    Difference(
        "AFFINITY_INFO: QEMU looks at no level but the lowest, and says on for CPUs and levels that there are not",
        lambda c: is_(c, AFFINITY_INFO) and c.x2 != 0,
        {"-2"},
        {"0"},
    ),
    Difference(
        "bits of MPIDR_EL1 that are no affinity do not count: hypervisors pass the register as it reads",
        lambda c: is_(c, CPU_ON, AFFINITY_INFO) and c.x1 & ~AFFINITY != 0,
        {"0", "1", "-4"},
        {"-2"},
    ),
]
OF_A_VM = [
    Difference(
        "a VM has SMCCC 1.1, as KVM's have",
        lambda c: c.x0 in SMCCC[:1] or ((c.x0 in SMCCC or is_(c, FEATURES)) and c.x1 in SMCCC),
        {"0", "0x10001"},
        {"-1"},
    ),
    Difference(
        "a VM has SYSTEM_RESET2, as KVM's have",
        lambda c: is_(c, SYSTEM_RESET2) or (is_(c, FEATURES) and c.x1 in both(SYSTEM_RESET2)),
        {"0", "-2"},
        {"-1"},
    ),
]

LISTS = {"numbers": numbers, "states": states, "lives": lives}
MACHINES = {"bare-el2": (psci.on_board, True), "bare-el1": (psci.on_board, False), "vm": (psci.in_vm, False)}
each_machine = pytest.mark.parametrize("machine", MACHINES)


@functools.cache
def on_qemu(name: str, *, el2: bool) -> Results:
    return psci.on_qemu(list(LISTS[name]()), el2=el2)


def compare(machine: str, name: str, rows: list[Difference]) -> tuple[list[str], set[str]]:
    """Return what differs and is not listed, and the reasons that were needed."""
    run, el2 = MACHINES[machine]
    calls = list(LISTS[name]())
    wrong, needed = [], set()
    for call, ours, theirs in zip(calls, run(calls, el2=el2)[0], on_qemu(name, el2=el2)[0], strict=True):
        if ours == theirs:
            continue
        row = next((r for r in rows if r.has(call)), None)
        if row is None or ours not in row.ours or theirs not in row.theirs:
            text = " ".join(f"{x:#x}" for x in call[:4]) + (f" by CPU {call.cpu}" if call.cpu else "")
            wrong.append(f"{text}: ours {ours}, QEMU's {theirs}; {row.reason if row else 'not listed'}")
        else:
            needed.add(row.reason)
    return wrong, needed


@each_machine
def test_each_result(machine: str) -> None:
    rows = OF_A_VM + DIFFERENT if machine == "vm" else DIFFERENT
    found = [compare(machine, name, rows) for name in LISTS]
    assert [line for wrong, _ in found for line in wrong] == []
    needed = set().union(*(n for _, n in found))
    assert [r.reason for r in rows if r.reason not in needed] == [], "listed, but the same"


@each_machine
def test_cpus_that_are_started(machine: str) -> None:
    """MPIDR_EL1, the context in X0 and the exception level of CPUs 1 to 7."""
    run, el2 = MACHINES[machine]
    calls = [Call(SMC64 | CPU_ON, cpu, psci.secondary(), 0xABCD_0000_0000_0000 | cpu) for cpu in range(1, psci.CPUS)]
    ours = run(calls, el2=el2)
    assert ours == psci.on_qemu(calls, el2=el2)
    assert ours[0] == ["0"] * 7
    assert [(cpu.mpidr, cpu.x0 & 0xFF, cpu.current_el) for cpu in ours[1]] == [
        (1 << 31 | n, n, 8 if el2 else 4) for n in range(1, psci.CPUS)
    ]


@each_machine
@pytest.mark.parametrize("function", [SYSTEM_OFF, SYSTEM_RESET])
def test_calls_that_end_it(machine: str, function: int) -> None:
    run, el2 = MACHINES[machine]
    calls = [Call(SMC32 | function)]
    assert run(calls, el2=el2)[0] == psci.on_qemu(calls, el2=el2)[0] == ["never"]


@pytest.mark.parametrize(
    ("function", "kind", "result"),
    [
        (SMC32 | SYSTEM_RESET2, 0, None),
        (SMC64 | SYSTEM_RESET2, 0, None),
        (SMC64 | SYSTEM_RESET2, 0x8000_0000, None),  # a vendor's
        (SMC64 | SYSTEM_RESET2, 1, -2),
        (SMC32 | SYSTEM_RESET2, 0x7FFF_FFFF, -2),
        (SMC32 | SYSTEM_RESET2, 1 << 32, None),  # W1
    ],
)
def test_types_of_system_reset2(function: int, kind: int, result: int | None) -> None:
    """DEN 0022, SYSTEM_RESET2: SYSTEM_WARM_RESET is type 0, types with bit 31 are the vendor's, all others reserved."""
    host = Host(memory=4 << 20)
    vm = add_vm(host, HVC0, branch(0))
    target = HostTarget(host)
    vm.vcpus[0].set_x(0, function)
    vm.vcpus[0].set_x(1, kind)
    stop = target.run_all(10)
    if result is None:
        assert stop.kind is StopKind.RESET
    else:
        assert (vm.vcpus[0].x(0), vm.vcpus[0].pc) == (result & psci.MASK, CODE + 4)
