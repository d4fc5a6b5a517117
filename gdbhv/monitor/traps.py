"""``traps``: what the guest may do that exits, by control bit; and how that differs from KVM's guests, or another VM."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import groupby

from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.queries import trapping
from gdbhv.queries.trapping import KVM, Trap
from gdbhv.target import ThreadId
from gdbhv.views.table import table

SHOWN = 4  # names of a row, without --all
HOW = {"read": "reads of", "write": "writes of", "insn": ""}


@command(
    "traps",
    Arg("--el", "of code at this exception level (default: 1)", type=int, choices=(0, 1)),
    Arg("--than", "only what differs from `kvm`, or from a VM (number or name)"),
    Arg("--all", "each register and instruction by name", flag=True),
    JSON,
    help="what the thread's guest may do that exits, by control bit",
    about="VM exits",
    more=lambda: [
        "Each register and instruction is asked about as the guest would use it, so what EL1 keeps from EL0 comes first.",
        "traps --than kvm: what traps here and not with KVM's standing controls (nVHE, FP not loaded), and the other way.",
        "Faults of stage 2 and interrupts exit besides.",
    ],
)
def traps(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show the table, or the difference of two."""
    el = 1 if args.el is None else args.el
    thread = context.thread
    values = trapping.controls(context.target, thread)
    here, without = _traps(context, thread, el, values)
    if args.than is None:
        if args.json:
            yield from to_json([_row(t) for t in sorted(here)])
            return
        yield f"what exits from EL{el} of thread {thread}, by the first control that does it:"
        yield from _table(here, everything=args.all)
        yield from (line for line in (without,) if line)
        return
    if args.than == "kvm":
        other, name = trapping.profile(KVM, values), "KVM"
    else:
        vm = context.vm(args.than)
        other, name = values | trapping.controls(context.target, context.target.thread_of_vm(vm.number)), vm.name
    there, _ = _traps(context, thread, el, other)
    names = [{(t.how, t.name) for t in some} for some in (here, there)]
    only_here = {t for t in here if (t.how, t.name) not in names[1]}
    only_there = {t for t in there if (t.how, t.name) not in names[0]}
    if args.json:
        yield from to_json({"only_here": [_row(t) for t in sorted(only_here)], name: [_row(t) for t in sorted(only_there)]})
        return
    yield f"exits here, and not with {name}:" if only_here else f"nothing exits here that does not with {name}"
    yield from _table(only_here, everything=args.all) if only_here else ()
    yield f"exits with {name}, and not here:" if only_there else f"nothing exits with {name} that does not here"
    yield from _table(only_there, everything=args.all) if only_there else ()


def _traps(context: Context, thread: ThreadId, el: int, values: dict[str, int]) -> tuple[set[Trap], str]:
    """Return what exits, and why instructions such as WFI could not be asked about ("": they were)."""
    cpu = context.target.cpu_of(thread) or 0
    try:
        return trapping.traps(context.target, cpu, el, values), ""
    except RuntimeError as e:
        found = trapping.traps(context.target, cpu, el, values, instructions=False)
        return found, f"(without {', '.join(trapping.INSTRUCTIONS)}: {e})"


def _row(t: Trap) -> dict[str, object]:
    return {"name": t.name, "how": t.how, "cause": list(t.cause)}


def _table(rows: Iterable[Trap], *, everything: bool) -> list[str]:
    """Return a line for each control and direction, with names of what it traps."""

    def key(t: Trap) -> tuple[str, str]:
        return t.control, t.how

    lines = []
    for (control, how), group in groupby(sorted(rows, key=lambda t: (*key(t), t.name)), key):
        names = [t.name for t in group]
        more = len(names) - SHOWN if not everything and len(names) > SHOWN + 1 else 0
        shown = ", ".join(names[:SHOWN] if more else names) + (f" and {more} more" if more else "")
        lines.append((control, str(len(names)), f"{HOW[how]} {shown}".strip()))
    return table(("control", "count", "what"), lines, "lr")
