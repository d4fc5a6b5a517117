"""Single steps, hosted and bare: a step is one event of its thread in a run that is otherwise the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.boot import BootConfig
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import STORM, HostTarget
from gdbhv.hv.vcpu import RunState
from gdbhv.machine.machine import Machine
from gdbhv.target import Action, StopKind, ThreadId
from hv.programs import (
    CODE,
    DATA,
    LDR_X0_X1,
    NOP,
    STR_X0_X1,
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
    thread,
)

PREBUILT = ROOT / "guests" / "prebuilt"
EVERYWHERE = (0, (1 << 64) - 1)
IRQ = VECTORS + 0x280
SEV = 0xD503209F
LDXR_X2_X1, STXR_W3_X2_X1 = 0xC85F7C22, 0xC8037C22
CBZ_X0_BACK = 0xB4FFFFE0  # to the instruction before
CBNZ_W3_BACK_3 = 0x35FFFFA3

Target = HostTarget | Machine
Make = Callable[..., Target]
both = pytest.mark.parametrize("make", [hosted, bare])


def actions(target: Target, stepped: ThreadId | None, span: tuple[int, int] | None = None) -> list[Action]:
    """All threads, one of them stepping."""
    return [Action(t.id, t.id == stepped, span if t.id == stepped else None) for p in target.processes() for t in p.threads]


def step(target: Target) -> StopKind:
    return target.run(actions(target, thread()), 100_000).kind


def pc(target: Target) -> int:
    return target.read_register(thread(), "pc")


def core(target: Target):
    return target.core if isinstance(target, Machine) else target.machine


def state(target: Target):
    """Everything that a guest could tell apart."""
    m = core(target)
    base, size = m.ram
    memory = hashlib.sha256()
    for address in range(base, base + size, 1 << 20):
        memory.update(m.read_pa(address, 1 << 20))
    registers = [m.read_core(cpu) for cpu in range(m.cpus)]
    return m.now, m.insns, m.exits, registers, [m.power(cpu) for cpu in range(m.cpus)], memory.digest()


def system_smp() -> Machine:
    return boot.bare(BootConfig(image=PREBUILT / "system_smp.elf", smp=3, memory=8 << 20))


def two_vcpus() -> HostTarget:
    return boot.hosted(BootConfig(image=PREBUILT / "two_vcpus.elf", smp=2, memory=8 << 20))


@pytest.mark.parametrize("span", [None, EVERYWHERE], ids=["one by one", "by range"])
@pytest.mark.parametrize("tid", [1, 2])
@pytest.mark.parametrize(("make", "insns"), [(system_smp, 45_000), (two_vcpus, 20_000)])
def test_stepping_through_a_run_is_that_run(make: Make, insns: int, tid: int, span: tuple[int, int] | None) -> None:
    """Memory, time, exclusive monitors, interrupts, who executed how much: N instructions stepped are N instructions run."""
    run, stepped = make(), make()
    assert run.run_all(insns).kind is StopKind.BUDGET
    t, end = ThreadId(1, tid), sum(core(run).insns)
    while (left := end - sum(core(stepped).insns)) > 0:
        off = not next(found for found in stepped.processes()[0].threads if found.id == t).alive
        stop = stepped.run_all(min(left, 500)) if off else stepped.run(actions(stepped, t, span), left)
        assert stop.kind in (StopKind.STEP, StopKind.BUDGET)
    assert core(stepped).insns[tid - 1] > 200
    assert state(stepped) == state(run)


@pytest.mark.parametrize(("make", "insns"), [(system_smp, 45_000), (two_vcpus, 20_000)])
def test_passing_breakpoints_as_gdb_does_is_the_run_without_them(make: Make, insns: int) -> None:
    """GDB takes them away, steps the one thread alone, puts them back, and lets all go on."""
    run, stopped, scout = make(), make(), make()
    assert run.run_all(insns).kind is StopKind.BUDGET
    end, seen, hits = sum(core(run).insns), set(), 0
    scout.run_all(insns // 2)
    for n in range(1200):
        scout.run(actions(scout, thread(1, 1 + n // 600)), insns)
        seen |= {scout.read_register(thread(1, tid), "pc") for tid in (1, 2)}
    places = sorted(seen)[::17]
    while (left := end - sum(core(stopped).insns)) > 0:
        for address in places:
            stopped.insert_breakpoint(1, 0, address, 4)
        stop = stopped.run_all(left)
        for address in places:
            stopped.remove_breakpoint(1, 0, address, 4)
        if stop.kind is StopKind.SW_BREAK:
            hits += 1
            assert stopped.run([Action(stop.thread, step=True)], left).kind in (StopKind.STEP, StopKind.BUDGET)
    assert hits > 100
    assert state(stopped) == state(run)


def with_timer(make: Make, *words: int) -> Target:
    """A guest whose virtual timer fires soon, with IRQs as the words have them."""
    target = make(*words)
    if isinstance(target, HostTarget):
        vgic = target.host.vms[0].vgic
        vgic.enabled = 2
        vgic.irq(27, target.host.vms[0].vcpus[0]).enabled = True
        target.write_register(thread(), "ICH_VMCR_EL2", 0xFF << 24 | 2)
    else:
        target.core.bus_write(0, 0x08000000, 4, 0x12)
        target.core.bus_write(0, 0x080A0014, 4, 0)
        target.core.bus_write(0, 0x080B0080, 4, 0xFFFFFFFF)
        target.core.bus_write(0, 0x080B0100, 4, 1 << 27)
        target.write_register(thread(), "ICC_PMR_EL1", 0xFF)
        target.write_register(thread(), "ICC_IGRPEN1_EL1", 1)
    target.write_register(thread(), "VBAR_EL1", VECTORS)
    target.write_register(thread(), "CNTV_CVAL_EL0", 4)
    target.write_register(thread(), "CNTV_CTL_EL0", 1)
    return target


@both
def test_a_step_that_takes_an_interrupt_ends_at_the_vector(make: Make) -> None:
    """Arm ARM H3.2, active-not-pending: the exception completes the step, before the handler's first instruction."""
    target = with_timer(make, UNMASK_IRQ, NOP, branch(-1))
    seen = [pc(target)]
    while seen[-1] < VECTORS and len(seen) < 100:
        assert step(target) is StopKind.STEP
        seen.append(pc(target))
    assert seen[:3] == [CODE, CODE + 4, CODE + 8]
    assert seen[-1] == IRQ
    assert target.read_register(thread(), "ELR_EL1") == seen[-2], "the step before ended where the interrupt came"


