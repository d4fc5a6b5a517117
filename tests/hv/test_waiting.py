"""Time that a guest waits for costs few instructions and exits, in whatever way it waits, hosted or bare.

Each guest waits for a hundred milliseconds of its counter, in a loop around the instruction of the row. Arm ARM D1.6 (WFE,
WFI: what ends them), D12.2.4 (event streams), C6.2 (WFET, WFIT).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import StopKind
from hv.programs import (
    CODE,
    DATA,
    ERET,
    HVC0,
    MEMORY,
    NOP,
    UNMASK_IRQ,
    VECTORS,
    WFE,
    WFI,
    add,
    add_vm,
    bare,
    branch,
    code,
    hosted,
    mrs,
    msr,
    thread,
    wfet,
    wfit,
)

MILLISECOND = 62_500  # counts
LENGTH = 100 * MILLISECOND
CNTVCT = (3, 14, 0, 2)
IAR1, EOIR1 = (0, 12, 12, 0), (0, 12, 12, 1)
CNTV_CVAL, CNTV_CTL = (3, 14, 3, 2), (3, 14, 3, 1)
ADD_X1_X0_X20, CMP_X2_X1 = 0x8B140001, 0xEB01005F
MEMORY_END = CODE + MEMORY - 4096


def b_lo(words: int) -> int:
    """B.LO to as many instructions from here."""
    return 0x54000003 | (words & 0x7FFFF) << 5


# What waits once: its words, and what is set before.
NOTHING: tuple[int, ...] = ()
TIMER = (msr(0, 4, 6, 0, 24), msr(0, 12, 12, 7, 21), msr(*CNTV_CVAL, 1), msr(*CNTV_CTL, 21))  # PMR, IGRPEN1; at x1
EARLY = (msr(0, 4, 6, 0, 24), msr(0, 12, 12, 7, 21), msr(*CNTV_CTL, 21))  # the timer has fired, and PSTATE.I masks it
STREAM = (msr(0, 14, 1, 0, 25),)  # CNTKCTL_EL1: an event each 2^12 counts of 16 ns
WAYS = {
    "WFIT": ((wfit(1),), NOTHING),
    "WFET": ((wfet(1),), NOTHING),
    "WFE, with an event stream": ((WFE,), STREAM),
    "WFI, with a timer": ((WFI,), TIMER),
    "WFET, while an interrupt is masked": ((wfet(1),), EARLY),
    "WFIT and a timer": ((wfit(1),), TIMER),
    "CPU_SUSPEND, with a timer": ((0xAA1A03E0, 0xAA1F03E1, HVC0, 0xAA1C03E1), TIMER),  # MOV x0, x26; x1, xzr; HVC; x1, x28
}
KEEP_X1 = 0xAA0103FC  # MOV x28, x1
REGISTERS = {"x20": LENGTH, "x21": 1, "x24": 0xF8, "x25": 1 << 2 | 12 << 4, "x26": 0xC4000001, "x27": 0x84000008}
OFF = (0xAA1B03E0, HVC0)  # MOV x0, x27


def program(way: str) -> tuple[int, ...]:
    """Wait until CNTVCT_EL0 is x20 further, then power off."""
    words, before = WAYS[way]
    loop = (*words, mrs(*CNTVCT, 2), CMP_X2_X1)
    return mrs(*CNTVCT, 0), ADD_X1_X0_X20, KEEP_X1, *before, *loop, b_lo(-len(loop)), *OFF


def make_hosted(way: str, vms: int, cpus: int) -> HostTarget:
    host = Host(cpus=cpus, memory=vms * MEMORY)
    for _ in range(vms):
        vm = add_vm(host, *program(way))
        vm.vgic.enabled = 2
        vm.vgic.private[0][27].enabled = True
    target = HostTarget(host)
    for n in range(vms):
        for name, value in REGISTERS.items():
            target.write_register(thread(n + 1), name, value)
    return target


def make_bare(way: str, el2: bool) -> Machine:
    machine = Machine(memory=MEMORY, el2=el2)
    words = [0xD4000003 if w == HVC0 and el2 else w for w in program(way)]  # SMC
    machine.start([(CODE, code(*words))], CODE, 0)
    core = machine.core
    core.bus_write(0, 0x08000000, 4, 0x12 if not el2 else 0x37)
    core.bus_write(0, 0x080A0014, 4, 0)
    for offset in (0x10080, 0x10100):
        core.bus_write(0, 0x080A0000 + offset, 4, 1 << 27)
    for name, value in REGISTERS.items():
        machine.write_register(thread(), name, value)
    return machine


# Instructions and exits that each VM may take; the event stream comes 763 times. Waiting in turns on one CPU costs two
# exits in each slice.
MOST = {"WFE, with an event stream": (6200, 770)}
USUAL, SHARED = (20, 5), (820, 160)


@pytest.mark.parametrize(("vms", "cpus"), [(1, 1), (2, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("way", WAYS)
def test_hosted(way: str, vms: int, cpus: int) -> None:
    machine = (target := make_hosted(way, vms, cpus)).machine
    for _ in range(vms):
        assert target.run_all(10**6).kind is StopKind.POWEROFF
    insns, exits = MOST.get(way, SHARED if vms > cpus else USUAL)
    assert LENGTH * 16 <= machine.now <= LENGTH * 16 + 100_000
    assert sum(machine.insns) <= vms * insns
    assert machine.exits <= vms * exits


@pytest.mark.parametrize("el2", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_bare(way: str, el2: bool) -> None:
    machine = make_bare(way, el2)
    assert machine.run_all(10**6).kind is StopKind.POWEROFF
    assert LENGTH * 16 <= machine.core.now <= LENGTH * 16 + 100_000
    assert sum(machine.core.insns) <= MOST.get(way, USUAL)[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_waits_as_long_hosted_as_bare(way: str) -> None:
    alone = make_bare(way, el2=False)
    alone.run_all(10**6)
    target = make_hosted(way, 1, 1)
    target.run_all(10**6)
    assert target.machine.now == alone.core.now


SEV, SPIN = 0xD503209F, branch(0)
LDAXR_W2_X1, CBZ_W2, STLR_W21_X1 = 0x885FFC22, 0x34FFFFC2, 0x889FFC35


def test_sev_of_another_vcpu_ends_a_wfe() -> None:
    """vCPU 0 waits in WFE; vCPU 1 sends the event when it has counted."""
    target = hosted(WFE, WFE, add(0, 0, 1), SPIN, vcpus=2, cpus=2)
    first, second = thread(1, 1), thread(1, 2)
    count = (0xD2880008, 0xF1000508, 0x54FFFFE1)  # MOV x8, #0x4000; SUBS x8, x8, #1; B.NE
    target.host.vms[0].write(DATA, code(*count, SEV, SPIN))
    target.host.scheduler.start(target.vcpu(second), DATA, 0)
    assert target.run_all(15_000).kind is StopKind.BUDGET
    assert (target.processes()[0].threads[0].extra, target.read_register(first, "x0")) == (
        "waiting in WFE, on CPU 0, VMID=1",
        0,
    )
    assert target.run_all(100_000).kind is StopKind.BUDGET
    assert target.read_register(first, "x0") == 1


def test_a_lock_that_somebody_else_opens() -> None:
    """The monitor that LDAXR marks is what ends the WFE; a trap between them must not lose the event."""
    target = hosted(LDAXR_W2_X1, WFE, CBZ_W2, add(0, 0, 1), SPIN, vcpus=2, cpus=2)
    first, second = thread(1, 1), thread(1, 2)
    target.host.vms[0].write(MEMORY_END, bytes(8))
    count = (0xD2810008, 0xF1000508, 0x54FFFFE1)
    target.host.vms[0].write(DATA, code(*count, STLR_W21_X1, SPIN))
    target.write_register(first, "x1", MEMORY_END)
    target.host.scheduler.start(target.vcpu(second), DATA, 0)
    for name, value in {"x1": MEMORY_END, "x21": 1}.items():
        target.write_register(second, name, value)
    assert target.run_all(100_000).kind is StopKind.BUDGET
    assert target.read_register(first, "x0") == 1


def test_an_interrupt_that_is_not_masked_ends_a_wfe() -> None:
    """The vector counts in x4, and what is behind the WFE in x3."""
    setup = (msr(0, 12, 0, 0, 22), *TIMER, UNMASK_IRQ)  # VBAR_EL1 = x22
    words = (mrs(*CNTVCT, 0), ADD_X1_X0_X20, *setup, WFE, WFE, add(3, 3, 1), SPIN)
    vectors = code(mrs(*IAR1, 5), msr(*CNTV_CTL, 31), msr(*EOIR1, 5), add(4, 4, 1), ERET)
    target = hosted(*words)
    vm = target.host.vms[0]
    vm.write(VECTORS + 0x280, vectors)
    vm.vgic.enabled = 2
    vm.vgic.private[0][27].enabled = True
    for name, value in {**REGISTERS, "x22": VECTORS}.items():
        target.write_register(thread(), name, value)
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert [target.read_register(thread(), name) for name in ("x4", "x3")] == [1, 1]
    assert target.machine.now >= LENGTH * 16


def test_a_wfe_that_nothing_ends_is_said() -> None:
    for target in (hosted(WFE, WFE, SPIN), bare(WFE, WFE, SPIN)):
        stop = target.run_all()
        assert (stop.kind, "no interrupt is to come" in stop.text) == (StopKind.CRASH, True)


@pytest.mark.parametrize("wait", [wfet, wfit])
@pytest.mark.parametrize("count", [1 << 60, (1 << 64) - 1])
def test_a_timeout_after_the_end_of_time_never_comes(wait: Callable[[int], int], count: int) -> None:
    """Counts have 64 bits, and so have nanoseconds, of which a count is 16. The first WFET may find an event."""
    target = hosted(wait(1), wait(1), NOP)
    target.write_register(thread(), "x1", count)
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert target.run_all().kind is StopKind.CRASH, "nothing is to come"
    assert target.read_register(thread(), "pc") <= CODE + 8
