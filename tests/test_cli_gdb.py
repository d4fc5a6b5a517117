"""``gdbhv run --gdb`` and ``gdbhv gdb``: how a debugger comes to the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

from gdbhv.cli.attaching import await_listener
from gdbhv.rsp.transport import Address
from started import ENVIRONMENT, HELLO, command, gdbhv


def test_stdio_is_left_as_it_was() -> None:
    """The mode "non-blocking" belongs to the open file, which others share."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen(
            command("run", HELLO, "--gdb", "stdio", "--wait"),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process,
    ):
        ours.sendall(b"$qC#b4")
        assert ours.recv(1) == b"+"
        assert os.get_blocking(theirs.fileno())
        process.kill()
        process.communicate()
        assert os.get_blocking(theirs.fileno())


def test_the_packets_on_stderr_and_in_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = gdbhv("run", HELLO, "--gdb", "stdio", "--wait", "-v", "--rsp-log", log, stdin="+$qC#b4$m40200000,4#53-\x03$k#6b")
    lines = log.read_text().splitlines()
    assert lines[:2] == ["> qC", "< QC1"]
    assert [line for line in lines if line.startswith(">")] == ["> qC", "> m40200000,4", "> (-)", ">> \\x03", "> k"]
    shown = [line for line in done.stderr.splitlines() if line.startswith(("gdbhv: <", "gdbhv: >"))]
    assert shown == [f"gdbhv: {line}" for line in lines]
    assert gdbhv("run", HELLO, "--gdb", "stdio", "--rsp-log", HELLO).stderr.startswith(f"gdbhv: --rsp-log {HELLO}: the same")


def test_gdb_says_what_it_runs(tmp_path: Path) -> None:
    fake = tmp_path / "gdb-multiarch"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        run = command("gdb", port, "x.elf", "-ex", "echo one", "-x", "two", "--command", "three")
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, env=environment, check=False)
    arguments = done.stdout.splitlines()
    assert arguments[-7:] == ["-ex", "echo one", "-x", "two", "-x", "three", "x.elf"]
    assert arguments.index(f"target extended-remote 127.0.0.1:{port}") < arguments.index("echo one"), "once it is attached"
    assert done.stderr.startswith(f"gdbhv: {fake} -q -nx -iex 'set confirm off'")
    assert done.stderr.endswith("-ex 'echo one' -x two -x three x.elf\n")


def test_gdb_without_a_server(tmp_path: Path) -> None:
    """It says who is not there, and does not leave a gdb behind that is attached to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    nobody = tmp_path / "nobody"
    for address, text in (
        (port, f"nobody listens at 127.0.0.1:{port} (Connection refused): `gdbhv run IMAGE --gdb {port}` starts a machine"),
        (
            f"unix:{nobody}",
            f"nobody listens at unix:{nobody} (No such file or directory): `gdbhv run IMAGE --gdb unix:{nobody}`",
        ),
        ("stdio", "stdio is for a gdb that starts the machine itself: target remote | gdbhv run IMAGE --gdb stdio"),
        ("here", "here: the port is no number up to 65535; write [HOST:]PORT"),
    ):
        done = gdbhv("gdb", address)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(f"gdbhv: {text}")


def test_gdb_waits_for_a_machine_that_is_being_started(tmp_path: Path) -> None:
    place = Address.parse(f"unix:{tmp_path / 'gdb'}")
    with socket.socket(socket.AF_UNIX) as listener:
        late = threading.Timer(0.1, lambda: (listener.bind(place.path), listener.listen()))
        late.start()
        await_listener(place, patience=60)
        late.join()


def test_gdb_over_stdio() -> None:
    """A debugger that kills the machine with its first packets."""
    done = gdbhv("run", HELLO, "--gdb", "stdio", "--wait", stdin="+$?#3f$k#6b")
    assert done.returncode == 6
    assert "$T05" in done.stdout
    assert done.stderr.startswith("gdbhv: a debugger ended it after 0 instructions")
