"""``s2 mark``, ``s2 diff`` and ``s2 watch``: what changes in stage 2 tables."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gdbhv.errors import CommandError
from gdbhv.exits.exitspec import span
from gdbhv.monitor import dumping
from gdbhv.monitor.looping import symbol
from gdbhv.monitor.registry import JSON, KEEP, VMID, Arg, Context, command, to_json
from gdbhv.monitor.watch import add
from gdbhv.queries import layouts
from gdbhv.views import descend
from gdbhv.views.attributes import rwx, size
from gdbhv.views.tlbcheck import change_text

if TYPE_CHECKING:
    from gdbhv.exits.records import TableChange
    from gdbhv.translation import Translation

DEFAULT = "mark"
MOST_MARKS = 20
SPANS = 32  # rows of descriptors that `s2 watch` watches
NAME = Arg("name", f"name of the mark (default: {DEFAULT})", nargs="?")


@dataclass(frozen=True)
class Mark:
    """The mappings of a VM at some moment; ``insns`` are of all CPUs together, ``exits`` of all VMs."""

    vm: int | None  # its number, if the mark is of one that was named
    place: str
    vmid: int | None
    root: int
    ranges: tuple[descend.Range, ...]
    insns: int
    exits: int


@dataclass(frozen=True)
class Change:
    """IPAs ``ipa`` to ``ipa + size - 1`` before and now: their mapping, or None if they are not mapped."""

    ipa: int
    size: int
    before: tuple[int, dict[str, object]] | None
    now: tuple[int, dict[str, object]] | None

    @property
    def kind(self) -> str:
        """The kind of change."""
        if self.before is None or self.now is None:
            return "mapped" if self.before is None else "unmapped"
        return "moved" if self.before[0] != self.now[0] else "changed"


@command("s2 mark", NAME, VMID, JSON, help="remember the stage 2 mappings of the thread's VM, for s2 diff", about="stage 2")
def mark(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Remember them under a name, until the debugger leaves."""
    name = args.name or DEFAULT
    if name not in context.marks and len(context.marks) == MOST_MARKS:
        raise CommandError(f"there are {MOST_MARKS} marks: {', '.join(context.marks)}; use one of these names again")
    kept = yield from _take(context, context.stage2(args))
    context.marks[name] = kept
    mapped = sum(r.size for r in kept.ranges)
    if args.json:
        yield from to_json({"name": name, "vmid": kept.vmid, "ranges": len(kept.ranges), "mapped": mapped})
    else:
        yield f"{name}: {kept.place}, VMID {kept.vmid}, {len(kept.ranges):,} ranges of {size(mapped)} in all"


