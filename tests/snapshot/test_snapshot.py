"""Snapshots as users make them: of both halves, in memory and in files, at random places of whatever runs.

Oracle: a run in which nothing was saved, and the exports of both halves.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gdbhv import boot, snapshot
from gdbhv.errors import StateError
from gdbhv.exits.catches import CatchEvents
from gdbhv.target import StopKind, ThreadId
from snapshot.targets import SMALL, Run, Setup, bare, el1_programs, hosted, resumed, system_programs

ZOO, TYPE1 = hosted("exit_zoo"), bare("type1", cpus=2)
each_kind = pytest.mark.parametrize("setup", [ZOO, TYPE1], ids=str)


def together(first: dict[str, bytes], second: dict[str, bytes]) -> dict[str, bytes]:
    return {name: first[name] + second[name] for name in first}


def check_files(setup: Setup, points: int, rng: random.Random, folder: Path) -> None:
    """At random places: a file is written and read, and both targets run on as one that was never saved."""
    straight = setup.make()
    straight.to()
    end, printed = straight.whole(), straight.text()
    one, path = setup.make(), folder / "file"
    for at in sorted(rng.randrange(straight.insns) for _ in range(points)):
        one.to(at)
        made = one.target.snapshot()
        made.write(path)
        other = resumed(path, one.consoles, setup.limit)
        before = one.text()
        assert other.whole() == one.whole(), at
        assert other.insns == sum(made.instructions)
        other.to()
        assert together(before, other.text()) == printed, at
        assert other.whole() == end, at
    one.to()
    assert (one.whole(), one.text()) == (end, printed), "saving changes nothing"


@pytest.mark.parametrize("setup", SMALL, ids=str)
def test_what_is_read_from_a_file_runs_on_as_what_was_written(setup: Setup, seed: int, tmp_path: Path) -> None:
    check_files(setup, 4, random.Random(f"{seed} {setup}"), tmp_path)


@pytest.mark.parametrize("setup", [*el1_programs(), *system_programs()[::4]], ids=str)
def test_a_system_program_runs_on_from_a_file(setup: Setup, seed: int, tmp_path: Path) -> None:
    check_files(setup, 2, random.Random(f"{seed} {setup}"), tmp_path)


def check_restores(setup: Setup, places: int, restores: int, rng: random.Random) -> None:
    """Back and forth in one target: at each restore it is what it was, and from each it comes to the same end."""
    run = setup.make()
    run.to()
    end, total = run.whole(), run.insns
    run = setup.make()
    kept = []
    for at in [0, *sorted(rng.randrange(total) for _ in range(places))]:
        run.to(at)
        kept.append((run.target.snapshot(), run.whole()))
    for made, then in rng.choices(kept, k=restores):
        made.restore()
        assert run.whole() == then
        run.to(min(total, run.insns + rng.randrange(total)))
    for made, then in kept:
        made.restore()
        assert run.whole() == then
        run.to()
        assert run.whole() == end
        made.delete()
    assert not run.target.snapshots


@pytest.mark.parametrize("setup", [ZOO, TYPE1, hosted("two_vcpus", vcpus=2), hosted("hello", vms=2)], ids=str)
def test_a_target_goes_back_and_forth(setup: Setup, seed: int) -> None:
    check_restores(setup, 5, 12, random.Random(f"{seed} {setup}"))


@pytest.mark.parametrize(("guest", "at", "until"), [("el1_wfxt", 69_636, 73_680), ("el1_ras", 6128, 6842)])
def test_where_blocks_begin_is_not_seen(guest: str, at: int, until: int) -> None:
    """A run that was stopped on the way, and begins another block there, has the same state: also who has run when."""
    run = hosted(guest).make()
    run.to(at)
    made = run.target.snapshot()
    run.to(until)
    then = run.whole()
    made.restore()
    run.to(until)
    assert run.whole() == then


@each_kind
def test_a_machine_that_is_off_lives_again(setup: Setup, tmp_path: Path) -> None:
    run = setup.make()
    run.to(2000)
    early, then = run.target.snapshot("early"), run.whole()
    run.to()
    off = run.target.snapshot("off")
    assert not run.target.processes()
    off.write(tmp_path / "off")
    early.restore()
    assert run.target.processes()
    assert run.whole() == then
    off.restore()
    assert not run.target.processes()
    other = resumed(tmp_path / "off", run.consoles)
    assert not other.target.processes()
    assert other.whole() == run.whole()
    other.target.reset()
    assert other.target.processes()


@each_kind
def test_a_reset_after_a_restore_or_from_a_file_begins_as_at_first(setup: Setup, tmp_path: Path) -> None:
    """The counts of instructions and exits go on, so that what is printed and where vCPU 0 stands is compared."""
    run = setup.make()
    thread = ThreadId(1, 1)
    first = run.target.read_core(thread)
    run.to(3000)
    made = run.target.snapshot()
    made.write(tmp_path / "file")
    run.to()
    printed = run.text()
    made.restore()
    other = resumed(tmp_path / "file", run.consoles)
    for each in (run, other):
        each.target.reset()
        assert each.target.read_core(thread) == first
        for console in each.consoles.values():
            console.text.clear()
        each.limit *= 2
        each.to()
        assert each.text() == printed


def test_the_debuggers_points_stay_as_the_debugger_has_them() -> None:
    run = ZOO.make()
    target = run.target
    run.to(2000)
    made = target.snapshot()
    pc = target.read_register(ThreadId(1, 1), "pc")
    target.insert_breakpoint(1, 0, pc, 4)
    run.to(1000 + sum(made.instructions))
    made.restore()
    assert target.run_all().kind is StopKind.SW_BREAK
    assert target.read_register(ThreadId(1, 1), "pc") == pc
    target.remove_breakpoint(1, 0, pc, 4)
    made.restore()
    assert target.run_all(10).kind is StopKind.BUDGET


def test_an_exit_that_was_reported_is_handled_once_after_a_restore(tmp_path: Path) -> None:
    run = ZOO.make()
    run.target.catch_exits(1, CatchEvents(exits=None))
    stop = run.target.run_all()
    assert stop.kind is StopKind.EXIT
    made = run.target.snapshot()
    made.write(tmp_path / "file")
    run.target.catch_exits(1, CatchEvents())
    other = resumed(tmp_path / "file", run.consoles)
    run.to()
    end, text = run.whole(), run.text()
    made.restore()
    run.to()
    other.to()
    assert run.whole() == other.whole() == end
    assert other.text() == text


@each_kind
def test_the_last_exit_is_known_again(setup: Setup, tmp_path: Path) -> None:
    """Also what stands for it in the program: the names of the controls that caused it."""
    run = setup.make()
    threads = [ThreadId(1, n + 1) for n in range(run.target.core.cpus)]
    kept = []
    for n in range(1, 40):
        run.to(n * 2500)
        kept.append((run.target.snapshot(), [run.target.last_exit(t) for t in threads]))
    assert {cause for _, records in kept for record in records if record for cause in record["cause"]} >= {"HCR_EL2.VM"}
    for made, records in reversed(kept):
        made.restore()
        assert [run.target.last_exit(t) for t in threads] == records
        made.write(tmp_path / "file")
        other = resumed(tmp_path / "file", run.consoles)
        assert [other.target.last_exit(t) for t in threads] == records


def test_what_a_snapshot_costs_is_told() -> None:
    run = ZOO.make()
    run.to(1000)
    made = run.target.snapshot()
    assert (made.pages, made.virtual_ns, sum(made.instructions)) == (0, run.target.core.now, 1000)
    run.to(100_000)
    assert 0 < made.pages < 100
    assert 4096 * made.pages < made.bytes < 4096 * made.pages + (8 << 20)
    assert repr(made) == "<snapshot '1' after 1,000 instructions>"


def test_names() -> None:
    target = ZOO.make().target
    assert [target.snapshot().name for _ in range(2)] == ["1", "2"]
    target.snapshots["1"].delete()
    assert target.snapshot().name == "1"
    assert target.snapshot("boot done!".replace(" ", "_")).name == "boot_done!"
    with pytest.raises(StateError, match=r"there is a snapshot 2: delete it first, or choose another name"):
        target.snapshot("2")
    for bad in ("", "a b", "-x", "x" * 65, "a\n"):
        with pytest.raises(StateError, match="is no name for a snapshot"):
            target.snapshot(bad)
    gone = target.snapshots["2"]
    gone.delete()
    for use in (gone.restore, gone.delete, lambda: gone.pages, lambda: gone.write("/nowhere/at/all")):
        with pytest.raises(StateError, match="snapshot 2 was deleted"):
            use()


def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdbhv.snapshot.snapshot.MOST", 3)
    target = ZOO.make().target
    for _ in range(3):
        target.snapshot()
    with pytest.raises(StateError, match="there are 3 snapshots, and no more are kept: delete some, or write them to files"):
        target.snapshot()


def test_a_vm_that_was_booted_with_something_else_meanwhile() -> None:
    """What a reset begins with is part of a snapshot."""
    run = ZOO.make()
    vm = run.target.host.vms[0]  # type: ignore[union-attr]
    made, recipe = run.target.snapshot(), vm.recipe
    vm.boot([(0x40000000, b"\0" * 16)], 0x40000000)
    made.restore()
    assert vm.recipe is recipe
    run.to()
    assert run.text()["vm1"].endswith(b"\n")


def other_targets(tmp_path: Path) -> list[tuple[Run, str]]:
    return [
        (hosted("exit_zoo", vcpus=2).make(), r"of another machine: 1 CPU .* hosted; this one: 2 CPUs"),
        (bare("exit_zoo").make(), r"of another machine: .* hosted; this one: .* EL2 is the image's"),
        (hosted("hello").make(), "of another machine: vm1 was booted with another image"),
    ]


def test_a_file_of_another_machine_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    run = ZOO.make()
    run.to(2000)
    path = tmp_path / "file"
    run.target.snapshot().write(path)
    for other, why in other_targets(tmp_path):
        before, recipes = other.whole(), other.target.save_beside().guests
        with pytest.raises(StateError, match=f"^{path}: .*{why}"):
            snapshot.load(other.target, path)
        assert (other.whole(), other.target.save_beside().guests) == (before, recipes)
    bare_run = TYPE1.make()
    bare_run.target.snapshot().write(path)
    other = bare("hello", cpus=2).make()
    with pytest.raises(StateError, match="it was started with another image"):
        snapshot.load(other.target, path)
    same = TYPE1.make()
    same.to(5000)
    snapshot.load(same.target, path)
    assert same.whole() == bare_run.whole()


def test_the_images_need_not_be_there_and_give_symbols_if_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = tmp_path / "zoo.elf"
    image.write_bytes((Path(ZOO.configs[0].image)).read_bytes())  # type: ignore[arg-type]
    target = boot.hosted(boot.BootConfig(image=image, memory=64 << 20))
    target.snapshot().write(tmp_path / "file")
    again = boot.resumed(tmp_path / "file")
    assert again.symbols(ThreadId(1, 1)) == target.symbols(ThreadId(1, 1))
    image.write_bytes(image.read_bytes() + b"\0")
    assert boot.resumed(tmp_path / "file").symbols(ThreadId(1, 1)) == ({}, "")
    assert "zoo.elf is another file than the one that was started: its symbols are not used" in caplog.text
    image.unlink()
    assert boot.resumed(tmp_path / "file").run_all().kind is StopKind.POWEROFF
