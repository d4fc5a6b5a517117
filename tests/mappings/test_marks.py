"""`s2 mark`, `s2 diff` and `s2 watch` on type1, whose hypervisor maps pages when they are touched first."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gdbhv.errors import CommandError
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.monitor.marks import Change, changes
from gdbhv.target import StopKind, ThreadId
from gdbhv.views.descend import Range
from system.test_type1 import PROGRAM
from vms.test_vms import type1

PLAIN: dict[str, object] = {"read": True}


def talk(machine: Machine) -> Callable[[str], list[str]]:
    run = registry.bind(machine)
    return lambda line: [text for text in run(line, ThreadId(1, 1)) if text is not None]


def test_what_is_mapped_since_a_mark_is_what_was_touched() -> None:
    machine = type1(1)
    say = talk(machine)
    machine.run_all(5000)
    assert say("s2 mark vm:2")[0].startswith("mark: vm2 vcpu0")
    assert say("s2 diff")[1:] == ["nothing has changed"]
    before = json.loads(say("s2 dump vm:2 --json")[0])["ranges"]
    machine.run_all(5000)
    after = json.loads(say("s2 dump vm:2 --json")[0])["ranges"]
    pages = [{r["ipa"] + n for r in ranges for n in range(0, r["size"], 0x1000)} for ranges in (before, after)]
    rows = json.loads(say("s2 diff --json")[0])["changes"]
    new = {c["ipa"] + n for c in rows for n in range(0, c["size"], 0x1000)}
    assert new == pages[1] - pages[0] != set()
    assert {c["kind"] for c in rows} == {"mapped"}
    lines = say("s2 diff")
    assert lines[0].startswith("vm2 vcpu0")
    assert ", since mark: 5,000 instructions, " in lines[0]
    assert all(line.startswith("mapped    0x0080") and " PA 0x" in line for line in lines[1:])


def test_who_has_changed_a_mapping_is_known_while_stores_to_tables_are_noted() -> None:
    machine = type1(1)
    machine.core.check_tlb(True)
    say = talk(machine)
    machine.run_all(5000)
    say("s2 mark vm:2")
    exits = machine.core.exits
    machine.run_all(5000)
    rows = json.loads(say("s2 diff --json")[0])["changes"]
    assert rows
    for row in rows:
        by = row["by"]
        assert (by["stage"], by["vmid"], by["el"], by["kind"]) == (2, 1, 2, "make")
        assert by["address"] <= row["ipa"] < by["address"] + by["size"]
        assert exits <= by["exits"] <= machine.core.exits
    lines = say("s2 diff")
    assert len(lines) == 1 + 2 * len(rows)
    assert all(
        line.startswith("          by cpu0 in EL2 at 0x4020") and ("(stage2_memory+" in line or "(descriptor+" in line)
        for line in lines[2::2]
    )


def test_a_mark_has_a_name_and_ends_with_the_session() -> None:
    machine = type1()
    run = registry.bind(machine)
    machine.run_all(300_000)
    thread = ThreadId(1, 1)
    list(run("s2 mark here vm:3", thread))
    assert str(next(iter(run("s2 diff here", thread)))).endswith("since here: 0 instructions, 0 exits")
    with pytest.raises(CommandError, match="no mark 'there'; there are here"):
        list(run("s2 diff there", thread))
    run.left()
    with pytest.raises(CommandError, match="no mark 'here'; `s2 mark` sets one"):
        list(run("s2 diff here", thread))


def test_a_change_of_a_mapping_stops_before_it_where_the_hypervisor_makes_it() -> None:
    machine = type1(1)
    say = talk(machine)
    machine.run_all(5000)
    mapped = json.loads(say("s2 dump vm:2 --json")[0])["ranges"]
    assert not any(r["ipa"] <= 0x80109000 < r["ipa"] + r["size"] for r in mapped)
    said = say("s2 watch 0x80109000+4K vm:2")
    assert said[0].startswith("watch 1: pa:0x402")
    stop = machine.run_all()
    assert stop.kind is StopKind.WATCH_PA
    assert "write to PA" in stop.text
    pc = machine.read_register(stop.thread, "pc")
    inside = [name for name, at in PROGRAM.address.items() if at <= pc]
    assert "stage2" in max(inside, key=lambda name: PROGRAM.address[name])
    address = stop.address or 0
    assert int.from_bytes(machine.core.read_pa(address, 8), "little") == 0
    assert len(say("watch list")) == 1 + len(said)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([], [Range(0x1000, 0x5000, 0x2000, 0x1000, 2, PLAIN)], [("mapped", 0x1000, 0x2000)]),
        ([Range(0x1000, 0x5000, 0x2000, 0x1000, 2, PLAIN)], [], [("unmapped", 0x1000, 0x2000)]),
        (
            [Range(0, 0x200000, 0x200000, 0x200000, 1, PLAIN)],
            [Range(0, 0x200000, 0x200000, 0x1000, 512, PLAIN)],
            [],
        ),
        (
            [Range(0, 0x200000, 0x200000, 0x200000, 1, PLAIN)],
            [Range(0, 0x200000, 0x3000, 0x1000, 3, PLAIN), Range(0x4000, 0x204000, 0x1FC000, 0x1000, 508, {"read": False})],
            [("unmapped", 0x3000, 0x1000), ("changed", 0x4000, 0x1FC000)],
        ),
        (
            [Range(0, 0x5000, 0x2000, 0x1000, 2, PLAIN)],
            [Range(0, 0x5000, 0x1000, 0x1000, 1, PLAIN), Range(0x1000, 0x9000, 0x1000, 0x1000, 1, PLAIN)],
            [("moved", 0x1000, 0x1000)],
        ),
    ],
)
def test_changes(before: list[Range], now: list[Range], expected: list[tuple[str, int, int]]) -> None:
    found = changes(before, now)
    assert [(c.kind, c.ipa, c.size) for c in found] == expected
    assert all(isinstance(c, Change) for c in found)
