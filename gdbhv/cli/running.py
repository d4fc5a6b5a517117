"""``gdbhv run``: make the machine, run it with or without a debugger, and report."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from gdbhv import _core, boot, drives, files
from gdbhv.board import firmware
from gdbhv.board.network import Forwards
from gdbhv.cli import bundle_options
from gdbhv.cli.ending import HANGS, exit_status, report, tell_mistakes, tell_reset, tell_undefined
from gdbhv.cli.options import usage_error
from gdbhv.cli.saying import say, show_packets
from gdbhv.cli.signals import Ended, signals_interrupt, signals_wake
from gdbhv.cli.snapshots import Writes, contradiction
from gdbhv.config import PLACED_FILES, SINGLE_FILES, BootConfig
from gdbhv.console import Console, open_console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.history import History
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.recording import Recorder
from gdbhv.recording.file import header
from gdbhv.snapshot import snapfile
from gdbhv.target import Stop, StopKind

if TYPE_CHECKING:
    from gdbhv.monitor.registry import Bound
    from gdbhv.rsp.server import Server

CHUNK = 20_000_000
HTML = b"<!DOCTYPE html>"


def run(options: argparse.Namespace) -> int:
    """``gdbhv run``."""
    content = None if options.snapshot is None else snapfile.read(options.snapshot)
    wrong = (None if content is None else contradiction(options, content)) or usage_error(options)
    if wrong is not None:
        say(f"error: {wrong}", "gdbhv run: ")
        return 2
    if options.replay is not None:
        from gdbhv.cli.replaying import replay

        return replay(options)
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(BootConfig) if hasattr(options, f.name)}
    configs = [BootConfig(**{**given, **fields}) for fields in options.vm or [{}]]
    each = [c for c in configs for _ in range(options.vms)]
    setup = boot.Setup(each, hosted=not options.bare and options.el == 1, el2=options.el == 2)
    hang = options.on_hang if options.snapshot is not None else None
    if hang is not None:
        files.check_replaced(hang, files.SNAPSHOT)
    bundles = []
    if bundle_options.given(options):
        from gdbhv.cli import bundling

        bundles = bundling.wanted(options)
    if options.report is not None:
        from gdbhv import reporting

        files.check_replaced(options.report, HTML)
        reporting.check()
    for path, keeps in options.flash:
        if keeps:
            files.check_replaced(path, b"")
    with contextlib.ExitStack() as opened:
        console, consoles = open_consoles(options, opened, typed=options.gdb != "stdio")
        target: HostTarget | Machine
        kept = opened.enter_context(
            drives.claimed(options.drive if content is not None else [d for c in each for d in c.drive])
        )
        if content is not None:
            host = None if options.semihosting is None else boot.semihosting_of(configs[0])
            target = boot.from_content(
                content, options.snapshot, console, consoles=consoles, drive=options.drive, semihosting=host
            )
        else:
            target = setup.make(console, consoles)
        choose_tier(options, target)
        if options.perf_map:
            map_code(target, [c.image for c in each] if content is None else [g.image for g in content.guests])
        watch_loops(options, target)
        if options.check is not None:
            target.core.check_tlb(True)
        if options.report is not None:
            target.core.trace_size = reporting.TRACED
        recorder = None
        if options.record is not None or bundles:
            reboots, keeps = not options.no_reboot, bool(bundles)
            recorder = opened.enter_context(Recorder(target, setup, options.record, reboots=reboots, keeps=keeps))
        forwards = options.net.forwards if options.net is not None else ()
        if forwards:
            target.connect(opened.enter_context(Forwards(forwards)))
        by_hand = bool(forwards) or any(c.personal for c in (console, *consoles.values()))
        target.pace.realtime = by_hand if options.realtime is None else options.realtime
        gc.freeze()  # what is there stays: no exit of a guest looks at it again
        begun, started = sum(target.core.insns), time.perf_counter()
        history = None
        try:
            if options.gdb:
                history = keep_history(options, target)
                if history is not None and content is None:
                    history.origin = partial(header, setup, reboots=not options.no_reboot)
                images: list[str | Path | None] = [c.image for c in each]
                if content is not None:
                    images = [g.image for g in content.guests]
                stop = serve(options, target, images, history)
            else:
                stop = run_to_end(target, options.max_insns, not options.no_reboot, Writes(target, options.snapshot_at))
            if history is not None:
                history.come_back()  # what is kept of the run is all of it
        except (KeyboardInterrupt, Ended):
            if history is not None:
                history.come_back()
            keep_written(target, options, kept)
            raise
        seconds = time.perf_counter() - started
        if stop is not None and hang is not None and stop.kind in HANGS:
            keep_hang(target, hang)
        if recorder is not None:
            recorder.finish("killed" if stop is None else stop.kind.value)
            if bundles:
                bundling.leave(options, recorder, stop, exit_status(target, stop), bundles)
        keep_written(target, options, kept)
        if stop is not None and stop.kind is not StopKind.INTERRUPT:  # nobody ended it
            for one in (console, *consoles.values()):
                one.await_reader()
    if options.report is not None:
        write_report(target, options.report, options.image or options.snapshot or "gdbhv")
    waited = bool(options.gdb) or target.pace.realtime
    return report(options, target, stop, seconds, None if waited else begun)


def keep_written(target: HostTarget | Machine, options: argparse.Namespace, kept: list[BinaryIO | None]) -> None:
    """Write what guests have written to flash and disks into their files (:func:`gdbhv.drives.keep`)."""
    for path in firmware.keep(target.core, options.flash):
        say(f"{path}: has what the guest wrote to its flash")
    files = iter(kept)
    for slots, disks in target.disks():
        for path in drives.keep(slots, [(d, next(files)) for d in disks]):
            say(f"{path}: has what the guest wrote to it")


def keep_hang(target: HostTarget | Machine, path: str) -> None:
    """Write a snapshot of a machine that hangs to a file, for somebody else to look at."""
    made = target.snapshot()
    size = made.write(path)
    made.delete()
    say(f"{path}: snapshot of the machine as it is, {size:,} bytes: gdbhv run --snapshot {path} --gdb 1234 --wait")


def write_report(target: HostTarget | Machine, path: str, image: str) -> None:
    """Write the page of ``--report``."""
    from gdbhv.reporting import collect, html

    page = html(collect(target, Path(image).name)).encode()
    with files.replaced(path, HTML) as out:
        out.write(page)
    say(f"{path}: report of the run, {len(page):,} bytes")


def watch_loops(options: argparse.Namespace, target: HostTarget | Machine) -> None:
    """Report a CPU that takes the same exception again and again; with a debugger, stop there."""
    from gdbhv.monitor.looping import describe

    target.looping.describe = partial(describe, target)
    target.looping.tell = say
    target.looping.stops = bool(options.gdb)


def choose_tier(options: argparse.Namespace, target: HostTarget | Machine) -> None:
    """Let the machine compile its code as ``--compile-after`` says. :raises GdbhvError: it cannot."""
    if options.compile_after is not None:
        try:
            target.core.compile_after(options.compile_after)
        except (RuntimeError, OverflowError) as e:
            raise GdbhvError(f"--compile-after {options.compile_after}: {e}") from None


def map_code(target: HostTarget | Machine, images: list[str | Path | None]) -> None:
    """Write the names of code that is compiled where ``perf`` looks for them.

    :raises GdbhvError: nothing is compiled, or the file cannot be written.
    """
    from gdbhv.image import Image

    files = {path for image in images if (path := exec_file(image)) is not None}
    symbols = [(at, name) for path in files for name, at in Image(path, "elf", [], 0, 0).symbols.items()]
    path = f"/tmp/perf-{os.getpid()}.map"
    try:
        target.core.perf_map(path, symbols)
    except (RuntimeError, OSError) as e:
        raise GdbhvError(f"--perf-map: {path}: {e}") from None
    say(f"{path}: the guest's names of compiled code, for perf report")


def open_consoles(
    options: argparse.Namespace, opened: contextlib.ExitStack, *, typed: bool
) -> tuple[Console, dict[str, Console]]:
    """Open the consoles that ``--console`` names: the common one, and those of VMs by name. ``opened`` closes them."""

    def open_one(where: str, name: str) -> Console:
        one = opened.enter_context(open_console(where, typed=typed, inputs=inputs(options), name=name))
        if where == "stdio" and (options.stats == "json" or same_place(sys.stdout, sys.stderr)):
            opened.callback(begin_line, one)
        return one

    consoles = {name: open_one(where, name) for name, where in options.console if name}
    usual = "stdio" if options.gdb != "stdio" else os.devnull
    return open_one(next((where for name, where in options.console if not name), usual), ""), consoles


def begin_line(console: Console) -> None:
    """End the guest's last line, so that the next message begins on a line of its own."""
    if not console.at_line_start:
        console.write(b"\n")


