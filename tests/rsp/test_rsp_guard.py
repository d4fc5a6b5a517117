"""Nothing that a packet does leaves the session as an exception: it answers, logs and goes on.

Oracle: the contract in ``gdbhv/rsp/session.py``; a target of which everything fails.
"""

from __future__ import annotations

import pytest

from gdbhv.rsp.framing import frame
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Shared
from gdbhv.target import Stop, StopKind, ThreadId
from rsp.fake import ENTRY, FakeTarget
from rsp.transcript import DESCRIPTION, Replay, make_shared


class Panic(BaseException):
    """As a panic of the native module arrives."""


def breaking(error: BaseException) -> tuple[FakeTarget, Shared]:
    """A target that works until ``target.broken`` is set; then whatever is asked of it raises."""

    class Breaking(FakeTarget):
        broken = False

        def __getattribute__(self, name):
            if name != "broken" and not name.startswith("_") and FakeTarget.__getattribute__(self, "broken"):
                raise error
            return FakeTarget.__getattribute__(self, name)

    target = Breaking()
    return target, Shared(target, DESCRIPTION, None, None)


PACKETS = b"""
    g p0 P0=0000000000000000 m40080000,4 M40080000,1:00 X40080000,1:a ? Z0,40080000,4 z0,40080000,4 Z2,40090000,4 Hg0 qC T1
    qfThreadInfo vCont;c vCont;s:1 c c40080000 s qSearch:memory:40080000;1000;x qCRC:40080000,1000 QCatchSyscalls:1;1016
    qXfer:threads:read::0,100 qXfer:exec-file:read::0,100 vAttach;1 vKill;1 D;1 k qRcmd,78 qThreadExtraInfo,1
""".split()
PACKETS.append(b"G" + b"00" * 268)


@pytest.mark.parametrize(
    "error", [ValueError("x"), MemoryError(), OverflowError("y"), Panic("z")], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("payload", PACKETS, ids=lambda p: p[:12].decode())
def test_a_target_that_fails_at_a_packet(payload, error, caplog):
    target, shared = breaking(error)
    session = Session(shared)
    session.receive(frame(b"QStartNoAckMode") + frame(b"Z0,%x,4" % (ENTRY + 8)))
    target.broken = True
    session.receive(frame(payload))
    while session.streaming:
        session.pump()
    session.receive(b"\x03")
    if session.run is not None:
        session.stopped(Stop(StopKind.SW_BREAK, ThreadId(1, 1)))
    session.clear()
    target.broken = False
    session.take_output()
    assert not session.busy
    if session.outcome is None:
        session.receive(frame(b"qSupported"))
        assert b"PacketSize" in session.take_output()


@pytest.mark.parametrize("error", [KeyError("x"), Panic("z")])
def test_a_stop_that_cannot_be_reported_is_an_error(error, caplog):
    target, shared = breaking(error)
    session = Session(shared)
    session.receive(frame(b"qSupported:error-message+") + frame(b"QStartNoAckMode") + frame(b"vCont;c"))
    session.take_output()
    target.broken = True
    session.stopped(Stop(StopKind.HW_BREAK, ThreadId(1, 1)))
    assert b"$E.internal error" in session.take_output()
    assert "internal error" in caplog.text


def test_a_program_with_an_end_to_its_patience():
    """A condition that never comes to an end stops, with the reason; the next packet is answered."""
    replay = Replay(make_shared())
    replay.send(frame(b"Z0,%x,4;X4,21000027" % (ENTRY + 8)) + frame(b"vCont;c"))
    replay.work()
    assert any(b"does not end within".hex().encode() in packet for packet in replay.packets)
    replay.send(frame(b"qC"))
    assert replay.packets[-1] == b"QC1"


def test_programs_may_take_so_much_memory(caplog):
    """A condition of 64 KiB at each of 70 addresses: refused after the first few MiB."""
    session = Replay(make_shared()).session
    code = b"2228" * 0x8000 + b"27"
    payloads = (b"Z0,%x,4;X%x,%b" % (ENTRY + 4 * n, len(code) // 2, code) for n in range(70))
    answers = []
    for payload in payloads:
        session.receive(frame(payload))
        answers.append(session.take_output())
    assert answers[0].endswith(b"$OK#9a")
    assert b"more than 4 MiB" in answers[-1]
    assert sum(program.size for program in session.breakpoints.values()) <= 4 << 20


def test_packets_sent_ahead_are_limited_by_their_bytes():
    session = Replay(make_shared()).session
    session.receive(frame(b"QStartNoAckMode") + frame(b"vCont;c"))
    for _ in range(3):
        session.receive(frame(b"X40090000,20000:" + b"a" * 0x20000))
    assert session.outcome is None
    assert not session.full
    for _ in range(10):
        session.receive(frame(b"X40090000,20000:" + b"a" * 0x20000))
    assert session.full
    assert session.outcome is not None, "a debugger waits for the stop before it asks for more"


def test_acknowledgements_do_not_wait():
    session = Replay(make_shared()).session
    session.receive(frame(b"vCont;c"))
    session.receive(b"+" * 100_000)
    assert not session.full
    assert session.outcome is None


def test_more_actions_than_threads():
    session = Replay(make_shared()).session
    session.receive(frame(b"qSupported:error-message+"))
    session.take_output()
    session.receive(frame(b"vCont" + b";s:1" * 60_000))
    assert b"E.vCont takes up to 1024 actions, not " in session.take_output()


def test_what_a_client_does_wrong_again_and_again_is_said_at_the_1st_10th_100th_time(caplog):
    shared = make_shared()
    for _ in range(3):  # sessions of one server
        Session(shared).receive(b"$qC#00" * 400)
    text = "a packet with a wrong checksum is dropped"
    assert [record.message for record in caplog.records] == [
        text,
        *(f"{text} ({n:,} times so far)" for n in (10, 100, 1000)),
    ]
    for n in range(1000):
        shared.counted.warn(f"warning {n}")
    assert len(caplog.records) == 4 + 99 + 3
