"""Lists of system instructions for registers.S, and what came of them on any machine that can run a guest."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle import listing

ENTRY, LIST, RESULTS = 0x4020_0000, 0x4040_0000, 0x4400_0000
MOST = 600_000

NOP = 0xD503201F
HCR_RW = 1 << 31
SCTLR_EL1 = 0x30D0_0980
"""RES1 bits of ARMv8.0, MMU and caches off; EL0 may do nothing."""

_ITEM = struct.Struct("<II4IQQQ")


def encoding(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """Return the 16 bits that name a register (as gdbhv numbers it) or, with op0 = 1, a system instruction."""
    return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


def mrs(register: int, rt: int = 3) -> int:
    """Return the word of MRS Xt."""
    return 0xD520_0000 | register << 5 | rt


def msr(register: int, rt: int = 3) -> int:
    """Return the word of MSR (or SYS) Xt."""
    return 0xD500_0000 | register << 5 | rt


@dataclass(frozen=True)
class Item:
    """Instructions executed at ``el`` with X3 = ``value``, or what ``before`` puts there at EL2."""

    el: int
    words: tuple[int, ...]
    value: int = 0
    before: int = 0
    hcr: int = HCR_RW
    sctlr: int = SCTLR_EL1

    def pack(self) -> bytes:
        words = (*self.words, *(NOP,) * (4 - len(self.words)))
        return _ITEM.pack(self.el, self.before, *words, self.value, self.hcr, self.sctlr)


def read(register: int, el: int, **how: int) -> Item:
    """Read."""
    return Item(el, (mrs(register),), **how)


def write(register: int, el: int, value: int = 0, **how: int) -> Item:
    """Write a value."""
    return Item(el, (msr(register),), value=value, **how)


def write_back(register: int, el: int, **how: int) -> Item:
    """Write what EL2 reads there, or 0: who may write is seen, and nothing changes."""
    return Item(el, (msr(register),), before=mrs(register), **how)


def kept(register: int, el: int, value: int, **how: int) -> Item:
    """Write, read back, restore."""
    return Item(el, (mrs(register, 4), msr(register), mrs(register), msr(register, 4)), value=value, **how)


@dataclass(frozen=True)
class Outcome:
    """``level`` 0: executed, and X3 is ``value``. Else the level that took an exception, with its syndrome."""

    level: int
    esr: int
    value: int

    @property
    def ec(self) -> int:
        return self.esr >> 26

    def __str__(self) -> str:
        return f"{self.value:#x}" if self.level == 0 else f"to EL{self.level}, ESR {self.esr:#010x} (EC {self.ec:#x})"


@functools.cache
def program() -> bytes:
    """Return the assembled guest. Needs Debian's gcc-aarch64-linux-gnu."""
    return listing.assemble(Path(__file__).with_name("registers.S"), ENTRY)[0]


def image(items: Sequence[Item]) -> list[tuple[int, bytes]]:
    """Return the guest as (address, bytes); it starts at ENTRY at EL2 and switches the machine off at the end."""
    assert len(items) <= MOST
    return [(ENTRY, program()), (LIST, struct.pack("<Q", len(items)) + b"".join(i.pack() for i in items))]


def outcomes(memory: bytes, items: Sequence[Item]) -> list[Outcome]:
    """Return what came of each item, from the bytes at RESULTS."""
    records = struct.iter_unpack("<QQ", memory[: 16 * len(items)])
    return [Outcome(status & 3, status >> 8, 0 if status & 3 else x3) for status, x3 in records]


def on_qemu(items: Sequence[Item], cpu: str = "cortex-a57", timeout: float = 100) -> list[Outcome]:
    """Return what came of the items on QEMU."""
    return outcomes(listing.on_qemu(image(items), ENTRY, RESULTS, 16 * len(items), cpu, timeout=timeout), items)
