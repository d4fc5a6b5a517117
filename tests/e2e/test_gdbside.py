"""gdbhv's commands inside stock gdb-multiarch, as `gdbhv gdb` loads them; and gdb's own catch syscall."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import GdbSession, tables
from gdbhv.client.gdbline import GDB_SIDE, gdb_arguments
from gdbhv.client.launch import started
from gdbhv.client.stops import GdbError
from gdbhv.monitor import registry

ZOO = ROOT / "guests" / "prebuilt" / "exit_zoo.elf"
HYPERVISOR = ROOT / "guests" / "prebuilt" / "system_stage2_syndrome.elf"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A machine with exit_zoo that waits for gdb at its first instruction."""
    yield from served(tmp_path, ZOO, "--memory", "64M")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[str]:
    """A machine with a program that owns EL2 and has guests."""
    yield from served(tmp_path, HYPERVISOR, "--memory", "256M", "--el", "2")


def served(folder: Path, image: Path, *options: str) -> Iterator[str]:
    arguments = ("run", str(image), *options, "--gdb", f"unix:{folder / 'gdb'}", "--wait", "--console", os.devnull)
    with started(arguments, env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        yield server.address


def gdb(address: str, *commands: str, image: Path | None = ZOO) -> str:
    """What a gdb prints that is started by `gdbhv gdb`, types ``commands`` and ends."""
    arguments = gdb_arguments(address, None if image is None else str(image), commands=(*commands, "kill"))
    done = subprocess.run([arguments[0], "-batch", *arguments[1:]], capture_output=True, text=True, timeout=50, check=False)
    return done.stdout + done.stderr


def test_commands_take_expressions_and_functions_give_numbers(address: str) -> None:
    text = gdb(
        address,
        "gdbhv walk $pc",
        "gdbhv x &zoo_wfi 4",
        'printf "hcr=%#lx tg0=%lu\\n", $_gdbhv_sysreg("HCR_EL2"), $_gdbhv_sysreg("vtcr_el2.t0sz")',
        "gdbhv vmexit catch hvc",
        "continue",
        'printf "esr=%#lx pa=%#lx\\n", $_gdbhv_exit("esr"), $_gdbhv_pa($pc)',
    )
    assert "VA 0x40200000, read at EL1" in text
    assert "df 42 03 d5" in text
    assert "hcr=0x807c663f tg0=24" in text
    assert "hvc:0x0; hvc #0 at " in text
    assert "esr=0x5a000000 pa=0x44201750" in text


def test_gdb_asks_the_server_for_no_files(address: str) -> None:
    """It would say that it gets none, before anything else."""
    text = gdb(address, image=None)
    assert f"Reading symbols from {ZOO}" in text
    assert "file transfer" not in text


def test_an_address_is_whatever_gdb_knows(address: str) -> None:
    text = gdb(address, "gdbhv walk zoo_wfi", "gdbhv x ipa:zoo_wfi 4", "set $VBAR_EL1 = 0x40200800", "gdbhv walk $VBAR_EL1",
               "gdbhv walk ipa:$pc", "gdbhv x $SCTLR_EL1 4")  # fmt: skip
    assert "VA 0x4020176c, read at EL1" in text
    assert "df 42 03 d5" in text
    assert "VA 0x40200800, read at EL1" in text
    assert "IPA 0x40200000, read, of vm1 vcpu0" in text
    assert "0xc50838" in text, "a register of fields is its number"
    assert "Python Exception" not in text


def test_a_backtrace_at_an_exit_goes_on_to_the_frame_that_exited(bare: str) -> None:
    text = gdb(
        bare,
        "gdbhv vmexit catch dabt",
        "continue",
        "backtrace",
        "gdbhv frame guest",
        "info registers x1",
        'printf "guest at %#lx\\n", $pc',
        "stepi",
        "backtrace 2",
        image=HYPERVISOR,
    )
    frames = [line for line in text.splitlines() if line.startswith("#")]
    assert frames[0].startswith("#0  home_vectors () at ")
    left = frames[1].split()[1]
    assert "guest is in `monitor frame guest`" in text
    assert f"at {int(left, 16):#x} (EL1)" in text, "the stop's text names the frame"
    assert [line.split(" in ")[-1].split()[0] for line in frames[2:6]] == [
        "return_by_svc",
        "check_syndromes",
        "case_syndrome_of_each_load_and_store",
        "case_enter",
    ]
    assert f"guest at {int(left, 16):#x}" in text
    assert "x1             0x800000000" in text, "its registers"
    assert frames[-2].startswith("#0  home_vectors () at ")
    assert frames[-1].split()[1] == left, "as long as x30 is the guest's"
    assert "Python Exception" not in text


def test_a_stop_in_another_inferior_leaves_the_machines_backtrace_whole(bare: str) -> None:
    """`attach 2` stops with the VM's inferior selected; the frame that exited is the machine's inferior's all the same."""
    text = gdb(
        bare,
        "gdbhv vmexit catch dabt",
        "continue",
        'printf "before\\n"',
        "backtrace 2",
        "add-inferior",
        "inferior 2",
        "attach 2",
        "info threads",
        "inferior 1",
        'printf "after\\n"',
        "backtrace 2",
        image=HYPERVISOR,
    )
    before, after = text.split("before\n")[1].split("after\n")
    frames = [next(line for line in part.splitlines() if line.startswith("#1")) for part in (before, after)]
    assert "* 2.1" in before, "the VM's inferior was selected"
    assert frames[0] == frames[1]


def test_refusals_are_the_servers_sentences(address: str) -> None:
    text = gdb(
        address,
        "gdbhv sysreg SCTRL_EL1",
        'print $_gdbhv_sysreg("FOO")',
        'print $_gdbhv_sysreg("HCR_EL2.FOO")',
        "print $_gdbhv_pa(0x4000000000)",
        "gdbhv walk $nothing",
        "gdbhv nothing",
    )
    assert "SCTRL_EL1: no such system register; did you mean SCTLR_EL1" in text
    assert "FOO: no such system register" in text
    assert "HCR_EL2 has no field FOO; it has VM, SWIO" in text
    assert "0x4000000000: stage 2 translation fault, level 1" in text
    assert "$nothing: " in text
    assert 'Undefined gdbhv command: "nothing"' in text
    assert "Traceback" not in text
    assert "Python Exception" not in text


def test_completion_and_help(address: str) -> None:
    text = gdb(
        address,
        "complete gdbhv vmexit ",
        "complete gdbhv vmexit stats --c",
        "complete gdbhv sysreg --group ti",
        "complete gdbhv sysreg SCTLR_EL1",
        "complete gdbhv vmexit catch dabt.tr",
        "complete gdbhv vmexit catch el1.sv",
        "complete gdbhv vmexit catch hvc late",
        "complete gdbhv vmexit catch sysreg reg=ACTLR",
        "complete gdbhv vmexit catch hvc if x0 do c",
        "help gdbhv walk",
    )
    for line in (
        "gdbhv vmexit catch",
        "gdbhv vmexit stats --clear",
        "gdbhv sysreg --group timer",
        "gdbhv sysreg SCTLR_EL12",
        "gdbhv vmexit catch dabt.trans",
        "gdbhv vmexit catch el1.svc",
        "gdbhv vmexit catch hvc latency>",
        "gdbhv vmexit catch sysreg reg=ACTLR_EL1",
        "gdbhv vmexit catch hvc if x0 do count",
    ):
        assert line in text.splitlines()
    assert f"Usage: gdbhv {registry.load()['walk'].usage}" in text


def test_a_gdb_that_is_not_connected_is_told(tmp_path: Path) -> None:
    text = gdb(f"unix:{tmp_path / 'nobody'}")
    assert f"no server, no commands of it: target extended-remote ADDRESS, then source {GDB_SIDE}" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "function"), [("hvc", "zoo_hvc_psci"), ("wfx", "zoo_wfi"), ("sysreg", "zoo_id_read"), ("fp", "zoo_fp")]
)
def test_catch_syscall_by_the_number_of_the_class(address: str, name: str, function: str) -> None:
    number = tables.exit_classes()[name]["number"]
    with GdbSession(address, str(ZOO)) as session:
        session.catch_exit(number)
        stop = session.cont()
        assert (stop.reason, stop.exit_number) == ("syscall-entry", number)
        assert stop.frame is not None
        assert stop.frame.function == function


