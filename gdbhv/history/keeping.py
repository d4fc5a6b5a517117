"""Keeping the past of a target: the door's follower that notes inputs, makes checkpoints, and feeds the past again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gdbhv.console import Console
from gdbhv.errors import StateError
from gdbhv.exits.catches import Catcher, Catching
from gdbhv.history.timeline import Checkpoint, Position, Timeline, superfluous
from gdbhv.inputs import NOWHERE, Door, Follower, Input, Outside, Place
from gdbhv.snapshot import Keeper, Snapshot
from gdbhv.target import Stop, StopKind, Target

if TYPE_CHECKING:
    from gdbhv.pace import Pace

EVERY = 100_000_000
"""Instructions between two checkpoints."""

MEMORY = 512 << 20
"""Bytes of the host's memory that checkpoints may take."""

NEAR = 64
"""Temporary checkpoints near the place that is looked at."""

CLOSED = (
    "this is the past, which is looked at and not changed: `monitor goto now` returns to where the machine has come to, and "
    "`monitor history fork` begins another run here"
)


class Kept(Target, Keeper, Outside, Protocol):
    """A target whose past can be kept."""

    door: Door
    console: Console | None

    @property
    def catchers(self) -> Catching:
        """The catchpoints."""

    @property
    def consoles(self) -> Mapping[str, Console]:
        """Consoles of VMs that have their own, by name."""

    @property
    def pace(self) -> Pace:
        """How fast time passes."""

    def run_all(self, max_insns: int | None = None) -> Stop:
        """Run every CPU until the next stop."""

    @property
    def clients_awaited(self) -> bool:
        """Whether somebody may come to the network of a guest."""

    def mute_networks(self, muted: bool) -> None:
        """See :class:`gdbhv.board.network.Networked`."""

    def drop_clients(self) -> None:
        """See :class:`gdbhv.board.network.Networked`."""


