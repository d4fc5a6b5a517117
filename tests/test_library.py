"""``import gdbhv``: build a machine or a VM, load, run until a condition, inspect."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading

import pytest

import gdbhv
from conftest import ROOT
from gdbhv.exits import exitspec
from gdbhv.exits.catches import Catcher
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import StopKind, ThreadId
from hv.programs import add, add_vm, branch, code

PREBUILT = ROOT / "guests" / "prebuilt"
HELLO, ZOO = PREBUILT / "hello.elf", PREBUILT / "exit_zoo.elf"
SMALL = 64 << 20


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(gdbhv.__all__) == gdbhv.__all__
    for name in gdbhv.__all__:
        assert getattr(gdbhv, name).__doc__, name
    assert set(gdbhv.__all__) <= set(dir(gdbhv))
    with pytest.raises(AttributeError, match="nothing"):
        _ = gdbhv.nothing


def test_import_is_lazy() -> None:
    """`gdbhv gdb` and GdbSession may run where there is no native module."""
    code = "import sys, gdbhv; gdbhv.GdbSession; print([m for m in sys.modules if m.startswith('gdbhv')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    client = ["gdbhv.client", *(f"gdbhv.client.{name}" for name in ("stops", "gdbline", "reversing", "session"))]
    assert ast.literal_eval(done.stdout) == ["gdbhv", *client]


def test_hosted_to_the_end() -> None:
    target = gdbhv.hosted(gdbhv.BootConfig(image=HELLO, memory=SMALL))
    stop = target.run_all()
    assert stop.kind is gdbhv.StopKind.POWEROFF
    assert target.console is not None
    assert bytes(target.console.text) == b"hello from EL1\n"
    assert target.processes() == []


def test_run_until_an_exit_and_inspect() -> None:
    target = gdbhv.hosted(gdbhv.BootConfig(image=ZOO, memory=SMALL))
    spec = exitspec.parse("sysreg.write:ACTLR_EL1")
    target.catchers["mine"] = Catcher(lambda thread, record: spec.matches(record), spec.classes)
    stop = target.run_all()
    assert stop.kind is gdbhv.StopKind.EXIT
    assert stop.exit is not None
    assert stop.exit["name"] == "sysreg.write:ACTLR_EL1"
    assert target.read_register(stop.thread, "pc") == stop.exit["pc"]
    word = target.read_memory(stop.thread, stop.exit["pc"], 4)
    assert int.from_bytes(word, "little") == stop.exit["insn"]
    assert target.read_memory(stop.thread, stop.exit["pc"], 4, gdbhv.Space.IPA) == word
    target.write_register(stop.thread, "x5", 0x1234)
    assert target.read_register(stop.thread, "x5") == 0x1234
    assert target.run([gdbhv.Action(stop.thread, step=True)]).kind is gdbhv.StopKind.STEP
    assert target.read_register(stop.thread, "pc") == stop.exit["pc"] + 4


def test_an_exact_number_of_instructions_hosted_and_bare() -> None:
    for make in (gdbhv.hosted, gdbhv.bare):
        target = make(gdbhv.BootConfig(image=HELLO, memory=SMALL))
        core = target.core if isinstance(target, gdbhv.Machine) else target.machine
        for n in (1, 10, 100):
            before = sum(core.insns)
            assert target.run_all(n).kind is gdbhv.StopKind.BUDGET
            assert sum(core.insns) == before + n


def test_a_vm_made_by_hand() -> None:
    """mov x1, #0x09000000; mov w0, #'!'; str w0, [x1]; HVC with PSCI SYSTEM_OFF."""
    host = gdbhv.Host(memory=SMALL)
    vm = host.create_vm("mine")
    vm.add_memory(0x40000000, 16 << 20)
    seen: list[tuple[int, int]] = []

    class Ear(gdbhv.MmioDevice):
        """Hears what is written."""

        name = "ear"

        def write(self, offset: int, size: int, value: int) -> None:
            seen.append((offset, value))

    vm.add_device(0x09000000, Ear())
    words = (0xD2A12001, 0x52800420, 0xB9000420, 0xD2800100, 0xF2B08000, 0xD4000002)
    vm.write(0x40000000, b"".join(w.to_bytes(4, "little") for w in words))
    vm.start(0x40000000, 0)
    assert gdbhv.HostTarget(host).run_all().kind is gdbhv.StopKind.POWEROFF
    assert seen == [(4, 0x21)]


def test_errors_are_of_one_family() -> None:
    with pytest.raises(gdbhv.ImageError) as image:
        gdbhv.hosted(gdbhv.BootConfig(image="nothing"))
    assert image.value.path == "nothing"
    target = gdbhv.hosted(gdbhv.BootConfig(image=HELLO, memory=SMALL))
    thread = target.processes()[0].threads[0].id
    with pytest.raises(gdbhv.RegisterError) as register:
        target.read_register(thread, "x99")
    assert register.value.register == "x99"
    with pytest.raises(gdbhv.MemoryError_) as memory:
        target.read_memory(thread, 0x0B000000, 4)
    assert memory.value.address == 0x0B000000
    for kind in (gdbhv.ImageError, gdbhv.RegisterError, gdbhv.MemoryError_, gdbhv.CommandError):
        assert issubclass(kind, gdbhv.GdbhvError)


class Alarm(Exception):
    pass


@pytest.mark.parametrize("kind", ["hosted", "bare"])
def test_a_guest_that_never_exits_is_interrupted_by_signals(kind: str) -> None:
    """What a handler raises comes out of run_all(), as Ctrl-C does, and the machine can run on as another one does."""

    def spinning() -> HostTarget | Machine:
        if kind == "bare":
            (machine := Machine(memory=16 << 20)).start([(0x40000000, code(add(0, 0, 1), branch(-1)))], 0x40000000, 0)
            return machine
        host = Host(cpus=1, memory=64 << 20)
        add_vm(host, add(0, 0, 1), branch(-1))
        return HostTarget(host)

    def handler(*_: object) -> None:
        raise Alarm

    def insns(target: HostTarget | Machine) -> int:
        return sum((target.machine if isinstance(target, HostTarget) else target.core).insns)

    first, second = spinning(), spinning()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        for _ in range(2):
            timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(Alarm):
                first.run_all()
    finally:
        signal.signal(signal.SIGUSR1, before)
    end = insns(first) + 12345
    for target in (first, second):
        assert target.run_all(end - insns(target)).kind is StopKind.BUDGET
    (a, b) = (target.read_core(ThreadId(1, 1)) for target in (first, second))
    assert a == b


def test_a_run_after_the_end_says_so() -> None:
    target = gdbhv.hosted(gdbhv.BootConfig(image=ROOT / "guests/prebuilt/hello.elf", memory=64 << 20))
    assert target.run_all().kind is StopKind.POWEROFF
    again = target.run_all()
    assert (again.kind, again.text) == (StopKind.POWEROFF, target.off_text)
