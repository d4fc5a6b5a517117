"""Going back: each place that was seen on the way is the same when it is gone to again. Oracle: the first time."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gdbhv import recording
from gdbhv.console import Console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.exits.catches import Catcher
from gdbhv.exits.exitspec import parse
from gdbhv.exits.records import ExitRecord
from gdbhv.history import Backward, History, Kept, Position, backward
from gdbhv.history.history import actions
from gdbhv.history.timeline import LEAST, Checkpoint, order, superfluous
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.inputs import Place
from gdbhv.machine.machine import Machine
from gdbhv.target import Space, StopKind, ThreadId
from recording.test_recording import CASES, Case, debug

BUSY = [
    Case("type1", 2, 0),
    Case("two_vcpus", 2),
    Case("exit_zoo", 1, 2),
    Case("system_smp", 2, 0),
    Case("type1", 2, 0, chaos="5"),
]


SYSTEM = ("ESR_EL1", "TPIDR_EL0", "CNTV_CVAL_EL0", "ELR_EL1", "v3", "v9")


def seen(target: Kept) -> str:
    """All that a debugger can see of a machine, in short."""
    core = target.core
    found = hashlib.blake2b(digest_size=8)
    for thread in (thread for process in target.processes() if not process.found for thread in process.threads):
        system = [target.read_register(thread.id, name) for name in SYSTEM]
        state = target.count(thread.id), thread.alive, system
        found.update(target.read_core(thread.id) + repr(state).encode())
    found.update(repr((core.insns, core.exits, core.exit_counts(), core.ram_digest())).encode())
    return found.hexdigest()


def first(target: HostTarget | Machine) -> ThreadId:
    return target.processes()[0].threads[0].id


@pytest.fixture(params=BUSY, ids=str)
def made(request: pytest.FixtureRequest) -> tuple[HostTarget | Machine, History]:
    target = request.param.setup().make(Console())
    return target, History(target, every=20_000)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_places_of_a_debugged_run_are_the_same_again(case: Case, seed: int, cases: Callable[[int], int]) -> None:
    rng = random.Random(f"{seed} {case}")
    for _ in range(cases(1)):
        console = Console()
        target = case.setup().make(console)
        history = History(target, every=20_000)
        places: dict[Position, str] = {}

        def note(places: dict[Position, str] = places, history: History = history) -> None:
            places[history.here] = seen(history.target)

        debug(target, rng, seen=note)
        target.catchers.clear()
        note()
        said = bytes(console.text)
        for _ in range(40):
            place = rng.choice(list(places))
            history.go(place)
            assert (history.here, seen(target)) == (place, places[place])
        history.go(history.present)
        assert not history.past
        assert console.text == said, "nothing is printed twice"


@pytest.mark.parametrize("case", BUSY, ids=str)
def test_a_run_goes_on_as_if_nobody_had_gone_back(case: Case, seed: int) -> None:
    rng, consoles = random.Random(seed), (Console(), Console())
    target, plain = (case.setup().make(console) for console in consoles)
    history = History(target, every=20_000)
    for _ in range(4):
        target.run_all(30_000)
        end = history.here
        for _ in range(3):
            history.go_to_instruction(rng.randrange(end.insns))
        history.go(end)
    plain.run_all(end.insns)
    assert seen(plain) == seen(target)
    assert consoles[0].text == consoles[1].text


def test_steps_back_are_the_steps_forward(made: tuple[HostTarget | Machine, History], seed: int) -> None:
    target, history = made
    backward = Backward(history)
    target.run_all(50_000 + seed % 1000)
    thread = first(target)
    forward = [history.here]
    for _ in range(300):
        stop = target.run(actions(target, thread))
        if stop.kind is not StopKind.STEP:
            break
        forward.append(history.here)
    states = {forward[-1]: seen(target)}
    for place in reversed(forward[1:-1]):
        assert backward.step(thread).kind is StopKind.STEP
        assert history.here == place
    assert target.run(actions(target, thread)).kind is StopKind.STEP
    assert history.here == forward[2]
    history.go(forward[-1])
    assert seen(target) == states[forward[-1]]


def test_stops_back_are_the_stops_forward(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.catchers["all"] = Catcher(lambda thread, record: True, entries=False)
    found = []
    for _ in range(40):
        stop = target.run_all(1_000_000)
        if stop.kind is not StopKind.EXIT:
            break
        found.append((history.here, stop.exit["name"], stop.thread, seen(target)))  # type: ignore[index]
    assert len(found) > 5
    backward = Backward(history)
    history.go_to_exit(target.core.exits)
    for place, name, thread, state in reversed(found[:-1]):
        stop = backward.run()
        assert stop.exit is not None
        assert (history.here, stop.exit["name"], stop.thread, seen(target)) == (place, name, thread, state)
    assert backward.run().kind is StopKind.BEGINNING
    assert history.here == history.beginning
    assert backward.step(first(target)).kind is StopKind.BEGINNING
    for _, name, _, state in found[:5]:
        stop = target.run_all()
        assert stop.exit is not None
        assert (stop.exit["name"], seen(target)) == (name, state), "forward in the past they come again"


def test_the_present_is_a_stop_and_then_the_machine_runs_on(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.run_all(40_000)
    end = history.here
    history.go_to_instruction(10_000)
    assert history.past
    assert target.run_all().kind is StopKind.PRESENT
    assert (history.here, history.past) == (end, False)
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert history.here.insns == end.insns + 1000


def test_the_past_is_not_changed_but_forked(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.run_all(40_000)
    there = seen(target)
    history.mark("end")
    history.go_to_instruction(10_000)
    thread = first(target)
    for change in (
        lambda: target.write_register(thread, "x20", 1),
        lambda: target.write_memory(thread, 0x4300_0000, b"x", Space.PA),
        target.reset,
    ):
        with pytest.raises(GdbhvError, match="this is the past"):
            change()
    history.mark("here")
    history.fork("other")
    assert not history.past
    target.write_register(thread, "x20", 0x1234)
    target.run_all(5000)
    mine = seen(target)
    history.go_to_instruction(10_000)
    assert list(history.timeline.marks) == ["here"], "those after it are the other run's"
    history.switch("main")
    assert (seen(target), history.here) == (there, history.timeline.marks["end"].at)
    history.switch("other")
    assert seen(target) == mine
    with pytest.raises(StateError, match="there is no run third; there are main, other"):
        history.switch("third")
    with pytest.raises(StateError, match="this is the present"):
        history.fork()


def test_places_that_are_not_in_the_past(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.run_all(1000)
    with pytest.raises(StateError, match="instruction 1,001 is not in the past: the machine has come to 1,000"):
        history.go_to_instruction(1001)
    with pytest.raises(StateError, match="exit 999,999 is not in the past"):
        history.go_to_exit(999_999)
    assert (history.here.insns, history.past) == (1000, False)


def test_a_snapshot_that_is_restored_begins_another_run(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.run_all(5000)
    before = target.snapshot()
    target.run_all(5000)
    before.restore()
    assert history.beginning == history.here
    target.run_all(3000)
    history.go_to_instruction(6000)
    history.switch("main")
    assert history.here.insns == 10_000


def test_older_checkpoints_are_thinned_out() -> None:
    kept: list[Checkpoint] = []
    for n in range(300):
        kept.append(Checkpoint(Position(Place(n * 100, n * 100, n)), None, None, 0))  # type: ignore[arg-type]
        while len(kept) > 20:
            one = superfluous(kept)
            assert one is not None
            kept.remove(one)
    places = [c.at.insns for c in kept]
    gaps = [b - a for a, b in itertools.pairwise(places)]
    assert places[0] == 0
    assert places[-2:] == [29_800, 29_900]
    assert max(gaps[-5:]) <= 300 < max(gaps[:5])
    assert superfluous(kept[:LEAST]) is None


def test_memory_is_bounded() -> None:
    target = Case("system_smp", 2, 0).setup().make(Console())
    history = History(target, every=5000, memory=8 << 20)
    target.run_all(300_000)
    assert history.size <= 8 << 20
    assert len(history.timeline.checkpoints) > LEAST
    history.go_to_instruction(1000)
    history.go(history.present)
    assert history.here.insns == 300_000


def test_order_of_places() -> None:
    places = [Place(1, 1, 1), Place(1, 1, 2, "exit"), Place(1, 1, 2), Place(1, 5, 2), Place(1, 0, 3), Place(2, 0, 9)]
    positions = [*map(Position, places), Position(Place(2, 0, 8), 1)]
    assert sorted(positions, key=order) == positions


def test_a_recording_is_the_same_though_its_past_was_looked_at(tmp_path: Path, seed: int) -> None:
    """And its replay can be gone back in, too."""
    path, case, rng = tmp_path / "run.rec", Case("two_vcpus", 2), random.Random(seed)
    with recording.record(case.setup(), path, Console(), every=10_000) as recorder:
        history = History(recorder.target, every=5000)
        for _ in range(3):
            recorder.target.run_all(5000)
            recorder.target.write_register(first(recorder.target), "TPIDR_EL0", rng.getrandbits(32))
            history.go_to_instruction(rng.randrange(history.present.insns))
            history.go(history.present)
        history.go(history.beginning)
        with pytest.raises(StateError, match="a recording, or a replay, follows one run"):
            history.fork()
        history.go(history.present)
        recorder.target.run_all(5000)
        there = seen(recorder.target)
    with recording.Recording(path) as read:
        playing = recording.Replay(read, Console())
        history = History(playing.target, every=5000)
        while playing.target.core.place[0] < 18_000:
            playing.target.run_all(3000)
        middle, state = history.here, seen(playing.target)
        history.go_to_instruction(7000)
        history.go(middle)
        assert (history.past, seen(playing.target)) == (False, state)
        outcome = playing.run()
    assert outcome.same, outcome.text
    assert seen(playing.target) == there


@pytest.mark.parametrize("case", [Case("two_vcpus", 2), Case("system_smp", 2, 0), Case("type1", 2, 0, chaos="5")], ids=str)
def test_steps_of_a_vcpu_go_back_to_where_it_was_switched_on(case: Case) -> None:
    target = case.setup().make(Console())
    history = History(target, every=20_000)
    thread = ThreadId(1, 2)
    while not (second := target.processes()[0].threads[1]).alive:
        target.run_all(100)
    assert second.id == thread
    forward = [history.here]
    for _ in range(30):
        target.run(actions(target, thread))
        forward.append(history.here)
    backward = Backward(history)
    for position in reversed(forward[1:-1]):
        assert (backward.step(thread).kind, history.here) == (StopKind.STEP, position)
    before = target.read_core(thread)
    while backward.step(thread).kind is StopKind.STEP:
        assert target.processes()[0].threads[1].alive
        before = target.read_core(thread)
    assert history.here == history.beginning
    history.go(forward[0])
    assert before


@pytest.mark.parametrize(("frequent", "narrow"), [(1, 1), (3, 50), (10, 2000)])
def test_frequent_stops_are_halved_and_the_last_is_found(
    frequent: int, narrow: int, made: tuple[HostTarget | Machine, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, history = made
    target.run_all(30_000)
    target.catchers["some"] = Catcher(lambda thread, record: record["pc"] % 3 != 1)
    plain, places = Backward(history), []
    while (stop := plain.run()).kind is StopKind.EXIT and len(places) < 12:
        places.append((history.here, stop.thread))
    monkeypatch.setattr(backward, "FREQUENT", frequent)
    monkeypatch.setattr(backward, "NARROW", narrow)
    history.go(history.present)
    for place, thread in places:
        stop = Backward(history).run()
        assert (history.here, stop.thread) == (place, thread)


def test_a_journey_that_is_interrupted_leaves_no_goal(made: tuple[HostTarget | Machine, History]) -> None:
    target, history = made
    target.run_all(40_000)
    end = history.here
    history.go_to_instruction(5000)
    target.interrupt()
    assert Backward(history).run().kind is StopKind.INTERRUPT
    stopped = history.here
    assert target.run_all(100).kind is StopKind.BUDGET
    assert history.here.insns == stopped.insns + 100
    assert target.run_all().kind is StopKind.PRESENT
    assert history.here == end


def test_what_a_catchpoint_has_counted_stays_over_a_journey() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=1000)
    target.catchers["every"] = Catcher(every=3)
    for _ in range(2):
        assert target.run_all().kind is StopKind.EXIT
    assert target.catchers.counts("every") == (6, 0)
    history.go_to_exit(2)
    history.go(history.present)
    assert target.catchers.counts("every") == (6, 0)
    assert target.run_all().kind is StopKind.EXIT
    assert (target.core.exits, target.catchers.counts("every")) == (9, (9, 0)), "the third after the second"


@pytest.mark.parametrize("case", [Case("exit_zoo", 1), Case("type1", 2, 0)], ids=str)
def test_counts_and_the_trace_are_what_they_were_there(case: Case, seed: int) -> None:
    target = case.setup().make(Console())
    history = History(target, every=3000)
    target.catchers["every"] = Catcher(every=7)
    target.catchers["counts"] = parse("dabt do count").catcher()

    def counted() -> tuple[object, ...]:
        return *(target.catchers.counts(key) for key in ("every", "counts")), target.core.trace(9000)

    seen = {}
    for n in range(40):
        target.run_all(None if n % 3 else 500)
        seen[history.here] = counted()
    for place in random.Random(seed).sample(list(seen), 20):
        history.go(place)
        assert (history.here, counted()) == (place, seen[place])
    history.go(history.present)
    assert counted() == list(seen.values())[-1]


def test_each_so_many_th_is_the_same_on_the_way_back() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=3000)
    target.catchers["every"] = Catcher(every=10, after=3)
    there = []
    while (n := len(there)) < 30:
        assert target.run_all().kind is StopKind.EXIT
        there.append(history.here)
        assert target.catchers.counts("every") == (10 * n + 13, 0)
    backward = Backward(history)
    for place in reversed(there[:-1]):
        assert backward.run().kind is StopKind.EXIT
        assert history.here == place
    assert backward.run().kind is StopKind.BEGINNING
    for place in there[:5]:
        assert target.run_all().kind is StopKind.EXIT
        assert history.here == place


def test_a_catchpoint_for_once_stops_at_the_last_one_on_the_way_back() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=3000)
    target.catchers["all"] = Catcher()
    for _ in range(20):
        target.run_all()
    last = history.here
    target.run_all()
    del target.catchers["all"]
    target.catchers["once"] = Catcher(once=True)
    assert Backward(history).run().kind is StopKind.EXIT
    assert history.here == last
    assert "once" not in target.catchers


def test_a_catchpoint_that_was_set_later_says_since_when_it_counts() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=1000)
    target.run_all(4500)
    target.catchers["all"] = parse("dabt do count").catcher()
    assert target.catchers.since("all") == history.here.insns
    target.run_all(1000)
    counted, present = target.catchers.counts("all"), history.here
    history.go_to_instruction(3900)
    assert target.catchers.since("all") in range(2000, 3901)
    history.go(present)
    assert (target.catchers.counts("all"), target.catchers.since("all")) == (counted, 4500)


def test_what_a_hook_let_in_comes_again_and_the_hook_does_not() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=1000)
    said: list[int] = []

    def hook(thread: ThreadId, record: ExitRecord) -> None:
        if len(said) < 3:
            target.answer(thread, 0x20)  # UARTFR.TXFF: the FIFO is full
        said.append(record["seq"])

    target.catchers["uart"] = parse("dabt.r ipa=0x9000018").catcher(hook=hook)
    target.run_all(3000)
    there, times = seen(target), len(said)
    assert times > 3
    history.go_to_instruction(100)
    assert target.run_all().kind is StopKind.PRESENT
    assert (seen(target), len(said)) == (there, times)
    target.run_all(3000)
    assert len(said) > times, "in the present it is asked again"


def test_what_only_logs_or_counts_stops_nobody_on_the_way_back() -> None:
    target = Case("exit_zoo", 1).setup().make(Console())
    history = History(target, every=1000)
    target.catchers["writes"] = parse("dabt.w").catcher()
    for _ in range(5):
        assert target.run_all().kind is StopKind.EXIT
    wanted = history.here
    for _ in range(3):
        target.run_all(200)
    target.catchers["all"] = Catcher(stops=False, says=True)
    del target.catchers["writes"]
    target.catchers["writes"] = parse("dabt.w").catcher()
    stop = Backward(history).run()
    assert stop.exit is not None
    assert stop.exit["name"].startswith("dabt.")
    assert order(history.here) >= order(wanted)
    del target.catchers["writes"]
    assert Backward(history).run().kind is StopKind.BEGINNING
