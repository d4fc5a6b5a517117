"""Exits as GDB's own `catch syscall`: the number is that of the exit's class, the return is the entry after it.

Source: GDB manual E.4 (QCatchSyscalls).  `catch syscall 0x1016` stops on HVC; `catch syscall 0x1216` when its handler is
done and the guest continues.  Numbers below 300 or so would show as names of Linux system calls.
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.exits.catches import ENTRY_AFTER, CatchEvents
from gdbhv.rsp import codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session


@packet("QCatchSyscalls:", features="QCatchSyscalls+", text_errors=True)
def catch_syscalls(session: Session, args: bytes) -> bytes:
    """Catch these in every VM that the debugger is attached to.

    GDB 13 sends the packet once for each process that has a catchpoint, without an Hg before it, so nobody can tell whose it
    is; what is caught too much it resumes without a word.  So the lists of one round (up to the next resume) are added up.
    """
    switch, *texts = args.split(b";")
    numbers = {codec.number(text, 1 << 16) for text in texts}
    match switch:
        case b"0":
            events = CatchEvents()
        case b"1" if not numbers:
            events = CatchEvents(None, None)
        case b"1":
            events = CatchEvents({n for n in numbers if not is_entry(n)}, {n - ENTRY_AFTER for n in numbers if is_entry(n)})
        case _:
            raise PacketError("QCatchSyscalls", "QCatchSyscalls is followed by :0 or :1")
    if not session.target.exit_numbers:
        session.notes.add("`catch syscall`: this machine has no EL2, and so no VM exits: it never stops")
    elif strange := sorted(n for n in numbers if (n & ~ENTRY_AFTER) not in session.target.exit_numbers):
        some = ", ".join(map(str, strange[:8]))
        session.notes.add(
            f"`catch syscall {some}`: no class of VM exits has such a number; `monitor help vmexit catch` lists them"
        )
    if session.catching and switch == b"1":
        old = session.catches
        events = CatchEvents(_union(old.exits, events.exits), _union(old.entries, events.entries))
    session.catching = switch == b"1"
    session.set_catches(events)
    return b"OK"


def is_entry(number: int) -> bool:
    """Tell entries' numbers from exits': exits are 0x1000 to 0x11ff."""
    return number & ENTRY_AFTER != 0


def _union(one: set[int] | None, other: set[int] | None) -> set[int] | None:
    return None if one is None or other is None else one | other
