#!/usr/bin/env python3
"""Measure gdbhv with QEMU beside it, in turns on the same machine, and print the ratios.

    scripts/bench.py                        everything, three turns (some fifteen minutes)
    scripts/bench.py --quick                everything, a short turn (some four minutes)
    scripts/bench.py --only alu,exits       some rows and groups of it; --list names them
    scripts/bench.py --rounds 5             more turns: medians of five
    scripts/bench.py --json > result.json   for scripts
    scripts/bench.py --markdown             the table of the README
    scripts/bench.py --subject QEMU         one of the three alone

QEMU runs twice: as `-cpu max,pauth-impdef=on`, and as that with `-icount shift=0,sleep=off`, the peer of a deterministic
machine; two CPUs take turns on one thread, where QEMU is faster at what the rows of `smp` do. Guests' speeds and boots go by
processor time (start-up subtracted from speeds), so that other work on the machine counts less; `--wall` shows them by the
clock, and JSON has both. gdbhv counts the instructions, exactly. Each guest checks its own results: one that computes
something else is an error, and the status is 1. Only ratios of one run mean something.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Result, as_json, markdown, table
from benchmarks.rows import BENCHMARKS, Benchmark, Effort
from benchmarks.subjects import Gdbhv, Icount, Qemu, Subject

SUBJECTS = (Gdbhv(), Qemu(), Icount())
SECONDS, QUICK = 0.6, 0.15  # that a loop is to run for


def run(benchmark: Benchmark, subjects: Sequence[Subject], rounds: int, effort: Effort) -> Result:
    result = Result(benchmark, {subject.name: [] for subject in subjects}, {})
    for turn in range(rounds):
        for subject in subjects:
            if subject.name in result.errors or (benchmark.alone and subject.name != "gdbhv"):
                continue
            print(f"{benchmark.name}: {subject.name}, turn {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            try:
                result.samples[subject.name].append(benchmark.measure(subject, effort))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                result.errors[subject.name] = str(error)
                print(f"{benchmark.name}: {error}", file=sys.stderr)
    return result


def chosen(only: Sequence[str] | None) -> list[Benchmark]:
    wanted = {name for group in only or () for name in group.split(",") if name}
    unknown = wanted - {benchmark.name for benchmark in BENCHMARKS} - {benchmark.group for benchmark in BENCHMARKS}
    if unknown:
        sys.exit(f"bench.py: no benchmark or group named {', '.join(sorted(unknown))}; --list names them")
    return [benchmark for benchmark in BENCHMARKS if not wanted or wanted & {benchmark.name, benchmark.group}]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME[,NAME]", help="run only these rows and groups")
    parser.add_argument("--list", action="store_true", help="list the benchmarks by their groups")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each benchmark (default: 3; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="short loops and one turn: rough figures")
    parser.add_argument("--subject", choices=[subject.name for subject in SUBJECTS], help="measure only this one")
    parser.add_argument("--wall", action="store_true", help="show speeds and boots by the time on the wall")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument("--markdown", action="store_true", help="print Markdown instead of a table")
    return parser.parse_args()


def main() -> int:
    options = parse()
    benchmarks = chosen(options.only)
    if options.list:
        for benchmark in benchmarks:
            print(f"{benchmark.group:10} {benchmark.name:13}{benchmark.title:50} {benchmark.aim}".rstrip())
        return 0
    subjects = [subject for subject in SUBJECTS if options.subject in (None, subject.name)]
    rounds = options.rounds or (1 if options.quick else 3)
    with tempfile.TemporaryDirectory() as folder:
        effort = Effort(Path(folder), QUICK if options.quick else SECONDS)
        results = [run(benchmark, subjects, rounds, effort) for benchmark in benchmarks]
    if options.json:
        print(as_json(results))
    elif options.markdown:
        print(markdown(results, wall=options.wall))
    else:
        table(results, wall=options.wall)
    return 1 if any(result.errors for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
