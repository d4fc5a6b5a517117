"""The small encodings that packets share: hex numbers, thread ids, address and length, windows of documents.

Every parser accepts any bytes and raises only :class:`gdbhv.errors.PacketError`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from gdbhv.errors import PacketError
from gdbhv.rsp.framing import PACKET_SIZE
from gdbhv.target import ThreadId

ADDRESS_LIMIT = 1 << 64
WINDOW = PACKET_SIZE // 2 - 1
"""The number of bytes that fit into one answer even if all of them have to be escaped."""
_TEXT_LIMIT = PACKET_SIZE // 16  # characters of output in one O packet
_HEX = re.compile(rb"[0-9a-fA-F]+")
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def number(text: bytes, limit: int = ADDRESS_LIMIT) -> int:
    """Return an unsigned big-endian hex number below ``limit``."""
    if not _HEX.fullmatch(text) or len(text) > 32 or (value := int(text, 16)) >= limit:
        raise PacketError(_show(text), f"malformed number '{_show(text)}'")
    return value


def pair(text: bytes, separator: bytes = b",") -> tuple[int, int]:
    """Return the two numbers of ``address,length``."""
    first, found, second = text.partition(separator)
    if not found:
        raise PacketError(_show(text), f"'{_show(text)}' lacks '{separator.decode()}' between two numbers")
    return number(first), number(second)


def data(text: bytes) -> bytes:
    """Return the bytes of a hex string."""
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise PacketError(_show(text), "malformed hex data") from None


def register(value: int, size: int) -> bytes:
    """Return a register of ``size`` bytes as it goes over the wire: hex in the target's byte order, little endian."""
    return value.to_bytes(size, "little").hex().encode()


def window(args: bytes, document: bytes) -> bytes:
    """Return the part ``offset,length`` of a ``qXfer`` document: ``m`` (more follows) or ``l`` (last), then raw bytes."""
    offset, length = pair(args)
    length = min(length, WINDOW)
    part = document[offset : offset + length]
    return (b"m" if offset + length < len(document) else b"l") + part


def crc32(chunk: bytes, state: int = 0xFFFFFFFF) -> int:
    """Return the CRC of qCRC (polynomial 0x04c11db7, most significant bit first, no final inversion) over ``chunk``.

    zlib has the mirror image of it; ``state`` is the CRC so far.
    """
    mirrored = int(f"{state:032b}"[::-1], 2) ^ 0xFFFFFFFF
    return int(f"{zlib.crc32(chunk.translate(_REVERSED_BITS), mirrored) ^ 0xFFFFFFFF:032b}"[::-1], 2)


ALL, ANY = -1, 0


@dataclass(frozen=True)
class ThreadSpec:
    """A thread-id of a packet: numbers from 1, :data:`ALL` or :data:`ANY`."""

    pid: int
    tid: int

    def matches(self, thread: ThreadId) -> bool:
        """Tell whether ``thread`` is meant (ANY counts as all)."""
        return (self.pid <= 0 or self.pid == thread.pid) and (self.tid <= 0 or self.tid == thread.tid)


_FLAT_SHIFT = 8  # without multiprocess, vCPU t of VM p is the thread (p-1) << 8 | t


def thread_spec(text: bytes) -> ThreadSpec:
    """Parse ``p<pid>.<tid>``, ``p<pid>`` (all of its threads) or ``<tid>`` (GDB manual E.2, "thread-id syntax")."""
    if text.startswith(b"p"):
        pid_text, found, tid_text = text[1:].partition(b".")
        pid = _signed(pid_text)
        return ThreadSpec(pid, _signed(tid_text) if found else ALL)
    tid = _signed(text)
    if tid <= 0:
        return ThreadSpec(tid, tid)
    return ThreadSpec((tid >> _FLAT_SHIFT) + 1, tid & ((1 << _FLAT_SHIFT) - 1))


def thread_id(thread: ThreadId, multiprocess: bool) -> bytes:
    """Return a thread as the client of a session writes it."""
    if multiprocess:
        return b"p%x.%x" % (thread.pid, thread.tid)
    return b"%x" % ((thread.pid - 1) << _FLAT_SHIFT | thread.tid)


def _signed(text: bytes) -> int:
    return ALL if text == b"-1" else number(text, 1 << 31)


def _show(text: bytes) -> str:
    return text[:40].decode("ascii", "replace")


def console(text: str) -> Iterator[bytes]:
    """Yield ``text`` as O packets."""
    for start in range(0, len(text), _TEXT_LIMIT):
        yield b"O" + text[start : start + _TEXT_LIMIT].encode("utf-8", "backslashreplace").hex().encode()
