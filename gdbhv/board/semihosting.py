"""Semihosting: what a guest asks of its host by HLT #0xF000 (Arm's "Semihosting for AArch32 and AArch64", 2.0 and later).

The operation is in W0; X1 points to its arguments, of 8 bytes each; the result goes to X0. Calls are taken at EL1 and above,
as QEMU does: at EL0 the instruction is undefined.

The clock is virtual time. Files are those below one folder that the user names, or none; ``:tt`` is the console. What comes
from outside (files, and that nobody types any more) enters by the door of inputs (:mod:`gdbhv.inputs`) and is recorded.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from gdbhv.errors import GdbhvError, MemoryError_

FAILED = (1 << 64) - 1
TICKS = 1_000_000_000
"""Per second, of SYS_ELAPSED: nanoseconds."""
EPOCH = 1_767_225_600
"""What SYS_TIME tells at virtual time 0, as the board's clock does: 2026-01-01 00:00 UTC."""
EXITED = 0x20026  # ADP_Stopped_ApplicationExit: the reason of a program that ends by itself
MOST = 1 << 20  # bytes of one read or write; the rest is left for another call
MOST_TEXT = 1 << 16  # bytes of a text or a name
MOST_FILES = 64
INPUT, OUTPUT, ERRORS, FEATURES, FIRST = 1, 2, 3, 4, 5  # handles; of files from FIRST on
WRITE, READ = 0x05, 0x06
INSIDE = {0x03, 0x04, 0x07, 0x08, 0x10, 0x11, 0x15, 0x16, 0x18, 0x20, 0x30, 0x31}
"""Operations that need nothing from outside, or what was typed, which has come in before."""
FEATURE_BYTES = b"SHFB\x03"
"""SYS_EXIT_EXTENDED, and a :tt for output and another for errors."""
MODES = ("r", "r", "r+", "r+", "w", "w", "w+", "w+", "a", "a", "a+", "a+")
_FLAGS = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}


class Caller(Protocol):
    """The CPU that has called, and its machine."""

    def read(self, address: int, length: int) -> bytes:
        """Read memory by VA. :raises gdbhv.errors.MemoryError_: there is none."""

    def print(self, data: bytes) -> None:
        """Print on the console."""

    def take_typed(self, most: int) -> bytes | None:
        """Return what was typed, at most so many bytes; b"": nothing yet; None: nobody types any more."""

    @property
    def now(self) -> int:
        """Virtual time in nanoseconds."""

    @property
    def ram(self) -> tuple[int, int]:
        """First address of RAM, and bytes."""


@dataclass(frozen=True)
class Answer:
    """What a call does: the result, and memory that is written. ``ended``: since nobody types any more."""

    value: int
    memory: tuple[tuple[int, bytes], ...] = ()
    ended: bool = False


@dataclass(frozen=True)
class Exit:
    """The guest ends, with this status."""

    status: int


@dataclass
class OpenFile:
    """A file that the guest has open."""

    path: str  # below the folder
    mode: str
    file: BinaryIO

    def place(self) -> tuple[str, str, int]:
        """Return what it takes to open it again."""
        return self.path, self.mode, self.file.tell()


