"""Lists of system instructions for registers.S, and what came of them on any machine that can run a guest."""

from __future__ import annotations

import functools
import mmap
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RAM, RAM_SIZE = 0x4000_0000, 96 << 20
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
    compiler, objcopy = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objcopy"
    if shutil.which(compiler) is None:
        raise FileNotFoundError(f"{compiler} is not installed; scripts/setup installs it")
    source = Path(__file__).with_name("registers.S")
    with tempfile.TemporaryDirectory() as folder:
        elf, raw = f"{folder}/guest.elf", f"{folder}/guest.bin"
        options = ["-nostdlib", "-static", f"-Wl,-Ttext={ENTRY:#x}", "-Wl,--build-id=none"]
        subprocess.run([compiler, *options, str(source), "-o", elf], check=True)
        subprocess.run([objcopy, "-O", "binary", elf, raw], check=True)
        return Path(raw).read_bytes()


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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ram"
        with path.open("w+b") as file:
            file.truncate(RAM_SIZE)
            for address, data in image(items):
                file.seek(address - RAM)
                file.write(data)
            file.flush()
            command = ["qemu-system-aarch64", "-M", "virt,gic-version=3,virtualization=on,memory-backend=ram", "-cpu", cpu]
            command += ["-object", f"memory-backend-file,id=ram,size={RAM_SIZE},mem-path={path},share=on"]
            command += ["-m", f"{RAM_SIZE >> 20}", "-nodefaults", "-display", "none", "-icount", "shift=0,sleep=off"]
            command += ["-device", f"loader,addr={ENTRY:#x},cpu-num=0"]
            done = subprocess.run(command, timeout=timeout, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"qemu-system-aarch64 failed: {done.stderr.strip()}")
            with mmap.mmap(file.fileno(), 0) as ram:
                return outcomes(ram[RESULTS - RAM : RESULTS - RAM + 16 * len(items)], items)
