"""Drive stock gdb-multiarch by script: :class:`GdbSession`, over pygdbmi.

A session starts a gdb, attaches it to a gdbhv server, and answers in types::

    with GdbSession("127.0.0.1:1234", program="guest.elf") as gdb:
        gdb.catch_exit("hvc")
        stop = gdb.cont()
        print(stop.text, hex(gdb.read_register("x0")))
        print(gdb.monitor_json("vmexit last"))

It needs pygdbmi, gdb-multiarch and this folder, and nothing else of gdbhv: it may run on another machine than the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import time
from types import TracebackType
from typing import Any, NamedTuple

from pygdbmi.IoManager import IoManager

from gdbhv.client import gdbline
from gdbhv.client.gdbline import GDB, exec_gdb, gdb_arguments, gdb_target
from gdbhv.client.reversing import Reversing
from gdbhv.client.stops import (
    Frame,
    GdbBreakpoint,
    GdbError,
    GdbLost,
    GdbMissing,
    GdbStop,
    GdbThread,
    GdbTimeout,
    GdbUnexpectedStop,
    frame_of,
    lacks_reason,
    stop_of,
    watchpoints_of,
    with_reason,
)

__all__ = [
    "GDB",
    "Frame",
    "GdbBreakpoint",
    "GdbError",
    "GdbLost",
    "GdbMissing",
    "GdbSession",
    "GdbStop",
    "GdbThread",
    "GdbTimeout",
    "GdbUnexpectedStop",
    "exec_gdb",
    "gdb_arguments",
    "gdb_target",
]


class GdbSession(Reversing):
    """A gdb of its own, attached to a server until :meth:`close`; a context manager.

    ``address``: PORT, HOST:PORT or unix:PATH; without it gdb starts and :meth:`attach` comes later.  ``program``: the
    guest's ELF, for symbols (without it gdb takes the one that the server names).  ``timeout``: seconds to wait for gdb's
    answer to a command, and by default for a stop.

    :raises GdbMissing: gdb-multiarch is not installed.
    :raises GdbError: the server is not there, or refuses.
    """

    def __init__(
        self, address: str | None = None, program: str | None = None, *, timeout: float = 30.0, gdb: str = GDB
    ) -> None:
        path = shutil.which(gdb)
        if path is None:
            raise GdbMissing(gdb)
        self.timeout = timeout
        self._token, self._command = 0, ""  # the last one's
        self._stops: list[GdbStop] = []
        self._breakpoints: dict[int, GdbBreakpoint] = {}
        self._running = False
        self._resumption: tuple[int, str] = (0, "")  # the last command that let the guest run: its token, and itself
        self._asking = False  # for a reason
        self._refusal: _Refusal | None = None  # of that one, said after gdb had said that the guest runs
        self._disconnected = ""  # what gdb said when the server went away
        self._text: list[str] = []  # printed since the last command
        self._last_words: list[str] = []
        self._registers: set[str] = set()  # that gdb has, once asked for
        self._warnings: list[str] = []  # what gdb has logged since the guest was last told to run
        self._process = subprocess.Popen(
            [path, "-q", "-nx", "--interpreter=mi"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C for the script is not one for its gdb
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._io = IoManager(self._process.stdin, self._process.stdout, None)
        try:
            patience = max(1, min(10, int(timeout / 2)))  # seconds in which a server may still come up
            for setting in (
                *("confirm off", "pagination off", "width 0", "style enabled off", "mi-async on", "architecture aarch64"),
                "sysroot",  # none: files are on this machine
                f"tcp connect-timeout {patience}",
            ):
                self.mi(f"-gdb-set {setting}")
            if gdbline.CONDITIONS.is_file():
                self.execute(f"source {gdbline.CONDITIONS}")
            if program is not None:
                self.mi(f"-file-exec-and-symbols {quote(str(program))}")
            if address is not None:
                self.attach(address)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> GdbSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def attach(self, address: str) -> None:
        """Attach to a server; the guest is stopped then.

        :raises GdbError: nobody listens there, or another debugger controls the machine.
        """
        try:
            self.mi(f"-target-select extended-remote {gdb_target(address)}")
        except GdbTimeout:
            raise
        except GdbError as error:
            if re.search("timed out|refused|No such file", str(error)):
                raise GdbError("attach", f"no gdbhv listens on {address}: `gdbhv run IMAGE --gdb {address}` does") from error
            raise
        self._running, self._disconnected = False, ""
        self._stops.clear()
        self._registers = set()

    def detach(self) -> None:
        """Let all VMs run on without a debugger. :meth:`attach` comes back."""
        groups = [group["id"] for group in self.mi("-list-thread-groups")["groups"] if "pid" in group]
        if groups:
            self.execute(f"detach inferiors {' '.join(group.removeprefix('i') for group in groups)}")
        with contextlib.suppress(GdbError):  # gdb may have closed the connection with the last one
            self.execute("disconnect")
        self._running = False

    def close(self) -> None:
        """End gdb. A guest that is attached is detached first, and runs on."""
        process = self._process
        if process.poll() is None:
            with contextlib.suppress(GdbError, OSError):
                if self._running:
                    self.interrupt()
                self._write("-gdb-exit")
                self._read_out(5)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    # Commands.

    def mi(self, command: str, timeout: float | None = None) -> dict[str, Any]:
        """Run a GDB/MI command and return the payload of its result (GDB manual, chapter 27).

        :raises GdbError: gdb's ``^error``.  :raises GdbTimeout: no result in time.
        """
        seconds = self.timeout if timeout is None else timeout
        token = self._write(command)
        deadline = time.monotonic() + seconds
        result: dict[str, Any] | None = None
        while result is None:
            for message in self._read(deadline - time.monotonic(), command, seconds, "answer"):
                self._note(message)  # a stop may have come in the same breath as the result
                if message["type"] == "result" and message["token"] == token:
                    result = message
        payload = dict(result["payload"] or {})
        if result["message"] == "error":
            self._refusal = None
            raise GdbError(command, self._with_reason(self._said(payload)))
        return payload

    def execute(self, command: str, timeout: float | None = None) -> str:
        """Run a command as at gdb's prompt; return what it prints.

        :raises GdbError: it fails.
        """
        self._text.clear()
        self._warnings.clear()
        self.mi(f"-interpreter-exec console {quote(command)}", timeout)
        return "".join(self._text)

    def monitor(self, command: str, timeout: float | None = None) -> str:
        """Run a monitor command of the server for the selected vCPU; return its lines.

        :raises GdbError: the server refuses; the message is the server's sentence.
        """
        self._select_on_server()
        try:
            text = self.execute(f"monitor {command}", timeout)
        except GdbTimeout:
            raise
        except GdbError as error:
            said = "".join(self._text).strip()
            raise GdbError(f"monitor {command}", said or str(error)) from None
        for cache in ("register-cache", "dcache"):  # the command may have changed what gdb remembers
            self.execute(f"maintenance flush {cache}")
        return text

    def monitor_json(self, command: str, timeout: float | None = None) -> Any:
        """Run a monitor command with ``--json``; return the document, or a list of them if each line is one.

        :raises GdbError: the server refuses, or its answer is no JSON.
        """
        text = self.monitor(command if "--json" in command.split() else f"{command} --json", timeout).strip()
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            pass
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise GdbError(f"monitor {command}", f"the answer is no JSON ({error}): {text[:200]!r}") from None

    # Stops.

    def break_at(self, location: str | int, *, hardware: bool = False, condition: str | None = None) -> GdbBreakpoint:
        """Set a breakpoint at a symbol, ``file:line`` or address; return its number, which knows its places."""
        where = f"*{location:#x}" if isinstance(location, int) else location
        options = ("-h " if hardware else "") + (f"-c {quote(condition)} " if condition else "")
        row = self.mi(f"-break-insert {options}{quote(where)}")["bkpt"]
        places = [frame for each in row.get("locations", [row]) if (frame := frame_of(each)) is not None]
        found = self._breakpoints[int(row["number"])] = GdbBreakpoint(int(row["number"]), where, tuple(places))
        return found

    def watch(self, expression: str, *, read: bool = False, write: bool = True) -> int:
        """Set a watchpoint on an expression, as `watch -l`; return its number."""
        option = "" if not read else "-a " if write else "-r "
        (payload,) = self.mi(f"-break-watch {option}{quote(expression)}").values()
        return int(payload["number"])

    def delete(self, number: int) -> None:
        """Take a breakpoint, watchpoint or catchpoint away."""
        self.mi(f"-break-delete {number}")

    def catch_exit(self, spec: str | int) -> None:
        """Catch VM exits: by class and filters ("dabt.trans ipa=0x9000000", see `monitor help vmexit`), or by class number.

        A class is caught by the server, a number by gdb's own ``catch syscall``, which makes it a typed stop.
        """
        if isinstance(spec, int):
            self.execute(f"catch syscall {spec}")
        else:
            self.monitor(f"vmexit catch {spec}")

    def cont(self, timeout: float | None = None, *, at: int | None = None, on: str | None = None) -> GdbStop:
        """Resume until the next stop. Only the VM of the selected thread runs, unless `set schedule-multiple on`.

        ``at``: it is to be at this breakpoint or watchpoint; ``on``: for an exit of this class, see :meth:`GdbStop.is_exit`.

        :raises GdbUnexpectedStop: it is another one, or the guest ended.
        """
        stop = self._resume("-exec-continue", timeout)
        if at is not None and stop.breakpoint != at:
            known = self._breakpoints.get(at)
            raise GdbUnexpectedStop(f"watchpoint {at}" if known is None else known.words, stop)
        if on is not None and not stop.is_exit(on):
            raise GdbUnexpectedStop(f"an exit {on}", stop)
        return stop

    def run(self, timeout: float | None = None) -> GdbStop:
        """Begin the selected VM again, from its image, and run until the next stop (gdb's `run`)."""
        return self._resume("-exec-run", timeout)

    def step_instruction(self, count: int = 1, timeout: float | None = None) -> GdbStop:
        """Execute ``count`` instructions of the selected vCPU."""
        if count == 1:
            return self._resume("-exec-step-instruction", timeout)
        return self._resume(f"-interpreter-exec console {quote(f'stepi {count}')}", timeout)

    def step(self, timeout: float | None = None) -> GdbStop:
        """Step one source line, into calls."""
        return self._resume("-exec-step", timeout)

    def next(self, timeout: float | None = None) -> GdbStop:
        """Step one source line, over calls."""
        return self._resume("-exec-next", timeout)

    def finish(self, timeout: float | None = None) -> GdbStop:
        """Resume until the selected frame returns."""
        return self._resume("-exec-finish", timeout)

    def resume(self) -> None:
        """Let the guest run, and do not wait: :meth:`wait_for_stop` or :meth:`interrupt` come later."""
        self._start("-exec-continue")
        # gdb may answer before its event loop watches the connection again: a second answer says that it is back there.
        self.mi("-gdb-show confirm")
        self._raise_refusal()

    def interrupt(self, timeout: float | None = None) -> GdbStop:
        """Stop a running guest, as Ctrl-C does."""
        if self._running:
            self.mi("-exec-interrupt --all")
        return self.wait_for_stop(timeout)

    def wait_for_stop(self, timeout: float | None = None) -> GdbStop:
        """Return the next stop of a running guest, or the one that came in the meantime.

        :raises GdbTimeout: it still runs; :meth:`interrupt` stops it.
        :raises GdbLost: the server has ended.
        :raises GdbError: it does not run.
        """
        seconds = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while not self._stops:
            self._raise_refusal()
            if self._disconnected:
                raise GdbLost("", f"{self._disconnected}: the server has ended")
            if not self._running:
                raise GdbError("", "the guest does not run, so it cannot stop")
            for message in self._read(deadline - time.monotonic(), "", seconds, "stop"):
                self._note(message)
        return self._stops.pop(0)

    # State.

    def evaluate(self, expression: str) -> str:
        """Return an expression's value as gdb prints it."""
        return str(self.mi(f"-data-evaluate-expression {quote(expression)}")["value"])

    def read_register(self, name: str) -> int:
        """Return a register of the selected vCPU: x0, sp, pc, cpsr, v0 (128 bits), or any system register by name.

        :raises GdbError: there is none, or it is unavailable.
        """
        if re.fullmatch(r"v\d+", name):
            low, high = (self._integer(f"${name}.d.u[{half}]") for half in (0, 1))
            return high << 64 | low
        self._must_be_there(name)
        return self._integer(f"${name}", "unsigned int" if name == "cpsr" else "unsigned long")

    def write_register(self, name: str, value: int) -> None:
        """Write a register; v0 to v31 have 128 bits.

        :raises GdbError: there is none, or the server refuses; the message has its reason.
        :raises ValueError: the value is negative, or does not fit.
        """
        self._must_be_there(name)
        bits = 128 if re.fullmatch(r"v\d+", name) else 64
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value:#x} does not fit into {name}: 0 to {(1 << bits) - 1:#x}")
        kind = "unsigned int" if name == "cpsr" else "unsigned long"
        words = [f"${name}.d.u[{half}]" for half in (0, 1)] if re.fullmatch(r"v\d+", name) else [f"${name}"]
        for shift, word in enumerate(words):
            self.execute(f"set var {word} = ({kind}) {value >> 64 * shift & (1 << 64) - 1:#x}")

    def read_memory(self, address: int | str, length: int) -> bytes:
        """Return ``length`` bytes at an address or expression, as the selected vCPU sees them."""
        where = hex(address) if isinstance(address, int) else address
        blocks = self.mi(f"-data-read-memory-bytes {quote(where)} {length}")["memory"]
        data = bytes.fromhex("".join(block["contents"] for block in blocks))
        if len(data) != length:
            raise GdbError("read_memory", f"only {len(data)} of {length} bytes at {where} can be read")
        return data

    def write_memory(self, address: int | str, data: bytes) -> None:
        """Write bytes at an address or expression."""
        where = hex(address) if isinstance(address, int) else address
        self.mi(f"-data-write-memory-bytes {quote(where)} {data.hex()}")

    def threads(self) -> list[GdbThread]:
        """Return the vCPUs, in gdb's order."""
        return [
            GdbThread(
                int(row["id"]),
                row["target-id"],
                row.get("name"),
                row.get("details"),
                row["state"],
                frame_of(row.get("frame")),
            )
            for row in self.mi("-thread-info")["threads"]
        ]

    def select_thread(self, number: int) -> None:
        """Make a vCPU the one that registers, memory and steps are about; ``number`` is gdb's."""
        self.mi(f"-thread-select {number}")

    def backtrace(self) -> list[Frame]:
        """Return the frames of the selected vCPU, the innermost first."""
        rows = self.mi("-stack-list-frames")["stack"]
        frames = [frame_of(row.get("frame", row)) for row in rows]
        return [frame for frame in frames if frame is not None]

    # Inside.

    def _must_be_there(self, name: str) -> None:
        """Refuse a name of no register: to gdb it is a convenience variable, which can be written."""
        if not self._registers:
            self._registers = {*self.mi("-data-list-register-names")["register-names"], "fp", "lr", "ps"}
        if name.partition(".")[0] not in self._registers:
            raise GdbError(name, "there is no such register")

    def _integer(self, expression: str, kind: str = "unsigned long") -> int:
        text = self.evaluate(f"({kind}) {expression}")
        try:
            return int(text.split()[0], 0)
        except ValueError:
            raise GdbError(expression, f"has no value: {text}") from None

    def _select_on_server(self) -> None:
        """Make gdb tell the server which thread is selected: it does so only when it needs something of that thread."""
        with contextlib.suppress(GdbError):  # there may be no thread any more
            self.mi("-interpreter-exec console " + quote("maintenance flush register-cache"))
            self.mi("-data-evaluate-expression $pc")

    def _resume(self, command: str, timeout: float | None) -> GdbStop:
        self._start(command)
        return self.wait_for_stop(timeout)

    def _start(self, command: str) -> None:
        if self._running:
            raise GdbError(command, "the guest runs already: use interrupt() or wait_for_stop()")
        self._stops.clear()
        self._text.clear()
        self._warnings.clear()
        self._running, self._refusal = True, None
        try:
            self.mi(command)
        except GdbTimeout:
            raise
        except GdbError:
            self._running = False
            raise

    def _raise_refusal(self) -> None:
        error, self._refusal = self._refusal, None
        if error is not None:
            raise GdbError(error.command, self._with_reason(error.why))

    def _said(self, payload: dict[str, Any]) -> str:
        """Return what gdb says of an error, or said before if all that it says now is that it gives up."""
        words = str(payload.get("msg", "refused without a reason"))
        before = " ".join("".join(self._warnings).split()).removesuffix(words).strip()
        return before.removeprefix("Warning: ") if words == "Command aborted." and before else words

    def _with_reason(self, said: str) -> str:
        """Add the server's reason to what gdb says, if gdb leaves it out: `monitor why` has it."""
        if not lacks_reason(said) or self._running or self._asking:
            return said
        printed, self._asking = list(self._text), True
        try:
            refused = json.loads(self.execute("monitor why --json"))
        except (GdbError, json.JSONDecodeError):  # the server has gone, or is another one
            return said
        finally:
            self._text[:], self._asking = printed, False
        return with_reason(said, refused)

    def _write(self, command: str) -> int:
        """Send a command, and read meanwhile: a gdb that cannot get rid of what it prints does not listen."""
        self._token += 1
        self._command = command
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        data = f"{self._token}{command}\n".encode()
        try:
            while data:
                readable, writable, _ = select.select((stdout,), (stdin,), ())
                if readable:
                    for message in self._io.get_gdb_response(0, raise_error_on_timeout=False):
                        self._note(message)
                if writable:
                    data = data[os.write(stdin.fileno(), data[: select.PIPE_BUF]) :]
        except OSError:
            raise self._lost(command) from None
        return self._token

    def _read_out(self, seconds: float) -> None:
        """Read until gdb has ended, and forget it."""
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and select.select((stdout,), (), (), left)[0]:
            if not os.read(stdout.fileno(), 1 << 16):
                return

    def _read(self, remaining: float, command: str, seconds: float, awaited: str) -> list[dict[str, Any]]:
        """Return messages as soon as there are some.

        :raises GdbTimeout: none within ``remaining`` seconds.
        """
        while True:
            started = time.monotonic()
            assert self._process.stdout is not None
            if remaining <= 0 or not select.select((self._process.stdout,), (), (), remaining)[0]:
                raise GdbTimeout(command, seconds, awaited)
            if messages := self._io.get_gdb_response(0, raise_error_on_timeout=False):
                return messages
            if self._process.poll() is not None:
                raise self._lost(command)
            remaining -= time.monotonic() - started

    def _lost(self, command: str) -> GdbLost:
        words = "".join(self._last_words[-5:]).strip()
        return GdbLost(command, f"gdb has ended with status {self._process.poll()}{f': {words}' if words else ''}")

    def _note(self, message: dict[str, Any]) -> None:
        """Keep what a message says besides being an answer."""
        match message["type"]:
            case "console" | "target" | "log" | "output":
                text = str(message["payload"] or "")
                self._last_words = [*self._last_words[-20:], text]
                if message["type"] != "log":
                    self._text.append(text)
                    return
                self._warnings.append(text)
                if re.match(r"Remote (connection closed|communication error)", text):
                    self._running, self._disconnected = False, text.strip()
            case "result" if message["message"] == "running":
                # `*running` comes after it, and perhaps not in the same breath.
                self._running, self._resumption = True, (message["token"], self._command)
            case "result" if message["message"] == "error" and message["token"] == self._resumption[0]:
                # gdb answers `^running`, and then perhaps it cannot: a breakpoint that the server refuses, say.
                self._running = False
                self._refusal = _Refusal(self._resumption[1], self._said(message["payload"] or {}))
            case "notify" if message["message"] == "stopped":
                self._running = False
                self._stops.append(self._stop(message["payload"] or {}))
            case "notify" if message["message"] == "running":
                self._running = True

    def _stop(self, payload: dict[str, Any]) -> GdbStop:
        text = "".join(self._text)
        self._text.clear()
        named = payload.get("bkptno", next((w.get("number") for w in watchpoints_of(payload)), None))
        breakpoint_number = None if named is None else int(str(named).partition(".")[0])
        frame = frame_of(payload.get("frame"))
        known = self._breakpoints.get(breakpoint_number or 0)
        places = [place.pc for place in known.locations] if known is not None and frame is not None else []
        return stop_of(payload, frame, places, breakpoint_number, text)


class _Refusal(NamedTuple):
    command: str
    why: str


def quote(text: str) -> str:
    """Return a C string of MI's."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
