"""Compiled code is not to be noticed: the interpreter's run, and all that a debugger asks for. Oracle: the interpreter."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import _core
from gdbhv.boot import BootConfig, Setup
from gdbhv.console import Console
from gdbhv.image import Image
from gdbhv.machine.machine import Machine
from hv.programs import CODE, add, branch, code

GUESTS = Path(__file__).resolve().parent.parent / "guests" / "prebuilt"
NEVER = 1 << 62
# ADD X0, X0, #1; ADD X1, X1, #1; STR X0, [X20]; B .-12
LOOP = (add(0, 0, 1), add(1, 1, 1), 0xF9000280, branch(-3))


def looping(after: int) -> _core.Machine:
    machine = _core.Machine(memory=1 << 24, hosted=False, el2=False)
    machine.compile_after(after)
    machine.write_pa(CODE, code(*LOOP))
    machine.write_register(0, "pc", CODE)
    machine.write_register(0, "x20", CODE + 0x10000)
    return machine


def run(machine: _core.Machine, insns: int) -> str:
    return machine.run(NEVER, 1, sum(machine.insns) + insns)["kind"]


@pytest.mark.parametrize("guest", ["exit_zoo", "two_vcpus", "self_debug", "type1"])
def test_a_guest_runs_as_on_the_interpreter(guest: str) -> None:
    image, hosted = GUESTS / f"{guest}.elf", guest != "type1"
    said = []
    for after in (0, 1, 40):
        target = Setup([BootConfig(image=image, smp=2, memory=256 << 20)], hosted=hosted, el2=True).make(Console())
        target.core.compile_after(after)
        stop = target.run_all(30_000_000)
        registers = [target.core.read_core(cpu) for cpu in range(target.core.cpus)]
        said.append((stop.kind, target.core.insns, target.core.now, registers, target.core.exits))
        assert (target.core.compiled_blocks > 0) == (after == 1) or after == 40
    assert said[0] == said[1] == said[2]


def test_a_breakpoint_in_a_loop_that_is_compiled_stops_it() -> None:
    machine = looping(1)
    assert run(machine, 4001) == "budget"
    assert machine.compiled_blocks
    machine.insert_breakpoint(CODE + 4)
    for _ in range(3):
        assert run(machine, 100) == "swbreak"
        assert machine.read_register(0, "pc") == CODE + 4
        assert machine.read_register(0, "x0") == machine.read_register(0, "x1") + 1
    machine.remove_breakpoint(CODE + 4)
    assert run(machine, 4000) == "budget"


def test_a_breakpoint_at_its_first_instruction_too() -> None:
    machine = looping(1)
    assert run(machine, 4000) == "budget"
    machine.insert_breakpoint(CODE)
    assert run(machine, 100) == "swbreak"
    assert run(machine, 100) == "swbreak"
    assert machine.read_register(0, "pc") == CODE


def test_a_watchpoint_stops_it() -> None:
    machine = looping(1)
    run(machine, 4000)
    machine.insert_watchpoint(CODE + 0x10000, 8)
    assert run(machine, 100) == "watch"
    assert machine.read_register(0, "pc") == CODE + 8
    machine.remove_watchpoint(CODE + 0x10000, 8)
    assert run(machine, 100) == "budget"


def test_code_that_is_written_is_executed_as_written() -> None:
    machine = looping(1)
    run(machine, 4000)
    before = machine.read_register(0, "x1")
    machine.write_pa(CODE + 4, code(add(1, 1, 100)))
    run(machine, 4)
    assert machine.read_register(0, "x1") == before + 100


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_how_a_run_is_divided_does_not_matter(piece: int) -> None:
    seen = []
    for after in (0, 1):
        machine = looping(after)
        for _ in range(4000 // piece):
            run(machine, piece)
        seen.append((machine.read_core(0), machine.now, machine.insns))
    assert seen[0] == seen[1]


def test_a_machine_that_is_reset_compiles_again() -> None:
    target = Setup([BootConfig(image=GUESTS / "type1.elf", smp=2)], hosted=False, el2=True).make(Console())
    assert isinstance(target, Machine)
    target.core.compile_after(1)
    target.run_all(100_000)
    target.reset()
    before = target.core.compiled_blocks
    target.run_all(100_000)
    assert target.core.compiled_blocks > before


def test_the_option(tmp_path: Path) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-m", "gdbhv", "run", str(GUESTS / "hello.elf"), "--compile-after", after],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        for after in ("0", "1")
    ]
    assert said[0].stdout == said[1].stdout != ""
    assert said[0].stderr.split(" instructions")[0] == said[1].stderr.split(" instructions")[0]


def test_perf_finds_the_guests_symbols() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gdbhv",
            "run",
            str(GUESTS / "hello.elf"),
            "--compile-after",
            "1",
            "--perf-map",
            "--stats",
            "json",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    found = re.search(r"(/tmp/perf-\d+\.map): ", done.stderr)
    assert found
    path = Path(found[1])
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    path.unlink()
    compiled = json.loads(done.stdout.splitlines()[-1])["compiled"]
    assert compiled["blocks"] == len(lines) > 5
    assert compiled["bytes"] == sum(int(size, 16) for _, size, _ in lines)
    names = {re.sub(r"\+0x[0-9a-f]+$", "", name) for _, _, name in lines}
    assert names <= Image(str(GUESTS / "hello.elf"), "elf", [], 0, 0).symbols.keys()
    pieces = sorted((int(at, 16), int(size, 16)) for at, size, _ in lines)
    assert all(at + size <= after for (at, size), (after, _) in itertools.pairwise(pieces))


def test_what_compiling_has_cost_is_told() -> None:
    machine = looping(1)
    run(machine, 40_000)
    done = machine.compiled()
    assert (done["blocks"], done["instructions"]) == (1, 4)
    assert 30_000 < done["executed"] <= 40_000
    assert done["bytes"] > 20
    assert done["seconds"] > 0
    machine.compile_after(0)
    assert machine.compiled()["executed"] == 0


def test_a_map_needs_a_compiler(tmp_path: Path) -> None:
    machine = looping(0)
    with pytest.raises(RuntimeError, match="nothing is compiled"):
        machine.perf_map(str(tmp_path / "map"), [])
    machine.compile_after(1)
    with pytest.raises(OSError, match="No such file"):
        machine.perf_map(str(tmp_path / "nowhere" / "map"), [])
    machine.perf_map(str(tmp_path / "map"), [(CODE - 8, "before")])
    run(machine, 400)
    assert [line.split()[2] for line in (tmp_path / "map").read_text().splitlines()] == ["before+0x8"]


BOUND = 64 << 20  # bytes of native code
CHURN = """
import resource, sys
from gdbhv import _core
from hv.programs import CODE, code

def run(after, passes):
    machine = _core.Machine(memory=1 << 24, hosted=False, el2=False)
    machine.compile_after(after)
    machine.write_register(0, "x20", CODE + 0x400000)
    loads = 0xF9400280 | 1  # LDR x1, [x20]
    for n in range(passes):
        piece = code(*[loads | n % 30 << 10, 0x91000400, 0x14000001] * 0x10000)  # ADD x0, x0, #1; B .+4
        machine.write_pa(CODE, piece)
        machine.write_register(0, "pc", CODE)
        machine.run(1 << 62, 1, sum(machine.insns) + 3 * 0x10000)
    return machine.read_core(0), machine.now, machine.compiled()["bytes"]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

few = run(1, 2)
before = peak()
many = run(1, 14)
print(many[2], peak() - before, many[:2] == run(0, 14)[:2])
"""


def test_native_code_is_bounded_and_its_memory_used_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHURN],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parent,
    )
    written, grown, same = done.stdout.split()
    assert int(written) > 2.5 * BOUND
    assert int(grown) < 2 * BOUND, "native code, and what is known of its blocks"
    assert same == "True"
