"""Lists of accesses for virtio.S: a driver of virtio-mmio devices, on any machine that can run a guest."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gdbhv import _core
from oracle import listing

ENTRY, LIST, RESULTS = 0x4020_0000, 0x4040_0000, 0x4400_0000
FIRST, SLOT = 0x0A00_3E00, 0x200
"""The first device, in the highest slot; the next ones are below it."""
ENTRIES = 8
DESCRIPTORS, AVAILABLE, USED = 0x4500_0000, 0x4501_0000, 0x4502_0000
DATA = 0x4503_0000
NEXT, WRITE, INDIRECT = 1, 2, 4
READ, STORE, AWAIT = 0, 1, 2


@dataclass(frozen=True)
class Step:
    """One access."""

    what: int
    size: int
    address: int
    value: int = 0


def read(address: int, size: int = 4) -> Step:
    return Step(READ, size, address)


def write(address: int, value: int, size: int = 4) -> Step:
    return Step(STORE, size, address, value & (1 << 64) - 1)


def until(address: int, value: int, size: int = 4) -> Step:
    return Step(AWAIT, size, address, value)


def describe(number: int, address: int, length: int, flags: int, following: int = 0, table: int = DESCRIPTORS) -> list[Step]:
    """Write a descriptor."""
    at = table + 16 * number
    return [write(at, address, 8), write(at + 8, length), write(at + 12, flags, 2), write(at + 14, following, 2)]


def start(features: int, base: int = FIRST) -> list[Step]:
    """Reset a device, take its features, and set up its first queue."""
    steps = [write(base + 0x70, 0), until(base + 0x70, 0), write(base + 0x70, 3)]
    for high in (0, 1):
        steps += [write(base + 0x24, high), write(base + 0x20, features >> 32 * high & 0xFFFF_FFFF)]
    steps += [write(base + 0x70, 0xB), read(base + 0x70), write(base + 0x30, 0), write(base + 0x38, ENTRIES)]
    for offset, address in ((0x80, DESCRIPTORS), (0x90, AVAILABLE), (0xA0, USED)):
        steps += [write(base + offset, address & 0xFFFF_FFFF), write(base + offset + 4, address >> 32)]
    return [*steps, write(base + 0x44, 1), read(base + 0x44), write(base + 0x70, 0xF), read(base + 0x70)]


def offer(head: int, nth: int) -> list[Step]:
    """Make a chain available, as the ``nth`` (from 0), and tell the device."""
    ring = AVAILABLE + 4 + 2 * (nth % ENTRIES)
    return [write(ring, head, 2), write(AVAILABLE + 2, nth + 1, 2), write(FIRST + 0x50, 0)]


def request(kind: int, sector: int, length: int, nth: int) -> list[Step]:
    """Ask the disk for something, wait, and look at all that the device has written. Data are at DATA + 0x1000."""
    to_write = 0 if kind == 1 else WRITE
    steps = [write(DATA, kind, 8), write(DATA + 8, sector, 8), write(DATA + 16, 0xFF, 1)]
    steps += describe(0, DATA, 16, NEXT, 1)
    steps += describe(1, DATA + 0x1000, length, NEXT | to_write, 2) + describe(2, DATA + 16, 1, WRITE)
    used = USED + 4 + 8 * (nth % ENTRIES)
    steps += [*offer(0, nth), until(USED + 2, nth + 1, 2), read(DATA + 16, 1), read(used), read(used + 4)]
    return steps + [read(DATA + 0x1000 + at, 8) for at in (0, 8, 504, 512)]


def steps_of(steps: Sequence[Step]) -> list[tuple[int, bytes]]:
    body = b"".join(struct.pack("<4Q", s.what, s.size, s.address, s.value) for s in steps)
    return [(ENTRY, program()), (LIST, struct.pack("<Q", len(steps)) + body)]


@functools.cache
def program() -> bytes:
    """Return the assembled guest. Needs Debian's gcc-aarch64-linux-gnu."""
    return listing.assemble(Path(__file__).with_name("virtio.S"), ENTRY)[0]


def on_qemu(steps: Sequence[Step], disks: Sequence[Path]) -> list[int]:
    """Return what each step has read on QEMU."""
    devices = ["-global", "virtio-mmio.force-legacy=false"]
    for number, disk in enumerate(disks):
        devices += ["-drive", f"if=none,id=d{number},format=raw,snapshot=on,file={disk}"]
        devices += ["-device", f"virtio-blk-device,drive=d{number}"]
    image = steps_of(steps)
    memory = listing.on_qemu(image, ENTRY, RESULTS, 8 * len(steps), "cortex-a57", el2=False, clock=(), devices=devices)
    return list(struct.unpack(f"<{len(steps)}Q", memory))


def on_gdbhv(steps: Sequence[Step], disks: Sequence[Path]) -> list[int]:
    """Return what each step has read on gdbhv's bare machine."""
    machine = _core.Machine(memory=listing.RAM_SIZE, cpu="cortex-a57", hosted=False, el2=False)
    for disk in disks:
        machine.plug_drive(str(disk))
    for address, data in steps_of(steps):
        machine.write_pa(address, data)
    machine.cpu_on(0, ENTRY, 0, 1)
    stop = machine.run(10_000_000_000)
    assert stop["kind"] == "poweroff", stop
    return list(struct.unpack(f"<{len(steps)}Q", machine.read_pa(RESULTS, 8 * len(steps))))
