"""What gdb does with a refusal, in both gdbs: what is read, and what GdbSession raises. Oracle: the gdbs themselves."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from e2e.debugged import GDBS, PREBUILT, Debugged, debugged
from gdbhv import _core, boot
from gdbhv.boot import BootConfig
from gdbhv.client.session import GdbSession
from gdbhv.client.stops import GdbError, GdbTimeout
from gdbhv.console import Console
from gdbhv.errors import PacketError
from gdbhv.monitor import registry
from rsp.wire import serving

HELLO = PREBUILT / "hello.elf"
UNALIGNED = "0x40000002 is no multiple of 4: no instruction is ever there"
NO_MEMORY = "0x10: IPA 0x10 is neither memory nor a device of vm1"
HOSTED = "no code runs at EL2, which gdbhv plays: nothing would read it. `gdbhv run --el 2`"
LONG = "a watchpoint covers 1 to "

# what is typed; what gdb itself says (13, 18); the server's reason, which GdbSession has in any case
SAID: dict[str, tuple[tuple[str, str], str]] = {
    "set var $HPFAR_EL2 = 1": (
        ("remote failure reply 'E.HPFAR_EL2: no", "remote failure reply 'HPFAR_EL2: no"),
        HOSTED,
    ),
    "monitor nope": (("Protocol error with Rcmd", "Rcmd: no monitor command 'nope'"), "no monitor command 'nope'"),
    "x/wx 0x10": (("Cannot access memory at address 0x10",) * 2, NO_MEMORY),
    "x/wx 0x9000000": (("Cannot access memory at address 0x9000000",) * 2, "UARTDR: reading it takes a character"),
    "set var *(int *) 0x10 = 1": (("Cannot access memory at address 0x10",) * 2, NO_MEMORY),
    "dump memory /dev/null 0x10 0x20": (("Cannot access memory at address 0x10",) * 2, NO_MEMORY),
}


@pytest.fixture(scope="module", params=GDBS, ids=["13", "18"])
def at(request: pytest.FixtureRequest) -> Iterator[Debugged]:
    with debugged(BootConfig(image=HELLO, memory=64 << 20), HELLO, gdb=request.param) as machine:
        yield machine


@pytest.mark.parametrize("typed", SAID)
def test_what_is_read(at: Debugged, typed: str) -> None:
    said, reason = SAID[typed]
    with pytest.raises(GdbError) as raised:
        at.gdb.monitor(typed.removeprefix("monitor ")) if typed.startswith("monitor ") else at.gdb.execute(typed)
    assert said[GDBS.index(gdb_of(at))] in str(raised.value) or typed.startswith("monitor ")
    assert reason in str(raised.value)
    assert reason in at.gdb.monitor("why").splitlines()[-1] or typed.startswith("monitor ")


def gdb_of(at: Debugged) -> str:
    return GDBS[int(" 18." in at.gdb.execute("show version"))]


RESUMPTIONS: dict[str, Callable[[GdbSession], object]] = {
    "stepi": lambda gdb: gdb.step_instruction(timeout=20),
    "stepi 2": lambda gdb: gdb.step_instruction(2, timeout=20),
    "next": lambda gdb: gdb.next(timeout=20),
    "continue": lambda gdb: gdb.cont(timeout=20),
    "resume": lambda gdb: gdb.resume() or gdb.wait_for_stop(20),
    "by hand": lambda gdb: gdb.execute("continue &") and gdb.wait_for_stop(20),
}
REFUSED = {
    "break *0x40000002": UNALIGNED,
    "hbreak *0x40000002": UNALIGNED,
    "watch *(char (*)[1000000000]) 0x40000000": LONG,
}


@pytest.mark.parametrize("how", RESUMPTIONS)
@pytest.mark.parametrize("what", REFUSED)
def test_a_breakpoint_that_cannot_be_inserted(at: Debugged, what: str, how: str) -> None:
    """gdb answers ^running, and then ^error to the same command: it does not run, and nothing is to be waited for."""
    at.gdb.execute(what)
    try:
        with pytest.raises(GdbError, match=re.escape(REFUSED[what])) as raised:
            RESUMPTIONS[how](at.gdb)
        assert not isinstance(raised.value, GdbTimeout)
        assert "1b" not in repr(str(raised.value)), "no colours"
        with pytest.raises(GdbError, match="the guest does not run"):
            at.gdb.wait_for_stop(20)
    finally:
        at.gdb.execute("delete")
    before = at.gdb.read_register("pc")
    assert at.gdb.step_instruction().pc != before, "and goes on when the breakpoint is away"
    at.gdb.write_register("pc", before)


def test_the_words_of_gdb_come_one_at_a_time(at: Debugged, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy host `^running`, `*running` and `^error` are read one by one: it runs from the first of them on."""
    whole, held = at.gdb._read, list[dict[str, Any]]()

    def one(*args: Any) -> list[dict[str, Any]]:
        held[:] = held or whole(*args)
        return [held.pop(0)]

    monkeypatch.setattr(at.gdb, "_read", one)
    at.gdb.execute("hbreak *0x40000002")
    try:
        with pytest.raises(GdbError, match=re.escape(UNALIGNED)):
            RESUMPTIONS["by hand"](at.gdb)
    finally:
        at.gdb.execute("delete")


