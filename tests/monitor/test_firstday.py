"""Mistakes of everybody's first day at EL2, planted in a few instructions, and what ``doctor`` says. Oracle: the Arm ARM."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.monitor.firstday import mistakes
from gdbhv.tables import encode, encoding
from gdbhv.target import Target

RAM = 0x40000000
VECTORS, GUEST, TABLES, EMPTY = RAM + 0x800, RAM + 0x2000, RAM + 0x10000, RAM + 0x100000
NOP, ERET, ISB, LOOP, UDF = 0xD503201F, 0xD69F03E0, 0xD5033FDF, 0x14000000, 0
BR_X0, PUSH_X0 = 0xD61F0000, 0xF81F0FE0  # BR X0; STR X0, [SP, #-16]!
MSR_SCTLR = 0xD5000000 | encoding("SCTLR_EL2") << 5  # MSR SCTLR_EL2, X0
TCR = encode("TCR_EL2", T0SZ=32, IRGN0=1, ORGN0=1, SH0=3) | 1 << 31 | 1 << 23
ON = 0x30C50830 | 1 | 1 << 2 | 1 << 12  # RES1; M, C, I
BLOCK = 1 | 1 << 2 | 3 << 8 | 1 << 10 | 1 << 6
MAIR = 0xFF04


def machine(code: list[int], *, cpus: int = 1, blocks: dict[int, int] | None = None, **registers: int) -> Machine:
    """EL2 with vectors that loop, ``code`` at the start of RAM, and ``blocks``: descriptors by address."""
    made = Machine(memory=64 << 20, cpus=cpus)
    pieces = [(RAM, b"".join(w.to_bytes(4, "little") for w in code))]
    pieces += [(VECTORS + n, LOOP.to_bytes(4, "little")) for n in range(0, 0x800, 0x80)]
    pieces += [(a, d.to_bytes(8, "little")) for a, d in (blocks or {}).items()]
    made.start(pieces, RAM, 0)
    for name, value in {"VBAR_EL2": VECTORS, "MAIR_EL2": MAIR, "sp": RAM + 0x8000, **registers}.items():
        made.core.write_register(0, name, value)
    return made


def said(made: Target) -> list[str]:
    return list(mistakes(made, made.processes()[0].threads[0].id))


FLAT = {TABLES + 8: RAM | BLOCK}  # level 1: the GiB of RAM

PLANTED: dict[str, tuple[dict[str, Any], str]] = {
    "a jump into zeroed memory": (
        {"code": [BR_X0], "x0": EMPTY},
        rf"it has jumped to {EMPTY:#x}, where memory is zero",
    ),
    "an image that is linked elsewhere": (
        {"code": [BR_X0], "x0": 0x80001000},
        r"it executes at 0x80001000, where the board has no memory .* the image is linked for another address",
    ),
    "the MMU on, and nothing is mapped": (
        {"code": [MSR_SCTLR, ISB], "x0": ON, "TCR_EL2": TCR, "TTBR0_EL2": TABLES},
        r"not even the vectors are mapped: SCTLR_EL2.M is 1, and TTBR0_EL2 \(0x40010000\) does not map 0x40000a00",
    ),
    "the caches off": (
        {"code": [MSR_SCTLR, ISB, LOOP], "x0": ON & ~4, "TCR_EL2": TCR, "TTBR0_EL2": TABLES, "blocks": FLAT},
        r"SCTLR_EL2.M is 1 and SCTLR_EL2.C is 0: all data is Non-cacheable",
    ),
    "walks past the caches": (
        {"code": [MSR_SCTLR, ISB, LOOP], "x0": ON, "TCR_EL2": TCR & ~(3 << 8), "TTBR0_EL2": TABLES, "blocks": FLAT},
        r"TCR_EL2.IRGN0 or ORGN0 is 0: walks go past the caches",
    ),
    "tables that are not shared": (
        {
            "code": [MSR_SCTLR, ISB, LOOP],
            "x0": ON,
            "TCR_EL2": TCR & ~(3 << 12),
            "TTBR0_EL2": TABLES,
            "blocks": FLAT,
            "cpus": 2,
        },
        r"TCR_EL2.SH0 is 0, Non-shareable: of tables that one CPU writes another need not see anything",
    ),
    "no vectors": ({"code": [UDF], "VBAR_EL2": 0}, r"VBAR_EL2 is 0: it was never set, and an exception goes to 0x200"),
    "no stack": ({"code": [PUSH_X0], "sp": 0}, r"sp is 0x0, and an access beside it has faulted .* was not set"),
    "a stack that is not aligned": (
        {"code": [MSR_SCTLR, ISB, PUSH_X0], "x0": 0x30C50830 | 8, "sp": RAM + 0x8008},
        r"sp is 0x40008008, which is not aligned to 16 bytes \(SCTLR_EL2.SA",
    ),
    "another granule": (
        {"code": [MSR_SCTLR, ISB], "x0": ON, "TCR_EL2": TCR | 1 << 14, "TTBR0_EL2": TABLES, "blocks": FLAT},
        r"TCR_EL2.TG0 is 1 \(64 KiB\), and the tables map 0x40000a00 with 0 \(4 KiB\)",
    ),
    "another start level": (
        {
            "code": [ERET],
            "ELR_EL2": GUEST,
            "SPSR_EL2": 0x3C5,
            "HCR_EL2": 1 << 31 | 1,
            "VTTBR_EL2": TABLES,
            "VTCR_EL2": encode("VTCR_EL2", T0SZ=32, SL0=0, SH0=3, IRGN0=1, ORGN0=1) | 1 << 31,
            "blocks": {TABLES + 8: RAM | 0x7FD},
        },
        r"stage 2 does not map IPA 0x40002000 with VTCR_EL2.SL0 = 0, and it does with 1: the walk starts at another level",
    ),
    "an illegal exception return": (
        {"code": [ERET, LOOP], "ELR_EL2": RAM + 4, "SPSR_EL2": 0x3CD},
        r"the exception return to 0x40000004 was illegal \(PSTATE.IL\): SPSR_EL2.M has named .* HCR_EL2.RW must be 1",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_it_is_recognised_and_said_first(name: str) -> None:
    planted, wanted = PLANTED[name]
    made = machine(**planted)
    made.run_all(50)
    found = said(made)
    assert found, name
    assert re.search(wanted, found[0]), found
    run = registry.bind(made)
    lines = [str(line) for line in run("doctor", made.processes()[0].threads[0].id)]
    assert f"  {found[0]}" in lines


def test_the_next_instruction_is_not_mapped_and_the_vectors_are() -> None:
    """A level 2 table maps the first 2 MiB of RAM, where the vectors are; the MMU is switched on behind them."""
    high = RAM + 0x400000
    blocks = {TABLES + 8: TABLES + 0x1000 | 3, TABLES + 0x1000: RAM | BLOCK, high: MSR_SCTLR | ISB << 32}
    made = machine([BR_X0], blocks=blocks, x0=high, TCR_EL2=TCR, TTBR0_EL2=TABLES)
    made.run_all(1)
    made.core.write_register(0, "x0", ON)
    made.run_all(20)
    # It is at the vector, which is mapped: what went wrong is where it came from.
    (first, *_) = said(made)
    assert first.startswith(
        f"the MMU was switched on at {high:#x}, and the next instruction is not mapped: SCTLR_EL2.M is 1"
    )


def test_vectors_that_are_not_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine([UDF], VBAR_EL2=RAM + 0x3000)
    monkeypatch.setattr(made, "symbols", lambda thread: ({"my_vectors": RAM + 0x3040}, "it"))
    made.run_all(20)
    assert said(made)[0] == (
        "VBAR_EL2 is 0x40003000 and my_vectors is at 0x40003040: vectors are aligned to 2 KiB, the low 11 bits are lost"
    )


def test_a_second_cpu_without_tables() -> None:
    made = machine([LOOP], cpus=2, TCR_EL2=TCR, TTBR0_EL2=TABLES, blocks=FLAT)
    core = made.core
    for name, value in {"pc": RAM, "SCTLR_EL2": ON, "TCR_EL2": TCR, "cpsr": 0x3C9}.items():
        core.write_register(1, name, value)
    found = list(mistakes(made, made.processes()[0].threads[1].id))
    assert "TTBR0_EL2 is 0 on this CPU, while cpu0 has 0x40010000: each CPU sets its own registers" in found


def test_what_is_right_is_not_blamed() -> None:
    made = machine([MSR_SCTLR, ISB, LOOP], x0=ON, TCR_EL2=TCR, TTBR0_EL2=TABLES, blocks=FLAT, cpus=2)
    made.run_all(20)
    assert said(made) == []
