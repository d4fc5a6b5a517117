"""``gdbhv run --snapshot``, ``--snapshot-at`` and ``gdbhv snapshot info``, each in a process of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gdbhv.cli import options as cli_options
from gdbhv.cli import snapshots
from gdbhv.snapshot import snapfile
from snapshot.targets import PREBUILT, hosted
from started import gdbhv

ZOO, TYPE1 = str(PREBUILT / "exit_zoo.elf"), str(PREBUILT / "type1.elf")
TIMES = ("seconds", "compiled")  # of the process, not of the guest


def last(stdout: str) -> tuple[str, dict[str, object]]:
    """What was printed, and the statistics without what a clock says."""
    text, _, line = stdout.rstrip("\n").rpartition("\n")
    return text, {k: v for k, v in json.loads(line).items() if k not in TIMES}


def without_speakers(text: str) -> str:
    return re.sub(r"vm\d\| |\n", "", text)


@pytest.mark.parametrize(
    "run",
    [
        (ZOO, "--memory", "64M"),
        (TYPE1, "--el", "2", "--smp", "2", "--memory", "64M"),
        (ZOO, "--vms", "2", "--cpu", "cortex-a57"),
    ],
    ids=["hosted", "bare", "two-vms"],
)
def test_a_run_that_starts_from_a_file_ends_as_the_one_that_wrote_it(run: tuple[str, ...], tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    first = gdbhv("run", *run, "--stats", "json", "--snapshot-at", f"3000:{one}", "--snapshot-at", f"1e5:{two}")
    assert first.returncode == 0, first.stderr
    assert f"{one}: snapshot after 3,000 instructions, " in first.stderr
    assert f"{two}: snapshot after 100,000 instructions, " in first.stderr
    text, statistics = last(first.stdout)
    for path in (one, two):
        second = gdbhv("run", "--snapshot", path, "--stats", "json")
        rest, same = last(second.stdout)
        assert same == statistics
        assert without_speakers(text).endswith(without_speakers(rest))  # which a console of several names anew


def test_counts_are_of_the_run_that_starts_there(tmp_path: Path) -> None:
    path, again = tmp_path / "file", tmp_path / "again"
    gdbhv("run", ZOO, "--snapshot-at", f"2000:{path}", "--max-insns", "2000")
    done = gdbhv("run", "--snapshot", path, "--max-insns", "500", "--snapshot-at", f"500:{again}")
    assert done.returncode == 5
    assert "is reached after 2,500 instructions" in done.stderr
    assert json.loads(gdbhv("snapshot", "info", again, "--json").stdout)["instructions"] == [2500]


def test_what_was_not_reached_is_told(tmp_path: Path) -> None:
    done = gdbhv("run", ZOO, "--snapshot-at", f"9e9:{tmp_path / 'x'}")
    assert f"{tmp_path / 'x'}: not written: the run ended before instruction 9,000,000,000" in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_place_that_cannot_be_is_refused_before_the_run(tmp_path: Path) -> None:
    done = gdbhv("run", ZOO, "--snapshot-at", f"9e9:{tmp_path}/no/where")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"gdbhv: {tmp_path}/no/where: No such file or directory")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = hosted("exit_zoo").make()
    run.to(2000)
    file = tmp_path_factory.mktemp("snapshot") / "zoo.snap"
    run.target.snapshot("zoo").write(file)
    return file


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((ZOO,), "IMAGE: what runs is in the snapshot"),
        (("--append", "x"), "--append: what runs is in the snapshot"),
        (("--load", f"{ZOO}@0x48000000"), "--load: what runs is in the snapshot"),
        (("--load-address", "0x48000000"), "--load-address: what runs"),
        (("--entry", "0"), "--entry: what runs"),
        (
            ("--cpu", "cortex-a57"),
            "--cpu: the snapshot .* is of a machine with 1 CPU .max., 64 MiB, GICv3, hosted; leave",
        ),
        (("--el", "2"), "--el: the snapshot .* is of a machine with"),
        (("--bare",), "--bare: the snapshot"),
        (("--smp", "2"), "--smp: the snapshot"),
        (("--vms", "2"), "--vms: the snapshot"),
        (("--memory", "65M"), "--memory: the snapshot"),
        (("--gic", "2"), "--gic: the snapshot"),
        (("--ns-per-insn", "2"), "--ns-per-insn: the snapshot"),
    ],
)
def test_an_option_that_contradicts_the_file_is_refused_by_name(path: Path, given: tuple[str, ...], why: str) -> None:
    options = cli_options.parser().parse_args(["run", "--snapshot", str(path), *given])

    found = snapshots.contradiction(options, snapfile.read(path))
    assert found is not None
    assert re.match(why, found)


def test_the_others_work(path: Path, tmp_path: Path) -> None:
    same = ("--cpu", "max", "--el", "1", "--smp", "1", "--memory", "64M", "--gic", "3", "--no-reboot")
    done = gdbhv("run", "--snapshot", path, *same, "--console", tmp_path / "text", "--stats", "json")
    assert (done.returncode, json.loads(done.stdout)["end"]) == (0, "poweroff")
    assert (tmp_path / "text").read_text().endswith("zoo ok\n")
    assert gdbhv("run", "--snapshot", path, "--console", "vm7=/dev/null").stderr == (
        "gdbhv: a console for 'vm7': no VM is called so; there are vm1\n"
    )
    assert gdbhv("run", "--snapshot", path, "--console", path).returncode == 1
    assert gdbhv("run", ZOO, "--gdb", "1", "--snapshot-at", "1:x").stderr.startswith(
        "gdbhv run: error: --snapshot-at is for runs without --gdb"
    )


def test_info(path: Path) -> None:
    done = gdbhv("snapshot", "info", path)
    first, machine, time, guest = done.stdout.splitlines()
    assert first.startswith(f"{path}: snapshot zoo, {path.stat().st_size:,} bytes, written by gdbhv ")
    assert machine == "machine: 1 CPU (max), 64 MiB, GICv3, hosted"
    assert time == "time: 2,000 instructions, 0.000002000 s of virtual time"
    assert guest.startswith(f"vm1: 1 vCPU, 64 MiB, {ZOO}, SHA-256 ")
    document = json.loads(gdbhv("snapshot", "info", path, "--json").stdout)
    assert (document["name"], document["virtual_ns"], document["machine"]["cpus"]) == ("zoo", 2000, 1)
    bad = gdbhv("snapshot", "info", ZOO)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == f"gdbhv: {ZOO}: no snapshot of gdbhv; `monitor snapshot write` makes one\n"
