"""``when``, ``goto``, ``mark``, ``back``, ``history``: where the machine is in its past, and going to any place of it."""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.exits import exitspec
from gdbhv.exits.catches import Catcher
from gdbhv.history import Backward, History, Interrupted, Writers
from gdbhv.history.timeline import Position, order
from gdbhv.monitor import addresses
from gdbhv.monitor.looping import symbol
from gdbhv.monitor.possible import refuse_impossible
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.monitor.watch import instruction
from gdbhv.target import Space, Stop, StopKind, ThreadId
from gdbhv.views.table import table

LOOK_SECONDS = 0.05
"""Between two looks at whether a journey is to be given up."""

TELL_SECONDS = 1.5
"""Between two words on how far it is: gdb believes a server that is silent for two seconds to be lost."""


def travel(context: Context, journey: Callable[[], Any]) -> Iterator[str | None]:
    """Run something that goes through the past, so that Ctrl-C is heard; say now and then how far it is.

    :raises gdbhv.errors.CommandError: it was interrupted; the machine stands where it was then.
    """
    result: list[BaseException] = []

    def run() -> None:
        try:
            journey()
        except BaseException as e:  # handed over to the thread that waits
            result.append(e)

    thread = threading.Thread(target=run, name="gdbhv-history", daemon=True)
    thread.start()
    try:
        told = time.monotonic()
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if thread.is_alive() and time.monotonic() - told < TELL_SECONDS:
                yield None
            elif thread.is_alive():
                told = time.monotonic()
                yield f"... at instruction {context.history.progress:,}"
    except BaseException:
        context.target.interrupt()
        thread.join()
        context.target.run((), 0)  # takes away an interrupt that came too late
        raise
    if result and isinstance(result[0], Interrupted):
        raise CommandError("interrupted")
    if result:
        raise result[0]


def silently(args: argparse.Namespace, lines: Iterator[str | None]) -> Iterator[str | None]:
    """Leave the text of a journey out where one JSON document is wanted."""
    for line in lines:
        yield None if args.json else line


def document(history: History) -> dict[str, Any]:
    """Return where the machine is."""
    here = history.here
    return {
        "instructions": here.insns,
        "virtual_ns": here.at.ns,
        "exits": history.target.core.exits,
        "run": history.timeline.name,
        "past": history.past,
        "present": history.present.insns,
        "beginning": history.beginning.insns,
    }


def where(history: History) -> str:
    """Return the same in a line."""
    at = document(history)
    when = f"instruction {at['instructions']:,}, {at['virtual_ns'] / 1e9:.9f} s, after {at['exits']:,} exits"
    if not history.past:
        return f"{when}: the present"
    return f"{when}: in the past, {at['present'] - at['instructions']:,} instructions before the present"