class Keeping:
    """Keeps the past of a target, from now on, and lets the machine go through it again.

    :param target: nothing executes in it now. With a recording, or in a replay, that is made first.
    :param memory: bytes of the host's memory that checkpoints may take; the older they are, the thinner.
    :param every: instructions between two checkpoints.
    :param reboots: a guest that asks for a reset gets it.
    :raises gdbhv.errors.StateError: a device of the target cannot be saved, which the message names.
    """

    def __init__(self, target: Kept, *, memory: int = MEMORY, every: int = EVERY, reboots: bool = True) -> None:
        self.target = target
        self.memory = memory
        self.every = every
        self.reboots = reboots
        self.origin: Callable[[], Any] | None = None
        """What the machine was made from, as recordings have it; None: that is not known."""
        self.past = False
        """Whether the machine is in its past; else it is where it has come to."""
        self._inner: Follower | None = target.door.follower
        self._closed = target.door.closed
        self._restoring = False
        self._cursor = 0  # in the past: how many inputs of the timeline have come
        self._goal: Position | None = None  # in the past: where to stop, if not where the timeline ends
        self._near: list[Checkpoint] = []
        self._numbers = 0  # forks so far
        self._realtime = False
        self._arriving = False  # whether it was in the past when it came to where a run stops
        self._core = target.core
        self.timeline = Timeline("main", self._inner is None and target.here() == NOWHERE)
        self.timelines = {"main": self.timeline}
        """All runs by name: the first one, and those that have forked off."""
        self.progress = 0
        """Instructions where a journey was when it was looked at last: for other threads, while something executes."""
        self._next = 0
        self._checkpoint()
        target.door.follower = self
        self._arm_live()

    # --- where it is

    @property
    def here(self) -> Position:
        """Where the machine is."""
        return Position(self.target.here(), self._cursor if self.past else len(self.timeline.inputs))

    @property
    def present(self) -> Position:
        """Where the machine has come to: the end of its past."""
        return self.timeline.end if self.past else self.here

    @property
    def beginning(self) -> Position:
        """The first position that can be gone back to."""
        return self.timeline.beginning

    @property
    def size(self) -> int:
        """Bytes of the host's memory that its checkpoints take."""
        return sum(c.kept.bytes for c in self._all())

    def _all(self) -> list[Checkpoint]:
        """Return the checkpoints of all timelines, each once."""
        return list({id(c): c for line in self.timelines.values() for c in line.checkpoints}.values())

    # --- as the door's follower (gdbhv.inputs.Follower)

    @property
    def replays(self) -> bool:
        """See :class:`gdbhv.inputs.Follower`."""
        return self.past or (self._inner is not None and self._inner.replays)

    @property
    def over(self) -> StopKind:
        """See :class:`gdbhv.inputs.Follower`."""
        return StopKind.PRESENT if self._inner is None or self._arriving else self._inner.over

    def leave(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        if not self._restoring:
            if self._inner is not None:
                self._inner.leave()
            if not self.past:
                self._note_end()

    def jumped(self) -> None:
        """See :class:`gdbhv.inputs.Follower`: what is restored has a past of its own, which is not known."""
        if not self._restoring:
            self._begin_anew()

    def entered(self, what: Input) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        if not self.past:
            self.timeline.inputs.append(what)
            if self._inner is not None:
                self._inner.entered(what)

    def abandon(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        raise NotImplementedError

    def arm(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        if self.past:
            self._arm_past()
        else:
            self._arm_live()

    def arrived(self, *, paused: bool) -> str | None:
        """See :class:`gdbhv.inputs.Follower`."""
        self._arriving = self.past
        if self.past:
            return self._pass(paused)
        why = None if self._inner is None else self._inner.arrived(paused=paused)
        if why is None and self.here.insns >= self._next:
            self._checkpoint()
            self._arm_live()
        return why

    # --- the present

    def _arm_live(self) -> None:
        if self._inner is not None:
            self._inner.arm()  # it stops the machine now and then, too
        else:
            self._core.pause(self._next)

    def _checkpoint(self) -> None:
        line = self.timeline
        self._forget_near()
        line.checkpoints.append(self._keep())
        insns = line.checkpoints[-1].at.insns
        self._next = insns - insns % self.every + self.every
        while self.size > self.memory and (one := superfluous(line.checkpoints)) is not None:
            self._forget(one)

    def _keep(self) -> Checkpoint:
        moving = self.timeline.moving(self.here.inputs)
        return Checkpoint(self.here, Snapshot(self.target, "history"), moving, self._core.exits)

    def _forget(self, one: Checkpoint) -> None:
        for line in self.timelines.values():
            line.checkpoints = [c for c in line.checkpoints if c is not one]
        one.kept.delete()

    def _begin_anew(self) -> None:
        """Begin another timeline here, of which no past is known."""
        self._return()
        self._numbers += 1
        self._start(Timeline(f"restored{self._numbers}", False))
        self._checkpoint()
        self._arm_live()

    def _start(self, line: Timeline) -> None:
        self.timeline = self.timelines[line.name] = line

    # --- the past

    def _leave(self) -> None:
        """Go into the past: what comes from outside waits, and nothing is printed."""
        if not self.past:
            door, pace = self.target.door, self.target.pace
            self._note_end()
            self.past = True
            self._closed, door.closed = door.closed, CLOSED
            self._realtime, pace.realtime = pace.realtime, False
            self._mute(True)
            self.target.catchers.hooked = False  # what they let in is among the inputs

    def _note_end(self) -> None:
        self.timeline.end = self.here
        self.timeline.end_counts = self.target.catchers.all_counts()
        self.timeline.end_stops = tuple(self._core.held(cpu) for cpu in range(self._core.cpus))

    def _return(self) -> None:
        """Be in the present again: what happens now is new."""
        if self.past:
            self.past = False
            self.target.door.closed = self._closed
            self.target.pace.realtime = self._realtime
            self._mute(False)
            self.target.catchers.hooked = True
        self._goal = None

    def _mute(self, muted: bool) -> None:
        self.target.mute_networks(muted)
        for console in (self.target.console, *self.target.consoles.values()):
            if console is not None:
                console.muted = muted

    def _pass(self, paused: bool) -> str | None:
        """Let in what came in here, and stop at the goal, or where the past ends."""
        inputs, line = self.timeline.inputs, self.timeline
        while (here := self.here) != self._goal:
            due = inputs[self._cursor] if self._cursor < len(inputs) else None
            if due is None or due.at != here.at:
                break
            self._cursor += 1
            paused = False  # the next one may be elsewhere
            self.target.door.again(due)
        else:
            return "there"
        if here == line.end:
            for cpu, held in enumerate(line.end_stops):
                self._core.hold(cpu, held)
            self.target.catchers.recount(line.end_counts)
            self._return()
            self._arm_live()
            return "the present: from here on the machine does something new"
        if paused:
            self._goal = None
            raise StateError(
                f"going through the past led elsewhere ({here.at} in place of {self._due()}): an error of gdbhv itself"
            )
        self._arm_past()
        return None

    def _due(self) -> Place:
        """Return the next place of the past at which something is to be done."""
        if self._goal is not None and self._goal.inputs == self._cursor:
            return self._goal.at
        inputs = self.timeline.inputs
        return inputs[self._cursor].at if self._cursor < len(inputs) else self.timeline.end.at

    def _arm_past(self) -> None:
        at = self._due()
        self._core.pause(place=(at.insns, at.ns, at.steps, at.phase == "midway"))

    def restore(self, one: Checkpoint) -> None:
        """Be at a checkpoint, in the past."""
        self._leave()
        self._restoring = True
        try:
            one.kept.restore()
        finally:
            self._restoring = False
        if one.moving is not None:
            one.moving.apply(self.target)
        self._cursor = one.at.inputs
        self.progress = one.at.insns
        self._arm_past()

    def stop_at(self, position: Position) -> None:
        """In the past: have the next run stop at a position, if nothing stops it before."""
        self._goal = position if position != self.timeline.end else None
        self._arm_past()

    def pass_on(self) -> None:
        """Forget :meth:`stop_at`: the next run goes on to where the past ends."""
        self._goal = None
        if self.past:
            self._arm_past()

    @contextlib.contextmanager
    def quiet(self, catcher: Catcher | None = None) -> Iterator[None]:
        """Let no breakpoint, watchpoint, catchpoint or loop stop the machine; ``catcher``: but for this one."""
        target, core = self.target, self._core
        loops, was = target.looping.stops, core.quiet
        target.looping.stops, core.quiet = False, True
        try:
            with target.catchers.aside(catcher):
                yield
        finally:
            target.looping.stops, core.quiet = loops, was

    def settle(self) -> None:
        """In the past, after a run: do what is due where the machine has stopped by itself, as at its end."""
        if self.past:
            self._pass(paused=False)

    def passed(self, stop: Stop) -> bool:
        """Do what was done about a stop when it came first; True if that has changed something."""
        if stop.kind is StopKind.RESET and self.reboots:
            self.target.reboot(stop.thread.pid)
            return True
        return stop.kind in (StopKind.EXIT, StopKind.ENTRY)

    def keep_near(self) -> None:
        """Keep the machine as it is, to come back to it soon."""
        if len(self._near) >= NEAR:
            self._near.pop(0).kept.delete()
        self._near.append(self._keep())

    def _forget_near(self) -> None:
        for one in self._near:
            one.kept.delete()
        self._near.clear()
