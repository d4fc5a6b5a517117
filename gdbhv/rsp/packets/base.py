"""The start of a session: qSupported, QStartNoAckMode, extended mode, and packets that need a particular refusal.

Source: GDB manual E.4 "General Query Packets", E.4.1 "Packets".
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp.framing import PACKET_SIZE
from gdbhv.rsp.registry import advertised, packet
from gdbhv.rsp.session import Session


@packet("qSupported", "qSupported:", features="multiprocess+;vContSupported+;error-message+")
def q_supported(session: Session, args: bytes) -> bytes:
    """Replace the client's features of an earlier qSupported; unknown ones are kept and ignored."""
    session.features = {
        name: value or "+"
        for name, _, value in (word.rstrip("+").partition("=") for word in args.decode("ascii", "replace").split(";"))
        if name and not name.endswith("-")
    }
    session.resume_cache.clear()
    back = [] if session.shared.history is None else ["ReverseStep+", "ReverseContinue+"]
    return ";".join([f"PacketSize={PACKET_SIZE:x}", *advertised(), *back]).encode()


@packet("QStartNoAckMode", features="QStartNoAckMode+")
def start_no_ack_mode(session: Session, args: bytes) -> bytes:
    session.start_no_ack()
    return b"OK"


@packet("!")
def extended_mode(session: Session, args: bytes) -> bytes:
    """Serve in extended mode: the server outlives its clients, which may `run` again what they have killed."""
    session.extended = True
    return b"OK"


@packet("vMustReplyEmpty")
def must_reply_empty(session: Session, args: bytes) -> bytes:
    """Answer with an empty packet: an error here ends GDB's connect, "Remote replied unexpectedly"."""
    return b""


@packet("QNonStop:", text_errors=True)
def non_stop(session: Session, args: bytes) -> bytes:
    if args == b"0":
        return b"OK"
    raise PacketError("QNonStop", "non-stop mode is not supported: all vCPUs stop together")
