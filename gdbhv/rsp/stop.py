"""Stop replies: what a :class:`gdbhv.target.Stop` looks like to GDB (GDB manual E.3 "Stop Reply Packets").

::

    T 05 swbreak:; 1d:..;1e:..;1f:..;20:..;21:..; thread:p1.1;
      |  why        x29   x30   sp    pc    cpsr

The registers that GDB wants after every stop come along, which saves it a `g` (1.7 times the steps a second with GDB 13).
"""

from __future__ import annotations

from gdbhv.exits.catches import ENTRY_AFTER
from gdbhv.target import Stop, StopKind

SIGINT, SIGTRAP, SIGABRT, SIGWINCH = 2, 5, 6, 28  # as GDB numbers them

FAILED = 1
"""The exit code, to GDB, of a VM that did not end by switching itself off."""

_SIGNALS = {StopKind.INTERRUPT: SIGINT, StopKind.CRASH: SIGABRT}

# Named by GDB number, at these bytes of read_core()'s answer.
_EXPEDITED = (*((b"%02x:" % n, n * 16, n * 16 + 16) for n in (29, 30, 31, 32)), (b"21:", 33 * 16, 33 * 16 + 8))

_WATCHES = {StopKind.WATCH: b"watch", StopKind.RWATCH: b"rwatch", StopKind.AWATCH: b"awatch"}
_HISTORY = {StopKind.BEGINNING: b"replaylog:begin;", StopKind.PRESENT: b"replaylog:end;"}
_BREAKS = {StopKind.SW_BREAK: b"swbreak:;", StopKind.HW_BREAK: b"hwbreak:;"}


def exit_number(stop: Stop) -> int | None:
    """Return the number that ``catch syscall`` knows this stop by, or None if it is neither exit nor entry."""
    if stop.exit is None or "number" not in stop.exit:
        return None
    number = int(stop.exit["number"])
    return number + ENTRY_AFTER if stop.kind is StopKind.ENTRY else number


def stop_reply(stop: Stop, thread: bytes, core: bytes, swbreak: bool, hwbreak: bool, catches: bool) -> bytes:
    """Return the ``T`` packet for a stop of ``thread`` whose core registers are ``core``.

    ``swbreak`` and ``hwbreak``: the client knows these words, and without that they are errors to it; ``catches``: the
    client asked for this exit with QCatchSyscalls (it silently resumes from those that it did not ask for).
    """
    parts = [b"T%02x" % _SIGNALS.get(stop.kind, SIGTRAP)]
    kind = stop.kind
    if kind in _WATCHES:
        parts.append(b"%b:%x;" % (_WATCHES[kind], stop.address or 0))
    elif kind in _HISTORY:
        parts.append(_HISTORY[kind])
    elif (kind is StopKind.SW_BREAK and swbreak) or (kind is StopKind.HW_BREAK and hwbreak):
        parts.append(_BREAKS[kind])
    elif catches and (number := exit_number(stop)) is not None:
        parts.append(b"%b:%x;" % (b"syscall_return" if kind is StopKind.ENTRY else b"syscall_entry", number))
    text = core.hex().encode()
    parts += [b"%b%b;" % (name, text[start:end]) for name, start, end in _EXPEDITED]
    parts.append(b"thread:%b;" % thread)
    return b"".join(parts)


def exited_reply(code: int, pid: int, multiprocess: bool) -> bytes:
    """Return the ``W`` packet of a VM that has switched itself off."""
    return b"W%02x;process:%x" % (code & 0xFF, pid) if multiprocess else b"W%02x" % (code & 0xFF)


def with_signal(signal: int, reply: bytes) -> bytes:
    """Return a ``T`` packet with another signal."""
    return b"T%02x" % signal + reply[3:]
