"""``reset``: begin again."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.monitor.registry import Arg, Context, command


@command(
    "reset",
    Arg(
        "how",
        "halt or init, which other servers know; what is reset stands at its first instruction anyway",
        nargs="?",
        choices=("halt", "init"),
    ),
    Arg("--all", "all VMs instead of the thread's", flag=True),
    help="switch the machine, or the thread's VM, off and on",
    replaces=True,
)
def reset(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Memory holds what it held at the start, devices and CPUs are at reset; breakpoints and catchpoints stay."""
    target = context.target
    names = target.names()
    if args.all or context.selected is None or len(names) == 1:
        target.reset()
    else:
        target.reset(context.selected.pid)
        names = [names[context.selected.pid - 1]]
    yield f"{', '.join(names)}: reset"
    if context.selected is None:
        yield "gdb does not know yet: `attach 1`, or `run`, which resets too"
