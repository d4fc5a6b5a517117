"""Conditions that the machine judges. Oracle: :mod:`gdbhv.rsp.agent`, which follows the GDB manual's appendix F."""

from __future__ import annotations

import random

import pytest

from gdbhv import _core
from gdbhv.errors import GdbhvError
from gdbhv.rsp.agent import evaluate
from hv.programs import CODE, add, branch, code
from rsp.test_rsp_agent import VALUES

DATA = CODE + 0x1000
BYTES = bytes(range(1, 17))
SCTLR = 0x30D00800
NEVER = 1 << 62


@pytest.fixture(scope="module")
def machine() -> _core.Machine:
    """X0 counts in a loop, to which DATA is near."""
    made = _core.Machine(memory=1 << 24, hosted=False, el2=False)
    made.write_pa(CODE, code(add(0, 0, 1), branch(-1)))
    made.write_pa(DATA, BYTES)
    return made


def registers(machine: _core.Machine, number: int) -> int:
    if number <= 30:
        return machine.read_register(0, f"x{number}")
    if number <= 33:
        return machine.read_register(0, ("sp", "pc", "cpsr")[number - 31])
    try:
        return machine.read_register(0, number)
    except (KeyError, OverflowError) as error:
        raise GdbhvError(str(error)) from None


def stops(machine: _core.Machine, *conditions: bytes, x0: int = 10) -> bool:
    """Whether the machine stops before CODE, where x0 has that value."""
    machine.write_register(0, "pc", CODE + 4)
    machine.write_register(0, "x0", x0)
    machine.write_register(0, "x1", DATA)
    machine.insert_breakpoint(CODE, conditions=conditions)
    try:
        return machine.run(NEVER, 1, sum(machine.insns) + 2)["kind"] == "swbreak"
    finally:
        machine.remove_breakpoint(CODE)


OPERATIONS = [row for row in VALUES if not {"17", "18", "19", "1a", "c080"} & set(row[0].split())]
"""Those without a memory and registers of the other test's own."""


@pytest.mark.parametrize(("text", "value"), OPERATIONS)
def test_it_has_the_value_that_the_manual_gives_it(machine: _core.Machine, text: str, value: int) -> None:
    whole = bytes.fromhex(text)
    if "27 " in text or " 21 " in f" {text}":
        assert stops(machine, whole) == (value != 0)
        return
    equal = whole[:-1] + b"\x25" + value.to_bytes(8, "big") + b"\x13"
    assert stops(machine, equal + b"\x27")
    assert not stops(machine, equal + b"\x0e\x27")


@pytest.mark.parametrize(("reference", "value"), [("17", 1), ("18", 0x201), ("19", 0x4030201), ("1a", 0x807060504030201)])
def test_memory_and_registers(machine: _core.Machine, reference: str, value: int) -> None:
    read = bytes.fromhex(f"26 0001 {reference} 25") + value.to_bytes(8, "big")
    assert stops(machine, read + b"\x13\x27")
    assert not stops(machine, read + b"\x13\x0e\x27")


def test_a_system_register_the_pc_and_the_state(machine: _core.Machine) -> None:
    machine.write_register(0, "SCTLR_EL1", SCTLR)
    for number in (0xC080, 31, 32, 33):
        machine.write_register(0, "pc", CODE)
        read = b"\x26" + number.to_bytes(2, "big") + b"\x25" + registers(machine, number).to_bytes(8, "big")
        assert stops(machine, read + b"\x13\x27"), hex(number)
        assert not stops(machine, read + b"\x13\x0e\x27"), hex(number)


def test_one_of_several_is_enough_and_the_last_insertion_counts(machine: _core.Machine) -> None:
    no, yes = b"\x22\x00\x27", b"\x22\x01\x27"
    assert stops(machine, no, yes)
    assert not stops(machine, no, no)
    assert stops(machine)
    machine.insert_breakpoint(CODE, conditions=[no])
    assert not stops(machine, no)


def test_a_hardware_breakpoint_at_the_same_place_has_its_own(machine: _core.Machine) -> None:
    """The one whose condition holds is the one that is hit."""
    for mine, other, kind in ((0, 1, "hwbreak"), (1, 0, "swbreak"), (0, 0, "budget")):
        machine.write_register(0, "pc", CODE + 4)
        machine.insert_breakpoint(CODE, conditions=[bytes((0x22, mine, 0x27))])
        machine.insert_breakpoint(CODE, hardware=True, conditions=[bytes((0x22, other, 0x27))])
        assert machine.run(NEVER, 1, sum(machine.insns) + 4)["kind"] == kind
        machine.remove_breakpoint(CODE)
        machine.remove_breakpoint(CODE, hardware=True)


@pytest.mark.parametrize(
    "text", ["02 27", "27", "2201 2200 05 27", "24 08000000 1a 27", "21 0000 27", "21 0099 27", "2201 28 21 0002 27"]
)
def test_what_has_no_value_stops(machine: _core.Machine, text: str) -> None:
    """The host side has the reason to say."""
    assert stops(machine, bytes.fromhex(text))


def test_a_condition_in_a_loop_stops_once_at_its_value(machine: _core.Machine) -> None:
    wanted = b"\x26\x00\x00\x25" + (12345).to_bytes(8, "big") + b"\x13\x27"
    for after in (0, 1):
        machine.compile_after(after)
        machine.write_register(0, "pc", CODE)
        machine.write_register(0, "x0", 0)
        begin = sum(machine.insns)
        machine.insert_breakpoint(CODE, conditions=[wanted])
        assert machine.run(NEVER, 1)["kind"] == "swbreak"
        assert (machine.read_register(0, "x0"), sum(machine.insns) - begin) == (12345, 2 * 12345)
        machine.remove_breakpoint(CODE)


def test_random_code_is_judged_as_the_host_side_judges_it(machine: _core.Machine, seed: int) -> None:
    rng = random.Random(seed)
    numbers = (0x22, 0x23, 0x26, 0x28)
    compared = 0
    for _ in range(3000):
        out = bytearray(b"\x26\0\0\x22\x07\x26\0\x01\x23\xff\xfe"[: rng.choice((3, 5, 8, 11))])
        for _ in range(rng.randrange(1, 14)):
            operation = rng.choice(
                (
                    *numbers,
                    *numbers,
                    *range(0x02, 0x0C),
                    *range(0x0E, 0x17),
                    0x17,
                    0x1A,
                    0x27,
                    0x28,
                    0x29,
                    0x2A,
                    0x2B,
                    0x32,
                    0x33,
                )
            )
            out.append(operation)
            length = {0x16: 1, 0x22: 1, 0x23: 2, 0x26: 2, 0x2A: 1, 0x32: 1}.get(operation, 0)
            out += {0x26: bytes((0, rng.randrange(34)))}.get(operation, bytes(rng.randrange(70) for _ in range(length)))
        program = bytes(out) + b"\x27"
        machine.write_register(0, "pc", CODE)
        machine.write_register(0, "x0", 10)
        machine.write_register(0, "x1", DATA)

        def memory(address: int, length: int) -> bytes:
            try:
                return machine.read_pa(address, length)
            except (ValueError, OverflowError, LookupError):
                return b""

        try:
            expected = evaluate(program, lambda number: registers(machine, number), memory) != 0
            compared += 1
        except (GdbhvError, KeyError):
            expected = True
        assert stops(machine, program) == expected, program.hex()
    assert compared > 300
