"""`monitor COMMAND`: qRcmd, answered by O packets as the lines come (GDB manual E.4, qRcmd); and the same for programs."""

from __future__ import annotations

from collections.abc import Iterable

from gdbhv.errors import CommandError, GdbhvError, PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.registry import Stream, packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Monitor

LONGEST = 16 << 20
"""Characters that qGdbhv.monitor answers in one packet."""


@packet("qRcmd,")
def remote_command(session: Session, args: bytes) -> Stream:
    line = codec.data(args).decode("utf-8", "replace")
    monitor = session.shared.monitor
    if monitor is None:
        raise PacketError("qRcmd", "this server has no monitor commands")
    return _answers(session, monitor, line)


@packet("qGdbhv.monitor:")
def ask(session: Session, args: bytes) -> Stream:
    """Run a command for the given thread: a packet of gdbhv's own.

    The answer is one packet: ``=`` and the command's output, or ``!`` and the error.

    GDB's `monitor` is for the thread of the last Hg, which may not be the one that GDB has selected, and GDB cannot run a
    command while it unwinds. Used by gdbhv/gdbside.
    """
    who, _, text = args.partition(b";")
    monitor = session.shared.monitor
    if monitor is None:
        raise PacketError("qGdbhv.monitor", "this server has no monitor commands")
    thread = session.pick(codec.thread_spec(who)) if session.threads else None
    return _answer(session, monitor(codec.data(text).decode("utf-8", "replace"), thread))


def _answer(session: Session, lines: Iterable[str | None]) -> Stream:
    """Yield None while the command works, and then its whole output in one answer."""
    said: list[str] = []
    size = 0
    try:
        for line in lines:
            if line is not None:
                said.append(f"{line}\n")
                size += len(said[-1])
            if size > LONGEST:
                raise CommandError(f"the answer is longer than {LONGEST >> 20} MiB: `monitor` shows it, as it comes")
            yield None
        answer = "=" + "".join(said)
    except GdbhvError as error:
        answer = f"!{error}"
    session.refresh()
    yield answer[:1].encode() + answer[1:].encode().hex().encode()


def _answers(session: Session, monitor: Monitor, command: str) -> Stream:
    """Yield the lines, then OK. A refusal is shown as a line, since GDB 13 does not print the text of an error here.

    The command itself checks whether there is a thread, since some commands need none.
    """
    try:
        for line in monitor(command, session.general if session.threads else None):
            if line is None:
                yield None
            else:
                yield from codec.console(line + "\n")
    except GdbhvError as error:
        if "error-message" in session.features:
            raise
        yield from codec.console(f"{error}\n")
        yield b"E01"
        return
    session.refresh()
    yield b"OK"
