"""What the server and its sessions share: the target, what is known of it, requests to execute, how a session ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from gdbhv.errors import GdbhvError
from gdbhv.history import Backward, History
from gdbhv.rsp.tdesc import Description
from gdbhv.target import Action, Process, Stop, StopKind, Target, ThreadId

log = logging.getLogger("gdbhv.rsp")

Monitor = Callable[[str, ThreadId | None], Iterable[str | None]]
"""Runs a `monitor` command line for a thread (None: all VMs are off) and yields lines of text as they come, and None where
it has none yet: what a guest makes long can be interrupted there."""

ENDS = (StopKind.POWEROFF, StopKind.RESET, StopKind.CRASH)
"""The stops after which a VM may be no longer there."""

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
    nothing else moves, as GDB passes a breakpoint; ``back``: what goes back instead."""

    actions: tuple[Action, ...]
    brief: bool
    alone: bool = False
    back: Callable[[], Stop] | None = None

    def execute(self, target: Target, max_insns: int | None = None) -> Stop:
        """Execute it, up to ``max_insns`` instructions."""
        return target.run(self.actions, max_insns) if self.back is None else self.back()


class Notes:
    """What is to be said to a debugger, each thing once, as soon as it prints what is said: when it resumes next."""

    def __init__(self) -> None:
        self._said: dict[str, bool] = {}

    def add(self, text: str) -> None:
        """Have something said."""
        self._said.setdefault(text, False)

    def take(self) -> list[str]:
        """Return what has not been said yet."""
        new = [text for text, said in self._said.items() if not said]
        self._said.update(dict.fromkeys(new, True))
        return new


class Counted:
    """Warnings that a client can cause again and again: each is said the 1st, 10th, 100th... time, with its number."""

    MOST = 100

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def due(self, text: str) -> str | None:
        """Count a warning; return what to say now, if anything. The first :data:`MOST` texts are counted apart."""
        text = text if text in self._times or len(self._times) < self.MOST else "a warning of one more kind"
        times = self._times[text] = self._times.get(text, 0) + 1
        if str(times).strip("0") != "1":
            return None
        return text if times == 1 else f"{text} ({times:,} times so far)"

    def warn(self, text: str) -> None:
        """Log a warning if it is due."""
        if (said := self.due(text)) is not None:
            log.warning("%s", said)


@dataclass
class Shared:
    """What outlives a session: the target and what is known of it."""

    target: Target
    description: Description
    monitor: Monitor | None = None
    exec_file: ExecFile | None = None
    reboots: bool = True  # a guest that asks for a reset gets it
    left: Callable[[], None] = lambda: None  # called when a debugger has left
    counted: Counted = field(default_factory=Counted)
    history: History | None = None

    def __post_init__(self) -> None:
        """Make what goes back in the history."""
        self.backward = None if self.history is None else Backward(self.history)

    _last_stop: tuple[Stop | None, int] = (None, 0)  # with the target's jumps then

    @property
    def last_stop(self) -> Stop | None:
        """The last stop; None: there was none, or since then the target's state has been replaced."""
        stop, jumps = self._last_stop
        return stop if jumps == self.target.jumps else None

    @last_stop.setter
    def last_stop(self, stop: Stop | None) -> None:
        self._last_stop = stop, self.target.jumps

    def alive(self) -> list[Process]:
        """Return the processes that have not ended."""
        return list(self.target.processes())

    def ended(self, stop: Stop) -> bool:
        """Tell whether a stop is the end of its VM: the target has it no longer."""
        return stop.kind in ENDS and stop.thread.pid not in {process.pid for process in self.target.processes()}

    def off(self) -> str:
        """Return what to say when no process is left."""
        return f"{self.target.off_text}: `run` or `monitor reset` starts again"

    def restart(self, pid: int | None) -> None:
        """Switch a process (None: all) off and on."""
        self.target.reset(pid)

    def commanded(self, stop: Stop) -> Iterator[str]:
        """Run the monitor commands that catchpoints want at a stop, and yield what they say."""
        for line in stop.runs if self.monitor is not None else ():
            yield f"[{line}]"
            try:
                assert self.monitor is not None
                yield from filter(None, self.monitor(line, stop.thread))
            except GdbhvError as error:
                yield str(error)

    def reboot(self, stop: Stop) -> str | None:
        """Give a guest the reset that it asks for: return what to say of it, or None if the stop is something else."""
        if stop.kind is not StopKind.RESET or not self.reboots:
            return None
        try:
            self.target.reboot(stop.thread.pid)
        except GdbhvError as error:
            self.counted.warn(f"the guest asked for a reset: {error}")
            return None
        self.last_stop = None
        name = next(process.name for process in self.alive() if process.pid == stop.thread.pid)
        text = f"{name}: the guest asked for a reset, and begins again"
        log.info(text)
        return text
