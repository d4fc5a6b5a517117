"""Oracle: capstone knows A64. What it can disassemble is a row of the instruction table, or is listed here with a reason.

Words are sampled over the encoding space, all fixed fields of SIMD and FP filled systematically. The list expires: an
entry of which the sample shows nothing any more must go.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import capstone
import pytest

from gdbhv import _core
from oracle import generate

# Mnemonics, by the feature that brings them; none of these is in a profile.
NOT_IMPLEMENTED = {
    "SM3": "sm3*",
    "SM4": "sm4*",
    "BF16": "bfdot bfmlal[bt] bfmmla bfcvt*",
    "MTE": "addg subg irg gmi subp subps ldg st2g stg stz2g stzg ldgm stgm stzgm",
    "MOPS": "cpy[fempt]* set[egpm]*",
    "HBC": "bc.*",
    "LS64": "ld64b st64b st64bv st64bv0",
    "TME": "tcancel tcommit",
}
# SVE, SVE2 and SME have encoding groups of their own (C4.1: op0, bits 28:25): 0010, and 0000 with bit 31.
SVE_SME = (0b0010, 0b0000)

TOP = 21  # bits 31:21 select what the sample walks through; the table's rows are looked up by them


def _value(pattern: str, letters: str) -> int:
    return sum(1 << 31 - place for place, letter in enumerate(pattern) if letter in letters)


class Rows:
    """The table's patterns, by the bits from TOP up."""

    def __init__(self) -> None:
        self.all = [(_value(p, "01"), _value(p, "1"), _value(p, "+")) for p in (r["pattern"] for r in _core.instructions())]

    def near(self, top: int) -> list[tuple[int, int, int]]:
        upper = 0xFFFF_FFFF >> TOP << TOP
        return [row for row in self.all if (top << TOP ^ row[1]) & row[0] & upper == 0]


def words(rng: random.Random, top: int) -> Iterator[int]:
    """Return words with these upper bits: of SIMD and FP one for each value of bits 20:10, else random ones."""
    if top >> 4 & 7 == 7:
        return (top << TOP | middle << 10 | rng.getrandbits(10) for middle in range(1 << 11))
    return (top << TOP | rng.getrandbits(TOP) for _ in range(400))


def allocated(word: int) -> bool:
    """Whether capstone is right to know it: it takes any system instruction with op0 = 0 for MSR or MRS (C4.1.93)."""
    if word >> 22 != 0b1101010100 or word >> 19 & 3:
        return True
    hints_barriers_pstate = word >> 12 & 15 in (2, 3, 4) and word & 31 == 31
    return not word >> 21 & 1 and hints_barriers_pstate


@pytest.fixture(scope="module")
def uncovered() -> dict[str, int]:
    """Mnemonics of words that capstone knows and no row claims, with an example."""
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    rng, rows = random.Random(2026), Rows()
    found: dict[str, int] = {}
    for top in range(1 << 32 - TOP):
        if top >> 4 & 15 in SVE_SME:
            continue
        near = rows.near(top)
        for word in words(rng, top):
            if any(word & mask == fixed and (not some or word & some) for mask, fixed, some in near):
                continue
            known = next(disassembler.disasm_lite(word.to_bytes(4, "little"), 0), None)
            if known and allocated(word):
                found.setdefault(known[2], word)
    return found


def _reasons(mnemonic: str) -> list[str]:
    return [f for f, globs in NOT_IMPLEMENTED.items() if any(fnmatchcase(mnemonic, glob) for glob in globs.split())]


def test_what_capstone_knows_is_a_row_or_has_a_reason(uncovered: dict[str, int]) -> None:
    unexplained = {mnemonic: f"{word:08x}" for mnemonic, word in uncovered.items() if not _reasons(mnemonic)}
    assert not unexplained


@pytest.mark.parametrize("feature", NOT_IMPLEMENTED)
def test_reasons_are_still_needed(uncovered: dict[str, int], feature: str) -> None:
    assert [mnemonic for mnemonic in uncovered if feature in _reasons(mnemonic)], "implemented: take it off the list"
    assert all(feature not in features for _, features in _core.profiles())


@pytest.mark.parametrize("row", [r for r in _core.instructions() if r["kind"] != "undefined"], ids=lambda r: r["name"])
def test_capstone_knows_the_row(row: dict[str, Any]) -> None:
    rng = random.Random(row["name"])
    assert any(generate.disassemble(generate.fill(rng, row["pattern"])) for _ in range(1000))
