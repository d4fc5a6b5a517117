"""A user's file that uses the library type-checks: the package says that it is typed, and the types are those promised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

GOOD = """
import gdbhv


class Adder(gdbhv.MmioDevice):
    def read(self, offset: int, size: int) -> int:
        return 0

    peek = read


target: gdbhv.HostTarget = gdbhv.hosted(gdbhv.BootConfig(image="guest.elf"))
vm = target.host.vms[0]
vm.add_device(0x0A004000, Adder())


def seen(vcpu: gdbhv.Vcpu, record: gdbhv.ExitRecord) -> None:
    number: int = record["number"]
    far: int | None = record["far"]


target.host.on_exit.append(seen)
stop: gdbhv.Stop = target.run_all()
if stop.exit is not None:
    name: str = stop.exit["name"]
    causes: list[str] = stop.exit["cause"]
rows: list[gdbhv.ExitCount] = target.machine.exit_counts()
total: int = sum(row["count"] for row in rows) + target.machine.exits

with gdbhv.launch("guest.elf", "--smp", "2") as gdb:
    gdb.break_at("main")
    where: gdbhv.GdbStop = gdb.cont()
    text: str = where.text
"""
BAD = (
    ('import gdbhv\nx: str = gdbhv.hosted(gdbhv.BootConfig()).machine.exits\n', "expression has type \"int\""),
    ('import gdbhv\ndef f(r: gdbhv.ExitRecord) -> int:\n    return r["adress"]\n', 'has no key "adress"'),
    ('import gdbhv\ngdbhv.nothing\n', 'has no attribute "nothing"'),
)  # fmt: skip


def check(folder: Path, text: str) -> tuple[int, str]:
    (folder / "user.py").write_text(text)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "user.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=55, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_users_file(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD) == (0, "Success: no issues found in 1 source file\n")


@pytest.mark.parametrize(("text", "wanted"), BAD)
def test_a_users_mistake(tmp_path: Path, text: str, wanted: str) -> None:
    status, said = check(tmp_path, text)
    assert status == 1
    assert wanted in said
