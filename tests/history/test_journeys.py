"""Random reverse operations: no place is another one than in a run that never went back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from conftest import Kit
from gdbhv.history import order
from history.journeys import Journey, compare, linux
from recording.test_recording import Case

CASES = [Case("two_vcpus", 2), Case("exit_zoo", 1, 2), Case("system_smp", 2, 0), Case("type1", 2, 0, chaos="5")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_small_guests(case: Case, seed: int, cases: Callable[[int], int]) -> None:
    journey = Journey(case.setup(), 60_000, random.Random(f"{seed} {case}"), 10_000)
    journey.go(cases(150))
    compare(journey)
    assert not journey.wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kvm", "reach"), [(False, 150_000_000), (True, 300_000_000)], ids=["hosted", "kvm"])
def test_linux_with_four_vcpus(kvm: bool, reach: int, kit: Kit, seed: int, cases: Callable[[int], int]) -> None:
    _ = kit.kvm if kvm else kit.image
    journey = Journey(linux(kit.folder, kvm=kvm), reach, random.Random(f"{seed} {kvm}"))
    journey.go(cases(40))
    compare(journey)
    assert not journey.wrong


def test_a_difference_is_found() -> None:
    journey = Journey(CASES[0].setup(), 30_000, random.Random(1), 10_000)
    journey.go(10)
    place = min(journey.seen, key=order)
    journey.seen[place] = "another state"
    compare(journey)
    assert [text.partition(": another state")[0] for text in journey.wrong] == [f"at {place}"]
