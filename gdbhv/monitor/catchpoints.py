"""What a debugger has set on one target: catchpoints, watched ranges and how often each was hit, marks in the accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Literal

from gdbhv.errors import CommandError
from gdbhv.exits.exitspec import ExitSpec

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.exits.records import ExitAccount


@dataclass
class Catchpoint:
    """A row of `vmexit list`."""

    number: int
    spec: ExitSpec
    keep: bool = False  # when the debugger that set it leaves
    since: int = 0  # after how many instructions of all CPUs it was set


MOST = 1000  # catchpoints, and watched ranges


def refuse_more(count: int, what: str) -> None:
    """Refuse one more. :raises gdbhv.errors.CommandError: there are :data:`MOST` already."""
    if count >= MOST:
        raise CommandError(f"there are {count:,} {what} makes room")


@dataclass
class Catchpoints:
    """All of them; numbers are not used again."""

    rows: dict[int, Catchpoint] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, spec: ExitSpec, *, keep: bool = False) -> Catchpoint:
        """File a specification under a new number. :raises gdbhv.errors.CommandError: there are :data:`MOST` already."""
        refuse_more(len(self.rows), "catchpoints; `monitor vmexit delete`")
        point = Catchpoint(next(self._numbers), spec, keep)
        self.rows[point.number] = point
        return point

    def unkept(self) -> list[int]:
        """Return the numbers of those that end with the session."""
        return [number for number, point in self.rows.items() if not point.keep]


ACCESSES = {"r": (True, False), "w": (False, True), "rw": (True, True)}


@dataclass
class Watch:
    """A row of `watch list`: the first and the last byte."""

    number: int
    space: Literal["ipa", "pa"]
    first: int
    last: int
    access: str  # a key of ACCESSES
    vmid: int | None  # an IPA's: of which VM
    keep: bool = False  # when the debugger that set it leaves
    hits: int = 0

    def __str__(self) -> str:
        return f"{self.space}:{self.first:#x}-{self.last:#x} {self.access}"

    def insert(self, core: _core.Machine) -> None:
        """Have a machine stop at it."""
        read, write = ACCESSES[self.access]
        core.insert_watchpoint(self.first, self._length, read=read, write=write, vmid=self.vmid, space=self.space)

    def remove(self, core: _core.Machine) -> None:
        """Take it away."""
        read, write = ACCESSES[self.access]
        core.remove_watchpoint(self.first, self._length, read=read, write=write, vmid=self.vmid, space=self.space)

    @property
    def _length(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Mark:
    """The accounts of exits as they were at some moment, to be compared with."""

    exits: int  # so far, of the machine
    insns: int  # of all CPUs
    now: int  # nanoseconds
    rows: list[ExitAccount]


@dataclass
class Watches:
    """All of them; numbers are not used again."""

    rows: dict[int, Watch] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def delete(self, core: _core.Machine, numbers: list[int]) -> None:
        """Take some away. What another row watches in the same way stays watched."""
        for number in numbers:
            self.rows.pop(number).remove(core)
        for row in self.rows.values():
            row.insert(core)

    def unkept(self) -> list[int]:
        """Return the numbers of those that end with the session."""
        return [number for number, row in self.rows.items() if not row.keep]