def test_other_words_of_gdb_are_left_alone_and_a_block_that_cannot_be_read_has_a_reason(at: Debugged) -> None:
    at.gdb.execute("set var $x0 = 0")
    with pytest.raises(GdbError, match=r"No symbol \"nowhere\" in current context\.$"):
        at.gdb.evaluate("nowhere")
    with pytest.raises(GdbError, match=r"0x4400000[0-3]: IPA 0x4400000[0-3] is neither memory nor a device"):
        at.gdb.read_memory(0x44000000, 4)


def test_names_of_registers_and_values_that_do_not_fit(at: Debugged) -> None:
    """gdb makes a convenience variable of a name that it does not know, and cuts what is too wide."""
    for name in ("nosuch", "x31", "X0"):
        with pytest.raises(GdbError, match=f"^{name}: there is no such register$"):
            at.gdb.read_register(name)
        with pytest.raises(GdbError, match=f"^{name}: there is no such register$"):
            at.gdb.write_register(name, 1)
    for name, value in (("x0", 1 << 64), ("x0", -1), ("v0", 1 << 128)):
        with pytest.raises(ValueError, match=f"does not fit into {name}"):
            at.gdb.write_register(name, value)
    state = at.gdb.read_register("cpsr")
    assert state & 0x1F == 5, "EL1h"
    at.gdb.write_register("cpsr", state | 1 << 31)
    assert at.gdb.read_register("cpsr") == state | 1 << 31
    at.gdb.write_register("cpsr", state)
    for name in ("x0", "w0", "sp", "pc", "fp", "lr", "fpsr", "v31", "HCR_EL2", "hcr_el2", "HCR_EL2.VM"):
        assert at.gdb.read_register(name) >= 0


NO_THREAD = "p1.1 is no thread: its VM is off"
WARNED = f"warning: Remote failure reply: E.{NO_THREAD}"


@pytest.mark.parametrize("gdb", GDBS, ids=["13", "18"])
@pytest.mark.parametrize(
    ("handler", "typed", "said"),
    [
        ("resume._start", "stepi", WARNED),
        ("resume._start", "continue", WARNED),
        ("registers._find", "info registers fpsr", NO_THREAD),
    ],
)
def test_a_step_and_a_read_that_are_refused_say_why(
    gdb: str, handler: str, typed: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In gdb 13 too, which has not asked for texts. Nothing is known that makes a machine refuse these, so it is made to."""

    def refuse(*args: object) -> NoReturn:
        raise PacketError("", NO_THREAD)

    monkeypatch.setattr(f"gdbhv.rsp.packets.{handler}", refuse)
    target = boot.hosted(BootConfig(image=HELLO, memory=64 << 20), Console())
    with serving(target, registers=_core.registers(), monitor=registry.bind(target)) as server:
        lines = ("set architecture aarch64", f"target extended-remote {server.address}", typed, "monitor why", "kill")
        commands = [word for line in lines for word in ("-ex", line)]
        done = subprocess.run([gdb, "-nx", "-batch", *commands], capture_output=True, text=True, timeout=60, check=False)
    text = done.stdout + done.stderr
    assert said in text
    assert NO_THREAD in text.splitlines(), "and so says `monitor why`"
