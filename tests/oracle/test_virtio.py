"""virtio-mmio and virtio-blk, against a live QEMU: slots, registers, used rings, status, interrupts, broken rings."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle import virtio
from oracle.virtio import (
    AVAILABLE,
    DATA,
    DESCRIPTORS,
    ENTRIES,
    FIRST,
    INDIRECT,
    NEXT,
    SLOT,
    USED,
    WRITE,
    describe,
    offer,
    read,
    request,
    start,
    until,
    write,
)

VERSION_1, INDIRECT_DESC, EVENT_IDX = 1 << 32, 1 << 28, 1 << 29
SECTORS = 100
GICD, INTID = 0x0800_0000, 32 + 16 + 31
PENDING = read(GICD + 0x200 + INTID // 32 * 4)
EDGES = write(GICD + 0xC00 + INTID // 16 * 4, 0xAAAA_AAAA)
INTERRUPT = [read(FIRST + 0x60), PENDING]
ACKNOWLEDGED = [
    write(FIRST + 0x64, 1),
    read(FIRST + 0x60),
    PENDING,
    write(GICD + 0x280 + INTID // 32 * 4, 1 << INTID % 32),
    PENDING,
]
USED_EVENT, AVAIL_EVENT = AVAILABLE + 4 + 2 * ENTRIES, USED + 4 + 8 * ENTRIES
TABLE = DATA + 0x800
CHANGED = (read(FIRST + 0x60), 2, 3)
"""A change of the configuration alone (4.2.2: bit 1), which QEMU tells as used buffers too."""
BROKEN = [until(FIRST + 0x70, 0x4F), read(FIRST + 0x60), read(USED + 2, 2)]
PLAIN = start(VERSION_1)

CASES = {
    "which slots": [read(FIRST - n * SLOT + at) for n in range(4) for at in (0, 8, 12)],
    "a slot's registers": [
        read(FIRST + at) for at in (0, 4, 8, 12, 0x14, 0x20, 0x34, 0x44, 0x50, 0x60, 0x70, 0xB0, 0xB4, 0xFC, 0x68)
    ],
    "not words": [
        read(FIRST + at, size) for at, size in ((0, 1), (0, 2), (0, 8), (8, 8), (0x101, 1), (0x102, 2), (0x100, 8))
    ],
    "the configuration": [read(FIRST + at) for at in (0x100, 0x104, 0x10C, 0x114, 0x13C, 0x140, 0x1FC)],
    "another queue": [
        write(FIRST + 0x30, 1),
        read(FIRST + 0x34),
        read(FIRST + 0x44),
    ],
    "it is read": [EDGES, *PLAIN, *request(0, 3, 1024, 0), *INTERRUPT, *ACKNOWLEDGED, *request(0, 99, 512, 1), *INTERRUPT],
    "it is written": [
        *PLAIN,
        *request(0, 3, 512, 0),
        *request(1, 7, 512, 1),
        *request(0, 7, 512, 2),
        *request(0, 6, 1024, 3),
    ],
    "behind its end": [
        *PLAIN,
        *request(0, 100, 512, 0),
        *request(0, 99, 1024, 1),
        *request(1, 1 << 60, 512, 2),
        *request(0, 0, 9, 3),
    ],
    "what else": [*PLAIN, *request(4, 0, 512, 0), *request(8, 0, 20, 1), *request(7, 0, 512, 2), *request(99, 0, 512, 3)],
    "around the ring": [*PLAIN, *(step for n in range(20) for step in request(0, n, 512, n))],
    "no interrupt": [
        *PLAIN,
        write(AVAILABLE, 1, 2),
        *request(0, 0, 512, 0),
        *INTERRUPT,
        write(AVAILABLE, 0, 2),
        *request(0, 0, 512, 1),
        *INTERRUPT,
    ],
    "events": [
        *start(VERSION_1 | EVENT_IDX),
        write(USED_EVENT, 2, 2),
        *(
            step
            for n in range(5)
            for step in (*request(0, n, 512, n), *INTERRUPT, write(FIRST + 0x64, 3), until(AVAIL_EVENT, n + 1, 2))
        ),
    ],
    "a table elsewhere": [
        *start(VERSION_1 | INDIRECT_DESC),
        *(write(DATA, 0, 8), write(DATA + 8, 5, 8)),
        *describe(0, DATA, 10, NEXT, 3, TABLE),
        *describe(3, DATA + 10, 6, NEXT, 1, TABLE),
        *describe(1, DATA + 0x1000, 513, WRITE, 0, TABLE),
        *describe(4, TABLE, 64, INDIRECT),
        *offer(4, 0),
        until(USED + 2, 1, 2),
        *(read(at) for at in (USED + 4, USED + 8, DATA + 0x1000, DATA + 0x1200)),
    ],
    "a loop": [*PLAIN, *describe(0, DATA, 16, NEXT, 0), *offer(0, 0), *BROKEN],
    "a descriptor that is none": [*PLAIN, *describe(0, DATA, 16, NEXT, ENTRIES), *offer(0, 0), *BROKEN],
    "a head that is none": [*PLAIN, *offer(ENTRIES, 0), *BROKEN],
    "no bytes": [*PLAIN, *describe(0, DATA, 0, NEXT, 1), *describe(1, DATA, 1, WRITE), *offer(0, 0), *BROKEN],
    "to be read behind what is written": [
        *PLAIN,
        *describe(0, DATA, 16, NEXT | WRITE, 1),
        *describe(1, DATA, 16, 0),
        *offer(0, 0),
        *BROKEN,
    ],
    "a short header": [*PLAIN, *describe(0, DATA, 15, NEXT, 1), *describe(1, DATA, 1, WRITE), *offer(0, 0), *BROKEN],
    "no status": [*PLAIN, *describe(0, DATA, 16, 0), *offer(0, 0), *BROKEN],
    "more than the ring has": [*PLAIN, write(AVAILABLE + 2, ENTRIES + 1, 2), write(FIRST + 0x50, 0), *BROKEN],
    "broken and reset": [
        *PLAIN,
        *offer(ENTRIES, 0),
        *BROKEN,
        write(USED, 0),
        write(AVAILABLE, 0),
        *PLAIN,
        *request(0, 1, 512, 0),
    ],
    "no table in memory": [*PLAIN, write(DESCRIPTORS, 0), write(FIRST + 0x44, 0), read(FIRST + 0x44)],
}


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("disks")
    made = []
    for number, sectors in enumerate((SECTORS, 8)):
        path = folder / f"{number}.img"
        path.write_bytes(bytes((at * 7 + number) % 251 for at in range(512 * sectors)))
        made.append(path)
    return made


@pytest.mark.parametrize("case", CASES)
def test_as_on_qemu(case: str, disks: list[Path]) -> None:
    steps = CASES[case]
    ours, theirs = virtio.on_gdbhv(steps, disks), virtio.on_qemu(steps, disks)
    rows = zip(steps, ours, theirs, strict=True)
    different = [(n, *row) for n, row in enumerate(rows) if row[1] != row[2] and row != CHANGED]
    assert not different, "step, gdbhv, QEMU"


def test_no_feature_that_qemu_does_not_offer(disks: list[Path]) -> None:
    steps = [write(FIRST + 0x14, 0), read(FIRST + 0x10), write(FIRST + 0x14, 1), read(FIRST + 0x10)]
    (_, low, _, high), (_, their_low, _, their_high) = virtio.on_gdbhv(steps, disks), virtio.on_qemu(steps, disks)
    assert (low & ~their_low, high & ~their_high, high) == (0, 0, 1)
