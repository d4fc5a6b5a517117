"""A console: takes what the guest sends, and keeps what is typed until the machine looks."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from gdbhv import files
from gdbhv.console.sink import Sink
from gdbhv.errors import GdbhvError


@dataclass(frozen=True)
class Typed:
    """What was typed, the virtual time at which it came to the guest's UART, and the instructions executed until then."""

    now: int
    insns: int
    data: bytes


_LOOK_SECONDS = 0.02  # between two looks at whether a wait is to end


def await_readers(consoles: Iterable[Console | None], interrupted: Callable[[], bool]) -> None:
    """Let a machine stand still while one of its consoles is full, until ``interrupted``: time passes for nobody in it."""
    for console in consoles:
        while console is not None and console.full and not interrupted():
            console.await_reader(_LOOK_SECONDS)


class Console:
    """Output to a stream, a file or nowhere; input from a thread that reads a file descriptor.

    What is typed waits in :meth:`take_input` until the machine looks; ``on_input`` is called (from the reading
    thread) to tell it.

    :param output: a binary stream, or None to keep everything in :attr:`text` (for tests and libraries).
    """

    KEEP = 1 << 20
    AHEAD = 1 << 16  # bytes that may be typed ahead of the guest
    MOST_GATHERED = 4096  # bytes

    def __init__(self, output: BinaryIO | None = None) -> None:
        self._sink = None if output is None else Sink(output)
        self._input = bytearray()
        self._lock = threading.Lock()
        self.text = bytearray()
        self.entered: deque[Typed] = deque(maxlen=10_000)  # the last that was taken
        self.on_input: Callable[[], None] | None = None
        self.interactive = False  # more may be typed
        self.personal = False  # by a person, at a terminal
        self.paced = False  # it was there before: to be typed line by line, each when the guest has been silent
        self._speaker = ""  # the last of those that share this console
        self.waiting = 0  # bytes that the guest's UART held when the machine looked last
        self.witness: Callable[[bytes], None] | None = None  # is told all that the guest sends
        self.muted = False  # what the guest sends has been printed before
        self.gathers = False  # what is written is passed on by lines, or by :meth:`pass_on`
        self._gathered = bytearray()
        self.undo = contextlib.ExitStack()  # what close() does

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, or give the terminal back as it was."""
        self.undo.close()

    def write(self, data: bytes) -> None:
        """Take what the guest sends; the last :data:`KEEP` bytes stay in :attr:`text`.

        :raises gdbhv.errors.GdbhvError: the disk is full, or the like; a reader that has gone away is no error.
        """
        if not data or self.muted:
            return
        if self.witness is not None:
            self.witness(data)
        self.text += data
        if len(self.text) > 2 * self.KEEP:
            del self.text[: -self.KEEP]
        if not self.gathers:
            self.emit(data)
            return
        self._gathered += data
        if data.endswith(b"\n") or len(self._gathered) >= self.MOST_GATHERED:
            self.pass_on()

    @property
    def at_line_start(self) -> bool:
        """Whether what comes next begins a line."""
        return not self.text or self.text.endswith(b"\n")

    def named(self, name: str) -> Callable[[bytes], None]:
        """Return a :meth:`write` for one of several that share this console: each line begins with ``name``."""
        prefix = f"{name}| ".encode()

        def write(data: bytes) -> None:
            for line in data.splitlines(keepends=True):
                if self._speaker != name and not self.at_line_start:
                    self.write(b"\n")
                self.write(prefix + line if self.at_line_start and line.strip(b"\r\n") else line)
                self._speaker = name

        return write

    @property
    def held(self) -> int:
        """Bytes that were written and have not been passed on."""
        return len(self._gathered)

    def pass_on(self) -> None:
        """Pass on what was gathered (:attr:`gathers`)."""
        if self._gathered:
            data = bytes(self._gathered)
            self._gathered.clear()
            self.emit(data)

    def emit(self, data: bytes) -> None:
        """Pass bytes on to where the output goes, as far as somebody reads them."""
        if self._sink is not None:
            try:
                self._sink.put(data)
            except OSError as e:
                self._lost(self._sink, e)

    @property
    def full(self) -> bool:
        """Whether so much waits for a reader that the machine should stand still."""
        return self._sink is not None and self._sink.full

    def await_reader(self, seconds: float | None = None) -> None:
        """Wait until something is read, at most for some time (None: until everything is)."""
        if self._sink is not None:
            try:
                if seconds is None:
                    self._sink.drain()
                else:
                    self._sink.flush(seconds)
            except OSError as e:
                self._lost(self._sink, e)

    def _lost(self, sink: Sink, error: OSError) -> None:
        """Nothing more can be written. :raises gdbhv.errors.GdbhvError: with the reason, unless a reader has gone away."""
        with open(os.devnull, "wb") as nowhere:  # so that the last flush finds no fault
            os.dup2(nowhere.fileno(), sink.output.fileno())
        self._sink = None
        if not isinstance(error, BrokenPipeError):  # there nobody reads any more, and the guest goes on
            raise GdbhvError(f"what the guest prints cannot be written: {error.strerror or error}") from None

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

    def await_room(self, stopping: int) -> None:
        """Wait while the guest has much to read (:data:`AHEAD`), until ``stopping`` can be read: a pipe may never end."""
        while len(self._input) + self.waiting > self.AHEAD and not select.select((stopping,), (), (), _LOOK_SECONDS)[0]:
            pass

    def read_from(
        self, descriptor: int, keys: Callable[[bytes], bytes] = bytes, ended: Callable[[], None] = lambda: None
    ) -> None:
        """Type whatever comes from a file descriptor, in a thread of its own, until it ends.

        :param keys: takes what comes and returns what goes to the guest.
        :param ended: is called when no more will come.
        """
        self.interactive = True
        stopping, stop = os.pipe()

        def pump() -> None:
            while stopping not in select.select((descriptor, stopping), (), ())[0]:
                try:
                    data = os.read(descriptor, 4096)
                except BlockingIOError:
                    continue
                except OSError:  # a terminal that has gone away (EIO)
                    data = b""
                if not data:
                    ended()
                    break
                if typed := keys(data):
                    self.type(typed)
                self.await_room(stopping)
            os.close(stopping)
            self.interactive = False
            if self.on_input is not None:
                self.on_input()

        thread = threading.Thread(target=pump, name="console input", daemon=True)
        thread.start()
        self.undo.callback(thread.join)
        self.undo.callback(os.close, stop)

    def to_file(self, path: str, inputs: Sequence[str | Path | None] = ()) -> None:
        """Write to a file from now on. :raises OSError: it cannot be written, or should not (see ``files.open_output``)."""
        self._sink = Sink(self.undo.enter_context(files.open_output(path, inputs)))
