"""Lists of registers for reset.S, and what they hold on any machine that can run a guest."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gdbhv import _core
from oracle import listing

ENTRY, LIST, RESULTS = 0x4020_0000, 0x4040_0000, 0x4400_0000
MOST = 2_000_000
LOAD = {1: 0x3940_0063, 2: 0x7940_0063, 4: 0xB940_0063, 8: 0xF940_0063}
"""LDR X3, [X3] of so many bytes."""


@dataclass(frozen=True)
class Board:
    """A machine: its CPU, its interrupt controller, and whether it has EL2."""

    cpu: str = "max"
    gic: int = 3
    el2: bool = True

    def __str__(self) -> str:
        return f"{self.cpu}-gic{self.gic}-{'el2' if self.el2 else 'el1'}"


@dataclass(frozen=True)
class Item:
    """One instruction, with what is in X3 before it."""

    word: int
    x3: int = 0


def mrs(register: int) -> Item:
    """Read a system register."""
    return Item(0xD520_0003 | register << 5)


def load(address: int, size: int = 4) -> Item:
    """Read a register of a device."""
    return Item(LOAD[size], address)


@functools.cache
def program() -> bytes:
    """Return the assembled guest. Needs Debian's gcc-aarch64-linux-gnu."""
    return listing.assemble(Path(__file__).with_name("reset.S"), ENTRY)[0]


def _image(items: Sequence[Item]) -> list[tuple[int, bytes]]:
    assert len(items) <= MOST
    return [
        (ENTRY, program()),
        (LIST, struct.pack("<Q", len(items)) + b"".join(struct.pack("<QQ", i.word, i.x3) for i in items)),
    ]


def _outcomes(memory: bytes) -> list[int | None]:
    return [None if status & 1 else x3 for status, x3 in struct.iter_unpack("<QQ", memory)]


def on_qemu(items: Sequence[Item], board: Board) -> list[int | None]:
    """Return what each item reads on QEMU; None: it took an exception."""
    size = 16 * len(items)
    how = {"gic": board.gic, "el2": board.el2}
    return _outcomes(listing.on_qemu(_image(items), ENTRY, RESULTS, size, board.cpu, **how))  # type: ignore[arg-type]


def on_gdbhv(items: Sequence[Item], board: Board) -> list[int | None]:
    """Return what each item reads on gdbhv's bare machine; None: it took an exception."""
    machine = _core.Machine(memory=listing.RAM_SIZE, cpu=board.cpu, hosted=False, el2=board.el2, gic=board.gic)
    for address, data in _image(items):
        machine.write_pa(address, data)
    machine.cpu_on(0, ENTRY, 0, 2 if board.el2 else 1)
    stop = machine.run(10_000_000_000)
    assert stop["kind"] == "poweroff", stop
    return _outcomes(machine.read_pa(RESULTS, 16 * len(items)))
