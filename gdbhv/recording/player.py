"""Running a recording again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gdbhv.console import Console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.inputs import Input, Place
from gdbhv.recording import file
from gdbhv.recording.witness import Witness, compare
from gdbhv.target import Stop, StopKind

log = logging.getLogger("gdbhv.recording")

CHUNK = 50_000_000  # instructions between two looks at how far it is
CLOSED = "a replay takes nothing from outside, so that it stays what was recorded: only look, or run it without --replay"


@dataclass(frozen=True)
class Outcome:
    """How a replay ended. ``same`` None: it was left before its end, and the same so far."""

    same: bool | None
    text: str
    insns: int


class Replay:
    """A machine that does again what was recorded. ``target`` can be looked at, and stopped, but not changed.

    :param console: of all VMs that have none of their own in ``consoles``.
    :raises gdbhv.errors.GdbhvError: a file is missing, or another one now.
    """

    replays = True
    over = StopKind.CRASH

    def __init__(
        self, recording: file.Recording, console: Console | None = None, consoles: Mapping[str, Console] | None = None
    ) -> None:
        recording.check_files()
        self.recording = recording
        self.target = recording.setup().make(console, consoles)
        self.last_stop: Stop | None = None
        self._core = self.target.core
        self._witness = Witness(self.target)
        self._entries = recording.entries()
        self._passed = Place(0, 0, 0)  # where all was the same
        self._next = next(self._entries, None)
        self._over: Outcome | None = None
        door = self.target.door
        door.follower, door.closed = self, CLOSED
        self.arm()

    @property
    def reboots(self) -> bool:
        """Whether a guest that asks for a reset got it."""
        return self.recording.header.reboots

    def arm(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        if self._next is not None:
            insns, ns, steps, phase = (getattr(self._next.at, name) for name in Place.__struct_fields__)
            self._core.pause(place=(insns, ns, steps, phase == "midway"))

    def entered(self, what: Input) -> None:
        """See :class:`gdbhv.inputs.Follower`: nothing is let in."""

    def leave(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        raise StateError("no snapshot can be restored in a replay: it follows one run, from its beginning")

    def jumped(self) -> None:
        """See :class:`gdbhv.inputs.Follower`: it never is."""

    def abandon(self) -> None:
        """See :class:`gdbhv.inputs.Follower`: from here on the machine is a debugger's."""
        if self._over is None:
            self._over = self._left("a debugger has ended it")
        self.target.door.follower, self.target.door.closed = None, ""
        self._core.pause()

    def arrived(self, *, paused: bool = False) -> str | None:
        """See :class:`gdbhv.inputs.Follower`: let in what came here, and compare what was found here."""
        if self._over is not None:
            return self._over.text
        while (entry := self._next) is not None:
            here = self.target.here()
            if entry.at != here:
                if paused:
                    return self._differs(
                        f"the recording has {_name(entry)} at {_words(entry.at)}, and this is {_words(here)}"
                    )
                self.arm()
                return None
            if isinstance(entry, Input):
                try:
                    self.target.door.again(entry)
                except (GdbhvError, ValueError) as e:
                    return self._differs(f"{_name(entry)} at {_words(here)} is refused: {e}")
            elif difference := compare(entry.found, self._witness.sum_up()):
                return self._differs(f"{difference}, at {_words(here)}")
            self._passed, paused = here, False  # the next one may be elsewhere
            if isinstance(entry, file.Finish):
                return self._end(Outcome(True, f"replayed {here.insns:,} instructions: the same", here.insns))
            self._next = next(self._entries, None)
        insns = self._passed.insns
        return self._end(
            Outcome(True, f"replayed {insns:,} instructions: the same, to where the recording was cut off", insns)
        )

    def _differs(self, how: str) -> str:
        insns = self._passed.insns
        return self._end(
            Outcome(False, f"the replay differs after instruction {insns:,}, up to which it was the same: {how}", insns)
        )

    def _end(self, outcome: Outcome) -> str:
        self._over = outcome
        self._core.pause()
        return outcome.text

    def _left(self, why: str) -> Outcome:
        insns, last = sum(self._core.insns), self.recording.last
        of = "" if last is None else f" of {last.insns:,}"
        return Outcome(None, f"replayed {insns:,}{of} instructions, the same so far: {why}", insns)

    def run(self, look: Callable[[], None] = lambda: None, tell: Callable[[int], None] = lambda insns: None) -> Outcome:
        """Run to the end of the recording, to the first difference, or until ``target.interrupt()``.

        :param look: called now and then, while the machine stands; ``tell`` then too, with the instructions so far.
        """
        while self._over is None:
            before = self.target.here()
            self.last_stop = stop = self.target.run_all(CHUNK)
            look()
            tell(sum(self._core.insns))
            if stop.kind is StopKind.INTERRUPT:
                break
            if stop.kind is StopKind.RESET and self.reboots and self._over is None:
                self.target.reboot(stop.thread.pid)
            self.arrived()
            if self.target.here() == before:
                self._stand(stop)
        return self.outcome()

    def _stand(self, stop: Stop) -> None:
        """End where the machine does nothing more."""
        if self._over is None and self._next is not None:
            why = stop.text or stop.kind.value
            self._differs(f"nothing goes on ({why}), and the recording has {_name(self._next)} at {_words(self._next.at)}")

    def outcome(self) -> Outcome:
        """Return what came of it so far; the end of the machine is compared with that of the recording."""
        if self._over is None and isinstance(self._next, file.Finish) and self._next.at == self.target.here():
            self.arrived()
        return self._over or self._left("stopped there")


def _name(entry: file.Entry) -> str:
    what = str(type(entry).__struct_config__.tag)
    return {"end": "its end", "checkpoint": "a checkpoint"}.get(what, f"an input ({what})")


def _words(place: Place) -> str:
    phase = (
        {"": "", "exit": ", at an exit", "midway": ", after a step"}[place.phase]
        if place.phase in ("", "exit", "midway")
        else ""
    )
    return f"instruction {place.insns:,} ({place.ns:,} ns, step {place.steps:,}{phase})"


def replay(path: str | Path, console: Console | None = None) -> Outcome:
    """Run a recording again, to its end or to the first difference.

    :raises gdbhv.errors.GdbhvError: it is no recording, or its files are missing or other ones now.
    """
    with file.Recording(path) as recording:
        return Replay(recording, console).run()
