"""``doctor``: explain a machine that hangs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gdbhv import tables
from gdbhv.errors import GdbhvError
from gdbhv.exits.records import TraceEvent
from gdbhv.monitor.accounts import vm_names
from gdbhv.monitor.delivery import ENABLE, IMASK, ISTATUS, why_not
from gdbhv.monitor.firstday import mistakes
from gdbhv.monitor.looping import describe, symbol
from gdbhv.monitor.registry import JSON, Context, command, to_json
from gdbhv.target import Target, Thread, ThreadId
from gdbhv.views.exits import named
from gdbhv.views.gic import interrupt_name

LAST = 3  # exits of each vCPU
MASKS = ((9, "debug exceptions"), (8, "SErrors"), (7, "IRQs"), (6, "FIQs"))  # bits of PSTATE (SPSR_EL1, D24.2)


def findings(target: Target) -> list[dict[str, Any]]:
    """Return the explanation of each vCPU and CPU, one document each: ``thread``, ``name``, ``says``."""
    events = target.core.trace(target.core.trace_size)
    found = []
    for process in target.processes():
        for thread in process.threads:
            says = list(_says(target, process.found, thread, events))
            found.append({"thread": str(thread.id), "name": f"{process.name} {thread.name}", "says": says})
    return found


def lines(target: Target) -> Iterator[str]:
    """Return it as text."""
    core = target.core
    for cpu in range(core.cpus):
        yield from (describe(target, r) for r in core.repeated(cpu))
    for one in findings(target):
        yield f"{one['name']} ({one['thread']}):"
        yield from (f"  {said}" for said in one["says"])


def _says(target: Target, found: bool, thread: Thread, events: list[TraceEvent]) -> Iterator[str]:
    pc, pstate = target.read_register(thread.id, "pc"), target.read_register(thread.id, "cpsr")
    yield f"at {symbol(target, pc, thread.id)}, {thread.extra}"
    if "off" in thread.extra.split(", ")[-1]:
        return
    wrong = [] if found else list(mistakes(target, thread.id))
    yield from wrong or _code(target, thread.id, pc)
    masked = [name for bit, name in MASKS if pstate >> bit & 1]
    yield f"masks {', '.join(masked)} (PSTATE.DAIF)" if masked else "masks nothing (PSTATE.DAIF is 0)"
    if not found:  # the interrupt controller of a VM of the machine's hypervisor is emulated by that hypervisor
        yield from _timers(target, thread.id)
        yield from _interrupts(target, thread.id)
    yield from _last(target, thread, events, found)


def _code(target: Target, thread: ThreadId, pc: int) -> Iterator[str]:
    """Report what is wrong with the PC, if anything is."""
    try:
        word = target.read_memory(thread, pc, 4)
    except GdbhvError as e:
        yield f"there is nothing to execute: {e}"
        return
    if word == bytes(4):
        yield "there are zeros where it executes (udf #0): it has jumped to memory that holds no code"
    elif word == bytes((0, 0, 0, 0x14)):
        yield "it branches to itself for ever (b .)"


def _timers(target: Target, thread: ThreadId) -> Iterator[str]:
    for register, name, intid in tables.TIMERS:
        if register not in target.registers:
            continue
        try:
            control = target.read_register(thread, register)
        except GdbhvError:
            continue  # it belongs to no guest
        if not control & ENABLE:
            continue
        state = "has fired" if control & ISTATUS else "has not fired yet"
        mask = ", and its output is masked (IMASK)" if control & IMASK else ""
        yield f"its {name} (ppi{intid}) is on and {state}{mask}"


def _interrupts(target: Target, thread: ThreadId) -> Iterator[str]:
    """Report why the CPU does not take each interrupt that is pending for it: the first condition that fails."""
    document, _ = target.gic(thread)
    cpu = thread.tid - 1
    count = 0
    for irq in document["interrupts"]:
        if not irq["pending"] or irq["cpu"] not in (None, cpu) or irq["route"] not in (None, cpu):
            continue
        count += 1
        why = why_not(target, thread, irq["intid"])
        yield f"{interrupt_name(irq['intid'])} is pending: {why or 'nothing keeps it back: it is taken next'}"
    if not count:
        yield "no interrupt is pending for it"


def _last(target: Target, thread: Thread, events: list[TraceEvent], found: bool) -> Iterator[str]:
    """Report the last exits: of a vCPU its own, of a CPU those that it has taken."""
    name = vm_names(target)
    if target.hosted or found:
        own = [e for e in events if (e["vm"], e["vcpu"]) == (thread.id.pid, thread.id.tid - 1)]
    else:
        own = [e for e in events if e["cpu"] == thread.id.tid - 1]
    exits = [e for e in own if e["what"] == "exit"][-LAST:]
    if not exits:
        return
    now = target.core.now
    for e in exits:
        whose = "" if target.hosted or found or not e["vm"] else f" of {name(e['vm'], e['vmid'])}"
        by = f", by {', '.join(e['cause'])}" if e["cause"] else ""
        yield f"exit{whose} {now - e['now']:,} ns ago: {named(e['name'])} at {e['pc']:#x}{by}"


@command("doctor", JSON, help="explain a machine that hangs: where each vCPU is, what it waits for and what keeps it back")
def doctor(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Look, and change nothing."""
    if args.json:
        target = context.target
        loops = [r for cpu in range(target.core.cpus) for r in target.core.repeated(cpu)]
        yield from to_json({"repeated": loops, "threads": findings(target)})
    else:
        yield from lines(context.target)
