"""The guest's terminal: where its UART's output goes, and where typed input comes from."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from gdbhv import files
from gdbhv.errors import GdbhvError


@dataclass(frozen=True)
class Typed:
    """What was typed, the virtual time at which it came to the guest's UART, and the instructions executed until then."""

    now: int
    insns: int
    data: bytes


class Console:
    """Output to a stream, a file or nowhere; input from a thread that reads a file descriptor.

    What is typed waits in :meth:`take_input` until the machine looks; ``on_input`` is called (from the reading
    thread) to tell it.

    :param output: a binary stream, or None to keep everything in :attr:`text` (for tests and libraries).
    """

    KEEP = 1 << 20

    def __init__(self, output: BinaryIO | None = None) -> None:
        self._output = output
        self._input = bytearray()
        self._lock = threading.Lock()
        self.text = bytearray()
        self.entered: deque[Typed] = deque(maxlen=10_000)  # the last that was taken
        self.on_input: Callable[[], None] | None = None
        self.interactive = False  # more may be typed
        self.personal = False  # by a person, at a terminal
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, or give the terminal back as it was."""
        self._undo.close()

    def write(self, data: bytes) -> None:
        """Take what the guest sends; the last :data:`KEEP` bytes stay in :attr:`text`.

        :raises gdbhv.errors.GdbhvError: the disk is full, or the like; a reader that has gone away is no error.
        """
        if not data:
            return
        self.text += data
        if len(self.text) > 2 * self.KEEP:
            del self.text[: -self.KEEP]
        if self._output is not None:
            try:
                self._output.write(data)
                self._output.flush()
            except OSError as e:
                with open(os.devnull, "wb") as nowhere:  # so that the last flush finds no fault
                    os.dup2(nowhere.fileno(), self._output.fileno())
                self._output = None
                if not isinstance(e, BrokenPipeError):  # there nobody reads any more, and the guest goes on
                    raise GdbhvError(f"what the guest prints cannot be written: {e.strerror or e}") from None

    def listen(self, on_input: Callable[[], None]) -> None:
        """Have ``on_input`` called for all that is typed, and at once if something is there."""
        self.on_input = on_input
        if self.pending:
            on_input()

    def type(self, data: bytes) -> None:
        """Type on the guest's terminal."""
        with self._lock:
            self._input += data
        if self.on_input is not None:
            self.on_input()

    @property
    def pending(self) -> bool:
        """Whether something has been typed that nobody has taken."""
        return bool(self._input)

    def take_input(self, now: int = 0, insns: int = 0) -> bytes:
        """Return what has been typed since the last call. It enters at virtual time ``now``, after ``insns``."""
        if not self._input:
            return b""
        with self._lock:
            data = bytes(self._input)
            self._input.clear()
        self.entered.append(Typed(now, insns, data))
        return data

    def read_from(self, descriptor: int) -> None:
        """Type whatever comes from a file descriptor, in a thread of its own, until it ends."""
        self.interactive = True

        def pump() -> None:
            while data := os.read(descriptor, 4096):
                self.type(data)
            self.interactive = False
            if self.on_input is not None:
                self.on_input()

        threading.Thread(target=pump, name="console input", daemon=True).start()

    def take_terminal(self, descriptor: int) -> None:
        """Have a terminal pass each key to the guest, which echoes it; Ctrl-C stays ours. :meth:`close` undoes it.

        In the background (``gdbhv run ... &``) the terminal is left alone: the shell would suspend whoever reads it.
        """
        try:
            if os.tcgetpgrp(descriptor) != os.getpgrp():
                return
        except OSError:
            pass  # a terminal, but not the one that controls this process: it has no foreground and background
        before = termios.tcgetattr(descriptor)
        now = termios.tcgetattr(descriptor)
        now[0] &= ~(termios.ICRNL | termios.IXON)
        now[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, now)
        self._undo.callback(termios.tcsetattr, descriptor, termios.TCSADRAIN, before)
        self.personal = True
        self.read_from(descriptor)

    def to_file(self, path: str, inputs: Sequence[str | Path | None] = ()) -> None:
        """Write to a file from now on. :raises OSError: it cannot be written, or should not (see ``files.open_output``)."""
        self._output = self._undo.enter_context(files.open_output(path, inputs))


def open_console(where: str, *, typed: bool = True, inputs: Sequence[str | Path | None] = ()) -> Console:
    """Return the console that ``--console`` names: "stdio" or a file.

    :param typed: with "stdio", what comes on standard input is typed on the guest's terminal.
    :param inputs: files that must not be written.
    :raises gdbhv.errors.GdbhvError: the file cannot be written, or should not be.
    """
    if where == "stdio":
        console = Console(None if sys.stdout is None else sys.stdout.buffer)
        if typed and sys.stdin is not None and not sys.stdin.closed:
            if sys.stdin.isatty():
                console.take_terminal(sys.stdin.fileno())
            else:
                console.read_from(sys.stdin.fileno())
        return console
    console = Console()
    try:
        console.to_file(where, inputs)
    except OSError as e:
        raise GdbhvError(f"--console {where or repr(where)}: {e.strerror or e}") from None
    return console
