"""Snapshots: a machine as it was, in memory or in a file.

before = target.snapshot("before")
target.run_all(1_000_000)
before.restore()
before.write("before.snap")

A snapshot is everything that decides what happens next: CPUs, RAM, devices, interrupts, what the TLBs hold, virtual time,
the counts of instructions and exits; if gdbhv is the hypervisor, its VMs too; whether they have ended, and what a reset
begins with. It is not what the debugger has (breakpoints, watchpoints, catchpoints, how it steps), nor what stands outside:
what was printed stays printed, and who types goes on typing.

In memory it costs little to make, and a copy of each page of RAM when that is first written to.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gdbhv import _core, drives
from gdbhv.errors import StateError
from gdbhv.snapshot import snapfile
from gdbhv.snapshot.snapfile import Content, Guest, Shape

MOST = 1000
"""Snapshots that a target keeps in memory."""

LONGEST_NAME = 64


@dataclass(frozen=True)
class Beside:
    """What a snapshot has besides the machine model: the hypervisor's state or the target's own, and who the guests are."""

    state: bytes
    guests: tuple[Guest, ...]


class Keeper(Protocol):
    """What a target does for its snapshots."""

    snapshots: dict[str, Snapshot]

    @property
    def core(self) -> _core.Machine:
        """The machine model."""

    def shape(self) -> Shape:
        """Return what the machine was made as."""

    def save_beside(self) -> Beside:
        """Save what is not in the machine model, while nothing executes.

        :raises gdbhv.errors.StateError: a device cannot be saved.
        """

    def load_beside(self, beside: Beside, *, foreign: bool) -> None:
        """Put it back, all or nothing.

        :param foreign: it comes from a file, and must be of the images that were started here.
        :raises gdbhv.errors.StateError: it is of another machine.
        """

    def jumped(self) -> None:
        """Forget what was known of the state that is no more, such as the last stop."""


class Snapshot:
    """A machine as it was. Made by ``target.snapshot()``; :attr:`gdbhv.target.Target.snapshots` has all of a target."""

    def __init__(self, target: Keeper, name: str) -> None:
        self.name = name
        """What it is called: the key in ``target.snapshots``."""
        self._target = target
        self._beside = target.save_beside()
        self.virtual_ns = target.core.now
        """Virtual time, in nanoseconds."""
        self.instructions: Sequence[int] = tuple(target.core.insns)
        """Instructions executed until then, by CPU."""
        # the debugger's stops that CPUs have not moved from: a `continue` passes those, and a new one does not
        self._held = [target.core.held(cpu) for cpu in range(target.core.cpus)]
        self._id: int | None = target.core.snapshot()

    def __repr__(self) -> str:
        return f"<snapshot {self.name!r} after {sum(self.instructions):,} instructions>"

    @property
    def pages(self) -> int:
        """Pages of RAM (4 KiB) that it keeps for itself so far: those that have changed since."""
        return self._target.core.snapshot_size(self.number)[0]

    @property
    def bytes(self) -> int:
        """Bytes of the host's memory that it takes so far."""
        return self._target.core.snapshot_size(self.number)[1] + len(self._beside.state)

    def restore(self) -> None:
        """Make the machine what it was. The snapshot stays, and can be restored again.

        :raises gdbhv.errors.StateError: it was deleted, or the VMs are others than then; nothing has changed.
        """
        number = self.number
        self._target.load_beside(self._beside, foreign=False)
        self._target.core.restore(number)
        for cpu, held in enumerate(self._held):
            self._target.core.hold(cpu, held)
        self._target.jumped()

    def delete(self) -> None:
        """Forget it. :raises gdbhv.errors.StateError: it was deleted before."""
        self._target.core.forget_snapshot(self.number)
        self._id = None
        if self._target.snapshots.get(self.name) is self:
            del self._target.snapshots[self.name]

    def write(self, path: str | Path) -> int:
        """Write it to a file, for ``gdbhv run --snapshot`` and :func:`load`. What stands there is replaced at once.

        :returns: the size of the file in bytes.
        :raises OSError: it cannot be written, or an image or no ordinary file stands there.
        :raises gdbhv.errors.StateError: it was deleted, or the file of a disk has changed since the run began.
        """
        machine = self._target.core.export_snapshot(self.number)
        content = Content(
            self.name,
            self._target.shape(),
            tuple(replace(guest, drives=drives.identified(guest.drives)) for guest in self._beside.guests),
            self.virtual_ns,
            tuple(self.instructions),
            machine,
            self._beside.state,
        )
        return snapfile.write(path, content)

    @property
    def number(self) -> int:
        """Its number in the machine model. :raises gdbhv.errors.StateError: it was deleted."""
        if self._id is None:
            raise StateError(f"snapshot {self.name} was deleted")
        return self._id


def take(target: Keeper, name: str | None = None) -> Snapshot:
    """Make a snapshot of a target in which nothing executes.

    :param name: without it, the first number that is free.
    :raises gdbhv.errors.StateError: the name is taken or impossible, there are :data:`MOST` of them, or a device cannot be
        saved, which the message names.
    """
    if name is None:
        name = next(text for n in itertools.count(1) if (text := str(n)) not in target.snapshots)
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or " " in name or name.startswith("-"):
        raise StateError(f"{name!r} is no name for a snapshot: 1 to {LONGEST_NAME} characters, no spaces, no - at the front")
    if name in target.snapshots:
        raise StateError(f"there is a snapshot {name}: delete it first, or choose another name")
    if len(target.snapshots) >= MOST:
        raise StateError(f"there are {MOST:,} snapshots, and no more are kept: delete some, or write them to files")
    made = target.snapshots[name] = Snapshot(target, name)
    return made


def load(target: Keeper, path: str | Path) -> None:
    """Make a target what a file says. It was made like the one that was saved: of that shape, with the same VMs and devices.

    Without such a target, :func:`gdbhv.boot.resumed` makes one.

    :raises gdbhv.errors.StateError: the file is damaged or of another version, or of another target; nothing has changed.
    """
    put(target, snapfile.read(path), path)


def put(target: Keeper, content: Content, path: str | Path) -> None:
    """Make a target what was read from the file ``path``. :raises gdbhv.errors.StateError: see :func:`load`."""
    if (here := target.shape()) != content.shape:
        raise StateError(
            f"{path}: of another machine: {content.shape}; this one: {here}. `gdbhv run --snapshot` makes its like"
        )
    core = target.core
    before = core.snapshot()
    try:
        core.import_snapshot(content.machine)
        target.load_beside(Beside(content.host, content.guests), foreign=True)
    except (ValueError, StateError) as e:
        core.restore(before)
        raise StateError(f"{path}: {e}") from None
    else:
        for cpu in range(core.cpus):
            core.hold(cpu, None)
    finally:
        core.forget_snapshot(before)
    target.jumped()
