"""A machine and a gdb on it in one ``with``: what every scripted session begins with.

with launch("guests/prebuilt/exit_zoo.elf", "--smp", "2") as gdb:
    gdb.catch_exit("hvc")
    print(gdb.cont().text)
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gdbhv.client.gdbline import GDB
from gdbhv.client.session import GdbSession
from gdbhv.errors import GdbhvError

log = logging.getLogger("gdbhv.launch")

READY = "waiting for gdb"
KEPT = 10_000  # lines of each stream


class Started:
    """A ``gdbhv run --gdb`` that waits for a debugger. Its stdout and stderr are read all the time: it would else wait for a
    reader of a pipe that is full.

    ``process`` is it; ``ready`` the line that says where it listens; ``out`` and ``err`` are the lines printed since.

    :raises gdbhv.errors.GdbhvError: it ended before, with what it said.
    """

    def __init__(self, process: subprocess.Popen[str], heard: Callable[[str], None] = lambda line: None) -> None:
        assert process.stderr is not None
        self.process = process
        said = ""
        while READY not in (line := process.stderr.readline()):
            if not line:
                raise GdbhvError(said.strip().removeprefix("gdbhv: ") or "the server ended without a word")
            said += line
        self.ready = line.rstrip("\n")
        self.out: deque[str] = deque(maxlen=KEPT)
        self.err: deque[str] = deque(maxlen=KEPT)
        self._readers = [self._read(process.stderr, self.err, heard)]
        if process.stdout is not None:
            self._readers.append(self._read(process.stdout, self.out))

    @property
    def address(self) -> str:
        """Where it listens, as gdb takes it."""
        return self.ready.partition(f"{READY} at ")[2].partition(";")[0]

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and for all that it has printed; return its status.

        :raises subprocess.TimeoutExpired: it goes on.
        """
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join()
        return status

    @staticmethod
    def _read(lines: Iterable[str], kept: deque[str], heard: Callable[[str], None] = lambda line: None) -> threading.Thread:
        def read() -> None:
            for line in lines:
                kept.append(line.rstrip("\n"))
                heard(kept[-1])

        thread = threading.Thread(target=read, name="gdbhv output", daemon=True)
        thread.start()
        return thread


@contextlib.contextmanager
def started(
    arguments: Sequence[str],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
    heard: Callable[[str], None] = lambda line: None,
) -> Iterator[Started]:
    """Start ``gdbhv ARGUMENTS`` (a ``run`` with ``--gdb``) and end it with the block; see :class:`Started`.

    :param heard: is called with each line of its stderr, from a thread.
    """
    command = [sys.executable, "-m", "gdbhv", *arguments]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        server = None
        try:
            server = Started(process, heard)
            yield server
        finally:
            process.kill()
            if server is not None:
                server.wait()


@contextlib.contextmanager
def launch(
    image: str | Path, *arguments: str, program: str | Path | None = None, timeout: float = 30.0, gdb: str = GDB
) -> Iterator[GdbSession]:
    """Start ``gdbhv run IMAGE ARGUMENTS`` in a process of its own, and a gdb that is attached to it; the guest stands at its
    first instruction. Both end with the block. The guest's console goes nowhere unless ``--console`` says otherwise; what
    the machine's process says goes to the logger "gdbhv.launch".

    :param program: the ELF with the guest's symbols; without it gdb takes the one that the server names.
    :param timeout: seconds to wait for gdb's answers, and by default for a stop.
    :param gdb: which gdb, by name or path.
    :raises gdbhv.errors.GdbhvError: the machine did not start, with what it said.
    :raises gdbhv.client.stops.GdbError: gdb did not, or refuses a command.
    """
    with tempfile.TemporaryDirectory(prefix="gdbhv-") as folder:
        address = f"unix:{folder}/gdb"
        where = () if "--console" in arguments else ("--console", os.devnull)
        arguments = ("run", str(image), *arguments, *where, "--gdb", address, "--wait")
        with (
            started(arguments, heard=lambda line: log.info("%s", line.removeprefix("gdbhv: "))),
            GdbSession(address, None if program is None else str(program), timeout=timeout, gdb=gdb) as session,
        ):
            yield session
