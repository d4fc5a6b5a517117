"""The pytest plugin, as projects use it: each test here is a project of its own, run by its own pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conftest import ROOT

ZOO, HELLO, TYPE1 = (ROOT / f"guests/prebuilt/{name}.elf" for name in ("exit_zoo", "hello", "type1"))


@pytest.fixture
def project(tmp_path: Path):
    """Run a project of one file of tests; returns pytest's process."""

    def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(f"import pytest\n\n{text}")
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "gdbhv.testing.plugin", "-p", "no:cacheprovider", "-rA", *options]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
        )

    return run


def passed(done: subprocess.CompletedProcess[str], count: int = 1) -> None:
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def failed(done: subprocess.CompletedProcess[str]) -> str:
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    return done.stdout


def mark(image: Path, rest: str = "") -> str:
    return f"@pytest.mark.gdbhv(image={str(image)!r}{rest})\n"


def test_a_hypervisor(project) -> None:
    test = """def test_it(machine):
    machine.run_until("alpha: hello from EL1")
    assert machine.exits(), "it has run guests"
    stop = machine.run_to_end()
    assert stop.code == 0
    machine.assert_exits(smc=0, hvc=(1, None), max=1_000_000)
    machine.assert_exits({"dabt.trans": (1, None), "dabt.perm": (None, 100)})
    assert "alpha" in machine.text and machine.instructions > 1000
"""
    passed(project(mark(TYPE1) + test))


def test_a_guest_of_ours(project) -> None:
    test = """def test_it(hosted, vm):
    hosted.run_to_end()
    assert vm.name == "vm1"
    hosted.assert_exits({"hvc": (1, None)}, vm=1)
    assert hosted.exits(1) == hosted.exits()
    assert "vm1" in hosted.monitor("vms")
    assert hosted.monitor_json("vmexit stats")["counts"]
"""
    passed(project(mark(ZOO) + test))


def test_with_gdb(project) -> None:
    passed(
        project(mark(HELLO) + "def test_it(gdb):\n    gdb.execute('stepi')\n    assert gdb.execute('info registers pc')\n")
    )


def test_what_is_wrong_is_said_whole(project) -> None:
    test = "def test_it(hosted):\n    hosted.run_to_end()\n    hosted.assert_exits(wfx=12345, smc=(77777, None), max=3)\n"
    said = failed(project(mark(ZOO) + test))
    assert "exits are wfx, and 12,345 were expected" in said
    assert "exits are smc, and at least 77777 were expected" in said
    assert "exits in all, and at most 3 were expected" in said
    assert "the exits were:" in said
    assert "console of the machine" in said


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("hosted.assert_exits(dabd=1)", "did you mean"),
        ("hosted.assert_exits({'hvc vmid=1': 1})", "filters and actions are for catchpoints"),
        ("hosted.run_until('never printed', 2_000_000)", "'never printed'"),
        ("hosted.run_to_end(1000)", "the machine is not off after 1,000 instructions"),
        ("hosted.monitor('nothing like it')", "no monitor command"),
        ("hosted.write_bundle('x.bundle', 'why')", "--gdbhv-bundle"),
    ],
)
def test_errors_say_what_to_do(project, call: str, why: str) -> None:
    assert why in failed(project(mark(ZOO) + f"def test_it(hosted):\n    {call}\n"))


@pytest.mark.parametrize(
    ("fixture", "arguments", "why"),
    [
        ("machine", ", memroy=1", "has no memroy; it has el, image"),
        ("machine", ", el=3", "el is 1 or 2"),
        ("hosted", ", el=2", "a hosted VM begins at EL1"),
        ("gdb", ", rng=1", "use gdbhv.launch"),
    ],
)
def test_a_marker_that_cannot_be(project, fixture: str, arguments: str, why: str) -> None:
    done = project(mark(HELLO, arguments) + f"def test_it({fixture}):\n    pass\n")
    assert why in done.stdout
    assert done.returncode == 1


def test_files_are_found_from_the_test_and_the_nearest_marker_decides(project, tmp_path: Path) -> None:
    (tmp_path / "guest.elf").write_bytes(HELLO.read_bytes())
    test = """pytestmark = pytest.mark.gdbhv(image="guest.elf", smp=1)

@pytest.mark.gdbhv(smp=2)
def test_it(machine):
    assert machine.target.core.cpus == 2
    machine.run(100)
"""
    passed(project(test))


def test_golden(project, tmp_path: Path) -> None:
    test = mark(ZOO) + "def test_it(hosted):\n    hosted.run_to_end()\n    hosted.assert_golden('exits.txt')\n"
    assert "`pytest --gdbhv-update` writes it" in failed(project(test))
    passed(project(test, "--gdbhv-update"))
    passed(project(test))
    golden = tmp_path / "exits.txt"
    lines = golden.read_text().splitlines(keepends=True)
    assert len(lines) > 100
    golden.write_text("".join(lines[:50] + lines[51:]))
    assert f"+{lines[50].rstrip()}" in failed(project(test))


def test_a_failed_run_can_be_looked_at_again(project, tmp_path: Path) -> None:
    test = mark(ZOO) + "def test_it(hosted):\n    hosted.run(5000)\n    assert False\n"
    said = failed(project(test, "--gdbhv-bundle", "kept"))
    kept = tmp_path / "kept" / "test_it.py_test_it.bundle"
    assert f"gdbhv run --replay kept/{kept.name} --gdb 1234" in said
    again = [sys.executable, "-m", "gdbhv", "run", "--replay", str(kept)]
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert "5,000" in done.stderr, done.stderr
    passed(project(mark(ZOO) + "def test_it(hosted):\n    hosted.run(100)\n", "--gdbhv-bundle", "none"))
    assert not (tmp_path / "none").exists()


def test_junit_has_what_was_run(project, tmp_path: Path) -> None:
    passed(project(mark(ZOO) + "def test_it(hosted):\n    hosted.run(5000)\n", "--junit-xml", "out.xml"))
    found = {p.get("name"): p.get("value") for p in ET.parse(tmp_path / "out.xml").iter("property")}
    assert found["instructions"] == "5000"
    assert int(found["exits"] or 0) > 0


def test_several_processes(project) -> None:
    many = "@pytest.mark.parametrize('n', range(6))\ndef test_it(hosted, n):\n    hosted.run(5000)\n"
    passed(project(mark(ZOO) + many, "-p", "xdist", "-n", "2"), 6)


def test_chaos(project) -> None:
    test = "def test_it(machine):\n    assert machine.target.core.chaos.startswith('7:')\n    machine.run_until('alpha:')\n"
    passed(project(mark(TYPE1, ", chaos='7'") + test))
