"""Accept connections, and pass on those that are debuggers.

A port is open to anything that finds it: port scanners, a browser directed there by a web page, a health check.  So no
connection counts as a debugger, or affects the machine, until it has sent a packet with the right checksum.  ``+``, ``-``
and 0x03 may come before that, as in GDB's protocol; a connection that sends anything else, or nothing, is not passed on.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

from gdbhv.rsp.framing import Framer, Signal
from gdbhv.rsp.transport import Stream, accept

log = logging.getLogger("gdbhv.rsp")

CANDIDATES = 16
"""The most connections that are not debuggers yet; if there are more, the oldest is closed."""

_SHOWN = 24  # bytes kept of what a connection sends first


class Candidate:
    """A connection, and what it has sent. ``events`` begin with its first packet, once that has come."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.framer = Framer()
        self.events: list[bytes | Signal] = []
        self.over = False  # it has gone, or is not a debugger
        self.said = b""  # what it sent first
        self._begun = False  # whether a `$` has come: the framer checks what follows

    @property
    def debugger(self) -> bool:
        """Tell whether a packet with the right checksum has come."""
        return bool(self.events)

    def look(self) -> None:
        """Receive some bytes."""
        if (data := self.stream.receive()) is None:
            return
        if not self._begun and (start := data.lstrip(b"+-\x03")):
            self._begun = True
            if start[0] != 0x24:
                self.said = start[:_SHOWN]
        self.over = not data or bool(self.said)
        if self.over:
            return
        events = self.framer.feed(data)
        for position, event in enumerate(events):
            if isinstance(event, bytes):
                self.events = events[position:]
                return
            if event is Signal.CORRUPT:
                self.stream.send(b"-")  # a debugger repeats a packet that was damaged
            elif event is Signal.OVERSIZE:
                self.over = True


class Listener:
    """Accepts connections on a listening socket, and separates debuggers from the rest."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._candidates: list[Candidate] = []
        self._told = False

    def sources(self) -> list[int]:
        """Return the file descriptors to wait for."""
        return [self._listener.fileno(), *(candidate.stream.reader for candidate in self._candidates)]

    def debuggers(self, ready: Iterable[int]) -> list[Candidate]:
        """Read from the connections that are ``ready``; return the debuggers, which the caller owns from now on."""
        readable = set(ready)
        looked = [candidate for candidate in self._candidates if candidate.stream.reader in readable]
        if self._listener.fileno() in readable and (stream := accept(self._listener)) is not None:
            looked.append(Candidate(stream))
            self._candidates.append(looked[-1])
        for candidate in looked:
            candidate.look()
            if candidate.said:
                self._tell(candidate.said)
        found = [candidate for candidate in looked if candidate.debugger]
        for candidate in [c for c in self._candidates if c.over]:
            candidate.stream.close()
        self._candidates = [c for c in self._candidates if not c.over and not c.debugger]
        for candidate in self._candidates[:-CANDIDATES]:
            candidate.stream.close()
        del self._candidates[:-CANDIDATES]
        return found

    def close(self) -> None:
        """Close the socket, and the connections that are still here."""
        self._listener.close()
        for candidate in self._candidates:
            candidate.stream.close()
        self._candidates.clear()

    def _tell(self, words: bytes) -> None:
        """Report it once, since such a client may connect a thousand times."""
        if not self._told:
            self._told = True
            text = words.split(b"\r")[0].split(b"\n")[0].decode("ascii", "backslashreplace")
            shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
            log.warning("closed a connection that began with '%s', which no debugger says (a web page? a scanner?)", shown)
