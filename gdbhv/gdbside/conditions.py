"""Rewrite conditions of breakpoints so that the stub can evaluate them. Sourced by GDB; needs nothing else.

GDB compiles a condition for the stub (GDB manual F, agent expressions) only where each register in it is one that the
target has, and a number or a pointer. With a field of a register, ``$cpsr``, ``$w0`` or ``$lr`` it evaluates the condition
itself, with several round trips for each hit of the breakpoint. So a condition that a user has typed is replaced by one of
the same value::

    $HCR_EL2.VM == 1 && count > 3        (($hcr_el2 >> 0) & 1) == 1 && count > 3

and the first time a line says so. Everything else in it stays as it was typed. If GDB cannot parse the new form (in a
language unlike C), the condition stays too.
"""

from __future__ import annotations

import re
from typing import Any

import gdb

_WORD = re.compile(
    r"""
    " (?:\\.|[^"\\])* " | ' (?:\\.|[^'\\])* '                    # may contain a $
    | \( \s* (?:unsigned|int|long)\b [\w\s]* \) \s* \$\w+\b      # a number already
    | \$(?P<register>[A-Za-z_]\w*)                             # a register, a convenience variable or a function
      (?P<members>(?:\s*\.\s*[A-Za-z_]\w*)*)
    """,
    re.VERBOSE,
)
_ALIASES = {"fp": "x29", "lr": "x30", "ip0": "x16", "ip1": "x17"}  # names that only GDB knows
_JUDGED = (gdb.BP_BREAKPOINT, getattr(gdb, "BP_HARDWARE_BREAKPOINT", gdb.BP_BREAKPOINT))
"""Kinds of breakpoints whose conditions GDB sends to the stub."""


def plain(condition: str) -> str:
    """Return a condition in which each register that GDB does not compile is an expression of one that it does."""
    return _WORD.sub(_plain_word, condition)


def _plain_word(found: re.Match[str]) -> str:
    name, members = found["register"], re.findall(r"\w+", found["members"] or "")
    if name is None:
        return found[0]
    if name in _ALIASES:
        return f"${_ALIASES[name]}{found['members']}"
    if members:
        return _member(name, members) or found[0]
    if name == "cpsr":  # GDB: flags of 4 bytes
        return "((unsigned int) $cpsr)"
    if half := re.fullmatch(r"w([0-9]|[12][0-9]|30)", name):
        return f"((unsigned int) $x{half[1]})"
    return found[0]


def _member(name: str, members: list[str]) -> str | None:
    """Return ``$NAME.member`` as an expression of ``$name``; None if there is no such register or field."""
    registers = {r.name for r in gdb.selected_inferior().architecture().registers()}
    if name not in registers or name.lower() not in registers:
        return None
    kind, number = gdb.parse_and_eval(f"${name}").type, f"${name.lower()}"
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    field = next((f for f in kind.fields() if [f.name] == members), None)
    if field is None:
        return None
    if field.bitsize == kind.sizeof * 8:
        return number
    return f"(({number} >> {field.bitpos}) & {(1 << field.bitsize) - 1:#x})"


class Rewriter:
    """Checks each breakpoint that is created or modified."""

    def __init__(self) -> None:
        self.said = False

    def __call__(self, changed: Any) -> None:
        """Replace its condition, if there is a better one."""
        typed = changed.condition
        if not typed or changed.number < 0 or changed.type not in _JUDGED or gdb.selected_thread() is None:
            return
        try:
            better = plain(typed)
            if better == typed:
                return
            changed.condition = better
        except gdb.error:
            return  # in this language, or at this place, GDB understands only what was typed
        if not self.said:
            self.said = True
            gdb.write(f"gdbhv: breakpoint {changed.number} stops only if {better}: the same, but judged in the stub\n")


if not hasattr(gdb, "gdbhv_conditions"):  # sourced twice: once is enough
    gdb.gdbhv_conditions = Rewriter()
    gdb.events.breakpoint_created.connect(gdb.gdbhv_conditions)
    gdb.events.breakpoint_modified.connect(gdb.gdbhv_conditions)
