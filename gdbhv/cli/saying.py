"""Messages on stderr. If stderr cannot be written to any more, because its reader has gone, the run continues."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

from gdbhv import files
from gdbhv.console import Sink

WIRE = logging.getLogger("gdbhv.rsp.wire")
"""The logger that gets each packet, as a line of a transcript (see ``gdbhv.rsp.wire``)."""


class _Stderr:
    """Writes lines to stderr without blocking: when a reader has paused, lines beyond a bound are counted instead."""

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._sink: Sink | None = None
        self._unsaid = 0

    def put(self, line: str) -> None:
        """Write a line, or drop it if stderr cannot be written to."""
        if sys.stderr is not self._stream:
            self._stream = sys.stderr
            self._sink = None if sys.stderr is None or not hasattr(sys.stderr, "buffer") else Sink(sys.stderr.buffer)
        with contextlib.suppress(OSError):
            if self._sink is None:
                if self._stream is not None:
                    print(line, file=self._stream, flush=True)
                return
            self._sink.flush()
            if self._sink.full:
                self._unsaid += 1
                return
            self._count(self._sink)
            self._sink.put(f"{line}\n".encode(errors="backslashreplace"))

    def _count(self, sink: Sink) -> None:
        unsaid, self._unsaid = self._unsaid, 0
        if unsaid:
            sink.put(f"gdbhv: ... and {unsaid:,} more, while nobody read\n".encode())

    def drain(self) -> None:
        """Wait until all of it has been read, or until a signal raises an exception."""
        with contextlib.suppress(OSError):
            if self._sink is not None:
                self._sink.drain()
                self._count(self._sink)
                self._sink.drain()


STDERR = _Stderr()


class StderrHandler(logging.Handler):
    """Prints log records on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        STDERR.put(self.format(record))


def say(text: str, prefix: str = "gdbhv: ") -> None:
    """Print a line on stderr."""
    STDERR.put(f"{prefix}{text}")


class _File(logging.Handler):
    """Writes records to a file until that fails, which it reports."""

    def __init__(self, path: str, inputs: list[str | None]) -> None:
        super().__init__()
        self._path = path
        self._file = files.open_output(path, inputs)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.write(f"{record.getMessage()}\n".encode())
        except OSError as e:
            WIRE.removeHandler(self)
            say(f"--rsp-log {self._path}: {e.strerror or e}: no more is written")


def show_packets(*, verbose: bool, path: str | None, inputs: list[str | None]) -> None:
    """Write the packets of debuggers to stderr, a file, or both.

    :raises OSError: the file cannot be written.
    """
    WIRE.propagate = verbose
    if verbose or path is not None:
        WIRE.setLevel(logging.DEBUG)
    if path is not None:
        try:
            WIRE.addHandler(_File(path, inputs))
        except OSError as e:
            raise OSError(e.errno, e.strerror, f"--rsp-log {path}") from None
