"""The bare-metal guests that are timed, a row each, and how they are built: guest/start.S and the row's own file."""

from __future__ import annotations

import functools
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

GUEST = Path(__file__).with_name("guest")
COMPILER = "aarch64-linux-gnu-gcc"
OPTIONS = (
    *("-O2", "-ffreestanding", "-fno-math-errno", "-ffp-contract=off", "-fno-tree-vectorize"),
    *("-fno-tree-loop-distribute-patterns", "-fno-pic", "-mno-outline-atomics", "-Wall", "-Wextra", "-Werror"),
    *(
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,--no-warn-rwx-segments",
        f"-Wl,-T,{GUEST / 'guest.ld'}",
    ),
)
LARGE_BLOCKS = 10_900
MEMORY = 256 << 20


@dataclass(frozen=True)
class Loop:
    """A guest.

    :param file: in guest/; in an .S file, the macro ROW_name chooses the row.
    :param events: of a round: what is counted is events, not instructions.
    :param first: rounds with which its speed is guessed at first: some hundredths of a second.
    """

    name: str
    file: str
    group: str
    title: str
    events: int = 0
    first: int = 200
    cpus: int = 1
    aim: str = ">= 1 x QEMU"


LOOPS = (
    Loop("alu", "integer.S", "integer", "hot loop, arithmetic", first=500),
    Loop("memory", "integer.S", "integer", "hot loop, loads and stores", first=300),
    Loop("stride", "integer.S", "integer", "a load and a store in every page of 64 MiB"),
    Loop("copy", "integer.S", "integer", "copy of 32 KiB (LDP, STP)", first=400),
    Loop("crc32", "vector.S", "integer", "CRC32X of 4 KiB", first=2000),
    Loop("calls", "calls.S", "calls", "recursive calls"),
    Loop("indirect", "calls.S", "calls", "indirect calls"),
    Loop("large", "calls.S", "calls", "64k instructions in random order", first=1500),
    Loop("daxpy", "vector.S", "float", "daxpy, NEON doubles", first=400, aim=">= 3 x QEMU"),
    Loop("matmul", "matmul.c", "float", "C: matrix product, scalar doubles", first=40, aim=">= 3 x QEMU"),
    Loop("floats", "floats.c", "float", "C: scalar doubles: div, sqrt, convert"),
    Loop("simd", "vector.S", "float", "NEON integers", aim=">= 3 x QEMU"),
    Loop("sha256", "sha256.c", "c", "C: SHA-256", first=100),
    Loop("records", "records.c", "c", "C: strings, records, arrays", first=100),
    Loop("lists", "lists.c", "c", "C: lists, matrices, state machine, CRC-16", first=40),
    Loop("cold", "code.S", "code", "1 MiB of code, written anew before each pass", first=1),
    Loop("rewritten", "code.S", "code", "an instruction rewritten, IC IVAU, run", 1000, 20),
    Loop("svc", "exits.S", "exits", "SVC: EL0, EL1, EL0", 1000, 50),
    Loop("hvc", "exits.S", "exits", "HVC: EL1, EL2, EL1", 1000, 50),
    Loop("mmio", "exits.S", "exits", "a fault of stage 2, passed over by EL2", 1000, 50),
    Loop("trapped", "exits.S", "exits", "a trapped read of an ID register", 1000, 50),
    Loop("sgi", "exits.S", "exits", "SGI to itself, taken and ended (GICv3)", 1000, 50),
    Loop("counter", "exits.S", "exits", "CNTVCT_EL0 read", 1000, 500),
    Loop("device", "exits.S", "exits", "a register of the PL011 read", 1000, 500),
    Loop("tlbi_page", "tlb.S", "tlb", "TLBI VAAE1IS, 4 pages touched", 1000, 50),
    Loop("tlbi_all", "tlb.S", "tlb", "TLBI VMALLE1, 4 pages touched", 1000, 20),
    Loop("walks", "tlb.S", "tlb", "a page touched of which no translation is known", 512, 200),
    Loop("asid", "tlb.S", "tlb", "TTBR0 switch (ASID), 16 pages touched", 1000, 10),
    Loop("vmid", "tlb.S", "tlb", "VTTBR switch (VMID) by HVC, 16 pages touched", 1000, 10),
    Loop("exclusive", "smp.S", "smp", "2 CPUs: LDXR, STXR increments of a word", 2000, 500, 2),
    Loop("lse", "smp.S", "smp", "2 CPUs: LDADDAL on a word", 2000, 500, 2),
    Loop("lock", "smp.S", "smp", "2 CPUs: a spin lock", 2000, 500, 2),
)
NAMED = {loop.name: loop for loop in LOOPS}


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
    lines = []
    for block in order:
        lines.append(f"block{block}:")
        for _ in range(5):
            registers = [rng.randrange(8) for _ in range(3)]
            lines.append("  " + rng.choice(kinds).format(*registers, rng.randrange(128) * 8))
        lines.append(f"  b block{block + 1}" if block + 1 < LARGE_BLOCKS else "  b last")
    return "\n".join(lines) + "\n"


def build(loop: Loop, rounds: int, folder: Path) -> Path:
    """Return the ELF in ``folder`` of ``loop`` that calls `round` so often. Needs Debian's gcc-aarch64-linux-gnu."""
    path = folder / f"{loop.name}.elf"
    if not path.exists():
        if shutil.which(COMPILER) is None:
            raise FileNotFoundError(f"{COMPILER} is not installed; scripts/setup installs it")
        if loop.name == "large":
            (folder / "large.inc").write_text(_large())
        defines = (f"-DCPUS={loop.cpus}", f"-DROW_{loop.name}", "-I", str(folder))
        sources = (str(GUEST / "start.S"), str(GUEST / loop.file))
        subprocess.run([COMPILER, *OPTIONS, *defines, *sources, "-o", str(path)], check=True)
    told = path.with_name(f"{loop.name}-{rounds}.elf")
    if not told.exists():
        data = bytearray(path.read_bytes())
        struct.pack_into("<Q", data, offset(path, symbol(path, "rounds")), rounds)
        told.write_bytes(data)
    return told


def symbol(path: Path, name: str) -> int:
    """Return the address of a symbol of an ELF that :func:`build` made."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        return int(ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(name)[0]["st_value"])


def offset(path: Path, address: int) -> int:
    """Return where in the file ``address`` is."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        return int(next(ELFFile(file).address_offsets(address, 8)))


def run(loop: Loop, rounds: int, folder: Path) -> tuple[int, str]:
    """Run ``loop`` on gdbhv, in this process; return the instructions executed and what it printed."""
    from gdbhv import _core, image

    machine = _core.Machine(cpus=loop.cpus, memory=MEMORY, cpu="max", hosted=False)
    loaded = image.load(build(loop, rounds, folder))
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    stop = machine.run(1 << 40)
    printed = machine.take_output().decode()
    if stop["kind"] != "poweroff":
        raise RuntimeError(f"{loop.name}: gdbhv ended with {stop['kind']}: {printed}")
    return sum(machine.insns), printed


@functools.cache
def instructions(loop: Loop, folder: Path) -> int:
    """Return how many instructions a round executes, exactly: gdbhv's own count, of the third round and the second."""
    return (run(loop, 3, folder)[0] - run(loop, 1, folder)[0]) // 2
