"""The architecture's rules, at EL1: system programs with a second image (guests/prebuilt/el1_*.elf) run as a guest of the
hypervisor, where what EL2 emulates must be as the CPU's own, on a board without EL2, and on QEMU's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gdbhv import _core, boot, image
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import Action, StopKind
from system.test_system import BUDGET, GUESTS, MEMORY, PROFILES, TOPICS, Results, facts, parse, run_qemu, unfinished

TOPICS_AT_EL1 = [topic for topic in TOPICS if "el1" in facts(topic)]
KEYS = {"skips", "deviation"}
DEVIATION_KEYS = {"case", "on", "cpus", "section", "reason"}
"""Of [[el1.deviation]]; `on` lists "hosted", "alone", "qemu". What QEMU deviates in at EL2 needs no second row."""

each_topic = pytest.mark.parametrize("topic", TOPICS_AT_EL1)
each_cpu = pytest.mark.parametrize("cpu", PROFILES)


def elf(topic: str) -> Path:
    return GUESTS / "prebuilt" / f"el1_{topic}.elf"


def run_hosted(topic: str, cpu: str, every: int | None = None) -> str:
    """Run a topic as the guest of a machine with a CPU for each of its vCPUs; return its console."""
    cpus = facts(topic).get("cpus", 1)
    host = Host(cpus=cpus, memory=MEMORY, cpu=cpu)
    console = bytearray()
    config = boot.BootConfig(image=elf(topic), smp=cpus, memory=MEMORY, append="", name="vm", cpu=cpu)
    boot.add_vm(host, config, console.extend)
    target = HostTarget(host)
    moving = [Action(thread.id) for process in target.processes() for thread in process.threads]
    stop = target.run(moving, every or BUDGET)
    while every and stop.kind is StopKind.BUDGET and sum(host.machine.insns) < BUDGET:
        stop = target.run(moving, every)
    assert stop.kind is StopKind.POWEROFF, unfinished(topic, console.decode("ascii"))
    return console.decode("ascii")


def run_alone(topic: str, cpu: str, hang: str | None = None, budget: int = BUDGET) -> str:
    """Run a topic on a board without EL2; return its console.

    :param hang: a symbol of the image, whose first instruction is made a branch to itself.
    """
    machine = _core.Machine(cpus=facts(topic).get("cpus", 1), memory=MEMORY, cpu=cpu, hosted=False, el2=False)
    loaded = image.load(elf(topic))
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    if hang:
        machine.write_pa(loaded.symbols[hang], (0x14000000).to_bytes(4, "little"))
    stop = machine.run(budget)
    console = machine.take_output().decode("ascii")
    assert stop["kind"] == "poweroff", unfinished(topic, console)
    return console


def judge(topic: str, cpu: str, results: Results, on: str) -> None:
    """What failed is what deviates on purpose there; what was skipped is what the topic says; no case is missing."""
    table: dict[str, Any] = facts(topic)["el1"]
    listed = {row["case"] for row in table.get("deviation", ()) if cpu in row["cpus"] and on in row["on"]}
    at_el2 = {row["case"] for row in facts(topic).get("deviation", ()) if cpu in row["cpus"] and on == "qemu"}
    assert {case: why for case, why in results.of("FAIL").items() if case not in listed | at_el2} == {}
    assert listed - results.of("FAIL").keys() == set(), "listed, but it does as it should (or skips)"
    assert results.cases == facts(topic)["cases"]
    skips = table.get("skips", {})
    if on != "qemu":
        rows = [skips.get(key, {}) for key in ("all", on, cpu, f"{cpu}-{on}")]  # the last that names a case says why
        assert results.of("skip") == {case: why for row in rows for why, names in row.items() for case in names}


@each_topic
def test_facts_are_complete(topic: str) -> None:
    table = facts(topic)["el1"]
    assert table.keys() <= KEYS
    places = ["all", *PROFILES, "hosted", "alone", *(f"{cpu}-{on}" for cpu in PROFILES for on in ("hosted", "alone"))]
    assert set(table.get("skips", {})) <= set(places)
    for row in table.get("deviation", ()):
        assert row.keys() == DEVIATION_KEYS
        assert row["case"] in facts(topic)["cases"]
        assert set(row["cpus"]) <= set(PROFILES)
        assert set(row["on"]) <= {"hosted", "alone", "qemu"}


@each_cpu
@each_topic
def test_every_case_holds_in_a_guest(topic: str, cpu: str) -> None:
    judge(topic, cpu, parse(run_hosted(topic, cpu)), "hosted")


@each_cpu
@each_topic
def test_every_case_holds_without_el2(topic: str, cpu: str) -> None:
    judge(topic, cpu, parse(run_alone(topic, cpu)), "alone")


@each_cpu
@each_topic
def test_qemu_without_el2_holds_but_for_what_is_listed(topic: str, cpu: str) -> None:
    judge(topic, cpu, parse(run_qemu(topic, cpu, elf(topic), el2=False)), "qemu")


def test_a_case_that_hangs_is_a_failure_with_its_name() -> None:
    """By the watchdog; with interrupts masked, as in C code, by the case that did not end."""
    results = parse(run_alone("base", "max", hang="undefined"))
    assert list(results.of("FAIL")) == ["undefined_at_el1"]
    assert "the code hangs" in results.of("FAIL")["undefined_at_el1"]
    with pytest.raises(AssertionError, match=r"undefined_at_el1 hangs; before it:\s+ok return_from_el0"):
        run_alone("base", "max", hang="case_undefined_at_el1", budget=20_000_000)
