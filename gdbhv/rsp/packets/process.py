"""Processes: one for each VM. Attach, detach, kill, and why there is no `run`.

Source: GDB manual E.4.1 (D, vAttach, vKill, vRun, k, R), E.4 (qAttached).
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Outcome
from gdbhv.target import CatchEvents, Stop, StopKind


@packet("qAttached", "qAttached:")
def attached(session: Session, args: bytes) -> bytes:
    """Always yes: otherwise GDB believes that it started the machine, and kills it when it quits."""
    return b"1"


@packet("D", "D;")
def detach(session: Session, args: bytes) -> bytes:
    """Let go of one process, or of all: they run on. The session ends with the last one."""
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
    _forget(session, pid)
    _kill(session, pid)
    return b"OK"


@packet("k")
def kill_all(session: Session, args: bytes) -> None:
    """End the machine. There is no answer."""
    session.clear()
    for process in tuple(session.processes):
        _kill(session, process.pid)
    session.outcome = Outcome.KILLED


@packet("vRun;", text_errors=True)
def run_refused(session: Session, args: bytes) -> bytes:
    raise PacketError("vRun", "the machine is loaded already: use `continue`; start gdbhv again for a fresh one")


@packet("R")
def restart_refused(session: Session, args: bytes) -> None:
    """R has no answer, and nothing happens: GDB sends it only where vRun is unknown."""


def _forget(session: Session, pid: int) -> None:
    for row in [row for row in session.breakpoints if row[0] == pid]:
        session.target.remove_breakpoint(*row)
        del session.breakpoints[row]
    session.target.catch_exits(pid, CatchEvents())


def _kill(session: Session, pid: int) -> None:
    session.shared.gone.add(pid)
    session.refresh()


def _pid(text: bytes) -> int:
    return codec.number(text, 1 << 31)
