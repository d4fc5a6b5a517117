"""``gdbhv bundle``, and the bundles that runs leave: ``--on-hang`` and ``--bundle-on-exit-status``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from gdbhv import files
from gdbhv.cli.ending import HANGS, STATUS
from gdbhv.cli.saying import say
from gdbhv.errors import GdbhvError
from gdbhv.history import History
from gdbhv.monitor.registry import Bound
from gdbhv.recording import Recorder, Recording
from gdbhv.recording.bundles import MAGIC, Bundle, is_bundle, write
from gdbhv.target import Stop

_STATUSES = re.compile(r"(.*):((?:\d+,)*\d+|any)", re.S)


def wanted(options: argparse.Namespace) -> list[tuple[str, set[int] | None]]:
    """Return where the run is to leave a bundle, and with which exit statuses; None: with all.

    :raises OSError: something is there that stays.
    """
    found: list[tuple[str, set[int] | None]] = []
    if options.on_hang is not None and options.snapshot is None:
        found.append((options.on_hang, {STATUS[kind][0] for kind in HANGS}))
    if options.bundle_on_exit_status is not None:
        parts = _STATUSES.fullmatch(options.bundle_on_exit_status)
        path, which = (options.bundle_on_exit_status, None) if parts is None else parts.groups()
        numbers = set(range(1, 256)) if which is None else None if which == "any" else {int(n) for n in which.split(",")}
        found.append((path, numbers))
    for path, _ in found:
        files.check_replaced(path, MAGIC)
    return found


def leave(
    options: argparse.Namespace, recorder: Recorder, stop: Stop | None, status: int, rows: list[tuple[str, set[int] | None]]
) -> None:
    """Write the bundles that are wanted of a run that ended with an exit status."""
    for path, numbers in rows:
        if numbers is not None and status not in numbers:
            continue
        reason = "killed" if stop is None else stop.text or stop.kind.value
        insns = sum(recorder.target.core.insns)
        size = write(path, recorder.written, reason=reason, insns=insns, status=status, copy_images=options.copy_images)
        say(f"{path}: bundle of the run, {size:,} bytes: gdbhv run --replay {path} --gdb 1234")


def restore(bundle: Bundle, history: History | None, monitor: Bound) -> None:
    """Set what a debugger had set, and tell what gdb itself has to set again."""
    debugger = bundle.manifest.debugger
    if history is not None:
        bundle.put(history)
    for text in debugger.catchpoints:
        for line in monitor(f"vmexit catch --keep {text}", None):
            say(line or "")
    for point in debugger.points:
        say(f"there was {point}{f' ({point.scope})' if point.scope else ''}")
    if debugger.marks:
        say(f"marks: {', '.join(debugger.marks)} (monitor goto mark:NAME)")


def run(options: argparse.Namespace) -> int:
    """``gdbhv bundle``."""
    if options.topic == "make":
        if is_bundle(options.recording):
            raise GdbhvError(f"{options.recording}: a bundle already, and not the recording of one")
        data = files.read(options.recording, 1 << 30, "more than a gigabyte is no recording to bundle")
        with Recording(options.recording) as read:
            read.check_files()
            insns = 0 if read.last is None else read.last.insns
        size = write(options.file, data, reason="the recording's end", insns=insns, copy_images=options.copy_images)
        say(f"{options.file}: {size:,} bytes: gdbhv run --replay {options.file} --gdb 1234")
        return 0
    with Bundle(options.file) as one:
        shown = one.manifest
        if options.json:
            print(one.text)
            return 0
        ended = "" if shown.status is None else f", exit status {shown.status}"
        print(f"{options.file}: of gdbhv {shown.gdbhv}, {shown.insns:,} instructions{ended}: {shown.reason}")
        with one.recording() as recording:
            for file in recording.header.files:
                where = "in the bundle" if Path(file.path).parent == one.folder else file.path
                print(f"{Path(file.path).name}: {file.size:,} bytes, SHA-256 {file.sha256}, {where}")
        for what in (*shown.debugger.points, *shown.debugger.catchpoints, *shown.debugger.marks):
            print(f"debugger: {what}")
    return 0
