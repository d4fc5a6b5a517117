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
    qXfer:features:read:target.xml:
    qXfer:threads:read:: qXfer:exec-file:read: qfThreadInfo qsThreadInfo qRcmd, D;1 vKill;1 QCatchSyscalls:1; qSearch:memory:
    qSupported:multiprocess+ QStartNoAckMode qMemoryRegionInfo: vMustReplyEmpty QPassSignals: ! k R vRun vAttach;
"""


def packet(rng: random.Random) -> bytes:
    pieces = PIECES.split()
    if rng.random() < 0.15:
        words = " ".join(
            rng.choice([*registry.load(), "0x40200000", "HCR_EL2", "=1", f"{value(rng):#x}", "--json"]) for _ in range(3)
        )
        return frame(b"qRcmd," + words.encode().hex().encode())
    numbers = (
        b"%x" % value(rng),
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
