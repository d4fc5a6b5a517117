"""What both targets do about stops: whose catchpoint wants one, what is said of it, and where breakpoints are put."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from gdbhv import tables
from gdbhv.exits.catches import ENTRY_AFTER, Catcher, CatchEvents, Catching
from gdbhv.target import DescribeWatch, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.exits.records import ExitRecord, Scope


def held_back(names: list[str]) -> str:
    """Return what to add to why nothing goes on, if a debugger does not let all run."""
    return f"; {', '.join(names)} may not run now (scheduler-locking, or other threads were told to)" if names else ""


@dataclass(frozen=True)
class Met:
    """What catchpoints want of an exit, an entry or another exception: that the machine stops, or something said or done."""

    stops: bool
    says: bool
    runs: tuple[str, ...]  # monitor commands

    @property
    def quiet(self) -> bool:
        """Whether nobody is to be told: hooks have done all that there is to do."""
        return not (self.stops or self.says or self.runs)

    def stop(self, kind: StopKind, thread: ThreadId, record: ExitRecord, text: str) -> Stop:
        """Return what there is to report."""
        said = text if self.stops or self.says else ""
        return Stop(kind, thread, exit=record.copy(), text=said, passing=not self.stops, runs=self.runs)


class Catchers(Catching):
    """The catchpoints of a target, by whatever their owner finds them again.

    The machine compares by itself (``_core.Machine.set_catchpoint``); here is who is asked about names, once for each, and
    what happens at a hit.
    """

    def __init__(self, core: _core.Machine) -> None:
        self._core = core
        self._numbers = count(1)
        self._by_key: dict[Any, int] = {}
        self._rows: dict[int, tuple[Any, Catcher]] = {}
        self.entries = False  # some want entries
        self.hooked = True
        self.searched = False
        self.done: list[Any] = []

    @contextmanager
    def aside(self, alone: Catcher | None = None) -> Iterator[None]:
        """See :class:`gdbhv.exits.catches.Catching`."""
        self._core.mute_catchpoints(True)
        try:
            if alone is not None:
                self[alone] = alone
            yield
        finally:
            self.pop(alone, None)
            self._core.mute_catchpoints(False)

    def __getitem__(self, key: Any) -> Catcher:
        return self._rows[self._by_key[key]][1]

    def __setitem__(self, key: Any, catcher: Catcher) -> None:
        every = (row["number"] for row in tables.exit_classes().values())
        classes = sorted(every if catcher.classes is None else catcher.classes)
        number = next(self._numbers)
        self._core.set_catchpoint(
            number,
            [n + ENTRY_AFTER for n in classes] if catcher.entries else classes,
            ranges=list(catcher.ranges),
            condition=list(catcher.condition) or None,
            after=catcher.after,
            every=catcher.every,
            once=catcher.once and catcher.silent,
            silent=catcher.silent,
        )
        self.pop(key, None)
        self._by_key[key], self._rows[number] = number, (key, catcher)
        self.entries |= catcher.entries

    def __delitem__(self, key: Any) -> None:
        number = self._by_key.pop(key)
        del self._rows[number]
        self._core.drop_catchpoint(number)
        self.entries = any(c.entries for _, c in self._rows.values())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def counts(self, key: Any) -> tuple[int, int]:
        """Return how many there were that a catchpoint means, and of how many its condition had no value."""
        return self._count(key)[1:3]

    def since(self, key: Any) -> int:
        """See :class:`gdbhv.exits.catches.Catching`."""
        return self._count(key)[3]

    def _count(self, key: Any) -> tuple[int, int, int, int]:
        number = self._by_key[key]
        return next(count for count in self._core.catchpoint_counts() if count[0] == number)

    def all_counts(self) -> list[tuple[int, int, int, int]]:
        """See :class:`gdbhv.exits.catches.Catching`."""
        return self._core.catchpoint_counts()

    def recount(self, counts: list[tuple[int, int, int, int]]) -> None:
        """See :class:`gdbhv.exits.catches.Catching`."""
        self._core.put_catchpoint_counts(counts)

    def end(self, keys: list[Any]) -> None:
        """See :class:`gdbhv.exits.catches.Catching`."""
        for key in keys:
            self.pop(key, None)

    def met(self, cpu: int, thread: ThreadId, record: ExitRecord, *, entry: bool) -> Met | None:
        """Return what is wanted of what a CPU has just stopped for; None: nothing."""
        hits = self._core.catch_hits
        if hits is None:  # a name that comes for the first time
            number, name, cause = record["number"], record["name"], record["cause"]
            rows = [
                n
                for n, (_, c) in self._rows.items()
                if c.entries == entry
                and (c.classes is None or number in c.classes)
                and (c.named is None or c.named(name, cause))
            ]
            if not self._core.learn_catchpoints(cpu, rows, entry):
                return None
            hits = self._core.catch_hits or []
        found = [self._rows[n] for n in hits if n in self._rows]
        found = [(key, c) for key, c in found if c.wants is None or c.wants(thread, record)]
        self.done = [key for key, c in found if c.once]
        for _, c in found:
            if c.hook is not None and self.hooked:
                c.hook(thread, record)
        if not self.searched:
            self.end(self.done)
        if not found:
            return None
        runs = tuple(c.run for _, c in found if c.run)
        return Met(any(c.stops for _, c in found), any(c.says for _, c in found), runs)


def catch_syscalls(catchers: Catchers, pid: int, events: CatchEvents, vm: int | None = None) -> None:
    """Replace the catchpoints that GDB's ``catch syscall`` has set for one process.

    :param vm: number of the process's VM; None: it is the machine's.
    """
    for key, numbers, entries in (("exits", events.exits, False), ("entries", events.entries, True)):
        catchers.pop((key, pid), None)
        if numbers is None or numbers:
            classes = None if numbers is None else frozenset(numbers)
            ranges = () if vm is None else (("vm", vm, vm),)

            def wants(t: ThreadId, r: ExitRecord) -> bool:
                return t.pid == pid

            catchers[key, pid] = Catcher(wants, classes, entries, ranges=ranges)


def watched(stop: Stop, reason: _core.Stop, describe: DescribeWatch) -> Stop:
    """Return a stop with what is to be said of it."""
    if stop.kind not in (StopKind.WATCH_IPA, StopKind.WATCH_PA):
        return stop
    return replace(stop, text=describe(stop, reason["write"]))


def change_point(
    core: _core.Machine,
    kind: int,
    address: int,
    length: int,
    *,
    there: bool,
    vmid: int | None = None,
    scope: Scope | None = None,
    conditions: Sequence[bytes] = (),
) -> None:
    """Insert a breakpoint or watchpoint, or remove it.

    :param kind: as of a Z packet (GDB manual E.2): breakpoint, hardware one, watchpoint for writes, reads, both.
    :param there: False removes it.
    :param vmid: whose, with ``scope`` and a breakpoint's ``conditions`` as in ``_core.Machine.insert_breakpoint``.
    """
    if kind < 2 and there:
        core.insert_breakpoint(address, hardware=kind == 1, vmid=vmid, scope=scope, conditions=conditions)
    elif kind < 2:
        core.remove_breakpoint(address, hardware=kind == 1, vmid=vmid, scope=scope)
    else:
        watch = core.insert_watchpoint if there else core.remove_watchpoint
        watch(address, length, read=kind in (3, 4), write=kind in (2, 4), vmid=vmid, scope=scope)
