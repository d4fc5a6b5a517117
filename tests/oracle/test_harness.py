"""The harness itself, on QEMU: outcomes that the architecture fixes are seen, each case ends, and runs agree."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from oracle import batch, generate, qemu

X = tuple(range(31))
BYTES = bytes(range(256))
CASES = {
    "add x1, x2, x3": (batch.Case((0x8B030041,), x=X), {"x1": 5, "pc": 4, "ec": 0x3C, "spsr": batch.EL1H}),
    "the same at EL0": (batch.Case((0x8B030041,), x=X, spsr=batch.EL0T), {"x1": 5, "pc": 4, "ec": 0x3C, "spsr": batch.EL0T}),
    "add sp, sp, #4": (batch.Case((0x910013FF,), sp=0x100), {"sp": 0x104, "pc": 4}),
    "subs wzr, w0, w0": (batch.Case((0x6B00001F,)), {"spsr": batch.EL1H | 6 << 28, "pc": 4}),
    "ldr x1, [x0]": (batch.Case((0xF9400001,), x=(batch.WINDOW + 8, *X[1:]), window=BYTES), {"x1": 0x0F0E0D0C0B0A0908}),
    "strb w1, [x0]": (batch.Case((0x39000001,), x=(batch.WINDOW, *X[1:]), window=BYTES), {"window": b"\1" + BYTES[1:]}),
    "ldr over the end": (
        batch.Case((0xF9400001,), x=(batch.PAGE_END - 4, *X[1:])),
        {"far": batch.PAGE_END, "ec": 0x25, "x1": 1},
    ),
    "udf": (batch.Case((0,)), {"ec": 0, "pc": 0}),
    "svc #7": (batch.Case((0xD40000E1,)), {"esr": 0x56000007, "pc": 4}),
    "b .+8": (batch.Case((0x14000002,)), {"pc": 8, "ec": 0x3C}),
    "b .+16 MiB": (batch.Case((0x14400000,)), {"pc": 1 << 24, "ec": 0x21}),
    "br x0, misaligned": (batch.Case((0xD61F0000,), x=(batch.ZONE + 2, *X[1:])), {"far": batch.ZONE + 2, "ec": 0x22}),
    "ldxr, stxr": (
        batch.Case((0xC85F7C01, 0xC8027C03), x=(batch.WINDOW, *X[1:])),
        {"x1": 0, "x2": 0, "window": b"\3" + bytes(255), "pc": 8},
    ),
    "and v0.16b, v1.16b, v2.16b": (
        batch.Case((0x4E221C20,), v=struct.pack("<6Q", 0, 0, 7, 8, 5, 12) + bytes(464)),
        {"v0": struct.pack("<2Q", 5, 8)},
    ),
    "msr nzcv, x0": (batch.Case((0xD51B4200,), x=(9 << 28, *X[1:])), {"spsr": batch.EL1H | 9 << 28}),
}


def seen(outcome: batch.Outcome, name: str) -> object:
    if name[0] in "xv" and name[1:].isdigit():
        number = int(name[1:])
        return outcome.x[number] if name[0] == "x" else outcome.v[number * 16 : number * 16 + 16]
    return getattr(outcome, name)


@pytest.fixture(scope="module")
def known() -> dict[str, batch.Outcome]:
    return dict(zip(CASES, qemu.run([case for case, _ in CASES.values()], "cortex-a57"), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_known_outcome(known: dict[str, batch.Outcome], name: str) -> None:
    _, expected = CASES[name]
    assert {key: seen(known[name], key) for key in expected} == expected


def test_random_cases_end_and_agree_with_themselves(seed: int, cases: Callable[[int], int]) -> None:
    patterns = ["s0001011hh0mmmmmiiiiiinnnnnddddd", "1x111001ooiiiiiiiiiiiinnnnnttttt", "x010100pp1iiiiiiituuuunnnnnddddd"]
    patterns += ["000101iiiiiiiiiiiiiiiiiiiiiiiiii", "b011011obbbbbiiiiiiiiiiiiiittttt", "1101011000011111000000nnnnn00000"]
    rows = [{"name": pattern, "pattern": pattern} for pattern in patterns]
    some = generate.batch_of(random.Random(seed), rows, cases(600))
    first, second = qemu.run(some), qemu.run(some)
    assert [batch.differences(*each) for each in zip(some, first, second, strict=True)] == [[]] * len(some)
    assert {outcome.ec for outcome in first} >= {0x00, 0x3C, 0x21, 0x20, 0x22}
