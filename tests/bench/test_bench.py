"""scripts/bench.py: rows are chosen by name and by group, and what is measured comes out as JSON, Markdown and a table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benchmarks import loops

ROOT = Path(__file__).resolve().parent.parent.parent


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def listed(*options: str) -> list[str]:
    return [line.split()[1] for line in bench("--list", *options).stdout.splitlines()]


def test_every_guest_has_a_row() -> None:
    assert [name for name in listed() if name in loops.NAMED] == list(loops.NAMED)


def test_groups_and_names_choose() -> None:
    assert listed("--only", "smp,alu", "--only", "linux") == ["alu", "exclusive", "lse", "lock", "linux"]


def test_an_unknown_name_is_refused() -> None:
    done = bench("--only", "nonsense")
    assert done.returncode == 1
    assert "no benchmark or group named nonsense" in done.stderr


def test_json_has_values_ratios_and_their_mean() -> None:
    done = bench("--quick", "--only", "hvc,device", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    ratios = []
    for row in document["rows"]:
        assert row["errors"] == {}
        assert [len(row["values"][name]) for name in ("gdbhv", "QEMU", "icount")] == [1, 1, 1]
        ratios.append(row["ratio"]["icount"])
        assert ratios[-1] == pytest.approx(row["median"]["gdbhv"] / row["median"]["icount"])
    assert document["geometric_mean"]["icount"] == pytest.approx((ratios[0] * ratios[1]) ** 0.5)


def test_markdown_has_a_line_for_each_row_and_the_mean() -> None:
    done = bench("--quick", "--only", "hvc", "--subject", "gdbhv", "--markdown")
    heading, rule, row = done.stdout.splitlines()
    assert heading.count("|") == rule.count("|") == row.count("|")
    assert "HVC: EL1, EL2, EL1" in row
