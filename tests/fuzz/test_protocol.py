"""RSP packets and monitor commands made of real pieces, on a real machine: an answer or an error, no exception and
no hang.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import pytest

from conftest import ROOT
from fuzz.machines import dice, rounds, value
from gdbhv import _core, boot
from gdbhv.boot import BootConfig
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.rsp.framing import frame
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Shared
from gdbhv.rsp.tdesc import Description

HELLO, TYPE1 = (ROOT / "guests" / "prebuilt" / f"{name}.elf" for name in ("hello", "type1"))

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


ABOUT_VMS = (
    *("vm:2", "vm:3", "vm:x", "ipa:2:0x40000000", "2", "host", "any", "el2", "break-in", "vms", "reset", "--all"),
    *("vm name 2 a", "snapshot save a", "snapshot restore a", "snapshot delete all", "step interrupts off"),
)
OF_THREADS = ("Hg", "Hc", "T", "vCont;s:", "vCont;c:", "vCont;r40000000,40200000:", "qThreadExtraInfo,")
OF_VMS = """
    g p20 P0=0123456789abcdef m40200000,4 m80000000,40 Z0,80000004,4 Z2,80100000,8 z0,80000004,4 QCatchSyscalls:1;1016
    QCatchSyscalls:0 D;2 D;3 vAttach;2 vAttach;3 vKill;2 qXfer:threads:read::0,fff ? vCont;c vRun R0
"""


def packet_about_vms(rng: random.Random) -> bytes:
    """Packets about the processes and threads that a hypervisor's VMs are, and commands with words about them."""
    kind = rng.random()
    if kind < 0.2:
        words = [*registry.load(), *ABOUT_VMS, f"{value(rng):#x}"]
        line = " ".join(rng.choice(words) for _ in range(rng.randrange(1, 4)))
        return frame(b"qRcmd," + line.encode().hex().encode())
    if kind < 0.4:
        pid, tid = rng.choice((-1, 0, 1, 2, 3, 4)), rng.choice(("-1", "0", "1", "2", "9"))
        thread = f"p{pid}.{tid}"
        rest = rng.choice(("", ";c:p1.-1", ";s:p2.1"))
        return frame(f"{rng.choice(OF_THREADS)}{thread}{rest if rng.random() < 0.3 else ''}".encode())
    return frame(rng.choice(OF_VMS.split()).encode()) if kind < 0.6 else packet(rng)


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


def hypervisor(rng: random.Random) -> Machine:
    """A small hypervisor, before and after its VMs have run."""
    machine = boot.bare(BootConfig(image=TYPE1, memory=64 << 20, smp=2))
    machine.run_all(rng.randrange(450_000))
    return machine


CONFIG = BootConfig(image=HELLO, memory=16 << 20, smp=2)
KINDS: dict[str, tuple[Callable[[random.Random], HostTarget | Machine], Callable[[random.Random], bytes]]] = {
    "hosted": (lambda rng: boot.hosted(CONFIG), packet),
    "bare": (lambda rng: boot.bare(CONFIG), packet),
    "a hypervisor": (hypervisor, packet_about_vms),
}


@pytest.mark.parametrize("kind", KINDS)
def test_packets(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    make, packet_of = KINDS[kind]
    rng = dice(f"packets {kind}")
    caplog.set_level(logging.ERROR)
    for _ in rounds(12):
        target = make(rng)
        session = Session(Shared(target, Description(_core.registers()), registry.bind(target), lambda pid: str(HELLO)))
        for _ in range(120):
            session.receive(packet_of(rng))
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