@command(
    "s2 diff",
    NAME,
    VMID,
    JSON,
    help="show what has changed in stage 2 since a mark",
    more=lambda: [
        "While `tlb check` is on it also says who has changed it: the last store to a descriptor of its first IPA's walk."
    ],
    about="stage 2",
)
def diff(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Compare the mappings of the marked VM with what they are now."""
    name = args.name or DEFAULT
    old = context.marks.get(name)
    if not isinstance(old, Mark):
        known = ", ".join(n for n, kept in context.marks.items() if isinstance(kept, Mark))
        raise CommandError(f"no mark {name!r}; {f'there are {known}' if known else '`s2 mark` sets one'}")
    if args.vmid is not None or context.only is not None:
        by = context.stage2(args)
    elif old.vm is not None:
        by = context.target.stage2(context.target.thread_of_vm(old.vm))
    else:
        by = context.target.stage2(context.thread, old.vmid)
    new = yield from _take(context, by)
    found = changes(old.ranges, new.ranges)
    if args.json:
        rows = [{"kind": c.kind, **asdict(c), "by": who(context, by, c)} for c in found]
        yield from to_json(
            {"vmid": new.vmid, "insns": new.insns - old.insns, "exits": new.exits - old.exits, "changes": rows}
        )
        return
    root = "" if new.root == old.root else f"; the tables are others: at {new.root:#x}, they were at {old.root:#x}"
    yield (
        f"{new.place}, VMID {new.vmid}, since {name}: {new.insns - old.insns:,} instructions, "
        f"{new.exits - old.exits:,} exits{root}"
    )
    for c in found[: dumping.LINES]:
        before, now = (_words(m) for m in (c.before, c.now))
        what = now if c.before is None else before if c.now is None else f"{before} -> {now}"
        yield f"{c.kind:<8}  {c.ipa:#012x}-{c.ipa + c.size - 1:#012x}  {size(c.size):>5}  {what}"
        if (last := who(context, by, c)) is not None:
            yield f"          {change_text(last, lambda address: symbol(context.target, address))}"
    if len(found) > dumping.LINES:
        yield f"and {len(found) - dumping.LINES:,} more"
    if not found:
        yield "nothing has changed"


@command(
    "s2 watch",
    Arg("range", "IPAs, LO-HI, LO+SIZE or one address"),
    VMID,
    KEEP,
    JSON,
    help="stop before a change of the stage 2 mapping of a range of IPAs",
    more=lambda: [
        "It watches the descriptors that map the range now, or that end its walks, in all levels: `watch list` has them.",
        "What is in a table that is new is not watched: say it again then.",
    ],
    about="stage 2",
)
def watch(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Watch the descriptors of a range for writes, by physical address."""
    if context.target.hosted:
        raise CommandError("gdbhv itself changes the tables of a hosted VM, and no instruction: use s2 mark and s2 diff")
    by = context.stage2(args)
    low, high = span(args.range)
    try:
        g = layouts.stage2(by)
        rows = yield from _spans(context, g, low, high)
    except (ValueError, IndexError) as e:
        raise CommandError(f"VMID {by.vmid}: {e}{by.noted}") from None
    if not rows:
        raise CommandError(f"{args.range} is no IPA of {by.place}: its IPAs have {g.ipa_bits} bits")
    said = []
    for level, first, last, ipa in rows:
        row = add(context, "pa", first, last, "w", keep=args.keep)
        said.append({"number": row.number, "level": level, "first": first, "last": last, "ipa": ipa})
        if not args.json:
            yield f"watch {row.number}: {row}, descriptors of level {level} from IPA {ipa:#x} on"
    if args.json:
        yield from to_json(said)


def who(context: Context, by: Translation, changed: Change) -> TableChange | None:
    """Return the last store that changed a descriptor of the first IPA's walk; None: stores to tables are not noted."""
    if context.core.tlb_check is None:
        return None
    steps = [context.core.table_change(s["pa"]) for s in by.walk_ipa(changed.ipa)["steps"]]
    return max((s for s in steps if s is not None), key=lambda s: s["now"], default=None)


def _take(context: Context, by: Translation) -> Generator[None, None, Mark]:
    """Return the mappings as they are. :raises gdbhv.errors.CommandError: there are none, or too many."""
    ranges: list[descend.Range] = []
    try:
        g = layouts.stage2(by)
        for n, e in enumerate(descend.entries(g, context.core.read_pa)):
            if n == dumping.MOST:
                raise CommandError(f"these tables have more than {dumping.MOST:,} descriptors")
            if n % dumping.PIECE == dumping.PIECE - 1:
                yield None
            if not e.table:
                descend.extend(ranges, e, g)
    except (ValueError, IndexError) as e:
        raise CommandError(f"VMID {by.vmid}: {e}{by.noted}") from None
    vm = None if context.only is None else context.only.number
    return Mark(vm, by.place, by.vmid, g.root, tuple(ranges), sum(context.core.insns), context.core.exits)


def changes(before: Sequence[descend.Range], now: Sequence[descend.Range]) -> list[Change]:
    """Return the differences of two lists of ranges, by IPA, whatever the sizes of leaves."""
    points = sorted({p for r in (*before, *now) for p in (r.ipa, r.ipa + r.size)})
    found: list[Change] = []
    i = j = 0
    for low, high in pairwise(points):
        while i < len(before) and before[i].ipa + before[i].size <= low:
            i += 1
        while j < len(now) and now[j].ipa + now[j].size <= low:
            j += 1
        a, b = _mapping(before, i, low), _mapping(now, j, low)
        if a == b:
            continue
        if found and _follows(found[-1], low, a, b):
            last = found.pop()
            found.append(Change(last.ipa, high - last.ipa, last.before, last.now))
        else:
            found.append(Change(low, high - low, a, b))
    return found


def _mapping(ranges: Sequence[descend.Range], n: int, ipa: int) -> tuple[int, dict[str, object]] | None:
    if n == len(ranges) or ranges[n].ipa > ipa:
        return None
    return ranges[n].pa + ipa - ranges[n].ipa, ranges[n].attributes


def _follows(
    last: Change, ipa: int, a: tuple[int, dict[str, object]] | None, b: tuple[int, dict[str, object]] | None
) -> bool:
    """Whether a change continues the last one, at the next address and in the same way."""
    if last.ipa + last.size != ipa:
        return False
    for old, new in ((last.before, a), (last.now, b)):
        if (old is None) != (new is None):
            return False
        if old is not None and new is not None and (old[0] + last.size != new[0] or old[1] != new[1]):
            return False
    return True


def _words(mapping: tuple[int, dict[str, object]] | None) -> str:
    if mapping is None:
        return "-"
    pa, a = mapping
    return f"PA {pa:#x} {rwx(a)} {a['memory']}, {a['shareability']}{'' if a['af'] else ' AF=0'}"


def _spans(
    context: Context, g: descend.Layout, low: int, high: int
) -> Generator[None, None, list[tuple[int, int, int, int]]]:
    """Return rows of descriptors: their level, the first and the last byte's address, and the first IPA."""
    tables = [(g.root, g.start, 0, g.entries)]
    for n, e in enumerate(descend.entries(g, context.core.read_pa, low, high)):
        if n % dumping.PIECE == dumping.PIECE - 1:
            yield None
        if e.table and e.in_ram:
            tables.append((e.output, e.level + 1, e.ipa, 1 << (g.granule - 3)))
        if len(tables) > SPANS:
            raise CommandError(f"more than {SPANS} tables map these IPAs: a smaller range, please")
    rows = []
    for address, level, base, count in tables:
        step = 1 << g.shift(level)
        first, last = max(0, (low - base) // step), min(count - 1, (high - base) // step)
        if first <= last:
            rows.append((level, address + 8 * first, address + 8 * last + 7, base + first * step))
    return rows
