"""Reset: a machine, or one VM of several, switched off and on. What follows is what followed the first time."""

from __future__ import annotations

from pathlib import Path

import pytest

import gdbhv
from gdbhv.errors import GdbhvError
from gdbhv.exits.catches import CatchEvents
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import Pl011
from gdbhv.machine.machine import Machine
from gdbhv.target import Action, Space, StopKind, ThreadId
from hv.programs import CODE, DATA, HVC0, MEMORY, NOP, STR_X0_X1, add, branch, code

GUESTS = Path(__file__).resolve().parent.parent / "guests" / "prebuilt"
MIB = 1 << 20

# MOVZ X1, #DATA >> 16, LSL #16; LDR X0, [X1]; ADD X0, X0, #1; STR X0, [X1]
COUNT = (0xD2A00001 | DATA >> 16 << 5, 0xF9400020, add(0, 0, 1), STR_X0_X1)
SYSTEM_RESET = (0x52800120, 0x72B08000, HVC0)  # MOVZ W0, #9; MOVK W0, #0x8400, LSL #16; HVC #0


def make(name: str, kind: str, smp: int, gic: int = 3) -> HostTarget | Machine:
    config = gdbhv.BootConfig(image=GUESTS / name, smp=smp, memory=32 * MIB, gic=gic)
    return gdbhv.hosted(config) if kind == "hosted" else gdbhv.bare(config, el2=kind == "el2")


def core(target: HostTarget | Machine):
    return target.machine if isinstance(target, HostTarget) else target.core


def life(target: HostTarget | Machine) -> tuple:
    """Run to the end; what was executed, said and left behind since the last reset."""
    machine, console = core(target), target.console
    before, said, exits = machine.insns, len(console.text), machine.exits
    stop = target.run_all(50_000_000)
    counts = [b - a for a, b in zip(before, machine.insns, strict=True)]
    left = [machine.read_core(i) for i in range(machine.cpus)]
    memory = machine.read_pa(machine.ram[0], machine.ram[1])
    return stop.kind, counts, machine.exits - exits, machine.now, bytes(console.text[said:]), left, hash(memory)


@pytest.mark.parametrize(
    ("name", "kind", "smp", "gic"),
    [
        ("hello.elf", "hosted", 1, 3),
        ("two_vcpus.elf", "hosted", 2, 3),
        ("hello.elf", "el1", 1, 3),
        ("system_timers.elf", "el2", 1, 3),
        ("system_smp.elf", "el2", 4, 3),
        ("system_gicv2.elf", "el2", 2, 2),
    ],
)
def test_the_same_follows(name: str, kind: str, smp: int, gic: int) -> None:
    target = make(name, kind, smp, gic)
    first = life(target)
    for middle in (None, 0, 1_001, 30_000):  # from its end, and from the middle of things
        target.reset()
        if middle is not None:
            target.run_all(middle)
            target.reset()
        assert life(target) == first, middle


def test_breakpoints_stay_and_the_count_goes_on() -> None:
    target = make("hello.elf", "el1", 1)
    entry = target.read_register(ThreadId(1, 1), "pc")
    target.insert_breakpoint(1, 0, entry + 8, 4)
    assert target.run_all().kind is StopKind.SW_BREAK
    target.reset()
    assert target.read_register(ThreadId(1, 1), "pc") == entry
    assert target.run_all().kind is StopKind.SW_BREAK
    assert target.read_register(ThreadId(1, 1), "pc") == entry + 8
    assert core(target).insns == [4]


def test_a_machine_at_reset_is_one_again() -> None:
    """Without an image there is nothing to load, and what a debugger has loaded is gone."""
    machine = gdbhv.bare(gdbhv.BootConfig(memory=4 * MIB))
    thread = ThreadId(1, 1)
    machine.write_memory(thread, CODE, code(NOP, branch(0)), Space.PA)
    assert machine.run_all(100).kind is StopKind.BUDGET
    machine.reset()
    assert machine.read_register(thread, "pc") == CODE
    assert machine.read_memory(thread, CODE, 8, Space.PA) == bytes(8)


