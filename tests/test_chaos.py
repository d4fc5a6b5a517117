"""Chaos by seed: the same seed is the same run, whoever executes and looks at it; and it is what the architecture allows.

Oracles: the interpreter's run without stops; what correct guests print.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from conftest import ROOT
from gdbhv import _core
from gdbhv.boot import BootConfig, Setup
from gdbhv.console import Console
from gdbhv.errors import ConfigError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import StopKind

PREBUILT = ROOT / "guests" / "prebuilt"
KINDS = [name for name, *_ in _core.chaos_kinds()]
RUNS = [("two_vcpus", True), ("el1_interrupts", True), ("el1_smp", True), ("type1", False), ("system_interrupts", False)]
ONCE, MOST = "tickets: each was given once", 100_000_000


def made(guest: str, chaos: str | None, *, hosted: bool = True, el2: bool = True) -> HostTarget | Machine:
    config = BootConfig(image=PREBUILT / f"{guest}.elf", smp=2, memory=64 << 20, chaos=chaos)
    return Setup([config], hosted=hosted, el2=el2).make(Console())


def printed(target: HostTarget | Machine) -> list[str]:
    assert target.console is not None
    return bytes(target.console.text).decode().splitlines()


def seen(target: HostTarget | Machine) -> tuple[object, ...]:
    core = target.core
    registers = [core.read_core(cpu) for cpu in range(core.cpus)]
    return core.insns, core.now, core.place, core.exits, core.ram_digest(), registers, printed(target)


def outcome(guest: str, chaos: str, *, el2: bool = True, hosted: bool = True) -> list[str]:
    target = made(guest, chaos, hosted=hosted, el2=el2)
    assert target.run_all(MOST).kind is StopKind.POWEROFF
    return printed(target)


@pytest.mark.parametrize(("guest", "hosted"), RUNS)
def test_a_seed_is_a_run_on_every_engine_and_with_stops_and_snapshots(guest: str, hosted: bool, seed: int) -> None:
    rng = random.Random(f"{seed} {guest}")
    chaos = f"{rng.getrandbits(32)}"
    end = 400_000
    plain = made(guest, chaos, hosted=hosted)
    plain.core.compile_after(0)
    plain.run_all(end)
    for after in (1, 40):
        target = made(guest, chaos, hosted=hosted)
        target.core.compile_after(after)
        kept = None
        while (left := end - sum(target.core.insns)) > 0:
            if kept is None and rng.random() < 0.1:
                kept = target.snapshot()
            stop = target.run_all(min(left, rng.choice([1, 10, 1000, 20_000])))
            if stop.kind is not StopKind.BUDGET:
                break
        assert seen(target) == seen(plain)
        if kept is not None:
            said = printed(target)
            kept.restore()
            target.run_all(end - sum(target.core.insns))
            assert seen(target)[:-1] == seen(plain)[:-1]
            assert printed(target)[: len(said)] == said


def test_seeds_differ_and_a_reset_begins_the_same_again() -> None:
    runs = []
    for chaos in (None, "1", "2"):
        target = made("two_vcpus", chaos, hosted=False, el2=False)
        target.run_all(50_000)
        first = target.core.insns, target.core.now
        target.reset()
        before = target.core.insns
        target.run_all(50_000)
        again = [after - then for after, then in zip(target.core.insns, before, strict=True)], target.core.now
        assert again == first
        runs.append(first)
    assert len({repr(run) for run in runs}) == 3


@pytest.mark.parametrize(("guest", "hosted"), [("two_vcpus", True), ("type1", False)])
def test_correct_guests_print_the_same_whatever_the_seed(
    guest: str, hosted: bool, seed: int, cases: Callable[[int], int]
) -> None:
    target = made(guest, None, hosted=hosted)
    target.run_all(MOST)
    want = sorted(printed(target))
    for n in range(cases(4)):
        assert sorted(outcome(guest, f"{seed + n}", hosted=hosted)) == want


@pytest.mark.parametrize("hosted", [True, False])
@pytest.mark.parametrize("kinds", ["turns+order", "turns+exclusives=100", "usual"])
def test_a_planted_race_is_found(hosted: bool, kinds: str) -> None:
    target = made("tickets", None, hosted=hosted, el2=hosted)
    target.run_all(MOST)
    assert printed(target) == [ONCE]
    found = [outcome("tickets", f"{seed}:{kinds}", hosted=hosted, el2=hosted) != [ONCE] for seed in range(40)]
    assert 0 < sum(found) < 40


def test_a_monitor_that_is_cleared_makes_a_store_fail() -> None:
    lone = [outcome("tickets", f"{seed}:turns=20", hosted=False, el2=False) for seed in range(20)]
    assert lone != [[ONCE]] * 20
    core = _core.Machine(hosted=False, el2=False, memory=1 << 20)
    # LDXR X1, [X0]; 8 NOPs; STXR W2, X1, [X0]; ADD X3, X3, X2; B .-44
    words = [0xC85F7C01, *[0xD503201F] * 8, 0xC8027C01, 0x8B020063, 0x17FFFFF5]
    core.write_pa(0x40000000, b"".join(w.to_bytes(4, "little") for w in words))
    core.write_register(0, "pc", 0x40000000)
    core.write_register(0, "x0", 0x40010000)
    for chaos, fails in ((None, False), ("1:turns=100", False), ("1:turns=100+exclusives", True)):
        core.write_register(0, "x3", 0)
        core.chaos = chaos
        core.run(1 << 62, 1, sum(core.insns) + 50_000)
        assert (core.read_register(0, "x3") > 0) == fails


def test_waits_end_early_and_interrupts_come_late() -> None:
    waits = []
    for chaos in (None, "1:waits=90"):
        core = _core.Machine(hosted=False, el2=False, memory=1 << 20)
        # WFI; ADD X3, X3, #1; B .-8: nobody wakes it
        core.write_pa(0x40000000, b"".join(w.to_bytes(4, "little") for w in (0xD503207F, 0x91000463, 0x17FFFFFE)))
        core.write_register(0, "pc", 0x40000000)
        core.chaos = chaos
        assert core.run(1 << 62, 1)["kind"] == "stuck", "not all of them end early"
        waits.append(core.read_register(0, "x3"))
    assert waits[0] == 0 < waits[1]
    plain, late = (outcome_times("el1_interrupts", chaos) for chaos in (None, "1:interrupts=100000+turns"))
    assert late > plain


def outcome_times(guest: str, chaos: str | None) -> int:
    target = made(guest, chaos, hosted=False, el2=False)
    target.run_all(MOST)
    return target.core.now


def test_serrors_come_only_if_they_are_asked_for() -> None:
    target = made("two_vcpus", "1:serror=1", hosted=False, el2=False)
    target.run_all(100_000)
    assert "vm ok" not in printed(target)


@pytest.mark.parametrize("text", ["", "x", "1:", "1:tlb=0", "1:tlb=101", "1:wind", "-1", "1:usual=2"])
def test_what_is_no_chaos_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no seed|kind of chaos|N is 1 to"):
        made("hello", text)
    assert _core.chaos("1") == _core.chaos("1:usual")
    assert all(name in _core.chaos(f"1:usual+{name}") for name in KINDS)
