"""``gdbhv hunt``: it finds the seed of a planted race, and its bundle shows it again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from started import ENVIRONMENT, HELLO, PREBUILT, SPIN, command, gdbhv

TICKETS = str(PREBUILT / "tickets.elf")
TWICE = "was given to"


def test_a_race_is_found_and_replayed(tmp_path: Path) -> None:
    done = gdbhv("hunt", "--seeds", "60", "--forbid", TWICE, "-o", tmp_path, "--", TICKETS, "--smp", "2")
    assert done.returncode == 9
    first = done.stderr.splitlines()[0]
    seed = int(first.partition("seed ")[2].partition(":")[0])
    assert first == f"gdbhv: seed {seed}: it has printed {TWICE!r}"
    bundle = tmp_path / f"seed-{seed}.bundle"
    assert f"gdbhv run --replay {bundle} --gdb 1234" in done.stderr
    assert TWICE in gdbhv("run", TICKETS, "--smp", "2", "--chaos", str(seed)).stdout
    assert TWICE in gdbhv("run", "--replay", bundle).stdout


def test_what_does_not_fail_is_said_so(tmp_path: Path) -> None:
    done = gdbhv("hunt", "--seeds", "4", "--expect", "hello", "-o", tmp_path, "--", HELLO)
    assert (done.returncode, "no seed of 4 failed" in done.stderr) == (0, True)
    assert not list(tmp_path.iterdir())


def test_a_hang_and_a_missing_word_are_failures(tmp_path: Path) -> None:
    (image := tmp_path / "spin.bin").write_bytes(SPIN)
    words = ("--", image, "--memory", "64M", "--max-insns", "1000")
    done = gdbhv("hunt", "--seeds", "9", "--first", "7", "--most", "2", "--jobs", "1", "-o", tmp_path, *words)
    assert done.returncode == 9
    assert "seed 7: exit status 5" in done.stderr
    assert sorted(p.name for p in tmp_path.glob("*.bundle")) == ["seed-7.bundle", "seed-8.bundle"]
    done = gdbhv("hunt", "--seeds", "2", "--expect", "goodbye", "--jobs", "1", "-o", tmp_path, "--", HELLO)
    assert "seed 1: it has not printed 'goodbye'" in done.stderr
    slow = gdbhv("hunt", "--seeds", "1", "--seconds", "1", "-o", tmp_path, "--", "sleep", "20", "{chaos}")
    assert "seed 1: it was not over after 1 seconds" in slow.stderr


def test_a_command_of_ones_own(tmp_path: Path) -> None:
    script = "import sys; print(sys.argv[1:]); sys.exit(sys.argv[1].startswith('3:'))"
    words = (sys.executable, "-c", script, "{chaos}", "{bundle}")
    done = gdbhv("hunt", "--seeds", "5", "--jobs", "1", "--profile", "tlb", "-o", tmp_path, "--", *words)
    assert done.returncode == 9
    assert "seed 3: exit status 1" in done.stderr


def test_wrong_arguments_are_told_once(tmp_path: Path) -> None:
    for words, why in (
        (("--", HELLO, "--vms", "2", "--el", "2"), "--vms needs gdbhv's hypervisor"),
        (("--", "--nonsense"), "unrecognized arguments"),
        (("--profile", "wind", "--", HELLO), "no kind of chaos"),
        (("-o", tmp_path / "none", "--", HELLO), "Not a directory"),
    ):
        done = gdbhv("hunt", *words)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1
        assert why in done.stderr


def test_ctrl_c_ends_all_runs(tmp_path: Path) -> None:
    words = command("hunt", "--jobs", "2", "-o", tmp_path, "--", "sleep", "600", "{chaos}")
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as hunting:
        for _ in range(400):
            children = subprocess.run(
                ["pgrep", "-P", str(hunting.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            if len(children) == 2:
                break
        hunting.send_signal(signal.SIGINT)
        assert hunting.wait(30) == 130
        assert not any(Path(f"/proc/{child}").exists() for child in children)