def two_vms(*words: int) -> HostTarget:
    host = Host(cpus=1, memory=2 * MEMORY)
    for program in (words, (*COUNT, branch(-3))):
        vm = host.create_vm()
        vm.add_memory(CODE, MEMORY)
        vm.boot([(CODE, code(*program))], CODE)
    return HostTarget(host)


def test_the_guest_resets_its_vm_alone() -> None:
    target = two_vms(*COUNT, *SYSTEM_RESET)
    one, two = target.host.vms
    for n in range(1, 5):
        stop = target.run_all()
        assert (stop.kind, stop.thread) == (StopKind.RESET, ThreadId(1, 1))
        assert one.read(DATA, 8) == (1).to_bytes(8, "little"), "memory is zero again each time"
        assert [p.pid for p in target.processes()] == [2]
        before, now = two.read(DATA, 8), core(target).now
        target.reset(1)
        assert [p.pid for p in target.processes()] == [1, 2]
        assert (one.read(DATA, 8), two.read(DATA, 8), core(target).now) == (bytes(8), before, now)
        assert target.read_register(ThreadId(1, 1), "pc") == CODE
        assert one.vcpus[0].exits >= 2 * n, "counts go on"
    assert int.from_bytes(two.read(DATA, 8), "little") > 100, "who resets itself again and again does not starve others"


def test_resets_are_deterministic() -> None:
    def trace() -> list[tuple]:
        target, found = two_vms(*COUNT, *SYSTEM_RESET), []
        for _ in range(3):
            stop = target.run_all()
            target.reset(stop.thread.pid)
            found.append((stop.kind, core(target).now, core(target).insns, target.host.vms[1].read(DATA, 8)))
        return found

    assert trace() == trace()


def test_a_reset_in_the_middle_of_an_exit() -> None:
    """The debugger holds a VM at its exit, and resets it: the exit is never handled, and CPU and VM are free."""
    target = two_vms(*COUNT, *SYSTEM_RESET)
    target.catch_exits(1, CatchEvents({0x1016}))
    assert target.run_all().kind is StopKind.EXIT
    target.reset(1)
    stop = target.run_all()
    assert (stop.kind, stop.thread) == (StopKind.EXIT, ThreadId(1, 1))
    assert target.run([Action(ThreadId(1, 1))]).kind is StopKind.RESET


def test_stage2_tables_are_used_again() -> None:
    target = two_vms(*COUNT, *SYSTEM_RESET)
    free = []
    for _ in range(4):
        target.run_all()
        target.reset(1)
        assert not list(target.host.vms[0].stage2.leaves())
        free.append(target.host.free)
    assert free[1] == free[-1], "the other VM has its tables by the second time"


def test_who_was_filled_by_hand_cannot_begin_again() -> None:
    host = Host(memory=MEMORY)
    vm = host.create_vm("byhand")
    vm.add_memory(CODE, MEMORY)
    vm.write(CODE, code(NOP))
    vm.start(CODE)
    with pytest.raises(
        GdbhvError, match=r"byhand cannot begin again: its memory was filled by hand \(Vm.write, not Vm.boot\)"
    ):
        HostTarget(host).reset()
    assert host.running() == [vm]


def test_a_uart_at_reset() -> None:
    """What its FIFO had no room for is typed again, once the guest listens again."""
    uart = Pl011(lambda _: None)
    uart.write(0x38, 4, uart.RX)
    uart.receive(b"0123456789abcdefXY")
    uart.reset()
    assert uart.read(0x38, 4) == 0
    uart.write(0x38, 4, uart.RX)
    assert bytes(uart.read(0, 1) for _ in range(2)) == b"XY"


def test_devices_of_a_vm_are_at_reset() -> None:
    target = make("hello.elf", "hosted", 1)
    devices = {d.name: d for _, d in target.host.vms[0].devices}
    devices["pl031"].write(8, 4, 5)
    devices["pl061"].write(0x400, 4, 0xFF)
    assert (devices["pl031"].read(0, 4), devices["pl061"].read(0x400, 4)) == (5, 0xFF)
    target.reset()
    assert (devices["pl031"].read(0, 4), devices["pl061"].read(0x400, 4)) == (1_767_225_600, 0)
