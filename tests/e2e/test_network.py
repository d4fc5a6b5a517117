"""The network as Debian's kernel has it: DHCP, ping, HTTP and an echo for clients outside; recordings and snapshots."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Kit
from gdbhv import boot, recording
from gdbhv.board.network import Forwards
from gdbhv.config import BootConfig, Forward, Net
from gdbhv.console import Console
from gdbhv.target import StopKind

NUMBERS = b"".join(b"%d\n" % n for n in range(1, 20001))
"""What the guest's HTTP server has."""
HTTP, ECHO, END = 80, 7, 9
PATIENCE = 100  # seconds


@pytest.fixture
def forwards() -> Iterator[Forwards]:
    with Forwards([Forward(0, port) for port in (HTTP, ECHO, END)]) as them:
        yield them


def config(kit: Kit, mac: str = "52:54:00:12:34:56", words: str = "gdbhv.serve") -> BootConfig:
    line = f"console=ttyAMA0 quiet {words}"
    return BootConfig(kit.image, initrd=kit.disk, append=line, memory=256 << 20, net=Net(mac))


def until(console: Console, text: str) -> None:
    end = time.monotonic() + PATIENCE
    while text.encode() not in console.text:
        assert time.monotonic() < end, bytes(console.text[-2000:]).decode()
        time.sleep(0.05)


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def talk(port: int, data: bytes, *, end: bool = True) -> bytes:
    """What comes back for ``data``."""
    with connection(port) as s:

        def put() -> None:
            s.sendall(data)
            if end:
                s.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=put)
        thread.start()
        got = b""
        while piece := s.recv(1 << 16):
            got += piece
        thread.join()
        return got


class Run(threading.Thread):
    """A target that runs beside the test."""

    def __init__(self, target: object) -> None:
        super().__init__(daemon=True)
        self.target, self.stop = target, None  # type: Stop | None
        self.start()

    def run(self) -> None:
        self.stop = self.target.run_all()  # type: ignore[attr-defined]


MACHINES: dict[str, tuple[bool, bool]] = {"bare": (False, False), "el2": (False, True), "hosted": (True, False)}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", MACHINES)
def test_clients_reach_linux_and_a_recording_needs_none(kit: Kit, tmp_path: Path, forwards: Forwards, machine: str) -> None:
    hosted, el2 = MACHINES[machine]
    console, path = Console(), tmp_path / "net.rec"
    setup = boot.Setup([config(kit, "52:54:00:ab:cd:ef")], hosted=hosted, el2=el2)
    with recording.record(setup, path, console) as recorder:
        recorder.target.connect(forwards)
        run = Run(recorder.target)
        until(console, "GDBHV-GUEST: serving")
        http, echo, end = forwards.ports
        answer = talk(http, b"GET /numbers HTTP/1.0\r\n\r\n", end=False)
        assert answer.split(b"\r\n\r\n", 1)[1] == NUMBERS
        body = bytes(n * n % 251 for n in range(5000))
        summed = talk(http, b"POST /cgi-bin/sum HTTP/1.0\r\nContent-Length: 5000\r\n\r\n" + body, end=False)
        assert hashlib.sha256(body).hexdigest().encode() in summed
        for size in (0, 1, 200_000):
            data = bytes(n * n % 251 for n in range(size))
            assert talk(echo, data) == data
        connection(end).close()
        run.join(PATIENCE)
        assert run.stop is not None
        assert run.stop.kind is StopKind.POWEROFF
    said = re.findall(r"GDBHV-GUEST: (.*)\r", bytes(console.text).decode())
    assert said == [
        "eth0: 52:54:00:ab:cd:ef, mtu 1500, 10.0.2.15 255.255.255.0 10.0.2.2",
        "ping: 3 packets received",
        "serving",
        "done",
    ]
    forwards.close()
    outcome = recording.replay(path)
    assert outcome.same, outcome.text


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("hosted", [False, True])
def test_a_snapshot_has_the_connections_and_lets_the_clients_go(kit: Kit, forwards: Forwards, hosted: bool) -> None:
    console = Console()
    target = boot.Setup([config(kit)], hosted=hosted, el2=False).make(console)
    target.connect(forwards)
    _, echo, end = forwards.ports

    def during(what: Callable[[], None]) -> None:
        """Run while ``what`` happens outside."""
        run = Run(target)
        what()
        target.interrupt()
        run.join(PATIENCE)
        assert run.stop is not None
        assert run.stop.kind is StopKind.INTERRUPT

    during(lambda: until(console, "GDBHV-GUEST: serving"))
    with connection(echo) as client:

        def say(word: bytes) -> None:
            client.sendall(word)
            assert client.recv(100) == word

        during(lambda: say(b"one"))
        before = target.snapshot("talking")
        during(lambda: say(b"two"))
        before.restore()
        with contextlib.suppress(ConnectionResetError):  # it ends, however it does: whom it spoke to is another one now
            assert client.recv(100) == b""
    # The guest still has that connection. Nobody is there when it says something, and it hears that.
    during(lambda: check(talk(echo, b"three"), b"three"))
    run = Run(target)
    connection(end).close()
    run.join(PATIENCE)
    assert run.stop is not None
    assert run.stop.kind is StopKind.POWEROFF


def check(found: bytes, wanted: bytes) -> None:
    assert found == wanted


@pytest.mark.slow
def test_a_run_without_clients_is_the_same_each_time(kit: Kit) -> None:
    insns = set()
    for _ in range(2):
        console = Console()
        target = boot.bare(config(kit, words=""), console, el2=False)
        assert target.run_all().kind is StopKind.POWEROFF
        assert b"ping: 3 packets received" in console.text
        insns.add(tuple(target.core.insns))
    assert len(insns) == 1