@both
def test_what_an_instruction_unmasks_is_the_next_step(make: Make) -> None:
    target = with_timer(make, *[NOP] * 80, UNMASK_IRQ, NOP)
    for n in range(81):
        assert (step(target), pc(target)) == (StopKind.STEP, CODE + 4 * (n + 1))
    assert (step(target), pc(target)) == (StopKind.STEP, IRQ)


@both
def test_interrupts_can_be_held_back_and_are_taken_later(make: Make) -> None:
    target = with_timer(make, UNMASK_IRQ, NOP, branch(-1))
    target.stepping.interrupts = False
    texts = [target.run(actions(target, thread())).text for _ in range(200)]
    assert pc(target) in (CODE + 4, CODE + 8)
    (told,) = [text for text in texts if text]
    assert "IRQ held back" in told
    target.stepping.interrupts = True
    assert (step(target), pc(target)) == (StopKind.STEP, IRQ)


@both
def test_a_held_back_interrupt_comes_when_the_thread_runs_on(make: Make) -> None:
    target = with_timer(make, UNMASK_IRQ, NOP, branch(-1))
    target.stepping.interrupts = False
    for _ in range(100):
        step(target)
    target.insert_breakpoint(1, 0, IRQ, 4)
    assert target.run_all(1000).kind is StopKind.SW_BREAK


@both
def test_a_fetch_that_aborts_to_itself_is_a_step(make: Make) -> None:
    target = make(NOP)
    target.write_register(thread(), "VBAR_EL1", 0)
    target.write_register(thread(), "pc", 0x200)
    for _ in range(20):
        assert (step(target), pc(target)) == (StopKind.STEP, 0x200)


@both
def test_an_undefined_instruction_is_one_step(make: Make) -> None:
    target = make(0, NOP)
    target.write_register(thread(), "VBAR_EL1", VECTORS)
    assert (step(target), pc(target)) == (StopKind.STEP, VECTORS + 0x200)


@both
def test_a_step_that_nothing_can_end_says_why(make: Make) -> None:
    for wait, name in ((WFI, "WFI"), (WFE, "WFE")):
        if name == "WFE" and make is hosted:
            continue  # it exits, and is over
        target = make(wait, NOP)
        assert (step(target), pc(target)) == (StopKind.STEP, CODE + 4)
        stop = target.run(actions(target, thread()))
        assert stop.kind is StopKind.CRASH
        assert f"waiting in {name}" in stop.text or f"waits in {name}" in stop.text


