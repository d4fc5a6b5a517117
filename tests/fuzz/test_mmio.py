"""Devices: every offset with every width, aligned or not, reads and random writes, from outside and by a guest's
instructions.
"""

from __future__ import annotations

import contextlib
import random

import pytest

from fuzz import machines
from fuzz.machines import CODE, EL, RAM, VECTORS, dice, lives, rounds, run, value, words
from gdbhv import _core

ROWS = {row["name"]: row for row in _core.board() if row["base"] >= 0x8000000}
SIZES = (1, 2, 4, 8)
MOST = 0x2_0000  # bytes of a device that are looked at from its start; more of it repeats


def offsets(rng: random.Random, size: int) -> list[int]:
    """All of a small device; of a large one what is near a register, and some of the rest."""
    near = range(min(size, 0x1100))
    far = [rng.randrange(min(size, MOST)) & ~3 for _ in range(4000)] + [0xFFD0 + n for n in range(0x30)]
    return [*near, *(o for o in far if o < size), size - 8, size - 1]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("cpus", [1, 3])
def test_from_outside(name: str, cpus: int) -> None:
    """As a debugger and the host side of a VM do."""
    rng, row = dice(f"mmio {name} {cpus}"), ROWS[name]
    m = _core.Machine(memory=machines.MEMORY, cpus=cpus, hosted=False)
    for _ in rounds(1):
        for offset in offsets(rng, row["size"]):
            cpu = rng.randrange(cpus)
            for size in SIZES:
                with contextlib.suppress(IndexError):  # nothing answers there: an external abort
                    read = m.bus_read(cpu, row["base"] + offset, size)
                    assert 0 <= read < 1 << 8 * size, (hex(offset), size, hex(read))
                if rng.getrandbits(1):
                    with contextlib.suppress(IndexError):
                        m.bus_write(cpu, row["base"] + offset, size, value(rng, 8 * size))
        for cpu in range(cpus):
            m.irq_lines(cpu)
    for size in (0, 3, 5, 16, 255):
        with pytest.raises(ValueError, match="1, 2, 4 or 8"):
            m.bus_read(0, row["base"], size)
        with pytest.raises(ValueError, match="1, 2, 4 or 8"):
            m.bus_write(0, row["base"], size, 0)
    lives(m)


# Loads and stores of x2 (and x3) at [x1]: all widths, pairs, exclusives, acquire and release, atomics, SIMD, DC ZVA.
LOADS = (0x39400022, 0x79400022, 0xB9400022, 0xF9400022, 0xA9400C22, 0x29400C22, 0x398000022 & 0xFFFFFFFF, 0xB9800022)
STORES = (0x39000022, 0x79000022, 0xB9000022, 0xF9000022, 0xA9000C22, 0x29000C22, 0x3D800022, 0xAD000C22, 0xD50B7421)
ORDERED = (
    0xC8DFFC22,
    0x88DFFC22,
    0x08DFFC22,
    0xC89FFC22,
    0x889FFC22,
    0xC85F7C22,
    0xC8007C22,
    0x885FFC22,
    0x3DC00022,
    0xAD400C22,
)
ATOMICS = (0xF8220023, 0xB8220023, 0xF8228023, 0xC8A27C23, 0x48207C22, 0x4C000022 & ~0x400000)
ACCESSES = (*LOADS, *STORES, *ORDERED, *ATOMICS)


@pytest.mark.parametrize("name", ROWS)
def test_by_a_guest(name: str) -> None:
    """By every kind of load and store, with interrupts on."""
    rng, row = dice(f"guest mmio {name}"), ROWS[name]
    m = _core.Machine(memory=machines.MEMORY, cpus=2, hosted=False)
    for base in VECTORS.values():
        m.write_pa(base, words(*(0xD69F03E0,) * 0x200))  # ERET, everywhere
    every = offsets(rng, row["size"])
    for _ in rounds(1500):
        cpu, el = rng.randrange(2), rng.choice((1, 2))
        m.set_power(cpu, "on")
        m.write_register(cpu, "cpsr", EL[2])
        m.write_register(cpu, "HCR_EL2", 1 << 31 | rng.getrandbits(6) << 3)
        for level, base in VECTORS.items():
            m.write_register(cpu, f"VBAR_EL{level}", base)
        at = CODE + 0x1000 * cpu
        m.write_pa(at, words(*(rng.choice(ACCESSES) for _ in range(4)), 0xD503207F, 0x17FFFFFB))
        for n in (0, 2, 3):
            m.set_x(cpu, n, value(rng))
        m.set_x(cpu, 1, row["base"] + rng.choice(every))
        m.write_register(cpu, "pc", at)
        m.write_register(cpu, "cpsr", EL[el] & ~rng.choice((0, 0x3C0)))
        run(m, rng.choice((5, 5, 50)))
    assert m.read_pa(RAM, 4) is not None
    lives(m, 0)
    lives(m, 1)


def test_lists_of_interrupts() -> None:
    """Lines, the distributor and the CPU interface in any order, with CPUs that take what comes."""
    rng = dice("interrupts")
    icc = [r for r in _core.registers("max") if r["name"].startswith(("ICC_", "ICH_")) and r["write"] is not None]
    m = _core.Machine(memory=machines.MEMORY, cpus=3, hosted=False)
    for base in VECTORS.values():
        # MRS X0, ICC_IAR1_EL1; MSR ICC_EOIR1_EL1, X0; ERET
        m.write_pa(base, words(*(0xD538CC00, 0xD518CC20, 0xD69F03E0, *(0xD503201F,) * 29) * 16))
    m.write_pa(CODE, words(0x91000400, 0xD503207F, 0x17FFFFFE))
    for cpu in range(3):
        m.set_power(cpu, "on")
        for level, base in VECTORS.items():
            m.write_register(cpu, f"VBAR_EL{level}", base)
    for _ in rounds(400):
        for _ in range(30):
            kind = rng.randrange(4)
            if kind == 0:
                m.set_spi(rng.randrange(32, 1020), bool(rng.getrandbits(1)))
            elif kind == 1:
                frame = rng.choice(
                    (ROWS["gicd"]["base"], *(ROWS["gicr"]["base"] + 0x2_0000 * n + 0x1_0000 for n in range(3)))
                )
                offset = rng.choice((0, 0x80, 0x100, 0x180, 0x200, 0x300, 0x400, 0xC00, 0x6100)) + rng.randrange(0x80)
                with contextlib.suppress(IndexError):
                    m.bus_write(rng.randrange(3), frame + (offset & ~3), 4, value(rng, 32))
            else:
                row = rng.choice(icc)
                with contextlib.suppress(KeyError):
                    m.msr(rng.randrange(3), row["encoding"], value(rng))
        for cpu in range(3):
            if rng.random() < 0.3 or m.power(cpu) == "off":
                m.set_power(cpu, "on")
                m.write_register(cpu, "cpsr", EL[2])
                m.write_register(cpu, "HCR_EL2", 1 << 31 | rng.getrandbits(3) << 3)
                m.write_register(cpu, "pc", CODE)
                m.write_register(cpu, "cpsr", EL[rng.randrange(1, 3)] & ~0x1C0)
        run(m, 300)
    for cpu in range(3):
        lives(m, cpu)
