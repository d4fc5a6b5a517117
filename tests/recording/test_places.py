"""A place of one run can be stopped at in another one, exactly: with the same registers, wherever either was stopped."""

from __future__ import annotations

import random

import pytest

from conftest import ROOT
from gdbhv import _core, boot
from gdbhv.machine.machine import Machine
from gdbhv.pace import FOREVER
from gdbhv.target import Action, StopKind

GUESTS = ["system_interrupts", "system_gic_virtual", "system_smp", "type1"]


def machine(guest: str, cpus: int) -> Machine:
    image = ROOT / "guests" / "prebuilt" / f"{guest}.elf"
    return boot.bare(boot.BootConfig(image=image, smp=cpus, memory=128 << 20))


def state(core: _core.Machine) -> list[object]:
    return [[core.read_core(n), core.power(n), core.insns[n]] for n in range(core.cpus)]


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("guest", GUESTS)
def test_each_place_is_found_again(guest: str, cpus: int, seed: int) -> None:
    """One run has steps, breaks at exits and entries, and budgets; the other goes from place to place."""
    rng = random.Random(f"{seed} {guest} {cpus}")
    first, places = machine(guest, cpus), []
    for _ in range(300):
        threads = [t.id for t in first.processes()[0].threads]
        alive = [n for n, thread in enumerate(threads) if first.core.power(n) != "off"]
        if not alive:
            break
        how = rng.choice(["step", "run", "exits"])
        stepped = threads[rng.choice(alive)] if how == "step" else None
        first.core.catch_exits([row["number"] for row in _core.exit_classes()] if how == "exits" else [], how == "exits")
        if how == "exits":
            stop = first.core.run(FOREVER, insns=sum(first.core.insns) + 2000)
            if stop["kind"] in ("poweroff", "reset", "stuck"):
                break
        else:
            budget = rng.choice([0, 1, 17, 300, 2000])
            stop_kind = first.run([Action(t, step=t == stepped) for t in threads], budget).kind
            if stop_kind in (StopKind.POWEROFF, StopKind.RESET, StopKind.CRASH):
                break
        places.append((first.core.place, state(first.core)))
    assert len(places) >= 10
    second = machine(guest, cpus).core
    for place, wanted in places:
        second.pause(place=place)
        assert second.run(FOREVER) == {"kind": "pause", "cpu": None}
        assert second.place == place
        assert state(second) == wanted


def test_a_place_that_is_past_is_missed() -> None:
    core = machine("type1", 2).core
    core.run(FOREVER, insns=1000)
    insns, now, steps, midway = core.place
    core.run(FOREVER, insns=2000)
    core.pause(place=(insns, now, steps, midway))
    assert core.run(FOREVER)["kind"] == "pause"
    assert core.place[0] == 2000


def test_a_pause_after_instructions_is_exact() -> None:
    core = machine("type1", 2).core
    core.pause(12_345)
    assert core.run(FOREVER)["kind"] == "pause"
    assert sum(core.insns) == 12_345
    core.pause()
    assert core.run(FOREVER, insns=20_000)["kind"] == "budget"


def test_idle_time_is_in_nanoseconds_at_any_speed() -> None:
    core = _core.Machine(hosted=False, memory=1 << 20, ns_per_insn=100)
    stop = core.run(FOREVER, 0, None, 5000)
    assert stop == {"kind": "idle", "cpu": None, "next": FOREVER}
    assert core.now == 5000
