"""RSP packets and monitor commands made of real pieces, on a real machine: an answer or an error, no exception and
no hang.
"""

from __future__ import annotations

import logging
import random

import pytest

from conftest import ROOT
from fuzz.machines import dice, rounds, value
from gdbhv import _core, boot
from gdbhv.boot import BootConfig
from gdbhv.monitor import registry
from gdbhv.rsp.framing import frame
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Shared
from gdbhv.rsp.tdesc import Description

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"

PIECES = """
    g G p P m M X Z0, z0, Z1, z1, Z2, Z3, Z4, z2, Hg Hc T ? qC vCont? vCont;s: vCont;c: vCont;r
    qXfer:features:read:target.xml: qXfer:threads:read:: qXfer:exec-file:read: qfThreadInfo qsThreadInfo qRcmd, D;1
    vKill;1 QCatchSyscalls:1; qSearch:memory: qSupported:multiprocess+ QStartNoAckMode qMemoryRegionInfo: qCRC: x
    vFile:pread: qThreadExtraInfo, vCont;s ; C S c s vMustReplyEmpty QPassSignals: ! k R vRun vAttach;
"""


# Just where counts, lengths and addresses have their bounds; each is tried with its neighbours.
HUGE = (1 << 16, 1 << 20, 1 << 30, 1 << 31, 1 << 32, 1 << 40, 1 << 48, 1 << 52, 1 << 63, 1 << 64, 1 << 100)
CONVERSIONS = ("d", "s", "c", "p", "lx", "hhu", "", "%", "x")


def program(rng: random.Random) -> bytes:
    """A Z packet with a condition or commands: random bytecode, loops and printf with huge numbers."""
    flags, widths = ("", "-", "0", ".", "#"), (*HUGE, 7, 70)
    text = "".join(f"%{rng.choice(flags)}{rng.choice(widths)}{rng.choice(CONVERSIONS)}" for _ in range(2)).encode()
    body = rng.choice(
        (
            bytes(rng.randrange(0x35) for _ in range(rng.randrange(20))),
            bytes.fromhex("2201282100000027"),
            b"\x22\x07" * 5 + b"\x34" + bytes([rng.randrange(4)]) + (len(text) + 1).to_bytes(2, "big") + text + b"\0",
            b"\x25" + rng.randbytes(8) + bytes([rng.randrange(0x17, 0x1B)]),
        )
    )
    code = body + b"\x27"
    expression = b"X%x,%b" % (len(code) if rng.random() < 0.9 else rng.choice(HUGE), code.hex().encode())
    what = expression if rng.random() < 0.5 else b"cmds:%x," % rng.choice((0, 1, *HUGE)) + expression * rng.randrange(1, 3)
    return frame(b"Z%d,%x,4;%b" % (rng.randrange(2), 0x40200000 + 4 * rng.randrange(8), what))


def packet(rng: random.Random) -> bytes:
    pieces = PIECES.split()
    if rng.random() < 0.1:
        return program(rng)
    if rng.random() < 0.15:
        words = " ".join(
            rng.choice([*registry.load(), "0x40200000", "HCR_EL2", "=1", f"{value(rng):#x}", "--json"]) for _ in range(3)
        )
        return frame(b"qRcmd," + words.encode().hex().encode())
    numbers = (
        b"%x" % value(rng),
        b"%x" % (rng.choice(HUGE) + rng.randrange(-1, 2)),
        b"p1.1",
        b"p1.2",
        b"p1.-1",
        b"p9.9",
        b"0",
        b",4",
        b",",
        b":",
        b";",
        b"40200000",
        b"ff" * 9,
    )
    data = rng.choice(pieces).encode() + b"".join(rng.choice(numbers) for _ in range(rng.randrange(5)))
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(40))
    return frame(data)


@pytest.mark.parametrize("hosted", [True, False])
def test_packets(hosted: bool, caplog: pytest.LogCaptureFixture) -> None:
    rng = dice(f"packets {hosted}")
    caplog.set_level(logging.ERROR)
    for _ in rounds(12):
        config = BootConfig(image=HELLO, memory=16 << 20, smp=2)
        target = boot.hosted(config) if hosted else boot.bare(config)
        session = Session(Shared(target, Description(_core.registers()), registry.bind(target), lambda pid: str(HELLO)))
        for _ in range(120):
            session.receive(packet(rng))
            for _ in range(60):
                if not session.busy:
                    break
                if session.run is not None:
                    target.interrupt()
                    session.stopped(target.run(session.run.actions, 500))
                else:
                    session.pump()
            session.take_output()
            if session.outcome is not None or not session.threads:
                break
        assert [r.message for r in caplog.records if "internal error" in r.message or "failed" in r.message] == []
