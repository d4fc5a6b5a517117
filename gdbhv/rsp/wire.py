"""The log of a session's packets, at level DEBUG of the logger "gdbhv.rsp.wire": a transcript in the language of
``tests/rsp/*.rsp``::

    > payload         a packet from the debugger         < payload         one to it
    >> \\x03           Ctrl-C                             > (...)           what came is no packet

Backslash escapes what is not printable, ``...`` stands where a long packet is cut.
"""

from __future__ import annotations

import logging

from gdbhv.rsp.framing import Signal

WIRE = logging.getLogger("gdbhv.rsp.wire")
_LIMIT = 2048  # bytes of a packet


def heard(event: bytes | Signal) -> None:
    """Log what came from the debugger."""
    if WIRE.isEnabledFor(logging.DEBUG):
        if event is Signal.BREAK:
            WIRE.debug(">> \\x03")
        else:
            WIRE.debug("> %s", _shown(event) if isinstance(event, bytes) else f"({event.value})")


def sent(payload: bytes) -> None:
    """Log what goes to the debugger."""
    if WIRE.isEnabledFor(logging.DEBUG):
        WIRE.debug("< %s", _shown(payload))


def _shown(payload: bytes) -> str:
    text = payload[:_LIMIT].decode("latin-1").encode("unicode_escape").decode()
    return text if len(payload) <= _LIMIT else f"{text}..."
