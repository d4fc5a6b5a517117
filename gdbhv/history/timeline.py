"""What is kept of a run: its inputs, and checkpoints at even distances, in a bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from gdbhv.inputs import NOWHERE, Input, Moving, Place, Reset
from gdbhv.snapshot import Snapshot

LEAST = 3
"""Checkpoints that are kept whatever they take: the first, and the last two."""


class Position(NamedTuple):
    """Where a run is: a place, and how many inputs had come by then."""

    at: Place
    inputs: int = 0

    @property
    def insns(self) -> int:
        """Instructions of all CPUs together until then."""
        return self.at.insns


def order(one: Position) -> tuple[int, int, int, int, bool]:
    """Return what sorts the positions of one run: an exit that is still to be handled is before the place after that."""
    at = one.at
    return at.insns, one.inputs, at.steps, at.ns, at.phase != "exit"


START = Position(NOWHERE)


@dataclass
class Checkpoint:
    """The machine as it was."""

    at: Position
    kept: Snapshot
    moving: Moving | None  # who could move, if not all
    exits: int  # until then


@dataclass
class Mark:
    """A position with a name."""

    name: str
    at: Position


@dataclass
class Timeline:
    """One run: a line from its beginning to where it came to. Another one forks off where a debugger changed the past."""

    name: str
    whole: bool  # its inputs are all that there have been since the machine was made
    parent: str = ""
    forked: Position = START  # where it left its parent
    inputs: list[Input] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    end: Position = START  # as far as it came
    end_stops: tuple[tuple[int, bool] | None, ...] = ()  # there, by CPU: the debugger's stop that it has not moved from
    end_counts: list[tuple[int, int, int, int]] = field(default_factory=list)  # there: what catchpoints had counted

    @property
    def beginning(self) -> Position:
        """The first position that it can go back to."""
        return self.checkpoints[0].at

    def before(self, position: Position) -> Checkpoint | None:
        """Return the last checkpoint before a position; None: there is none."""
        return next((c for c in reversed(self.checkpoints) if order(c.at) < order(position)), None)

    def moving(self, inputs: int) -> Moving | None:
        """Return who may move after so many of its inputs; None: everybody."""
        before = (self.inputs[n] for n in reversed(range(inputs)))
        last = next((i for i in before if isinstance(i, Moving | Reset)), None)
        return last if isinstance(last, Moving) else None

    def fork(self, name: str, at: Position) -> Timeline:
        """Return the timeline that has this one's past up to ``at``."""
        kept = [c for c in self.checkpoints if order(c.at) <= order(at)]
        marks = {name: mark for name, mark in self.marks.items() if order(mark.at) <= order(at)}
        return Timeline(name, self.whole, self.name, at, self.inputs[: at.inputs], kept, marks, at)


def superfluous(checkpoints: list[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint that is missed least: of those far back, the one whose neighbours are nearest to each other.

    None: there are so few that all are needed.
    """
    if len(checkpoints) <= LEAST:
        return None
    now = checkpoints[-1].at.insns

    def worth(i: int) -> float:
        gap = checkpoints[i + 1].at.insns - checkpoints[i - 1].at.insns
        return gap / (now - checkpoints[i].at.insns + 1)

    return checkpoints[min(range(1, len(checkpoints) - 1), key=worth)]
