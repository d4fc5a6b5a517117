"""The network's options, and what stands outside of it, without a guest that uses it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from gdbhv import boot, snapshot
from gdbhv.board.datagrams import FIRST as FIRST_SENDER
from gdbhv.board.datagrams import Datagrams
from gdbhv.board.network import Forwards
from gdbhv.cli import parser, usage_error
from gdbhv.cli.kinds import net
from gdbhv.config import BootConfig, Forward, Net
from gdbhv.errors import GdbhvError, StateError
from gdbhv.target import Space, ThreadId
from oracle.virtio import FIRST

CPU = ThreadId(1, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("user", Net()),
        ("user,hostfwd=tcp::2222-:22", Net(forwards=(Forward(2222, 22),))),
        ("user,hostfwd=::0-:80,hostfwd=tcp:127.0.0.1:1-10.0.2.15:2", Net(forwards=(Forward(0, 80), Forward(1, 2)))),
        ("user,hostfwd=udp::5353-:53", Net(forwards=(Forward(5353, 53, udp=True),))),
        ("user,mac=52:54:00:AB:CD:EF", Net(mac="52:54:00:ab:cd:ef")),
    ],
)
def test_the_option(text: str, found: Net) -> None:
    assert net(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tap", "user is served"),
        ("user,hostfwd=sctp::1-:2", "tcp::PORT-:PORT or udp::PORT-:PORT is needed"),
        ("user,hostfwd=tcp:0.0.0.0:1-:2", "ports of 127.0.0.1 are forwarded, and of no other address"),
        ("user,hostfwd=tcp::1-10.0.2.16:2", "the guest's address is 10.0.2.15"),
        ("user,hostfwd=tcp::1-:0", "ports are 1 to 65535"),
        ("user,hostfwd=tcp::99999-:1", "ports are 1 to 65535"),
        ("user,mac=53:54:00:12:34:56", "the address of a device is needed"),
        ("user,mac=1", "the address of a device is needed"),
        ("user,dns=1", "hostfwd= and mac="),
    ],
)
def test_what_it_cannot_be(text: str, said: str) -> None:
    with pytest.raises(ArgumentTypeError, match=said):
        net(text)


def test_one_guest_is_reached() -> None:
    options = parser().parse_args(["run", "x", "--vms", "2", "--net", "user,hostfwd=tcp::1-:2"])
    assert "hostfwd= leads to one guest" in (usage_error(options) or "")
    assert usage_error(parser().parse_args(["run", "x", "--vms", "2", "--net", "user"])) is None


def test_a_port_that_is_taken(spin: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(GdbhvError, match=f"port {port} of 127.0.0.1: Address already in use"):
            Forwards([Forward(0, 1), Forward(port, 2)])
        command = [sys.executable, "-m", "gdbhv", "run", str(spin), "--net", f"user,hostfwd=tcp::{port}-:2"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"port {port} of 127.0.0.1: Address already in use" in done.stderr


@pytest.mark.parametrize("hosted", [False, True])
def test_the_device_and_its_address(spin: Path, tmp_path: Path, hosted: bool) -> None:
    """VIRTIO 1.2, 5.1: the device's ID is 1; its configuration is the address, and that the link is up."""
    config = BootConfig(spin, memory=64 << 20, net=Net("52:54:00:01:02:03"))
    target = boot.Setup([config], hosted=hosted, el2=False).make()
    target.run_all(100)
    space = Space.VA if hosted else Space.PA
    read = [int.from_bytes(target.read_memory(CPU, FIRST + at, 4, space), "little") for at in (4, 8, 0x100, 0x104)]
    assert read == [2, 1, 0x01005452, 0x00010302]
    target.snapshot("here").write(tmp_path / "here.snap")
    there = boot.resumed(tmp_path / "here.snap")
    assert there.read_memory(CPU, FIRST + 8, 1, space) == b"\1"
    there.snapshot("again")
    with Forwards([Forward(0, 1)]) as forwards:
        there.connect(forwards)
    info = [sys.executable, "-m", "gdbhv", "snapshot", "info", str(tmp_path / "here.snap"), "--json"]
    shown = json.loads(subprocess.run(info, capture_output=True, check=True).stdout)
    assert shown["guests"][0]["net"] == "52:54:00:01:02:03"
    other = boot.Setup([BootConfig(spin, memory=64 << 20)], hosted=hosted, el2=False).make()
    with pytest.raises(StateError):
        snapshot.load(other, tmp_path / "here.snap")
    with Forwards([]) as forwards, pytest.raises(GdbhvError, match="there is no network to reach"):
        other.connect(forwards)


