"""Registers: all of the core ones by g and G, any one by p and P.

Source: GDB manual E.4.1 "Packets".  A register that cannot be read answers ``xx..``, which GDB shows as ``<unavailable>``;
an error would end the listing of ``info registers``. The reason is kept for ``monitor why``.
"""

from __future__ import annotations

from gdbhv.errors import GdbhvError, PacketError, RegisterError
from gdbhv.rsp import codec, tdesc
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session


@packet("g", text_errors=True)
def read_all(session: Session, args: bytes) -> bytes:
    return session.target.read_core(session.general).hex().encode()


@packet("G", text_errors=True)
def write_all(session: Session, args: bytes) -> bytes:
    """Write only the registers that differ, since a write may legalize the value; all of them, or none."""
    new = codec.data(args)
    thread = session.general
    old = session.target.read_core(thread)
    if len(new) < len(old):
        raise PacketError("G", f"G needs {len(old)} bytes of registers, not {len(new)}")
    offset = 0
    written: list[tuple[str | int, bytes]] = []
    for number in range(tdesc.CPSR + 1):
        name, size = _find(session, number)
        value, before = new[offset : offset + size], old[offset : offset + size]
        if value != before:
            try:
                session.target.write_register(thread, name, int.from_bytes(value, "little"))
            except GdbhvError:
                for undone, back in reversed(written):
                    session.target.write_register(thread, undone, int.from_bytes(back, "little"))
                raise
            written.append((name, before))
        offset += size
    return b"OK"


@packet("p", text_errors=True)
def read_one(session: Session, args: bytes) -> bytes:
    name, size = _find(session, codec.number(args))
    try:
        return codec.register(session.target.read_register(session.general, name), size)
    except RegisterError as error:
        if session.suffixes_asked:  # LLDB takes the x for digits
            raise
        session.note_refusal(str(error))
        return b"xx" * size


@packet("P", text_errors=True)
def write_one(session: Session, args: bytes) -> bytes:
    """Write one register. The answer is never OK if the write was ignored."""
    number, _, text = args.partition(b"=")
    name, size = _find(session, codec.number(number))
    value = codec.data(text)
    if len(value) != size:
        raise PacketError("P", f"register {name} has {size} bytes, not {len(value)}")
    session.target.write_register(session.general, name, int.from_bytes(value, "little"))
    return b"OK"


def _find(session: Session, number: int) -> tuple[str | int, int]:
    found = session.shared.description.find(number)
    if found is None:
        raise PacketError("p", f"no register has the number 0x{number:x}")
    return found
