"""The consoles that ``--console`` can name: the terminal that gdbhv runs in, another one (pty), a Unix socket, or a file."""

from __future__ import annotations

import contextlib
import logging
import os
import pty
import select
import signal
import socket
import sys
import termios
import threading
import tty
from collections.abc import Sequence
from pathlib import Path

from gdbhv import files
from gdbhv.console.keys import Keys
from gdbhv.console.stream import Console
from gdbhv.errors import GdbhvError

log = logging.getLogger("gdbhv.console")

PATIENCE = 5  # seconds after which a socket's client that reads nothing is dropped
KEPT = 1 << 16  # bytes that a socket's next client gets of what was printed before


def open_console(where: str, *, typed: bool = True, inputs: Sequence[str | Path | None] = (), name: str = "") -> Console:
    """Return the console that ``--console`` names: "stdio", "pty", "unix:PATH" or a file.

    :param typed: with "stdio", whether standard input is typed on the guest's terminal.
    :param inputs: files that must not be written.
    :param name: of the VM, where there are several.
    :raises gdbhv.errors.GdbhvError: it cannot be written, or should not be.
    """
    if where == "stdio":
        return _stdio(typed)
    whose = f"the console of {name}" if name else "the console"
    if where == "unix:":
        raise GdbhvError("--console unix:: the path is missing; write unix:PATH")
    if (kind := where.partition(":")[0]) != where and kind in ("pty", "stdio"):
        raise GdbhvError(f"--console {where}: {kind} takes nothing behind it; a file of that name is ./{where}")
    try:
        if where == "pty":
            return Pty(whose)
        if where.startswith("unix:"):
            return Socket(where.removeprefix("unix:"), whose)
        console = Console()
        console.to_file(where, inputs)
    except OSError as e:
        raise GdbhvError(f"--console {where or repr(where)}: {e.strerror or e}") from None
    return console


def _stdio(typed: bool) -> Console:
    console = Console(None if sys.stdout is None else sys.stdout.buffer)
    if not typed or sys.stdin is None or sys.stdin.closed:
        return console
    if sys.stdin.isatty():
        _take_terminal(console, sys.stdin.fileno())
    else:
        console.paced = True
        console.read_from(sys.stdin.fileno())
    return console


def _take_terminal(console: Console, descriptor: int) -> None:
    """Have a terminal pass each key to the guest, which echoes it; Ctrl-C stays ours. ``close`` undoes it.

    In the background (``gdbhv run ... &``) the terminal is left alone: the shell would suspend whoever reads it.
    """
    try:
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            return
    except OSError:
        pass  # a terminal, but not the controlling one: it has no foreground and background
    before = termios.tcgetattr(descriptor)
    now = termios.tcgetattr(descriptor)
    now[0] &= ~(termios.ICRNL | termios.IXON)
    now[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, now)
    console.personal = True

    def give_back() -> None:
        with contextlib.suppress(termios.error):  # it has gone away
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    console.undo.callback(give_back)

    def leave() -> None:
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as a shell's `&` in a script has it
        os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)

    def hung_up() -> None:
        """Do what the kernel does for the controlling terminal."""
        os.kill(os.getpid(), signal.SIGHUP)

    def say(text: str) -> None:
        print(f"{'' if console.at_line_start else chr(10)}gdbhv: {text}", file=sys.stderr)

    console.read_from(descriptor, Keys(leave, say), hung_up)


class Pty(Console):
    """A pseudo-terminal, for screen or another program; output that nobody reads is dropped when its buffer is full."""

    def __init__(self, whose: str) -> None:
        super().__init__()
        self.descriptor, other = pty.openpty()
        for descriptor in (self.descriptor, other):  # the other end stays open, so that programs can attach and detach
            self.undo.callback(os.close, descriptor)
        tty.setraw(other)
        os.set_blocking(self.descriptor, False)
        self.path = os.ttyname(other)
        self.personal = True
        log.info("%s is %s; attach with: screen %s", whose, self.path, self.path)
        self.read_from(self.descriptor)

    def emit(self, data: bytes) -> None:
        """See :class:`Console`."""
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[os.write(self.descriptor, data) :]


class Socket(Console):
    """A Unix socket, one client at a time. Output without a client is kept for the next one (:data:`KEPT`)."""

    def __init__(self, path: str, whose: str) -> None:
        super().__init__()
        self._whose = whose
        self._unsent = bytearray()
        self._client: socket.socket | None = None
        self._sending = threading.Lock()
        self._listener = self.undo.enter_context(socket.socket(socket.AF_UNIX))
        try:
            files.claim_socket(path)
            self._listener.bind(path)
        except OSError:
            self.undo.close()
            raise
        self.undo.callback(os.unlink, path)
        self._listener.listen(1)
        self._stopping, self._stop = os.pipe()
        self.interactive = True
        log.info("%s is at unix:%s; attach with: socat -,raw,echo=0 unix:%s", whose, path, path)
        thread = threading.Thread(target=self._serve, name="console socket", daemon=True)
        thread.start()
        self.undo.callback(thread.join)
        self.undo.callback(os.close, self._stop)

    def _serve(self) -> None:
        while self._ready(self._listener):
            client, _ = self._listener.accept()
            client.settimeout(PATIENCE)
            with client:
                with self._sending:
                    self._client = client
                    data, self._unsent = bytes(self._unsent), bytearray()
                self.emit(data)
                with contextlib.suppress(OSError):
                    while self._ready(client) and (typed := client.recv(4096)):
                        self.type(typed)
                        self.await_room(self._stopping)
                with self._sending:
                    self._client = None
        os.close(self._stopping)

    def _ready(self, source: socket.socket) -> bool:
        """Wait for a socket; False: the console is closed."""
        return self._stopping not in select.select((source.fileno(), self._stopping), (), ())[0]

    def emit(self, data: bytes) -> None:
        """See :class:`Console`."""
        with self._sending:
            if self._client is not None:
                try:
                    self._client.sendall(data)
                    return
                except OSError as e:
                    if isinstance(e, TimeoutError):
                        log.warning("%s: the client has read nothing for %d s, and is let go", self._whose, PATIENCE)
                    with contextlib.suppress(OSError):
                        self._client.shutdown(socket.SHUT_RDWR)
                    self._client = None
            self._unsent += data
            del self._unsent[:-KEPT]