def same_place(one: TextIO | None, other: TextIO | None) -> bool:
    """Whether two streams end in the same file or terminal."""
    try:
        return one is not None and other is not None and os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False


def inputs(options: argparse.Namespace) -> list[str | None]:
    """Return the files that are read, and so must not be overwritten."""
    named = [vars(options), *options.vm]
    single = [fields.get(key) for fields in named for key in (*SINGLE_FILES, "snapshot")]
    return single + [each[0] for fields in named for key in PLACED_FILES for each in fields.get(key, [])]


def run_to_end(target: HostTarget | Machine, max_insns: int | None, reboots: bool, writes: Writes) -> Stop:
    """Run without a debugger until the machine ends, after ``max_insns`` instructions, or until Ctrl-C.

    :param reboots: whether a guest that asks for a reset is reset; otherwise that ends the run.
    """
    try:
        return _run_to_end(target, max_insns, reboots, writes)
    finally:
        writes.tell_left()


def _run_to_end(target: HostTarget | Machine, max_insns: int | None, reboots: bool, writes: Writes) -> Stop:
    machine, told = target.core, 0
    end = None if max_insns is None else sum(machine.insns) + max_insns
    with signals_interrupt(target):
        while True:
            target.await_readers()
            writes.write_due()
            before = sum(machine.insns)
            until = [at for at in (end, writes.next) if at is not None]
            stop = target.run_all(min([CHUNK, *(at - before for at in until)]))
            tell_undefined(target)
            told += tell_mistakes(target, told)
            if stop.kind is StopKind.BUDGET and sum(machine.insns) == before != end:
                if target.pace.sleep():  # all CPUs wait: for input, or for time to pass
                    continue
                stop = target.run_all()  # for ever
            if stop.kind is StopKind.BUDGET and sum(machine.insns) != end:
                continue
            if stop.kind is StopKind.RESET and reboots:
                target.reboot(stop.thread.pid)
                tell_reset(target, stop)
                continue
            if stop.kind is StopKind.POWEROFF and target.processes():
                continue  # other VMs go on
            writes.write_due()
            return stop


