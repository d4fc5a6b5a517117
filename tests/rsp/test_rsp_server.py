"""The server over real sockets: clients that vanish, talk nonsense, come second; Ctrl-C; detach and attach.

Oracle: the contract in ``gdbhv/rsp/server.py``.
"""

from __future__ import annotations

import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gdbhv.rsp.framing import frame
from gdbhv.rsp.server import Server
from gdbhv.rsp.transport import Address, AddressError
from gdbhv.target import StopKind, ThreadId
from rsp.fake import DATA, ENTRY, OFF, SPIN, FakeTarget
from rsp.wire import Wire, serving

VCPU = ThreadId(1, 1)
ROOT = Path(__file__).resolve().parents[2]


def set_pc(wire: Wire, address: int) -> None:
    assert wire.ask(b"P20=" + struct.pack("<Q", address).hex().encode()) == b"OK"


@pytest.mark.parametrize(
    ("text", "shown", "wide"),
    [
        ("1234", "127.0.0.1:1234", False),
        ("localhost:1", "localhost:1", False),
        ("0.0.0.0:1234", "0.0.0.0:1234", True),
        ("[::1]:5", "[::1]:5", False),
        ("unix:/run/gdbhv", "unix:/run/gdbhv", False),
        ("stdio", "stdio", False),
    ],
)
def test_address(text, shown, wide):
    assert str(Address.parse(text)) == shown
    assert Address.parse(text).wide == wide


@pytest.mark.parametrize("text", ["", "x", ":1234", "host:", "1:65536", "unix:", "-1", "１２"])
def test_address_that_is_none(text):
    with pytest.raises(AddressError, match="HOST"):
        Address.parse(text)


def test_a_wide_address_says_so(caplog):
    server = Server(FakeTarget(), "0.0.0.0:0")
    assert "whoever reaches this port controls the machine" in caplog.text
    server.close()
    server.serve()


def test_loopback_by_default():
    with serving() as server:
        assert server.address.host == "127.0.0.1"
        assert Wire.connect(server).hello().ask(b"qC") == b"QCp1.1"


def test_ctrl_c_is_quick():
    with serving() as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, SPIN)
        times = []
        for _ in range(10):
            wire.send(b"vCont;c:p1.1")
            time.sleep(0.01)  # so that the run has left the server's thread
            start = time.perf_counter()
            wire.sock.sendall(b"\x03")
            assert wire.receive().startswith(b"T02")
            times.append(time.perf_counter() - start)
        assert sorted(times)[5] < 0.05, times


@pytest.mark.parametrize(
    "rest", [b"$", b"$g", b"$g#", b"$X40090000,100:abc", b"$vCont;s:p1.1#", b"\x03", b"+" * 5000, b"}}}}", b"$" * 300_000]
)
def test_a_client_killed_in_the_middle(rest):
    target = FakeTarget()
    with serving(target) as server:
        before = target.read_core(VCPU)
        wire = Wire.connect(server).hello()
        wire.sock.sendall(rest)
        wire.close()
        again = Wire.connect(server).hello()
        assert again.ask(b"g") == before.hex().encode()


def test_a_client_killed_while_the_guest_runs():
    target = FakeTarget()
    with serving(target) as server:
        wire = Wire.connect(server).hello()
        assert wire.ask(b"Z0,%x,4" % (ENTRY + 0x1000)) == b"OK"
        set_pc(wire, SPIN)
        wire.send(b"vCont;c:p1.1")
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
        again = Wire.connect(server).hello()
        assert again.ask(b"?").startswith(b"T05")
        assert target.breakpoints == set()
        insns = target.insns
        assert again.ask(b"vCont;s:p1.1").startswith(b"T05"), "a late Ctrl-C does not reach the next debugger"
        assert target.insns == insns + 1, "held while nobody was there"


def test_random_bytes(seed):
    rng = random.Random(seed)
    target = FakeTarget()
    with serving(target) as server:
        for _ in range(30):
            wire = Wire.connect(server)
            wire.sock.sendall(rng.randbytes(rng.randrange(1, 5000)))
            wire.close()
        assert Wire.connect(server).hello().ask(b"qC") == b"QCp1.1"


