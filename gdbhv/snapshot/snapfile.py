"""The file of a snapshot: what is in it, written so that half a file never loads.

All numbers are little-endian::

    magic     16 bytes
    format    4 bytes     FORMAT; of every format so far what stands before this and up to the header is the same
    header    4 bytes     its size, and then as much JSON: what the machine is, what ran on it, how large each section is
    sections              in the header's order: `machine` (``_core.Machine.export_snapshot``), `host`, `starts`, the
                          last two compressed (zlib)
    checksum  32 bytes    SHA-256 of everything before it

A header can be read without building a machine (:func:`read`, ``gdbhv snapshot info``).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from construct import (
    Const,
    ConstructError,
    GreedyBytes,
    GreedyString,
    Int32ul,
    Int64ul,
    Prefixed,
    PrefixedArray,
    Struct,
    Terminated,
)

from gdbhv import _core, files
from gdbhv.drives import Plugged
from gdbhv.errors import ImageError, StateError

FORMAT = 1
CHECKSUM = 32
MOST = 1 << 40  # bytes of a file: more than the RAM of the largest machine
MOST_HEADER = 1 << 20
MOST_HOST = 256 << 20  # bytes of a hypervisor's state
COMPRESSION = 1  # of zlib: images shrink by half, and by little more with the slow levels

PREFIX = Struct("magic" / Const(files.SNAPSHOT), "format" / Int32ul, "header_size" / Int32ul)

GUEST_START = Struct(
    "entry" / Int64ul,
    "x0" / Int64ul,
    "pieces" / PrefixedArray(Int32ul, Struct("address" / Int64ul, "blob" / Int32ul)),
)
ITEM = Struct("key" / Prefixed(Int32ul, GreedyString("utf8")), "blob" / Int32ul)
STARTS = Struct(
    "guests"
    / PrefixedArray(Int32ul, Struct("start" / PrefixedArray(Int32ul, GUEST_START), "fw_cfg" / PrefixedArray(Int32ul, ITEM))),
    "blobs" / PrefixedArray(Int32ul, Prefixed(Int64ul, GreedyBytes)),
    Terminated,
)


@dataclass(frozen=True)
class PowerOn:
    """What a machine or a VM is switched on with: bytes at addresses, and its first instruction and x0."""

    pieces: tuple[tuple[int, bytes], ...]
    entry: int
    x0: int


@dataclass(frozen=True)
class Shape:
    """What a machine is made as. :data:`memory` is in bytes, without what gdbhv's hypervisor takes for itself."""

    hosted: bool
    cpus: int
    memory: int
    profile: str
    el2: bool = True
    gic: int = 3
    ns_per_insn: int = 1
    block_mappings: bool = True
    rng: int | None = None  # the seed
    virtio_console: bool = False
    pcie: bool = False

    def __str__(self) -> str:
        cpus = "1 CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        whose = "hosted" if self.hosted else "EL2 is the image's" if self.el2 else "no EL2"
        speed = "" if self.ns_per_insn == 1 else f", {self.ns_per_insn} ns for each instruction"
        mappings = "" if self.block_mappings else ", no block mappings"
        pcie = ", PCIe" if self.pcie else ""
        return f"{cpus} ({self.profile}), {self.memory / (1 << 20):g} MiB, GICv{self.gic}, {whose}{pcie}{speed}{mappings}"


@dataclass(frozen=True)
class Guest:
    """What runs: a VM, or the whole of a bare machine. Addresses and sizes in bytes."""

    name: str
    vcpus: int
    memory: tuple[tuple[int, int, bool], ...] = ()  # IPA, size, whether it can be written
    devices: tuple[tuple[int, str, int | None], ...] = ()  # IPA, name, INTID
    image: str | None = None  # the file that it was started from
    sha256: str | None = None  # of that
    ended: str | None = None  # why it has ended, if it has
    start: PowerOn | None = field(default=None, repr=False)
    items: tuple[tuple[int | str, bytes], ...] = field(default=(), repr=False)  # of its fw_cfg
    drives: tuple[Plugged, ...] = ()
    net: str | None = None  # the hardware address of its network device
    rng: int | None = None  # the seed of a VM's entropy device; a machine's is in its shape
    virtio_console: bool = False  # a VM's; a machine's is in its shape