def serve(
    options: argparse.Namespace,
    target: HostTarget | Machine,
    images: list[str | Path | None],
    history: History | None,
    set_up: Callable[[Bound], None] = lambda monitor: None,
) -> Stop | None:
    """Run with a gdb server until the machine ends. ``images``: of each process.

    :param set_up: sets what a debugger shall find.
    """
    from gdbhv.monitor import registry
    from gdbhv.rsp.server import Server

    show_packets(verbose=options.verbose, path=options.rsp_log, inputs=inputs(options))
    monitor = registry.bind(target, history)
    set_up(monitor)
    server: Server = Server(
        target,
        options.gdb,
        registers=_core.registers(options.cpu, el2=options.el == 2 or not options.bare, gic=options.gic),
        monitor=monitor,
        exec_file=lambda pid: exec_file(images[pid - 1]),
        held=options.wait,
        on_stop=lambda: tell_undefined(target),
        on_leave=monitor.left,
        reboots=not options.no_reboot,
        history=history,
    )
    if options.gdb != "stdio":
        hint = f"gdbhv gdb {server.address}"
        say(f"waiting for gdb at {server.address}; attach with: {hint}")
    with signals_wake(server.wakeup):
        stop = server.serve()
    tell_undefined(target)
    return stop


def keep_history(options: argparse.Namespace, target: HostTarget | Machine) -> History | None:
    """Keep what the machine does, as ``--history`` says."""
    if not options.history:
        return None
    try:
        return History(target, memory=options.history, reboots=not options.no_reboot)
    except StateError as e:
        say(f"gdb cannot go back: {e}")
        return None


def exec_file(image: str | Path | None) -> str | None:
    """Return the ELF to hand to gdb: the image itself, or a ``.vmlinux`` beside it."""
    if image is None:
        return None
    for candidate in (Path(image), Path(f"{image}.vmlinux"), Path(image).with_suffix(".elf")):
        if candidate.is_file():
            with contextlib.suppress(PermissionError), candidate.open("rb") as f:
                if f.read(4) == b"\x7fELF":
                    return str(candidate.resolve())
    return None
