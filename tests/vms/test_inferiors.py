"""VMs of a hypervisor in the machine under stock gdb: inferiors, their breakpoints, steps. Oracle: guests/type1's source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.debugged import GDBS, PREBUILT, Debugged
from gdbhv import _core, boot
from gdbhv.client.session import GdbSession
from gdbhv.console import Console
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.monitor import registry
from gdbhv.rsp.server import Server
from gdbhv.target import Action, StopKind, ThreadId
from rsp.wire import serving
from vms.test_vms import PROGRAM, SOME

ELF = str(PREBUILT / "type1.elf")


@contextmanager
def attached(insns: int, gdb: str, cpus: int = 2) -> Iterator[Debugged]:
    """Debug guests/type1 from an instruction on: gdb attaches there."""
    console = Console()
    target = boot.bare(boot.BootConfig(image=ELF, smp=cpus, memory=256 << 20), console)
    target.run_all(insns)
    options = {"registers": _core.registers(), "monitor": registry.bind(target), "exec_file": lambda pid: ELF}
    server: Server
    with serving(target, **options) as server, GdbSession(str(server.address), ELF, gdb=gdb) as session:
        yield Debugged(session, target, server, console)


@pytest.mark.parametrize("gdb", GDBS)
def test_each_vm_is_an_inferior_and_each_vcpu_a_thread(gdb: str) -> None:
    with attached(SOME, gdb) as at:
        threads = {t.target_id: t for t in at.gdb.threads()}
        assert list(threads) == ["Thread 1.1", "Thread 1.2", "Thread 2.1", "Thread 3.1", "Thread 3.2"]
        assert threads["Thread 2.1"].name == "vm2/vcpu0"
        assert "exited for" in str(threads["Thread 2.1"].details)
        assert "running" in str(threads["Thread 3.1"].details)
        at.gdb.execute("thread 2.1")
        away = ThreadId(2, 1)
        assert at.gdb.read_register("pc") == at.target.read_register(away, "pc")
        assert at.gdb.read_register("x30") == at.target.read_register(away, "x30")
        sp = at.gdb.read_register("sp")
        assert at.gdb.read_memory(sp, 16) == at.target.core.read_pa(at.target.translation(away).physical(sp), 16)
        assert "v0" not in at.gdb.execute("p $v0").partition("=")[2]
        with pytest.raises(Exception, match="does not execute"):
            at.gdb.write_register("x3", 1)


@pytest.mark.parametrize("gdb", GDBS)
def test_a_breakpoint_of_one_vm_hits_there_alone(gdb: str) -> None:
    """Both VMs call the same function of one image, in turns."""
    with attached(SOME, gdb, cpus=1) as at:
        at.gdb.execute("set schedule-multiple on")
        number = next(vm.number for vm in at.target.vms())
        at.gdb.execute(f"thread {number}.1")
        address = PROGRAM.address["guest_interrupt"]
        at.gdb.execute(f"break *{address:#x}")
        hits = 0
        while not (stop := at.gdb.cont()).ended:
            here = at.target.core.vm_here(0)
            assert here is not None
            assert (here[0], stop.pc) == (number, address)
            hits += 1
        assert hits


@pytest.mark.parametrize("gdb", GDBS)
def test_a_vm_that_comes_later_is_attached_to(gdb: str) -> None:
    """GDB 13 takes an inferior that it finds at a stop for that stop: it is told, and asks for it."""
    with attached(0, gdb) as at:
        at.gdb.break_at("guest_main")
        stop = at.gdb.cont()
        assert "vm2 has run, a VM with 1 vCPUs so far" in stop.text
        assert [t.target_id for t in at.gdb.threads()] == ["Thread 1.1", "Thread 1.2"]
        at.gdb.execute("delete")
        for command in ("add-inferior", "inferior 2", f"file {ELF}", "attach 2"):
            at.gdb.execute(command)
        assert [t.target_id for t in at.gdb.threads()] == ["Thread 1.1", "Thread 1.2", "Thread 2.1"]
        at.gdb.execute("set schedule-multiple on")
        point = at.gdb.break_at(f"*{PROGRAM.address['own_system_call']:#x}")
        stop = at.gdb.cont()
        assert stop.breakpoint == point
        assert at.target.core.vm_here(0) == (2, 0)
        assert at.gdb.step_instruction().pc == PROGRAM.address["own_system_call"] + 4


@pytest.mark.parametrize("gdb", GDBS)
def test_a_stop_of_a_process_that_was_not_resumed(gdb: str) -> None:
    """GDB 13 fails an assertion at one: it is reported for the thread that runs on the same CPU."""
    with attached(SOME, gdb) as at:
        at.gdb.execute("thread 3.1")
        at.gdb.execute(f"break *{PROGRAM.address['guest_interrupt']:#x}")
        at.gdb.execute("thread 1.1")
        stop = at.gdb.cont()
        assert "which was not resumed itself: `set schedule-multiple on`" in stop.text
        assert stop.pc == PROGRAM.address["guest_interrupt"]
        assert at.gdb.execute("thread").splitlines()[0].startswith("[Current thread is 1.")


def hits(cpus: int, pid: int, mode: str = "auto") -> list[tuple[int, int]]:
    """Run guests/type1 with a breakpoint of a process at its guests' interrupt vector: who came there, and when."""
    target = boot.bare(boot.BootConfig(image=ELF, smp=cpus, memory=256 << 20))
    target.run_all(SOME)
    target.break_in(mode)
    found = []
    target.insert_breakpoint(pid, 0, PROGRAM.address["guest_interrupt"], 4)
    while (stop := target.run_all()).kind is StopKind.SW_BREAK:
        cpu = target.cpu_of(stop.thread)
        assert cpu is not None
        assert stop.thread.pid == pid
        here = target.core.vm_here(cpu)
        assert here is not None
        found.append((here[0], sum(target.core.insns)))
    assert stop.kind is StopKind.POWEROFF
    return found


