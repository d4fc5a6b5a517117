"""What a snapshot of a running Linux costs: its own time and the copies that follow, against memcpy of as many pages."""

from __future__ import annotations

import ctypes
import statistics
import tempfile
import time
from pathlib import Path

from gdbhv import boot
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
