"""What the fuzz tests share: random numbers of a fixed seed, machines that are hurt, and the question whether they
still live.

``GDBHV_FUZZ=N`` makes each test N times as long, ``GDBHV_FUZZ_SEED`` chooses other random numbers.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Sequence

from gdbhv import _core

LONGER = int(os.environ.get("GDBHV_FUZZ", "1"))
SEED = os.environ.get("GDBHV_FUZZ_SEED", "0")
CPUS = list({frozenset(features): name for name, features in _core.profiles()}.values())
"""A profile of each set of features."""


RAM, MEMORY = 0x4000_0000, 16 << 20
CODE, VECTORS = RAM + 0x10_0000, {1: RAM + 0x20_0000, 2: RAM + 0x21_0000}
EL = {0: 0x3C0, 1: 0x3C5, 2: 0x3C9}  # PSTATE: everything masked
NOP = 0xD503201F


def dice(name: str) -> random.Random:
    """Random numbers of a test: the same at each run."""
    return random.Random(f"{SEED} {name}")


def rounds(count: int) -> range:
    return range(count * LONGER)


def value(rng: random.Random, bits: int = 64) -> int:
    """A number that a fault may hide behind: few bits, many bits, all, none, an address, or anything."""
    kind = rng.randrange(7)
    if kind == 0:
        return rng.getrandbits(bits)
    if kind == 1:
        return rng.getrandbits(bits) & rng.getrandbits(bits) & rng.getrandbits(bits)
    if kind == 2:
        return rng.getrandbits(bits) | rng.getrandbits(bits) | rng.getrandbits(bits)
    if kind == 3:
        return rng.choice((0, (1 << bits) - 1, 1, 1 << bits - 1))
    if kind == 4:
        return 1 << rng.randrange(bits)
    if kind == 5:
        return RAM + rng.randrange(MEMORY) & (1 << bits) - 1
    return rng.randrange(256)


def words(*instructions: int) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def run(machine: _core.Machine, insns: int, mask: int = 0xFF) -> str:
    """Run on; what stops it must be one of the stops that there are."""
    stop = machine.run(1 << 62, mask, sum(machine.insns) + insns)
    assert stop["kind"] in ("budget", "exit", "caught", "entry", "wake", "poweroff", "reset", "stuck", "interrupted"), stop
    return stop["kind"]


# movz x1, #0x1234; add x2, x1, x1; str x2, [x0]; ldr x3, [x0]; smc-free: b .
SANE = (0xD2824681, 0x8B010022, 0xF9000002, 0xF9400003, 0x14000000)


def lives(machine: _core.Machine, cpu: int = 0) -> None:
    """After a storm: with its MMU off, the CPU runs a program and gets it right."""
    m = machine
    m.set_power(cpu, "on")
    m.write_register(cpu, "cpsr", EL[2])
    for name, number in (("HCR_EL2", 1 << 31), ("SCTLR_EL2", 0x30C5_0830), ("MDCR_EL2", 0), ("MDSCR_EL1", 0)):
        m.write_register(cpu, name, number)
    m.write_pa(CODE, words(*SANE))
    m.write_register(cpu, "x0", RAM + 0x8000)
    m.write_register(cpu, "pc", CODE)
    m.write_register(cpu, "cpsr", EL[2])
    m.run(1 << 62, 1 << cpu, sum(m.insns) + 100)
    assert m.x(cpu, 3) == 0x2468, f"CPU {cpu} at {m.read_register(cpu, 'pc'):#x}, {m.power(cpu)}"
    assert m.read_register(cpu, "pc") == CODE + 16


def storm(machine: _core.Machine, cpu: int, el: int, program: Sequence[int]) -> None:
    """Put a program where this CPU can run it at ``el``, with vectors that return to what comes next."""
    m = machine
    m.set_power(cpu, "on")
    m.write_register(cpu, "cpsr", EL[2])
    m.write_pa(CODE + 0x1_0000 * cpu, words(*program))
    m.write_register(cpu, "pc", CODE + 0x1_0000 * cpu)
    m.write_register(cpu, "cpsr", EL[el])
