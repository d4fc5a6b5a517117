"""Who wrote something last: the machine is run again, over the last checkpoints first, with an eye on it.

Of memory, only the stretches between two checkpoints in which its page was written are run again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from gdbhv.history.backward import Backward
from gdbhv.history.history import Interrupted
from gdbhv.history.timeline import Checkpoint, Position, order
from gdbhv.target import Stop, StopKind, ThreadId


class Writers:
    """Finds the last write before where the machine is, and leaves it there: right before the write."""

    def __init__(self, backward: Backward) -> None:
        self._backward = backward
        self._history = backward.history
        self._target = backward.history.target

    def _stretches(self) -> Iterator[tuple[Checkpoint, Position, Checkpoint | None]]:
        """Yield the stretches before here, the last one first: where it begins and ends, and the checkpoint at its end."""
        here = self._history.here
        kept = [c for c in self._history.timeline.checkpoints if order(c.at) < order(here)]
        if kept:
            yield kept[-1], here, None
        for one, after in reversed(list(itertools.pairwise(kept))):
            yield one, after.at, after

    def of_memory(self, ranges: Sequence[tuple[int, int]]) -> Stop | None:
        """Go back to before the last store to one of some ranges of physical memory, by whatever address.

        :param ranges: first and last byte of each.
        :returns: the stop, of kind WATCH_PA; None if there was no store in what is kept of the past: nothing has moved.
        :raises gdbhv.history.Interrupted: see :meth:`gdbhv.target.Target.interrupt`.
        """
        core, history = self._target.core, self._history
        here = history.here
        pages = [page for first, last in ranges for page in range(first & ~0xFFF, last + 1, 0x1000)]

        def written(one: Checkpoint, after: Checkpoint | None) -> bool:
            if after is None and history.past:
                return True  # where the machine is now is no end of a stretch
            other = None if after is None else after.kept.number
            return any(core.snapshots_differ(one.kept.number, other, page) for page in pages)

        stretches = [s for s in self._stretches() if written(s[0], s[2])]
        ours = [(at, to) for at, to in ranges if core.insert_watchpoint(at, to - at + 1, write=True, space="pa")]
        try:
            for one, end, after in stretches:
                found = self._backward.last_stop(
                    one, end, lambda stop: self._is_store(stop, ranges), at_end=after is not None
                )
                if found is not None:
                    return found
        finally:
            for first, last in ours:  # and not what a debugger watches
                core.remove_watchpoint(first, last - first + 1, write=True, space="pa")
        history.go(here)
        return None

    def _is_store(self, stop: Stop, ranges: Sequence[tuple[int, int]]) -> bool:
        at = stop.address
        return stop.kind is StopKind.WATCH_PA and at is not None and any(first <= at <= last for first, last in ranges)

    def of_register(self, name: str) -> int | None:
        """Go back to before the last MSR that wrote a system register, on whichever CPU.

        :returns: the CPU; None if there was none in what is kept of the past: nothing has moved.
        :raises gdbhv.history.Interrupted: see :meth:`gdbhv.target.Target.interrupt`.
        """
        core, history = self._target.core, self._history
        here = history.here
        try:
            for one, end, _ in self._stretches():
                history.restore(one)
                core.follow_register(name)
                history.run_to(end)
                if (found := core.register_written) is not None:
                    history.go_to_instruction(found[1])
                    return found[0]
        finally:
            core.follow_register(None)
        history.go(here)
        return None

    def of_general_register(self, thread: ThreadId, name: str, most: int) -> bool:
        """Go back to before the last instruction of a thread that changed a general register.

        :param most: steps that are looked through.
        :returns: False if it has not changed in them: nothing has moved.
        """
        history, target = self._history, self._target
        here, value = history.here, target.read_register(thread, name)
        for _ in range(most):
            stop = self._backward.step(thread)
            if stop.kind is StopKind.INTERRUPT:
                raise Interrupted
            if stop.kind is not StopKind.STEP:
                break
            if target.read_register(thread, name) != value:
                return True
        history.go(here)
        return False
