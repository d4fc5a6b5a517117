"""Going to any place of a target's past, giving places names, and beginning other runs there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from gdbhv.errors import StateError
from gdbhv.exits.catches import Catcher
from gdbhv.history.keeping import Keeping
from gdbhv.history.timeline import Checkpoint, Mark, Position, Timeline, order
from gdbhv.inputs import Place
from gdbhv.target import Action, Stop, StopKind, Target, ThreadId

APPROACH = (2_000_000, 50_000)
"""Instructions before a place at which temporary checkpoints are made when it is gone to."""


class Interrupted(Exception):
    """Going through the past was interrupted: the machine stands where it was then."""


class History(Keeping):
    """The past of a target, from now on. For parameters and errors see :class:`gdbhv.history.keeping.Keeping`."""

    def abandon(self) -> None:
        """See :class:`gdbhv.inputs.Follower`: a debugger that kills a VM in its past changes it."""
        if self.past:
            self.fork()
        elif self._inner is not None:
            self._inner.abandon()

    def _nearest(self, position: Position) -> Checkpoint:
        """Return the last checkpoint that is not after a position, a temporary one perhaps."""
        found = [c for c in (*self.timeline.checkpoints, *self._near) if order(c.at) <= order(position)]
        if not found:
            raise StateError(
                f"what is kept of the past begins at instruction {self.beginning.insns:,}: {position.insns:,} is before that"
            )
        return max(found, key=lambda c: order(c.at))

    def _back_to(self, position: Position) -> None:
        """Be at or before a position, in the past, as near as it costs nothing."""
        one = self._nearest(position)
        if not self.past or order(self.here) > order(position) or order(self.here) < order(one.at):
            self.restore(one)

    def _future(self, insns: int) -> StateError:
        return StateError(f"instruction {insns:,} is not in the past: the machine has come to {self.present.insns:,}")

    def _approach(self, insns: int) -> None:
        """Keep the machine here and there on the way to an instruction: more is looked at in its neighbourhood."""
        for before in APPROACH:
            if insns - before > self.here.insns + before:
                self.run_to_instruction(insns - before)
                self.keep_near()

    def run_to_instruction(self, number: int) -> None:
        """In the past: run on until so many instructions have been executed."""
        self._run_until(lambda: self.here.insns >= number, lambda: number - self.here.insns)

    def go(self, position: Position) -> None:
        """Go to a position that was recorded of this timeline, :attr:`present` among them.

        :raises gdbhv.errors.StateError: it is before what is kept, or after the present.
        """
        if position == self.here:
            self.pass_on()
            return
        if order(position) > order(self.present):
            raise self._future(position.insns)
        self._back_to(position)
        with self.quiet():
            self._approach(position.insns)
        self.run_to(position)

    def come_back(self) -> None:
        """Be in the present, whatever was interrupted on the way: nobody looks at the past any more."""
        while self.past:
            self.target.run_all(0)  # takes away an interrupt that came too late
            with contextlib.suppress(Interrupted):
                self.go(self.present)

    def run_to(self, position: Position) -> None:
        """In the past: run on to a position, through whatever would stop the machine."""
        with self.quiet():
            self.stop_at(position)
            self.settle()
            self._run_until(lambda: not self.past or self.here == self._goal)
        self.pass_on()

    def go_to_instruction(self, number: int) -> None:
        """Go to the first place at which all CPUs together have executed so many instructions since the machine was made.

        :raises gdbhv.errors.StateError: see :meth:`go`.
        """
        if number == self.present.insns:
            return self.go(self.present)
        if number > self.present.insns:
            raise self._future(number)
        if number == self.beginning.insns:
            return self.go(self.beginning)
        self._back_to(Position(Place(number - 1, 0, 0)))
        with self.quiet():
            self._approach(number)
            self.run_to_instruction(number)
        return None

    def go_to_exit(self, number: int) -> None:
        """Go to where the exit of this number, counted from 1, has just been taken.

        :raises gdbhv.errors.StateError: there was none in what is kept of the past.
        """
        present = self.timeline.checkpoints
        one = next((c for c in reversed(present) if c.exits < number), None)
        if one is None:
            raise StateError(f"exit {number:,}: what is kept of the past begins with exit {present[0].exits + 1:,}")
        last = self.present
        if not self.past and number > self._core.exits:
            raise StateError(f"exit {number:,} is not in the past: there have been {self._core.exits:,}")
        self.restore(one)
        with self.quiet(Catcher()):
            self._run_until(lambda: self._core.exits >= number or not self.past)
        if self._core.exits < number:
            self.go(last)
            raise StateError(f"exit {number:,} is not in the past: there have been {self._core.exits:,}")

    def _run_until(self, done: Callable[[], bool], budget: Callable[[], int | None] = lambda: None) -> None:
        """Run on in the past, through stops that it had.

        :raises Interrupted: by :meth:`gdbhv.target.Target.interrupt`.
        """
        while not done():
            before = self.here
            stop = self.target.run_all(budget())
            self.heed(stop)
            self.progress = self.here.insns
            self.settle()
            if not done():
                self.follow(before, stop)

    def heed(self, stop: Stop) -> None:
        """Give a journey up if it was interrupted: the machine stays where it is.

        :raises Interrupted: it was.
        """
        if stop.kind is StopKind.INTERRUPT:
            self.pass_on()
            raise Interrupted

    def follow(self, before: Position, stop: Stop) -> None:
        """Do what was done about a stop when it came first. :raises gdbhv.errors.StateError: that led nowhere."""
        if not self.passed(stop) and self.here == before:
            raise StateError(f"the past goes no further than {before}: {stop.text or stop.kind.value}")

    # --- what changes it

    def mark(self, name: str, at: Position | None = None) -> Mark:
        """Give the place where the machine is a name, or another one of this run. One of that name before is forgotten."""
        made = self.timeline.marks[name] = Mark(name, at or self.here)
        return made

    def fork(self, name: str | None = None) -> Timeline:
        """Begin another run where the machine is in its past. The one that went on from here is kept.

        :param name: of the new one; without it, fork1, fork2 and so on.
        :raises gdbhv.errors.StateError: this is the present, or the past of a recording; or the name is taken.
        """
        if not self.past:
            raise StateError("this is the present: what happens next is new anyway")
        if self._inner is not None:
            raise StateError("a recording, or a replay, follows one run: its past cannot be changed")
        if name is None:
            self._numbers += 1
            name = f"fork{self._numbers}"
        if name in self.timelines:
            raise StateError(f"there is a run {name}: choose another name")
        line = self.timeline.fork(name, self.here)
        self._return()
        self.target.drop_clients()  # they have spoken with the other one
        self._start(line)
        self._checkpoint()
        self._arm_live()
        return line

    def switch(self, name: str) -> None:
        """Go to where another run has come to. :raises gdbhv.errors.StateError: there is none of that name."""
        if name not in self.timelines:
            raise StateError(f"there is no run {name}; there are {', '.join(self.timelines)}")
        if name == self.timeline.name:
            return self.go(self.present)
        self._leave()
        self._forget_near()
        self.timeline = self.timelines[name]
        line = self.timeline
        self.restore(line.checkpoints[-1])
        with self.quiet():
            self._run_until(lambda: not self.past)
        self.target.drop_clients()
        return None


def actions(target: Target, step: ThreadId | None = None) -> Sequence[Action]:
    """Return what lets every thread run; ``step``: but for one, which is stepped."""
    threads = [t.id for p in target.processes() if not p.found or step is None for t in p.threads]
    return [Action(t, step=t == step) for t in sorted(threads, key=lambda t: t != step)]
