"""Going back by a step, or to the last thing that would have stopped the machine.

Nothing is undone for it: the machine is restored to a checkpoint before, and runs again, up to the last place before where
it was at which a thread had made a step, or at which something stopped it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gdbhv.history.history import History, Interrupted, actions
from gdbhv.history.timeline import START, Checkpoint, Position, order
from gdbhv.target import Stop, StopKind, ThreadId

WINDOW = 512
"""Instructions that are stepped through again, to find the last steps of a thread."""

WIDER = 8  # times is what is looked through next, if there was no step of it

SPACING = 64
"""Steps between two temporary checkpoints."""

FREQUENT = 200
"""Stops in a row after which half of what is left is looked through first: the last one is likely there."""

NARROW = 5000
"""Instructions that are not halved any more."""

STOPS = {
    StopKind.SW_BREAK,
    StopKind.HW_BREAK,
    StopKind.WATCH,
    StopKind.RWATCH,
    StopKind.AWATCH,
    StopKind.WATCH_IPA,
    StopKind.WATCH_PA,
    StopKind.EXIT,
    StopKind.ENTRY,
}
"""What stops a machine that goes back: what a debugger has asked for."""

BEGINS = "the past that is kept begins here"


@dataclass
class _Found:
    """A stop on the way, and what else belongs to it."""

    at: Position
    stop: Stop
    held: list[tuple[int, bool] | None]  # by CPU
    done: list[Any]  # catchpoints that are for once


class Backward:
    """Goes back in a history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._target = history.target
        self._thread: ThreadId | None = None  # whose steps are known
        self._steps: list[Position] = []  # where it made them, up to the next one:
        self._after = START

    def knows_step(self, thread: ThreadId) -> bool:
        """Whether a step back of this thread, from here, is a matter of a moment."""
        return bool(self._steps) and self._thread == thread and self._after == self.history.here

    def step(self, thread: ThreadId) -> Stop:
        """Go back to where a thread was before it made its last step: an instruction, or an exception that it took.

        :returns: STEP; BEGINNING if there is none in what is kept of the past; INTERRUPT.
        """
        try:
            return self._step(thread)
        except Interrupted:
            return Stop(StopKind.INTERRUPT, thread)

    def _step(self, thread: ThreadId) -> Stop:
        history = self.history
        if not self.knows_step(thread) and not self._look(thread):
            history.go(history.beginning)
            return Stop(StopKind.BEGINNING, thread, text=BEGINS)
        place = self._steps.pop()
        history.go(place)
        self._after = place
        return Stop(StopKind.STEP, thread)

    def _look(self, thread: ThreadId) -> bool:
        """Find the last steps of a thread before here; False: there is none."""
        history = self.history
        here, width = history.here, WINDOW
        last = here
        while True:
            if last.insns - width > history.beginning.insns:
                history.go_to_instruction(last.insns - width)
            else:
                history.go(history.beginning)
            first = history.here
            if steps := self._steps_between(thread, first, last):
                self._thread, self._steps, self._after = thread, steps, here
                return True
            if first == history.beginning:
                return False
            last, width = first, width * WIDER

    def _steps_between(self, thread: ThreadId, first: Position, last: Position) -> list[Position]:
        """Return where the last steps of a thread between two places ended; none if it has made none."""
        history = self.history
        history.go(first)
        if last.insns - first.insns <= 2 * WINDOW:
            return self._steps_until(thread, last)
        seen = [(first, self._progress(thread))]
        for n in range(1, WIDER):
            history.go_to_instruction(first.insns + (last.insns - first.insns) * n // WIDER)
            seen.append((history.here, self._progress(thread)))
        history.go(last)
        seen.append((last, self._progress(thread)))
        for (begin, before), (end, after) in reversed(list(itertools.pairwise(seen))):
            if before != after and (steps := self._steps_between(thread, begin, end)):
                return steps
        return []

    def _progress(self, thread: ThreadId) -> object:
        """Return what is not the same again if the thread has made a step in between."""
        target = self._target
        cpu = target.cpu_of(thread)
        executed = None if cpu is None else target.core.insns[cpu]
        return cpu, executed, target.count(thread), target.read_core(thread)

    def _steps_until(self, thread: ThreadId, last: Position) -> list[Position]:
        """Step a thread up to a position; return where its steps ended before that, and where it was switched on."""
        history = self.history
        moving = actions(self._target, thread)
        steps: list[Position] = []
        off = False
        with history.quiet():
            while True:
                if len(steps) % SPACING == 0 and not off:
                    history.keep_near()
                before = history.here
                stop = self._target.run(moving)
                here = history.here
                history.heed(stop)
                if not history.past or order(here) >= order(last):
                    return steps
                if stop.kind is StopKind.STEP:
                    steps += [before, here] if off else [here]
                    off = False
                elif not history.passed(stop) and here == before:
                    off = True  # until another one switches it on
                    history.stop_at(last)
                    history.heed(self._target.run_all(1))
                    history.pass_on()
                    if not history.past or order(history.here) >= order(last):
                        return steps
                    history.follow(before, stop)

    def step_forward(self, thread: ThreadId) -> Stop:
        """Step a thread on, through whatever would stop it."""
        with self.history.quiet():
            return self._target.run(actions(self._target, thread))

    def run(self, wanted: Callable[[Stop], bool] = lambda stop: True) -> Stop:
        """Go back to the last thing before here that would have stopped the machine.

        :param wanted: whether a stop counts, such as by a breakpoint's condition.
        :returns: that stop; BEGINNING if there was none; INTERRUPT.
        """
        history = self.history
        last, thread, at_end = history.here, actions(self._target)[0].thread, False
        try:
            while (one := history.timeline.before(last)) is not None:
                if (found := self.last_stop(one, last, wanted, at_end=at_end)) is not None:
                    return found
                last, at_end = one.at, True
            history.go(history.beginning)
        except Interrupted:
            return Stop(StopKind.INTERRUPT, thread)
        return Stop(StopKind.BEGINNING, thread, text=BEGINS)

    def last_stop(self, one: Checkpoint, last: Position, wanted: Callable[[Stop], bool], *, at_end: bool) -> Stop | None:
        """Go to the last stop between a checkpoint and a position.

        :param at_end: one at the position itself counts. (It would not come again if the machine ran on from there: a
            checkpoint may be where an exit has just been taken.)
        :returns: the stop; None if there was none: the machine is at ``last``.
        :raises gdbhv.history.Interrupted: see :meth:`gdbhv.target.Target.interrupt`.
        """
        self.history.restore(one)
        catchers = self._target.catchers
        catchers.searched = True
        try:
            found = self._last_stop(last, wanted, at_end=at_end)
        finally:
            catchers.searched = False
        if found is None:
            return None
        self.history.go(found.at)
        catchers.end(found.done)
        for cpu, held in enumerate(found.held):
            self._target.core.hold(cpu, held)
        return found.stop

    def _last_half(self, last: Position, wanted: Callable[[Stop], bool], *, at_end: bool) -> _Found | None:
        """Do the same from here, where stops are frequent: look at the second half first."""
        history, here = self.history, self.history.here
        history.keep_near()
        with history.quiet():
            history.run_to_instruction((here.insns + last.insns) // 2)
        middle = history.here
        if (found := self._last_stop(last, wanted, at_end=at_end)) is not None:
            return found
        history.go(here)
        return self._last_stop(middle, wanted, at_end=True)

    def _last_stop(self, last: Position, wanted: Callable[[Stop], bool], *, at_end: bool) -> _Found | None:
        """Run to a position; return the last stop before it, or there (``at_end``)."""
        history, core = self.history, self._target.core
        found, times = None, 0
        history.stop_at(last)
        while True:
            before = history.here
            stop = self._target.run_all()
            here = history.here
            history.heed(stop)
            over = not history.past or order(here) >= order(last)
            inside = not over or (at_end and here == last)
            counts = inside and stop.kind in STOPS and not stop.passing and wanted(stop)
            if over and not counts:
                history.pass_on()
                return found
            if counts:
                done = [] if stop.exit is None else self._target.catchers.done
                found = _Found(here, stop, [core.held(cpu) for cpu in range(core.cpus)], done)
                times += 1
                if times >= FREQUENT and last.insns - here.insns > NARROW:
                    return self._last_half(last, wanted, at_end=at_end) or found
            else:
                history.follow(before, stop)
