"""`monitor COMMAND`: qRcmd, answered by O packets as the lines come (GDB manual E.4, qRcmd); and the same for programs."""

from __future__ import annotations

from collections.abc import Iterator

from gdbhv.errors import GdbhvError, PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Monitor


@packet("qRcmd,")
def remote_command(session: Session, args: bytes) -> Iterator[bytes]:
    line = codec.data(args).decode("utf-8", "replace")
    monitor = session.shared.monitor
    if monitor is None:
        raise PacketError("qRcmd", "this server has no monitor commands")
    return _answers(session, monitor, line)


@packet("qGdbhv.monitor:")
def ask(session: Session, args: bytes) -> bytes:
    """gdbhv's own: a command for the thread that is named, answered in one packet: ``=`` and its text, or ``!`` and why not.

    GDB's `monitor` is for the thread of the last Hg, which may not be the one that GDB has selected, and GDB cannot run a
    command while it unwinds. Used by gdbhv/gdbside.
    """
    who, _, text = args.partition(b";")
    monitor = session.shared.monitor
    if monitor is None:
        raise PacketError("qGdbhv.monitor", "this server has no monitor commands")
    thread = session.pick(codec.thread_spec(who)) if session.threads else None
    try:
        answer = "=" + "".join(f"{line}\n" for line in monitor(codec.data(text).decode("utf-8", "replace"), thread))
    except GdbhvError as error:
        answer = f"!{error}"
    session.refresh()
    return answer[:1].encode() + answer[1:].encode().hex().encode()


def _answers(session: Session, monitor: Monitor, command: str) -> Iterator[bytes]:
    """Yield the lines, then OK. A refusal is shown as a line, since GDB 13 prints no text of an error here.

    Whether there is a thread to work on is the command's business: some need none.
    """
    try:
        for line in monitor(command, session.general if session.threads else None):
            yield from codec.console(line + "\n")
    except GdbhvError as error:
        if "error-message" in session.features:
            raise
        yield from codec.console(f"{error}\n")
        yield b"E01"
        return
    session.refresh()
    yield b"OK"
