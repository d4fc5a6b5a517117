"""``s1``: the stage 1 tables of any regime: a guest's, EL2's, those of EL2&0."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError, MemoryError_
from gdbhv.exitspec import span
from gdbhv.monitor import dumping
from gdbhv.monitor.registry import EL, JSON, VMID, Arg, Context, command, to_json
from gdbhv.translation import Translation
from gdbhv.views import descend, stage1

PAGE = 0x1000
Tables = tuple[int, stage1.Geometry | str]
"""Of which TTBR, and how they are laid out, or why there are none."""


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
    rows = []
    if not args.json:
        yield f"{by.place}: {by.regime['name']} regime{'' if on else ', SCTLR.M = 0: the tables are not in use'}{by.noted}"
    for n, g in tables(by):
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
            yield from found.look(reader(by))
        except IndexError:
            rows.append({"ttbr": n, "none": "not in memory", **shape})
            if not args.json:
                yield f"TTBR{n}: the first table, at {g.root:#x}, is not in memory"
            continue
        if args.json:
            rows.append({"ttbr": n, **shape, **found.document(name)})
            continue
        granule = f"{1 << g.granule >> 10} KiB granule"
        yield f"TTBR{n}: tables at {g.root:#x}, {g.ipa_bits}-bit VA, {granule}, from level {g.start}"
        yield from found.lines(name, columns)
        if found.next is not None:
            el, vmid = (f" --{k} {v}" if (v := getattr(args, k)) is not None else "" for k in ("el", "vmid"))
            rest = f"{found.next:#x}-{found.high:#x}{dumping.options(args)}{el}{vmid}"
            yield f"cut after {found.seen:,} descriptors; the rest: s1 dump {rest}"
    if args.json:
        yield from to_json({"regime": by.regime["name"], "enabled": on, "context": by.document(), "tables": rows})


def tables(by: Translation) -> list[Tables]:
    """Return the tables of a regime, one set for each range of VAs."""
    read = by.machine.read_register
    features = stage1.Features(*(read(by.cpu, f"ID_AA64MMFR{n}_EL1") for n in range(3)))
    regime = by.regime["name"]
    if by.controls is not None and regime == "EL1&0":
        c = by.controls
        tcr, ttbrs, mair, sctlr = c.tcr, [c.ttbr0, c.ttbr1], c.mair, c.sctlr
    else:
        el = "EL1" if regime == "EL1&0" else "EL2"
        tcr, mair, sctlr = (read(by.cpu, f"{name}_{el}") for name in ("TCR", "MAIR", "SCTLR"))
        names = [f"TTBR0_{el}"] + [f"TTBR1_{el}"] * (regime != "EL2")
        ttbrs = [read(by.cpu, name) for name in names]
    found: list[Tables] = []
    for n, ttbr in enumerate(ttbrs):
        try:
            upper, nv1 = n == 1, by.regime["nv1"]
            found.append((n, stage1.of(regime, tcr, ttbr, mair, sctlr, features, upper=upper, nv1=nv1)))
        except ValueError as e:
            found.append((n, str(e)))
    return found


def reader(by: Translation) -> descend.Read:
    """Return how tables of a regime are read: by IPA, where stage 2 is on."""
    if not by.regime["stage2"]:
        return by.machine.read_pa
    pages: dict[int, int | None] = {}

    def physical(page: int) -> int:
        if page not in pages:
            try:
                pages[page] = by.physical_ipa(page)
            except MemoryError_:
                pages[page] = None
        found = pages[page]
        if found is None:
            raise IndexError(f"IPA {page:#x} is not mapped")
        return found

    def read(address: int, length: int) -> bytes:
        out = b""
        while len(out) < length:
            n = min(length - len(out), PAGE - address % PAGE)
            out += by.machine.read_pa(physical(address & -PAGE) + address % PAGE, n)
            address += n
        return out

    return read


def namer(context: Context, by: Translation) -> dumping.Name:
    """Return what says what is at an output address of stage 1."""

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
