"""Resuming: vCont, the older c, s, C and S, `?`, and QEMU's packets about single steps.

Source: GDB manual E.4.1 (vCont), E.3 "Stop Reply Packets".  Signals mean nothing to a machine: C and S are c and s.  For
each thread the leftmost action that names it applies, and a thread that none names stays stopped: GDB steps over a
breakpoint with ``vCont;s:p1.1`` alone.  VMs from which the debugger has detached run whenever anything runs.
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp import codec
from gdbhv.rsp.codec import ALL, ThreadSpec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Run
from gdbhv.target import Action, Stop, StopKind

_EVERY = ThreadSpec(ALL, ALL)
_CACHE_LIMIT = 64
_ACTIONS_LIMIT = 1024  # in one packet: more than there can be threads


@packet("?")
def why_stopped(session: Session, args: bytes) -> bytes:
    session.refresh()
    if not session.threads:
        return b"W00"
    stop = session.shared.last_stop
    if stop is None or stop.kind is StopKind.POWEROFF or stop.thread not in session.threads:
        stop = Stop(StopKind.STEP, session.general)
    session.general = stop.thread
    return session.stop_answer(Stop(StopKind.STEP, stop.thread))


@packet("vCont?")
def actions_supported(session: Session, args: bytes) -> bytes:
    return b"vCont;c;C;s;S;t;r"


@packet("vCont;", text_errors=True)
def resume(session: Session, args: bytes) -> bytes | None:
    run = session.resume_cache.get(args)
    if run is None:
        if (count := args.count(b";") + 1) > _ACTIONS_LIMIT:
            raise PacketError("vCont", f"vCont takes up to {_ACTIONS_LIMIT} actions, not {count}")
        run = _resolve(session, [_action(text) for text in args.split(b";")])
        if len(session.resume_cache) < _CACHE_LIMIT and b"r" not in args:  # the same range rarely comes twice
            session.resume_cache[args] = run
    return _start(session, run)


@packet("vCtrlC")
def ctrl_c(session: Session, args: bytes) -> bytes:
    """Answer the packet of non-stop mode; nothing runs while packets are handled."""
    return b"OK"


@packet("c", text_errors=True)
def continue_plain(session: Session, args: bytes) -> bytes | None:
    return _plain(session, args, b"c")


@packet("C", text_errors=True)
def continue_with_signal(session: Session, args: bytes) -> bytes | None:
    return _plain(session, args, b"C")


@packet("s", text_errors=True)
def step_plain(session: Session, args: bytes) -> bytes | None:
    return _plain(session, args, b"s")


@packet("S", text_errors=True)
def step_with_signal(session: Session, args: bytes) -> bytes | None:
    return _plain(session, args, b"S")


# The bits of Qqemu.sstep (QEMU manual, "Changing single-stepping behaviour"). There is no NOTIMER: time passes in a step.
_ENABLE, _NOIRQ = 1, 2


@packet("qqemu.sstepbits")
def step_bits(session: Session, args: bytes) -> bytes:
    return b"ENABLE=%d,NOIRQ=%d" % (_ENABLE, _NOIRQ)


@packet("qqemu.sstep")
def how_steps_are(session: Session, args: bytes) -> bytes:
    return b"0x%x" % (_ENABLE if session.target.stepping.interrupts else _ENABLE | _NOIRQ)


@packet("Qqemu.sstep=")
def set_how_steps_are(session: Session, args: bytes) -> bytes:
    value = codec.number(args.removeprefix(b"0x"))
    if value not in (_ENABLE, _ENABLE | _NOIRQ):
        raise PacketError(
            "Qqemu.sstep", f"steps are 1 (ENABLE) or 3 (and NOIRQ), not {value:#x}: virtual time passes in each"
        )
    session.target.stepping.interrupts = not value & _NOIRQ
    return b"OK"


def _plain(session: Session, args: bytes, kind: bytes) -> bytes | None:
    """``c [addr]``, ``C sig[;addr]``: of the threads that Hc chose; ``s`` of one thread."""
    address = args.rpartition(b";")[2] if b";" in args or kind in b"cs" else b""
    if address:
        session.target.write_register(session.general, "pc", codec.number(address))
    spec = session.continue_thread
    if kind in b"sS":
        one = session.pick(spec) if spec.tid > 0 else session.general
        spec = ThreadSpec(one.pid, one.tid)
    return _start(session, _resolve(session, [(kind.lower(), None, spec)]))


_Choice = tuple[bytes, tuple[int, int] | None, ThreadSpec]  # letter, range, whose


def _action(text: bytes) -> _Choice:
    what, found, who = text.partition(b":")
    spec = codec.thread_spec(who) if found else _EVERY
    letter, rest = what[:1], what[1:]
    if letter in (b"c", b"s", b"t") and not rest:
        return letter, None, spec
    if letter in (b"C", b"S") and len(rest) == 2:
        codec.number(rest)
        return letter.lower(), None, spec
    if letter == b"r":
        return letter, codec.pair(rest), spec
    raise PacketError("vCont", f"vCont has no action '{what[:20].decode('ascii', 'replace')}'")


def _resolve(session: Session, choices: list[_Choice]) -> Run:
    """Give each thread its leftmost action."""
    session.refresh()
    actions: list[Action] = []
    named = False
    for thread in session.threads:
        for letter, limits, spec in choices:
            if spec.matches(thread):
                named = True
                if letter != b"t":
                    actions.append(Action(thread, step=letter != b"c", range=limits))
                break
    if not named:
        session.pick(choices[0][2])  # raises: there is no such thread
    if actions:
        actions += [Action(thread) for thread in session.free_threads()]
    alone = len(choices) == 1 and len(actions) == 1 and actions[0].step
    step = any(action.step for action in actions)
    if not step:  # gdb steps over a breakpoint without it
        session.target.asked = set(session.breakpoints)
    return Run(tuple(actions), step, alone)


def _start(session: Session, run: Run) -> bytes | None:
    if not run.actions:  # only `t`, which belongs to non-stop mode: nothing moves
        return session.stop_answer(Stop(StopKind.STEP, session.general))
    session.catching = False
    for note in session.notes.take():
        session.say(note + "\n")
    if not session.report_late():
        session.run = run
    return None
