"""Runs cases on gdbhv and on QEMU and says where they differ."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import pytest

from oracle import batch, generate, ours, qemu

# Our profile, and the QEMU CPU that is its reference. Pointer authentication is not to be computed with QARMA5.
REFERENCE = {"cortex-a57": "cortex-a57", "neoverse-n1": "neoverse-n1", "max": "max,pauth-impdef=on"}
BTYPE = 3 << 10  # in an SPSR: QEMU's max has FEAT_BTI
LSE2 = "max"  # QEMU 7.2 does not have FEAT_LSE2
ALIGNMENT = 0x21  # the fault status code
SHOWN = 12
SEVERAL = ("LDP", "LDNP", "LD1", "LD2", "LD3", "LD4")  # rows that load several registers


def report(cases: Sequence[batch.Case], cpu: str) -> str:
    """Return "" if all cases leave the same on both, or else a text with the first differences and how many there are."""
    mine, theirs = ours.run(cases, cpu), qemu.run(cases, REFERENCE[cpu])
    lines: list[str] = []
    wrong: Counter[str] = Counter()
    for index, (case, a, b) in enumerate(zip(cases, mine, theirs, strict=True)):
        if _lax(case, a, b) or (cpu == LSE2 and _within_16_bytes(a, b)):
            continue
        found = batch.differences(case, _comparable(a), _comparable(b))
        if found:
            wrong[case.name] += 1
            if wrong[case.name] <= 2 and sum(wrong.values()) <= SHOWN:
                address = batch.slot(index % batch.MAX_CASES)
                words = "; ".join(f"{word:08x} {generate.text(word, address)}" for word in case.words)
                lines.append(f"{case.name}: {words} at {address:#x}, spsr {case.spsr:#x}, fpcr {case.fpcr:#x}")
                lines += [f"    {line}" for line in found]
    if not wrong:
        return ""
    total = Counter(case.name for case in cases)
    counts = ", ".join(f"{name} {count} of {total[name]}" for name, count in wrong.most_common())
    return "\n".join([f"{cpu}: {sum(wrong.values())} of {len(cases)} cases differ: {counts}", *lines])


def check(cases: Sequence[batch.Case], cpu: str) -> None:
    """Fail with :func:`report`'s text where gdbhv and QEMU differ."""
    text = report(cases, cpu)
    if text:
        pytest.fail(text, pytrace=False)


def _lax(case: batch.Case, mine: batch.Outcome, theirs: batch.Outcome) -> bool:
    """Return whether the two differ because QEMU 7.2 is wrong, or because the architecture leaves it open.

    QEMU never checks SP as a base (Arm ARM D1.3.8.2), nor the alignment of LDAPR (B2.5.2); in the syndrome of a trapped
    MSR DAIFSet or DAIFClr it exchanges Op1 and Op2 (D17.2.37). What a load of several registers leaves in them when it
    ends in a fault is UNKNOWN (C6.2.164), so there both need only fault alike.
    """
    if mine.ec == 0x26 and case.sp % 16 != 0 and mine.pc == 0:
        return True
    if _misaligned(mine) and case.name.startswith("LDAPR"):
        return True
    if case.name.startswith("MSR_DAIF") and mine.ec == theirs.ec == 0x18 and mine.pc == theirs.pc:
        return True
    same_fault = mine.ec in (0x24, 0x25) and (mine.esr, mine.far, mine.pc) == (theirs.esr, theirs.far, theirs.pc)
    return same_fault and mine.window == theirs.window == case.window and case.name.startswith(SEVERAL)


def _misaligned(outcome: batch.Outcome) -> bool:
    return outcome.ec in (0x24, 0x25) and outcome.esr & 0x3F == ALIGNMENT


def _within_16_bytes(mine: batch.Outcome, theirs: batch.Outcome) -> bool:
    """Return whether only FEAT_LSE2 allows the access: an exclusive, atomic or ordered one inside 16 aligned bytes (B2.5.2).

    What it does is for guests/system/alignment.c to say.
    """
    return _misaligned(theirs) and theirs.far & 15 != 0 and not _misaligned(mine)


def _comparable(outcome: batch.Outcome) -> batch.Outcome:
    return dataclasses.replace(outcome, spsr=outcome.spsr & ~BTYPE)
