"""Device registers as a debugger has them: read, written and watched by stock gdb, on every kind of machine.

Oracle: Arm DDI 0183 (PL011), IHI 0069 (GICD_CTLR), and gdb: `watch` stops when the value has changed.
"""

from __future__ import annotations

import contextlib

import pytest

from e2e.debugged import PREBUILT, debugged
from gdbhv.boot import BootConfig
from gdbhv.client.stops import GdbError
from hv.programs import NOP, code

UART, GICD = 0x09000000, 0x08000000
STR_W2_X1_IBRD = 0xB9002422  # str w2, [x1, #0x24]
LDR_W3_X1_FR = 0xB9401823  # ldr w3, [x1, #0x18]
STR_W2_X4 = 0xB9000082  # str w2, [x4]
B_HERE = 0x14000000
HELLO = PREBUILT / "hello.elf"


def kinds(*names: str):
    return pytest.mark.parametrize("kind", names)


@contextlib.contextmanager
def machine(kind: str, *words: int):
    """A machine that is about to execute ``words``, with x1 at the UART, x4 at the Distributor and w2 = 0x12."""
    config = BootConfig(image=HELLO, memory=64 << 20)
    with debugged(config, HELLO, vms=kind == "hosted") as session:
        gdb = session.gdb
        start = gdb.read_register("pc")
        gdb.write_memory(start, code(*words))
        for name, value in (("x1", UART), ("x4", GICD), ("x2", 0x12)):
            gdb.write_register(name, value)
        yield session, start


@kinds("hosted", "bare")
def test_read_and_written(kind: str) -> None:
    with machine(kind, B_HERE) as (session, _):
        gdb = session.gdb
        assert gdb.execute(f"x/wx {UART + 0x18:#x}").split()[-1] == "0x00000090"
        assert gdb.execute(f"x/4bx {UART + 0xFE0:#x}").split()[-4:] == ["0x11", "0x00", "0x00", "0x00"]
        assert gdb.execute(f"x/hx {UART + 0x32:#x}").split()[-1] == "0x0000"
        assert gdb.execute(f"x/gx {GICD:#x}").split()[-1][-8:] == "00000050"  # GICD_CTLR: ARE, DS
        with pytest.raises(GdbError, match="Cannot access memory"):
            gdb.execute(f"x/wx {UART:#x}")
        with pytest.raises(GdbError, match="0x9000000: UARTDR: reading it takes a character"):
            gdb.monitor(f"x {UART:#x} 4")
        gdb.execute(f"set {{int}}{UART + 0x24:#x} = 16")
        gdb.execute(f"set {{char}}{UART:#x} = 65")
        assert gdb.evaluate(f"*(int *) {UART + 0x24:#x}") == "16"
        gdb.step_instruction()
        assert session.console == "A"  # the write is the guest's own, with its effect
        with pytest.raises(GdbError, match="Cannot access memory"):
            gdb.execute("set {int}0x10000000 = 1")


@kinds("hosted", "bare")
def test_watched(kind: str) -> None:
    with machine(kind, STR_W2_X1_IBRD, NOP, LDR_W3_X1_FR, STR_W2_X4, NOP, B_HERE) as (session, start):
        gdb = session.gdb
        baud = gdb.watch(f"*(int *) {UART + 0x24:#x}")
        control = gdb.watch(f"*(int *) {GICD:#x}")
        status = gdb.watch(f"*(int *) {UART + 0x18:#x}", read=True, write=False)
        stops = [gdb.cont() for _ in range(3)]
        assert [(s.breakpoint, s.pc - start) for s in stops] == [(baud, 4), (status, 12), (control, 16)]
        assert [s.raw.get("value") for s in stops] == [
            {"old": "0", "new": "18"},
            {"value": "144"},
            {"old": "80", "new": "82"},
        ]


@kinds("hosted", "bare")
def test_watched_by_the_monitor(kind: str) -> None:
    """The stop is a plain one to gdb, told by its line."""
    with machine(kind, STR_W2_X1_IBRD, LDR_W3_X1_FR, B_HERE) as (session, start):
        gdb = session.gdb
        gdb.monitor(f"watch {'ipa' if kind == 'hosted' else 'pa'}:{UART:#x}-{UART + 0xFFF:#x} rw")
        first, second = gdb.cont(), gdb.cont()
        assert (first.reason, first.pc, second.pc) == ("signal-received", start, start + 4)
        assert "write to" in first.text
        assert "0x9000024 (pl011+0x24); str w2, [x1, #0x24] at" in first.text
        assert "0x9000018 (pl011+0x18); ldr w3, [x1, #0x18] at" in second.text
