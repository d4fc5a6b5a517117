"""Oracle: QEMU. Random base instructions leave the same registers, flags, memory and syndrome on gdbhv.

``--cases N`` makes it N cases for each group of instructions and profile, ``--seed`` repeats a run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from gdbhv import _core
from oracle import batch, differ, generate, ours

OTHERS = ("fp_", "simd_", "crypto", "pauth")  # tested elsewhere
UNRUNNABLE = {  # rows that the harness cannot run, with what tests them
    "HVC": "would end in EL2: guests/exit_zoo",
    "HLT": "is undefined, or semihosting: tests/oracle/test_semihosting.py",
    "SMC": "is the firmware's: guests/exit_zoo",
    "ERET": "would return to itself for ever: every case is entered by one",
    "WFE": "may wait for ever",
    "WFI": "may wait for ever",
    "WFET": "QEMU 7.2 does not have it: guests/system/wfxt.c",
    "WFIT": "as WFET",
    "SYS": "cache and TLB maintenance: tests of the MMU",
    "SYSL": "as SYS",
}
HARMFUL = ("MRS", "MSR_reg", "MSR_PAN")  # would change what the harness runs on; the system registers have their own tests
BASE = [row for row in _core.instructions() if row["kind"] != "undefined" and not row["group"].startswith(OTHERS)]
ROWS = [row for row in BASE if row["name"] not in UNRUNNABLE and row["name"] not in HARMFUL]
GROUPS = sorted({row["group"] for row in ROWS})
PROFILES = {name: set(features) for name, features in _core.profiles()}


def test_unrunnable_rows_exist_and_need_to_be_named() -> None:
    named = {row["name"]: row["pattern"] for row in BASE if row["name"] in UNRUNNABLE}
    assert set(named) == set(UNRUNNABLE)
    rng = random.Random(0)
    for pattern in named.values():
        with pytest.raises(ValueError, match="nothing in it can be run"):
            generate.case(rng, pattern, 0)


@pytest.mark.parametrize("cpu", differ.REFERENCE)
@pytest.mark.parametrize("group", GROUPS)
def test_random_instances(group: str, cpu: str, seed: int, cases: Callable[[int], int]) -> None:
    rows = [row for row in ROWS if row["group"] == group and row["feature"] in PROFILES[cpu]]
    if not rows:
        pytest.skip(f"{cpu} has nothing of {group}")
    some = generate.batch_of(random.Random(f"{seed}{group}"), rows, cases(40 * len(rows)))
    differ.check(some, cpu)


@pytest.mark.parametrize("cpu", PROFILES)
def test_rows_of_features_that_a_profile_lacks_are_undefined(cpu: str, seed: int) -> None:
    rows: list[dict[str, Any]] = [row for row in ROWS if row["feature"] not in PROFILES[cpu]]
    if not rows:
        pytest.skip(f"{cpu} has all features")
    some = generate.batch_of(random.Random(seed), rows, 4 * len(rows))
    ended = [(case.name, outcome.ec, outcome.pc) for case, outcome in zip(some, ours.run(some, cpu), strict=True)]
    assert ended == [(case.name, 0, 0) for case in some]


def unallocated(rng: random.Random) -> int:
    """Return any word but an exception-generating, system, FP or SIMD instruction (Arm ARM C4.1)."""
    while True:
        word = rng.getrandbits(32)
        if word >> 26 & 3 != 3 and word >> 24 not in (0xD4, 0xD5):
            return word


@pytest.mark.parametrize("cpu", ["cortex-a57"])
def test_random_words(cpu: str, seed: int, cases: Callable[[int], int]) -> None:
    """What is UNDEFINED there is so here, and nothing else is."""
    rng = random.Random(seed)
    some: list[batch.Case] = []
    while len(some) < cases(3000):
        word, index = unallocated(rng), len(some) % batch.MAX_CASES
        if generate.runnable(word, index):
            some.append(generate.case(rng, f"{word:032b}", index, "random word"))
    differ.check(some, cpu)


EXCLUSIVES = {
    "ldxr stxr": (0xC85F7C01, 0xC8027C03),
    "ldaxr stlxr, 32 bits": (0x885FFC01, 0x8802FC03),
    "ldxrb stxrb": (0x085F7C01, 0x08027C03),
    "ldxrh stxrh": (0x485F7C01, 0x48027C03),
    "ldxp stxp": (0xC87F1005, 0xC8221003),
    "ldxp stxp, 32 bits": (0x887F1005, 0x88221003),
    "ldxr clrex stxr": (0xC85F7C01, 0xD5033F5F, 0xC8027C03),
    "ldxr stxr stxr": (0xC85F7C01, 0xC8027C03, 0xC8067C05),
    "stxr alone": (0xC8027C03,),
}


@pytest.mark.parametrize("cpu", differ.REFERENCE)
def test_exclusives(cpu: str) -> None:
    """Pairs of exclusives; an instruction alone never has the monitor, because ERET clears it.

    Not here, because the architecture leaves it open (Arm ARM B2.12): a store between them, another size in the second.
    """
    x = (batch.WINDOW + 32, *range(1, 31))
    some = [
        batch.Case(words, x=x, spsr=spsr, window=bytes(range(256)), name=name)
        for name, words in EXCLUSIVES.items()
        for spsr in (batch.EL0T, batch.EL1H)
    ]
    differ.check(some, cpu)
