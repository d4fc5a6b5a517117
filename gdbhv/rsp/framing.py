"""Bytes to packets and back: checksum, escapes, acknowledgements and the break byte. No I/O.

::

    $ payload # c c          cc: sum of the payload's bytes as sent, modulo 256, two hex digits
    + -                      acknowledgements (until QStartNoAckMode)
    0x03                     Ctrl-C

In a payload, ``}`` escapes the byte after it, which is sent XOR 0x20.  Source: GDB manual, appendix E.1 "Overview" and E.8
"Packet Acknowledgment".  GDB never run-length encodes what it sends, and answers are not encoded either: on one machine the
encoding takes more time than it saves.
"""

from __future__ import annotations

import re
import zlib
from enum import Enum

PACKET_SIZE = 0x40000
"""The longest payload taken or sent, in bytes. GDB reads memory in pieces of half of it."""

_DOLLAR, _HASH, _ESCAPE = b"$", b"#", b"}"
_ESCAPED = re.compile(rb"\}(.)", re.DOTALL)
_CHUNK = 256  # 256 * 255 < 65521, so that Adler-32's plain sum does not wrap


class Signal(Enum):
    """What can come between packets, or in place of one."""

    ACK = "+"
    NAK = "-"
    BREAK = "0x03"
    CORRUPT = "a packet whose checksum is wrong"
    OVERSIZE = "a packet longer than PACKET_SIZE"


def checksum(payload: bytes) -> int:
    """Return the sum of all bytes modulo 256."""
    if len(payload) <= _CHUNK:
        return sum(payload) & 0xFF
    view = memoryview(payload)  # Adler-32's low half is 1 + the sum of the bytes, at the speed of C
    return sum((zlib.adler32(view[i : i + _CHUNK]) & 0xFFFF) - 1 for i in range(0, len(payload), _CHUNK)) & 0xFF


def escape(data: bytes) -> bytes:
    """Return binary ``data`` as it may stand in a packet (``*`` too, which would start a run length in an answer)."""
    return data.replace(b"}", b"}]").replace(b"#", b"}\x03").replace(b"$", b"}\x04").replace(b"*", b"}\n")


def unescape(payload: bytes) -> bytes:
    """Undo :func:`escape`."""
    if _ESCAPE not in payload:
        return payload
    return _ESCAPED.sub(lambda match: bytes((match.group(1)[0] ^ 0x20,)), payload)


def frame(payload: bytes) -> bytes:
    """Return ``payload``, in which binary data is escaped already, as a packet."""
    return b"".join((b"$", payload, b"#%02x" % checksum(payload)))


class Framer:
    """Splits a stream of bytes into packets. Holds at most one packet's length of bytes; accepts anything and never
    raises."""

    def __init__(self, limit: int = PACKET_SIZE) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._skipping = False  # inside a packet that is too long

    def feed(self, data: bytes) -> list[bytes | Signal]:
        """Take bytes as they come from the wire; return what they complete: payloads (still escaped) and signals."""
        events: list[bytes | Signal] = []
        buffer = self._buffer
        buffer += data
        position = 0
        while position < len(buffer):
            if self._skipping or buffer[position] == 0x24:
                position, event = self._packet(position)
                if event is None:
                    break
                events.append(event)
                continue
            match buffer[position]:
                case 0x2B:
                    events.append(Signal.ACK)
                case 0x2D:
                    events.append(Signal.NAK)
                case 0x03:
                    events.append(Signal.BREAK)
                case _:
                    pass  # noise on the line
            position += 1
        del buffer[:position]
        return events

    def _packet(self, start: int) -> tuple[int, bytes | Signal | None]:
        """Read the packet at ``start``; return where to continue and what was found (None: it is not complete)."""
        buffer = self._buffer
        end = buffer.find(_HASH, start)
        if end < 0 or end + 3 > len(buffer):
            if end < 0 and len(buffer) - start > self._limit + 1:
                self._skipping = True
                del buffer[start:]
            return start, None
        if self._skipping:
            self._skipping = False
            return end + 3, Signal.OVERSIZE
        start = buffer.rfind(_DOLLAR, start, end) + 1  # a client that was interrupted starts again with `$`
        if end - start > self._limit:
            return end + 3, Signal.OVERSIZE
        payload = bytes(buffer[start:end])
        try:
            good = int(buffer[end + 1 : end + 3], 16) == checksum(payload)
        except ValueError:
            good = False
        return end + 3, payload if good else Signal.CORRUPT