def test_a_snapshot_and_the_option(spin: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "spin.snap")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gdbhv", "run", "--max-insns", "1000", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)

    assert run(str(spin), "--bare", "--net", "user", "--snapshot-at", f"500:{path}").returncode == 5
    assert run("--snapshot", path).returncode == 5
    assert run("--snapshot", path, "--net", "user,hostfwd=tcp::0-:22").returncode == 5
    refused = run("--snapshot", path, "--net", "user,mac=52:54:00:00:00:01")
    assert (refused.returncode, "mac=52:54:00:12:34:56" in refused.stderr) == (2, True), refused.stderr


def test_a_client_of_a_guest_that_answers_nothing(spin: Path) -> None:
    """It is tried again and again, in virtual time, and then let go."""
    machine = boot.bare(BootConfig(spin, memory=64 << 20, net=Net(), ns_per_insn=1000), el2=False)
    with Forwards([Forward(0, 22)]) as forwards:
        machine.connect(forwards)
        with socket.create_connection(("127.0.0.1", forwards.ports[0]), timeout=60) as client:
            client.sendall(b"hello")
            while machine.core.net_waiting(1) is None:
                machine.run_all(1000)
            begun = machine.core.now
            while machine.core.net_waiting(1) is not None:
                machine.run_all(1_000_000)
            machine.run_all(1000)
            seconds = (machine.core.now - begun) / 1e9
            assert 126 < seconds < 129
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_datagrams_reach_the_machine(spin: Path) -> None:
    """Who sends one is known to the machine from then on, by a number that no connection has."""
    machine = boot.bare(BootConfig(spin, memory=64 << 20, net=Net()), el2=False)
    with Forwards([Forward(0, 53, udp=True)]) as forwards, socket.socket(type=socket.SOCK_DGRAM) as client:
        machine.connect(forwards)
        client.sendto(b"who?", ("127.0.0.1", forwards.ports[0]))
        end = time.monotonic() + 60
        while machine.core.net_waiting(1 << 31) is None:
            assert time.monotonic() < end
            machine.run_all(1000)
        assert machine.core.net_waiting(1 << 31) == 0
        assert machine.core.net_waiting(1) is None


def test_each_sender_has_its_own_answers(caplog: pytest.LogCaptureFixture) -> None:
    woken = threading.Semaphore(0)
    known = {FIRST_SENDER}  # a snapshot's
    datagrams = Datagrams()

    def sender() -> socket.socket:
        made = socket.socket(type=socket.SOCK_DGRAM)
        made.settimeout(60)
        return made

    with sender() as port, sender() as one, sender() as two:
        port.settimeout(None)
        port.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=datagrams.read, args=(port, 53, woken.release), daemon=True)
        thread.start()
        for client, data in ((one, b"first"), (one, bytes(1473)), (two, b""), (one, b"last")):
            client.sendto(data, port.getsockname())
            if len(data) <= 1472:
                assert woken.acquire(timeout=60)
        due = datagrams.due(3, lambda n: 0 if n in known else None)
        numbers = [FIRST_SENDER + 1, FIRST_SENDER + 2, FIRST_SENDER + 1]
        assert [(d.vm, d.client, d.event, d.port) for d in due] == [(3, n, "datagram", 53) for n in numbers]
        assert [bytes.fromhex(d.data) for d in due] == [b"first", b"", b"last"]
        assert caplog.messages == ["datagrams of more than 1472 bytes do not reach the guest's port 53"]
        for number, data in ((numbers[1], b"to two"), (FIRST_SENDER, b"to nobody"), (numbers[0], b"to one")):
            datagrams.answer(number, data)
        assert (one.recv(100), two.recv(100)) == (b"to one", b"to two")
        datagrams.forget()
        datagrams.answer(numbers[0], b"late")
        one.sendto(b"again", port.getsockname())
        assert woken.acquire(timeout=60)
        (again,) = datagrams.due(3, lambda n: None)
        datagrams.answer(again.client, b"new")
        assert one.recv(100) == b"new"
        with contextlib.suppress(OSError):  # no connection
            port.shutdown(socket.SHUT_RDWR)
        thread.join(60)
        assert not thread.is_alive()
