"""Processes: one for each VM. Attach, detach, kill, run again.

Source: GDB manual E.4.1 (D, vAttach, vKill, vRun, k, R), E.4 (qAttached).
"""

from __future__ import annotations

from gdbhv.errors import GdbhvError, PacketError
from gdbhv.exits.catches import CatchEvents
from gdbhv.rsp import codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Outcome
from gdbhv.target import Stop, StopKind


@packet("qAttached", "qAttached:")
def attached(session: Session, args: bytes) -> bytes:
    """Answer that it was attached to: otherwise GDB would think that it started the machine, and kill it when it quits."""
    return b"1"


@packet("D", "D;")
def detach(session: Session, args: bytes) -> bytes:
    """Detach from one process, or from all, which then continue. The session ends with the last one."""
    pid = _pid(args) if args else None
    if pid is not None and pid not in {process.pid for process in session.processes}:
        raise PacketError("D", f"process {pid} is not attached")
    if pid is None or len(session.processes) <= 1:
        session.clear()
        session.outcome = Outcome.DETACHED
    else:
        _forget(session, pid)
        session.detached.add(pid)
        session.refresh()
    return b"OK"


@packet("vAttach;", text_errors=True)
def attach(session: Session, args: bytes) -> bytes:
    """Answer with a stop of a thread of that process, and select it: GDB asks qC next."""
    pid = _pid(args)
    session.detached.discard(pid)
    session.listed.add(pid)
    session.refresh()
    for process in session.processes:
        if process.pid == pid and process.threads:
            session.general = process.threads[0].id
            return session.stop_answer(Stop(StopKind.STEP, session.general))
    raise PacketError("vAttach", f"there is no VM {pid}: VMs are numbered from 1")


@packet("vKill;", text_errors=True)
def kill_one(session: Session, args: bytes) -> bytes:
    pid = _pid(args)
    if pid not in {process.pid for process in session.processes}:
        raise PacketError("vKill", f"there is no VM {pid}")
    _kill(session, pid)
    return b"OK"


@packet("k")
def kill_all(session: Session, args: bytes) -> None:
    """Switch all off. There is no answer. In extended mode the session continues, for a `run`."""
    for process in tuple(session.processes):
        _kill(session, process.pid)
    if not session.extended:
        session.outcome = Outcome.KILLED


@packet("vRun;", text_errors=True)
def run_again(session: Session, args: bytes) -> bytes:
    """Restart the process that was killed, or has ended, or else is selected; it stops at its first instruction.

    GDB does not show the reason of a refusal ('try "set remote exec-file"?'), so it is logged too.
    """
    file, *words = (codec.data(text) for text in args.split(b";"))
    pid = _to_run(session)
    own = session.shared.exec_file(pid) if session.shared.exec_file is not None else None
    try:
        if file and file.decode("utf-8", "replace") != own:
            raise PacketError("vRun", "what runs is given on gdbhv's command line: `set remote exec-file` must be empty")
        if any(words):
            raise PacketError("vRun", "a machine takes no arguments: --append of gdbhv's command line is the kernel's")
        session.shared.restart(pid)
    except GdbhvError as error:
        session.shared.counted.warn(f"`run`: {error}")
        raise
    session.detached.discard(pid)
    session.killed = None
    session.refresh()
    session.general = next(thread for thread in session.threads if thread.pid == pid)
    return session.stop_answer(Stop(StopKind.STEP, session.general))


@packet("R")
def restart(session: Session, args: bytes) -> None:
    """Restart everything. There is no answer, so GDB sends it only to servers without vRun."""
    session.shared.restart(None)
    session.refresh()


def _to_run(session: Session) -> int:
    alive = {process.pid for process in session.shared.alive()}
    last = session.shared.last_stop
    if session.killed is not None and session.killed not in alive:
        return session.killed
    if last is not None and last.thread.pid not in alive:
        return last.thread.pid
    return session.general.pid if session.threads else 1


def _forget(session: Session, pid: int) -> None:
    for row in [row for row in session.breakpoints if row[0] == pid]:
        session.target.remove_breakpoint(*row)
        del session.breakpoints[row]
    session.target.catch_exits(pid, CatchEvents())


def _kill(session: Session, pid: int) -> None:
    _forget(session, pid)
    session.target.end(pid)
    session.killed = pid
    session.refresh()


def _pid(text: bytes) -> int:
    return codec.number(text, 1 << 31)
