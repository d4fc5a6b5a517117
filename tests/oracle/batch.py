"""Batches of small cases for the harness (harness.S): what goes in, what came out, and the memory image between.

A case is a few instruction words and the state they start from; its outcome is the state when an exception ends it (normally
the BRK that follows). A batch is the image of a small guest that runs all its cases; any machine that can run a guest can be
asked: ``qemu.run`` asks QEMU.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

RAM = 0x4000_0000
RAM_SIZE = 64 << 20
ENTRY = 0x4020_0000
COUNT = ENTRY + 8
ZONE, ZONE_SIZE = 0x4040_0000, 4 << 20
SLOTS, SLOT_SIZE = 0x4060_0000, 16  # in the middle of the zone: three words for a case, then at least one BRK
PAGE_END = 0x4090_1000  # the data page ends here, and nothing follows
WINDOW = PAGE_END - 256
IN, OUT = 0x4100_0000, 0x4180_0000

EL0T, EL1H = 0x3C0, 0x3C5  # SPSR: mode, DAIF set
NZCV = 0xF000_0000

_RECORD = struct.Struct("<31Q Q Q Q Q Q Q Q Q Q 512s 256s")
RECORD_SIZE = 0x440
assert _RECORD.size == RECORD_SIZE
MAX_CASES = (OUT - IN) // RECORD_SIZE


@dataclass(frozen=True)
class Case:
    """What a case starts from. ``v`` is 32 registers of 16 bytes, ``window`` the 256 bytes at WINDOW."""

    words: tuple[int, ...]
    x: tuple[int, ...] = (0,) * 31
    sp: int = PAGE_END - 128
    spsr: int = EL1H
    v: bytes = bytes(512)
    fpcr: int = 0
    fpsr: int = 0
    window: bytes = bytes(256)
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Outcome:
    """What a case left. ``pc`` is relative to its first word; ``far`` is 0 unless the exception defines it."""

    x: tuple[int, ...]
    sp: int
    pc: int
    spsr: int
    esr: int
    far: int
    v: bytes
    fpcr: int
    fpsr: int
    window: bytes

    @property
    def ec(self) -> int:
        return self.esr >> 26


def slot(index: int) -> int:
    """Return the address of the first instruction of case number ``index`` of its batch."""
    return SLOTS + index * SLOT_SIZE


def brk(address: int) -> int:
    """Return the BRK that stands at ``address`` in the zone: its operand tells which, also when it is read as data."""
    return 0xD420_0000 | (address >> 2 & 0xFFFF) << 5


@functools.cache
def program() -> bytes:
    """Return the assembled harness. Needs Debian's gcc-aarch64-linux-gnu."""
    compiler, objcopy = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objcopy"
    if shutil.which(compiler) is None:
        raise FileNotFoundError(f"{compiler} is not installed; scripts/setup installs it")
    source = Path(__file__).with_name("harness.S")
    with tempfile.TemporaryDirectory() as folder:
        elf, raw = f"{folder}/harness.elf", f"{folder}/harness.bin"
        options = ["-nostdlib", "-static", f"-Wl,-Ttext={ENTRY:#x}", "-Wl,--build-id=none"]
        subprocess.run([compiler, *options, str(source), "-o", elf], check=True)
        subprocess.run([objcopy, "-O", "binary", elf, raw], check=True)
        return Path(raw).read_bytes()


@functools.cache
def zone() -> bytes:
    return struct.pack(f"<{ZONE_SIZE // 4}I", *(brk(address) for address in range(ZONE, ZONE + ZONE_SIZE, 4)))


def image(cases: Sequence[Case]) -> list[tuple[int, bytes]]:
    """Return the guest that runs ``cases``, as (address, bytes); it starts at ENTRY and switches itself off at the end."""
    assert 0 < len(cases) <= MAX_CASES
    code = bytearray(program())
    code[COUNT - ENTRY : COUNT - ENTRY + 8] = struct.pack("<Q", len(cases))
    text = bytearray(zone())
    records = bytearray()
    for index, case in enumerate(cases):
        assert len(case.words) < SLOT_SIZE // 4
        struct.pack_into(f"<{len(case.words)}I", text, slot(index) - ZONE, *case.words)
        records += _RECORD.pack(
            *case.x, case.sp, slot(index), case.spsr, case.fpcr, case.fpsr, 0, 0, 0, 0, case.v, case.window
        )
    return [(ENTRY, bytes(code)), (ZONE, bytes(text)), (IN, bytes(records))]


def outcomes(records: bytes, cases: Sequence[Case]) -> list[Outcome]:
    """Return what each case left, from the bytes at OUT (RECORD_SIZE for each)."""
    result = []
    for index, case in enumerate(cases):
        record = _RECORD.unpack_from(records, index * RECORD_SIZE)
        sp_el0, pc, spsr, fpcr, fpsr, esr, far, _, sp_el1, v, window = record[31:]
        # Instruction and data aborts, PC alignment: the classes that set FAR_EL1 (Arm ARM D19.2.40).
        if esr >> 26 not in (0x20, 0x21, 0x22, 0x24, 0x25, 0x34, 0x35):
            far = 0
        sp = sp_el1 if case.spsr & 1 else sp_el0
        result.append(Outcome(record[:31], sp, pc - slot(index), spsr, esr, far, v, fpcr, fpsr, window))
    return result


def differences(case: Case, ours: Outcome, theirs: Outcome) -> list[str]:
    """Return one line for each thing that differs: its name, what it was before, ours, theirs."""
    lines = []

    def compare(name: str, before: int | bytes | None, a: int | bytes, b: int | bytes) -> None:
        if a != b:
            show = [value.hex() if isinstance(value, bytes) else f"{value:#x}" for value in (before or 0, a, b)]
            lines.append(f"{name}: before {show[0]}, ours {show[1]}, theirs {show[2]}")

    for number in range(31):
        compare(f"x{number}", case.x[number], ours.x[number], theirs.x[number])
    for name in ("sp", "spsr", "fpcr", "fpsr"):
        compare(name, getattr(case, name), getattr(ours, name), getattr(theirs, name))
    for name in ("pc", "esr", "far"):
        compare(name, None, getattr(ours, name), getattr(theirs, name))
    for number in range(32):
        part = slice(number * 16, number * 16 + 16)
        compare(f"v{number} (bytes)", case.v[part], ours.v[part], theirs.v[part])
    compare("window", case.window, ours.window, theirs.window)
    return lines
