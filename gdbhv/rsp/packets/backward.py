"""Going back: bs and bc.

Source: GDB manual E.1 "Packets" (bs, bc), E.3 "Stop Reply Packets" (replaylog), 6 "Running programs backward".  Hc says
which thread is stepped; everything else is then where it was at that place.  Without a history there are no such packets.
"""

from __future__ import annotations

from functools import partial

from gdbhv.history import Backward
from gdbhv.rsp.agent import reported
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Run
from gdbhv.target import Stop, StopKind

_WATCHES = {StopKind.WATCH, StopKind.RWATCH, StopKind.AWATCH}


@packet("bs")
def step_back(session: Session, args: bytes) -> bytes | None:
    if (backward := session.shared.backward) is None:
        return b""
    spec = session.continue_thread
    thread = session.pick(spec) if spec.tid > 0 else session.general
    _start(session, Run((), backward.knows_step(thread), back=partial(backward.step, thread)))
    return None


@packet("bc")
def continue_back(session: Session, args: bytes) -> bytes | None:
    if (backward := session.shared.backward) is None:
        return b""
    _start(session, Run((), brief=False, back=partial(_run_back, backward, session)))
    return None


def _run_back(backward: Backward, session: Session) -> Stop:
    """Go back to the last stop: for a watchpoint to behind its access.

    GDB takes it that an AArch64 has not made an access that it stops for, and steps before it looks at the value: back, too.
    """
    stop = backward.run(partial(_wanted, session))
    if stop.kind in _WATCHES:
        backward.step_forward(stop.thread)
    return stop


def _start(session: Session, run: Run) -> None:
    session.catching = False
    session.run = run


def _wanted(session: Session, stop: Stop) -> bool:
    """Tell whether a stop is one to the debugger: the condition of its breakpoint holds, and it does not merely print."""
    return reported(stop, session.breakpoints, session.target, session.shared.description, lambda text: None)
