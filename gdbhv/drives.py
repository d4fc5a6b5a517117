"""The files of disks: which they are, whether they are unchanged, and which keep the guest's writes.

A disk is a virtio-blk device in one of the board's 32 virtio-mmio slots, the first one in the highest, as on QEMU's
``virt``. The guest's writes are kept in memory over the file, which is read while the machine runs and is not changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from gdbhv import files
from gdbhv.config import Drive
from gdbhv.errors import GdbhvError, ImageError, StateError

SLOTS = 32
SECTOR = 512
_QCOW2 = b"QFI\xfb"
_PIECE = 1 << 20


class Owner(Protocol):
    """A guest in a snapshot, with its disks (:class:`gdbhv.snapshot.snapfile.Guest`)."""

    @property
    def drives(self) -> Sequence[Plugged]:
        """Its disks."""


class Slots(Protocol):
    """Something with slots for disks: a machine, or a VM's device."""

    def plug_drive(self, path: str, kind: str = "raw", *, read_only: bool = False) -> int:
        """Put a disk into the next slot; return the slot's number."""

    def drive_written(self, slot: int) -> list[tuple[int, int]]:
        """Return where a guest has written: offset and bytes of each block."""

    def drive_read(self, slot: int, offset: int, length: int) -> bytes:
        """Return the present content of a disk."""

    def drive_problems(self) -> list[tuple[int, str]]:
        """Return which disks could not be served since the last call: slot, and why."""


@dataclass(frozen=True)
class Plugged:
    """A disk that is in a slot. Its file has :data:`size` bytes, and was last modified at :data:`changed`, in nanoseconds.

    :data:`sha256` is the file's, once computed (:func:`identified`).
    """

    path: str
    format: str
    read_only: bool
    slot: int
    size: int
    changed: int = 0
    sha256: str | None = None


Disks = tuple[Slots, Sequence[Plugged]]
"""The disks of one guest, and where they are plugged in."""


def plug(slots: Slots, drives: Sequence[Drive]) -> list[Plugged]:
    """Plug disks in, in this order.

    :raises gdbhv.errors.ImageError: a file cannot be a disk, or cannot be read.
    :raises gdbhv.errors.GdbhvError: there are too many.
    """
    if len(drives) > SLOTS:
        raise GdbhvError(f"--drive: {len(drives)} disks, and there are {SLOTS} virtio-mmio slots for them")
    made = []
    for drive in drives:
        status = _checked(drive)
        try:
            slot = slots.plug_drive(drive.path, drive.format, read_only=drive.read_only)
        except (OSError, ValueError) as e:
            raise ImageError(drive.path, _reason(drive, str(e))) from None
        made.append(Plugged(drive.path, drive.format, drive.read_only, slot, status.st_size, status.st_mtime_ns))
    return made