@dataclass(frozen=True)
class Content:
    """All that a file holds."""

    name: str
    shape: Shape
    guests: tuple[Guest, ...]
    virtual_ns: int
    instructions: tuple[int, ...]  # by CPU
    machine: bytes = field(repr=False)
    host: bytes = field(repr=False)
    gdbhv: str = _core.__version__  # the version that wrote it

    def summary(self) -> dict[str, Any]:
        """Return what the header says, for people and programs."""
        return {
            "name": self.name,
            "gdbhv": self.gdbhv,
            "format": FORMAT,
            "machine": asdict(self.shape),
            "guests": [_without_bytes(guest) for guest in self.guests],
            "virtual_ns": self.virtual_ns,
            "instructions": list(self.instructions),
        }


def _without_bytes(guest: Guest) -> dict[str, Any]:
    rows = {key: value for key, value in vars(guest).items() if key not in ("start", "items")}
    rows["memory"] = [{"ipa": ipa, "size": size, "writable": writable} for ipa, size, writable in guest.memory]
    rows["devices"] = [{"ipa": ipa, "name": name, "intid": intid} for ipa, name, intid in guest.devices]
    rows["drives"] = [asdict(drive) for drive in guest.drives]
    return rows


# --- writing


class _Small:
    """Compresses, and keeps what came of it last: images are the same in all snapshots of a run, and most of the time."""

    def __init__(self) -> None:
        self._digest, self._data = b"", b""

    def of(self, raw: bytes) -> bytes:
        digest = hashlib.sha256(raw).digest()
        if digest != self._digest:
            self._digest, self._data = digest, zlib.compress(raw, COMPRESSION)
        return self._data


_small = {"host": _Small(), "starts": _Small()}


def write(path: str | Path, content: Content) -> int:
    """Write a file beside ``path``, and put it in its place when it is whole.

    :returns: its size in bytes.
    :raises OSError: it cannot be written, or something stands there that is no snapshot.
    :raises gdbhv.errors.StateError: it is more than :func:`read` takes.
    """
    parts = {"machine": content.machine, "host": content.host, "starts": STARTS.build(_starts(content.guests))}
    sections = []
    for name, raw in parts.items():
        parts[name] = _small[name].of(raw) if name in _small else raw
        sections.append({"name": name, "bytes": len(parts[name]), "raw": len(raw)})
    header = json.dumps({**content.summary(), "sections": sections}, separators=(",", ":")).encode()
    if len(header) > MOST_HEADER:
        raise StateError(f"{path}: the names and devices of its VMs take more than {MOST_HEADER >> 20} MiB")
    if len(content.host) > MOST_HOST:
        raise StateError(
            f"{path}: what the VMs of gdbhv's hypervisor wrote to their disks is too much for a file: with the rest of its "
            f"state {len(content.host) >> 20:,} MiB, of {MOST_HOST >> 20} possible (bare machines have no such bound)"
        )
    whole = hashlib.sha256()
    with files.replaced(path, files.SNAPSHOT) as file:
        for part in (PREFIX.build({"format": FORMAT, "header_size": len(header)}), header, *parts.values()):
            whole.update(part)
            file.write(part)
        file.write(whole.digest())
        return file.tell()


def _starts(guests: Sequence[Guest]) -> dict[str, Any]:
    """Make what :data:`STARTS` builds; bytes that several VMs have are kept once."""
    blobs: dict[bytes, int] = {}

    def number(data: bytes) -> int:
        return blobs.setdefault(data, len(blobs))

    rows = []
    for guest in guests:
        begin = []
        if guest.start is not None:
            pieces = [{"address": address, "blob": number(data)} for address, data in guest.start.pieces]
            begin.append({"entry": guest.start.entry, "x0": guest.start.x0, "pieces": pieces})
        items = [{"key": f"#{k}" if isinstance(k, int) else f"={k}", "blob": number(data)} for k, data in guest.items]
        rows.append({"start": begin, "fw_cfg": items})
    return {"guests": rows, "blobs": list(blobs)}


# --- reading


