"""Who comes to the port and is no debugger: nothing happens to the machine, and a debugger still gets in.

Oracle: the contract in ``gdbhv/rsp/listener.py``.
"""

from __future__ import annotations

import contextlib
import time

import pytest

from gdbhv.rsp.framing import frame
from gdbhv.rsp.listener import CANDIDATES
from rsp.fake import DATA, RAM, SPIN, FakeTarget
from rsp.wire import Wire, serving

KILL = frame(b"k")
WRITE = frame(b"M%x,4:deadbeef" % DATA)


def closed(wire: Wire) -> bool:
    try:
        return wire.sock.recv(1) == b""
    except ConnectionError:
        return True


def moving(target: FakeTarget) -> bool:
    """Tell whether the machine runs: it has executed something since."""
    before = target.insns
    deadline = time.monotonic() + 10
    while target.insns == before and time.monotonic() < deadline:
        time.sleep(0.001)
    return target.insns != before


def running() -> FakeTarget:
    target = FakeTarget()
    for vcpu in target.vcpus.values():
        vcpu.pc = SPIN
    return target


@pytest.mark.parametrize(
    "words",
    [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n",
        b"GET /?",
        b"P",
        b"\x16\x03\x01\x02\x00",  # TLS
        b"++-+\x03OPTIONS ",
        b"\0",
        b"SSH-2.0-x\r\n",
        b"#",
        b"\n$qC#b4",
        b"\x1b\x9f",
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_a_stranger_is_let_go_and_nothing_is_done(words, held, caplog):
    target = running()
    with serving(target, held=held) as server:
        for _ in range(3):
            stranger = Wire.connect(server)
            stranger.sock.sendall(words + WRITE + KILL)
            assert closed(stranger)
        assert target.insns == 0 if held else moving(target)
        assert target.memory[1][DATA - RAM :][:4] == bytes(4)
        assert not server.ended.is_set()
        assert Wire.connect(server).hello().ask(b"qC") == b"QCp1.1"
    told = [record.getMessage() for record in caplog.records if "no debugger says" in record.message]
    assert len(told) == 1
    assert told[0].isprintable()


@pytest.mark.parametrize("words", [b"", b"+", b"\x03", b"+$qSupported:multi", b"$qC#00", b"$" + b"k" * 300_000])
def test_who_has_sent_no_whole_packet_neither_stops_the_machine_nor_keeps_others_out(words):
    target = running()
    with serving(target, held=False) as server:
        silent = [Wire.connect(server) for _ in range(3)]
        for wire in silent:
            wire.sock.sendall(words)
        assert moving(target)
        again = Wire.connect(server)
        assert again.hello().ask(b"qC") == b"QCp1.1"
        insns = target.insns
        assert again.ask(b"vCont;s:p1.1").startswith(b"T05")
        assert target.insns == insns + 1, "stopped by its first packet"


def test_an_oversize_first_packet_is_no_packet():
    with serving() as server:
        wire = Wire.connect(server)
        wire.sock.sendall(b"$" + b"k" * 300_000 + b"#00")
        assert closed(wire)


def test_a_first_packet_with_a_wrong_checksum_is_asked_for_again():
    with serving() as server:
        wire = Wire.connect(server)
        wire.sock.sendall(b"+$qC#00")
        assert wire.sock.recv(1) == b"-"
        assert wire.ask(b"qC") == b"QC1"


def test_a_packet_that_comes_in_pieces_and_others_behind_it():
    with serving() as server:
        wire = Wire.connect(server)
        for piece in (b"+", b"$q", b"C#", b"b", b"4" + frame(b"qC") + b"$?"):
            wire.sock.sendall(piece)
            time.sleep(0.005)
        assert [wire.receive() for _ in range(2)] == [b"QC1"] * 2
        wire.sock.sendall(b"#3f")
        assert wire.receive().startswith(b"T05")


def test_strangers_are_not_kept_for_ever():
    with serving() as server:
        first = Wire.connect(server)
        others = [Wire.connect(server) for _ in range(CANDIDATES)]
        assert closed(first)
        assert others[0].ask(b"qC") == b"QC1"


def test_they_are_seen_to_while_a_debugger_is_there():
    with serving() as server:
        debugger = Wire.connect(server).hello()
        stranger, silent = Wire.connect(server), Wire.connect(server)
        stranger.sock.sendall(b"POST / HTTP/1.1\r\n\r\n" + KILL)
        assert closed(stranger)
        assert debugger.ask(b"qC") == b"QCp1.1"
        debugger.close()
        assert silent.ask(b"qC") == b"QC1"


def test_a_client_that_never_falls_silent_does_not_keep_the_door_shut():
    with serving() as server:
        noisy = Wire.connect(server).hello()
        noisy.sock.setblocking(False)
        other = Wire.connect(server)
        other.sock.setblocking(False)
        other.sock.sendall(frame(b"qSupported"))
        heard = b""
        deadline = time.monotonic() + 20
        while not heard and time.monotonic() < deadline:
            try:
                noisy.sock.send(frame(b"qC") * 100)
                noisy.sock.recv(1 << 20)
                heard = other.sock.recv(100)
            except BlockingIOError:
                pass
        assert b"E.another" in heard


@pytest.mark.parametrize("payload", [b"m40080000,20000", b"qRcmd," + b"count 99999999".hex().encode()])
def test_a_client_that_never_reads_keeps_nobody_waiting(payload):
    """The server stops to read from it, so that it can send no more; and others are heard."""
    with serving() as server:
        deaf = Wire.connect(server).hello()
        deaf.sock.setblocking(False)
        for _ in range(100):  # until nothing more is taken
            with contextlib.suppress(BlockingIOError):
                while True:
                    deaf.sock.send(frame(payload) * 8)
            time.sleep(0.002)
        assert Wire.connect(server).ask(b"qSupported").startswith(b"E.another")
        deaf.close()
        while Wire.connect(server).ask(b"qSupported").startswith(b"E.another"):  # until it is noticed
            pass
