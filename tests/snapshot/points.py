"""Random places of one run: what is restored at each of them runs on as the run itself does.

The run goes from place to place. At each it is saved, and a machine made of the file goes along to the next places, where
both must be the same: whatever a machine keeps, and what is asked of it by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT
from snapshot.targets import Run, Setup, resumed

FOREVER = 1 << 62  # instructions
COMPANY = 2  # machines made of files that go along
PROCESS = 10  # of so many files one is read by a process of its own


@dataclass
class Other:
    """A machine made of a file, and how much the first one had printed until then."""

    run: Run
    start: dict[str, int]
    since: int


def look(run: Run) -> dict[str, object]:
    """Return all that is to be the same, as it is in JSON: what is saved as hashes, registers also by name."""
    insns, now, exits, counts, *saved = run.whole()
    core, registers = run.target.core, hashlib.sha256()
    for cpu in range(core.cpus):
        registers.update(core.read_core(cpu))
        for name in run.target.registers:
            with contextlib.suppress(KeyError):  # those that cannot be looked at
                registers.update(repr(core.read_register(cpu, name)).encode())
    last = [run.target.last_exit(t.id) for process in run.target.processes() for t in process.threads]
    found = {
        "instructions": insns,
        "time": now,
        "exits": [exits, sorted(map(str, counts))],  # type: ignore[call-overload]
        "last exits": repr(last),
        "registers": registers.hexdigest(),
    }
    hashes = (hashlib.sha256(part).hexdigest() for part in saved)  # type: ignore[arg-type]
    return json.loads(json.dumps(found | dict(zip(("host", "machine"), hashes, strict=True))))  # type: ignore[no-any-return]


def printed(run: Run, start: dict[str, int]) -> dict[str, str]:
    return {name: text[start.get(name, 0) :].hex() for name, text in run.text().items()}


def check(
    setup: Setup,
    places: list[int],
    folder: Path,
    rng: random.Random,
    arrived: Callable[[Run], None] = lambda run: None,
    *,
    again: bool = True,
) -> None:
    """Visit the places, in order; see this module. ``arrived`` is called at each. The last is compared with a run that was
    never saved, if ``again`` says so.
    """
    run, others = setup.make(), list[Other]()
    start: dict[str, int] = {}
    process, path = None, folder / f"{setup}.snap"
    for number, at in enumerate(places):
        run.to(at)
        now, text = look(run), run.text()
        arrived(run)
        if made := run.target.snapshots.get("here"):  # back to the last place, and here again
            made.restore()
            made.delete()
            run.to(at)
            assert look(run) == now, f"{setup}: restored at {places[number - 1]}, seen at {at}"
            for name, console in run.consoles.items():
                console.text[:] = text[name]  # which has been printed twice
        for other in others:
            where = f"{setup}: read from a file of {other.since}, seen at {at}"
            other.run.to(at)
            assert look(other.run) == now, where
            assert printed(other.run, {}) == printed(run, other.start), where
        if process is not None:
            assert json.loads(process.communicate()[0]) == [now, printed(run, start)], f"{setup}: in a process, at {at}"
        run.target.snapshot("here").write(path)
        start = {name: len(said) for name, said in text.items()}
        others = [*others[1 - COMPANY :], Other(resumed(path, run.consoles, FOREVER), start, at)]
        assert look(others[-1].run) == now, f"{setup}: read from a file of {at}"
        alone = rng.randrange(PROCESS) == 0 and number + 1 < len(places)
        process = in_a_process(path, run, places[number + 1]) if alone else None
    if again:
        straight = setup.make()
        straight.to(places[-1])
        assert (look(straight), straight.text()) == (look(run), run.text()), f"{setup}: saving changes nothing"


def in_a_process(path: Path, run: Run, at: int) -> subprocess.Popen[str]:
    """A new process that reads a file, and goes on from there until instruction ``at``."""
    copy = path.with_suffix(".process")  # the next one may be written meanwhile
    path.rename(copy)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(copy), str(at), *run.consoles],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
    )


PROGRAM = """
import json, sys
from pathlib import Path
from snapshot.points import FOREVER, look, printed
from snapshot.targets import resumed
run = resumed(Path(sys.argv[1]), dict.fromkeys(sys.argv[3:]), FOREVER)
run.to(int(sys.argv[2]))
print(json.dumps([look(run), printed(run, {})]))
"""