def read(path: str | Path) -> Content:
    """Read a file whose checksum is right.

    :raises gdbhv.errors.StateError: it is no snapshot, damaged, or of another version of gdbhv.
    """
    try:
        data = files.read(path, MOST, f"longer than {MOST >> 30} GiB, which no snapshot is")
    except ImageError as e:
        raise StateError(str(e)) from None
    return _parse(data, str(path))


def _parse(data: bytes, path: str) -> Content:
    size = PREFIX.sizeof()
    if not data.startswith(files.SNAPSHOT):
        kind = "empty: it was not written to its end" if not data else "no snapshot of gdbhv"
        raise StateError(f"{path}: {kind}; `monitor snapshot write` makes one")
    broken = StateError(f"{path}: damaged or cut off: its checksum is wrong; copy it again, or make another")
    if len(data) < size + CHECKSUM:
        raise broken
    prefix = PREFIX.parse(data)
    whole = hashlib.sha256(memoryview(data)[:-CHECKSUM]).digest() == data[-CHECKSUM:]
    if prefix.header_size > min(MOST_HEADER, len(data) - size - CHECKSUM):
        raise broken
    try:
        header = json.loads(data[size : size + prefix.header_size])
        if whole and prefix.format != FORMAT:
            by = f"gdbhv {header['gdbhv']}"
            raise StateError(
                f"{path}: written by {by} in format {prefix.format}, and gdbhv {_core.__version__} reads format {FORMAT}; "
                f"use {by} for it, or make another"
            )
        if not whole:
            raise broken
        return _content(header, memoryview(data)[size + prefix.header_size : -CHECKSUM])
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, ConstructError, zlib.error) as e:
        if not whole:
            raise broken from None
        raise StateError(
            f"{path}: its checksum is right, but not what it says ({type(e).__name__}: {e}); make another"
        ) from None


def _content(header: dict[str, Any], rest: memoryview) -> Content:
    sections = [(s["name"], int(s["bytes"]), int(s["raw"])) for s in header["sections"]]
    shape = Shape(**header["machine"])
    # A start's pieces are in RAM, and an item of fw_cfg is no longer than RAM: kernel, RAM disk, command line.
    most = {"machine": len(rest), "host": MOST_HOST, "starts": 4 * (shape.memory + MOST_HEADER)}
    if [name for name, _, _ in sections] != list(most) or sum(size for _, size, _ in sections) != len(rest):
        raise ValueError("sections are missing, or too long")
    parts = {}
    for name, size, raw in sections:
        if not 0 <= size <= len(rest) or not 0 <= raw <= most[name]:
            raise ValueError(f"section {name} of {raw} bytes")
        parts[name], rest = rest[:size], rest[size:]
        if name != "machine":
            unpacker = zlib.decompressobj()
            parts[name] = memoryview(unpacker.decompress(parts[name], raw + 1))
        if len(parts[name]) != raw:
            raise ValueError(f"section {name} is not of {raw} bytes")
    starts = STARTS.parse(bytes(parts["starts"]))
    if len(starts.guests) != len(header["guests"]):
        raise ValueError("not every guest has a start")
    guests = tuple(_guest(row, its, starts.blobs) for row, its in zip(header["guests"], starts.guests, strict=True))
    return Content(
        str(header["name"]),
        shape,
        guests,
        int(header["virtual_ns"]),
        tuple(int(n) for n in header["instructions"]),
        bytes(parts["machine"]),
        bytes(parts["host"]),
        str(header["gdbhv"]),
    )


def _guest(row: dict[str, Any], its: Any, blobs: Sequence[bytes]) -> Guest:
    begin = None
    if its.start:
        begin = PowerOn(tuple((p.address, blobs[p.blob]) for p in its.start[0].pieces), its.start[0].entry, its.start[0].x0)
    return Guest(
        **{
            **row,
            "memory": tuple((m["ipa"], m["size"], m["writable"]) for m in row["memory"]),
            "devices": tuple((d["ipa"], d["name"], d["intid"]) for d in row["devices"]),
            "drives": tuple(Plugged(**drive) for drive in row["drives"]),
        },
        start=begin,
        items=tuple((int(i.key[1:]) if i.key[0] == "#" else i.key[1:], blobs[i.blob]) for i in its.fw_cfg),
    )