@pytest.mark.parametrize("cpus", [1, 2])
def test_whose_a_breakpoint_is(cpus: int) -> None:
    everybody = hits(cpus, 1, "any")
    assert {vm for vm, _ in everybody} == {2, 3}
    for vm in (2, 3):
        of_one = [hit for hit in everybody if hit[0] == vm]
        assert hits(cpus, vm) == hits(cpus, 1, f"vm:{vm}") == of_one
    assert hits(cpus, 1, "host") == hits(cpus, 1, "el2") == []


def test_a_breakpoint_is_of_the_side_that_its_thread_is_on() -> None:
    target = boot.bare(boot.BootConfig(image=ELF, memory=256 << 20))
    registry.bind(target)
    enter, interrupt = PROGRAM.address["enter"], PROGRAM.address["guest_interrupt"]
    target.insert_breakpoint(1, 0, enter, 4)
    target.insert_breakpoint(1, 0, interrupt, 4)
    assert [row.whose for row in target.break_in()[1]] == ["any", "any"]
    assert target.read_register(target.run_all().thread, "pc") == enter
    assert [row.whose for row in target.break_in()[1]] == ["host", "any"]
    while target.read_register(target.run_all().thread, "pc") != interrupt:
        pass
    target.insert_breakpoint(1, 0, interrupt + 4, 4)
    assert target.break_in()[1][-1].whose == "vm:2 (vm2)"
    assert not any(row.passed for row in target.break_in()[1])
    target.break_in("el2")
    target.insert_breakpoint(1, 0, interrupt, 4)
    target.remove_breakpoint(1, 0, enter, 4)
    target.run_all(SOME)
    assert {row.address: row.passed for row in target.break_in()[1]}[interrupt]
    with pytest.raises(CommandError, match="no VM '7'"):
        target.break_in("vm:7")
    with pytest.raises(GdbhvError, match="VM 7 has not run"):
        target.insert_breakpoint(7, 0, interrupt, 4)


def test_a_vcpu_is_stepped_across_its_exits() -> None:
    """From an HVC to what follows it: its hypervisor's instructions are no steps of the vCPU's."""
    target = boot.bare(boot.BootConfig(image=ELF, smp=1, memory=256 << 20))
    registry.bind(target)
    target.run_all(20_000)
    thread = target.thread_of_vm(2)
    before = exits = 0
    for _ in range(2000):
        before = next(vm for vm in target.vms() if vm.number == 2).exits
        stop = target.run([Action(thread, step=True)])
        assert (stop.kind, stop.thread) == (StopKind.STEP, thread)
        assert target.cpu_of(thread) == 0
        exits += next(vm for vm in target.vms() if vm.number == 2).exits != before
    assert exits
