"""``stop-on``: which conditions, besides breakpoints, stop the machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import GdbhvError
from gdbhv.exits.records import Repeated
from gdbhv.monitor.registry import Arg, Context, command
from gdbhv.target import Target, ThreadId
from gdbhv.views.repeated import repeated_text


def describe(target: Target, found: Repeated) -> str:
    """Return the message about a CPU that takes the same exception again and again."""
    core = target.core

    def register(name: str) -> int | None:
        try:
            return core.read_register(found["cpu"], name)
        except (KeyError, GdbhvError):
            return None

    return repeated_text(found, register, lambda address: symbol(target, address), target.hosted)


def symbol(target: Target, address: int, thread: ThreadId | None = None) -> str:
    """Return an address, with the symbol that it is in or after, if the image has one."""
    processes = target.processes()
    if thread is None:
        thread = processes[0].threads[0].id if processes else ThreadId(1, 1)  # as it was: all are off
    known = target.symbols(thread)[0]
    before = max((a for a in known.values() if a <= address), default=None)
    if before is None or address - before > 1 << 16:
        return f"{address:#x}"
    name = next(n for n, a in known.items() if a == before)
    return f"{address:#x} ({name}{f'+{address - before:#x}' if address > before else ''})"


@command(
    "stop-on loop",
    Arg("switch", "on (as it is when a debugger attaches) or off; none: how it is", nargs="?", choices=("on", "off")),
    help="stop when a CPU takes the same exception again and again",
)
def stop_on_loop(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Stop at the 1,000th time in a row, at the same place and with no instruction between."""
    looping = context.target.looping
    if args.switch is not None:
        looping.stops = args.switch == "on"
    yield f"the machine {'stops' if looping.stops else 'does not stop'} at the 1,000th time of the same exception"
    yield from (describe(context.target, r) for cpu in range(context.core.cpus) for r in context.core.repeated(cpu))
