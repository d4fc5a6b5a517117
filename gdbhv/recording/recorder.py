"""Making a recording."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from gdbhv import boot, inputs
from gdbhv.console import Console
from gdbhv.errors import StateError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.recording import file
from gdbhv.recording.witness import Witness
from gdbhv.target import StopKind

EVERY = 50_000_000  # instructions between two checkpoints


class Recorder:
    """Notes what comes to a machine from outside, until it is closed.

    with gdbhv.record(gdbhv.Setup([config]), "run.rec") as recorder:
        recorder.target.run_all()

    :param target: a machine that has not run yet.
    :param setup: what it was made from.
    :param path: None keeps the recording in memory only.
    :param reboots: a guest that asks for a reset gets it.
    :param every: instructions between two checkpoints.
    :param keeps: what is written is kept, too: :attr:`written`.
    :raises gdbhv.errors.ImageError: a file of the setup cannot be read.
    :raises OSError: the recording cannot be written, or should not be.
    """

    replays = False
    over = StopKind.CRASH

    def __init__(
        self,
        target: HostTarget | Machine,
        setup: boot.Setup,
        path: str | Path | None,
        *,
        reboots: bool = True,
        every: int = EVERY,
        keeps: bool = False,
    ) -> None:
        self.target = target
        self._every = every
        self._finished = False
        header = file.header(setup, reboots=reboots)
        self._writer = file.Writer(path, [f.path for f in header.files], keeps=keeps)
        self._writer.put(header)
        self._witness = Witness(target)
        target.door.follower = self
        self.arm()

    @property
    def written(self) -> bytes:
        """The recording, if it is kept in memory."""
        return self._writer.written

    def arm(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        insns = self.target.here().insns
        self.target.core.pause(insns - insns % self._every + self._every)

    def entered(self, what: inputs.Input) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        self._writer.put(what)

    def arrived(self, *, paused: bool) -> str | None:
        """See :class:`gdbhv.inputs.Follower`: here is a checkpoint."""
        self._writer.put(file.Checkpoint(self.target.here(), self._witness.sum_up()))
        self.arm()
        return None

    def leave(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        raise StateError("no snapshot can be restored in a recording: it follows one run, from its beginning")

    def jumped(self) -> None:
        """See :class:`gdbhv.inputs.Follower`: it never is."""

    def abandon(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""

    def finish(self, reason: str) -> None:
        """End the recording here. The machine may run on, and nobody notes it."""
        if not self._finished:
            self._finished = True
            self.target.door.follower = None
            self.target.core.pause()
            self._writer.put(file.Finish(self.target.here(), self._witness.sum_up(), reason))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.finish("closed")
        self._writer.close()


def record(
    setup: boot.Setup, path: str | Path, console: Console | None = None, *, reboots: bool = True, every: int = EVERY
) -> Recorder:
    """Make a machine and record it: the ``target`` of what is returned. For parameters and errors see :class:`Recorder`."""
    return Recorder(setup.make(console), setup, path, reboots=reboots, every=every)
