"""Breakpoints and watchpoints: Z0 (software), Z1 (hardware), Z2 to Z4 (write, read, access).

Source: GDB manual E.4.1 "Packets".  GDB removes all of them at every stop and inserts them at every resume, so both are
cheap and may be repeated.  The packet names no process: it is that of the last Hg, which GDB sends first when there are two.
"""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp import agent, codec
from gdbhv.rsp.registry import packet
from gdbhv.rsp.session import Session

_WATCH_LIMIT = 1 << 16  # bytes
LIMIT = 1 << 16
"""Breakpoints and watchpoints of one session."""
_PROGRAMS_LIMIT = 4 << 20  # bytes of all their conditions and commands


@packet("Z", features="swbreak+;hwbreak+;ConditionalBreakpoints+;BreakpointCommands+", text_errors=True)
def insert(session: Session, args: bytes) -> bytes:
    """Insert a breakpoint; a second insertion replaces the conditions and commands of the first."""
    row = _row(session, args)
    program = _program(args.split(b";")[1:])
    if row not in session.breakpoints and len(session.breakpoints) >= LIMIT:
        raise PacketError("Z", f"more than {LIMIT} breakpoints")
    if program.size and program.size + sum(p.size for p in session.breakpoints.values()) > _PROGRAMS_LIMIT:
        raise PacketError("Z", f"conditions and commands of more than {_PROGRAMS_LIMIT >> 20} MiB")
    session.target.selected = session.general
    conditions = agent.for_machine(program, session.shared.description, session.target.judged)
    session.target.insert_breakpoint(*row, conditions)
    session.breakpoints[row] = program
    return b"OK"


@packet("z", text_errors=True)
def remove(session: Session, args: bytes) -> bytes:
    row = _row(session, args)
    session.target.remove_breakpoint(*row)
    session.breakpoints.pop(row, None)
    return b"OK"


def _row(session: Session, args: bytes) -> tuple[int, int, int, int]:
    """Parse ``type,addr,kind`` and scope it by the selected process."""
    kind_text, _, rest = args.partition(b";")[0].partition(b",")
    kind = codec.number(kind_text)
    if kind > 4:
        raise PacketError("Z", f"no breakpoint has the type {kind}")
    address, length = codec.pair(rest)
    if kind <= 1 and length != 4:
        raise PacketError("Z", f"AArch64 instructions have 4 bytes, not {length}")
    if kind <= 1 and address % 4:
        raise PacketError("Z", f"0x{address:x} is no multiple of 4: no instruction is ever there")
    if kind >= 2 and not 0 < length <= _WATCH_LIMIT:
        raise PacketError("Z", f"a watchpoint covers 1 to {_WATCH_LIMIT} bytes, not {length}")
    if address + length > codec.ADDRESS_LIMIT:
        raise PacketError("Z", f"0x{address:x} and {length} bytes from there are past the end of all addresses")
    return session.general.pid, kind, address, length


def _program(options: list[bytes]) -> agent.Program:
    """Parse ``;X len,bytecode`` (conditions) and ``;cmds:persist,X len,bytecode``, several without anything in between.

    Commands last as long as the session: persist, which would let them print with no debugger attached, is ignored.
    """
    conditions: list[bytes] = []
    commands: list[bytes] = []
    for option in options:
        if option.startswith(b"cmds:"):
            commands += _expressions(option[5:].partition(b",")[2], printf=True)
        else:
            conditions += _expressions(option, printf=False)
    return agent.Program(tuple(conditions), tuple(commands))


def _expressions(text: bytes, *, printf: bool) -> list[bytes]:
    first, *rest = text.split(b"X")
    if first or not rest:
        raise PacketError("Z", "what follows a breakpoint is no agent expression")
    found = []
    for piece in rest:
        length, _, code_text = piece.partition(b",")
        code = codec.data(code_text)
        if len(code) != codec.number(length):
            raise PacketError("Z", "the length of an agent expression is wrong")
        agent.check(code, printf=printf)
        found.append(code)
    return found
