"""``s2``: the stage 2 tables of the thread's VM, whoever built them."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator

from gdbhv.errors import CommandError
from gdbhv.exits.exitspec import span
from gdbhv.monitor import dumping
from gdbhv.monitor.registry import JSON, VMID, Arg, Context, command, to_json
from gdbhv.queries import layouts, tlb
from gdbhv.target import ThreadId
from gdbhv.views import descend


@command(
    "s2 dump",
    Arg("range", "IPAs, LO-HI, LO+SIZE or one address; default all", nargs="?"),
    dumping.TREE,
    dumping.RAW,
    dumping.HOLES,
    VMID,
    JSON,
    help="dump the stage 2 tables of the thread's VM, and what is wrong with them",
    about="stage 2",
)
def dump(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Show mappings, merged where they continue each other, or the tree of tables; of very many the beginning."""
    target, machine = context.target, context.core
    by = context.stage2(args)
    assert by.controls is not None
    assert by.vmid is not None
    vmid = by.vmid
    on = by.regime["stage2"]
    try:
        g = layouts.stage2(by)
        low, high = (0, g.last) if args.range is None else span(args.range)
        found = dumping.Found(g, args, low, high)
        yield from found.look(machine.read_pa)
        if not on and not found.seen:
            raise ValueError("nothing is mapped")  # VTTBR_EL2 = 0 is the address of flash, not a missing table
    except (ValueError, IndexError) as e:
        if not on:
            raise CommandError(by.no_stage2() + "; and VTTBR_EL2 and VTCR_EL2 hold no tables") from None
        raise CommandError(f"VMID {by.vmid}: {e}{by.noted}") from None

    def name(ipa: int, pa: int) -> str:
        place = target.place(vmid, ipa)
        return dumping.at(machine, pa) if place is None else "" if place == "nothing there" else place.partition("+")[0]

    of = "" if context.only is None else f" of {by.place}"
    if args.json:
        head = {
            "vmid": by.vmid,
            "root": g.root,
            "granule": 1 << g.granule,
            "ipa_bits": g.ipa_bits,
            "start_level": g.start,
            "enabled": on,
            "context": by.document(),
        }
        yield from to_json({**head, **found.document(name)})
        return
    yield (
        f"VMID {by.vmid}{of}, tables at {g.root:#x}, {g.ipa_bits}-bit IPA, "
        f"{1 << g.granule >> 10} KiB granule, from level {g.start}"
        f"{'' if on else ' (HCR_EL2.VM = 0: not in use)'}{by.noted}"
    )
    yield from found.lines(name)
    yield from (c.words() for c in tlb.still_stage2(target, vmid, low, high)[: dumping.FAULTY])
    if found.next is not None:
        vm = "" if args.vmid is None else f" --vmid {args.vmid}"
        rest = f"{found.next:#x}-{found.high:#x}{dumping.options(args)}{vm}"
        yield f"cut after {found.seen:,} descriptors; the rest: s2 dump {rest}"
    if not args.tree and not args.raw:
        for base, size, device in target.emulated(vmid):
            yield f"not mapped, emulated: {base:#012x}-{base + size - 1:#012x} {device}"


def mapped(context: Context, thread: ThreadId) -> Generator[None, None, int | None]:
    """Return how many bytes the stage 2 of a thread's VM maps; None if it has no tables, or very many descriptors."""
    memory = 0
    try:
        for seen, e in enumerate(descend.entries(layouts.stage2(context.target.stage2(thread)), context.core.read_pa), 1):
            if seen == dumping.MOST:
                return None
            if seen % dumping.PIECE == 0:
                yield None
            memory += 0 if e.table else e.size
    except (ValueError, IndexError):
        return None
    return memory
