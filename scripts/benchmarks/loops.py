"""Builds the bare-metal loops that are timed: loops.S, assembled for a loop and a number of rounds."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BASE = 0x4020_0000
COMPILER = "aarch64-linux-gnu-gcc"
LARGE_BLOCKS = 10_900


@dataclass(frozen=True)
class Loop:
    """A loop of loops.S: its macro, what it is, and how many instructions a round executes."""

    name: str
    macro: str
    title: str
    per_round: int


def _fib_instructions(n: int) -> int:
    return 3 if n < 2 else 14 + _fib_instructions(n - 1) + _fib_instructions(n - 2)


LOOPS = (
    Loop("alu", "LOOP_ALU", "hot loop, arithmetic", 16),
    Loop("memory", "LOOP_MEMORY", "hot loop, loads and stores", 16),
    Loop("stride", "LOOP_STRIDE", "a load and a store in every page of 64 MiB", 8),
    Loop("calls", "LOOP_CALLS", "recursive calls", 4 + _fib_instructions(17)),
    Loop("large", "LOOP_LARGE", "64k instructions in random order", LARGE_BLOCKS * 6 + 3),
)


def _large() -> str:
    """Return the assembly of LARGE_BLOCKS blocks of five instructions and a branch, each placed at random."""
    rng = random.Random(20)
    kinds = (
        "add x{0}, x{1}, x{2}",
        "sub w{0}, w{1}, w{2}, lsl #2",
        "eor x{0}, x{1}, x{2}, ror #13",
        "and x{0}, x{1}, #0xff0",
        "ubfx x{0}, x{1}, #3, #17",
        "csel x{0}, x{1}, x{2}, ne",
        "cmp x{1}, x{2}",
        "ldr x{0}, [x20, #{3}]",
        "str x{0}, [x20, #{3}]",
        "mul x{0}, x{1}, x{2}",
    )
    order = list(range(LARGE_BLOCKS))
    rng.shuffle(order)
    lines = ["loop: b block0", "last: subs x19, x19, #1", "b.eq off", "b block0"]
    for block in order:
        lines.append(f"block{block}:")
        for _ in range(5):
            registers = [rng.randrange(8) for _ in range(3)]
            lines.append("  " + rng.choice(kinds).format(*registers, rng.randrange(128) * 8))
        lines.append(f"  b block{block + 1}" if block + 1 < LARGE_BLOCKS else "  b last")
    return "\n".join(lines) + "\n"


def build(loop: Loop, rounds: int, folder: Path) -> Path:
    """Return the ELF of ``loop`` in ``folder``. Needs Debian's gcc-aarch64-linux-gnu."""
    if shutil.which(COMPILER) is None:
        raise FileNotFoundError(f"{COMPILER} is not installed; scripts/setup installs it")
    path = folder / f"{loop.name}-{rounds}.elf"
    if not path.exists():
        if not (folder / "large.inc").exists():
            (folder / "large.inc").write_text(_large())
        source = Path(__file__).with_name("loops.S")
        options = ["-nostdlib", "-static", f"-Wl,-Ttext={BASE:#x}", "-Wl,--build-id=none", "-I", str(folder)]
        defines = [f"-D{loop.macro}", f"-DROUNDS={rounds}"]
        subprocess.run([COMPILER, *options, *defines, str(source), "-o", str(path)], check=True)
    return path


def symbol(path: Path, name: str) -> int:
    """Return the address of a symbol of an ELF that :func:`build` made."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        return int(ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(name)[0]["st_value"])
