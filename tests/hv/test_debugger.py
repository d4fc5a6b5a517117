"""A hosted machine as a debugger's target, by the contract of gdbhv/hosttarget.py: vCPUs that share a CPU."""

from __future__ import annotations

import pytest

from gdbhv.errors import MemoryError_, RegisterError
from gdbhv.exits.catches import Catcher
from gdbhv.hv.mmio import MmioDevice
from gdbhv.hv.vcpu import RunState
from gdbhv.target import Action, Space, StopKind
from hv.programs import (
    CODE,
    DATA,
    FMOV_D0_X0,
    FMOV_X0_D0,
    HVC0,
    LDR_X0_X1,
    NOP,
    STR_X0_X1,
    WFI,
    add,
    branch,
    hosted,
    thread,
)

COUNT = (NOP, add(0, 0, 1), branch(-1))  # x0 counts for ever
A, B = thread(1), thread(2)
PSCI_SYSTEM_OFF = 0x84000008


def go(target, *threads, **options):
    return target.run([Action(t) for t in threads], **options)


def step(target, t):
    return target.run([Action(t, step=True)])


def x0(target, t):
    return target.read_register(t, "x0")


def test_a_breakpoint_is_one_vm_s() -> None:
    target = hosted(*COUNT, vms=2)
    target.insert_breakpoint(2, 0, CODE + 4, 4)
    stop = go(target, A, B)
    assert (stop.kind, stop.thread) == (StopKind.SW_BREAK, B)
    assert go(target, A, max_insns=10_000).kind is StopKind.BUDGET
    assert x0(target, A) > 1000
    target.remove_breakpoint(2, 0, CODE + 4, 4)
    assert go(target, A, B, max_insns=100_000).kind is StopKind.BUDGET


def test_a_vm_that_ran_alone_shares_its_cpu_again() -> None:
    """It has no end of a slice while nobody else may run: one that may again must not wait for an exit that never comes."""
    target = hosted(*COUNT, vms=2)
    go(target, B, max_insns=10_000)
    assert step(target, A).thread == A
    go(target, B, max_insns=10_000)
    before = x0(target, A)
    assert go(target, A, B, max_insns=4_000_000).kind is StopKind.BUDGET
    assert x0(target, A) - before > 500_000
    assert target.run([Action(A, step=True), Action(B)]).thread == A


@pytest.mark.parametrize("cpus", [1, 2])
def test_going_on_from_a_breakpoint_makes_progress_whoever_ran_meanwhile(cpus: int) -> None:
    target = hosted(*COUNT, vms=2, cpus=cpus)
    for pid in (1, 2):
        target.insert_breakpoint(pid, 0, CODE + 4, 4)
    assert go(target, A).thread == A
    assert go(target, B).thread == B
    assert (x0(target, A), x0(target, B)) == (0, 0)
    for n in range(1, 5):
        for t in (A, B):
            stop = go(target, t)
            assert (stop.kind, stop.thread, x0(target, t)) == (StopKind.SW_BREAK, t, n)
    # Both at their breakpoints, both may go: each moves before it stops there again.
    before = {t: x0(target, t) for t in (A, B)}
    stop = go(target, A, B)
    assert x0(target, stop.thread) == before[stop.thread] + 1


def test_going_on_from_a_breakpoint_at_an_instruction_that_exits() -> None:
    target = hosted(STR_X0_X1, add(0, 0, 1), branch(-2))
    target.write_register(A, "x1", DATA)
    target.insert_breakpoint(1, 0, CODE, 4)
    for n in range(3):
        assert go(target, A).kind is StopKind.SW_BREAK
        assert x0(target, A) == n


