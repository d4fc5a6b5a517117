"""Real kernels and hypervisors, stopped at random places: from the file, in a new process, they run on as they did here."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT, Kit
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.machine import Machine
from snapshot.targets import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
MORE = 60_000_000  # instructions that are run from a snapshot on


@dataclass(frozen=True)
class Guest:
    """A scenario of the kit (hosted Linux: ""), and after how many instructions it is looked at: at least, and less than."""

    name: str
    scenario: str
    places: tuple[int, int]


GUESTS = [
    Guest("linux-hosted-2-vcpus", "", (50_000_000, 500_000_000)),
    Guest("linux-at-el2", "linux-el2-smp2", (50_000_000, 400_000_000)),
    Guest("kvm-with-an-l2", "kvm-quiet-smp1", (600_000_000, 1_100_000_000)),
    Guest("xen-with-two-domus", "xen-2domu-smp2", (300_000_000, 900_000_000)),
]


def make(guest: Guest, kit: Kit) -> Run:
    if not guest.scenario:
        config = boot.BootConfig(
            image=kit.image, initrd=kit.initramfs, smp=2, memory=192 << 20, append="console=ttyAMA0", name="vm1"
        )
        consoles = {"vm1": Console()}
        return Run(boot.hosted(config, consoles=consoles), consoles, 1 << 62)
    conf = kit.folder / "scenarios" / f"{guest.scenario}.conf"
    if not conf.exists():
        pytest.skip(f"{conf} is not there: the kit of scripts/fetch_guests.py has no such scenario")
    rows = [line.partition("=")[::2] for line in conf.read_text().splitlines()]
    said = dict(rows)
    pieces = []
    for address, name in (value.split() for key, value in rows if key == "load"):
        pieces.append((int(address, 0), (kit.folder / name).read_bytes()))
    consoles = {"machine": Console()}
    machine = Machine(cpus=int(said["cpus"]), memory=int(said["mem"]) << 20, console=consoles["machine"])
    machine.start(pieces, int(said["entry"], 0), int(said["x0"], 0))
    return Run(machine, consoles, 1 << 62)


def digest(run: Run) -> list[object]:
    """All of a target, and what it has printed, as what another process can print."""
    insns, now, exits, counts, state, machine = run.whole()
    whole = [hashlib.sha256(part).hexdigest() for part in (state, machine)]  # type: ignore[arg-type]
    text = {name: len(t) for name, t in run.text().items()}
    return json.loads(json.dumps([insns, now, exits, sorted(map(str, counts)), text, *whole]))  # type: ignore[call-overload]


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.name)
def test_a_new_process_runs_on_from_a_file(guest: Guest, kit: Kit, seed: int, tmp_path: Path) -> None:
    rng, path = random.Random(f"{seed} {guest.name}"), tmp_path / "file"
    run = make(guest, kit)
    run.to(rng.randrange(*guest.places))
    assert run.target.processes(), "it has not ended"
    made = run.target.snapshot()
    made.write(path)
    for console in run.consoles.values():
        console.text.clear()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), *run.consoles],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run.to(run.insns + MORE)
    end = digest(run)
    assert json.loads(done.stdout) == end
    made.restore()
    for console in run.consoles.values():
        console.text.clear()
    run.to(run.insns + MORE)
    assert digest(run) == end
    assert made.pages > 0


PROGRAM = f"""
import json, sys
from pathlib import Path
from snapshot.test_real_guests import digest
from snapshot.targets import resumed
run = resumed(Path(sys.argv[1]), dict.fromkeys(sys.argv[2:]), 1 << 62)
run.to(run.insns + {MORE})
print(json.dumps(digest(run)))
"""
