"""What both targets do about stops: whose catchpoint wants one, what is said of it, and where breakpoints are put."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gdbhv.target import Catcher, CatchEvents, DescribeWatch, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.records import ExitRecord, Scope


def held_back(names: list[str]) -> str:
    """Return what to add to why nothing goes on, if a debugger does not let all run."""
    return f"; {', '.join(names)} may not run now (scheduler-locking, or other threads were told to)" if names else ""


def wanted(few: Iterable[Catcher], thread: ThreadId, record: ExitRecord) -> bool:
    """Whether some of the catchpoints that may want an exit, or the entry after it, do."""
    return sum(c.wants(thread, record) for c in few) > 0  # all are asked: they count


def catch_syscalls(catchers: dict[Any, Catcher], pid: int, events: CatchEvents) -> None:
    """Replace the catchpoints that GDB's ``catch syscall`` has set for one process."""
    for key, numbers, entries in (("exits", events.exits, False), ("entries", events.entries, True)):
        catchers.pop((key, pid), None)
        if numbers is None or numbers:
            classes = None if numbers is None else frozenset(numbers)

            def wants(t: ThreadId, r: ExitRecord, c: frozenset[int] | None = classes) -> bool:
                return t.pid == pid and (c is None or r["number"] in c)

            catchers[key, pid] = Catcher(wants, classes, entries)


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
) -> None:
    """Insert a breakpoint or watchpoint, or remove it.

    :param kind: as of a Z packet (GDB manual E.2): breakpoint, hardware one, watchpoint for writes, reads, both.
    :param there: False removes it.
    :param vmid: whose, with ``scope`` as in ``_core.Machine.insert_breakpoint``.
    """
    if kind < 2:
        change = core.insert_breakpoint if there else core.remove_breakpoint
        change(address, hardware=kind == 1, vmid=vmid, scope=scope)
    else:
        watch = core.insert_watchpoint if there else core.remove_watchpoint
        watch(address, length, read=kind in (3, 4), write=kind in (2, 4), vmid=vmid, scope=scope)
