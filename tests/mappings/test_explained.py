"""`walk --explain` against the CPU, at random addresses of random tables of both stages: PAR_EL1 of AT instructions that it
executes, and the syndromes of loads, stores and fetches that it makes at EL1 and EL0."""

from __future__ import annotations

import json
import random
import struct

import pytest

from gdbhv import boot
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.monitor.explain import explain
from gdbhv.target import ThreadId
from gdbhv.translation import bare
from walks.executed import AT, SYS_X1, UNKNOWN

LDR, STR = 0xF9400020, 0xF9000020  # x0 and [x1]
ROOT1, ROOT2, CODE, HERE = 0x40010000, 0x40020000, 0x40030000, 0x40040000
CODE_VA = 0x80000000
VBAR = {1: 0xA0000000, 2: 0x40050000}
TYPES = (0x00, 0x04, 0x08, 0x0C, 0x44, 0xFF, 0xBB, 0xAA)
PSTATE = {0: 0x3C0, 1: 0x3C5, 2: 0x3C9}


def random_machine(rng: random.Random) -> Machine:
    """Both stages on, 4 KiB granule, 32 bits: VAs below 1 GiB by random tables; from 2 GiB on a page of code for each EL."""
    machine = boot.bare(boot.BootConfig(memory=256 << 20))
    core = machine.core

    def put(table: int, words: dict[int, int]) -> None:
        for n, word in words.items():
            core.write_pa(table + 8 * n, struct.pack("<Q", word))

    def leaf1(output: int) -> int:
        af = (rng.random() < 0.9) << 10
        return (
            output
            | rng.getrandbits(3) << 2
            | rng.getrandbits(2) << 6
            | rng.getrandbits(2) << 8
            | af
            | rng.getrandbits(2) << 53
        )

    def leaf2(output: int) -> int:
        af, ap = (rng.random() < 0.9) << 10, rng.choice((1, 3, 3, 3, 2, 0))
        memattr = rng.choice((0, 1, 2, 3, 5, 6, 10, 15, 15, 15))
        return output | memattr << 2 | ap << 6 | rng.getrandbits(2) << 8 | af | rng.getrandbits(2) << 53

    level2, level3 = 0x40011000, 0x40012000
    put(ROOT1, {0: level2 | 3 | rng.getrandbits(5) << 59, 2: 0x40018003, 3: leaf1(0x40000000) | 1})
    put(0x40018000, {0: 0x40019003})
    put(0x40019000, {0: CODE | 0x783 | 1 << 54, 1: CODE + 0x1000 | 0x7C3 | 1 << 53})
    for n in range(512):
        kind = rng.random()
        ipa = rng.choice((0, 0x40000000)) + rng.randrange(64, 512) * (2 << 20)
        table = rng.choice((level3, level3 + 0x1000, 0x46000000 + rng.randrange(1 << 20) * 0x1000 % 0x400000, 0x7F000000))
        put(level2, {n: 0 if kind < 0.15 else leaf1(ipa) | 1 if kind < 0.6 else table | 3})
    for n in range(1024):
        put(
            level3,
            {n: 0 if rng.random() < 0.2 else leaf1(rng.choice((0x48000000, 0x10000000)) + rng.randrange(4096) * 0x1000) | 3},
        )
    put(ROOT2, {0: 0x40021003, 1: 0x40022003})
    ram = [0x48000000 + n * (2 << 20) for n in range(64)]
    for n in range(512):
        put(0x40021000, {n: leaf2(rng.choice(ram)) | 1 if rng.random() < 0.7 else 0})
        put(0x40022000, {n: leaf2(rng.choice(ram)) | 1 if rng.random() < 0.7 else 0})
    put(0x40022000, {n: 0x40000000 + n * (2 << 20) | 0x7FD for n in range(8)})
    mair = int.from_bytes(rng.choices(TYPES, k=8), "little")
    state = {
        "HCR_EL2": 1 << 31 | 1, "VTCR_EL2": 1 << 31 | 5 << 16 | 3 << 12 | 1 << 6 | 32, "VTTBR_EL2": 5 << 48 | ROOT2,
        "TCR_EL1": 5 << 32 | 1 << 23 | 32 << 16 | 32 | 3 << 12, "TTBR0_EL1": ROOT1, "MAIR_EL1": mair,
        "SCTLR_EL1": 0x30D00801 | rng.getrandbits(1) << 2 | rng.getrandbits(1) << 19, "VBAR_EL1": VBAR[1],
        "VBAR_EL2": VBAR[2],
    }  # fmt: skip
    for name, value in state.items():
        core.write_register(0, name, value)
    return machine


def step(machine: Machine, el: int, pc: int, x1: int) -> None:
    core = machine.core
    core.write_register(0, "cpsr", PSTATE[el])
    core.write_register(0, "pc", pc)
    core.set_x(0, 1, x1)
    core.run(1 << 62, insns=sum(core.insns) + 1)


