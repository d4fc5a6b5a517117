"""The rows of the table: what is measured, in which unit, and what gdbhv aims at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import loops, protocol, snapshots
from benchmarks.subjects import ROOT, Subject, Time, time_process

MIB = (1, 64, 512)  # that change after a snapshot


@dataclass(frozen=True)
class Sample:
    """A turn's value, and the same by the time on the wall where ``value`` goes by processor time."""

    value: float
    wall: float | None = None


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    :param seconds: of processor time that a loop is to run for.
    :param settled: rounds that take so long, by subject and loop; they are found in the first turn.
    """

    folder: Path
    seconds: float
    settled: dict[tuple[str, str], int] = field(default_factory=dict)


Measure = Callable[[Subject, Effort], Sample]


@dataclass(frozen=True)
class Benchmark:
    """One row of the table: ``measure`` returns numbers in ``unit``; ``aim`` says what gdbhv is to reach."""

    name: str
    group: str
    title: str
    unit: str
    measure: Measure
    aim: str = ""
    alone: bool = False  # QEMU has no counterpart
    guest_speed: bool = False


def speed(loop: loops.Loop) -> Measure:
    """Return a measure of million instructions or events a second, start-up subtracted."""

    def take(subject: Subject, rounds: int, folder: Path) -> Time:
        return time_process(subject.bare(loops.build(loop, rounds, folder), cpus=loop.cpus), says=b"ok\n")

    def measure(subject: Subject, effort: Effort) -> Sample:
        each = (loop.events or loops.instructions(loop, effort.folder)) / 1e6
        start = take(subject, 1, effort.folder)
        rounds = effort.settled.get((subject.name, loop.name), loop.first + 1)
        spent = take(subject, rounds, effort.folder) - start
        while spent.cpu < effort.seconds / 2:
            rounds = int(rounds * min(20, effort.seconds / max(spent.cpu, effort.seconds / 20))) + 1
            spent = take(subject, rounds, effort.folder) - start
        effort.settled[subject.name, loop.name] = rounds
        return Sample((rounds - 1) * each / spent.cpu, (rounds - 1) * each / max(spent.wall, 1e-6))

    return measure


def endless(name: str, folder: Path) -> Path:
    return loops.build(loops.NAMED[name], 1 << 40, folder)


def linux() -> tuple[Path, Path]:
    """Return Debian's kernel and its RAM disk."""
    kit = Path(os.environ.get("GDBHV_KIT") or ROOT / ".kit")
    kernel, initrd = kit / "Image", kit / "initramfs.cpio.gz"
    if not (kernel.exists() and initrd.exists()):
        subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch_guests.py"), "--out", str(kit)], check=True)
    return kernel, initrd


def boot(cpu: str) -> Measure:
    def measure(subject: Subject, effort: Effort) -> Sample:
        command = subject.linux(*linux(), "console=ttyAMA0 cryptomgr.notests=1", cpu)
        taken = time_process(command, marker=b"GDBHV-GUEST: selftest ok")
        return Sample(taken.cpu, taken.wall)

    return measure


def all_pages(mib: int, *, restore: bool = False) -> Measure:
    """Return a measure of what a snapshot costs of which all pages change, or restoring it, by a memcpy of as many."""

    def measure(subject: Subject, effort: Effort) -> Sample:
        made, restored, copied = snapshots.all_pages(mib)
        return Sample((restored if restore else made) / copied)

    return measure


def snapshot(subject: Subject, effort: Effort) -> Sample:
    return Sample(snapshots.against_memcpy(*linux()))


def steps(subject: Subject, effort: Effort) -> Sample:
    return Sample(protocol.steps_per_second(subject, endless("alu", effort.folder), 3 * effort.seconds))


def interrupt(subject: Subject, effort: Effort) -> Sample:
    return Sample(protocol.interrupt_seconds(subject, endless("alu", effort.folder)) * 1000)


def slowdown(loop: str, packet: str, symbol: str, offset: int, length: int) -> Measure:
    """Return a measure of what a point costs that is never hit."""

    def measure(subject: Subject, effort: Effort) -> Sample:
        image = endless(loop, effort.folder)
        insert = f"{packet},{loops.symbol(image, symbol) + offset:x},{length}"
        return Sample(protocol.slowdown(subject, image, insert, 2 * effort.seconds))

    return measure


def _loop(loop: loops.Loop) -> Benchmark:
    unit = "M/s" if loop.events else "MIPS"
    return Benchmark(loop.name, loop.group, loop.title, unit, speed(loop), loop.aim, guest_speed=True)


BENCHMARKS = (
    *map(_loop, loops.LOOPS),
    Benchmark("linux", "boot", "Linux (cortex-a57): start to `selftest ok`", "s", boot("cortex-a57"), "<= 1 x QEMU"),
    Benchmark("linux-max", "boot", "Linux (max): start to `selftest ok`", "s", boot("max"), "<= 1 x QEMU"),
    Benchmark("snapshot", "snapshots", "Linux: a snapshot / memcpy of pages that change", "x", snapshot, "<= 1.2 x", True),
    *(Benchmark(f"snapshot-{n}", "snapshots", f"the same of {n} MiB", "x", all_pages(n), "<= 1.2 x", True) for n in MIB),
    *(
        Benchmark(
            f"restore-{n}", "snapshots", f"restoring {n} MiB / memcpy", "x", all_pages(n, restore=True), "<= 1.2 x", True
        )
        for n in MIB
    ),
    Benchmark("stepi", "debugger", "single steps at the protocol", "/s", steps, ">= 5000 /s"),
    Benchmark("interrupt", "debugger", "Ctrl-C to stop reply", "ms", interrupt, "< 50 ms"),
    Benchmark(
        *("breakpoint", "debugger", "slowdown: breakpoint on the page, never hit", "x"),
        *(slowdown("alu", "Z0", "never", 0, 4), "< 1.1 x"),
    ),
    Benchmark(
        *("watchpoint", "debugger", "slowdown: watchpoint elsewhere on the page", "x"),
        *(slowdown("memory", "Z2", "page", 0xE00, 8), "< 2 x"),
    ),
)
