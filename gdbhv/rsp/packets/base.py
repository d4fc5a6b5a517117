"""Hello and modes: qSupported, QStartNoAckMode, extended mode, and the packets that must be refused properly.

Source: GDB manual E.4 "General Query Packets", E.4.1 "Packets".
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp.framing import PACKET_SIZE
from gdbhv.rsp.registry import advertised, packet
from gdbhv.rsp.session import Session


@packet("qSupported", "qSupported:", features="multiprocess+;vContSupported+;error-message+")
def q_supported(session: Session, args: bytes) -> bytes:
    """Replace the client's features of an earlier qSupported; unknown ones are kept and never looked at."""
    session.features = {
        name: value or "+"
        for name, _, value in (word.rstrip("+").partition("=") for word in args.decode("ascii", "replace").split(";"))
        if name and not name.endswith("-")
    }
    session.resume_cache.clear()
    return ";".join([f"PacketSize={PACKET_SIZE:x}", *advertised()]).encode()


@packet("QStartNoAckMode", features="QStartNoAckMode+")
def start_no_ack_mode(session: Session, args: bytes) -> bytes:
    session.start_no_ack()
    return b"OK"


@packet("!")
def extended_mode(session: Session, args: bytes) -> bytes:
    """Serve in extended mode, as a server that outlives its clients does: what they kill they may run again."""
    session.extended = True
    return b"OK"


@packet("vMustReplyEmpty")
def must_reply_empty(session: Session, args: bytes) -> bytes:
    """Answer nothing: an error here ends GDB's connect, "Remote replied unexpectedly"."""
    return b""


@packet("QNonStop:", text_errors=True)
def non_stop(session: Session, args: bytes) -> bytes:
    if args == b"0":
        return b"OK"
    raise PacketError("QNonStop", "non-stop mode is not supported: all vCPUs stop together")


@packet("QThreadSuffixSupported")
def thread_suffix_supported(session: Session, args: bytes) -> bytes:
    """Answer LLDB, which alone asks, with no; its question says which form of `x` answers it expects."""
    session.suffixes_asked = True
    return b""
