"""``vmexit stats`` and ``exits top``: how many exits there were, and how long they took."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from gdbhv.errors import CommandError
from gdbhv.exits import accounting
from gdbhv.exits.accounting import APART, GROUPS, TIMES, Groups
from gdbhv.exits.records import ExitAccount
from gdbhv.monitor.catchpoints import MOST, Mark
from gdbhv.monitor.exits import numbered, vmid_name
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.target import Target
from gdbhv.views.accounts import UNITS, accounts_table
from gdbhv.views.exits import stats_document, stats_table
from gdbhv.views.table import table

OF = Arg(
    "--of",
    "which time (default: host; hosted, away)",
    choices=TIMES,
)
TOP = 20  # groups


def help_of_groups() -> list[str]:
    """Explain what exits can be grouped by, and what is shown of a group."""
    return [
        *table(("by", "groups"), [(name, what) for name, (what, _) in GROUPS.items()]),
        *table(("--of", "time"), list(UNITS.items())),
        "Counts, totals, min and max are exact; percentiles are, below 32 instructions, and to 3.1 % above.",
        "8,192 places (VM, vCPU, class, sub-reason, PC, page) are told apart; further exits have no PC, page or call.",
    ]


@command(
    "vmexit stats",
    Arg("words", "by GROUP, and since MARK: how long they took, as `perf kvm stat` shows it", nargs="*"),
    Arg("--time", "how long they took, by exit", flag=True),
    OF,
    Arg("--clear", "forget the counts afterwards", flag=True),
    JSON,
    help="count the exits so far, by kind and VM, and their times",
    about="VM exits",
    more=help_of_groups,
)
def stats(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """How many exits of each kind there were: the first 4,096 kinds apart, all others as further kinds."""
    if args.clear and context.only is not None:
        raise CommandError("the counts of one VM cannot be forgotten alone")
    if args.words or args.time or args.of:
        by, mark = _words(context, args.words)
        yield from _show(context, by or "exit", mark, args, None)
    else:
        yield from _counts(context, as_json=args.json)
    if args.clear:
        context.exit_marks.clear()
        context.target.clear_exit_counts()


def _counts(context: Context, *, as_json: bool) -> Iterator[str]:
    counts, further = context.core.exit_counts(), context.core.further_exits
    if context.only is not None:
        counts, further = [row for row in counts if row["vm"] == context.only.number], 0
    if as_json:
        yield from to_json(stats_document(counts, further))
    else:
        yield from stats_table(counts, further, lambda vmid: vmid_name(context.target, vmid), numbered(context.target))


@command(
    "vmexit mark",
    Arg("name", "what to call it (none: list them)", nargs="?"),
    JSON,
    help="remember the accounts of exits as they are now",
    about="VM exits",
)
def mark(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """`vmexit stats since NAME` then tells of the exits after it. The marks are this debugger's."""
    core = context.core
    if args.name is not None:
        if len(context.exit_marks) >= MOST:
            raise CommandError(f"there are {MOST:,} marks; `monitor vmexit stats --clear` forgets them")
        rows = core.exit_accounts()
        context.exit_marks[args.name] = Mark(core.exits, sum(core.insns), core.now, rows)
    if args.json:
        marks = context.exit_marks.items()
        yield from to_json([{"name": n, "exits": m.exits, "insns": m.insns, "now": m.now} for n, m in marks])
    elif args.name is not None:
        yield f"mark {args.name}: after {core.exits:,} exits, {sum(core.insns):,} instructions, at {core.now:,} ns"
    elif not context.exit_marks:
        yield "no marks; `monitor vmexit mark NAME` sets one"
    else:
        shown = [(name, f"{m.exits:,}", f"{m.insns:,}", f"{m.now:,}") for name, m in context.exit_marks.items()]
        yield from table(("mark", "exits", "instructions", "ns"), shown, " rrr")


@command(
    "exits top",
    Arg("words", "by GROUP (default: exit), and since MARK", nargs="*"),
    OF,
    Arg("--all", "all groups, and not the first 20", flag=True),
    JSON,
    help="show which exits take most time",
    about="VM exits",
    more=help_of_groups,
)
def top(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """By the time that they took in total."""
    by, mark = _words(context, args.words)
    yield from _show(context, by or "exit", mark, args, None if args.all else TOP)


def _words(context: Context, words: list[str]) -> tuple[str | None, Mark | None]:
    """Return what ``by GROUP since MARK`` names; ``by`` may be left out."""
    by, since = None, None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("by", "since") and not rest:
            known = ", ".join(GROUPS if word == "by" else context.exit_marks) or "none: `monitor vmexit mark NAME` sets one"
            raise CommandError(f"{word} what? There are {known}")
        if word == "since":
            name = rest.pop(0)
            if name not in context.exit_marks:
                there_are = f"there are {', '.join(context.exit_marks)}"
                hint = there_are if context.exit_marks else "`monitor vmexit mark NAME` sets one"
                raise CommandError(f"no mark {name!r}; {hint}")
            since = context.exit_marks[name]
            if not accounting.went_on(context.core.exit_accounts(), since.rows):
                raise CommandError(f"the machine was set back to before mark {name}: there is no difference to tell")
        else:
            by = rest.pop(0) if word == "by" else word
            if by not in GROUPS:
                raise CommandError(f"exits cannot be grouped by {by!r}; there are {', '.join(GROUPS)}")
    return by, since


def groups_of(context: Context, by: str, mark: Mark | None) -> Groups:
    """Return the exits by group, since a mark, of the VM that the command is for."""

    def chosen(rows: list[ExitAccount]) -> list[ExitAccount]:
        return rows if context.only is None else [row for row in rows if row["vm"] == context.only.number]

    now = chosen(context.core.exit_accounts())
    return accounting.grouped(now, by) if mark is None else accounting.difference(now, chosen(mark.rows), by)


def vm_names(target: Target) -> Callable[[int, int], str]:
    """Return what says the name of a VM by its number and VMID."""
    numbers = numbered(target)
    return lambda number, vmid: numbers(number) or vmid_name(target, vmid)


def _show(context: Context, by: str, mark: Mark | None, args: argparse.Namespace, most: int | None) -> Iterator[str]:
    groups = groups_of(context, by, mark)
    if args.json:
        rows: list[dict[str, Any]] = [
            {"name": name, **({"vm": vm, "vmid": vmid} if by in APART else {}), **account.document()}
            for (vm, vmid, name), account in sorted(groups.items(), key=lambda item: -item[1].count)
        ]
        yield from to_json({"by": by, "further": context.core.further_exits, "groups": rows[:most]})
        return
    time = args.of or ("away" if context.target.hosted else "host")
    yield from accounts_table(groups, by, time, vm_names(context.target), most, apart=by in APART)
