"""Going back: bs and bc.

Source: GDB manual E.1 "Packets" (bs, bc), E.3 "Stop Reply Packets" (replaylog), 6 "Running programs backward".  Hc says
which thread is stepped; everything else is then where it was at that place.
"""

from __future__ import annotations

from functools import partial

from gdbhv.errors import PacketError
from gdbhv.history import Backward
from gdbhv.rsp.agent import reported
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Run
from gdbhv.target import Stop, StopKind

_WATCHES = {StopKind.WATCH, StopKind.RWATCH, StopKind.AWATCH}


@packet("bs", text_errors=True)
def step_back(session: Session, args: bytes) -> None:
    spec = session.continue_thread
    thread = session.pick(spec) if spec.tid > 0 else session.general
    backward = _backward(session, "bs")
    _start(session, Run((), backward.knows_step(thread), back=partial(backward.step, thread)))


@packet("bc", text_errors=True)
def continue_back(session: Session, args: bytes) -> None:
    _start(session, Run((), brief=False, back=partial(_run_back, _backward(session, "bc"), session)))


def _run_back(backward: Backward, session: Session) -> Stop:
    """Go back to the last stop: for a watchpoint to behind its access.

    GDB takes it that an AArch64 has not made an access that it stops for, and steps before it looks at the value: back, too.
    """
    stop = backward.run(partial(_wanted, session))
    if stop.kind in _WATCHES:
        backward.step_forward(stop.thread)
    return stop


def _backward(session: Session, name: str) -> Backward:
    if session.shared.backward is None:
        raise PacketError(name, "nothing is kept of what the machine has done (`gdbhv run --no-history`)")
    return session.shared.backward


def _start(session: Session, run: Run) -> None:
    session.catching = False
    session.run = run


def _wanted(session: Session, stop: Stop) -> bool:
    """Tell whether a stop is one to the debugger: the condition of its breakpoint holds, and it does not merely print."""
    return reported(stop, session.breakpoints, session.target, session.shared.description, lambda text: None)
