"""Random code under random tables that it writes into itself: no panic and no hang, at EL0, EL1 and EL2, bare and hosted."""

from __future__ import annotations

import random

import pytest

from fuzz import machines
from fuzz.machines import EL, RAM, VECTORS, dice, lives, rounds, run, value
from gdbhv import _core
from gdbhv.target import StopKind
from hv.programs import CODE as GUEST
from hv.programs import hosted
from walks import generate, native
from walks.generate import Pool, Shape

PATTERNS = [row["pattern"] for row in _core.instructions()]


def valid(rng: random.Random, pattern: str) -> int:
    """An instance of a row: its fixed bits, and any others."""
    word = 0
    for bit in pattern:
        word = word << 1 | (int(bit) if bit in "01" else rng.getrandbits(1))
    return word


def system(rng: random.Random) -> int:
    """System registers and instructions, ERET, exceptions, barriers: what changes the machine under the code."""
    kind = rng.randrange(8)
    if kind < 3:
        return 0xD5100000 | rng.getrandbits(1) << 21 | rng.getrandbits(20)
    if kind == 3:
        return 0xD5080000 | rng.getrandbits(19)
    if kind == 4:
        return rng.choice((0xD69F03E0, 0xD4000001, 0xD4000002, 0xD4000003, 0xD4200000, 0xD503207F, 0xD503205F, 0xD503209F))
    return 0xD5000000 | rng.getrandbits(22)


def code(rng: random.Random, count: int) -> bytes:
    """Random words, random instances of what there is, and loads and stores around x0 to x7, which point to
    interesting places.
    """
    found = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.1:
            word = rng.getrandbits(32)
        elif kind < 0.55:
            word = valid(rng, rng.choice(PATTERNS))
        elif kind < 0.7:
            word = system(rng)
        else:  # any load or store, from a register that points somewhere
            word = (
                rng.choice((0xF9000000, 0xF9400000, 0xA9000000, 0xF8000400, 0xC8007C00, 0xF8200000)) | rng.randrange(8) << 5
            )
            word |= rng.randrange(31) | (rng.getrandbits(12) << 10 if rng.random() < 0.3 else 0)
        found.append(word & 0xFFFFFFFF)
    return machines.words(*found)


def shape(rng: random.Random, cpu: str) -> Shape:
    granules = (12, 14, 16) if cpu == "max" else (12, 16)
    return Shape(rng.choice(granules), rng.choice((0, *granules)), False, rng.choice((31, 36, 40)))


@pytest.mark.parametrize("cpu", machines.CPUS)
@pytest.mark.parametrize("part", range(2))
def test_tables_that_the_code_writes(cpu: str, part: int) -> None:
    """The machine of tests/walks, all of whose memory is descriptors, and code in its data part, which some of them map."""
    rng = dice(f"code {cpu} {part}")
    core = native.core(cpu)
    for _ in rounds(2):
        s = shape(rng, cpu)
        data = Pool(rng, core, s).words().tobytes()
        m = _core.Machine(memory=generate.SIZE, cpus=2, cpu=cpu, hosted=False)
        m.write_pa(generate.BASE, data)
        for page in range(generate.DATA, generate.DATA + generate.DATA_SIZE, 0x8000):
            m.write_pa(page, code(rng, 0x1000))
        for _ in range(25):
            cpus = rng.randrange(2)
            m.set_power(cpus, "on")
            m.write_register(cpus, "cpsr", EL[2])
            r = generate.registers(rng, core, s)
            el = rng.randrange(3)
            if rng.random() < 0.4:  # where translations are random, little code is ever reached
                r.sctlr[2 if el == 2 else 1] &= ~1
            native_pairs = native.program(r, bool(r.hcr >> 34 & 1) and core.has("VHE"))
            for name, number in native_pairs:
                m.write_register(cpus, name, number)
            for level in (1, 2):
                m.write_register(cpus, f"VBAR_EL{level}", generate.DATA + rng.randrange(generate.DATA_SIZE) & ~0x7FF)
            for n in range(8):
                m.set_x(
                    cpus,
                    n,
                    rng.choice((generate.BASE + rng.randrange(generate.SIZE), generate.address(rng, core, r, 1, True))),
                )
            for n in range(8, 31):
                m.set_x(cpus, n, value(rng))
            m.write_register(cpus, "pc", generate.DATA + rng.randrange(generate.DATA_SIZE) & ~3)
            m.write_register(cpus, "cpsr", EL[el] & ~rng.choice((0, 0x3C0)))
            run(m, 3000)
            m.translate(cpus, m.read_register(cpus, "pc"), access="fetch")
        assert sum(m.insns) > 1000, "little was executed"
        for n in range(2):
            m.write_pa(generate.BASE, data)
            lives(m, n)


@pytest.mark.parametrize("cpu", machines.CPUS)
@pytest.mark.parametrize("cpus", [1, 4])
def test_words(cpu: str, cpus: int) -> None:
    """Random code with the MMU off and vectors in it: it runs on and on."""
    rng = dice(f"words {cpu} {cpus}")
    m = _core.Machine(memory=machines.MEMORY, cpus=cpus, cpu=cpu, hosted=False)
    for _ in rounds(8):
        m.write_pa(RAM, code(rng, 0x2_0000))
        for _ in range(10):
            for n in range(cpus):
                m.set_power(n, "on")
                m.write_register(n, "cpsr", EL[2])
                for level in VECTORS:
                    m.write_register(n, f"VBAR_EL{level}", RAM + rng.randrange(0x8_0000) & ~0x7FF)
                m.write_register(n, "HCR_EL2", value(rng) | 1 << 31)
                m.write_register(n, "SCTLR_EL1", 0x30D0_0800)
                m.write_register(n, "SCTLR_EL2", 0x30C5_0830)
                m.write_register(n, "CPACR_EL1", 3 << 20)
                m.write_register(n, "CPTR_EL2", 0x33FF)
                for x in range(31):
                    m.set_x(n, x, RAM + rng.randrange(0x8_0000) if x < 8 else value(rng))
                m.write_register(n, "pc", RAM + rng.randrange(0x8_0000) & ~3)
                m.write_register(n, "cpsr", EL[rng.randrange(3)])
            run(m, 20_000)
            m.take_output()
            m.undefined_seen()
    assert sum(m.insns) > 100_000, "little was executed"
    for n in range(cpus):
        lives(m, n)


def test_hosted_guests() -> None:
    """Random code as guests of the hypervisor: every exit that they cause is handled or ends the VM."""
    rng = dice("hosted code")
    for _ in rounds(6):
        target = hosted(vms=rng.randrange(1, 3), vcpus=rng.randrange(1, 4), cpus=rng.randrange(1, 3))
        for vm in target.host.vms:
            vm.write(GUEST, code(rng, 0x1_0000))
        for process in target.processes():
            for thread in process.threads:
                for n in range(31):
                    target.write_register(thread.id, f"x{n}", GUEST + rng.randrange(0x6_0000) if n < 8 else value(rng))
                target.write_register(thread.id, "VBAR_EL1", GUEST + rng.randrange(0x4_0000) & ~0x7FF)
        for _ in range(6):
            if not target.processes():
                break
            stop = target.run_all(20_000)
            assert isinstance(stop.kind, StopKind)
            for process in target.processes():
                for thread in process.threads:
                    if rng.getrandbits(1):
                        target.write_register(thread.id, "pc", GUEST + rng.randrange(0x4_0000) & ~3)
