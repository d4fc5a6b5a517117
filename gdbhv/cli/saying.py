"""What the command says on stderr. That it cannot be said, because nobody listens, ends nothing."""

from __future__ import annotations

import contextlib
import logging
import sys

from gdbhv import files

WIRE = logging.getLogger("gdbhv.rsp.wire")
"""Gets each packet, as a line of a transcript (see ``gdbhv.rsp.wire``)."""


def say(text: str, prefix: str = "gdbhv: ") -> None:
    """Print a line on stderr."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"{prefix}{text}", file=sys.stderr, flush=True)


class _File(logging.Handler):
    """Writes records to a file until that fails, which is said."""

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
