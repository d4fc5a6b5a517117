"""``s2 audit``: what of all VMs' stage 2 is not as it should be, or is worth a look."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from gdbhv.errors import CommandError
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.queries import audit
from gdbhv.views.attributes import size

LINES = 20  # of a kind


@command(
    "s2 audit",
    Arg("--all", f"show all findings, not the first {LINES} of a kind", flag=True),
    JSON,
    help="look for shared, writable and executable, reachable, mismatched memory in the stage 2 tables of all VMs",
    about="stage 2",
)
def show(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Show findings by kind. What a hypervisor shares or maps on purpose is among them: it is for people to judge."""
    found: dict[str, list[audit.Finding]] = {kind: [] for kind in audit.KINDS}
    if not context.target.vms():
        raise CommandError("no VM has run yet: none was entered with stage 2 on")
    for f in audit.audit(context.target):
        if f is None:
            yield None
        else:
            found[f.kind].append(f)
    if args.json:
        yield from to_json([asdict(f) for rows in found.values() for f in rows])
        return
    for kind, rows in found.items():
        pieces = f", {len(rows)} pieces of {size(sum(f.size for f in rows))} in all" if rows else ": none"
        yield f"{kind} ({audit.KINDS[kind]}){pieces}"
        for f in rows if args.all else rows[:LINES]:
            yield f"  PA {f.pa:#x}-{f.pa + f.size - 1:#x} {size(f.size)}: {'; '.join(f.who)}"
        if len(rows) > LINES and not args.all:
            yield f"  and {len(rows) - LINES:,} more: --all"