def test_an_endless_packet_is_refused_and_takes_no_memory():
    with serving() as server:
        wire = Wire.connect(server).hello()
        wire.sock.sendall(b"$")
        for _ in range(64):
            wire.sock.sendall(b"x" * 65536)
        wire.sock.sendall(b"#00")
        assert wire.receive() == b"E01"
        assert wire.ask(b"qC") == b"QCp1.1"


def test_a_second_debugger_is_turned_away():
    with serving() as server:
        first = Wire.connect(server).hello()
        second = Wire.connect(server)
        assert second.ask(b"qSupported") == b"E.another debugger controls this machine: detach it first"
        assert second.receive().startswith(b"E.another")
        for _ in range(20):
            assert Wire.connect(server).ask(b"qSupported").startswith(b"E.another")
        assert first.ask(b"qC") == b"QCp1.1"
        first.close()
        assert Wire.connect(server).hello().ask(b"qC") == b"QCp1.1"


def test_detached_guests_run_and_the_next_debugger_stops_them():
    target = FakeTarget()
    with serving(target) as server:
        wire = Wire.connect(server).hello()
        assert wire.ask(b"D") == b"OK"
        wire.close()
        while target.insns < 1000:
            time.sleep(0.001)
        again = Wire.connect(server).hello()
        assert again.ask(b"?").startswith(b"T05")
        insns = target.insns
        time.sleep(0.02)
        assert target.insns == insns


def test_not_held_runs_at_once_and_ends_with_the_last_vm():
    target = FakeTarget()
    for thread, vcpu in target.vcpus.items():
        vcpu.pc = OFF if thread.tid == 1 else SPIN
    with serving(target, held=False) as server:
        assert server.ended.wait(10)
        assert server.end.kind is StopKind.POWEROFF


def test_the_server_ends_when_the_last_vm_is_off_and_the_debugger_gone():
    with serving(FakeTarget(vms=1)) as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, OFF)
        wire.send(b"vCont;c:p1.1")
        assert wire.receive().startswith(b"O")
        assert wire.receive() == b"W00;process:1"
        assert wire.ask(b"qfThreadInfo") == b"l"
        assert not server.ended.is_set()
        wire.close()
        assert server.ended.wait(10)
        assert server.end.kind is StopKind.POWEROFF


def test_without_reboots_a_reset_ends_the_server_with_its_stop():
    with serving(FakeTarget(vms=1), held=False, reboots=False) as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, ENTRY + 0x20)
        assert wire.ask(b"D") == b"OK"
        assert server.ended.wait(10)
        assert server.end.kind is StopKind.RESET


def test_who_resets_with_nobody_there_begins_again(caplog):
    caplog.set_level("INFO")
    target = FakeTarget(vms=1)
    with serving(target) as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, ENTRY + 0x20)
        assert wire.ask(b"D") == b"OK"
        while target.insns < 1000:
            time.sleep(0.001)
        assert not server.ended.is_set()
    assert [r.message for r in caplog.records if "reset" in r.message] == [
        "vm1: the guest asked for a reset, and begins again"
    ]


def test_a_machine_on_which_nothing_can_go_on_is_held(caplog):
    """Nobody has asked for it to be held: it is, and a debugger can look, and begin it again."""
    target = FakeTarget(vms=1)
    for vcpu in target.vcpus.values():
        vcpu.pc = DATA
    with serving(target, held=False) as server:
        while not caplog.records:
            time.sleep(0.001)
        assert caplog.records[0].message.startswith(
            "nothing can go on: 0x40090000: not an instruction of this machine; attach gdb"
        )
        wire = Wire.connect(server).hello()
        assert wire.ask(b"?").startswith(b"T05")
        assert wire.ask(b"vRun;").startswith(b"T05")
        assert wire.ask(b"p20") == struct.pack("<Q", ENTRY).hex().encode()
        assert not server.ended.is_set()


def test_ctrl_c_ends_what_cannot_go_on_with_its_stop(monkeypatch):
    """Until a debugger has attached, the stop is what the run ended by."""
    target = FakeTarget(vms=1)
    for vcpu in target.vcpus.values():
        vcpu.pc = DATA
    server = Server(target, "0", held=False)
    wait = server._wait

    def pressed(*sources, **options):
        if server._stuck is not None:
            raise KeyboardInterrupt
        return wait(*sources, **options)

    monkeypatch.setattr(server, "_wait", pressed)
    assert server.serve().kind is StopKind.CRASH


