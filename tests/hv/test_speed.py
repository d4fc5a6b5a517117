"""How long an instruction takes (`--ns-per-insn`): virtual time goes by with it, and nothing else changes."""

from __future__ import annotations

import pytest

from gdbhv import _core
from gdbhv.target import Action, StopKind
from hv.programs import CODE, HVC0, STR_X0_X1, add, bare, hosted, mrs, thread

MACHINES = {"bare": bare, "hosted": hosted}
CNTVCT_X0, CNTVCT_X2 = (mrs(3, 14, 0, 2, rt) for rt in (0, 2))
OFF = (0xD2B08000, 0xF2800100, HVC0)  # MOV x0, #0x84000000; MOVK x0, #8; HVC #0
CMP_X2_X1, B_LO, B_NE, WFIT_X1 = 0xEB01005F, 0x54000003, 0x54000001, 0xD5031021
MOV_X1_12241 = 0xD2800000 | 12241 << 5 | 1
COUNT = 625  # of the counter's 16 ns
DELAY = (CNTVCT_X0, add(1, 0, COUNT), CNTVCT_X2, CMP_X2_X1, B_LO | (-2 & 0x7FFFF) << 5, *OFF)
WORK = (
    *(0xD2A80041, 0xD2804003),  # MOV x1, #0x40020000; MOV x3, #512
    *(STR_X0_X1, 0x91002021, 0xF1000463, B_NE | (-3 & 0x7FFFF) << 5),  # STR x0, [x1]; ADD x1, x1, #8; SUBS x3, x3, #1; B.NE
    *OFF,
)


def run(kind: str, words: tuple[int, ...], ns: int) -> tuple[int, int, int, int]:
    """Instructions, nanoseconds and exits of a program that powers off, and what x2 was."""
    target = MACHINES[kind](*words, ns_per_insn=ns)
    core = target.machine if kind == "hosted" else target.core
    assert target.run_all().kind is StopKind.POWEROFF
    return sum(core.insns), core.now, core.exits, core.x(0, 2)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("ns", [2, 7, 100, 1000])
def test_what_does_not_look_at_time_is_the_same(kind: str, ns: int) -> None:
    insns, now, exits, _ = run(kind, WORK, 1)
    assert insns > 3 * 512
    assert run(kind, WORK, ns) == (insns, now * ns, exits, 0)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("ns", [2, 7, 100, 1000])
def test_a_busy_wait_takes_as_long_in_fewer_instructions(kind: str, ns: int) -> None:
    (insns, now, *_), (fewer, later, *_) = (run(kind, DELAY, n) for n in (1, ns))
    assert insns > COUNT * 16
    assert abs(fewer - insns / ns) < 12, "the loop has three instructions, and eight are around it"
    assert abs(later - now) < 12 * ns
    assert run(kind, DELAY, ns) == run(kind, DELAY, ns)


@pytest.mark.parametrize("ns", [1, 3, 7, 16, 100, 999])
def test_a_deadline_is_the_first_instruction_at_which_it_is_met(ns: int) -> None:
    _, _, _, count = run("bare", (MOV_X1_12241, WFIT_X1, CNTVCT_X2, *OFF), ns)
    assert count == -(-12241 * 16 // ns) * ns // 16


def test_a_step_is_one_instruction() -> None:
    target = bare(*WORK, ns_per_insn=100)
    assert target.run([Action(thread(), step=True)]).kind is StopKind.STEP
    assert (target.core.insns, target.core.now) == ([1], 100)
    assert target.read_register(thread(), "pc") == CODE + 4


@pytest.mark.parametrize("ns", [0, 1001])
def test_what_is_out_of_range_is_told(ns: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000 are possible"):
        _core.Machine(memory=1 << 20, ns_per_insn=ns)
