"""A guest's performance monitors and timed waiting: what it counts is its own, whoever runs, wherever the run is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.sched import SLICE
from gdbhv.machine.machine import Machine
from gdbhv.target import Action, StopKind, Target
from hv.programs import (
    CODE,
    ERET,
    ISB,
    MEMORY,
    NOP,
    UNMASK_IRQ,
    VECTORS,
    WFI,
    add,
    add_vm,
    branch,
    code,
    mrs,
    msr,
    thread,
    wfit,
)

COUNT = (NOP, add(0, 0, 1), branch(-1))
GICD_CTLR, IGROUPR0, ISENABLER0 = 0x08000000, 0x080B0080, 0x080B0100
PMU = 23
CYCLES = 0x11


def str_w(rt: int, rn: int) -> int:
    """STR Wt, [Xn]."""
    return 0xB9000000 | rn << 5 | rt


PMCR, PMCNTENSET, PMOVSCLR = (3, 9, 12, 0), (3, 9, 12, 1), (3, 9, 12, 3)
PMCCNTR, PMINTENSET = (3, 9, 13, 0), (0, 9, 14, 1)
PMEVCNTR0, PMEVTYPER0 = (3, 14, 8, 0), (3, 14, 12, 0)
PMR, IGRPEN1, IAR1, EOIR1, CNTVCT = (0, 4, 6, 0), (0, 12, 12, 7), (0, 12, 12, 0), (0, 12, 12, 1), (3, 14, 0, 2)


def counting(vms: int) -> HostTarget:
    """VMs that count their cycles (PMCNTENSET_EL0.C, PMCR_EL0.E) while they count in x0."""
    host = Host(cpus=1, memory=vms * MEMORY)
    for n in range(vms):
        add_vm(host, msr(*PMCNTENSET, 20), msr(*PMCR, 21), *[NOP] * n, *COUNT)
    target = HostTarget(host)
    for n in range(vms):
        target.write_register(thread(n + 1), "x20", 1 << 31)
        target.write_register(thread(n + 1), "x21", 1)
    return target


@pytest.mark.parametrize("pieces", [1, 7, 100])
def test_each_vcpu_counts_its_own_cycles(pieces: int) -> None:
    target = counting(3)
    moving = [Action(thread(n)) for n in (1, 2, 3)]
    for _ in range(pieces):
        assert target.run(moving, 9 * SLICE // pieces).kind is StopKind.BUDGET
    seen = []
    for n in range(3):
        loops, cycles = (target.read_register(thread(n + 1), r) for r in ("x0", "PMCCNTR_EL0"))
        # A round is two instructions; before the first come the NOPs; it may stand in the middle of one.
        assert cycles - 2 * loops - n - 1 in (-1, 0, 1), (n, loops, cycles)
        seen.append((loops, cycles))
    assert min(loops for loops, _ in seen) > SLICE
    assert [target.read_register(thread(n + 1), "PMCR_EL0") & 1 for n in range(3)] == [1, 1, 1]


def interrupted(insns: int, pieces: int) -> tuple[int, ...]:
    """A guest whose counter overflows every 256 cycles; how often it was interrupted, by what, and where it is."""
    host = Host(cpus=1, memory=MEMORY)
    setup = [msr(*PMR, 20), msr(*IGRPEN1, 21), str_w(6, 5), str_w(4, 3), str_w(2, 1)]
    setup += [msr(*PMEVTYPER0, 8), msr(*PMEVCNTR0, 9), msr(*PMINTENSET, 21), msr(*PMCNTENSET, 21), msr(*PMCR, 21)]
    vm = add_vm(host, *setup, UNMASK_IRQ, *COUNT)
    handler = (mrs(*IAR1, 10), add(11, 11, 1), msr(*PMOVSCLR, 21), msr(*PMEVCNTR0, 9), msr(*EOIR1, 10), ERET)
    vm.write(VECTORS + 0x280, code(*handler))
    target = HostTarget(host)
    values = {"x1": ISENABLER0, "x2": 1 << PMU, "x3": IGROUPR0, "x4": 0xFFFFFFFF, "x5": GICD_CTLR, "x6": 0x12}
    values |= {"x8": CYCLES, "x9": 0xFFFFFF00, "x20": 0xF8, "x21": 1, "VBAR_EL1": VECTORS}
    for name, value in values.items():
        target.write_register(thread(), name, value)
    for _ in range(pieces):
        assert target.run([Action(thread())], insns // pieces).kind is StopKind.BUDGET
    return tuple(target.read_register(thread(), r) for r in ("x0", "x10", "x11", "pc", "PMEVCNTR0_EL0"))


def test_overflow_interrupts_the_guest() -> None:
    loops, intid, times, *_ = interrupted(100_000, 1)
    assert intid == PMU
    # Between two overflows are 256 cycles, of which some are spent in the handler behind the write of the counter.
    assert 100_000 // 262 - 5 <= times <= 100_000 // 256
    assert loops > 100 * times
    assert interrupted(100_000, 50) == interrupted(100_000, 1)


def test_monitors_are_those_that_the_guest_is_told_of() -> None:
    host = Host(cpus=1, memory=MEMORY)
    add_vm(host, mrs(0, 0, 5, 0, 0), mrs(*PMCR, 1), mrs(3, 9, 12, 6, 2), WFI)
    target = HostTarget(host)
    target.run([Action(thread())], 10_000)
    dfr0, pmcr, events = (target.read_register(thread(), f"x{n}") for n in range(3))
    assert dfr0 >> 8 & 15 == 7  # PMUv3p7
    assert pmcr >> 11 & 31 == 6
    assert events >> CYCLES & 1


def test_a_debugger_writes_those_of_each_vcpu() -> None:
    target = counting(3)
    for n in range(3):
        target.write_register(thread(n + 1), "PMCCNTR_EL0", 1000 * n)
        target.write_register(thread(n + 1), "pmevtyper0_el0", n)
    for n in range(3):
        assert target.read_register(thread(n + 1), "PMCCNTR_EL0") == 1000 * n
        assert target.read_register(thread(n + 1), "PMEVTYPER0_EL0") == n
    target.run([Action(thread(n)) for n in (1, 2, 3)], 9 * SLICE)
    for n in range(3):
        loops, cycles = (target.read_register(thread(n + 1), r) for r in ("x0", "PMCCNTR_EL0"))
        assert cycles - 1000 * n - 2 * loops - n - 1 in (-1, 0, 1)


@pytest.mark.parametrize("others", [0, 1])
def test_wfit_waits_until_its_count(others: int) -> None:
    """Also while another vCPU keeps the CPU busy."""
    host = Host(cpus=1, memory=(1 + others) * MEMORY)
    program = (mrs(*CNTVCT, 0), add(1, 0, 0x400), wfit(1), mrs(*CNTVCT, 2), wfit(31), WFI)
    add_vm(host, *program)
    for _ in range(others):
        add_vm(host, *COUNT)
    target = HostTarget(host)
    moving = [Action(thread(n + 1)) for n in range(1 + others)]
    target.run(moving, 3 * SLICE)
    begin, until, end = (target.read_register(thread(), f"x{n}") for n in range(3))
    assert until == begin + 0x400
    late = end - until
    assert 0 <= late < 16 + others * SLICE // 16
    counts = {row["name"]: row["count"] for row in host.machine.exit_counts()}
    assert counts["wfx.wfit"] == 1  # that of XZR is over before it traps
    assert target.read_register(thread(), "pc") in (CODE + 5 * 4, CODE + 6 * 4)


CHAIN, USER, PRIVILEGED = 0x1E, 1 << 30, 1 << 31  # an event, and the filters U and P: not at EL0, not at EL1
PMSWINC, PMUSERENR = (3, 9, 12, 4), (3, 9, 14, 0)
SPSR, ELR = (0, 4, 0, 0), (0, 4, 0, 1)
EVENTS = [(3, 14, 8, n) for n in range(6)]
TYPES = [(3, 14, 12, n) for n in range(6)]

# Types and first values of counters 0 to 3, what is written to PMSWINC_EL0, and what the counters and PMOVSSET_EL0 then are.
INCREMENTS = {
    "each bit counts once": ([0, 0, 0, CYCLES], [0, 5, 0, 0], [0b1011, 0b0010], [1, 7, 0, None], 0),
    "a counter that is off": ([0, 0, 0, 0], [0, 0, 0, 0], [0b1100], [0, 0, 1, 0], 0),
    "overflow": ([0, 0, 0, 0], [0xFFFFFFFE, 0xFFFFFFFF, 0, 0], [0b11, 0b11], [1 << 32, 1 + (1 << 32), 0, 0], 0b11),
    "chained": ([0, CHAIN, 0, 0], [0xFFFFFFFF, 0xFFFFFFFF, 0, 0], [0b1], [1 << 32, 1 << 32, 0, 0], 0b11),
    "filters": ([USER, PRIVILEGED, 0, 0], [0, 0, 0, 0], [0b111], [(1, 0), (0, 1), 1, 0], 0),
}  # fmt: skip


def bare(program: bytes) -> Target:
    machine = Machine(cpus=1, memory=MEMORY, el2=False)
    machine.start([(CODE, program)], CODE, 0)
    return machine


def hosted(program: bytes) -> Target:
    host = Host(cpus=1, memory=MEMORY)
    add_vm(host).write(CODE, program)
    return HostTarget(host)


@pytest.mark.parametrize("make", [bare, hosted])
@pytest.mark.parametrize("el", [1, 0])
@pytest.mark.parametrize("case", INCREMENTS)
def test_software_increments(case: str, el: int, make: Callable[[bytes], Target]) -> None:
    """Arm ARM D24.5 PMSWINC_EL0, D13.11 SW_INCR and CHAIN: where the guest is, whoever executes the access."""
    types, begin, written, expected, overflows = INCREMENTS[case]
    writes = [*zip(TYPES, types, strict=False), *zip(EVENTS, begin, strict=False)]
    writes += [(PMCNTENSET, 0b0111), (PMUSERENR, 0b1111), (PMCR, 1), (SPSR, 0x3C5 if el else 0x3C0)]
    words = [w for register, value in writes for w in (*load(value), msr(*register, 1))]
    words += [*load(CODE + 4 * (len(words) + 7)), msr(*ELR, 1), ISB, ERET]
    words += [w for value in written for w in (*load(value), msr(*PMSWINC, 1))]
    target = make(code(*words, branch(0)))
    target.run([Action(thread())], 2000)
    assert target.read_register(thread(), "pc") == CODE + 4 * len(words)
    for n, value in enumerate(expected):
        value = value[1 - el] if isinstance(value, tuple) else value
        assert value in (None, target.read_register(thread(), f"PMEVCNTR{n}_EL0")), n
    assert target.read_register(thread(), "PMOVSSET_EL0") == overflows


def load(value: int) -> list[int]:
    """MOVZ and MOVK: X1 = value, always four words."""
    return [(0xD2800001 if n == 0 else 0xF2800001) | n << 21 | (value >> 16 * n & 0xFFFF) << 5 for n in range(4)]
