"""``step``: what single steps do besides executing one instruction."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.monitor.registry import Arg, Context, command


@command(
    "step interrupts",
    Arg("state", "on (the default), or off: they stay pending until the thread runs on", nargs="?", choices=("on", "off")),
    help="let a thread that is single-stepped take interrupts, or hold them back",
)
def interrupts(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """QEMU's NOIRQ (``Qqemu.sstep``), OpenOCD's ``maskisr``. The other threads take theirs as always."""
    stepping = context.target.stepping
    if args.state is not None:
        stepping.interrupts = args.state == "on"
    yield "a step takes interrupts" if stepping.interrupts else "a step holds interrupts back: they stay pending"
