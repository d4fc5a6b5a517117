"""Snapshots of the machine (no host side): what is restored runs on as if nothing had happened.

Two machines are equal if their exports are: all registers, RAM, devices, exits, and what the TLBs hold are in them.
"""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest

from gdbhv import _core, image

GUESTS = Path(__file__).resolve().parent.parent.parent / "guests"
TOPICS = sorted(path.stem for path in (GUESTS / "system").glob("*.toml"))
MEMORY = 128 << 20
FOREVER = 2_000_000_000  # virtual nanoseconds

each_topic = pytest.mark.parametrize("topic", TOPICS)


def machine(topic: str, cpu: str = "max") -> _core.Machine:
    """A machine for a topic of the system programs."""
    table = tomllib.loads((GUESTS / "system" / f"{topic}.toml").read_text())
    return _core.Machine(cpus=table.get("cpus", 1), memory=MEMORY, cpu=cpu, hosted=False, gic=table.get("gic", 3))


def load(core: _core.Machine, name: str) -> None:
    loaded = image.load(GUESTS / "prebuilt" / f"{name}.elf")
    for address, data in loaded.segments:
        core.write_pa(address, data)
    core.write_register(0, "pc", loaded.entry)


def export(core: _core.Machine) -> bytes:
    """All of a machine."""
    snapshot = core.snapshot()
    try:
        return core.export_snapshot(snapshot)
    finally:
        core.forget_snapshot(snapshot)


def run(core: _core.Machine, insns: int | None = None) -> tuple[str, bytes]:
    """Run up to so many instructions since the machine was made, or to the end; the stop and the console."""
    stop = core.run(FOREVER, insns=insns)
    return stop["kind"], core.take_output()


def points(topic: str, total: int, count: int) -> list[int]:
    return sorted(random.Random(topic).sample(range(1, total), count))


@each_topic
def test_a_loaded_machine_runs_on_as_the_saved_one(topic: str) -> None:
    straight = machine(topic)
    load(straight, f"system_{topic}")
    kind, console = run(straight)
    assert kind == "poweroff"
    end, total = export(straight), sum(straight.insns)

    saved = machine(topic)
    load(saved, f"system_{topic}")
    said = b""
    for at in points(topic, total, 6):
        kind, text = run(saved, at)
        said += text
        assert kind == "budget"
        data = export(saved)
        loaded = machine(topic)
        loaded.import_snapshot(data)
        assert export(loaded) == data
        kind, text = run(loaded)
        assert (kind, said + text) == ("poweroff", console)
        assert loaded.insns == straight.insns
        assert export(loaded) == end
    kind, text = run(saved)
    assert (kind, said + text, export(saved)) == ("poweroff", console, end), "saving changes nothing"


@pytest.mark.parametrize("topic", ["tlbi", "smp"])
def test_a_restored_machine_runs_on_as_before(topic: str) -> None:
    if topic not in TOPICS:
        pytest.fail(f"no topic {topic}: {TOPICS}")
    core = machine(topic)
    load(core, f"system_{topic}")
    run(core)
    total = sum(core.insns)
    core = machine(topic)
    load(core, f"system_{topic}")
    kept: list[tuple[int, bytes]] = []
    for at in points(topic, total, 8):
        run(core, at)
        kept.append((core.snapshot(), export(core)))
    order = random.Random(topic)
    for _ in range(24):
        snapshot, data = order.choice(kept)
        core.restore(snapshot)
        assert export(core) == data
        run(core, sum(core.insns) + order.randrange(1, total // 4))
    for snapshot, data in kept:
        assert core.export_snapshot(snapshot) == data, "whatever has run since"
    for snapshot, _ in kept:
        core.forget_snapshot(snapshot)
    with pytest.raises(ValueError, match="there is no snapshot 0"):
        core.restore(0)


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    core = machine(TOPICS[0])
    load(core, f"system_{TOPICS[0]}")
    run(core, 10_000)
    good = export(core)
    run(core, 20_000)
    before, here = export(core), core.snapshot()
    other = _core.Machine(cpus=3, memory=64 << 20, cpu="cortex-a57", hosted=False)
    with pytest.raises(ValueError, match=r"of a machine with 3 CPUs of cortex-a57 with 67108864 bytes of RAM.*this one has"):
        core.import_snapshot(export(other))
    odd = _core.Machine(cpus=1, memory=MEMORY + 4096, cpu="max", hosted=False)
    with pytest.raises(ValueError, match=rf"with {MEMORY + 4096} bytes of RAM.*this one has .* with {MEMORY} bytes"):
        core.import_snapshot(export(odd))
    for cut in (0, 1, 10, 100, len(good) // 2, len(good) - 1):
        with pytest.raises(ValueError, match="damaged"):
            core.import_snapshot(good[:cut])
    rng = random.Random(1)
    for _ in range(200):
        at = rng.randrange(len(good))
        bad = good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :]
        try:
            core.import_snapshot(bad)
        except ValueError as e:
            assert re.search(r"damaged|another version|of a machine", str(e))  # noqa: PT017
        else:
            assert export(core) == good, "a bit of the compression that says the same either way"
            core.restore(here)
    with pytest.raises(ValueError, match="too long"):
        core.import_snapshot(good + good)
    assert export(core) == before
    core.import_snapshot(good)
    assert export(core) == good


def test_a_digest_of_ram_says_what_is_there_and_nothing_else() -> None:
    core, other = machine("tlbi"), machine("tlbi")
    load(core, "system_tlbi")
    load(other, "system_tlbi")
    digests = []
    for at in (1000, 20_000, 40_000):
        run(core, at)
        digests.append(core.ram_digest())
    run(other, 40_000)
    assert export(other) == export(core), "asking changes nothing"
    assert other.ram_digest() == digests[-1]
    assert len(set(digests)) == 3
    other.write_pa(0x44000000, b"\1")
    assert other.ram_digest() != digests[-1]
    other.write_pa(0x44000000, b"\0")
    assert other.ram_digest() == digests[-1]


def test_a_reset_keeps_snapshots() -> None:
    core = machine(TOPICS[0])
    load(core, f"system_{TOPICS[0]}")
    run(core, 10_000)
    snapshot, data = core.snapshot(), export(core)
    run(core, 20_000)
    core.reset()
    assert core.now == 0
    core.restore(snapshot)
    assert export(core) == data


def test_the_debuggers_points_stay() -> None:
    core = machine("tlbi")
    load(core, "system_tlbi")
    run(core, 1000)
    snapshot = core.snapshot()
    pc = core.read_register(0, "pc")
    core.insert_breakpoint(pc)
    run(core, 2000)
    core.restore(snapshot)
    assert core.run(FOREVER)["kind"] == "swbreak"
    assert core.read_register(0, "pc") == pc
