"""Virtual time and the host's clock: in real time waiting takes as long, and nothing else is different."""

from __future__ import annotations

import threading

import pytest

from gdbhv.console import Console
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.pace import MOST_BEHIND, Pace
from gdbhv.target import StopKind
from hv import programs
from hv.test_waiting import WAYS, make_bare, make_hosted

MS = 1_000_000


class Clock:
    """The host's clock, which moves when somebody sleeps."""

    def __init__(self, target: HostTarget | Machine) -> None:
        self.now, self.slept = 5_000 * MS, 0
        self.pace: Pace = target.pace
        self.pace.realtime = True
        self.pace._clock = lambda: self.now
        self.pace._woken.wait = self.wait  # type: ignore[method-assign]

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout > 0
        self.slept += round(timeout * 1e9)
        self.now += round(timeout * 1e9) + 1000
        return False


def ended(target: HostTarget | Machine) -> tuple[int, list[int]]:
    core = target.machine if isinstance(target, HostTarget) else target.core
    return core.now, core.insns


@pytest.mark.parametrize("hosted", [True, False], ids=["hosted", "bare"])
@pytest.mark.parametrize("way", WAYS)
def test_waiting_takes_its_time_and_changes_nothing(way: str, hosted: bool) -> None:
    make = (lambda: make_hosted(way, 1, 1)) if hosted else (lambda: make_bare(way, el2=True))
    fast, slow = make(), make()
    clock = Clock(slow)
    for target in (fast, slow):
        assert target.run_all().kind is StopKind.POWEROFF
    assert ended(fast) == ended(slow)
    now, insns = ended(slow)
    assert now - sum(insns) - MOST_BEHIND - 20 * MS <= clock.slept <= now


@pytest.mark.parametrize("make", [programs.hosted, programs.bare])
def test_with_a_budget_nobody_sleeps(make) -> None:
    """As the server wants it for steps: BUDGET comes at once, and sleep() does the waiting."""
    target = make(programs.wfit(1), programs.branch(0))
    target.write_register(programs.thread(), "x1", 62_500 * 1000)
    clock = Clock(target)
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert (sum(ended(target)[1]) <= 3, clock.slept) == (True, 0)
    assert target.pace.sleep()
    assert clock.slept >= 800 * MS
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert sum(ended(target)[1]) >= 1000


@pytest.mark.parametrize("make", [programs.hosted, programs.bare])
def test_nothing_to_come_is_said_in_real_time_too(make) -> None:
    target = make(programs.WFI, programs.branch(0))
    Clock(target)
    assert target.run_all().kind is StopKind.CRASH


@pytest.mark.parametrize("make", [programs.hosted, programs.bare])
def test_an_interrupt_ends_the_sleep(make) -> None:
    """From another thread, with the host's own clock: the wait would take a year."""
    target = make(programs.wfit(1), programs.branch(0))
    target.write_register(programs.thread(), "x1", 62_500_000 * 86_400 * 365)
    target.pace.realtime = True
    sleeping = threading.Event()
    target.pace.before_sleep = sleeping.set
    stops = []
    thread = threading.Thread(target=lambda: stops.append(target.run_all()))
    thread.start()
    assert sleeping.wait(50)
    target.interrupt()
    thread.join(50)
    assert [s.kind for s in stops] == [StopKind.INTERRUPT]


def test_what_is_typed_comes_when_it_is_typed() -> None:
    """The guest sleeps for a second; after a third of it somebody types."""
    console = Console()
    machine = Machine(memory=programs.MEMORY, el2=False, console=console)
    machine.start([(programs.CODE, programs.code(programs.wfit(1), programs.branch(0)))], programs.CODE, 0)
    machine.write_register(programs.thread(), "x1", 62_500 * 1000)
    clock = Clock(machine)

    def wait(timeout: float | None = None) -> bool:
        clock.now += 333 * MS
        console.type(b"x")
        machine.interrupt()
        return True

    machine.pace._woken.wait = wait  # type: ignore[method-assign]
    assert machine.run_all().kind is StopKind.INTERRUPT
    assert 333 * MS <= machine.core.now <= 334 * MS + MOST_BEHIND
    assert not console.pending
