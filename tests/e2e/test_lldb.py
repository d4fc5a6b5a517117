"""Debian's LLDB as a debugger: what it asks for, and what it makes of the answers."""

from __future__ import annotations

import re
import subprocess

import pytest

from e2e.debugged import PREBUILT
from gdbhv import _core, boot
from gdbhv.console import Console
from gdbhv.monitor import registry
from rsp.wire import serving

ELF = PREBUILT / "wrong_store.elf"


def lldb(hosted: bool, *commands: str) -> str:
    """Attach LLDB to a guest at its first instruction, give the commands, and return all that is printed."""
    config, console = boot.BootConfig(image=ELF, memory=64 << 20), Console()
    target = boot.hosted(config, console, vms=1) if hosted else boot.bare(config, console, el2=False)
    with serving(target, registers=_core.registers(), monitor=registry.bind(target)) as server:
        lines = [f"target create {ELF}", f"gdb-remote {server.address.host}:{server.address.port}", *commands]
        words = [word for line in lines for word in ("-o", line)]
        return subprocess.run(
            ("lldb-14", "-b", "-x", *words), capture_output=True, text=True, timeout=100, check=False
        ).stdout


def part(text: str, command: str) -> str:
    """What a command printed."""
    return text.partition(f"(lldb) {command}\n")[2].partition("\n(lldb)")[0]


@pytest.mark.parametrize("hosted", [False, True], ids=["bare", "hosted"])
def test_a_session(hosted: bool) -> None:
    text = lldb(
        hosted,
        "register read x0 pc sp sctlr_el1",
        "register read --all",
        "breakpoint set --name el1_sync",
        "watchpoint set variable aborts_seen",
        "continue",
        "register read FAR_EL1",
        "frame variable frame->far",
        "thread backtrace",
        "breakpoint disable 1",
        "thread step-inst",
        "continue",
        "process plugin packet monitor help vmexit",
        "watchpoint list -v",
        "watchpoint delete 1",
        "continue",
    )
    registers = part(text, "register read x0 pc sp sctlr_el1")
    assert re.search(r"pc = 0x0000000040200000 +wrong_store.elf`_start", registers), text
    assert {"x0", "sp", "sctlr_el1"} <= set(re.findall(r"(\w+) = ", registers.lower()))
    everything = part(text, "register read --all")
    assert {"general", "float", "id", "el1", "timer", "gic"} <= set(re.findall(r"^(\w+):$", everything, re.MULTILINE))
    assert "0xcccccccc" not in everything, "a register that cannot be read"
    assert "FAR_EL1 = 0x000000000b000000" in part(text, "register read FAR_EL1")
    assert "184549376" in part(text, "frame variable frame->far")
    assert "`el1_sync" in part(text, "thread backtrace")
    assert "instruction step into" in part(text, "thread step-inst")
    assert re.search(r"Watchpoint 1 hit:\nold value: 0\nnew value: 1\n", text), "the new value is the one after the access"
    assert "vmexit catch" in part(text, "process plugin packet monitor help vmexit")
    assert "Number of supported hardware watchpoints: 65536" in text
    assert "exited with status = 0" in text


def test_it_says_why_something_is_refused() -> None:
    text = lldb(True, "process plugin packet send Z9,40200000,4")
    assert bytes.fromhex(re.findall(r"E01;([0-9a-f]+)", text)[-1]) == b"no breakpoint has the type 9"
