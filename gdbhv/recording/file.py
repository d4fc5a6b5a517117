"""Recordings: a text file whose lines are JSON: what the machine is, what came from outside and where, and what it did.

The first line is a :class:`Header`. Inputs (:mod:`gdbhv.inputs`), checkpoints and the end follow in the order of the run.
Each line is written as it comes, so that a recording that was cut off can be replayed as far as it goes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, get_type_hints

import msgspec

from gdbhv import _core, boot, files
from gdbhv.config import SINGLE_FILES, BootConfig
from gdbhv.errors import GdbhvError, ImageError
from gdbhv.inputs import AnyInput, Input, Place

log = logging.getLogger("gdbhv.recording")

VERSION = 1
LONGEST = 1 << 26  # bytes of a line: a debugger writes less at once


class File(msgspec.Struct):
    """A file that the machine was made from."""

    path: str
    size: int  # bytes
    sha256: str


def _form() -> type[msgspec.Struct]:
    """Return what :class:`gdbhv.config.BootConfig` is in JSON: the same fields, with paths as text."""
    types = get_type_hints(BootConfig)
    named = [(f.name, str | None if f.name in SINGLE_FILES else types[f.name]) for f in dataclasses.fields(BootConfig)]
    defaults = msgspec.to_builtins(BootConfig())
    return msgspec.defstruct("Vm", [(name, kind, defaults[name]) for name, kind in named], omit_defaults=True)


_VM = _form()


class Header(msgspec.Struct, tag_field="what", tag="recording"):
    """What was recorded."""

    version: int
    gdbhv: str
    hosted: bool
    el2: bool
    reboots: bool  # a guest that asks for a reset gets it
    vms: list[dict[str, Any]]  # fields of each BootConfig that are not their default
    files: list[File]

    def configs(self) -> list[BootConfig]:
        """Return what is booted. :raises msgspec.ValidationError: a field is not what it should be."""
        return [BootConfig(**msgspec.structs.asdict(vm)) for vm in msgspec.convert(self.vms, list[_VM])]  # type: ignore[valid-type]


class Digest(msgspec.Struct):
    """What a machine has done so far, in short."""

    insns: list[int]  # executed by each CPU
    registers: list[str]  # of each CPU; in bundles none: CPUs of a host that stands have not entered their guests yet
    exits: str
    console: dict[str, str]  # by VM, "" being common: bytes, and their hash
    memory: str = ""  # a digest of RAM; older recordings have none
    threads: dict[str, str] = {}  # registers of each thread; only bundles have them


class Checkpoint(msgspec.Struct, tag_field="what", tag="checkpoint"):
    """What was so on the way."""

    at: Place
    found: Digest


class Finish(msgspec.Struct, tag_field="what", tag="end"):
    """The end, and why."""

    at: Place
    found: Digest
    reason: str


Entry = AnyInput | Checkpoint | Finish


class _Beginning(msgspec.Struct, tag_field="what", tag="recording"):
    """What all versions begin with."""

    version: int


_ENTRIES = msgspec.json.Decoder(Entry)


# --- writing


class Writer:
    """Writes a recording, line by line.

    :param path: None keeps it in memory only.
    :param inputs: files that must stay as they are.
    :param keeps: it is kept in memory, too.
    :raises OSError: the file cannot be written, or should not be.
    """

    def __init__(self, path: str | Path | None, inputs: list[str | Path | None], *, keeps: bool = False) -> None:
        self._path = path
        self._kept: list[bytes] | None = [] if keeps or path is None else None
        self._file: BinaryIO | None = None
        if path is None:
            return
        try:
            self._file = files.open_output(str(path), inputs)
        except OSError as e:
            raise OSError(e.errno, e.strerror, f"--record {path}") from None

    @property
    def written(self) -> bytes:
        """All that was written, if that is kept."""
        return b"".join(self._kept or [])

    def put(self, what: Header | Input | Checkpoint | Finish) -> None:
        """Write a line. :raises gdbhv.errors.GdbhvError: the disk is full, or the like."""
        line = msgspec.json.encode(what) + b"\n"
        if self._kept is not None:
            self._kept.append(line)
        if self._file is None:
            return
        left = memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as e:
            raise GdbhvError(f"the recording {self._path} cannot be written: {e.strerror or e}") from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def header(setup: boot.Setup, *, reboots: bool) -> Header:
    """Return what is to be known of a machine that is made. :raises gdbhv.errors.ImageError: a file cannot be read."""
    plain = msgspec.to_builtins(setup.configs, enc_hook=str)
    vms = msgspec.to_builtins(msgspec.convert(plain, list[_VM]))  # type: ignore[valid-type]
    named = dict.fromkeys(path for config in setup.configs for path in config.files())
    return Header(
        version=VERSION,
        gdbhv=_core.__version__,
        hosted=setup.hosted,
        el2=setup.el2,
        reboots=reboots,
        vms=vms,
        files=[describe(path) for path in named],
    )


def describe(path: str) -> File:
    """Return what tells a file from others. :raises gdbhv.errors.ImageError: it cannot be read."""
    with files.open_input(path) as file:
        try:
            digest = hashlib.file_digest(file, "sha256")
            return File(path, file.tell(), digest.hexdigest())
        except OSError as e:
            raise ImageError(path, e.strerror or str(e)) from None


# --- reading


def header_of(recording: bytes) -> Header:
    """Return how a recording begins. :raises gdbhv.errors.GdbhvError: it is none, or damaged."""
    try:
        return msgspec.json.decode(recording.partition(b"\n")[0], type=Header)
    except msgspec.MsgspecError as e:
        raise GdbhvError(f"no recording, or a damaged one: {e}") from None


class Recording:
    """A recording that is read: its header, and its entries one by one.

    :raises gdbhv.errors.GdbhvError: it is none, or one of another version of gdbhv.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._file: BinaryIO = files.open_input(path)
        try:
            self.header = self._begin()
            self.last = self._find_last()
        except GdbhvError:
            self.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self) -> Header:
        line = self._file.readline(LONGEST)
        try:
            version = msgspec.json.decode(line, type=_Beginning).version
        except msgspec.MsgspecError:
            raise GdbhvError(f"{self.path}: no recording of `gdbhv run --record`") from None
        if version != VERSION:
            raise GdbhvError(
                f"{self.path}: recorded by another gdbhv, in version {version} of the format; this one reads {VERSION}"
            )
        try:
            header = msgspec.json.decode(line, type=Header)
            self.vms = header.configs()
        except msgspec.MsgspecError as e:
            raise GdbhvError(f"{self.path}:1: a damaged header: {e}") from None
        return header

    def setup(self) -> boot.Setup:
        """Return the machine to make. Its guest's files are in the recording, as far as it has read them."""
        served = {vm.semihosting for vm in self.vms} != {None}
        vms = [dataclasses.replace(vm, semihosting="") for vm in self.vms] if served else self.vms
        return boot.Setup(vms, hosted=self.header.hosted, el2=self.header.el2)

    def _find_last(self) -> Place | None:
        """Return the place of the last whole line, if one is near the end."""
        if not self._file.seekable():
            return None
        here = self._file.tell()
        end = self._file.seek(0, 2)
        self._file.seek(max(here, end - (1 << 16)))
        lines = self._file.read().split(b"\n")
        self._file.seek(here)
        for line in reversed(lines[:-1]):
            try:
                return _ENTRIES.decode(line).at
            except msgspec.MsgspecError:
                continue
        return None

    def entries(self) -> Iterator[Entry]:
        """Yield what follows the header. :raises gdbhv.errors.GdbhvError: a line is damaged, with its number."""
        for number in itertools.count(2):
            line = self._file.readline(LONGEST)
            if not line:
                return
            try:
                yield _ENTRIES.decode(line)
            except msgspec.MsgspecError as e:
                if not line.endswith(b"\n") and len(line) < LONGEST:
                    log.warning("%s:%d: the last line is cut off, and left out", self.path, number)
                    return
                raise GdbhvError(f"{self.path}:{number}: no line of a recording: {e}") from None

    def replace(self, given: list[BootConfig]) -> None:
        """Take files from elsewhere: those that ``given`` has, one for each VM or one for all.

        :raises gdbhv.errors.GdbhvError: they are not so many.
        """
        vms = self.vms
        if len(given) not in (1, len(vms)):
            raise GdbhvError(f"{self.path} has {len(vms)} VMs, and files are given for {len(given)}")
        moved: dict[str, str] = {}
        for number, vm in enumerate(vms):
            new = given[number % len(given)]
            before = vm.files()
            for name in SINGLE_FILES:
                if (path := getattr(new, name)) is not None and getattr(vm, name) is not None:
                    setattr(vm, name, path)
            at = {address: path for path, address in new.load}
            vm.load = [(at.get(address, path), address) for path, address in vm.load]
            vm.flash = [*new.flash, *vm.flash[len(new.flash) :]][: len(vm.flash)]
            vm.drive = [*new.drive, *vm.drive[len(new.drive) :]][: len(vm.drive)]
            moved |= dict(zip(before, vm.files(), strict=True))
        for file in self.header.files:
            file.path = moved.get(file.path, file.path)

    def relocate(self, moved: Mapping[str, str]) -> None:
        """Take files from elsewhere: old path, new path."""
        for vm in self.vms:
            for name in SINGLE_FILES:
                if (path := getattr(vm, name)) is not None:
                    setattr(vm, name, moved.get(str(path), path))
            vm.load = [(moved.get(path, path), address) for path, address in vm.load]
            vm.flash = [(moved.get(path, path), keeps) for path, keeps in vm.flash]
            vm.drive = [one._replace(path=moved.get(one.path, one.path)) for one in vm.drive]
        for file in self.header.files:
            file.path = moved.get(file.path, file.path)

    def check_files(self) -> None:
        """See that each file is the one that was recorded. :raises gdbhv.errors.GdbhvError: one is not, or is not there."""
        for file in self.header.files:
            try:
                found = describe(file.path)
            except ImageError as e:
                raise GdbhvError(f"{e}; if it is elsewhere now, name it on the command line as it was named then") from None
            if (found.size, found.sha256) != (file.size, file.sha256):
                raise GdbhvError(
                    f"{file.path}: not the file that was recorded: {found.size:,} bytes, SHA-256 {found.sha256[:12]}..., "
                    f"and it had {file.size:,} with {file.sha256[:12]}..."
                )
