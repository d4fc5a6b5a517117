"""The server: TCP on loopback, a Unix socket or stdio; the only file of the protocol that does I/O.

One thread talks to the client.  Steps run in that thread, with a budget; whatever takes longer runs in a second thread while
the first listens for the break byte and for a client that goes away.  What the machine does while nobody is attached::

    held  --client-->  attached  --D-->  free  --client-->  attached        (held: stopped; free: running)
                          |
                          +--connection lost-->  held

A connection is a client from its first packet on (``gdbhv.rsp.listener``); until then it stops nothing and keeps nobody out.
One client controls the machine; a second one is told so and let go.  On stdio there is one client, and serving ends with it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue

import gdbhv.rsp.packets  # noqa: F401  (fills the registry)
from gdbhv.errors import NOT_A_FAULT, GdbhvError
from gdbhv.history import History
from gdbhv.rsp.framing import frame
from gdbhv.rsp.listener import Candidate, Listener
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import ENDS, ExecFile, Monitor, Outcome, Run, Shared
from gdbhv.rsp.tdesc import Description, RegisterRow
from gdbhv.rsp.transport import Address, Stream, listen, release_socket
from gdbhv.target import Action, Stop, StopKind, Target

log = logging.getLogger("gdbhv.rsp")

BRIEF_BUDGET = 20_000
"""Instructions that a step may take in the thread of the server: a fraction of a millisecond."""

_POLL_SECONDS = 200e-6  # after an answer, before sleeping: GDB's next packet is on its way
_BUSY = b"+" + frame(b"E.another debugger controls this machine: detach it first")
_TURNED_AWAY_LIMIT = 8  # connections kept open for a while, so that the refusal arrives before the end does


_UNSENT_LIMIT = 1 << 20  # bytes that wait for a client to read them: then its packets wait, too
_FAREWELL_SECONDS = 1.0  # for a client that has answers to read when its session ends
_WORK_SECONDS = 0.02  # until a client that is busy is heard, and the others are
_ATTEND_SECONDS = 0.05  # the longest time that a client which always has something to say keeps others waiting


def _stdio() -> Candidate:
    """Return the one client that stdio has: nobody else can be at the other end."""
    return Candidate(Stream(sys.stdin.fileno(), sys.stdout.fileno()))


class _Worker:
    """Runs the target in a thread of its own, one request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._requests: SimpleQueue[Run | None] = SimpleQueue()
        self._result: Stop | BaseException | None = None
        self.reader, self._writer = os.pipe()  # a byte comes when a run ends
        self.running = False
        self._thread = threading.Thread(target=self._loop, name="gdbhv-machine", daemon=True)
        self._thread.start()

    def start(self, run: Run) -> None:
        self.running = True
        self._requests.put(run)

    def result(self) -> Stop:
        """Wait for the end of the run; return its stop or raise what the target raised."""
        os.read(self.reader, 1)
        self.running = False
        result, self._result = self._result, None
        if isinstance(result, BaseException):
            raise result
        assert result is not None
        return result

    def close(self) -> None:
        self._requests.put(None)
        self._thread.join()
        os.close(self.reader)
        os.close(self._writer)

    def _loop(self) -> None:
        while (run := self._requests.get()) is not None:
            try:
                self._result = run.execute(self._target)
            except BaseException as error:  # handed over to the thread that waits
                self._result = error
            os.write(self._writer, b".")


