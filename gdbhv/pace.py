"""How fast virtual time passes while every CPU waits, and sleeping on the host until there is something to do.

By default waiting takes no time, so that a run is as fast as possible. In real time (``gdbhv run --realtime``) a second of
waiting takes a second of the host's clock, so that for a person at a guest's prompt ``sleep 5`` takes five seconds. Neither
the order of events nor any count depends on it; typed input enters at the virtual time at which it is typed.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from gdbhv import _core

Step = tuple[int, tuple[int, int] | None, bool]  # as `_core.Machine.run` takes it
FOREVER = (1 << 64) - 1
MOST_BEHIND = 100_000_000  # nanoseconds that virtual time may catch up while all CPUs wait; a larger lag is dropped
LONGEST_SLEEP = 1000.0  # seconds after which the clocks are compared again


T = TypeVar("T")


def weakly(method: Callable[[], T]) -> Callable[[], T]:
    """Return a function that calls ``method`` without keeping its object alive, to avoid a reference cycle."""
    held = weakref.WeakMethod(method)

    def call() -> T:
        found = held()
        assert found is not None, "only its object calls this"
        return found()

    return call


class Pace:
    """Runs a machine's model, and sleeps while all CPUs wait.

    :param core: the model.
    :param awaited: returns whether input may still come from outside that the machine would see.
    :param clock: nanoseconds of the host's time.
    """

    def __init__(
        self,
        core: _core.Machine,
        awaited: Callable[[], bool] = lambda: False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.realtime = False
        self.before_sleep: Callable[[], None] = lambda: None
        self._core = core
        self._awaited = awaited
        self._clock = clock
        self._interrupter = core.interrupter()
        self._woken = threading.Event()
        self.wake = self._waker()
        self._virtual = self._host = 0  # a virtual and a host time that correspond
        self._limit = 0  # the virtual time that the host's clock allowed when it was last checked
        self._next = FOREVER  # the next event in the machine, after a run that ended because all CPUs wait

    def reset(self) -> None:
        """Start virtual time at 0 again."""
        self._virtual = self._host = self._limit = 0
        self._next = FOREVER

    def _waker(self) -> Callable[[], None]:
        """Return a function to call, from any thread, when input has come from outside: it ends a run, or a sleep.

        It does not keep the machine alive.
        """
        interrupter, woken = self._interrupter, self._woken

        def wake() -> None:
            interrupter.set()
            woken.set()

        return wake

    def run(self, until: int, mask: int, insns: int | None, step: Step | None = None) -> _core.Stop:
        """Run as :meth:`gdbhv._core.Machine.run` does, but sleep instead of returning "idle".

        With ``insns`` it does not sleep: "stuck" then means that all CPUs wait, and :meth:`sleep` may follow.
        """
        if not self.realtime:
            self._next = FOREVER
            return self._core.run(until, mask, insns, None, step)
        while True:
            stop = self._core.run(until, mask, insns, self._limit, step)
            if stop["kind"] != "idle":
                return stop
            self._next = stop["next"]
            if self._allowed() >= min(self._next, until):
                continue
            if insns is not None:
                return {"kind": "stuck", "cpu": None}
            if self._nothing_to_come():
                return self._core.run(until, mask, insns, None, step)
            if self._sleep(min(self._next, until)):
                return {"kind": "interrupted", "cpu": None}

    def sleep(self) -> bool:
        """Sleep after a run that ended because all CPUs wait, until the machine's next event or input from outside.

        :returns: False if neither will ever come.
        """
        if self._nothing_to_come():
            return False
        if self._sleep(self._next):
            self._interrupter.set()
        return True

    def _nothing_to_come(self) -> bool:
        return self._next == FOREVER and not self._awaited()

    def _allowed(self) -> int:
        """Compare the clocks; return the virtual time up to which the CPUs may wait now."""
        now, host = self._core.now, self._clock()
        allowed = self._virtual + host - self._host
        if not now <= allowed <= now + MOST_BEHIND:
            # Behind: the guest computed, or a debugger had stopped it. Ahead: instructions that take longer than the host's.
            allowed = now + MOST_BEHIND if allowed > now else now
            self._virtual, self._host = allowed, host
        self._limit = allowed
        return allowed

    def _sleep(self, until: int) -> bool:
        """Sleep until the host's clock allows virtual time ``until``; return True if it was woken before.

        Virtual time then has advanced by the time slept, so that input enters at the time when it came.
        """
        self.before_sleep()
        timed = self.realtime and until != FOREVER
        woken = self._woken.wait(min((until - self._limit) / 1e9, LONGEST_SLEEP) if timed else None)
        if woken:
            self._woken.clear()
            self._interrupter.clear()
        if self.realtime:
            self._limit = self._virtual + self._clock() - self._host
            self._core.run(FOREVER, 0, None, min(self._limit, self._next))
        return woken
