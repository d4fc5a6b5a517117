"""Who wrote last. Oracle: what a watchpoint, and a catch of the exit, found on the way there."""

from __future__ import annotations

import pytest

from gdbhv.console import Console
from gdbhv.history import Backward, History, Writers
from gdbhv.target import Space, StopKind
from history.test_history import Case, first

LOCK, COUNTER = 0x40204010, 0x40204018


@pytest.mark.parametrize("compiled", [0, 1])
def test_the_last_store_is_found_and_so_is_the_one_before(compiled: int) -> None:
    target = Case("two_vcpus", 2).setup().make(Console())
    history = History(target, every=2000)
    if compiled:
        target.core.compile_after(1)
    thread = first(target)
    target.core.insert_watchpoint(COUNTER, 8, write=True, space="ipa", vmid=1)
    stores = []
    for _ in range(6):
        assert target.run_all().kind is StopKind.WATCH_IPA
        stores.append(history.here)
    target.core.remove_watchpoint(COUNTER, 8, write=True, space="ipa", vmid=1)
    target.run_all(20_000)
    target.core.insert_watchpoint(COUNTER, 8, write=True, space="ipa", vmid=1)
    while target.run_all(5000).kind is StopKind.WATCH_IPA:
        stores.append(history.here)
    target.core.remove_watchpoint(COUNTER, 8, write=True, space="ipa", vmid=1)
    found = target.translation(thread).walk(COUNTER)
    writers, end = Writers(Backward(history)), history.here
    for place in reversed(stores[-3:]):
        assert writers.of_memory([(found["pa"], found["pa"] + 7)]) is not None
        assert history.here == place
    history.go(stores[2])
    assert writers.of_memory([(found["pa"], found["pa"] + 7)]) is not None
    assert history.here == stores[1]
    history.go(stores[0])
    assert writers.of_memory([(found["pa"], found["pa"] + 7)]) is None, "what was loaded is no store"
    assert history.here == stores[0]
    history.go(end)
    assert int.from_bytes(target.read_memory(thread, COUNTER, 8, Space.VA), "little") > 0


def test_the_last_msr_is_found() -> None:
    target = Case("type1", 2, 0).setup().make(Console())
    history = History(target, every=20_000)
    target.run_all(150_000)
    end = history.here
    writers = Writers(Backward(history))
    cpu = writers.of_register("VTTBR_EL2")
    assert cpu is not None
    word = int.from_bytes(
        target.read_memory(target.processes()[0].threads[cpu].id, target.core.read_register(cpu, "pc"), 4), "little"
    )
    assert word & ~0x1F == 0xD51C2100, "MSR VTTBR_EL2, Xt"
    later = history.here
    value = target.core.read_register(cpu, f"x{word & 0x1F}")
    history.go(end)
    assert later.insns < end.insns
    assert target.core.read_register(cpu, "VTTBR_EL2") == value
    assert writers.of_register("TPIDR_EL3" if "TPIDR_EL3" in target.registers else "DBGBVR5_EL1") is None
    assert history.here == end


def test_what_was_not_written_leaves_the_machine_where_it_was() -> None:
    target = Case("two_vcpus", 2).setup().make(Console())
    history = History(target, every=2000)
    target.run_all(9000)
    history.go_to_instruction(5000)
    there = history.here
    assert Writers(Backward(history)).of_memory([(0x4800_0000, 0x4800_0007)]) is None
    assert history.here == there
    assert target.run_all(1000).kind is StopKind.BUDGET
    assert history.here.insns == 6000


def test_a_watch_on_the_same_bytes_stays() -> None:
    target = Case("two_vcpus", 2).setup().make(Console())
    history = History(target, every=2000)
    target.run_all(12_700)
    watched = target.translation(first(target)).walk(COUNTER)["pa"]
    target.core.insert_watchpoint(watched, 8, write=True, space="pa")
    for _ in range(2):
        assert target.run_all().kind is StopKind.WATCH_PA
    assert Writers(Backward(history)).of_memory([(watched, watched + 7)]) is not None
    history.go(history.present)
    assert target.run_all().kind is StopKind.WATCH_PA
