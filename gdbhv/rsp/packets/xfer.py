"""Documents that GDB reads in windows: qXfer (GDB manual E.4, qXfer; framing of windows in ``codec.window``)."""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.framing import escape
from gdbhv.rsp.packets.threads import threads_xml
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session


@packet("qXfer:features:read:", features="qXfer:features:read+")
def features(session: Session, args: bytes) -> bytes:
    annex, _, rest = args.partition(b":")
    if annex != b"target.xml":
        raise PacketError("qXfer:features", "the only description is target.xml")
    return escape(codec.window(rest, session.shared.description.xml))


@packet("qXfer:threads:read::", features="qXfer:threads:read+")
def threads(session: Session, args: bytes) -> bytes:
    """Make the list at the first window, and keep it for the next ones, so that they are consistent."""
    if codec.pair(args)[0] == 0:
        session.threads_document = threads_xml(session)
    return escape(codec.window(args, session.threads_document))


_QUARTER = 1 << 62  # a length of 1 << 63 is negative to GDB 13 and 18, which then run out of memory at a read that fails
_RAM = "".join(f'<memory type="ram" start="{n * _QUARTER:#x}" length="{_QUARTER:#x}"/>\n' for n in range(4))
_MEMORY_MAP = f"""<?xml version="1.0"?>
<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" "http://sourceware.org/gdb/gdb-memory-map.dtd">
<memory-map>
{_RAM}</memory-map>
""".encode()


@packet("qXfer:memory-map:read::", features="qXfer:memory-map:read+")
def memory_map(session: Session, args: bytes) -> bytes:
    """Return all addresses as RAM.

    GDB asks once, refuses addresses outside of the map by itself, and they are virtual: which exist, and what is behind
    them, changes with the tables that are in use. The answers to reads and writes say it (GDB manual, "Memory Map Format").
    """
    return escape(codec.window(args, _MEMORY_MAP))


@packet("qXfer:exec-file:read:", features="qXfer:exec-file:read+")
def exec_file(session: Session, args: bytes) -> bytes:
    """Return the image's path; the annex is the process. Without vFile, GDB opens the path on its own machine."""
    annex, _, rest = args.partition(b":")
    pid = codec.number(annex, 1 << 31) if annex else session.general.pid
    path = session.shared.exec_file(pid) if session.shared.exec_file is not None else None
    if path is None:
        raise PacketError("qXfer:exec-file", f"no ELF file is known for VM {pid}: use `file` or `symbol-file`")
    return escape(codec.window(rest, path.encode()))
