"""What only LLDB asks: of which form its answers are to be, and what host and process are behind them.

Source: LLDB, docs/lldb-gdb-remote.txt.
"""

from __future__ import annotations

from gdbhv.rsp.packets.breakpoints import LIMIT
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session

_TRIPLE = b"aarch64-unknown-none".hex().encode()
_WORDS = b"triple:%b;endian:little;ptrsize:8;" % _TRIPLE


@packet("QThreadSuffixSupported")
def thread_suffix_supported(session: Session, args: bytes) -> bytes:
    """Answer no. Only LLDB asks, which shows what form of answer to `x` and `p` the client expects."""
    session.suffixes_asked = True
    return b""


@packet("QEnableErrorStrings")
def enable_error_strings(session: Session, args: bytes) -> bytes:
    """Have errors answered with their text: ``E01;`` and hex digits."""
    session.hex_errors = True
    return b"OK"


@packet("qHostInfo")
def host_info(session: Session, args: bytes) -> bytes:
    """Say that a watchpoint stops before its access: LLDB then steps over it to show the new value."""
    return _WORDS + b"ostype:unknown;watchpoint_exceptions_received:before;"


@packet("qProcessInfo")
def process_info(session: Session, args: bytes) -> bytes:
    return b"pid:%x;" % session.general.pid + _WORDS


@packet("qWatchpointSupportInfo:", "qWatchpointSupportInfo")
def watchpoint_support(session: Session, args: bytes) -> bytes:
    return b"num:%d;" % LIMIT