class Refused(Exception):
    """A call that fails, with this number as errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


@dataclass
class Semihosting:
    """The host of one guest.

    :param folder: files are below it; None: there are none.
    :param line: what SYS_GET_CMDLINE tells.
    """

    folder: Path | None = None
    line: str = ""
    files: dict[int, OpenFile] = field(default_factory=dict)
    number: int = 0  # of the last error
    features_at: int = 0

    def call(self, caller: Caller, operation: int, argument: int) -> Answer | Exit | None:
        """Do what a guest asks for. None: it waits for what is typed, and is to ask again."""
        try:
            known = OPERATIONS.get(operation)
            if known is None:
                raise Refused(errno.ENOSYS)
            return known(self, caller, argument)
        except Refused as e:
            self.number = e.number
        except MemoryError_:
            self.number = errno.EFAULT
        except OSError as e:
            self.number = e.errno or errno.EIO
        return Answer(FAILED)

    def is_inside(self, caller: Caller, operation: int, argument: int) -> bool:
        """Whether the answer follows from the machine alone: nothing from outside has a part in it."""
        if operation in (WRITE, READ):
            try:
                handle = words(caller, argument, 1)[0]
            except MemoryError_:
                return True
            return handle in ((OUTPUT, ERRORS) if operation == WRITE else (INPUT,))
        return operation in INSIDE

    def close(self) -> None:
        """Close all files."""
        for one in self.files.values():
            one.file.close()
        self.files.clear()

    # --- what a snapshot keeps

    def save(self) -> dict[str, object]:
        """Return what it takes to go on: which files are open, and where in them."""
        files = {str(handle): one.place() for handle, one in self.files.items()}
        return {"files": files, "number": self.number, "features_at": self.features_at}

    def load(self, state: dict[str, object]) -> None:
        """Go on there. :raises gdbhv.errors.GdbhvError: a file cannot be opened again."""
        self.close()
        files: dict[str, tuple[str, str, int]] = state["files"]  # type: ignore[assignment]
        for handle, (path, mode, at) in files.items():
            again = {"w": "r+", "w+": "r+", "a": "a", "a+": "a+"}.get(mode, mode)  # what it holds stays
            try:
                file = self._open_below(path, again)
            except (OSError, Refused) as e:
                raise GdbhvError(f"--semihosting: {path}, which the guest had open, cannot be opened again: {e}") from None
            file.seek(at)
            self.files[int(handle)] = OpenFile(path, mode, file)
        self.number, self.features_at = int(str(state["number"])), int(str(state["features_at"]))

    # --- files

    def _open_below(self, path: str, mode: str) -> BinaryIO:
        """Open a regular file below the folder, without a way out of it."""
        folder = self._below(path)
        flags = _FLAGS[mode] | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(folder / os.path.basename(path), flags, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Refused(errno.EACCES)
        return os.fdopen(descriptor, {"r": "rb", "w": "wb", "a": "ab"}.get(mode, "r+b"), buffering=0)  # type: ignore[return-value]

    def _below(self, path: str) -> Path:
        """Return the folder that a file is in, which must be the user's or one below it."""
        if self.folder is None:
            raise Refused(errno.EACCES)
        if not path or "\0" in path or path.endswith("/") or os.path.basename(path) in (".", ".."):
            raise Refused(errno.ENOENT)
        top = self.folder.resolve()
        inner = (top / path.lstrip("/")).parent.resolve()
        if inner != top and top not in inner.parents:
            raise Refused(errno.EACCES)
        return inner

    def _file(self, handle: int) -> OpenFile:
        if handle not in self.files:
            raise Refused(errno.EBADF)
        return self.files[handle]

    # --- operations

    def _open(self, caller: Caller, argument: int) -> Answer:
        name, mode, length = words(caller, argument, 3)
        path = text(caller, name, length)
        if mode >= len(MODES):
            raise Refused(errno.EINVAL)
        if path == ":tt":
            return Answer((INPUT, OUTPUT, ERRORS)[mode // 4])
        if path == ":semihosting-features":
            if mode > 1:
                raise Refused(errno.EACCES)
            self.features_at = 0
            return Answer(FEATURES)
        if len(self.files) >= MOST_FILES:
            raise Refused(errno.EMFILE)
        file = self._open_below(path, MODES[mode])
        handle = next(n for n in range(FIRST, FIRST + MOST_FILES) if n not in self.files)
        self.files[handle] = OpenFile(path, MODES[mode], file)
        return Answer(handle)

    def _close(self, caller: Caller, argument: int) -> Answer:
        (handle,) = words(caller, argument, 1)
        if INPUT <= handle < FIRST:
            return Answer(0)
        self._file(handle).file.close()
        del self.files[handle]
        return Answer(0)

    def _write_byte(self, caller: Caller, argument: int) -> Answer:
        caller.print(caller.read(argument, 1))
        return Answer(0)

    def _write_text(self, caller: Caller, argument: int) -> Answer:
        caller.print(terminated(caller, argument))
        return Answer(0)

    def _write(self, caller: Caller, argument: int) -> Answer:
        handle, address, length = words(caller, argument, 3)
        data = caller.read(address, min(length, MOST))
        if handle in (OUTPUT, ERRORS):
            caller.print(data)
            return Answer(length - len(data))
        try:
            return Answer(length - self._file(handle).file.write(data))
        except Refused as e:
            return self._none(e, length)

    def _read(self, caller: Caller, argument: int) -> Answer | None:
        handle, address, length = words(caller, argument, 3)
        most = min(length, MOST)
        if handle == INPUT:
            typed = caller.take_typed(most) if most else None
            if typed is None:
                return Answer(length, ended=True)
            return Answer(length - len(typed), ((address, typed),)) if typed else None
        if handle == FEATURES:
            data = FEATURE_BYTES[self.features_at : self.features_at + most]
            self.features_at += len(data)
            return Answer(length - len(data), ((address, data),))
        try:
            data = self._file(handle).file.read(most)
        except Refused as e:
            return self._none(e, length)
        caller.read(address, len(data))
        return Answer(length - len(data), ((address, data),))

    def _none(self, why: Refused, length: int) -> Answer:
        """Return that nothing was read or written of so many bytes."""
        self.number = why.number
        return Answer(length)

    def _read_byte(self, caller: Caller, argument: int) -> Answer | None:
        typed = caller.take_typed(1)
        if typed is None:
            return Answer(FAILED, ended=True)
        return Answer(typed[0]) if typed else None

    def _is_error(self, caller: Caller, argument: int) -> Answer:
        (status,) = words(caller, argument, 1)
        return Answer(status >> 63)

    def _is_terminal(self, caller: Caller, argument: int) -> Answer:
        (handle,) = words(caller, argument, 1)
        if INPUT <= handle <= ERRORS:
            return Answer(1)
        if handle != FEATURES:
            self._file(handle)
        return Answer(0)

    def _seek(self, caller: Caller, argument: int) -> Answer:
        handle, at = words(caller, argument, 2)
        if handle == FEATURES:
            self.features_at = min(at, len(FEATURE_BYTES))
            return Answer(0)
        if at >> 63:
            raise Refused(errno.EINVAL)
        self._file(handle).file.seek(at)
        return Answer(0)

    def _length(self, caller: Caller, argument: int) -> Answer:
        (handle,) = words(caller, argument, 1)
        if handle == FEATURES:
            return Answer(len(FEATURE_BYTES))
        return Answer(os.fstat(self._file(handle).file.fileno()).st_size)

    def _remove(self, caller: Caller, argument: int) -> Answer:
        name, length = words(caller, argument, 2)
        path = text(caller, name, length)
        os.unlink(self._below(path) / os.path.basename(path))
        return Answer(0)

    def _rename(self, caller: Caller, argument: int) -> Answer:
        old, old_length, new, new_length = words(caller, argument, 4)
        names = [text(caller, old, old_length), text(caller, new, new_length)]
        before, after = (self._below(name) / os.path.basename(name) for name in names)
        os.rename(before, after)
        return Answer(0)

    def _clock(self, caller: Caller, argument: int) -> Answer:
        return Answer(caller.now // 10_000_000)

    def _time(self, caller: Caller, argument: int) -> Answer:
        return Answer(EPOCH + caller.now // TICKS)

    def _errno(self, caller: Caller, argument: int) -> Answer:
        return Answer(self.number)

    def _command_line(self, caller: Caller, argument: int) -> Answer:
        address, room = words(caller, argument, 2)
        line = self.line.encode() + b"\0"
        if len(line) > room:
            raise Refused(errno.E2BIG)
        return Answer(0, ((address, line), (argument + 8, (len(line) - 1).to_bytes(8, "little"))))

    def _heap(self, caller: Caller, argument: int) -> Answer:
        """Heap base and limit, stack base and limit. 0 is the guest's own choice, of which it knows more."""
        (block,) = words(caller, argument, 1)
        base, size = caller.ram
        values = (0, base + size, base + size, 0)
        return Answer(0, ((block, b"".join(v.to_bytes(8, "little") for v in values)),))

    def _exit(self, caller: Caller, argument: int) -> Exit:
        reason, status = words(caller, argument, 2)
        return Exit(status & 0xFF if reason == EXITED else 1)

    def _elapsed(self, caller: Caller, argument: int) -> Answer:
        return Answer(0, ((argument, caller.now.to_bytes(8, "little")),))

    def _frequency(self, caller: Caller, argument: int) -> Answer:
        return Answer(TICKS)


def words(caller: Caller, address: int, count: int) -> list[int]:
    """Return arguments."""
    data = caller.read(address, 8 * count)
    return [int.from_bytes(data[8 * n : 8 * n + 8], "little") for n in range(count)]


def text(caller: Caller, address: int, length: int) -> str:
    """Return a name of so many bytes."""
    if length > MOST_TEXT:
        raise Refused(errno.ENAMETOOLONG)
    return os.fsdecode(caller.read(address, length))


def terminated(caller: Caller, address: int) -> bytes:
    """Return a text that ends with a zero byte, or after MOST_TEXT bytes."""
    data = bytearray()
    while len(data) < MOST_TEXT:
        some = caller.read(address + len(data), 64 - (address + len(data)) % 64)
        end = some.find(0)
        if end >= 0:
            return bytes(data + some[:end])
        data += some
    return bytes(data)


Operation = Callable[[Semihosting, Caller, int], Answer | Exit | None]

OPERATIONS: dict[int, Operation] = {
    0x01: Semihosting._open,
    0x02: Semihosting._close,
    0x03: Semihosting._write_byte,
    0x04: Semihosting._write_text,
    WRITE: Semihosting._write,
    READ: Semihosting._read,
    0x07: Semihosting._read_byte,
    0x08: Semihosting._is_error,
    0x09: Semihosting._is_terminal,
    0x0A: Semihosting._seek,
    0x0C: Semihosting._length,
    0x0E: Semihosting._remove,
    0x0F: Semihosting._rename,
    0x10: Semihosting._clock,
    0x11: Semihosting._time,
    0x13: Semihosting._errno,
    0x15: Semihosting._command_line,
    0x16: Semihosting._heap,
    0x18: Semihosting._exit,
    0x20: Semihosting._exit,
    0x30: Semihosting._elapsed,
    0x31: Semihosting._frequency,
}
"""By number (SYS_OPEN is 1); SYS_SYSTEM and SYS_TMPNAM are refused as not there (errno ENOSYS)."""
