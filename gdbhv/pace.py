"""How fast virtual time passes while every CPU waits, and sleeping on the host until there is something to do.

By default waiting takes no time: a run is as fast as it can be. In real time (``gdbhv run --realtime``) a second of waiting
takes a second of the host's clock, so that a person at a guest's prompt finds ``sleep 5`` to take five. Neither the order of
what happens nor any count depends on it; what is typed enters at the virtual time at which it is typed.
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
MOST_BEHIND = 100_000_000  # nanoseconds that virtual time may catch up while everybody waits; more is forgiven
LONGEST_SLEEP = 1000.0  # seconds; then the clocks are compared again


T = TypeVar("T")


def weakly(method: Callable[[], T]) -> Callable[[], T]:
    """Return a function that calls ``method`` without keeping its object: one that has both is freed when it is dropped."""
    held = weakref.WeakMethod(method)

    def call() -> T:
        found = held()
        assert found is not None, "only its object calls this"
        return found()

    return call


class Pace:
    """Runs a machine's model, and sleeps while everybody waits.

    :param core: the model.
    :param awaited: whether something may come from outside that the machine would see.
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
        self._virtual = self._host = 0  # two times that belong together
        self._limit = 0  # what the host's clock allowed when it was looked at last
        self._next = FOREVER  # when something happens of itself, after a run that ended because everybody waits

    def reset(self) -> None:
        """Virtual time begins again at 0."""
        self._virtual = self._host = self._limit = 0
        self._next = FOREVER

    def _waker(self) -> Callable[[], None]:
        """Return what is called when something has come from outside, from any thread: it ends a run, or a sleep.

        A console that has it does not keep the machine.
        """
        interrupter, woken = self._interrupter, self._woken

        def wake() -> None:
            interrupter.set()
            woken.set()

        return wake

    def run(self, until: int, mask: int, insns: int | None, step: Step | None = None) -> _core.Stop:
        """As :meth:`gdbhv._core.Machine.run`, which never returns "idle" here: this sleeps instead.

        With ``insns`` it does not sleep: "stuck" then means that everybody waits, and :meth:`sleep` may follow.
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
        """Sleep after a run that ended because everybody waits: until something happens of itself or comes from outside.

        :returns: False if nothing ever will.
        """
        if self._nothing_to_come():
            return False
        if self._sleep(self._next):
            self._interrupter.set()
        return True

    def _nothing_to_come(self) -> bool:
        return self._next == FOREVER and not self._awaited()

    def _allowed(self) -> int:
        """Compare the clocks; return the virtual time up to which waiting may last now."""
        now, host = self._core.now, self._clock()
        allowed = self._virtual + host - self._host
        if not now <= allowed <= now + MOST_BEHIND:
            # Behind: the guest computed, or a debugger had stopped it. Ahead: instructions that take longer than the host's.
            allowed = now + MOST_BEHIND if allowed > now else now
            self._virtual, self._host = allowed, host
        self._limit = allowed
        return allowed

    def _sleep(self, until: int) -> bool:
        """Sleep until the host's clock allows virtual time ``until``; True if something woke it before.

        Then as much time has passed for the guest as it slept, so that what comes from outside enters when it came.
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