@pytest.mark.parametrize("kind", ["bare", "hosted", "one cpu"])
def test_who_may_not_run_is_named_when_the_others_wait(kind: str) -> None:
    """`set scheduler-locking on` with a thread that waits: the other one is neither off nor waiting."""
    target = pair(kind, (WFI, branch(0)), (branch(0),))
    first, second = (t.id for p in target.processes() for t in p.threads)
    other = {"bare": "cpu1"}.get(kind, "vm1/vcpu1")
    unit = "CPU" if kind == "bare" else "vCPU"
    why = "may not run now (scheduler-locking, or other threads were told to)"
    stop = target.run([Action(first)])
    assert stop.kind is StopKind.CRASH
    assert stop.text == f"every {unit} that may run waits or is off, and no interrupt is to come; {other} {why}"
    stop = target.run([Action(first, step=True)])
    assert (stop.kind, stop.text.partition("; ")[2]) == (StopKind.CRASH, f"{other} {why}")
    assert target.run([Action(first), Action(second)], 100).kind is StopKind.BUDGET


def test_a_cpu_that_is_off_is_not_stepped() -> None:
    stop = system_smp().run([Action(thread(1, 2), step=True)])
    assert (stop.kind, stop.text) == (StopKind.CRASH, "cpu1 is off: it cannot be stepped before PSCI CPU_ON starts it")
    stop = two_vcpus().run([Action(thread(1, 2), step=True)])
    assert (stop.kind, stop.text) == (StopKind.CRASH, "vm1/vcpu1 is off: it cannot be stepped before PSCI CPU_ON starts it")


def pair(kind: str, first: tuple[int, ...], second: tuple[int, ...]) -> Target:
    """Two CPUs with a program each; x1 of both is DATA."""
    if kind == "bare":
        target: Target = Machine(cpus=2, memory=4 << 20, el2=False)
        target.start([(CODE, code(*first)), (CODE + 0x100, code(*second))], CODE, 0)
        target.core.cpu_on(1, CODE + 0x100)
    else:
        host = Host(cpus=2 if kind == "hosted" else 1, memory=4 << 20)
        vm = add_vm(host, *first, vcpus=2)
        vm.write(CODE + 0x100, code(*second))
        target = HostTarget(host)
        host.scheduler.start(vm.vcpus[1], CODE + 0x100, 0)
    for tid in (1, 2):
        target.write_register(thread(1, tid), "x1", DATA)
    return target


WAITS = {
    # the stepped one waits for the other's store
    "spin": ((LDR_X0_X1, CBZ_X0_BACK, NOP), (*[NOP] * 30, add(5, 5, 1), STR_X0_X1 | 5, branch(0))),
    # for its event
    "event": ((WFE, LDR_X0_X1, 0xB4FFFFC0, NOP), (add(5, 5, 1), STR_X0_X1 | 5, SEV, branch(-1))),
}


@pytest.mark.parametrize("kind", ["bare", "hosted", "hosted on one CPU"])
@pytest.mark.parametrize("wait", WAITS)
def test_stepping_over_a_wait_for_another_cpu_ends(wait: str, kind: str) -> None:
    first, second = WAITS[wait]
    target = pair(kind, first, second)
    done = CODE + 4 * (len(first) - 1)
    stop = target.run(actions(target, thread(), (CODE, done)), 10_000_000)
    assert (stop.kind, pc(target)) == (StopKind.STEP, done)


@pytest.mark.parametrize("kind", ["bare", "hosted"])
def test_stepping_through_an_exclusive_pair_ends(kind: str) -> None:
    """Two CPUs count in one word; a step does not take the monitor away."""
    count = (LDXR_X2_X1, add(2, 2, 1), STXR_W3_X2_X1, CBNZ_W3_BACK_3, branch(-4))
    target = pair(kind, count, count)
    stored = 0
    for _ in range(500):
        assert step(target) is StopKind.STEP
        stored += pc(target) == CODE + 16
    assert stored >= 98, "a hundred rounds of five instructions, but where a turn ended between the two"


def test_a_thread_stepped_alone_moves_alone() -> None:
    target = pair("bare", (NOP, branch(-1)), (NOP, branch(-1)))
    for _ in range(11_000):
        target.run([Action(thread(), step=True)])
    assert target.core.insns == [11_000, 0]


def test_exits_without_an_instruction_do_not_go_on_for_ever() -> None:
    """A hypervisor that is debugged may get this wrong; whoever waits for the run must not wait for ever."""
    target = hosted(NOP, branch(-1))
    target.machine.msr(0, "ICC_SGI1R_EL1", 1 << 24 | 1)
    target.host.interrupt_on = lambda cpu: None  # type: ignore[method-assign]
    for run in (lambda: step_stop(target), lambda: target.run_all(1000), target.run_all):
        stop = run()
        assert stop.kind is StopKind.CRASH
        assert f"{STORM} exits" in stop.text
    assert target.vcpu(thread()).state is RunState.READY


def step_stop(target: Target):
    return target.run(actions(target, thread()))
