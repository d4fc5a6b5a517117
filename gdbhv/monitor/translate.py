"""``walk``: one address through both stages."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from gdbhv.errors import CommandError
from gdbhv.monitor import addresses
from gdbhv.monitor.explain import explain
from gdbhv.monitor.registry import EL, JSON, VMID, Arg, Context, command, to_json
from gdbhv.queries import tlb
from gdbhv.target import Space
from gdbhv.translation import Access
from gdbhv.views.walk import walk_lines


@command(
    "walk",
    Arg("address", f"VA, or ipa:ADDRESS: {addresses.HELP}"),
    EL,
    VMID,
    Arg("--write", "as a store", flag=True),
    Arg("--fetch", "as an instruction fetch", flag=True),
    Arg("--explain", "say what each field of a descriptor means, and what each access and AT would give", flag=True),
    JSON,
    help="walk an address through both stages, every descriptor fetch",
)
def walk(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show what execution would do with the address, permissions included."""
    space, where = addresses.parse(context, args.address)
    if space is Space.PA:
        raise CommandError("a PA is not translated: walk a VA, or ipa:ADDRESS")
    if args.write and args.fetch:
        raise CommandError("--write or --fetch, not both")
    access: Access = "write" if args.write else "fetch" if args.fetch else "read"
    explained = None
    if space is Space.IPA:
        if args.explain:
            raise CommandError("--explain is about a VA")
        if args.el is not None:
            raise CommandError("--el is about a VA")
        by = context.stage2(args)
        found = by.walk_ipa(where, access, checked=True)
        still: Sequence[tlb.Cached | tlb.CachedStage2] = tlb.still_stage2(context.target, by.vmid or 0, where)
        title = f"IPA {where:#x}, {access}, of {by.place}, VMID {by.vmid}, stage 2{by.noted}"
    else:
        by = context.translation(args)
        found = by.walk(where, access, checked=True)
        still = tlb.still(context.target, by, where)
        explained = explain(context, by, where) if args.explain else None
        title = f"VA {where:#x}, {access} at EL{by.el} of {by.words()}"
    if args.json:
        stale = [{"cpu": c.cpu, "held": c.held, "tables": c.tables} for c in still]
        more = {} if explained is None else {"explained": explained.document()}
        yield from to_json({**found, **more, **({"tlb": stale} if stale else {}), "context": by.document()})
    else:
        fields = None if explained is None else explained.fields
        yield from walk_lines(title, found, by.regime, xnx=by.xnx, explain=fields)
        if explained is not None:
            yield from explained.lines(found)
        yield from (c.words() for c in still)