@command("when", JSON, help="where the machine is: instructions, virtual time, exits; how far back it can go")
def when(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Instructions are those of all CPUs together since the machine was made, and exits those of all VMs."""
    history = context.history
    if args.json:
        yield from to_json(document(history))
        return
    yield where(history)
    yield f"its past is kept from instruction {history.beginning.insns:,} on, in {history.size >> 20:,} MiB"
    if history.past:
        yield f"what left the machine is not undone: {'; '.join(outside(context))}"


def outside(context: Context) -> Iterator[str]:
    """Say of all that is outside the machine how it stands to a machine in its past."""
    yield "consoles print nothing a second time"
    if any(plugged for _, plugged in context.target.disks()):
        yield "disks are what they were then, and no file changes before the run ends"
    if context.history.target.clients_awaited:
        yield "clients of the network hear nothing, and what they send waits"


def _place(history: History, text: str) -> Callable[[], None]:
    """Return what goes where ``text`` says. :raises gdbhv.errors.CommandError: it names no place."""
    kind, colon, rest = text.partition(":")
    marks = history.timeline.marks
    if text == "now":
        return lambda: history.go(history.present)
    if text == "start":
        return lambda: history.go(history.beginning)
    if kind == "mark" and colon:
        if rest not in marks:
            known = f"there are {', '.join(marks)}" if marks else "`monitor mark NAME` sets one"
            raise CommandError(f"no mark {rest!r}; {known}")
        return lambda: history.go(marks[rest].at)
    number = (rest if kind == "exit" and colon else text).replace(",", "").replace("_", "")
    if not number.removeprefix("-").removeprefix("+").isdecimal():
        raise CommandError(f"{text!r} is no place: N, +N or -N instructions, exit:N, mark:NAME, start or now")
    if kind == "exit" and colon:
        return lambda: history.go_to_exit(int(number))
    base = history.here.insns if number[0] in "+-" else 0
    return lambda: history.go_to_instruction(max(base + int(number), 0))


@command(
    "goto",
    Arg("place", "N (instructions so far), +N, -N, exit:N, mark:NAME, start or now"),
    JSON,
    help="go to another place of what the machine has done",
    replaces=True,
)
def goto(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """In the past the machine is as it was: look, step, run forward and back. `goto now` returns to where it had come to."""
    history = context.history
    place = args.place
    yield from silently(args, travel(context, _place(history, place)))
    yield from arrived(context, args, None)


def arrived(context: Context, args: argparse.Namespace, found: dict[str, Any] | None, *said: str) -> Iterator[str]:
    """Say what was found at the end of a journey, and where the machine is."""
    if args.json:
        yield from to_json(document(context.history) | (found or {}))
        return
    yield from said
    yield where(context.history)


@command("mark", Arg("name", "what to call it"), JSON, help="give where the machine is a name, for `goto mark:NAME`")
def mark(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Forget a mark of that name that was set before."""
    made = context.history.mark(args.name)
    if args.json:
        yield from to_json({"name": made.name, "instructions": made.at.insns})
    else:
        yield f"mark {made.name}: {where(context.history)}"


def _back(context: Context, args: argparse.Namespace, catcher: Catcher) -> Iterator[str | None]:
    history = context.history
    found: list[Stop] = []
    with history.quiet(catcher):
        yield from silently(args, travel(context, lambda: found.append(Backward(history).run())))
    stop = found[0]
    if stop.kind is StopKind.INTERRUPT:
        raise CommandError(f"interrupted: {where(history)}")
    none = stop.kind is StopKind.BEGINNING
    exit_ = None if stop.exit is None else {"name": stop.exit["name"], "thread": str(stop.thread)}
    said = "there was none in what is kept of the past" if none else stop.text
    yield from arrived(context, args, {"exit": exit_}, said)


@command(
    "back exit",
    Arg("spec", "exit class and filters, as for `vmexit catch` (default: any)", nargs="*"),
    JSON,
    help="go back to the last VM exit of a class before here",
    replaces=True,
    about="VM exits",
)
def back_exit(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Stand where a catchpoint would have stopped the machine: before the exit's handler."""
    spec = exitspec.parse(" ".join(args.spec) or "*")
    refuse_impossible(context.target, spec)
    vm = None if spec.vm is None else context.vm(spec.vm)
    yield from _back(context, args, spec.catcher(None if vm is None else vm.number))


@command(
    "back entry",
    JSON,
    help="go back to where a guest was last entered after an exit",
    about="VM exits",
    replaces=True,
)
def back_entry(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Stand at the guest's first instruction after its hypervisor has handled an exit."""
    yield from _back(context, args, Catcher(entries=True))


@command("history list", JSON, help="the runs that there are: the first one, and those that were begun in its past")
def list_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Name, where it left which other run, where it has come to, its marks."""
    history = context.history
    lines = history.timelines.values()
    ends = {line.name: history.present if line is history.timeline else line.end for line in lines}
    if args.json:
        yield from to_json(
            [
                {
                    "name": line.name,
                    "here": line is history.timeline,
                    "from": line.parent or None,
                    "forked": line.forked.insns if line.parent else None,
                    "present": ends[line.name].insns,
                    "marks": {mark.name: mark.at.insns for mark in line.marks.values()},
                }
                for line in lines
            ]
        )
        return
    rows = [
        (
            ("* " if line is history.timeline else "  ") + line.name,
            f"{line.parent} at {line.forked.insns:,}" if line.parent else "",
            f"{ends[line.name].insns:,}",
            ", ".join(
                f"{mark.name} at {mark.at.insns:,}" for mark in sorted(line.marks.values(), key=lambda m: order(m.at))
            ),
        )
        for line in lines
    ]
    yield from table(("run", "from", "has come to", "marks"), rows, "llrl")


@command(
    "history fork",
    Arg("name", "what to call it (default: fork1, fork2...)", nargs="?"),
    JSON,
    help="begin another run here in the past, so that things can be changed",
)
def fork(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Keep what the machine did from here on under its own name: `history switch` returns to it."""
    history = context.history
    left = history.timeline.name
    made = history.fork(args.name)
    if args.json:
        yield from to_json(document(history))
    else:
        yield f"run {made.name}: {where(history)}; `monitor history switch {left}` returns to where {left} has come to"


@command("history switch", Arg("name", "name of a run"), JSON, help="go to where another run has come to", replaces=True)
def switch(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Keep the one that is left, too."""
    yield from silently(args, travel(context, lambda: context.history.switch(args.name)))
    yield from arrived(context, args, None)


MOST_STEPS = 20_000
"""Steps that `last-write` looks through for a general register."""


@command(
    "last-write",
    Arg("what", f"pa:ADDRESS, ipa:ADDRESS or a VA ({addresses.HELP}); or a register: x0, sp, HCR_EL2"),
    Arg("length", "bytes, for an address (default: 8)", nargs="?", type=lambda text: int(text, 0)),
    JSON,
    help="go back to before the last write of memory or of a register, and say who wrote",
    replaces=True,
    more=lambda: [
        "An address is where it is mapped now: who writes there by another one is found, too. What devices and the",
        "debugger write is not. Of a system register it is the last MSR; exceptions write ESR, ELR, SPSR and FAR, too,",
        "and one that traps is an exit: `back exit sysreg.write:NAME`. Of a general one, the last change of its value.",
    ],
)
def last_write(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Stand before the instruction that wrote."""
    history, name = context.history, args.what.lstrip("$")
    writers = Writers(Backward(history))
    there = history.here
    found: list[Any] = []
    if re.fullmatch(r"x\d+|sp|lr|fp", name):
        register = tables.OTHER_NAMES.get(name, name)
        changed = partial(writers.of_general_register, context.thread, register, MOST_STEPS)
        yield from silently(args, travel(context, lambda: found.append(changed() or None)))
        who = None if found[0] is None else context.thread
    elif name.upper() in context.target.registers:
        yield from silently(args, travel(context, lambda: found.append(writers.of_register(name.upper()))))
        who = None if found[0] is None else _on(context, found[0])
    else:
        first = _physical(context, args.what)
        ranges = [(first, first + max(args.length or 8, 1) - 1)]
        yield from silently(args, travel(context, lambda: found.append(writers.of_memory(ranges))))
        who = None if found[0] is None else found[0].thread
    none = f"it has not been written in what is kept of the past{LIMITS.get(name[:1], '')}"
    yield from _wrote(context, args, there, who, none)


def _wrote(
    context: Context, args: argparse.Namespace, there: Position, who: ThreadId | None, none: str, what: str = ""
) -> Iterator[str]:
    """Say who stands where the machine has gone back to, from ``there``; or that nobody has written."""
    if who is None:
        yield from to_json({"writer": None}) if args.json else [none]
        return
    before = there.insns - context.history.here.insns
    text = _writer(context, who)
    writer = {"thread": str(who), "pc": context.target.read_register(who, "pc"), "text": text, "before": before}
    yield from arrived(context, args, {"writer": writer}, f"{text}{what}, {before:,} instructions before")


LIMITS = {"x": f", or not in the last {MOST_STEPS:,} steps of the thread"}


@command(
    "last-change s2",
    Arg("ipa", "ipa:ADDRESS, or ipa:VM:ADDRESS"),
    JSON,
    help="go back to before the last write of a descriptor that maps an IPA, and say who wrote",
    replaces=True,
    about="stage 2",
)
def last_change(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Look at the descriptors of all levels that a walk for the IPA fetches now."""
    space, ipa = addresses.parse(context, args.ipa)
    if space is not Space.IPA:
        raise CommandError("stage 2 maps IPAs: ipa:ADDRESS")
    by = context.target.stage2(context.thread)
    if not by.regime["stage2"]:
        raise CommandError(by.no_stage2())
    steps = by.walk_ipa(ipa, "read", checked=True)["steps"]
    ranges = [(step["pa"], step["pa"] + 7) for step in steps]
    history = context.history
    there, found = history.here, list[Any]()
    yield from silently(args, travel(context, lambda: found.append(Writers(Backward(history)).of_memory(ranges))))
    stop = found[0]
    at = 0 if stop is None else int(stop.address or 0)
    what = "".join(f": the descriptor of level {s['level']} at PA {at:#x}" for s in steps if s["pa"] <= at <= s["pa"] + 7)
    none = "none of its descriptors has been written by an instruction in what is kept of the past"
    yield from _wrote(context, args, there, None if stop is None else stop.thread, none, what)


def _physical(context: Context, text: str) -> int:
    """Return the physical address that an address means now. :raises gdbhv.errors.CommandError: it means none."""
    space, address = addresses.parse(context, text)
    if space is Space.PA:
        return address
    by = context.target.translation(context.thread) if space is Space.VA else context.target.stage2(context.thread)
    found = by.walk(address, "read", checked=False) if space is Space.VA else by.walk_ipa(address, "read", checked=False)
    if "pa" not in found:
        raise CommandError(f"{text} is not mapped now: pa:ADDRESS takes a physical address")
    return found["pa"]


def _on(context: Context, cpu: int) -> ThreadId:
    """Return the thread that a CPU executes."""
    threads = [thread.id for process in context.target.processes() for thread in process.threads]
    return next((t for t in threads if context.target.cpu_of(t) == cpu), threads[0])


def _writer(context: Context, thread: ThreadId) -> str:
    """Return who writes: a thread that stands at the instruction, and the function that is in."""
    target = context.target
    name = next(t.name for p in target.processes() for t in p.threads if t.id == thread)
    pc = target.read_register(thread, "pc")
    return f"{name}: {instruction(target, thread).removesuffix(f'{pc:#x}')}{symbol(target, pc, thread)}"
