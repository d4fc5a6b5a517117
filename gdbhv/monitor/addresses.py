"""Addresses as users type them: a number, a register or a symbol, with offsets, and the address space.

``0x40200000``, ``$pc``, ``$sp+16``, ``$ELR_EL2-4``, ``ipa:0x9000000``, ``main``; but not ``table+8*4``, for which gdb's own
``gdbhv walk`` takes any expression.
"""

from __future__ import annotations

import re

from gdbhv import tables
from gdbhv.errors import CommandError, RegisterError
from gdbhv.monitor.registry import Context
from gdbhv.target import Space

HELP = "a number, $REGISTER or a symbol of the image, with + and - (0x40200000, $pc, $sp+16)"
TERM = re.compile(r"[^+-]+|[+-]")
SPACES = {s.value: s for s in Space}


def parse(context: Context, text: str) -> tuple[Space, int]:
    """Return the space (VA by default) and the address that ``text`` means for the thread.

    :raises gdbhv.errors.CommandError: it is not an address.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind not in SPACES:
        raise CommandError(f"{kind!r} is no address space: {', '.join(SPACES)}")
    words = rest if colon else text
    value, sign = 0, 1
    terms = TERM.findall(words.replace(" ", ""))
    if len(terms) % 2 == 0 or any((t in "+-") is (i % 2 == 0) for i, t in enumerate(terms)):
        raise CommandError(f"{words!r} is no address: {HELP} is needed")
    for term in terms:
        if term in "+-":
            sign = 1 if term == "+" else -1
        else:
            value += sign * _term(context, term)
    if not 0 <= value < 1 << 64:
        raise CommandError(f"{words!r} is no address: a number up to 0xffffffffffffffff is needed")
    return SPACES[kind] if colon else Space.VA, value


def _term(context: Context, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        pass
    if text.startswith("$"):
        return _register(context, text[1:])
    if not re.fullmatch(r"&?[A-Za-z_.][\w.$]*", text):
        raise CommandError(f"{text!r} is no address: {HELP} is needed")
    name = text.removeprefix("&")
    symbols, of = context.target.symbols(context.thread)
    if name not in symbols:
        found = (
            f"{of} has no such symbol"
            if symbols
            else f"{of or 'the machine was started without an image, and'} has no symbols"
        )
        hint = f" (${name} is a register)" if _is_register(context, name) else ""
        raise CommandError(f"{name!r} is no address: {found}{hint}; `gdbhv walk`, in gdb, takes gdb's own symbols")
    return symbols[name]


def _register(context: Context, name: str) -> int:
    name = tables.OTHER_NAMES.get(name.lower(), name)
    try:
        value = context.target.read_register(context.thread, name)
    except RegisterError as e:
        raise CommandError(f"${e}") from None
    return value & (1 << 64) - 1


def _is_register(context: Context, name: str) -> bool:
    try:
        context.target.read_register(context.thread, name)
    except RegisterError:
        return False
    return True
