"""PSCI and the SMC calling convention: any function number with any arguments, by HVC and SMC, from every EL, on
machines of one to four CPUs, bare and hosted.
"""

from __future__ import annotations

import random

import pytest

from fuzz import machines
from fuzz.machines import CODE, EL, RAM, VECTORS, dice, lives, rounds, run, value, words
from gdbhv import _core
from gdbhv.target import Action, StopKind
from hv.programs import HVC0, add, branch, hosted, thread

HVC, SMC = 0xD4000002, 0xD4000003
SYSTEM = {0x84000008, 0x84000009, 0x84000012, 0xC4000012, 0x84000015}


def function(rng: random.Random) -> int:
    """PSCI of 32 and 64 bits, the owners of SMCCC beside it, or anything."""
    kind = rng.randrange(5)
    if kind < 2:
        return rng.choice((0x84000000, 0xC4000000)) | rng.randrange(0x20)
    if kind == 2:
        return (
            rng.getrandbits(2) << 30
            | rng.randrange(64) << 24
            | rng.choice((0, 1, 0xFF00, 0xFF01, 0xFF03, rng.getrandbits(16)))
        )
    return value(rng)


def argument(rng: random.Random) -> int:
    return rng.choice(
        (rng.randrange(6), 1 << 16 | rng.randrange(256), 0x80000000 | rng.randrange(4), CODE, RAM, value(rng), value(rng))
    )


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("el2", [True, False])
def test_bare(cpus: int, el2: bool) -> None:
    rng = dice(f"psci {cpus} {el2}")
    m = _core.Machine(memory=machines.MEMORY, cpus=cpus, hosted=False, el2=el2)
    vectors = [(el, base) for el, base in VECTORS.items() if el2 or el < 2]
    for _, base in vectors:
        m.write_pa(base, words(*(0xD69F03E0,) * 0x200))
    ends = set()
    for _ in rounds(2500):
        cpu, el = rng.randrange(cpus), rng.choice((0, 1, 2) if el2 else (0, 1))
        m.set_power(cpu, "on")
        m.write_register(cpu, "cpsr", EL[2 if el2 else 1])
        for level, base in vectors:
            m.write_register(cpu, f"VBAR_EL{level}", base)
            m.write_register(cpu, f"SCTLR_EL{level}", 0x30D0_0800)
        if el2:
            m.write_register(cpu, "HCR_EL2", 1 << 31 | (value(rng) & (1 << 19 | 1 << 29)))
        m.write_pa(
            CODE, words(rng.choice((HVC, SMC)) | rng.choice((0, 1, rng.getrandbits(16))) << 5, 0xD503201F, 0x17FFFFFF)
        )
        m.set_x(cpu, 0, function(rng))
        for n in range(1, 8):
            m.set_x(cpu, n, argument(rng))
        m.write_register(cpu, "pc", CODE)
        m.write_register(cpu, "cpsr", EL[el])
        ends.add(run(m, 20, rng.choice((1 << cpu, 1 << cpu, 0xFF))))
        assert all(m.power(n) in ("on", "off", "wfi", "wfe") for n in range(cpus))
    assert {"budget", "poweroff", "reset"} <= ends, ends
    if el2:
        for cpu in range(cpus):
            lives(m, cpu)


@pytest.mark.parametrize("vcpus", [1, 2, 4])
def test_hosted(vcpus: int) -> None:
    """The hypervisor's own PSCI, by HVC and by SMC, from EL1 and (undefined there) from EL0; both kinds of numbers."""
    rng = dice(f"psci hosted {vcpus}")
    for _ in rounds(12):
        target = hosted(HVC0, 0xD4000003, add(9, 9, 1), branch(-3), vcpus=vcpus, cpus=min(vcpus, 2))
        for _ in range(25):
            alive = [t.id for p in target.processes() for t in p.threads]
            if not alive:
                break
            one = rng.choice(alive)
            target.write_register(one, "x0", function(rng))
            for n in range(1, 8):
                target.write_register(one, f"x{n}", argument(rng))
            stop = target.run([Action(t) for t in alive], rng.choice((3, 40)))
            assert isinstance(stop.kind, StopKind)
        if target.processes():
            assert target.read_register(thread(), "pc") is not None
