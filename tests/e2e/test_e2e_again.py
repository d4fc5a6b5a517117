"""A guest that resets; `run`, `kill` and `monitor reset`, as gdb does them. Oracle: QEMU's virt, GDB's manual."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.debugged import GDBS, PREBUILT, debugged
from gdbhv.boot import BootConfig
from hv.programs import CODE, add, branch, code

HELLO = PREBUILT / "hello.elf"
MIB = 1 << 20
COUNTED = CODE + 4
HVC0, SMC0 = 0xD4000002, 0xD4000003


def resetting(call: int) -> bytes:
    """ADD X5, X5, #1; NOP; MOV W0, #0x84000009; CALL; B . - a second life would find x5 at 0 again."""
    return code(add(5, 5, 1), 0xD503201F, 0x52800120, 0x72B08000, call, branch(0))


@pytest.fixture
def guest(tmp_path: Path):
    def make(call: int) -> BootConfig:
        (path := tmp_path / "resetting.bin").write_bytes(resetting(call))
        return BootConfig(load=[(str(path), CODE)], entry=CODE, memory=16 * MIB)

    return make


@pytest.mark.parametrize(("vms", "call", "name"), [(1, HVC0, "vm1"), (2, HVC0, "vm1"), (0, SMC0, "machine")])
def test_a_reset_of_the_guest_hits_the_same_breakpoint(guest, vms: int, call: int, name: str):
    with debugged(guest(call), vms=vms) as at:
        at.gdb.execute("set architecture aarch64")
        at.gdb.break_at(COUNTED)
        for n in range(3):
            stop = at.gdb.cont()
            assert (stop.pc, at.gdb.read_register("x5")) == (COUNTED, 1)
            assert (f"{name}: the guest asked for a reset, and begins again" in stop.text) is (n > 0)
        at.gdb.execute(f"set $pc = {CODE + 16:#x}")
        at.gdb.write_register("x0", 0x84000009)
        assert at.gdb.step_instruction().pc == CODE, "a step ends where the guest begins again"


@pytest.mark.parametrize("gdb", GDBS)
def test_kill_run_start(gdb: str):
    with debugged(BootConfig(image=HELLO, memory=64 * MIB), HELLO, gdb=gdb) as at:
        at.gdb.break_at("main")
        assert at.gdb.cont().frame.function == "main"
        assert at.gdb.run().frame.function == "main"
        at.gdb.execute("kill")
        assert at.gdb.run().frame.function == "main"
        assert at.gdb.cont().ended
        assert at.gdb.run().frame.function == "main", "what has ended begins again, too"
        assert at.console.endswith("hello from EL1\n")
        assert at.gdb.cont().ended
        assert at.console == "hello from EL1\n" * 2


def test_one_vm_of_two_begins_again():
    with debugged(BootConfig(image=HELLO, memory=64 * MIB), HELLO, vms=2) as at:
        at.gdb.break_at("main")
        entry = at.gdb.read_register("pc")
        assert at.gdb.cont().frame.function == "main"
        at.gdb.execute("kill")
        assert [p.pid for p in at.target.processes()] == [2]
        assert at.gdb.run().frame.function == "main"
        assert [at.target.read_register(p.threads[0].id, "pc") == entry for p in at.target.processes()] == [False, True]
        assert at.gdb.cont().ended
        assert at.console.endswith("hello from EL1\n")


def test_monitor_reset():
    with debugged(BootConfig(image=HELLO, memory=64 * MIB), HELLO) as at:
        entry = at.gdb.read_register("pc")
        at.gdb.break_at("main")
        at.gdb.cont()
        assert at.gdb.monitor("reset halt").startswith("vm1: reset")
        at.gdb.execute("maintenance flush register-cache")
        assert at.gdb.read_register("pc") == entry
        assert at.gdb.cont().frame.function == "main"


def test_the_monitor_outlives_the_machine():
    with debugged(BootConfig(image=HELLO, memory=64 * MIB), HELLO) as at:
        assert at.gdb.cont().ended
        assert at.gdb.monitor("version").startswith("gdbhv ")
        assert "hvc:0x0" in at.gdb.monitor("vmexit stats")
        with pytest.raises(Exception, match="all VMs are off: `run` or `monitor reset` starts again"):
            at.gdb.monitor("sysreg VBAR_EL1")