@pytest.mark.parametrize("cpus", [1, 2])
def test_watchpoints_of_two_vms(cpus: int) -> None:
    target = hosted(STR_X0_X1, add(0, 0, 1), branch(-2), vms=2, cpus=cpus)
    for t in (A, B):
        target.write_register(t, "x1", DATA)
        target.insert_breakpoint(t.pid, 2, DATA, 8)
    for n in range(3):
        for t in (A, B):
            stop = go(target, t)
            assert (stop.kind, stop.thread, stop.address, x0(target, t)) == (StopKind.WATCH, t, DATA, n)


def test_a_step_of_one_leaves_the_others_alone() -> None:
    target = hosted(*COUNT, vms=3)
    threads = [thread(n) for n in (1, 2, 3)]
    for n, t in enumerate(threads):
        for _ in range(3 * (n + 1) + 1):
            assert step(target, t).kind is StopKind.STEP
    assert [x0(target, t) for t in threads] == [2, 3, 5]
    assert target.read_register(A, "pc") == CODE + 8


def test_a_range_step() -> None:
    target = hosted(*COUNT, NOP)
    stop = target.run([Action(A, step=True, range=(CODE, CODE + 8))])
    assert (stop.kind, target.read_register(A, "pc")) == (StopKind.STEP, CODE + 8)
    assert target.run([Action(A, step=True, range=(CODE, CODE + 12))], 1000).kind is StopKind.BUDGET


def test_a_step_of_wfi_and_then_nothing_to_wait_for() -> None:
    target = hosted(WFI, NOP)
    assert step(target, A).kind is StopKind.STEP
    assert target.read_register(A, "pc") == CODE + 4
    assert "waiting" in target.processes()[0].threads[0].extra
    assert go(target, A, max_insns=1000).kind is StopKind.BUDGET
    assert go(target, A).kind is StopKind.CRASH
    assert step(target, A).kind is StopKind.CRASH


class Register(MmioDevice):
    """One register, which counts its accesses."""

    value = accesses = 0

    def read(self, offset: int, size: int) -> int:
        self.accesses += 1
        return self.value

    def write(self, offset: int, size: int, value: int) -> None:
        self.accesses += 1
        self.value = value


def test_a_catchpoint_comes_before_the_handler_and_a_step_after_it_completes_the_instruction() -> None:
    target = hosted(STR_X0_X1, LDR_X0_X1, branch(0))
    device = Register()
    target.host.vms[0].add_device(0x0A000000, device)
    target.write_register(A, "x0", 77)
    target.write_register(A, "x1", 0x0A000000)
    target.catchers["all"] = Catcher(lambda t, r: r["ipa"] == 0x0A000000)
    target.catchers["entries"] = Catcher(lambda t, r: r["ipa"] == 0x0A000000, entries=True)
    stop = go(target, A)
    assert (stop.kind, device.accesses, target.read_register(A, "pc")) == (StopKind.EXIT, 0, CODE)
    stop = step(target, A)
    assert (stop.kind, device.value, target.read_register(A, "pc")) == (StopKind.ENTRY, 77, CODE + 4)
    del target.catchers["entries"]
    assert go(target, A).kind is StopKind.EXIT
    device.value = 78
    assert step(target, A).kind is StopKind.STEP
    assert (x0(target, A), device.accesses, target.read_register(A, "pc")) == (78, 2, CODE + 8)


def test_nothing_to_run() -> None:
    target = hosted(*COUNT)
    assert target.run((), 0).kind is StopKind.BUDGET
    target.interrupt()
    assert target.run((), 0).kind is StopKind.INTERRUPT
    assert target.run((), 0).kind is StopKind.BUDGET
    assert target.machine.insns == [0]


@pytest.mark.parametrize("cpus", [1, 2])
def test_one_vm_goes_off_and_the_other_lives(cpus: int) -> None:
    target = hosted(HVC0, *COUNT, vms=2, cpus=cpus)
    target.write_register(A, "x0", PSCI_SYSTEM_OFF)
    stop = go(target, A, B)
    assert (stop.kind, stop.thread) == (StopKind.POWEROFF, A)
    assert [p.pid for p in target.processes()] == [2]
    before = x0(target, B)
    assert go(target, B, max_insns=1000).kind is StopKind.BUDGET
    assert go(target, A, B, max_insns=1000).kind is StopKind.BUDGET
    assert 950 <= x0(target, B) - before <= 1000, "two instructions count one"