def addresses(rng: random.Random) -> list[int]:
    near = [rng.randrange(1 << 30) & ~7 for _ in range(90)]
    return [*near, 0xC0000000 + rng.randrange(1 << 30) & ~7, 1 << 33, 0xFFFF_FFFF_0000_0000, 0x80002000]


@pytest.mark.parametrize("part", range(12))
def test_par_is_what_at_gives(part: int, seed: int) -> None:
    rng = random.Random(f"{seed} {part}")
    machine = random_machine(rng)
    core, compared = machine.core, set()
    for va in addresses(rng):
        by = bare(core, 0, 1)
        for name, par in explain(registry.Context(machine, ThreadId(1, 1)), by, va).pars.items():
            op1, crm, op2, *_ = AT[name]
            core.write_pa(HERE, (SYS_X1 | op1 << 16 | 7 << 12 | crm << 8 | op2 << 5).to_bytes(4, "little"))
            step(machine, 2, HERE, va)
            if par & 1 and par >> 1 & 0x3F in (0x14, 0x15, 0x16, 0x17):
                assert core.read_register(0, "pc") == VBAR[2] + 0x200, "an external abort is taken"
                continue
            seen = core.read_register(0, "PAR_EL1")
            assert (seen ^ par) & ~(0 if par & 1 else UNKNOWN) == 0, f"AT {name} {va:#x}: {seen:#x}, explained {par:#x}"
            compared.add((name, par & 0xFFF if par & 1 else 0))
    assert len(compared) > 20


@pytest.mark.parametrize("part", range(12))
def test_syndromes_are_those_of_accesses(part: int, seed: int) -> None:
    rng = random.Random(f"{seed} {part}")
    machine = random_machine(rng)
    core, kinds = machine.core, set()
    for va in addresses(rng):
        by = bare(core, 0, 1)
        for o in explain(registry.Context(machine, ThreadId(1, 1)), by, va).outcomes:
            for name in ("ESR_EL1", "FAR_EL1", "ESR_EL2", "FAR_EL2", "HPFAR_EL2"):
                core.write_register(0, name, 0)
            code = 0 if o.el == 1 else 0x1000
            core.write_pa(CODE + code, (STR if o.access == "write" else LDR).to_bytes(4, "little"))
            step(machine, o.el, va if o.access == "fetch" else CODE_VA + code, va)
            pc = core.read_register(0, "pc")
            what = (
                f"{o}, PC {pc:#x}, ESR_EL1 {core.read_register(0, 'ESR_EL1'):#x}, EL2 {core.read_register(0, 'ESR_EL2'):#x}"
            )
            if o.to is None:
                ecs = {core.read_register(0, f"ESR_EL{el}") >> 26 for el in (1, 2)}
                assert not ecs & {0x20, 0x21, 0x24, 0x25}, what
                continue
            assert pc == VBAR[o.to] + (0x200 if o.to == o.el else 0x400), what
            assert core.read_register(0, f"ESR_EL{o.to}") == o.esr, what
            assert core.read_register(0, f"FAR_EL{o.to}") == o.far, what
            if o.hpfar is not None:
                assert core.read_register(0, "HPFAR_EL2") == o.hpfar, what
            kinds.add((o.access, o.el, o.to, (o.esr or 0) & 0xFF))
    assert len(kinds) > 20


def test_it_is_told_in_words_and_as_data(seed: int) -> None:
    rng = random.Random(seed)
    machine = random_machine(rng)
    machine.core.write_register(0, "cpsr", PSTATE[1])
    bound = registry.bind(machine)

    def run(line: str) -> list[str]:
        return [text for text in bound(line, ThreadId(1, 1)) if text is not None]

    lines = run(f"walk {CODE_VA:#x} --explain")
    text = "\n".join(lines)
    assert "      APTable=0 (no limit) UXNTable=0 PXNTable=0 NSTable=0" in lines
    assert "AP[2:1]=2 (higher EL ro, EL0 none) SH=inner AF=1 nG=0 GP=0 DBM=0 Contiguous=0 PXN=0 UXN=1" in text
    assert "stage 2: rwx: Normal-WB, inner" in lines
    assert "  EL0 read   stage 1 permission fault, level 3: to EL1, ESR_EL1 0x9200000f, FAR_EL1 0x80000000" in lines
    said = json.loads(run(f"walk {CODE_VA:#x} --explain --json")[0])["explained"]
    assert [(o["access"], o["el"]) for o in said["accesses"]] == [
        (a, el) for el in (1, 0) for a in ("read", "write", "fetch")
    ]
    assert sorted(said["par"]) == sorted(f"{s}E{el}{a}" for s in ("S1", "S12") for el in (0, 1) for a in "RW")
