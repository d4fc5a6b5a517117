"""Threads: the vCPUs. Lists, names, liveness and the selection by H.

Source: GDB manual E.4.1 "Packets" (H, T), E.4 "General Query Packets" (qC, qfThreadInfo, qThreadExtraInfo), E.4.10 "Thread
List Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from gdbhv.errors import PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.target import Thread


@packet("H")
def select(session: Session, args: bytes) -> bytes:
    spec = codec.thread_spec(args[1:])
    match args[:1]:
        case b"g":
            session.select(spec)
        case b"c":
            session.continue_thread = spec
        case _:
            raise PacketError("H", "H selects for operation g or c")
    return b"OK"


@packet("T")
def alive(session: Session, args: bytes) -> bytes:
    _find(session, args)
    return b"OK"


@packet("qC")
def current(session: Session, args: bytes) -> bytes:
    return b"QC" + session.write_id(session.current)


@packet("qfThreadInfo")
def first_threads(session: Session, args: bytes) -> bytes:
    """Return all threads in one answer, in which 60,000 would fit."""
    session.refresh()
    return b"m" + b",".join(map(session.write_id, session.threads)) if session.threads else b"l"


@packet("qsThreadInfo")
def more_threads(session: Session, args: bytes) -> bytes:
    return b"l"


@packet("qThreadExtraInfo,")
def extra_info(session: Session, args: bytes) -> bytes:
    thread = _find(session, args)
    return f"{thread.name} ({thread.extra})".encode().hex().encode()


def threads_xml(session: Session) -> bytes:
    """Return the document of qXfer:threads: what `info threads` shows as ``"vcpu0" (EL1h, running)``."""
    session.refresh()

    def lines() -> Iterator[str]:
        yield '<?xml version="1.0"?>'
        yield "<threads>"
        for process in session.processes:
            for thread in process.threads:
                name = f"{process.name}/{thread.name}" if len(session.processes) > 1 else thread.name
                core = "" if thread.cpu is None else f' core="{thread.cpu}"'
                ident = session.write_id(thread.id).decode()
                yield f'<thread id="{ident}"{core} name={quoteattr(name)}>{escape(thread.extra)}</thread>'
        yield "</threads>"

    return "\n".join(lines()).encode()


def _find(session: Session, text: bytes) -> Thread:
    session.refresh()
    spec = codec.thread_spec(text)
    for process in session.processes:
        for thread in process.threads:
            if spec.matches(thread.id):
                return thread
    raise PacketError("T", f"no thread {text.decode('ascii', 'replace')}")
