"""Whoever reads what gdbhv prints may pause: ``gdbhv run ... | less``. Then the machine stands still, and all else works."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv.cli.saying import _Stderr
from gdbhv.client.launch import Started
from gdbhv.client.session import GdbSession
from gdbhv.console import Console, Sink

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COUNT, PIPE = 2 << 16, 4096
PRINTS = (
    0xD2A12001,
    0x528007C0,
    0xD2A00042,
    0xB9000020,
)  # mov x1, #0x9000000; mov w0, #'>'; mov x2, #COUNT; 1: str w0, [x1]
OFF = (0xF1000442, 0x54FFFFC1, 0xD2800100, 0xF2B08000, 0xD4000002)  # subs x2, x2, #1; b.ne 1b; SYSTEM_OFF by HVC
FOREVER = (0x17FFFFFF,)  # b 1b


def guest(folder: Path, *words: int) -> Path:
    (path := folder / "prints.bin").write_bytes(b"".join(n.to_bytes(4, "little") for n in (*PRINTS, *words)))
    return path


def waiting(descriptor: int) -> int:
    """Bytes in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"1234"))[0])


@contextmanager
def paused(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A machine, and the reading end of a small pipe that its console has filled."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE)
    command = [sys.executable, "-m", "gdbhv", "run", *map(str, arguments)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": writer, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, **streams) as process:
        try:
            while select.select((), (writer,), (), 0)[1]:
                assert process.poll() is None
                time.sleep(0.01)
            os.close(writer)
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


@pytest.mark.parametrize("how", [["--bare"], []], ids=["bare", "hosted"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_signals_end_it(tmp_path: Path, how: list[str], number: int, status: int) -> None:
    with paused(guest(tmp_path, *FOREVER), *how) as (process, _):
        process.send_signal(number)
        assert process.wait(50) == status
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("how", [["--bare"], []], ids=["bare", "hosted"])
def test_gdb_can_look_at_it(tmp_path: Path, how: list[str]) -> None:
    address = f"unix:{tmp_path / 'gdb'}"
    with paused(guest(tmp_path, *FOREVER), *how, "--gdb", address) as (process, _):
        server = Started(process)
        with GdbSession(server.address) as gdb:
            assert gdb.read_register("x2") == COUNT
            gdb.resume()
            assert gdb.interrupt().reason == "signal-received"
            gdb.execute("kill")
        assert server.wait(50) == 6


@pytest.mark.parametrize("how", [["--bare"], []], ids=["bare", "hosted"])
def test_nothing_is_lost_and_no_time_passes(tmp_path: Path, how: list[str]) -> None:
    path = guest(tmp_path, *OFF)
    with paused(path, *how) as (process, reader):
        text = b""
        while data := os.read(reader, PIPE):
            text += data
        assert text.strip() == b">" * COUNT
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(50) == 0
    command = [sys.executable, "-m", "gdbhv", "run", str(path), *how, "--console", os.devnull]
    other = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=50, check=True)
    after = re.compile(r"after ([\d,]+) instructions")
    assert after.findall(said) == after.findall(other.stderr) != []


def test_messages_beyond_a_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE)
    with open(writer, "w") as theirs, open(reader, "rb") as ours:
        monkeypatch.setattr(sys, "stderr", theirs)
        stderr = _Stderr()
        for n in range(2000):
            stderr.put(f"message {n} {'.' * 80}")
        thread = threading.Thread(target=lambda: (stderr.drain(), theirs.close()))
        thread.start()
        *shown, last = ours.read().decode().splitlines()
        thread.join()
        monkeypatch.undo()
    assert [line.split()[1] for line in shown] == [str(n) for n in range(len(shown))]
    assert last == f"gdbhv: ... and {2000 - len(shown):,} more, while nobody read"


def test_a_sink_keeps_what_is_not_read_and_asks_nobody_to_wait() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE)
    with open(reader, "rb", 0) as ours, open(writer, "wb") as theirs:
        sink = Sink(theirs)
        console = Console(theirs)
        sink.put(b"x" * 70_000)
        assert (waiting(reader), sink.full, sink.empty) == (PIPE, True, False)
        console.write(b"y")
        assert not console.full
        while select.select((ours,), (), (), 0)[0] and ours.read(PIPE):
            sink.flush()
        assert (sink.full, sink.empty) == (False, True)
