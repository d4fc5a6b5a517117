"""The architecture's rules, at EL2: each system program (guests/system/) runs on gdbhv's board, where every case must hold,
and on QEMU's, whose deviations are listed with their reason. Each case cites the rule that it proves.

guests/system/TOPIC.toml lists the cases of a topic, what a profile may skip, and QEMU's deviations; these sets are equal to
what is printed, so that no case can vanish, none can be skipped unseen, and no deviation outlives its cause."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gdbhv import _core, image
from oracle.qemu import executable

GUESTS = Path(__file__).resolve().parent.parent.parent / "guests"
TOPICS = sorted(path.stem for path in (GUESTS / "system").glob("*.toml"))
PROFILES = ["cortex-a57", "max"]

MEMORY = 128 << 20
BUDGET = 2_000_000_000  # virtual nanoseconds: no topic needs a tenth of it
BOARD = ("-m", "128", "-nic", "none", "-display", "none", "-monitor", "none")
LINE = re.compile(r"(ok|skip|FAIL) (\w+)(?:: (.*))?")

KEYS = {"purpose", "cpus", "gic", "flags", "cases", "skips", "deviation", "el1"}
DEVIATION_KEYS = {"case", "cpus", "section", "reason"}

each_topic = pytest.mark.parametrize("topic", TOPICS)
each_cpu = pytest.mark.parametrize("cpu", PROFILES)


def facts(topic: str) -> dict[str, Any]:
    return tomllib.loads((GUESTS / "system" / f"{topic}.toml").read_text())


@dataclass
class Results:
    """What a topic printed: its cases in order, with "ok", "skip" or "FAIL", and for those two why."""

    cases: list[str]
    verdicts: dict[str, str]
    reasons: dict[str, str]

    def of(self, verdict: str) -> dict[str, str]:
        return {case: self.reasons[case] for case in self.cases if self.verdicts[case] == verdict}


def parse(text: str) -> Results:
    """Read the console; a line that is none of a system program's, or a summary that disagrees, fails the test."""
    *lines, summary = text.splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert None not in matches, text
    found = [match.groups() for match in matches if match]
    results = Results([name for _, name, _ in found], {n: v for v, n, _ in found}, {n: why for _, n, why in found})
    counts = [len(results.of(verdict)) for verdict in ("ok", "skip", "FAIL")]
    assert summary == f"system: {counts[0]} ok, {counts[1]} skip, {counts[2]} FAIL"
    return results


def unfinished(topic: str, console: str) -> str:
    """Say which case did not end: the watchdog does not reach what hangs in C code, or with interrupts masked."""
    done = sum(LINE.fullmatch(line) is not None for line in console.splitlines())
    return f"{facts(topic)['cases'][done]} hangs; before it:\n{console}"


def run_ours(topic: str, cpu: str, every: int | None = None) -> tuple[str, list[int]]:
    """Run a topic to its end; return its console and the instructions that each CPU executed.

    :param every: stop, and go on, after so many instructions.
    """
    table = facts(topic)
    machine = _core.Machine(cpus=table.get("cpus", 1), memory=MEMORY, cpu=cpu, hosted=False, gic=table.get("gic", 3))
    loaded = image.load(GUESTS / "prebuilt" / f"system_{topic}.elf")
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    stop = machine.run(BUDGET, insns=every)
    while every and stop["kind"] == "budget" and machine.now < BUDGET:
        stop = machine.run(BUDGET, insns=sum(machine.insns) + every)
    console = machine.take_output().decode("ascii")
    assert stop["kind"] == "poweroff", unfinished(topic, console)
    return console, machine.insns


def run_qemu(topic: str, cpu: str, elf: Path | None = None, *, el2: bool = True) -> str:
    machine = f"virt,virtualization={'on' if el2 else 'off'},gic-version={facts(topic).get('gic', 3)}"
    command = [
        executable(),
        "-M",
        machine,
        *BOARD,
        "-cpu",
        cpu,
        "-smp",
        str(facts(topic).get("cpus", 1)),
        "-serial",
        "stdio",
    ]
    command += ["-kernel", str(elf or GUESTS / "prebuilt" / f"system_{topic}.elf")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@each_topic
def test_facts_are_complete(topic: str) -> None:
    table = facts(topic)
    assert {"purpose", "cases"} <= table.keys() <= KEYS
    assert set(table.get("skips", {})) <= set(PROFILES)
    assert len(table["cases"]) == len(set(table["cases"]))
    for deviation in table.get("deviation", ()):
        assert deviation.keys() == DEVIATION_KEYS
        assert deviation["case"] in table["cases"]
        assert set(deviation["cpus"]) <= set(PROFILES)
    assert (GUESTS / "system" / f"{topic}.c").read_text().startswith(f"/*\n * {topic}: ")


def test_every_topic_has_its_facts() -> None:
    assert [path.stem for path in sorted((GUESTS / "system").glob("*.c"))] == TOPICS


@each_cpu
@each_topic
def test_every_case_holds(topic: str, cpu: str) -> None:
    table = facts(topic)
    console, insns = run_ours(topic, cpu)
    results = parse(console)
    assert results.of("FAIL") == {}
    assert results.cases == table["cases"]
    skips = {case: why for why, names in table.get("skips", {}).get(cpu, {}).items() for case in names}
    assert results.of("skip") == skips
    assert run_ours(topic, cpu, every=997) == (console, insns), "a run in pieces differs"


@pytest.mark.parametrize("cpu", sorted({name for name, _ in _core.profiles()} - {*PROFILES}))
@each_topic
def test_no_case_fails_on_another_core(topic: str, cpu: str) -> None:
    """Those between the least and the most that there is: what they skip follows from their ID registers."""
    results = parse(run_ours(topic, cpu)[0])
    assert results.of("FAIL") == {}
    assert results.cases == facts(topic)["cases"]


@each_cpu
@each_topic
def test_qemu_holds_but_for_what_is_listed(topic: str, cpu: str) -> None:
    table = facts(topic)
    results = parse(run_qemu(topic, cpu))
    listed = {deviation["case"] for deviation in table.get("deviation", ()) if cpu in deviation["cpus"]}
    failed = results.of("FAIL")
    assert {case: why for case, why in failed.items() if case not in listed} == {}
    assert listed - failed.keys() == set(), "listed, but QEMU does as it should (or skips)"
    assert results.cases == table["cases"]
