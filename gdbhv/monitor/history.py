"""``when``, ``goto``, ``mark``, ``back``, ``history``: where the machine is in its past, and going to any place of it."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator
from typing import Any

from gdbhv import exitspec
from gdbhv.errors import CommandError
from gdbhv.history import Backward, History, Interrupted
from gdbhv.history.timeline import order
from gdbhv.monitor.possible import refuse_impossible
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.target import Catcher, Stop, StopKind
from gdbhv.views.table import table

LOOK_SECONDS = 0.05
"""Between two looks at whether a journey is to be given up."""

STALE = (
    "gdb shows what it knew before, until `maintenance flush register-cache`; its commands that begin with gdbhv do it too"
)


def travel(context: Context, journey: Callable[[], Any]) -> Iterator[None]:
    """Run something that goes through the past, so that Ctrl-C is heard.

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
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if thread.is_alive():
                yield None
    except BaseException:
        context.target.interrupt()
        thread.join()
        context.target.run((), 0)  # takes away an interrupt that came too late
        raise
    if result and isinstance(result[0], Interrupted):
        raise CommandError("interrupted")
    if result:
        raise result[0]


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
    help="go to another place of what the machine has done",
)
def goto(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """In the past the machine is as it was: look, step, run forward and back. `goto now` returns to where it had come to."""
    history = context.history
    place = args.place
    yield from travel(context, _place(history, place))
    yield from arrived(context)


def arrived(context: Context) -> Iterator[str]:
    """Say where the machine is after a journey."""
    yield where(context.history)
    if context.selected is not None:
        yield STALE


@command("mark", Arg("name", "what to call it"), help="give the place where the machine is a name, for `goto mark:NAME`")
def mark(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Forget a mark of that name that was set before."""
    made = context.history.mark(args.name)
    yield f"mark {made.name}: {where(context.history)}"


def _back(context: Context, catcher: Catcher) -> Iterator[str | None]:
    history = context.history
    found: list[Stop] = []
    with history.quiet(catcher):
        yield from travel(context, lambda: found.append(Backward(history).run()))
    stop = found[0]
    if stop.kind is StopKind.INTERRUPT:
        raise CommandError(f"interrupted: {where(history)}")
    if stop.kind is StopKind.BEGINNING:
        yield "there was none in what is kept of the past"
    elif stop.text:
        yield stop.text
    yield from arrived(context)


@command(
    "back exit",
    Arg("spec", "exit class and filters, as for `vmexit catch` (default: any)", nargs="*"),
    help="go back to the last VM exit of a class before here",
    about="VM exits",
)
def back_exit(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Stand where a catchpoint would have stopped the machine: before the exit's handler."""
    spec = exitspec.parse(" ".join(args.spec) or "*")
    refuse_impossible(context.target, spec)
    vm = None if spec.vm is None else context.vm(spec.vm)
    yield from _back(
        context,
        Catcher(
            lambda thread, record: (vm is None or vm.number == record["vm"]) and spec.matches(record, spec.vm or ""),
            spec.classes,
            named=lambda name: exitspec.name_matches(spec.pattern, name),
            range=spec.range,
        ),
    )


@command("back entry", help="go back to where a guest was last entered after an exit", about="VM exits")
def back_entry(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Stand at the guest's first instruction after its hypervisor has handled an exit."""
    yield from _back(context, Catcher(lambda thread, record: True, entries=True))


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
    help="begin another run here in the past, so that things can be changed",
)
def fork(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Keep what the machine did from here on under its own name: `history switch` returns to it."""
    history = context.history
    left = history.timeline.name
    made = history.fork(args.name)
    yield f"run {made.name}: {where(history)}; `monitor history switch {left}` returns to where {left} has come to"


@command("history switch", Arg("name", "name of a run"), help="go to where another run has come to")
def switch(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Keep the one that is left, too."""
    yield from travel(context, lambda: context.history.switch(args.name))
    yield from arrived(context)
