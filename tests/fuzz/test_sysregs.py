"""Every encoding of MRS, MSR, SYS and SYSL, executed at every EL under random controls with random values:
whatever it does to the CPU, nothing panics or hangs, and the CPU runs a sane program afterwards.
"""

from __future__ import annotations

import random

import pytest

from fuzz import machines
from fuzz.machines import CODE, EL, VECTORS, dice, lives, rounds, run, value, words
from gdbhv import _core

# Every op1, CRn, CRm and op2 of op0 = 1 (SYS, SYSL), 2 (debug) and 3 (the rest), and of op0 = 0 (hints, barriers, MSR
# immediate).
ENCODINGS = range(1 << 16)
BATCH = 128

CONTROLS = """
    MDCR_EL2 CPTR_EL2 CNTHCTL_EL2 CNTKCTL_EL1 MDSCR_EL1 CPACR_EL1 HSTR_EL2 HCRX_EL2 HFGRTR_EL2 HFGWTR_EL2 HFGITR_EL2
    HDFGRTR_EL2 HDFGWTR_EL2 VTCR_EL2 VTTBR_EL2 TCR_EL1 TCR_EL2 TTBR0_EL1 TTBR0_EL2 ICH_HCR_EL2 ICC_SRE_EL2 VNCR_EL2
    PMUSERENR_EL0 SPSR_EL1 SPSR_EL2
"""

# Where a system register is read or written: MRS and SYSL have bit 21.
READ, WRITE = 0xD5200000, 0xD5000000


def controls(m: _core.Machine, rng: random.Random, names: list[str]) -> None:
    """Random traps and modes, with vectors in RAM and the MMU mostly off."""
    for name in names:
        m.write_register(0, name, value(rng))
    m.write_register(0, "HCR_EL2", value(rng) & ~(1 << 31) | 1 << 31)
    for el, base in VECTORS.items():
        m.write_register(0, f"VBAR_EL{el}", base)
        if rng.random() < 0.9:
            m.write_register(0, f"SCTLR_EL{el}", value(rng) & ~1)


@pytest.mark.parametrize("cpu", machines.CPUS)
@pytest.mark.parametrize("el", [0, 1, 2])
def test_every_encoding(cpu: str, el: int) -> None:
    rng = dice(f"sysregs {cpu} {el}")
    there = {r["name"] for r in _core.registers(cpu)}
    names = [name for name in CONTROLS.split() if name in there]
    encodings = list(ENCODINGS)
    rng.shuffle(encodings)
    for _ in rounds(1):
        m = _core.Machine(memory=machines.MEMORY, cpu=cpu, hosted=False)
        for base in VECTORS.values():
            # Whatever comes, go on behind it: read ELR, skip if it was synchronous, or just return.
            m.write_pa(base, words(*(0xD69F03E0,) * 0x200))
        for start in range(0, len(encodings), BATCH):
            program = []
            for encoding in encodings[start : start + BATCH]:
                rt = rng.randrange(32)
                program += [READ | encoding << 5 | rt, WRITE | encoding << 5 | rng.randrange(32)]
            m.set_power(0, "on")
            m.write_register(0, "cpsr", EL[2])
            controls(m, rng, names)
            m.write_pa(CODE, words(*program, 0x14000000))
            for n in range(31):
                m.set_x(0, n, value(rng))
            position = 0
            while position < len(program):
                # One at a time past those that trap: EL, PC and power are put back.
                m.set_power(0, "on")
                m.write_register(0, "cpsr", EL[el])
                m.write_register(0, "pc", CODE + 4 * position)
                before = sum(m.insns)
                kind = run(m, len(program) - position)
                done = m.read_register(0, "pc") - CODE
                advanced = done // 4 - position if 0 <= done <= 4 * len(program) else 0
                position += max(1, min(advanced, sum(m.insns) - before))
                if kind in ("poweroff", "reset"):
                    continue
        assert sum(m.insns) > len(encodings), "little was executed"
        lives(m)
