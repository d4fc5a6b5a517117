"""``snapshot``: keep the machine as it is, go back to it, write it to a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gdbhv.errors import CommandError
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.snapshot import Snapshot
from gdbhv.views.table import table

NAME = Arg("name", "name of a snapshot")


def find(context: Context, name: str) -> Snapshot:
    """Return a snapshot by its name. :raises gdbhv.errors.CommandError: there is none, with those that there are."""
    kept = context.target.snapshots
    if name in kept:
        return kept[name]
    if not kept:
        raise CommandError("there are no snapshots; `monitor snapshot save` makes one")
    raise CommandError(f"no snapshot {name!r}; there are {', '.join(kept)}")


def document(one: Snapshot) -> dict[str, Any]:
    """Return what there is to say of a snapshot."""
    numbers = {"virtual_ns": one.virtual_ns, "instructions": list(one.instructions), "pages": one.pages, "bytes": one.bytes}
    return {"name": one.name, **numbers}


@command(
    "snapshot save",
    Arg("name", "what to call it (default: the first number that is free)", nargs="?"),
    JSON,
    help="keep the whole machine as it is now, in memory",
)
def save(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Costs a copy of each page of RAM that is written to from now on."""
    made = context.target.snapshot(args.name)
    if args.json:
        yield from to_json(document(made))
    else:
        yield f"snapshot {made.name}: after {sum(made.instructions):,} instructions"


@command("snapshot restore", NAME, help="make the whole machine what it was at a snapshot, all VMs", replaces=True)
def restore(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Go back; the snapshot stays, and breakpoints, watchpoints and catchpoints are what they are now."""
    one = find(context, args.name)
    one.restore()
    yield f"snapshot {one.name}: restored, after {sum(one.instructions):,} instructions"
    if not context.target.processes():
        yield context.target.off_text
    elif context.selected is None:
        yield "gdb does not know yet: `attach 1`"


@command("snapshot list", JSON, help="list the snapshots, and what they take")
def list_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Name, virtual time, instructions, and what it keeps for itself: pages of RAM, and bytes of the host's memory."""
    kept = list(context.target.snapshots.values())
    if args.json:
        yield from to_json([document(one) for one in kept])
    elif not kept:
        yield "no snapshots; `monitor snapshot save` makes one"
    else:
        rows = [(s.name, f"{s.virtual_ns:,}", f"{sum(s.instructions):,}", f"{s.pages:,}", f"{s.bytes:,}") for s in kept]
        yield from table(("name", "virtual ns", "instructions", "pages", "bytes"), rows, "lrrrr")


@command("snapshot delete", Arg("name", "name of a snapshot, or all"), help="forget a snapshot, or all")
def delete(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Give its memory back; the machine stays as it is."""
    chosen = list(context.target.snapshots.values()) if args.name == "all" else []
    for one in chosen or [find(context, args.name)]:
        one.delete()
    yield f"deleted {len(chosen) or 1}"


@command(
    "snapshot write",
    NAME,
    Arg("file", "where to, on the machine of the server"),
    help="write a snapshot to a file, for `gdbhv run --snapshot FILE`",
)
def write(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Write the whole file, or leave what stands there."""
    one = find(context, args.name)
    try:
        size = one.write(args.file)
    except OSError as e:
        raise CommandError(f"{args.file}: {e.strerror or e}") from None
    yield f"snapshot {one.name}: {size:,} bytes in {args.file}"