class Server:
    """Serves a target to one debugger after another.

    >>> server = Server(machine, "1234")          # doctest: +SKIP
    >>> print(server.address)                     # doctest: +SKIP
    127.0.0.1:1234
    >>> stop = server.serve()                     # doctest: +SKIP

    ``registers`` are the rows of ``_core.registers()``; ``monitor`` runs a monitor command; ``exec_file`` returns the path
    of a process's ELF.  ``held``: the machine waits for the first debugger (otherwise it runs at once).  ``on_stop`` is
    called when a `continue` has ended, while nothing runs; ``on_leave`` when a debugger has left.  ``reboots``: a guest that
    asks for a reset gets it; otherwise it has ended.  ``history``: what the machine has done, for a debugger that goes back.

    :raises AddressError: ``address`` is no address.
    :raises OSError: it cannot be listened on.
    """

    def __init__(
        self,
        target: Target,
        address: str | Address,
        *,
        registers: Iterable[RegisterRow] = (),
        monitor: Monitor | None = None,
        exec_file: ExecFile | None = None,
        held: bool = True,
        on_stop: Callable[[], None] | None = None,
        on_leave: Callable[[], None] = lambda: None,
        reboots: bool = True,
        history: History | None = None,
    ) -> None:
        self.address = Address.parse(address) if isinstance(address, str) else address
        self._shared = Shared(target, Description(registers), monitor, exec_file, reboots, on_leave, history=history)
        self._target = target
        self._held = held
        self._on_stop = on_stop
        self._closing = False
        self._killed = False
        self._turned_away: list[Stream] = []
        self._attended = 0.0  # when everything but the client was last seen to
        self._end: Stop | None = None
        self._stuck: Stop | None = None  # why nothing can go on, while nobody has looked
        self._listener: Listener | None = None
        if self.address.kind != "stdio":
            listener, self.address = listen(self.address)
            self._socket = os.stat(self.address.path) if self.address.kind == "unix" else None
            self._listener = Listener(listener)
        self._wake_reader, self._wake_writer = os.pipe()  # close() from another thread, and signals
        os.set_blocking(self._wake_writer, False)
        self._worker = _Worker(target)
        if self.address.wide:
            log.warning("listening on %s: whoever reaches this port controls the machine", self.address)

    def serve(self) -> Stop | None:
        """Serve until the machine ends (its last VM is off, it cannot go on, or a debugger killed it) and no debugger is
        there any more, or until :meth:`close`.

        :returns: the stop that ended the machine; None if a debugger killed it or :meth:`close` was called.
        """
        try:
            while not self._closing and self._end is None:
                client = self._await_client(self._listener) if self._listener else _stdio()
                if client is None:
                    break
                self._serve_client(client)
                if self._listener is None or not self._shared.alive():
                    break
            return self._end or self._last_end()
        except KeyboardInterrupt:
            if self._stuck is None:
                raise
            return self._stuck
        finally:
            self._stop_worker()
            self._dispose()

    @property
    def wakeup(self) -> int:
        """A descriptor for ``signal.set_wakeup_fd``, so that :meth:`serve` notices each signal at once."""
        return self._wake_writer

    def close(self) -> None:
        """Make :meth:`serve` return, from any thread."""
        self._closing = True
        with contextlib.suppress(OSError):
            os.write(self._wake_writer, b".")

    # Clients come and go.

    def _await_client(self, listener: Listener) -> Candidate | None:
        """Wait for a client, the machine running unless it is held; return None if it ended first or close() was called."""
        while True:
            if not self._held and not self._worker.running:
                self._run_free()
            ready = self._wait(*listener.sources())
            if self._closing:
                return None
            if self._worker.running and self._worker.reader in ready and not self._free_stop(self._finish()):
                return None
            first, *others = listener.debuggers(ready) or (None,)
            for other in others:
                self._turn_away(other)
            if first is not None:
                if self._worker.running:
                    self._target.interrupt()
                    if not self._free_stop(self._finish()):
                        first.stream.close()
                        return None
                return first

    def _run_free(self) -> None:
        if (history := self._shared.history) is not None:
            history.come_back()  # whoever looked at its past has left
        actions = tuple(Action(thread.id) for process in self._shared.alive() for thread in process.threads)
        self._worker.start(Run(actions, brief=False))

    def _free_stop(self, stop: Stop) -> bool:
        """Take a stop that no debugger asked for; return whether the machine goes on living."""
        if self._shared.reboot(stop) is not None:
            return True
        for line in self._shared.commanded(stop):
            log.info("%s", line)
        if stop.passing:
            if stop.text:
                log.info("%s", stop.text)
            return True
        self._shared.last_stop = stop
        alive = self._shared.alive()
        if self._shared.ended(stop) and alive:
            return True
        if stop.kind is StopKind.CRASH and alive:
            log.warning("nothing can go on: %s; attach gdb to look at it, or end it with Ctrl-C", stop.text)
            self._held, self._stuck = True, stop
            return True
        if stop.kind in ENDS:
            self._end = stop
            return False
        if stop.kind is not StopKind.INTERRUPT:
            log.warning("stopped with no debugger attached: %s; attach one to go on", stop.text or stop.kind.value)
            self._held = True
        return True

    def _turn_away(self, candidate: Candidate) -> None:
        """Refuse twice: GDB warns of an error in answer to qSupported, and shows the second one's text as it gives up."""
        candidate.stream.send(_BUSY + _BUSY)
        self._turned_away.append(candidate.stream)
        for old in self._turned_away[:-_TURNED_AWAY_LIMIT]:
            old.close()
        del self._turned_away[:-_TURNED_AWAY_LIMIT]

    # One client.

    def _serve_client(self, client: Candidate) -> None:
        session, stream = Session(self._shared, client.framer), client.stream
        self._stuck = None
        try:
            session.take(client.events)
            self._talk(session, stream)
        finally:
            if self._worker.running:
                self._target.interrupt()
                stop = self._finish()
                if self._shared.reboot(stop) is None:
                    self._shared.last_stop = stop
            session.clear()
            self._shared.left()
            self._target.run((), 0)  # takes away a Ctrl-C that came too late
            stream.send(session.take_output())
            stream.drain(_FAREWELL_SECONDS)
            stream.close()
        self._held = session.outcome is not Outcome.DETACHED
        self._killed = session.outcome is Outcome.KILLED or session.killed is not None
        if session.outcome is Outcome.LOST and self._shared.alive():
            self._shared.counted.warn("the debugger's connection is lost: the machine is held until the next one")

    def _talk(self, session: Session, stream: Stream) -> None:
        while session.outcome is None and not self._closing:
            more = self._work(session, stream)
            if session.outcome is not None:
                return
            data = self._hear(session, stream, more)
            if data == b"":
                session.outcome = Outcome.LOST
            elif data is not None:
                session.receive(data)

    def _work(self, session: Session, stream: Stream) -> bool:
        """Send what there is and do the session's jobs, as far as a moment allows; return whether more is left."""
        deadline = time.perf_counter() + _WORK_SECONDS
        while True:
            if not stream.send(session.take_output()):
                session.outcome = Outcome.LOST
            if session.outcome is not None or stream.unsent > _UNSENT_LIMIT:
                return False  # the rest when the client has read
            if time.perf_counter() > deadline:
                return True
            if session.streaming:
                session.pump()
            elif session.run is not None and not self._worker.running:
                if not session.run.brief or not self._run_briefly(session, session.run):
                    self._worker.start(session.run)
                    return False
            elif not session.advance() and not session.output_pending:
                return False

    def _run_briefly(self, session: Session, run: Run) -> bool:
        """Run steps in this thread; return False if they take longer than a moment."""
        try:
            stop = run.execute(self._target, BRIEF_BUDGET)
        except BaseException as error:
            stop = self._failure(error)
        if stop.kind is StopKind.BUDGET:
            return False
        session.stopped(stop)
        return True

    def _hear(self, session: Session, stream: Stream, more: bool) -> bytes | None:
        """Return what the client sends; None if nothing came, or something else happened. ``more``: do not wait."""
        if time.perf_counter() > self._attended + _ATTEND_SECONDS:
            self._attend(session, self._wait(*self._at_the_door(), seconds=0))
        deadline = time.perf_counter() + (0 if more or self._worker.running else _POLL_SECONDS)
        while not session.full:
            if (data := stream.receive()) is not None:
                return data
            if time.perf_counter() >= deadline:
                break
        reading = () if session.full else (stream.reader,)
        writing = (stream.writer,) if stream.unsent else ()
        ready = self._wait(*reading, *self._at_the_door(), writers=writing, seconds=0 if more else None)
        self._attended = time.perf_counter()
        if stream.reader in ready and (data := stream.receive()) is not None:
            return data  # perhaps the last before it leaves: a client that waits to be served is next then
        self._attend(session, ready)
        return None

    def _attend(self, session: Session, ready: list[int]) -> None:
        """Handle everything but the client: connections that arrive meanwhile, and the end of a run."""
        self._attended = time.perf_counter()
        if self._worker.running and self._worker.reader in ready:
            session.stopped(self._finish())
        for other in self._listener.debuggers(ready) if self._listener else ():
            self._turn_away(other)

    def _at_the_door(self) -> list[int]:
        return self._listener.sources() if self._listener else []

    # Helpers.

    def _wait(self, *sources: int, writers: tuple[int, ...] = (), seconds: float | None = None) -> list[int]:
        """Sleep until one of ``sources``, the end of a run, room in one of ``writers``, or close()."""
        ready = select.select([self._worker.reader, self._wake_reader, *sources], writers, (), seconds)[0]
        if self._wake_reader in ready:
            os.read(self._wake_reader, 4096)
        return ready

    def _finish(self) -> Stop:
        """Wait for the end of the run in the worker."""
        try:
            stop = self._worker.result()
        except BaseException as error:
            stop = self._failure(error)
        if self._on_stop is not None:
            self._on_stop()
        return stop

    def _failure(self, error: BaseException) -> Stop:
        """Turn an exception of the host side into a stop: a handler written in Python may fail while it is debugged."""
        if isinstance(error, NOT_A_FAULT):
            raise error
        failed = f"the machine's host side failed: {type(error).__name__}"
        if not isinstance(error, GdbhvError) and (text := self._shared.counted.due(failed)) is not None:
            log.error("%s", text, exc_info=error)
        threads: Iterator[Stop] = (
            Stop(StopKind.CRASH, thread.id, text=f"{type(error).__name__}: {error}")
            for process in self._target.processes()
            for thread in process.threads
        )
        if (stop := next(threads, None)) is None:
            raise error
        return stop

    def _last_end(self) -> Stop | None:
        """Return the stop that ended the last VM while a debugger was attached."""
        stop = self._shared.last_stop
        return stop if stop is not None and stop.kind in ENDS and not self._closing and not self._killed else None

    def _stop_worker(self) -> None:
        if self._worker.running:
            self._target.interrupt()
            self._shared.last_stop = self._finish()
        self._worker.close()

    def _dispose(self) -> None:
        if self._listener is not None:
            self._listener.close()
            if self.address.kind == "unix":
                release_socket(self.address.path, self._socket)
        for stream in self._turned_away:
            stream.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
