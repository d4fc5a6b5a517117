#!/usr/bin/env python3
"""Measure gdbhv with QEMU beside it, in turns on the same machine, and print the ratios.

    scripts/bench.py                        everything (two to three minutes)
    scripts/bench.py --only alu,large       some of it; --list names them
    scripts/bench.py --rounds 5             more turns: medians of five
    scripts/bench.py --json > result.json   for scripts
    scripts/bench.py --subject QEMU         one side alone

QEMU runs as `-cpu cortex-a57 -icount shift=0,sleep=off`, its fair counterpart of a deterministic machine. Guest speeds are
per second of processor time, so that other work on the machine counts less; round trips and boots are wall time. Only ratios
of one run mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import loops, protocol, snapshots
from benchmarks.subjects import ROOT, Gdbhv, Qemu, Subject, time_process

SUBJECTS = (Gdbhv(), Qemu())
MIB = (1, 64, 512)  # that change after a snapshot
BUDGET = {"gdbhv": 200_000_000, "QEMU": 1_000_000_000}  # instructions to time: about a second each


@dataclass(frozen=True)
class Benchmark:
    """One row of the table: ``measure`` returns a number in ``unit``; ``aim`` says what gdbhv is to reach."""

    name: str
    title: str
    unit: str
    measure: Callable[[Subject, Path], float]
    aim: str = ""
    alone: bool = False  # QEMU has no counterpart


def speed(loop: loops.Loop) -> Callable[[Subject, Path], float]:
    """Return a measure of million instructions per second of processor time, start-up subtracted."""

    def measure(subject: Subject, folder: Path) -> float:
        rounds = BUDGET[subject.name] // loop.per_round
        full = time_process(subject.bare(loops.build(loop, rounds, folder)))
        start = time_process(subject.bare(loops.build(loop, 1, folder)))
        return (rounds - 1) * loop.per_round / (full - start).cpu / 1e6

    return measure


def endless(name: str, folder: Path) -> Path:
    loop = next(loop for loop in loops.LOOPS if loop.name == name)
    return loops.build(loop, 1 << 40, folder)


def linux() -> tuple[Path, Path]:
    """Return Debian's kernel and its RAM disk."""
    kit = Path(os.environ.get("GDBHV_KIT") or ROOT / ".kit")
    kernel, initrd = kit / "Image", kit / "initramfs.cpio.gz"
    if not (kernel.exists() and initrd.exists()):
        subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch_guests.py"), "--out", str(kit)], check=True)
    return kernel, initrd


def boot(subject: Subject, folder: Path) -> float:
    kernel, initrd = linux()
    command = subject.linux(kernel, initrd, "console=ttyAMA0 cryptomgr.notests=1")
    return time_process(command, marker=b"GDBHV-GUEST: selftest ok").wall


def all_pages(mib: int, *, restore: bool = False) -> Callable[[Subject, Path], float]:
    """Return a measure of what a snapshot costs of which all pages change, or restoring it, by a memcpy of as many."""

    def measure(subject: Subject, folder: Path) -> float:
        made, restored, copied = snapshots.all_pages(mib)
        return (restored if restore else made) / copied

    return measure


def snapshot(subject: Subject, folder: Path) -> float:
    return snapshots.against_memcpy(*linux())


def steps(subject: Subject, folder: Path) -> float:
    return protocol.steps_per_second(subject, endless("alu", folder))


def interrupt(subject: Subject, folder: Path) -> float:
    return protocol.interrupt_seconds(subject, endless("alu", folder)) * 1000


def breakpoint_slowdown(subject: Subject, folder: Path) -> float:
    image = endless("alu", folder)
    return protocol.slowdown(subject, image, f"Z0,{loops.symbol(image, 'never'):x},4")


def watchpoint_slowdown(subject: Subject, folder: Path) -> float:
    image = endless("memory", folder)
    return protocol.slowdown(subject, image, f"Z2,{loops.symbol(image, 'page') + 0xE00:x},8")