def _checked(drive: Drive) -> os.stat_result:
    """Check whether a file can be a disk."""
    with files.open_input(drive.path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            what = files.kind(status.st_mode)
            raise ImageError(drive.path, f"{what}: a disk is a regular file, of which any part can be read")
        is_qcow2 = file.read(len(_QCOW2)) == _QCOW2
    if is_qcow2 and drive.format == "raw":
        raise ImageError(
            drive.path, "it begins as a qcow2 image: say format=qcow2 (if it is meant as it is: copy it into a new raw one)"
        )
    if drive.format == "raw" and (status.st_size == 0 or status.st_size % SECTOR):
        if not status.st_size:
            raise ImageError(
                drive.path, "it is empty: a disk has a sector at least; `truncate -s 64M FILE` makes it 64 MiB long"
            )
        raise ImageError(
            drive.path,
            f"{status.st_size:,} bytes are not whole sectors of {SECTOR}; `truncate -s %{SECTOR} FILE` fills the last one",
        )
    if drive.format == "qcow2" and not is_qcow2:
        raise ImageError(drive.path, "no qcow2 image: it does not begin with QFI and 0xfb; leave format=qcow2 out")
    return status


def _reason(drive: Drive, text: str) -> str:
    if drive.format == "qcow2" and "denied" in text:
        return "a qcow2 image that needs another file: make one of both (qemu-img convert -O qcow2 FILE NEW)"
    return text


def words(slot: int, why: str) -> str:
    """Return the message about a disk that the host could not serve."""
    return f"the disk in virtio slot {slot}: {why}; its guest got an I/O error"


# --- whether files are unchanged


def identified(plugged: Sequence[Plugged]) -> tuple[Plugged, ...]:
    """Return disks with the SHA-256 of their files.

    :raises gdbhv.errors.StateError: a file has changed since it was plugged in, so that its old content is unknown.
    """
    found = []
    for one in plugged:
        with files.open_input(one.path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (one.size, one.changed):
            raise StateError(f"{one.path} has changed while the machine ran from it: a snapshot of that is of no use")
        found.append(replace(one, sha256=digest))
    return tuple(found)


def check_same(here: Sequence[Disks], guests: Sequence[Owner]) -> None:
    """Check that the files are those with which the disks of a snapshot's guests were made.

    :raises gdbhv.errors.StateError: one is another file.
    """
    now = [disk for _, disks in here for disk in disks]
    saved = [disk for guest in guests for disk in guest.drives]
    if len(now) != len(saved):
        raise StateError(f"of another machine: it has {len(saved)} disks, and this one {len(now)}")
    for one, then in zip(now, saved, strict=True):
        with files.open_input(one.path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != then.sha256:
            raise StateError(
                f"{one.path}: not the disk that the snapshot was made with: SHA-256 {digest[:12]}..., and that had "
                f"{str(then.sha256)[:12]}...; if it is elsewhere now: --drive FILE"
            )


@contextlib.contextmanager
def may_have_moved() -> Iterator[None]:
    """Check a disk's file. :raises gdbhv.errors.StateError: it is missing, with the remedy, or it is not a disk."""
    try:
        yield
    except ImageError as e:
        raise StateError(f"{e}; if the snapshot's disk is elsewhere now: --drive FILE") from None


def moved(saved: Sequence[Plugged], given: Sequence[Drive]) -> list[Drive]:
    """Return the disks to plug in for a snapshot: its own, or the files that were given in their place.

    :raises gdbhv.errors.GdbhvError: their number differs.
    """
    if not given:
        return [Drive(one.path, format=one.format, read_only=one.read_only) for one in saved]
    if len(given) != len(saved):
        raise GdbhvError(f"--drive: the snapshot has {len(saved)} disks, and {len(given)} files are given for them")
    return [replace_drive(drive, one) for drive, one in zip(given, saved, strict=True)]


def replace_drive(drive: Drive, saved: Plugged) -> Drive:
    """Return a file in the place of one that was saved: the same kind of disk."""
    return drive._replace(format=saved.format, read_only=saved.read_only)


# --- keeping what guests write


@contextlib.contextmanager
def claimed(drives: Sequence[Drive]) -> Iterator[list[BinaryIO | None]]:
    """Open the files that keep the guest's writes, and lock them; files that are only read can be shared between runs.

    :raises gdbhv.errors.ImageError: a file cannot be written, or another run has it.
    """
    with contextlib.ExitStack() as opened:
        found: list[BinaryIO | None] = []
        for drive in drives:
            _checked(drive)
            if drive.keeps and drive.format != "raw":
                raise ImageError(drive.path, "rw is for raw files: qemu-img convert -O raw FILE NEW makes one")
            try:
                file = opened.enter_context(open(drive.path, "r+b" if drive.keeps else "rb"))
            except OSError as e:
                raise ImageError(drive.path, f"{e.strerror}: with rw it is written to when the run ends") from None
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if drive.keeps else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except OSError:
                raise ImageError(drive.path, "another run has it, and one of them would write to it: use a copy") from None
            found.append(file if drive.keeps else None)
        yield found


def keep(slots: Slots, disks: Sequence[tuple[Plugged, BinaryIO | None]]) -> list[str]:
    """Write the guest's writes into the files that keep them; return their names.

    :param disks: each with its file, or None.
    :raises OSError: a file cannot be written.
    """
    changed = []
    for one, file in disks:
        blocks = slots.drive_written(one.slot)
        if file is None or not blocks:
            continue
        for offset, length in blocks:
            file.seek(offset)
            file.write(slots.drive_read(one.slot, offset, length))
        file.flush()
        os.fsync(file.fileno())
        changed.append(one.path)
    return changed
