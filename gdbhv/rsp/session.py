"""One debugger's session: bytes in, bytes out. It owns no socket, no thread and no clock.

A session is a state machine that its owner (``gdbhv.rsp.server``, or a test) drives::

    receive(bytes)  ->  output for the wire,  and at times a job for the owner:
                          run     : a Run; execute it, then call stopped(stop)
                          stream  : call pump() until it returns False, sending output in between
                          outcome : the session is over, and how the debugger left

While a job is on, packets wait; only the break byte is heard.  Handlers live in ``gdbhv.rsp.packets``, one topic a file.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from gdbhv.errors import NOT_A_FAULT, CommandError, GdbhvError
from gdbhv.exits.catches import CatchEvents
from gdbhv.rsp import registry, wire
from gdbhv.rsp.agent import Program, reported
from gdbhv.rsp.attached import Attached
from gdbhv.rsp.codec import console, thread_id
from gdbhv.rsp.framing import PACKET_SIZE, Framer, Signal, frame
from gdbhv.rsp.shared import ENDS, Notes, Outcome, Run, Shared
from gdbhv.rsp.stop import FAILED, SIGWINCH, exit_number, exited_reply, stop_reply, with_signal
from gdbhv.target import Space, Stop, StopKind, ThreadId

log = logging.getLogger("gdbhv.rsp")
_NO_SPECIALS = str.maketrans("#$}*", "    ")  # they mean something in a packet
_WAITING_LIMIT = 4 * PACKET_SIZE  # bytes that a client may send ahead
_EVENT_SIZE = 256  # of them, what each packet counts for besides its length
_OUTPUT_LIMIT = 1 << 20  # bytes of answers that may pile up before they are sent


class Session(Attached):
    """One debugger's view of a target. See the module's text for how to drive it."""

    def __init__(self, shared: Shared, framer: Framer | None = None) -> None:
        """``framer``: of a connection whose first packets have been read already; :meth:`take` gets those."""
        super().__init__(shared)
        self.target = shared.target
        self._refused = shared.target.refused
        self.run: Run | None = None
        self.outcome: Outcome | None = None
        self.features: dict[str, str] = {}  # what the client said in its last qSupported
        self.notes = Notes()
        self.extended = False  # `!`: a kill leaves the server there for a `run`
        self.killed: int | None = None  # the process that was killed last
        self.breakpoints: dict[tuple[int, int, int, int], Program] = {}  # (pid, kind, address, length)
        self.catches = CatchEvents()  # QCatchSyscalls
        self.catching = False  # whether it is in its round: nothing has been resumed since
        self.threads_document = b""  # of qXfer:threads, while it is read
        self.suffixes_asked = False  # QThreadSuffixSupported: an LLDB
        self.hex_errors = False  # QEnableErrorStrings: it shows the text of errors
        self._framer = framer or Framer()
        self._out = bytearray()
        self._sent = b""  # for a NAK
        self._acks = True
        self._waiting: deque[bytes | Signal] = deque()
        self._ahead = 0  # how much waits there
        # a stop that is to be reported, whether QCatchSyscalls asked for it, and the target's jumps then
        self._late: tuple[Stop, bool, int] | None = None
        self._stream: registry.Stream | None = None

    # Driven by the owner.

    def receive(self, data: bytes) -> None:
        """Take bytes from the wire, whatever they are."""
        self.take(self._framer.feed(data))

    def take(self, events: Iterable[bytes | Signal]) -> None:
        """Take packets and what stands between them."""
        for event in events:
            if event is Signal.BREAK:
                self.advance()  # what was sent before it comes first
                wire.heard(event)
                with self._guarded():
                    self._break()
            elif event is not Signal.ACK and not self._sent_again(event):
                self._waiting.append(event)
                self._ahead += _size(event)
        self.advance()
        if self.full and self.run is not None:
            limit = _WAITING_LIMIT >> 10
            self.shared.counted.warn(f"more than {limit} KiB of packets sent ahead while the machine runs: the session ends")
            self.outcome = Outcome.LOST

    def _sent_again(self, event: bytes | Signal) -> bool:
        """Tell whether GDB has sent its first packet once more before it was read.

        It does so after two seconds without an acknowledgement, as over stdio while the server is being started, and takes
        the second answer for that to its next packet.
        """
        first = isinstance(event, bytes) and event.startswith(b"qSupported")
        return first and self._acks and bool(self._waiting) and self._waiting[-1] == event

    @property
    def full(self) -> bool:
        """Tell whether no more should be received until packets that wait are handled."""
        return self._ahead > _WAITING_LIMIT

    def advance(self) -> bool:
        """Handle waiting packets until a job or much output comes up; return whether some wait on for the output's sake."""
        while self._waiting and not self.busy and self.outcome is None:
            if len(self._out) > _OUTPUT_LIMIT:
                return True
            event = self._waiting.popleft()
            self._ahead -= _size(event)
            with self._guarded():
                self._event(event)
        return False

    @property
    def busy(self) -> bool:
        """Tell whether a job is on, so that packets wait."""
        return self.run is not None or self._stream is not None

    @property
    def streaming(self) -> bool:
        """Tell whether :meth:`pump` has more."""
        return self._stream is not None

    @property
    def output_pending(self) -> bool:
        """Tell whether :meth:`take_output` has something."""
        return bool(self._out)

    def take_output(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def pump(self) -> bool:
        """Take one answer from the stream; return whether there is another."""
        if self._stream is None:
            return False
        stream, self._stream = self._stream, None
        with self._guarded():
            for payload in stream:
                self._stream = stream
                if payload is not None:
                    self.send(payload)
                break
        if self._stream is None:
            self.advance()
        return self._stream is not None

    def stopped(self, stop: Stop) -> None:
        """Report the end of :attr:`run` to the debugger."""
        run, self.run = self.run, None
        with self._guarded():
            self._stopped(stop, run)
        self.advance()

    def _stopped(self, stop: Stop, run: Run | None) -> None:
        if self.shared.history is not None and self.shared.ended(stop):
            self.shared.history.settle()
        if (text := self.shared.reboot(stop)) is not None:
            self.say(text + "\n")
            if run is not None and not any(action.step and action.thread.pid == stop.thread.pid for action in run.actions):
                self.run = run
                return
            stop = Stop(StopKind.STEP, ThreadId(stop.thread.pid, 1))  # a step ends where the guest begins again
        self.shared.last_stop = stop
        if stop.kind in ENDS or stop.thread not in self._threads or (run is not None and run.back is not None):
            self.refresh()
        if run is not None and run.back is None and (again := self._silently(stop, run)) is not None:
            self.run = again
            return
        for process in self.newcomers():
            self.say(
                f"{process.name} has run, a VM with {len(process.threads)} vCPUs so far: `monitor vms` shows it, and "
                f"`add-inferior`, `inferior N`, `attach {process.pid}` make it one of gdb's\n"
            )
        if run is not None and run.back is None and any(process.found for process in self._processes):
            stop = self._of_resumed(stop, run)
        if run is not None and run.alone and stop.kind in (StopKind.EXIT, StopKind.ENTRY):
            self._late = stop, self.caught(stop), self.target.jumps
            self._general = stop.thread
            self.send(with_signal(SIGWINCH, self.stop_answer(Stop(StopKind.STEP, stop.thread))))
        else:
            self.report(stop)

    def _of_resumed(self, stop: Stop, run: Run) -> Stop:
        """Return a stop as one of a process that GDB has resumed: GDB 13 fails an assertion at a stop of another one.

        VMs of a hypervisor in the machine run whenever it does, while `set schedule-multiple off` resumes one process.
        """
        threads = [action.thread for action in run.actions]
        if stop.thread not in self._threads or stop.thread.pid in {thread.pid for thread in threads}:
            return stop
        cpu = self.target.cpu_of(stop.thread)
        thread = next((t for t in threads if cpu is not None and self.target.cpu_of(t) == cpu), threads[0])
        if stop.kind in (StopKind.EXIT, StopKind.ENTRY):
            return replace(stop, thread=thread)
        whose = {p.pid: p.name for p in self._processes}[stop.thread.pid]
        text = (
            f"{stop.kind.value} of {whose}, thread {stop.thread}, which was not resumed itself: `set schedule-multiple on`"
        )
        return Stop(StopKind.STEP, thread, text="; ".join(filter(None, (stop.text, text))))

    def report(self, stop: Stop) -> None:
        """Send a stop, its text first."""
        if stop.thread.pid in self.detached and self._threads:
            stop = Stop(StopKind.STEP, self._threads[0], text=f"VM {stop.thread.pid}: {stop.text or stop.kind.value}")
            self.say(stop.text + "\n")
        elif stop.text and stop.kind not in (StopKind.SW_BREAK, StopKind.HW_BREAK, StopKind.INTERRUPT):
            self.say(stop.text + "\n")
        self._stopped_at(stop.thread)
        self.send(self.stop_answer(stop))

    def report_late(self) -> bool:
        """Report a stop that was kept back, as a resume begins; return whether there was one.

        GDB 13 steps a lone thread to pass a breakpoint, and resumes nothing ever after if that step ends with a syscall's
        stop: it goes on believing that the step is not over.  Nor may it end as a step that has not moved, which is the
        breakpoint's hit again.  So it ends with a signal that GDB neither stops for nor shows, and at the resume that
        follows at once the exit or entry is said.
        """
        late, self._late = self._late, None
        if late is None:
            return False
        stop, asked, jumps = late
        if stop.thread not in self._threads or (asked and not self.caught(stop)) or jumps != self.target.jumps:
            return False
        self.report(stop)
        return True

    def clear(self) -> None:
        """Take away what this session put into the target: breakpoints, catches, and how it steps."""
        rows = tuple(self.breakpoints)
        self.breakpoints.clear()
        for row in rows:
            with self._guarded(answer=False):
                self.target.remove_breakpoint(*row)
        with self._guarded(answer=False):
            self.set_catches(CatchEvents())
            self.target.stepping.interrupts = True

    def set_catches(self, events: CatchEvents) -> None:
        """Catch exits and entries in all processes."""
        self.catches = events
        for process in self._processes:
            self.target.catch_exits(process.pid, events)

    # For handlers.

    def send(self, payload: bytes) -> None:
        """Send one packet."""
        wire.sent(payload)
        self._sent = frame(payload)
        self._out += self._sent

    def say(self, text: str) -> None:
        """Show text on the debugger's console; only while a resume or a `monitor` command waits for its answer."""
        for payload in console(text):
            self.send(payload)

    @property
    def multiprocess(self) -> bool:
        """Tell whether thread ids carry a process."""
        return "multiprocess" in self.features

    def write_id(self, thread: ThreadId) -> bytes:
        """Return a thread id as this client writes it."""
        return thread_id(thread, self.multiprocess)

    def stop_answer(self, stop: Stop) -> bytes:
        """Return the stop reply for ``stop``."""
        if stop.thread not in self._threads:
            code = stop.code if stop.kind is StopKind.POWEROFF else FAILED
            return exited_reply(code, stop.thread.pid, self.multiprocess)
        return stop_reply(
            stop,
            self.write_id(stop.thread),
            self.target.read_core(stop.thread),
            "swbreak" in self.features,
            "hwbreak" in self.features,
            self.caught(stop),
        )

    def caught(self, stop: Stop) -> bool:
        """Tell whether QCatchSyscalls asks for an exit or entry."""
        if exit_number(stop) is None:
            return False
        events = self.catches.entries if stop.kind is StopKind.ENTRY else self.catches.exits
        return events is None or (stop.exit is not None and stop.exit["number"] in events)

    def start_no_ack(self) -> None:
        """Leave acknowledgements out from now on; the answer to QStartNoAckMode still gets its own, which is ignored."""
        self._acks = False

    # Inside.

    def _silently(self, stop: Stop, run: Run) -> Run | None:
        """Return how to resume after a stop that the debugger need not see; None: it is to be reported."""
        for line in self.shared.commanded(stop):
            self.say(f"{line}\n")
        if stop.passing:
            if stop.text:
                self.say(f"{stop.text}\n")
            return Run(run.actions, brief=False)
        if stop.thread.pid in self.detached and self._threads and self.shared.ended(stop):
            return Run(tuple(action for action in run.actions if action.thread.pid != stop.thread.pid), brief=False)
        try:
            if not reported(stop, self.breakpoints, self.target, self.shared.description, self.say):
                return Run(run.actions, brief=False)  # the owner may have to hear a Ctrl-C in between
        except GdbhvError as error:
            self.say(f"the breakpoint stops, since its condition or command has no value: {error}\n")
        return None

    @contextlib.contextmanager
    def _guarded(self, row: registry.Packet | None = None, *, answer: bool = True) -> Iterator[None]:
        """Answer with an error whatever goes wrong: nothing that a packet does ends the session, still less the server."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, NOT_A_FAULT):
                raise
            text = self._words(error)
            if answer:
                self._refuse(text, row)

    def _break(self) -> None:
        if self.run is not None:
            self.target.interrupt()
        elif self.pump() and (stream := self._stream) is not None:  # told at its next piece, it answers as its packet wants
            self._stream = None
            payload = stream.throw(CommandError("interrupted"))
            self._stream = stream
            if payload is not None:
                self.send(payload)
        # Otherwise the machine has stopped in the meantime, and the debugger has been told.

    def _event(self, event: bytes | Signal) -> None:
        wire.heard(event)
        if isinstance(event, bytes):
            if self._acks:
                self._out += b"+"
            self._packet(event)
        elif event is Signal.NAK:
            if self._acks:
                self._out += self._sent
        elif event is Signal.CORRUPT:
            self.shared.counted.warn("a packet with a wrong checksum is dropped")
            if self._acks:
                self._out += b"-"
        elif event is Signal.OVERSIZE:
            if self._acks:
                self._out += b"+"
            self._refuse(f"packet longer than {PACKET_SIZE} bytes", None)

    def _packet(self, payload: bytes) -> None:
        row = registry.find(payload)
        if row is None:
            self.send(b"")
            return
        with self._guarded(row):
            reply = row.handler(self, payload[len(row.prefix) :])
            if isinstance(reply, bytes):
                self.send(reply)
            elif reply is not None:
                self._stream = reply

    def _refuse(self, text: str, row: registry.Packet | None) -> None:
        """Answer with an error: its text where GDB takes one, since it prints "Invalid hex digit 46" elsewhere."""
        self.note_refusal(text)
        if self.hex_errors:
            self.send(b"E01;" + text.encode().hex().encode())
        elif "error-message" in self.features or (row is not None and row.text_errors):
            self.send(b"E." + " ".join(text.split()).translate(_NO_SPECIALS).encode("ascii", "replace"))
        else:
            self.send(b"E01")

    def note_refusal(self, text: str) -> None:
        """Keep a reason for ``monitor why``; one that comes again and again is kept once."""
        if text in self._refused:
            self._refused.remove(text)
        self._refused.append(text)

    def _words(self, error: BaseException) -> str:
        """Return what to say of an error; one that is not the debugger's is logged."""
        if isinstance(error, GdbhvError):
            return str(error)
        if (text := self.shared.counted.due(f"internal error in a packet's handler: {type(error).__name__}")) is not None:
            log.error("%s", text, exc_info=error)
        return f"internal error: {error!r}"

    # Memory is read by several topics.

    def read_memory(self, address: int, length: int) -> bytes:
        """Read as the selected thread; fewer bytes where the memory ends."""
        return self.target.read_memory(self.general, address, length, Space.VA)


def _size(event: bytes | Signal) -> int:
    """Return what a waiting packet counts for."""
    return _EVENT_SIZE + (len(event) if isinstance(event, bytes) else 0)
