"""Memory, as the selected thread sees it: m and x read, M and X write, and qSearch and qCRC, which work without a transfer.

Source: GDB manual E.4.1 "Packets", E.4 (qCRC, qSearch:memory).
"""

from __future__ import annotations

from collections.abc import Iterator

from gdbhv.errors import MemoryError_, PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.framing import PACKET_SIZE, escape, unescape
from gdbhv.rsp.registry import Stream, packet
from gdbhv.rsp.session import Session

_CHUNK = 1 << 16
_SCAN_LIMIT = 1 << 30  # bytes that one qSearch or qCRC may cover, which takes some seconds


@packet("m")
def read_hex(session: Session, args: bytes) -> bytes:
    address, length = codec.pair(args)
    return _read(session, address, min(length, PACKET_SIZE // 2)).hex().encode()


@packet("x", features="binary-upload+")
def read_binary(session: Session, args: bytes) -> bytes:
    """Read in binary. GDB 16 expects a ``b`` before the data, LLDB does not."""
    address, length = codec.pair(args)
    data = escape(_read(session, address, min(length, codec.WINDOW)))
    return data if session.suffixes_asked else b"b" + data


@packet("M")
def write_hex(session: Session, args: bytes) -> bytes:
    head, _, text = args.partition(b":")
    return _write(session, head, codec.data(text))


@packet("X")
def write_binary(session: Session, args: bytes) -> bytes:
    """Write in binary. GDB first sends X without data, to learn whether it is supported."""
    head, _, text = args.partition(b":")
    return _write(session, head, unescape(text))


@packet("qSearch:memory:", features="qSearch:memory+")
def search(session: Session, args: bytes) -> Stream:
    head, _, rest = args.partition(b";")
    length_text, _, pattern_text = rest.partition(b";")
    start, length, pattern = codec.number(head), codec.number(length_text), unescape(pattern_text)
    if not pattern:
        raise PacketError("qSearch:memory", "an empty pattern")
    _check_scan("qSearch:memory", length)
    return _search(session, start, length, pattern)


def _search(session: Session, start: int, length: int, pattern: bytes) -> Stream:
    before, position = b"", start
    for chunk in _chunks(session, start, length):
        found = (before + chunk).find(pattern)
        if found >= 0:
            yield b"1,%x" % (position - len(before) + found)
            return
        yield None
        position += len(chunk)
        before = (before + chunk)[max(0, len(before) + len(chunk) - len(pattern) + 1) :]
    yield b"0"


@packet("qCRC:")
def crc(session: Session, args: bytes) -> Stream:
    address, length = codec.pair(args)
    _check_scan("qCRC", length)
    return _crc(session, address, length)


def _crc(session: Session, address: int, length: int) -> Stream:
    state, done = 0xFFFFFFFF, 0
    for chunk in _chunks(session, address, length):
        state = codec.crc32(chunk, state)
        done += len(chunk)
        yield None
    if done < length:
        raise MemoryError_(address + done, "the memory ends here")
    yield b"C%x" % state


def _read(session: Session, address: int, length: int) -> bytes:
    return session.read_memory(address, length) if length else b""


def _write(session: Session, head: bytes, data: bytes) -> bytes:
    address, length = codec.pair(head)
    if length != len(data):
        raise PacketError("M", f"{len(data)} bytes came where {length} were said")
    if data:
        session.target.write_memory(session.general, address, data)
    return b"OK"


def _chunks(session: Session, address: int, length: int) -> Iterator[bytes]:
    """Yield memory piece by piece, up to its end."""
    length = min(length, codec.ADDRESS_LIMIT - address)
    while length > 0:
        size = min(_CHUNK - address % _CHUNK, length)
        try:
            chunk = session.read_memory(address, size)
        except MemoryError_:
            return
        yield chunk
        if len(chunk) < size:
            return
        address, length = address + size, length - size


def _check_scan(name: str, length: int) -> None:
    if length > _SCAN_LIMIT:
        raise PacketError(name, f"0x{length:x} bytes are more than one {name} covers (0x{_SCAN_LIMIT:x})")
