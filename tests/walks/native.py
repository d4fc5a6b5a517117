"""The model, asked for the same things: by its public walker, by AT instructions, and by loads, stores and fetches
that a CPU executes.
"""

from __future__ import annotations

from typing import Any

from gdbhv import _core
from walks import generate
from walks.interp import Core, Fault, Registers

PSTATE = {0: 0x3C0, 1: 0x3C5, 2: 0x3C9}
PAN = 1 << 22


def core(cpu: str) -> Core:
    """A profile as its ID registers tell it."""
    machine = _core.Machine(memory=1 << 20, cpu=cpu, hosted=False)
    pa_range = machine.read_register(0, "ID_AA64MMFR0_EL1") & 15
    return Core(frozenset(dict(_core.profiles())[cpu]), (32, 36, 40, 42, 44, 48, 52)[pa_range])


def machine(cpu: str, words: bytes) -> _core.Machine:
    m = _core.Machine(memory=generate.SIZE, cpu=cpu, hosted=False)
    assert m.ram == (generate.BASE, generate.SIZE)
    m.write_pa(generate.BASE, words)
    return m


def program(r: Registers, e2h: bool) -> list[tuple[str, int]]:
    """The registers by name, as they are to be written."""
    pairs = [("HCR_EL2", r.hcr), ("VTCR_EL2", r.vtcr), ("VTTBR_EL2", r.vttbr)]
    for el in (1, 2):
        for name, values in (("SCTLR", r.sctlr), ("TCR", r.tcr), ("TTBR0", r.ttbr0), ("TTBR1", r.ttbr1), ("MAIR", r.mair)):
            if el == 1 or name != "TTBR1" or e2h:
                pairs.append((f"{name}_EL{el}", values[el]))
    return pairs


def apply(m: _core.Machine, pairs: list[tuple[str, int]]) -> None:
    for name, value in pairs:
        m.write_register(0, name, value)


def set_pan(m: _core.Machine, pan: bool, el: int = 2) -> None:
    m.write_register(0, "cpsr", PSTATE[el] | (PAN if pan else 0))


def fault_of(w: Any) -> Fault:
    return Fault(w["fsc"], w["stage"], w["s1ptw"], w["fault_ipa"])