def test_a_wrong_specification_is_an_error_to_scripts(address: str) -> None:
    with GdbSession(address, str(ZOO)) as session:
        with pytest.raises(GdbError, match="no exit class 'dapt'; did you mean dabt"):
            session.catch_exit("dapt")
        with pytest.raises(GdbError, match="has had no exit yet"):
            session.monitor_json("vmexit last")


def test_catchpoints_with_conditions_and_actions(address: str) -> None:
    """What only has something said or done is printed while the guest runs on, in its order."""
    text = gdb(
        address,
        "gdbhv vmexit catch sysreg pc=&zoo_actlr_write do log",
        "gdbhv vmexit catch sysreg.read:ID_* do run vmexit list",
        "gdbhv vmexit catch wfx.wfe once if $x0 == $x0 && ($pc & 3) == 0",
        "gdbhv vmexit catch el1.brk do mark brk",
        "gdbhv vmexit catch hvc nr=0x84000008",
        "continue",
        "continue",
        "monitor vmexit list",
        "monitor vmexit stats since brk",
    )
    said = (
        "[vmexit list]",
        "sysreg.write:ACTLR_EL1; msr actlr_el1, xzr at ",
        "wfx.wfe; wfe at ",
        "[vmexit mark brk]",
        "SYSTEM_OFF",
    )
    at = [text.find(words) for words in said]
    assert at[0] > 0
    assert sorted(at[:2]) == at[:2], text
    assert at[2] < at[3] < at[4], text
    assert "no mark" not in text
    assert "virtual nanoseconds until the vCPU was entered again" in text
    assert "Python Exception" not in text
    assert "Error" not in text
