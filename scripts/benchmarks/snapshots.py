"""What a snapshot of a running Linux costs: its own time and the copies that follow, against memcpy of as many pages."""

from __future__ import annotations

import ctypes
import mmap
import statistics
import tempfile
import time
from pathlib import Path

from gdbhv import boot
from gdbhv.machine.machine import Machine
from gdbhv.snapshot import Snapshot

START, RUN = 200_000_000, 50_000_000  # instructions: before the snapshot, and after it
PAGE = 4096
ROUNDS = 7


def run(path: Path, *, keep: bool) -> tuple[float, Snapshot | None]:
    """Run on from a file for RUN instructions, with a snapshot made before or without; processor seconds."""
    target = boot.resumed(path)
    target.run_all(1_000_000)  # it is warm
    before = time.process_time()
    made = target.snapshot() if keep else None
    target.run_all(RUN)
    return time.process_time() - before, made


def copy(pages: int) -> float:
    """Copy as many pages one by one into fresh memory, as a library's memcpy does it; processor seconds."""
    source, to = ctypes.create_string_buffer(b"\1" * (pages * PAGE), pages * PAGE), bytearray(pages * PAGE)
    target = (ctypes.c_char * len(to)).from_buffer(to)
    a, b = ctypes.addressof(source), ctypes.addressof(target)
    before = time.process_time()
    for n in range(pages):
        ctypes.memmove(b + n * PAGE, a + n * PAGE, PAGE)
    return time.process_time() - before


def against_memcpy(image: Path, initrd: Path) -> float:
    """Return how many times a memcpy of the pages that changed a snapshot costs: medians of ROUNDS turns."""
    config = boot.BootConfig(image=image, initrd=initrd, memory=256 << 20, append="console=ttyAMA0", smp=2)
    target = boot.hosted(config)
    target.run_all(START)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linux.snap"
        target.snapshot().write(path)
        costs, copies = [], []
        for _ in range(ROUNDS):
            without, _ = run(path, keep=False)
            with_, made = run(path, keep=True)
            assert made is not None
            costs.append(with_ - without)
            copies.append(copy(made.pages))
    return statistics.median(costs) / statistics.median(copies)


RAM, DATA = 0x40000000, 0x40200000
WALK = (  # x0 = x3; do { *x0 = x2; x0 += 4096; } while (x0 != x1); for (;;);
    0xAA0303E0,
    0xF9000002,
    0x91400400,
    0xEB01001F,
    0x54FFFFA1,
    0x14000000,
)


class Walker:
    """A machine that writes a word to each page of some MiB, as often as it is told."""

    def __init__(self, mib: int) -> None:
        self.pages = mib << 20 >> 12
        self.target = Machine(memory=(mib + 4) << 20)
        self.target.start([(RAM, b"".join(word.to_bytes(4, "little") for word in WALK))], RAM, 0)
        self.core = self.target.core
        self.core.write_register(0, "x1", DATA + (mib << 20))
        self.core.write_register(0, "x3", DATA)
        self.core.write_register(0, "x2", 1)
        for _ in range(2):
            self.walk()

    def walk(self) -> float:
        """Write to each page; processor seconds."""
        self.core.write_register(0, "pc", RAM)
        before = time.process_time()
        self.target.run_all(4 * self.pages + 1)
        return time.process_time() - before


def fresh_copy(pages: int) -> float:
    """Copy as many pages into memory that has not been used yet; processor seconds."""
    source, to = ctypes.create_string_buffer(b"\1" * (pages * PAGE), pages * PAGE), mmap.mmap(-1, pages * PAGE)
    target = (ctypes.c_char * len(to)).from_buffer(to)
    a, b = ctypes.addressof(source), ctypes.addressof(target)
    before = time.process_time()
    ctypes.memmove(b, a, pages * PAGE)
    return time.process_time() - before


def all_pages(mib: int, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Return what a snapshot costs when all of some MiB change after it, what restoring it costs, and a memcpy; seconds."""
    walker = Walker(mib)
    making, restoring, copies = [], [], []
    for _ in range(rounds):
        without = walker.walk()
        before = time.process_time()
        made = walker.target.snapshot()
        made_in = time.process_time() - before
        making.append(made_in + walker.walk() - without)
        assert made.pages >= walker.pages
        before = time.process_time()
        made.restore()
        restoring.append(time.process_time() - before)
        made.delete()
        copies.append(fresh_copy(walker.pages))
    return statistics.median(making), statistics.median(restoring), statistics.median(copies)
