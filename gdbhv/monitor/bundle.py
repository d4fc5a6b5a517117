"""``bundle``: the run in one file, to hand over."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
from gdbhv.monitor.registry import Arg, Context, command
from gdbhv.recording.bundles import Point, bundle


@command(
    "bundle",
    Arg("file", "where to write it"),
    Arg("--copy-images", "with the files that the machine was made from", flag=True),
    help="write the run until here to a file, for `gdbhv run --replay FILE --gdb 1234` elsewhere",
    more=lambda: [
        "It has what came from outside, the SHA-256 of images, breakpoints, catchpoints and marks; its replay stops here.",
        "In the past it ends where the machine is.",
    ],
)
def bundle_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Write a recording of what is kept of the run."""
    catchpoints = [point.spec.text for point in context.catchpoints.rows.values()]
    try:
        size = bundle(
            args.file,
            context.history,
            copy_images=args.copy_images,
            points=list(points(context)),
            catchpoints=catchpoints,
        )
    except OSError as e:
        raise CommandError(f"{args.file}: {e.strerror or e}") from None
    here = context.history.here.insns
    yield f"{args.file}: the run to instruction {here:,}, {size:,} bytes: gdbhv run --replay {args.file} --gdb 1234"


def points(context: Context) -> Iterator[Point]:
    """Yield the breakpoints and watchpoints that gdb had inserted when the machine ran last."""
    scopes = {(row.kind, row.address, row.length): row.whose for row in context.target.break_in()[1]}
    names = {process.pid: process.name for process in context.target.processes()}
    for pid, kind, address, length in context.target.asked:
        yield Point(pid, kind, address, length, scopes.get((kind, address, length)) or names.get(pid, ""))
