"""The scripts are what the README says: they start, explain themselves, and name the remedy for what a machine lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
PYTHON = [path for path in SCRIPTS if path.suffix == ".py"]
SHELL = [path for path in SCRIPTS if path.suffix != ".py"] + [ROOT / ".ci" / "run"]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_python_script_explains_itself_with_an_example(path: Path) -> None:
    done = run(sys.executable, str(path), "--help")
    assert done.returncode == 0, done.stderr
    assert f"scripts/{path.stem}" in done.stdout


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_shell_script_parses_and_opens_with_its_purpose(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0] in ("#!/bin/sh", "#!/bin/bash")
    assert lines[1].startswith("# ")
    assert run(lines[0][2:], "-n", str(path)).stderr == ""


@pytest.mark.parametrize("path", PYTHON + SHELL, ids=lambda path: path.name)
def test_script_is_executable(path: Path) -> None:
    assert os.access(path, os.X_OK)


def fake(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_setup_names_the_remedy_for_an_old_rust(tmp_path: Path) -> None:
    fake(tmp_path, "rustc", "echo 'rustc 1.20.0 (f3d6973f4 2017-08-27)'")
    fake(tmp_path, "cargo", "echo 'cargo 0.21.0'")
    done = run("scripts/setup", PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON=sys.executable)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Rust 1.20.0 is too old" in line
    assert "rustup" in line


def test_setup_names_the_remedy_for_a_missing_rust(tmp_path: Path) -> None:
    for tool in ("dirname", "sed", "head", "sort", "bash", "env", "cmp", "find"):
        (tmp_path / tool).symlink_to(next(path for path in (f"/usr/bin/{tool}", f"/bin/{tool}") if os.path.exists(path)))
    done = run("/bin/bash", "scripts/setup", PATH=str(tmp_path), HOME=str(tmp_path), PYTHON=sys.executable)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Rust toolchain" in line
    assert "https://rustup.rs" in line


def test_setup_names_the_remedy_for_an_old_python(tmp_path: Path) -> None:
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 15))):
        fake(tmp_path, name, "exit 1")
    done = run("scripts/setup", PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON="")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Python 3.11 or newer" in line


def test_check_refuses_a_step_that_is_none() -> None:
    done = run(sys.executable, "scripts/check.py", "--only", "nonsense")
    assert done.returncode == 1
    assert "no step named nonsense" in done.stderr
