"""Agent expressions, one line each. Oracle: GDB manual, appendix F "Bytecode Descriptions"."""

from __future__ import annotations

import random

import pytest

from gdbhv.errors import GdbhvError, PacketError
from gdbhv.rsp.agent import Budget, check, evaluate

M = 1 << 64
REGISTERS = {0: 10, 0xC080: M - 1}
MEMORY = bytes(range(1, 17))


def run(code: str) -> int:
    data = bytes.fromhex(code)
    check(data)
    return evaluate(data, REGISTERS.__getitem__, lambda address, length: MEMORY[address : address + length])


VALUES = [
    ("2205 27", 5),
    ("23 1234 27", 0x1234),
    ("24 12345678 27", 0x12345678),
    ("25 ffffffffffffffff 27", M - 1),
    ("2205 2203 02 27", 8),
    ("2203 2205 03 27", M - 2),
    ("2203 2205 04 27", 15),
    ("22f9 16 08 2202 05 27", M - 3),  # -7 / 2 = -3
    ("22f9 16 08 2202 07 27", M - 1),  # -7 % 2 = -1
    ("22f9 2202 06 27", 0x7C),
    ("22f9 2202 08 27", 1),
    ("2201 2204 09 27", 16),
    ("22f0 16 08 2202 0a 27", M - 4),
    ("22f0 2202 0b 27", 0x3C),
    ("2200 0e 27", 1),
    ("2205 0e 27", 0),
    ("220c 220a 0f 27", 8),
    ("220c 220a 10 27", 14),
    ("220c 220a 11 27", 6),
    ("2200 12 27", M - 1),
    ("2205 2205 13 27", 1),
    ("22ff 16 08 2201 14 27", 1),
    ("22ff 16 08 2201 15 27", 0),
    ("2202 17 27", 3),
    ("2202 18 27", 0x0403),
    ("2200 19 27", 0x04030201),
    ("2200 1a 27", 0x0807060504030201),
    ("26 0000 27", 10),
    ("26 c080 27", M - 1),
    ("2201 20 0008 2200 27 2209 27", 9),
    ("2200 20 0008 2200 27 2209 27", 0),
    ("21 0005 2201 2207 27", 7),
    ("2207 28 02 27", 14),
    ("2207 2208 29 27", 7),
    ("25 ffffffffffffffff 2a 04 27", 15),
    ("2201 2202 2b 03 27", 1),
    ("2201 2202 32 01 27", 1),
    ("2201 2202 2203 33 27", 2),
]
"""Expressions and their values."""


@pytest.mark.parametrize(("code", "value"), VALUES)
def test_value(code, value):
    assert run(code) == value


@pytest.mark.parametrize("code", ["02 27", "27", "2201 2200 05 27", "22ff 1a 27", "21 0000 27", "21 0099 27"])
def test_no_value(code):
    with pytest.raises(GdbhvError):
        run(code)


def printf(text: str, arguments: list[int]) -> bytes:
    pushes = b"".join(b"\x25" + value.to_bytes(8, "big") for value in [*reversed(arguments), 0, 0])
    return pushes + b"\x34" + bytes([len(arguments)]) + (len(text) + 1).to_bytes(2, "big") + text.encode() + b"\0\x27"


@pytest.mark.parametrize(
    "text",
    ["%1025d", "%99999999999999999999d", "%2147483648d", "%.1025d", "%.99999999999x", "%5.5000s", "%-0100000c", "%%%9999p"],
)
def test_a_conversion_that_is_too_wide_is_refused_when_it_is_set_and_when_it_prints(text):
    code = printf(text, [1])
    with pytest.raises(GdbhvError, match="more than 1024 characters"):
        check(code, printf=True)
    with pytest.raises(GdbhvError, match="more than 1024 characters"):
        evaluate(code, REGISTERS.__getitem__, lambda address, length: b"", [].append)


def test_the_programs_of_one_hit_end_and_print_only_so_much():
    loop = bytes.fromhex("21 0000 27")
    budget = Budget()
    for _ in range(3):
        with pytest.raises(GdbhvError, match="does not end within 10000 operations"):
            evaluate(loop, REGISTERS.__getitem__, lambda address, length: b"", budget=budget)
    chatter, said, budget = printf("%1024d" * 15, [1] * 15), [], Budget()
    for _ in range(4):
        evaluate(chatter, REGISTERS.__getitem__, lambda address, length: b"", said.append, budget)
    with pytest.raises(GdbhvError, match="print more than 65536 characters"):
        evaluate(chatter, REGISTERS.__getitem__, lambda address, length: b"", said.append, budget)
    assert len(said) == 4


def test_a_stack_deep_as_it_may_be():
    deep = bytes.fromhex("2201 28 21 0002 27")  # dup for ever
    with pytest.raises(GdbhvError, match="does not end"):
        evaluate(deep, REGISTERS.__getitem__, lambda address, length: b"")


@pytest.mark.parametrize("code", ["", "22", "2205", "0c 27", "34 01 0000 27", "ff 27"])
def test_refused(code):
    with pytest.raises(PacketError):
        check(bytes.fromhex(code))


@pytest.mark.parametrize(
    ("text", "arguments", "printed"),
    [
        ("plain", [], "plain"),
        ("100%%", [], "100%"),
        (r"a\tb\n\"\\\101", [], 'a\tb\n"\\A'),
        ("%d %i", [5, M - 5], "5 -5"),
        ("%ld %d", [M - 1, (1 << 32) + 7], "-1 7"),
        ("%u %x %lX", [M - 1, 0x1FF, 0xABC << 40], "4294967295 1ff ABC0000000000"),
        ("%08x|%-4d|%p", [0x123, 7, 0x40], "00000123|7   |0x40"),
        ("%c%s", [65, 0], "Abc"),
        ("%hhd", [0x180], "-128"),
    ],
)
def test_printf(text, arguments, printed):
    code = printf(text, arguments)
    check(code, printf=True)
    with pytest.raises(PacketError):
        check(code)
    said = []
    assert evaluate(code, REGISTERS.__getitem__, lambda address, length: b"bc\0d", said.append) == 0
    assert said == [printed]


def test_random_code_has_a_value_or_a_reason(seed):
    rng = random.Random(seed)
    for _ in range(3000):
        code = bytes(rng.randrange(0x35) for _ in range(rng.randrange(20))) + b"\x27"
        try:
            check(code, printf=True)
            evaluate(code, lambda number: number, lambda address, length: bytes(length), lambda text: None)
        except GdbhvError:
            pass