def test_a_vm_that_goes_off_stops_on_all_its_cpus() -> None:
    target = hosted(*COUNT, vcpus=2, cpus=2)
    second = thread(1, 2)
    vm = target.host.vms[0]
    target.host.scheduler.start(vm.vcpus[1], CODE, 0)
    assert go(target, A, second, max_insns=50_000).kind is StopKind.BUDGET
    executed = list(target.machine.insns)
    assert min(executed) > 10_000
    vm.stop("poweroff")
    assert go(target, A, second, max_insns=50_000).text == target.off_text
    assert target.machine.insns == executed
    assert {v.state for v in vm.vcpus} == {RunState.OFF}


def everything(target, t):
    v = target.vcpu(t)
    names = [*v.sys, *(f"v{n}" for n in range(32)), "ICH_LR0_EL2", "CNTV_CTL_EL0", "MPIDR_EL1"]
    return target.read_core(t), [target.read_register(t, name) for name in names]


def test_registers_and_memory_of_a_vcpu_that_is_off_its_cpu() -> None:
    target = hosted(*COUNT, vms=2)
    assert go(target, A, max_insns=1000).kind is StopKind.BUDGET
    assert [target.vcpu(t).cpu for t in (A, B)] == [0, None]
    before = everything(target, A)
    written = {
        "cpsr": 0x3C4,
        "x7": 7,
        "pc": CODE + 4,
        "sp": 0x5000,
        "v3": 3 << 100,
        "TTBR0_EL1": 0x40002000,
        "VBAR_EL1": 0x800,
    }
    for name, value in written.items():
        target.write_register(B, name, value)
        assert target.read_register(B, name) == value
    assert target.read_register(B, "VMPIDR_EL2") & 0xFF == 0
    assert target.read_register(B, "VTTBR_EL2") >> 48 == 2
    target.write_memory(B, DATA, b"two")
    target.write_memory(A, DATA, b"one")
    assert [target.read_memory(t, DATA, 3) for t in (A, B)] == [b"one", b"two"]
    assert [target.read_memory(t, DATA, 3, Space.IPA) for t in (A, B)] == [b"one", b"two"]
    with pytest.raises(MemoryError_):
        target.read_memory(B, 0x10000000, 4)
    with pytest.raises(RegisterError, match="EL1h"):
        target.write_register(B, "cpsr", 0x3C9)
    assert everything(target, A) == before
    assert [target.vcpu(t).cpu for t in (A, B)] == [0, None]
    assert step(target, B).kind is StopKind.STEP
    assert target.read_register(B, "pc") == CODE + 8
    assert {n: target.read_register(B, n) for n in written if n != "pc"} == {n: v for n, v in written.items() if n != "pc"}


def test_simd_registers_are_one_vcpu_s() -> None:
    """They are switched at the first use; a debugger sees the right ones before and after it."""
    target = hosted(FMOV_D0_X0, FMOV_X0_D0, branch(-1), vms=2)
    for t in (A, B):
        target.write_register(t, "CPACR_EL1", 3 << 20)
        target.write_register(t, "x0", 0x1000 + t.pid)
        target.write_register(t, "v1", 5 + t.pid)
    step(target, A)
    step(target, B)
    for t in (A, B):
        assert [target.read_register(t, v) for v in ("v0", "v1")] == [0x1000 + t.pid, 5 + t.pid]
        target.write_register(t, "x0", 0)
        target.write_register(t, "v0", 0x2000 + t.pid)
    for t in (A, B):
        step(target, t)
        assert x0(target, t) == 0x2000 + t.pid
