"""Files that users name: input is bounded before it is read, and only outputs are overwritten."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from gdbhv.errors import ImageError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISREG, "a regular file"),
)
_OPEN_ALREADY = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")  # a shell's <(command): opening it does not wait for anybody
SNAPSHOT = b"\x89gdbhv snap\r\n\x1a\n\0"  # like PNG's: it shows whether line ends were converted, or bytes cut to 7 bits
_MAGICS = {
    SNAPSHOT: "a snapshot",
    b"\x7fELF": "an ELF file",
    b"\x1f\x8b": "a gzip file",
    b"\xd0\x0d\xfe\xed": "a device tree",
    b"0707": "a cpio archive",
}
_PIECE = 1 << 20
_HARMLESS = {os.makedev(1, minor) for minor in (3, 5, 7)}  # null, zero, full


def kind(mode: int) -> str:
    """Return what kind of file it is, for messages: "a directory", "a FIFO", ..."""
    return next((name for test, name in _KINDS if test(mode)), "no file")


def open_input(path: str | Path) -> io.BufferedReader:
    """Open a file to be read: a regular one, or a pipe that the shell has opened.

    :raises gdbhv.errors.ImageError: it is anything else, or cannot be read.
    """
    text = str(path)
    if not text:
        raise ImageError("''", "a file's name is needed, and this is empty")
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and text.startswith(_OPEN_ALREADY)):
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb")
    except OSError as e:
        raise ImageError(text, e.strerror or str(e)) from None
    if stat.S_ISDIR(mode):
        raise ImageError(text, os.strerror(errno.EISDIR))
    raise ImageError(text, f"{kind(mode)}: a regular file is needed (copy it into one)")


def read(path: str | Path, limit: int, reason: str) -> bytes:
    """Return a file's bytes.

    :raises gdbhv.errors.ImageError: it cannot be read, or is longer than ``limit``, with ``reason``.
    """
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = b"" if size > limit else file.read(size + 1) if size else _bounded(file, limit)
        except OSError as e:
            raise ImageError(str(path), e.strerror or str(e)) from None
    if max(size, len(data)) > limit:
        raise ImageError(str(path), reason)
    return data


def _bounded(file: BinaryIO, limit: int) -> bytes:
    """Read a pipe to its end, or until it is longer than ``limit``; memory grows with the input only."""
    data = bytearray()
    while len(data) <= limit and (some := file.read(_PIECE)):
        data += some
    return bytes(data)


def open_output(path: str, inputs: Sequence[str | Path | None] = ()) -> BinaryIO:
    """Open a file to be written from its beginning, without a buffer: a new one, an old output, a terminal, /dev/null, or a
    FIFO that somebody reads already.

    :param inputs: files that must stay as they are.
    :raises OSError: it is one of ``inputs``, or an image, or nothing that can take output; or it cannot be written.
    """
    if not path:
        raise OSError(errno.ENOENT, "a file's name is needed, and this is empty")
    status = os.stat(path) if os.path.exists(path) else None
    mode = stat.S_IFREG if status is None else status.st_mode
    if status is not None:
        for other in inputs:
            if other and os.path.exists(other) and os.path.samestat(status, os.stat(other)):
                raise OSError(errno.EEXIST, f"the same file as {other}, which is read")
        if stat.S_ISREG(mode) and (what := _image(path)):
            raise OSError(errno.EEXIST, f"{what} and no output of an earlier run, so it stays: choose another name")
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (os.O_TRUNC if stat.S_ISREG(mode) else 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as e:
        if e.errno == errno.ENXIO and stat.S_ISFIFO(mode):
            raise OSError(e.errno, "a FIFO that nobody reads: start its reader first") from None
        raise
    harmless = status is not None and stat.S_ISCHR(mode) and status.st_rdev in _HARMLESS
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or harmless or os.isatty(descriptor)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{kind(mode)}, where no output belongs: name a file, a FIFO, a terminal or /dev/null")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "wb", buffering=0)


@contextlib.contextmanager
def replaced(path: str | Path, magic: bytes) -> Iterator[BinaryIO]:
    """Yield a file to write to that replaces ``path`` when it is complete; until then the old file stays.

    :raises OSError: see :func:`check_replaced`; or it cannot be written.
    """
    check_replaced(path, magic)
    place = os.path.realpath(path)
    folder, name = os.path.split(place)
    try:
        file = tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}.", delete=False)  # noqa: SIM115
    except OSError as e:
        raise OSError(e.errno, e.strerror, str(path)) from None
    try:
        with file:
            yield file  # type: ignore[misc]
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(file.name, 0o666 & ~mask)
        os.replace(file.name, place)
    except BaseException as e:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.name)
        if isinstance(e, OSError):
            raise OSError(e.errno, e.strerror, str(path)) from None
        raise


def check_replaced(path: str | Path, magic: bytes) -> None:
    """Check that a file may take the place of ``path``.

    :param magic: the first bytes of files that may be replaced although they are not outputs of a run.
    :raises OSError: an image, or something other than a regular file, is there; or there is no such folder.
    """
    place = os.path.realpath(path)
    if not os.fspath(path):
        raise OSError(errno.ENOENT, "a file's name is needed, and this is empty")
    if not os.path.isdir(os.path.dirname(place)):
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if os.path.lexists(place):
        mode = os.stat(place).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"{kind(mode)}, which no file can replace: choose another name", str(path))
        if (what := _image(place)) and what != _MAGICS.get(magic):
            raise OSError(
                errno.EEXIST, f"{what} and no output of an earlier run, so it stays: choose another name", str(path)
            )


def _image(path: str) -> str:
    """Return the kind of image that a file's first bytes indicate, or ""."""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(64)
    except OSError:
        return ""
    if begin[56:60] == b"ARM\x64":
        return "an arm64 Image"
    return next((what for magic, what in _MAGICS.items() if begin.startswith(magic)), "")


def claim_socket(path: str) -> None:
    """Make room for a Unix socket: remove a stale one at ``path``, on which nobody answers.

    :raises OSError: something else is there, or somebody answers.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else kind(mode)
        raise OSError(errno.EEXIST, f"{what} is there, and stays: choose another path for the socket", path)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            pass  # a socket of another kind, or somebody who is too busy to answer
    raise OSError(errno.EADDRINUSE, "in use: another process listens there", path)
