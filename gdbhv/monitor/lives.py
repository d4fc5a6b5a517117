"""``gic life``: what became of virtual interrupts, and how long each step took."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gdbhv.errors import CommandError
from gdbhv.exits.lives import FIRST_LPI, Life, latencies, lives
from gdbhv.monitor.accounts import vm_names
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views.gic import interrupt_name
from gdbhv.views.lives import latency_table, lives_table

USUAL = 20  # lives
KINDS = {"sgi": (0, 16), "ppi": (16, 32), "spi": (32, 1020), "lpi": (FIRST_LPI, 1 << 24)}


def interrupt(text: str) -> int:
    """Return the INTID that a word names: ``27``, ``ppi27``, ``spi33``.

    :raises gdbhv.errors.CommandError: it is none, or no interrupt of that kind.
    """
    kind = text[:3].lower()
    first, end = KINDS.get(kind, (0, KINDS["lpi"][1]))
    try:
        intid = int(text[3:] if kind in KINDS else text, 0)
    except ValueError:
        raise CommandError(f"{text!r} is no interrupt: an INTID, or sgi1, ppi27, spi33, lpi8192") from None
    if not first <= intid < end:
        raise CommandError(f"{text!r}: INTIDs{f' of {kind.upper()}s' if kind in KINDS else ''} are {first} to {end - 1}")
    return intid


def known(context: Context) -> list[Life]:
    """Return the lives in the trace, of the VM that the command is for."""
    found = lives(context.core.trace(context.core.trace_size))
    return found if context.only is None else [life for life in found if life.vm == context.only.number]


def summary(found: list[Life]) -> Iterator[tuple[str, str, str, list[int]]]:
    """Return the distributions of each interrupt's times."""
    for intid in sorted({life.intid for life in found}):
        own = [life for life in found if life.intid == intid]
        yield from ((interrupt_name(intid), *row) for row in latencies(own))


@command(
    "gic life",
    Arg("words", "an interrupt (27, ppi27), and how many (default: 20)", nargs="*"),
    JSON,
    help="show the lives of virtual interrupts: pended, listed, taken, acknowledged, ended",
    about="virtual interrupts",
    more=lambda: [
        "Times are virtual nanoseconds since the step before, with the CPU's instructions where they are another number.",
        "`listed` is the list register; `after` the exit that the hypervisor was handling. They come from the trace of the",
        "last 8,192 events (`exits last`). A guest that polls IAR acknowledges what it has not taken.",
        "`maintenance`: the conditions of ICH_MISR_EL2 that held as it ended, and interrupted the hypervisor.",
    ],
)
def life(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show the newest one last, then how long the steps of each interrupt took."""
    words = list(args.words)
    intid = interrupt(words.pop(0)) if words else None
    count = int(words.pop(0)) if words and words[0].isdecimal() else USUAL
    if words:
        raise CommandError(f"gic life: {' '.join(words)!r} is too much: an interrupt, and how many")
    found = [one for one in known(context) if intid in (None, one.intid)]
    if args.json:
        rows: list[dict[str, Any]] = [
            {"interrupt": name, "from": first, "to": then, "ns": values} for name, first, then, values in summary(found)
        ]
        yield from to_json({"lives": [one.document() for one in found[-count:]], "latencies": rows})
        return
    if not found:
        whose = "" if intid is None else f" {interrupt_name(intid)}"
        yield f"no virtual interrupt{whose} in the last {context.core.trace_size:,} events"
        return
    yield from lives_table(found[-count:] if count else [], vm_names(context.target))
    yield ""
    yield from latency_table(summary(found))
