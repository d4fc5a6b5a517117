"""``tlb``: what the TLBs hold, and whether the tables still say so."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from gdbhv.errors import CommandError
from gdbhv.monitor import addresses
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.queries import tlb
from gdbhv.target import Space
from gdbhv.views.attributes import size
from gdbhv.views.table import table

LINES = 1000  # entries that are shown
PIECE = 200  # entries between two checks for a Ctrl-C
HEAD = ("CPU", "regime", "VMID", "ASID", "who", "address", "size", "PA", "used", "flags", "in use", "tables")
HEAD2 = ("CPU", "VMID", "IPA", "PA", "descriptor", "for", "tables")


@command(
    "tlb",
    Arg("address", "VA, or ipa:ADDRESS for what it holds of stage 2 alone; default all", nargs="?"),
    Arg("--stage2", "what it holds of stage 2 alone", flag=True),
    Arg("--stale", "only what the tables do not say any more", flag=True),
    JSON,
    help="show what the TLBs hold, and what the tables say now; vm:N for one VM",
)
def show(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Show the entries of all CPUs; ``used``: which accesses have been made by an entry, and so are known to be allowed."""
    space, address = (Space.VA, None) if args.address is None else addresses.parse(context, args.address)
    if space is Space.PA:
        raise CommandError("a TLB is asked by VA or ipa:ADDRESS: `owner pa:ADDRESS` finds who sees a PA")
    vmid = None if context.only is None else context.only.vmid
    cpus = range(context.core.cpus)
    seen = differ = unknown = 0
    rows: list[tlb.Cached | tlb.CachedStage2] = []
    stage2 = args.stage2 or space is Space.IPA
    found: Iterator[tlb.Cached | tlb.CachedStage2] = (
        iter(tlb.held_stage2(context.target, cpus)) if stage2 else iter(tlb.held(context.target, cpus, address))
    )
    for n, c in enumerate(found):
        if n % PIECE == PIECE - 1:
            yield None
        if vmid is not None and (c.held["vmid"] != vmid or (isinstance(c, tlb.Cached) and c.held["regime"] != "EL1&0")):
            continue
        if address is not None and not _at(c, address):
            continue
        seen += 1
        differ += c.stale is True
        unknown += c.stale is None
        if c.stale or not args.stale:
            rows.append(c)
    if args.json:
        yield from to_json([asdict(c) for c in rows])
        return
    if rows:
        yield from table(HEAD2 if stage2 else HEAD, [_row(c) for c in rows[:LINES]])
    if len(rows) > LINES:
        yield f"cut after {LINES:,} of {len(rows):,}: an address or vm:N makes it fewer, --json has all"
    yield f"entries: {seen:,}; not what the tables say: {differ:,}; without registers to compare by: {unknown:,}"


def _at(c: tlb.Cached | tlb.CachedStage2, address: int) -> bool:
    return c.has(address) if isinstance(c, tlb.Cached) else c.held["ipa"] == address & -tlb.PAGE


def _row(c: tlb.Cached | tlb.CachedStage2) -> tuple[object, ...]:
    said = f"DIFFER: {c.tables}" if c.stale else c.tables
    if isinstance(c, tlb.CachedStage2):
        s = c.held
        what = "a stage 1 table" if s["table"] else "data"
        return (c.cpu, s["vmid"], f"{s['ipa']:#012x}", f"{s['pa']:#012x}", f"{s['descriptor']:#018x}", what, said)
    h = c.held
    el10, asid = h["regime"] == "EL1&0", h["regime"] != "EL2"
    kinds = (("MMU off", not h["stage1"]), ("nG", h["stage1"] and asid and not c.shared), ("device", h["device"]))
    flags = " ".join(word for word, on in kinds if on)
    whose = (h["regime"], h["vmid"] if el10 else "-", h["asid"] if asid else "-", c.who)
    return (c.cpu, *whose, f"{h['va']:#018x}", size(h["size"]), f"{h['pa']:#012x}", c.allowed, flags or "-", c.age, said)
