"""Semihosting calls of a bare machine: how they reach the host, and how its answers get into the machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdbhv import inputs
from gdbhv.board.semihosting import FAILED, Exit, Semihosting
from gdbhv.errors import GdbhvError, MemoryError_, StateError
from gdbhv.target import Action, Space, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.console import Console
    from gdbhv.inputs import Door
    from gdbhv.pace import Pace


class SemihostingCalls:
    """The part of :class:`gdbhv.machine.machine.Machine` that serves a CPU which stands at HLT #0xF000."""

    core: _core.Machine
    console: Console | None
    door: Door
    pace: Pace
    ended: Stop | None
    _interrupted: bool
    _interrupter: _core.Interrupter
    _type: Callable[[], None]
    _within: Callable[[int, Action], bool]
    put_memory: Callable[[ThreadId, int, bytes, Space], None]
    read_memory: Callable[..., bytes]
    semihosting: Semihosting | None = None
    called: int | None = None
    """The CPU that has called, until it is answered."""

    def serve_semihosting(self, host: Semihosting) -> None:
        """Serve the guest's calls from now on."""
        self.semihosting = host
        self.core.enable_semihosting()

    def put_semihosted(self, cpu: int, value: int, memory: Sequence[tuple[int, bytes]]) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        for address, data in memory:
            self.put_memory(ThreadId(1, cpu + 1), address, data, Space.VA)
        self.core.write_register(cpu, "x0", value)
        self.core.write_register(cpu, "pc", self.core.read_register(cpu, "pc") + 4)
        self.called = None

    def answer_call(self) -> bool:
        """Answer the CPU that has called. False if it waits for input, typed or from a recording, that has not come yet."""
        host, cpu = self.semihosting, self.called
        assert host is not None
        assert cpu is not None
        caller = _Caller(self, cpu)
        operation, argument = self.core.read_register(cpu, "x0") & 0xFFFF_FFFF, self.core.read_register(cpu, "x1")
        inside = host.is_inside(caller, operation, argument)
        if self.door.replays and not inside:
            return False
        answer = host.call(caller, operation, argument)
        if answer is None:
            return False
        if isinstance(answer, Exit):
            text = f"it has ended by semihosting, with status {answer.status}"
            self.ended = Stop(StopKind.POWEROFF, ThreadId(1, cpu + 1), text=text, code=answer.status)
            self.called = None
            host.close()
            return True
        try:
            self._give(cpu, answer.value, answer.memory, inside=inside and not answer.ended)
        except MemoryError_:  # its buffer is not memory
            self._give(cpu, FAILED, (), inside=inside and not answer.ended)
        return True

    @property
    def listens(self) -> bool:
        """Whether the guest would see what is typed."""
        return self.core.listens or self.called is not None

    def _awaits_typing(self) -> bool:
        """Whether something may be typed that the machine would see."""
        return self.console is not None and self.console.interactive and self.listens

    def attend_call(self, first: ThreadId, step: Action | None, *, waits: bool) -> Stop | None:
        """Answer the CPU that has called; return why the run cannot go on, or None.

        :param first: the thread to report for a stop that concerns no thread in particular.
        :param waits: called to wait for typed input, if the call needs some.
        """
        caller = ThreadId(1, (self.called or 0) + 1)
        while True:
            self._type()
            if self.answer_call():
                break
            if self._interrupted:
                return self.end_interrupt(first)
            if self.door.replays:
                over = self.door.end_at(first)
                if over is None and self.called is not None:
                    return Stop(StopKind.CRASH, first, text="what answers its call is not in the recording")
                return over
            if not waits or not self.pace.sleep():
                return Stop(StopKind.BUDGET, first)
        if self.ended is not None:
            return self.ended
        done = step is not None and step.thread == caller and not self._within(caller.tid - 1, step)
        return Stop(StopKind.STEP, caller) if done else None

    def end_interrupt(self, first: ThreadId) -> Stop:
        """Return the stop that :meth:`gdbhv.target.Target.interrupt` has asked for."""
        self._interrupted = False
        self._interrupter.clear()
        return Stop(StopKind.INTERRUPT, first)

    def _give(self, cpu: int, value: int, memory: Sequence[tuple[int, bytes]], *, inside: bool) -> None:
        if inside:
            self.put_semihosted(cpu, value, memory)
        else:
            rows = [(hex(address), data.hex()) for address, data in memory]
            self.door.enter(inputs.Semihosted(cpu=cpu, value=hex(value), memory=rows))

    def take_typed(self, most: int) -> bytes | None:
        """Return what was typed: see :class:`gdbhv.board.semihosting.Caller`."""
        typed = self.core.take_typed(most)
        can_come = self.console is not None and (self.console.interactive or self.console.pending)
        return typed if typed or can_come or self.door.replays else None

    # --- snapshots

    def save_calls(self) -> str | None:
        """Return what a snapshot keeps of them."""
        return None if self.semihosting is None else json.dumps([self.called, self.semihosting.save()])

    def load_calls(self, saved: str | None) -> None:
        """Restore it. :raises gdbhv.errors.StateError: a file that was open is missing, or nothing serves the calls."""
        if saved is None:
            self.called = None
            return
        if self.semihosting is None:
            raise StateError("its guest uses semihosting: --semihosting, with the same folder")
        try:
            self.called, state = json.loads(saved)
            self.semihosting.load(state)
        except GdbhvError as e:
            raise StateError(str(e)) from None


class _Caller:
    """See :class:`gdbhv.board.semihosting.Caller`."""

    def __init__(self, machine: SemihostingCalls, cpu: int) -> None:
        self._machine, self._thread = machine, ThreadId(1, cpu + 1)
        self.take_typed = machine.take_typed

    def read(self, address: int, length: int) -> bytes:
        return self._machine.read_memory(self._thread, address, length) if length else b""

    def print(self, data: bytes) -> None:
        if self._machine.console is not None:
            self._machine.console.write(data)

    @property
    def now(self) -> int:
        return self._machine.core.now

    @property
    def ram(self) -> tuple[int, int]:
        return self._machine.core.ram
