"""``break-in``: whose the breakpoints of the machine's own process are, with a hypervisor in the machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views.table import table

KINDS = ("break", "hbreak", "watch", "rwatch", "awatch")
PASSED = "; others have come to it: `monitor break-in any` stops them too"
WORDS = {
    "auto": "of the side that their thread is on when they are set: a VM, or all but VMs",
    "host": "of all but VMs: EL2, and a host at EL1",
    "el2": "of EL2, and the processes that it hosts",
    "any": "of whoever comes to them",
}
OWN = "each is of the VM in whose process it is set: the hypervisor is gdbhv"


@command(
    "break-in",
    Arg("scope", "auto, host, el2, any or vm:N; default: show", nargs="?"),
    JSON,
    help="say whose the breakpoints of the machine's own process are",
    about="stage 2",
    more=lambda: [
        *(f"{word:<5} {what}" for word, what in WORDS.items()),
        "vm:N  of a VM, by number or name; those that are set in a VM's own process are of that VM alone anyway",
        "It counts for those that are there already from the next resume on.",
    ],
)
def break_in(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Set or show it, and show those that there are."""
    scope = args.scope if context.only is None else f"vm:{context.only.number}"
    mode, rows = context.target.break_in(scope)
    if args.json:
        yield from to_json({"mode": mode, "breakpoints": [asdict(r) for r in rows]})
        return
    if mode == "own":
        yield OWN
        return
    yield f"breakpoints of the machine's process: {mode}, {WORDS.get(mode, 'of that VM')}"
    if rows:
        cells = [(KINDS[r.kind], f"{r.address:#x}", r.length, r.whose + PASSED * r.passed) for r in rows]
        yield from table(("kind", "address", "bytes", "of"), cells, "  r")
