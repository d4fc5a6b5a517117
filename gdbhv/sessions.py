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
from collections.abc import Iterable, Iterator
from pathlib import Path

from gdbhv.client import GdbSession
from gdbhv.errors import GdbhvError

log = logging.getLogger("gdbhv.launch")

READY = "waiting for gdb"


@contextlib.contextmanager
def launch(
    image: str | Path, *arguments: str, program: str | Path | None = None, timeout: float = 30.0
) -> Iterator[GdbSession]:
    """Start ``gdbhv run IMAGE ARGUMENTS`` in a process of its own, and a gdb that is attached to it; the guest stands at its
    first instruction. Both end with the block. The guest's console goes nowhere unless ``--console`` says otherwise; what
    the machine's process says goes to the logger "gdbhv.launch".

    :param program: the ELF with the guest's symbols; without it gdb takes the one that the server names.
    :param timeout: seconds to wait for gdb's answers, and by default for a stop.
    :raises gdbhv.errors.GdbhvError: the machine did not start, with what it said.
    :raises gdbhv.client.GdbError: gdb did not, or refuses a command.
    """
    with tempfile.TemporaryDirectory(prefix="gdbhv-") as folder:
        address = f"unix:{folder}/gdb"
        where = () if "--console" in arguments else ("--console", os.devnull)
        command = [sys.executable, "-m", "gdbhv", "run", str(image), *arguments, *where, "--gdb", address, "--wait"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            try:
                said = ""
                while READY not in (line := server.stderr.readline()):
                    if not line:
                        raise GdbhvError(said.strip().removeprefix("gdbhv: ") or "the server ended without a word")
                    said += line
                threading.Thread(target=_pass_on, args=(server.stderr,), name="gdbhv-launch", daemon=True).start()
                with GdbSession(address, None if program is None else str(program), timeout=timeout) as gdb:
                    yield gdb
            finally:
                server.kill()


def _pass_on(lines: Iterable[str]) -> None:
    """Log what the server says, for as long as it does: it would wait for a reader of a pipe that is full."""
    with contextlib.suppress(ValueError):  # the file is closed, at the end of the session
        for line in lines:
            log.info("%s", line.rstrip("\n").removeprefix("gdbhv: "))
