"""Bundles: a run in one file, to hand over: its recording, what it was made from, and what a debugger had set.

A bundle is a ZIP file: ``bundle.json`` (:class:`Manifest`), ``recording`` (:mod:`gdbhv.recording.file`), and images if they
are copied. It ends where somebody is to look, and there its replay stops.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from gdbhv import _core, files
from gdbhv.errors import GdbhvError, StateError
from gdbhv.history import History, Position
from gdbhv.history.timeline import order
from gdbhv.inputs import Place
from gdbhv.recording import file
from gdbhv.recording.witness import digest

MAGIC = b"PK\x03\x04"
VERSION = 1
MANIFEST, RECORDING = "bundle.json", "recording"
MOST = 1 << 26  # bytes of a manifest
LARGEST = 1 << 34  # bytes of a recording
_PIECE = 1 << 20
_FIRST = (1980, 1, 1, 0, 0, 0)  # when all members were made: the same run is the same bundle


class Point(msgspec.Struct):
    """A breakpoint or watchpoint that a debugger had set; ``kind`` is that of a Z packet (GDB manual E.4)."""

    process: int
    kind: int
    address: int
    length: int
    scope: str = ""  # whose it was

    def __str__(self) -> str:
        how = {0: "break", 1: "hbreak", 2: "watch", 3: "rwatch", 4: "awatch"}[self.kind]
        what = f"*{self.address:#x}" if self.kind < 2 else f"-l *(char (*)[{self.length}]) {self.address:#x}"
        return f"{how} {what}"


class Set(msgspec.Struct):
    """What a debugger had set."""

    points: list[Point] = []
    catchpoints: list[str] = []  # as `vmexit catch` takes them
    marks: dict[str, tuple[Place, int]] = {}  # the place, and how many inputs had come


class Manifest(msgspec.Struct):
    """What a bundle is of, and what is in it."""

    version: int
    gdbhv: str
    reason: str  # why it ends there
    insns: int  # of all CPUs, at its end
    status: int | None  # the run's exit status, if it has ended
    members: dict[str, str]  # the others: SHA-256 of each
    images: dict[str, str]  # file of the run: the member that is a copy of it
    debugger: Set = msgspec.field(default_factory=Set)


class _Beginning(msgspec.Struct):
    """What all versions begin with."""

    version: int


def write(
    path: str | Path,
    recording: bytes,
    *,
    reason: str,
    insns: int,
    status: int | None = None,
    copy_images: bool = False,
    debugger: Set | None = None,
) -> int:
    """Write a bundle, in one step; return its bytes.

    :param recording: the bytes of one.
    :param reason: why it ends there.
    :param copy_images: the files that the machine was made from are in it, too.
    :raises gdbhv.errors.GdbhvError: a file is another one than it was, or cannot be read.
    :raises OSError: the bundle cannot be written, or should not be.
    """
    header = file.header_of(recording)
    manifest = Manifest(VERSION, _core.__version__, reason, insns, status, {}, {}, debugger or Set())
    with files.replaced(path, MAGIC) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        manifest.members[RECORDING] = _put(made, RECORDING, [recording])
        for n, one in enumerate(header.files if copy_images else []):
            manifest.images[one.path] = name = f"images/{n}-{os.path.basename(one.path)}"
            with files.open_input(one.path) as source:
                found = _put(made, name, iter(lambda: source.read(_PIECE), b""))
            if found != one.sha256:
                raise GdbhvError(f"{one.path}: not the file that the run began with: it has changed since")
            manifest.members[name] = found
        made.writestr(zipfile.ZipInfo(MANIFEST, _FIRST), msgspec.json.encode(manifest))
        made.close()
        return out.tell()


def _put(made: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> str:
    """Write a member; return its SHA-256."""
    info, sha = zipfile.ZipInfo(name, _FIRST), hashlib.sha256()
    info.compress_type = zipfile.ZIP_DEFLATED
    with made.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            sha.update(piece)
            member.write(piece)
    return sha.hexdigest()


def bundle(
    path: str | Path,
    history: History,
    *,
    reason: str = "here",
    copy_images: bool = False,
    points: Sequence[Point] = (),
    catchpoints: Sequence[str] = (),
) -> int:
    """Write a bundle of what a target has done until where it is, in its past perhaps; return its bytes.

    :param history: of a target that a :class:`gdbhv.Setup` has made, from its beginning on.
    :param points: what a debugger has set; ``catchpoints`` too.
    :raises gdbhv.errors.GdbhvError: its beginning is not known, or a file has changed since.
    :raises OSError: see :func:`write`.
    """
    line, here = history.timeline, history.here
    if not line.whole:
        raise StateError("a bundle has a run from its beginning, and this one is a replay, or went on from a snapshot")
    if history.origin is None:
        raise StateError("a bundle has what the machine was made from, and nobody has said it: history.origin")
    lines = [history.origin(), *line.inputs[: here.inputs], file.Finish(here.at, digest(history.target), reason)]
    marks = {m.name: (m.at.at, m.at.inputs) for m in line.marks.values() if order(m.at) <= order(here)}
    return write(
        path,
        b"".join(msgspec.json.encode(one) + b"\n" for one in lines),
        reason=reason,
        insns=here.insns,
        copy_images=copy_images,
        debugger=Set(list(points), list(catchpoints), marks),
    )


def is_bundle(path: str | Path) -> bool:
    """Whether a file begins as a bundle does. :raises gdbhv.errors.ImageError: it cannot be read."""
    with files.open_input(path) as one:
        return one.seekable() and one.read(len(MAGIC)) == MAGIC


class Bundle:
    """A bundle that is read.

    :raises gdbhv.errors.GdbhvError: it is none, or damaged, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._file = files.open_input(path)
        self._folder = tempfile.TemporaryDirectory(prefix="gdbhv-")
        self.folder = Path(self._folder.name)
        """Where what is taken out of it is, until it is closed."""
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.manifest = self._begin()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, msgspec.MsgspecError) as e:
            self.close()
            raise GdbhvError(f"{path}: a damaged bundle, or none: {e}") from None
        except GdbhvError:
            self.close()
            raise

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and delete what was taken out of it."""
        self._file.close()
        self._folder.cleanup()

    def _begin(self) -> Manifest:
        names = {info.filename: info for info in self._zip.infolist()}
        if MANIFEST not in names or names[MANIFEST].file_size > MOST:
            raise GdbhvError(f"{self.path}: a ZIP file, and no bundle of gdbhv's: it has no {MANIFEST}")
        with self._member(MANIFEST) as member:
            text = member.read()
        self.text = text.decode("utf-8", "replace")
        version = msgspec.json.decode(text, type=_Beginning).version
        if version != VERSION:
            raise GdbhvError(f"{self.path}: of another gdbhv, in version {version} of the format; this one reads {VERSION}")
        manifest = msgspec.json.decode(text, type=Manifest)
        missing = [name for name in (RECORDING, *manifest.members, *manifest.images.values()) if name not in names]
        if missing or not {RECORDING, *manifest.images.values()} <= manifest.members.keys():
            raise GdbhvError(f"{self.path}: a damaged bundle: {missing[0] if missing else 'a checksum'} is missing")
        return manifest

    def _member(self, name: str) -> IO[bytes]:
        """Open a member. :raises zipfile.BadZipFile: it is damaged."""
        try:
            return self._zip.open(name)
        except (OSError, ValueError) as e:  # what zipfile makes of a place before the beginning
            raise zipfile.BadZipFile(f"{name} is not where the directory has it: {e}") from None

    def recording(self) -> file.Recording:
        """Return its recording, with the files of the run from where they are now: in it, in its folder, or as they were."""
        read = file.Recording(self._take(RECORDING, LARGEST))
        try:
            read.relocate({one.path: self._place(one) for one in read.header.files})
        except GdbhvError:
            read.close()
            raise
        return read

    def _place(self, one: file.File) -> str:
        beside = Path(self.path).parent / os.path.basename(one.path)
        if (name := self.manifest.images.get(one.path)) is not None:
            return self._take(name, one.size)
        return str(beside) if beside.is_file() and not Path(one.path).is_file() else one.path

    def _take(self, name: str, most: int) -> str:
        """Take a member out; return the path. :raises gdbhv.errors.GdbhvError: it is damaged."""
        to, sha = self.folder / os.path.basename(name), hashlib.sha256()
        try:
            if self._zip.getinfo(name).file_size > most:
                raise GdbhvError(f"{self.path}: a damaged bundle: {name} is too long")
            with self._member(name) as member, to.open("wb") as out:
                while piece := member.read(_PIECE):
                    sha.update(piece)
                    out.write(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
            raise GdbhvError(f"{self.path}: a damaged bundle: {name}: {e}") from None
        if sha.hexdigest() != self.manifest.members[name]:
            raise GdbhvError(f"{self.path}: a damaged bundle: {name} has another checksum")
        return str(to)

    def put(self, history: History) -> None:
        """Give the history of its replay the marks that there were."""
        for name, (at, inputs) in self.manifest.debugger.marks.items():
            history.mark(name, Position(at, inputs))