def test_what_left_is_told():
    """Once for each debugger, when its breakpoints are gone."""
    target, left = FakeTarget(), []
    with serving(target, on_leave=lambda: left.append(set(target.breakpoints))) as server:
        for n in range(1, 3):
            wire = Wire.connect(server).hello()
            assert wire.ask(b"Z0,40080008,4") == b"OK"
            wire.close()
            while len(left) < n:
                time.sleep(0.001)
    assert left == [set(), set()]


def test_killed_in_extended_mode_the_server_ends_with_its_debugger():
    with serving() as server:
        wire = Wire.connect(server).hello()
        assert wire.ask(b"!") == b"OK"
        wire.send(b"k")
        assert wire.ask(b"qfThreadInfo") == b"l"
        assert not server.ended.is_set()
        wire.close()
        assert server.ended.wait(10)
        assert server.end is None


def test_kill_ends_the_server():
    with serving() as server:
        Wire.connect(server).hello().send(b"k")
        assert server.ended.wait(10)
        assert server.end is None


def test_a_host_side_that_fails_is_a_stop(caplog):
    """A handler written in Python may raise while it is being debugged: the session lives on."""
    with serving() as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, ENTRY + 0x1C)
        for resume in (b"vCont;c:p1.1", b"vCont;s:p1.1"):
            wire.send(resume)
            assert bytes.fromhex(wire.receive()[1:].decode()) == b"ZeroDivisionError: a handler divides by zero\n"
            assert wire.receive().startswith(b"T06")
        assert wire.ask(b"qC") == b"QCp1.1"
    assert "host side failed" in caplog.text


def test_a_long_step_can_be_interrupted():
    """A range step over `b .` leaves the server's thread after its budget, and Ctrl-C is heard."""
    with serving() as server:
        wire = Wire.connect(server).hello()
        set_pc(wire, SPIN)
        wire.send(b"vCont;r%x,%x:p1.1" % (SPIN, SPIN + 4))
        time.sleep(0.2)
        wire.sock.sendall(b"\x03")
        assert wire.receive().startswith(b"T02")


def test_monitor_output_streams_and_can_be_interrupted():
    with serving() as server:
        wire = Wire.connect(server).hello()
        wire.send(b"qRcmd," + b"count 9999999".hex().encode())
        assert wire.receive() == b"O300a"
        wire.sock.sendall(b"\x03")
        while (answer := wire.receive()).startswith(b"O"):
            pass
        assert answer == b"E01"
        assert wire.ask(b"qC") == b"QCp1.1"


def test_memory_at_speed():
    """A megabyte in and out in packets of PacketSize, in seconds even on a slow machine."""
    with serving() as server:
        wire = Wire.connect(server).hello()
        data = bytes(range(256)) * 256
        start = time.perf_counter()
        for _ in range(8):
            assert wire.ask(b"M%x,%x:" % (DATA, len(data)) + data.hex().encode()) == b"OK"
            assert bytes.fromhex(wire.ask(b"m%x,%x" % (DATA, len(data))).decode()) == data
        assert time.perf_counter() - start < 5


def test_pipelined_packets():
    """Requests sent ahead are answered in their order, steps too."""
    with serving() as server:
        wire = Wire.connect(server).hello()
        wire.sock.sendall((frame(b"vCont;s:p1.1") + frame(b"p20") + frame(b"qC")) * 50)
        for _ in range(50):
            assert wire.receive().startswith(b"T05")
            assert len(wire.receive()) == 16
            assert wire.receive() == b"QCp1.1"


def test_unix_socket(tmp_path):
    path = tmp_path / "gdb"
    with serving(address=f"unix:{path}") as server:
        assert Wire.connect(server).hello().ask(b"qC") == b"QCp1.1"
    assert not path.exists()


def test_unix_socket_left_behind_is_taken_over_and_one_in_use_is_not(tmp_path):
    path = tmp_path / "gdb"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with serving(address=f"unix:{path}"), pytest.raises(OSError, match="in use"):
        Server(FakeTarget(), f"unix:{path}")


def test_stdio():
    """A pipe has one debugger; when it is gone the server ends."""
    code = "from rsp.fake import *; from gdbhv.rsp.server import Server; Server(FakeTarget(), 'stdio').serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(b"$qC#b4", timeout=20)
    assert out == b"+$QC1#c5"
    assert b"Traceback" not in err
    assert process.returncode == 0
