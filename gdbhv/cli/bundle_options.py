"""The options of bundles, and of ``gdbhv bundle``."""

from __future__ import annotations

import argparse
from typing import Any

EXAMPLES = """\
examples:
  gdbhv run IMAGE --bundle-on-exit-status failed.bundle          the run in a file, if its exit status is not 0
  gdbhv run IMAGE --bundle-on-exit-status failed.bundle:4,5      if it is one of these; any: whatever it is
  gdbhv run IMAGE --on-hang hang.bundle --max-insns 5e9          the same of 4 (nothing can go on) and 5 (--max-insns)
  gdbhv run --replay failed.bundle --gdb 1234                    anywhere: stands where the run ended, and can go back
  gdbhv bundle info failed.bundle                                what it is of
  gdbhv bundle make run.bundle --from run.rec --copy-images      of a recording
"""


def add_to_run(run: argparse.ArgumentParser) -> None:
    """Add what ``gdbhv run`` has of them."""
    run.add_argument(
        "--on-hang",
        metavar="FILE",
        help="write a bundle of the run to FILE if nothing can go on, or --max-insns is reached (--snapshot: a snapshot)",
    )
    run.add_argument(
        "--bundle-on-exit-status",
        metavar="FILE[:STATUS,...]",
        help="write a bundle of the run to FILE if its exit status is not 0, or one of these; any: whatever it is",
    )
    run.add_argument("--copy-images", action="store_true", help="bundles have the files that the machine is made from")


def add(commands: Any) -> None:
    """Add the parser of the command."""
    style = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    topics = commands.add_parser("bundle", help="runs in files, to hand over", **style)
    topics = topics.add_subparsers(dest="topic", required=True, metavar="TOPIC")
    make = topics.add_parser("make", help="make one of a recording", **style)
    make.add_argument("file", metavar="FILE", help="where to write it")
    make.add_argument("--from", dest="recording", required=True, metavar="RECORDING", help="what --record has written")
    make.add_argument("--copy-images", action="store_true", help="with the files that the machine was made from")
    info = topics.add_parser("info", help="say what a bundle is of", **style)
    info.add_argument("file", metavar="FILE", help="a bundle")
    info.add_argument("--json", action="store_true", help="one JSON document")


def given(options: argparse.Namespace) -> str:
    """Return the option by which a run from its beginning leaves a bundle; "": there is none."""
    if options.bundle_on_exit_status is not None:
        return "--bundle-on-exit-status"
    return "--on-hang" if options.on_hang is not None and options.snapshot is None else ""
