"""What the server and its sessions share: the target, what is known of it, requests to execute, how a session ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from gdbhv.rsp.tdesc import Description
from gdbhv.target import Action, Process, Stop, StopKind, Target, ThreadId

Monitor = Callable[[str, ThreadId], Iterable[str]]
"""Runs a `monitor` command line for a thread and yields lines of text as they come."""

ExecFile = Callable[[int], str | None]
"""Returns the path of the ELF that a process runs, on the machine of the debugger, or None."""


class Outcome(Enum):
    """How a session ended."""

    DETACHED = "detached"  # the guests run on
    KILLED = "killed"  # the debugger ended the machine
    LOST = "lost"  # the connection broke: the machine is held as it is


@dataclass(frozen=True)
class Run:
    """A request to execute. ``brief``: it has a step, which is over soon as a rule; ``alone``: it is one thread's step, and
    nothing else moves, as GDB passes a breakpoint."""

    actions: tuple[Action, ...]
    brief: bool
    alone: bool = False


@dataclass
class Shared:
    """What outlives a session: the target and what is known of it."""

    target: Target
    description: Description
    monitor: Monitor | None = None
    exec_file: ExecFile | None = None
    gone: set[int] = field(default_factory=set)  # processes that have switched themselves off or were killed
    last_stop: Stop | None = None

    def alive(self) -> list[Process]:
        """Return the target's processes without those that are gone."""
        return [process for process in self.target.processes() if process.pid not in self.gone]

    def ended(self, stop: Stop) -> bool:
        """Tell whether a stop is the end of its VM: a power-off, or a reset or failure that the target keeps nothing of."""
        if stop.kind in (StopKind.RESET, StopKind.CRASH):
            return stop.thread.pid not in {process.pid for process in self.target.processes()}
        return stop.kind is StopKind.POWEROFF
