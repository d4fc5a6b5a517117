"""gdb goes back: its own commands, with breakpoints, conditions and watchpoints. Oracle: what it showed on the way there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conftest import ROOT
from e2e.debugged import GDBS
from gdbhv.client.gdbline import GDB_SIDE
from gdbhv.client.launch import launch
from gdbhv.client.session import GdbSession
from gdbhv.client.stops import GdbError

PREBUILT = ROOT / "guests" / "prebuilt"


@pytest.fixture(params=GDBS)
def gdb(request: pytest.FixtureRequest) -> Iterator[GdbSession]:
    with launch(PREBUILT / "two_vcpus.elf", "--smp", "2", gdb=request.param) as session:
        yield session


def test_steps_back_and_forward(gdb: GdbSession) -> None:
    gdb.break_at("increment_together")
    gdb.cont()
    forward = [(gdb.read_register("pc"), gdb.when())]
    for _ in range(5):
        gdb.step_instruction()
        forward.append((gdb.read_register("pc"), gdb.when()))
    for pc, insns in reversed(forward[:-1]):
        assert gdb.reverse_step_instruction().pc == pc
        assert (gdb.read_register("pc"), gdb.when()) == (pc, insns)


def test_a_watchpoint_goes_back_to_before_the_store(gdb: GdbSession) -> None:
    number = gdb.watch("counter")
    for _ in range(4):
        gdb.cont(at=number)
    assert gdb.evaluate("counter") == "4"
    values, places = [], []
    for _ in range(3):
        assert gdb.reverse_continue().breakpoint == number
        values.append(gdb.evaluate("counter"))
        places.append(gdb.execute("x/i $pc"))
    assert values == ["3", "2", "1"]
    assert all("str\t" in place for place in places), "it stands at the store, which has not executed"


def test_a_condition_holds_backwards(gdb: GdbSession) -> None:
    three = gdb.break_at("unlock", condition="counter == 3")
    gdb.cont(at=three)
    there = gdb.when()
    six = gdb.break_at("unlock", condition="counter == 6")
    gdb.cont(at=six)
    gdb.reverse_continue()
    assert (gdb.evaluate("counter"), gdb.when()) == ("3", there)


def test_the_ends_of_the_past_are_told(gdb: GdbSession) -> None:
    gdb.break_at("increment_together")
    gdb.cont()
    gdb.execute("delete")
    there = gdb.when()
    assert "the past that is kept begins here" in gdb.reverse_continue().text  # gdb 13 gives no reason in MI
    assert gdb.when() == 0
    assert "the present: from here on the machine does something new" in gdb.cont().text
    assert gdb.when() == there


def test_places_by_name_and_number(gdb: GdbSession) -> None:
    gdb.break_at("increment_together")
    gdb.cont()
    there, pc = gdb.when(), gdb.read_register("pc")
    assert gdb.monitor("mark here").startswith(f"mark here: instruction {there:,}, ")
    assert gdb.goto(100).startswith("instruction 100, ")
    assert gdb.when() == 100
    assert gdb.goto("-50").startswith("instruction 50, ")
    said = gdb.back_to_exit()
    assert said.startswith("dabt."), said
    first = gdb.when()
    gdb.goto("exit:2")
    assert gdb.when() >= first
    gdb.goto("mark:here")
    assert (gdb.when(), gdb.read_register("pc")) == (there, pc)
    assert "the present" in gdb.monitor("when")


def test_a_change_in_the_past_is_a_fork(gdb: GdbSession) -> None:
    gdb.break_at("increment_together")
    gdb.cont()
    there = gdb.when()
    gdb.goto("-200")
    with pytest.raises(GdbError, match="this is the past, which is looked at and not changed"):
        gdb.monitor("inject power-button")
    assert gdb.monitor("history fork mine").startswith("run mine: instruction ")
    gdb.write_register("x20", 0x55)
    gdb.step_instruction()
    names = {row["name"]: row["from"] for row in gdb.monitor_json("history list")}
    assert names == {"main": None, "mine": "main"}
    gdb.monitor("history switch main")
    assert gdb.when() == there


def test_lines_calls_and_functions_backwards(gdb: GdbSession) -> None:
    """reverse-step goes into a call from behind, reverse-next over it, reverse-finish to where it was made."""
    gdb.cont(at=gdb.break_at("unlock"))
    gdb.execute("delete")
    inside = [(frame.function, frame.line) for frame in gdb.backtrace()]
    assert [function for function, _ in inside[:2]] == ["unlock", "increment_together"]
    unlocks = inside[1][1]
    assert unlocks is not None
    ways = []
    for back in (gdb.reverse_next, gdb.reverse_step):
        called = gdb.reverse_finish().frame
        assert called is not None
        assert (called.function, called.line) == inside[1]
        way = [back().frame for _ in range(5)]
        ways.append([(frame.function, frame.line) for frame in way if frame is not None and frame.line != unlocks])
        gdb.goto("now")
        assert [(frame.function, frame.line) for frame in gdb.backtrace()] == inside
    lines = [("increment_together", unlocks - 1), ("increment_together", unlocks - 2)]
    assert ways[0][:2] == lines, "over lock()"
    assert [function for function, _ in ways[1][:3]] == ["increment_together", "lock", "increment_together"], "through it"


@pytest.mark.parametrize("command", ["gdbhv goto 200", "gdbhv back exit", "gdbhv last-write x0"])
def test_gdbhvs_own_commands_make_gdb_look_again(gdb: GdbSession, command: str) -> None:
    gdb.execute(f"source {GDB_SIDE}")
    gdb.cont(at=gdb.break_at("increment_together"))
    said = gdb.execute(command)
    assert "maintenance flush" not in said
    seen = gdb.read_register("pc")
    for forget in ("maintenance flush register-cache", "maintenance flush dcache"):
        gdb.execute(forget)
    assert gdb.read_register("pc") == seen
    assert gdb.monitor_json("when")["past"]