AIMS = {"alu": ">= 300 MIPS", "large": ">= 100 MIPS"}
BENCHMARKS = (
    *(Benchmark(loop.name, loop.title, "MIPS", speed(loop), AIMS.get(loop.name, "")) for loop in loops.LOOPS),
    Benchmark("linux", "Linux, hosted: start to `selftest ok`", "s", boot, "<= 4 x QEMU"),
    Benchmark("snapshot", "a snapshot of Linux / memcpy of the pages that change", "x", snapshot, "<= 1.2 x", alone=True),
    *(Benchmark(f"snapshot-{n}", f"the same of {n} MiB that all change", "x", all_pages(n), "<= 1.2 x", True) for n in MIB),
    *(
        Benchmark(f"restore-{n}", f"restoring {n} MiB / memcpy", "x", all_pages(n, restore=True), "<= 1.2 x", True)
        for n in MIB
    ),
    Benchmark("stepi", "single steps at the protocol", "/s", steps, ">= 5000 /s"),
    Benchmark("interrupt", "Ctrl-C to stop reply", "ms", interrupt, "< 50 ms"),
    Benchmark("breakpoint", "slowdown: breakpoint on the page, never hit", "x", breakpoint_slowdown, "< 1.1 x"),
    Benchmark("watchpoint", "slowdown: watchpoint elsewhere on the page", "x", watchpoint_slowdown, "< 2 x"),
)


@dataclass
class Result:
    """What the subjects reached in one benchmark, turn by turn; an error's text instead where one failed."""

    benchmark: Benchmark
    values: dict[str, list[float]]
    errors: dict[str, str]

    def median(self, subject: str) -> float | None:
        return statistics.median(self.values[subject]) if self.values.get(subject) else None

    @property
    def ratio(self) -> float | None:
        ours, theirs = self.median("gdbhv"), self.median("QEMU")
        return ours / theirs if ours is not None and theirs else None


def run(benchmark: Benchmark, subjects: Sequence[Subject], rounds: int, folder: Path) -> Result:
    result = Result(benchmark, {subject.name: [] for subject in subjects}, {})
    for turn in range(rounds):
        for subject in subjects:
            if subject.name in result.errors or (benchmark.alone and subject.name != "gdbhv"):
                continue
            print(f"{benchmark.name}: {subject.name}, turn {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            try:
                result.values[subject.name].append(benchmark.measure(subject, folder))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                result.errors[subject.name] = str(error)
                print(f"{benchmark.name}: {error}", file=sys.stderr)
    return result


def table(results: Sequence[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="gdbhv and QEMU, medians", title_justify="left")
    for heading in ("", "benchmark", "gdbhv", "QEMU", "gdbhv / QEMU", "aim"):
        shown.add_column(heading, justify="right" if heading[:5] in ("gdbhv", "QEMU") else "left", no_wrap=True)
    for result in results:
        cells = []
        for name in ("gdbhv", "QEMU"):
            value = result.median(name)
            text = "-" if value is None else f"{value:{',.0f' if value >= 100 else '.3g'}} {result.benchmark.unit}"
            cells.append("failed" if name in result.errors else text)
        ratio = "-" if result.ratio is None else f"{result.ratio:.2f}"
        shown.add_row(result.benchmark.name, result.benchmark.title, *cells, ratio, result.benchmark.aim)
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


def as_json(results: Sequence[Result]) -> str:
    rows = [
        {"name": r.benchmark.name, "unit": r.benchmark.unit, "values": r.values, "ratio": r.ratio, "errors": r.errors}
        for r in results
    ]
    return json.dumps(rows, indent=2)


def chosen(only: Sequence[str] | None) -> list[Benchmark]:
    wanted = {name for group in only or () for name in group.split(",") if name}
    unknown = wanted - {benchmark.name for benchmark in BENCHMARKS}
    if unknown:
        sys.exit(f"bench.py: no benchmark named {', '.join(sorted(unknown))}; --list names them")
    return [benchmark for benchmark in BENCHMARKS if not wanted or benchmark.name in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME[,NAME]", help="run only these")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each benchmark (default: %(default)s)")
    parser.add_argument("--subject", choices=[subject.name for subject in SUBJECTS], help="measure only this one")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    benchmarks = chosen(options.only)
    if options.list:
        for benchmark in benchmarks:
            print(f"{benchmark.name:12}{benchmark.title:46}{benchmark.aim}")
        return 0
    subjects = [subject for subject in SUBJECTS if options.subject in (None, subject.name)]
    with tempfile.TemporaryDirectory() as folder:
        results = [run(benchmark, subjects, options.rounds, Path(folder)) for benchmark in benchmarks]
    if options.json:
        print(as_json(results))
    else:
        table(results)
    return 1 if any(result.errors for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
