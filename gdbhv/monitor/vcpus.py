"""``vcpus``: every vCPU of every VM, and what it is doing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
from gdbhv.monitor.registry import JSON, Context, command, to_json
from gdbhv.views.table import table


@command("vcpus", JSON, help="list the vCPUs of all VMs: where they are, their PC, how often they exited")
def vcpus(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each vCPU."""
    rows = []
    target = context.target
    for process in target.processes():
        for thread in process.threads:
            pc = target.read_register(thread.id, "pc")
            row = {
                "thread": str(thread.id),
                "vm": process.name,
                "name": thread.name,
                "cpu": thread.cpu,
                "pc": pc,
                "state": thread.extra,
            }
            row["exits" if process.found else target.counted] = target.count(thread.id)
            rows.append(row)
    if not rows and not args.json:
        raise CommandError(context.off())
    if args.json:
        yield from to_json(rows)
        return
    counts = list(dict.fromkeys([target.counted, *(k for r in rows for k in r if k == "exits")]))
    head = ("thread", "vm", "name", "cpu", "pc", *counts, "state")
    cells = [
        (
            r["thread"],
            r["vm"],
            r["name"],
            "-" if r["cpu"] is None else r["cpu"],
            f"{r['pc']:#x}",
            *(r.get(count, "-") for count in counts),
            r["state"],
        )
        for r in rows
    ]
    yield from table(head, cells, "   r " + "r" * len(counts))
