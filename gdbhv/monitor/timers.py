"""``timers``: the timers of a CPU or a vCPU, when they fire, and why they do not interrupt."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gdbhv import tables
from gdbhv.errors import GdbhvError
from gdbhv.monitor.delivery import ENABLE, IMASK, ISTATUS, why_not
from gdbhv.monitor.registry import JSON, Context, command, to_json
from gdbhv.target import Target, ThreadId
from gdbhv.views.gic import interrupt_name
from gdbhv.views.table import table

TICK = 16  # nanoseconds of one count at CNTFRQ_EL0 = 62.5 MHz
COUNTERS = {"CNTV": "CNTVCT_EL0"}  # of the other timers: CNTPCT_EL0 (Arm ARM D12.2.4; CNTHV's offset is 0)


def timers_of(target: Target, thread: ThreadId) -> list[dict[str, Any]]:
    """Return the timers that a thread has, one document each."""
    found = []
    guest = target.hosted or any(p.found for p in target.processes() if p.pid == thread.pid)
    for control, name, intid in tables.TIMERS:
        if control not in target.registers or (guest and control.endswith("_EL2")):
            continue
        stem, _, level = control.partition("_CTL_")
        try:
            value = target.read_register(thread, control)
            compare = target.read_register(thread, f"{stem}_CVAL_{level}")
            counter = target.read_register(thread, COUNTERS.get(stem, "CNTPCT_EL0"))
        except GdbhvError:
            continue  # it is no guest's, or not known of one that has exited
        found.append(
            {
                "name": name,
                "intid": intid,
                "on": bool(value & ENABLE),
                "masked": bool(value & IMASK),
                "fired": bool(value & ENABLE and value & ISTATUS),
                "compare": compare,
                "counter": counter,
                "in_ns": (compare - counter) * TICK,
            }
        )
    return found


def _says(target: Target, thread: ThreadId, timer: dict[str, Any]) -> str:
    """Say what becomes of a timer: when it fires, or what keeps its interrupt back."""
    if not timer["on"]:
        return "off"
    if not timer["fired"]:
        later = timer["in_ns"]
        return f"fires in {later:,} ns" if later < 1 << 60 else "fires in more than 36 years"
    since = f"fired {-timer['in_ns']:,} ns ago"
    if timer["masked"]:
        return f"{since}; no interrupt: IMASK is 1"
    try:
        why = why_not(target, thread, timer["intid"])
    except GdbhvError as e:
        return f"{since}; {e}"
    return f"{since}; " + (f"its interrupt is not taken: {why}" if why else "its interrupt is taken next")


@command("timers", JSON, help="show the thread's timers: when they fire, and why their interrupts are not taken")
def timers(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show each timer that the thread has, on or off."""
    target, thread = context.target, context.thread
    rows = timers_of(target, thread)
    for timer in rows:
        timer["says"] = _says(target, thread, timer)
    if args.json:
        yield from to_json(rows)
        return
    if not rows:
        yield "the timers of a vCPU that has exited are its hypervisor's, in its memory"
        return
    cells = [(t["name"], interrupt_name(t["intid"]), f"{t['compare']:#x}", f"{t['counter']:#x}", t["says"]) for t in rows]
    yield from table(("timer", "interrupt", "compare value", "counter", "state"), cells)
