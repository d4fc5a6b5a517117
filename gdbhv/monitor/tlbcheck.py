"""``tlb check``: whether tables, TLBIs and barriers are used as the architecture demands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.monitor.looping import symbol
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.target import Target
from gdbhv.views.tlbcheck import alarm_text


def findings(target: Target, first: int = 0) -> list[str]:
    """Return what is wrong, a text each, from number ``first`` on."""
    found = target.core.tlb_check
    alarms = [] if found is None else found["alarms"][first:]
    return [alarm_text(a, lambda address: symbol(target, address)) for a in alarms]


def summary(target: Target) -> str:
    """Return one line of what was looked at."""
    found = target.core.tlb_check
    if found is None:
        return "tables and TLBIs are not checked: `tlb check on`, or gdbhv run --check tlb"
    done = f"{found['stores']:,} changes of descriptors and {found['tlbis']:,} TLBIs"
    stale = f"{found['stale_uses']:,} uses of what the tables did not have any more"
    waiting = f", {found['waiting']:,} of them without a TLBI so far" if found["waiting"] else ""
    count = len(found["alarms"])
    wrong = "nothing is wrong" if not count else f"{count} mistake{'s' * (count != 1)}"
    return f"checked {done}, {stale}{waiting}: {wrong}"


@command(
    "tlb check",
    Arg("switch", "on (which begins anew) or off; none: what was found", nargs="?", choices=("on", "off")),
    JSON,
    help="check how tables are changed: break-before-make, TLBI, DSB, ISB",
    more=lambda: [
        "A store to a descriptor, the TLBIs and barriers after it, and accesses by translations that the tables do not have",
        "any more: what is missing, too narrow, too early or too late is told, with the instructions. Guests do not notice,",
        "but all code is interpreted, so that they are slower. `gdbhv run --check tlb` does it from the start.",
        "An access by another CPU between a change and its TLBI is no mistake: one that is not followed by a TLBI within",
        "2,000,000 instructions is. Memory that gdbhv or a device writes is not checked.",
    ],
)
def tlb_check(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Switch it, or show what was found."""
    if args.switch is not None:
        context.core.check_tlb(args.switch == "on")
    if args.json:
        found = context.core.tlb_check
        yield from to_json({"on": found is not None, **(found or {})})
        return
    yield from findings(context.target)
    yield summary(context.target)
