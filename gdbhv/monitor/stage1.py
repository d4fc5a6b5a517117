"""``s1``: the stage 1 tables of any regime: a guest's, EL2's, those of EL2&0."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError, MemoryError_
from gdbhv.exits.exitspec import span
from gdbhv.monitor import dumping
from gdbhv.monitor.registry import EL, JSON, VMID, Arg, Context, command, to_json
from gdbhv.queries import layouts, tlb
from gdbhv.translation import Translation


@command(
    "s1 dump",
    Arg("range", "VAs, LO-HI, LO+SIZE or one address; default all", nargs="?"),
    dumping.TREE,
    dumping.RAW,
    dumping.HOLES,
    EL,
    VMID,
    JSON,
    help="dump the stage 1 tables of the thread's regime, or of another one's (--el), and what is wrong with them",
)
def dump(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Show mappings of both ranges of VAs, merged where they continue each other; of very many the beginning."""
    by = context.translation(args)
    low, high = (0, (1 << 64) - 1) if args.range is None else span(args.range)
    on = by.regime["stage1"]
    name = namer(context, by)
    columns = ("VA", "IPA" if by.regime["stage2"] else "PA")
    keys = ("va", columns[1].lower())
    rows = []
    if not args.json:
        yield f"{by.place}: {by.regime['name']} regime{'' if on else ', SCTLR.M = 0: the tables are not in use'}{by.noted}"
    for n, g in layouts.stage1(by):
        if isinstance(g, str):
            if args.range is not None and low >> 63 != n:
                continue
            rows.append({"ttbr": n, "none": g})
            if not args.json:
                yield f"TTBR{n}: {g}"
            continue
        if low > g.last or high < g.first:
            continue
        found = dumping.Found(g, args, low, high)
        shape = {"root": g.root, "granule": 1 << g.granule, "va_bits": g.ipa_bits, "start_level": g.start}
        try:
            yield from found.look(layouts.reader(by))
        except IndexError:
            rows.append({"ttbr": n, "none": "not in memory", **shape})
            if not args.json:
                yield f"TTBR{n}: the first table, at {g.root:#x}, is not in memory"
            continue
        if args.json:
            rows.append({"ttbr": n, **shape, **found.document(name, keys)})
            continue
        granule = f"{1 << g.granule >> 10} KiB granule"
        yield f"TTBR{n}: tables at {g.root:#x}, {g.ipa_bits}-bit VA, {granule}, from level {g.start}"
        yield from found.lines(name, columns)
        yield from (c.words() for c in tlb.still(context.target, by, found.low, found.high)[: dumping.FAULTY])
        if found.next is not None:
            el, vmid = (f" --{k} {v}" if (v := getattr(args, k)) is not None else "" for k in ("el", "vmid"))
            rest = f"{found.next:#x}-{found.high:#x}{dumping.options(args)}{el}{vmid}"
            yield f"cut after {found.seen:,} descriptors; the rest: s1 dump {rest}"
    if args.json:
        yield from to_json({"regime": by.regime["name"], "enabled": on, "context": by.document(), "tables": rows})


def namer(context: Context, by: Translation) -> dumping.Name:
    """Return a function that describes an output address of stage 1."""

    def name(_: int, output: int) -> str:
        if not by.regime["stage2"]:
            return dumping.at(by.machine, output)
        place = context.target.place(by.vmid or 0, output)
        if place is not None:
            return place.partition("+")[0]
        try:
            return dumping.at(by.machine, by.physical_ipa(output))
        except (MemoryError_, CommandError):
            return "not mapped by stage 2"

    return name
