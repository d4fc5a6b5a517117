"""What a catchpoint is: which exits and entries it means, and what happens at one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord


ENTRY_AFTER = 0x200
"""The entry after an exit of class number N is N + ENTRY_AFTER, as in ``gdbhv/core/model/src/sieve.rs``; ``catch syscall``
takes it, too: 0x1216 is the return from an HVC."""


@dataclass
class CatchEvents:
    """Which exits, and entries after them, stop the machine: numbers of classes (``_core.exit_classes()``); None: all."""

    exits: set[int] | None = field(default_factory=set)
    entries: set[int] | None = field(default_factory=set)


@dataclass(frozen=True)
class Catcher:
    """A catchpoint: what the machine compares of exits (or entries), who is asked of those that are left, and what happens.

    ``wants`` says whether an exit or entry of a thread (:class:`gdbhv.target.ThreadId`) is meant; it is asked last.
    """

    wants: Callable[[Any, ExitRecord], bool] | None = None
    classes: frozenset[int] | None = None  # numbers that may match; None: any exit's
    entries: bool = False
    named: Callable[[str, Sequence[str]], bool] | None = (
        None  # whether a name, and what provoked it, may be meant; None: any
    )
    ranges: tuple[
        tuple[str, int, int], ...
    ] = ()  # numbers of the exit (``_core.exit_fields()``), and their ends, both in it
    condition: tuple[tuple[str, int | str], ...] = ()  # see gdbhv.exits.conditions
    every: int = 1  # each so many-th,
    after: int = 0  # when so many were let by,
    once: bool = False  # and only the first
    silent: bool = False  # it only counts
    stops: bool = True  # the machine stops
    says: bool = False  # what it is is said, if the machine does not stop
    run: str = ""  # a monitor command, at each hit
    hook: Callable[[Any, ExitRecord], None] | None = None  # called at each hit with the thread, before the exit's handler


class Catching(MutableMapping[Any, Catcher]):
    """The catchpoints of a target, by whatever their owner finds them again (:class:`gdbhv.catching.Catchers`)."""

    hooked: bool
    """Whether hooks are called: not where the machine does again what it has done."""
    searched: bool
    """Somebody looks for the last stop of several: those that are for once stay, and are in :attr:`done`."""
    done: list[Any]
    """Of the last stop: the catchpoints that are for once."""

    @abstractmethod
    def aside(self, alone: Catcher | None = None) -> AbstractContextManager[None]:
        """Have all of them only count for a while; ``alone``: and have this one besides."""

    @abstractmethod
    def end(self, keys: list[Any]) -> None:
        """Take those away that were for once."""

    @abstractmethod
    def counts(self, key: Any) -> tuple[int, int]:
        """Return how many there were that a catchpoint means, and of how many its condition had no value."""

    @abstractmethod
    def since(self, key: Any) -> int:
        """Return after how many instructions of all CPUs a catchpoint began to count."""

    @abstractmethod
    def all_counts(self) -> list[tuple[int, int, int, int]]:
        """Return what all have counted, for :meth:`recount`."""

    @abstractmethod
    def recount(self, counts: list[tuple[int, int, int, int]]) -> None:
        """Have them go on from what they had counted then; those that were not there stay as they are."""
