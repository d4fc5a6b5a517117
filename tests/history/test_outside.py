"""What is outside of a machine that goes back: disks, files, clients of the network. Oracle: a run that never went back."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Kit
from e2e.test_network import ECHO, END, PATIENCE, Run, config, connection, until
from gdbhv import boot
from gdbhv.board.network import Forwards
from gdbhv.client.launch import started
from gdbhv.client.session import GdbSession
from gdbhv.config import Drive, Forward
from gdbhv.console import Console
from gdbhv.history import History
from gdbhv.monitor import registry
from gdbhv.target import StopKind
from test_drives import CONTENT, MACHINE, WRITTEN, disk, guest  # noqa: F401 (fixtures)
from test_drives import config as with_disks

THEN, NOW = CONTENT[5 * 512 : 6 * 512], WRITTEN


@pytest.mark.parametrize("hosted", [False, True])
def test_a_disk_is_what_it_was_and_no_file_changes(guest: Path, disk: Path, hosted: bool) -> None:  # noqa: F811
    setup = boot.Setup([with_disks(guest, Drive(str(disk)))], hosted=hosted, el2=False)
    target = setup.make(Console())
    history = History(target, every=500)
    ((slots, _),) = target.disks()

    def sector() -> bytes:
        return slots.drive_read(31, 5 * 512, 512)

    seen = {history.here: sector()}
    while target.processes() and target.run_all(100).kind is StopKind.BUDGET:
        seen[history.here] = sector()
    assert sector() == NOW
    assert set(seen.values()) >= {THEN}
    for place in reversed(seen):
        history.go(place)
        assert sector() == seen[place]
    *_, said = registry.bind(target, history)("when", None)
    assert said is not None
    assert "disks are what they were then" in said
    history.go(history.present)
    assert (sector(), disk.read_bytes()) == (NOW, CONTENT)


def test_a_file_gets_all_of_the_run_though_its_past_was_looked_at_last(guest: Path, disk: Path, tmp_path: Path) -> None:  # noqa: F811
    machine = boot.bare(with_disks(guest, Drive(str(disk))), el2=False)
    machine.run_all()
    end = machine.core.insns[0] - 1
    address = f"unix:{tmp_path}/gdb"
    words = ("run", str(guest), "--bare", *MACHINE, "--drive", f"{disk},rw", "--console", os.devnull)
    with started((*words, "--gdb", address, "--wait")) as run, GdbSession(address) as gdb:
        gdb.execute(f"stepi {end}")
        assert gdb.when() == end
        gdb.goto("10")
        run.process.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130
        assert disk.read_bytes()[5 * 512 : 6 * 512] == NOW


@pytest.fixture
def forwards() -> Iterator[Forwards]:
    with Forwards([Forward(0, port) for port in (ECHO, END)]) as them:
        yield them


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("hosted", [False, True])
def test_clients_stay_over_a_journey_and_hear_nothing_twice(kit: Kit, forwards: Forwards, hosted: bool) -> None:
    console = Console()
    target = boot.Setup([config(kit)], hosted=hosted, el2=False).make(console)
    history = History(target)
    target.connect(forwards)
    echo, end = forwards.ports

    def during(what: Callable[[], None]) -> None:
        run = Run(target)
        what()
        target.interrupt()
        run.join(PATIENCE)
        assert run.stop is not None
        assert run.stop.kind is StopKind.INTERRUPT

    during(lambda: until(console, "GDBHV-GUEST: serving"))
    serving = history.here.insns
    with connection(echo) as client:

        def say(word: bytes) -> None:
            client.sendall(word)
            assert client.recv(100) == word

        during(lambda: say(b"one"))
        during(lambda: say(b"two"))
        for place in (serving, history.here.insns - 1000):
            history.go_to_instruction(place)
            history.go(history.present)
        during(lambda: say(b"three"))
        history.go_to_instruction(history.here.insns - 1000)
        history.fork()
        with contextlib.suppress(ConnectionResetError):  # it has spoken with the other run
            assert client.recv(100) == b""
    run = Run(target)
    connection(end).close()
    run.join(PATIENCE)
    assert run.stop is not None
    assert run.stop.kind is StopKind.POWEROFF
