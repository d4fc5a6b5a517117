"""Code that writes over itself, takes exceptions and changes the machine under it: the same interpreted and compiled, on two
CPUs, after every few instructions. Oracle: the interpreter."""

from __future__ import annotations

import random

import pytest

from fuzz import machines
from fuzz.machines import EL, MEMORY, RAM, VECTORS, dice, rounds, value
from fuzz.test_code import code, system, valid
from gdbhv import _core

AFTER = (0, 1, 3)  # interpreted; compiled at once, and after some entries
CODE_BYTES = 0x4000
SKIP = (0xD5384025, 0x910010A5, 0xD5184025, 0xD69F03E0)  # MRS x5, ELR_EL1; ADD x5, x5, #4; MSR ELR_EL1, x5; ERET
SKIP_EL2 = (0xD53C4025, 0x910010A5, 0xD51C4025, 0xD69F03E0)
PLAIN = [row["pattern"] for row in _core.instructions() if row["kind"] in ("pure", "branch")]
TLBI = (0xD508871F, 0xD508831F, 0xD50C871F, 0xD508877F, 0xD5033FDF, 0xD50B7525)
"""TLBI VMALLE1, VMALLE1IS, ALLE2, VAALE1; ISB; IC IVAU, x5."""


def looping(rng: random.Random, count: int) -> bytes:
    """Code that stays in itself: mostly what goes on, and branches within it; some of it changes the machine."""
    found = []
    for n in range(count):
        kind, to = rng.random(), rng.randrange(count) - n
        if kind < 0.6:
            word = valid(rng, rng.choice(PLAIN))
            if word >> 26 & 0x1F == 5 or word >> 24 & 0xFF == 0xD6:  # B, BL, BR: elsewhere
                word = machines.NOP
        elif kind < 0.68:
            word = 0x14000000 | to & 0x3FFFFFF
        elif kind < 0.76:
            word = 0x54000000 | (to & 0x7FFFF) << 5 | rng.randrange(15)
        elif kind < 0.82:
            word = rng.choice((0x34000000, 0xB5000000)) | (to & 0x7FFFF) << 5 | rng.randrange(31)
        elif kind < 0.94:  # loads and stores at x0 to x7
            word = rng.choice((0xF9000000, 0xF9400000, 0xA9000000, 0x3D800000, 0xC85F7C00, 0xC8007C00, 0xF8200000))
            word |= rng.randrange(8) << 5 | rng.randrange(8, 31) | rng.choice((0, rng.getrandbits(5) << 10))
        elif kind < 0.97:
            word = rng.choice(TLBI)
        else:
            word = system(rng)
        found.append(word & 0xFFFFFFFF)
    return machines.words(*found)


def set_up(m: _core.Machine, rng: random.Random) -> None:
    """The same for each machine, if the random numbers are."""
    pieces = [looping(rng, CODE_BYTES // 4) if rng.random() < 0.8 else code(rng, CODE_BYTES // 4) for _ in range(2)]
    for n, piece in enumerate(pieces):
        m.write_pa(RAM + n * CODE_BYTES, piece)
    for level, handler in ((1, SKIP), (2, SKIP_EL2)):
        for entry in range(0, 0x800, 0x80):
            m.write_pa(VECTORS[level] + entry, machines.words(*handler))
    for n in range(2):
        m.set_power(n, "on")
        m.write_register(n, "cpsr", EL[2])
        for level in VECTORS:
            m.write_register(n, f"VBAR_EL{level}", VECTORS[level])
        m.write_register(n, "HCR_EL2", rng.choice((1 << 31, value(rng) | 1 << 31)))
        m.write_register(n, "SCTLR_EL1", 0x30D0_0800)
        m.write_register(n, "SCTLR_EL2", 0x30C5_0830)
        m.write_register(n, "CPACR_EL1", 3 << 20)
        m.write_register(n, "CPTR_EL2", 0x33FF)
        for x in range(31):
            near = RAM + rng.randrange(2 * CODE_BYTES) if rng.random() < 0.3 else RAM + 0x8_0000 + rng.randrange(0x1000) & ~7
            m.set_x(n, x, near if x < 8 else value(rng))
        m.write_register(n, "pc", RAM + rng.randrange(2 * CODE_BYTES) & ~3)
        m.write_register(n, "cpsr", EL[rng.randrange(3)] & ~rng.choice((0, 0x3C0)))


def seen(m: _core.Machine) -> tuple[object, ...]:
    """All that is compared after each piece of a run."""
    state = [(m.read_core(n), m.power(n), m.read_register(n, "ESR_EL1"), m.read_register(n, "ELR_EL1")) for n in range(2)]
    return m.now, m.insns, m.exits, state


@pytest.mark.parametrize("part", range(3))
def test_whole_machines(part: int) -> None:
    rng = dice(f"tiers {part}")
    executed = 0
    for round_ in rounds(6):
        seed = rng.random()
        every = [_core.Machine(memory=MEMORY, cpus=2, hosted=False) for _ in AFTER]
        for after, m in zip(AFTER, every, strict=True):
            m.compile_after(after)
            set_up(m, random.Random(seed))
        for piece in range(12):
            insns = rng.choice((1, 7, 100, 3000, 25_000))
            stops = [m.run(1 << 62, 3, sum(m.insns) + insns, None, None)["kind"] for m in every]
            what = f"seed {seed}, round {round_}, piece {piece}"
            assert len(set(stops)) == 1, f"{what}: {stops}"
            assert all(seen(m) == seen(every[0]) for m in every), what
            if stops[0] != "budget":
                break
        memory = [m.read_pa(RAM, 0x10_0000) for m in every]
        assert memory[0] == memory[1] == memory[2], seed
        executed += sum(sum(m.insns) for m in every)
        assert every[1].compiled()["executed"] > 0
    assert executed > 100_000, "little was executed"
