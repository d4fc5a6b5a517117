"""The guest's terminal: where its UART's output goes, and where typed input comes from."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gdbhv.errors import ImageError


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
        self.on_input: Callable[[], None] | None = None
        self.interactive = False

    def write(self, data: bytes) -> None:
        """Take what the guest sends; the last :data:`KEEP` bytes stay in :attr:`text`."""
        if not data:
            return
        self.text += data
        if len(self.text) > 2 * self.KEEP:
            del self.text[: -self.KEEP]
        if self._output is not None:
            try:
                self._output.write(data)
                self._output.flush()
            except BrokenPipeError:
                self._output = None  # nobody reads any more; the guest goes on

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

    def take_input(self) -> bytes:
        """Return what has been typed since the last call."""
        if not self._input:
            return b""
        with self._lock:
            data = bytes(self._input)
            self._input.clear()
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


def open_console(where: str, *, typed: bool = True) -> Console:
    """Return the console that ``--console`` names: "stdio" or a file.

    :raises gdbhv.errors.ImageError: the file cannot be written.
    """
    if where == "stdio":
        console = Console(sys.stdout.buffer)
        if typed and sys.stdin is not None and not sys.stdin.closed:
            console.read_from(sys.stdin.fileno())
        return console
    try:
        return Console(Path(where).open("wb"))
    except OSError as e:
        raise ImageError(where, e.strerror or str(e)) from None
