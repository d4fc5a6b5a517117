"""Conditions of catchpoints: an expression as C has it, compiled to operations that the machine evaluates by itself.

``$x1 > 0x1000 && u32($x0 + 8) == 7``: numbers of 64 bits without a sign; registers of the guest that exits (``$x0``,
``$sp``, ``$ESR_EL1``, ``$HCR_EL2.TWI``; the ``$`` may be left out); numbers of the exit itself (``ipa``, ``esr``,
``iss.SRT``, ``value``); memory (``u8`` to ``u64`` by VA, ``ipa_u32``, ``pa_u32``); symbols of the image. A condition that
looks at what is not there does not hold.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from gdbhv import tables
from gdbhv.errors import CommandError

Operation = tuple[str, int | str]
"""What ``_core.Machine.set_catchpoint`` takes: "number", "field", "register", "va" (bytes loaded), "unary", "binary"."""

TOKEN = re.compile(r"\s*(?:(\d\w*)|(&?[$A-Za-z_][\w.]*)|(\|\||&&|[=!<>]=|<<|>>|[-+*/%|^&~!<>()]))")
LOAD = re.compile(r"(?:(ipa|pa)_)?u(8|16|32|64)")
LONGEST = 1000  # characters


def parse(text: str, classes: Iterable[int], symbols: Mapping[str, int]) -> tuple[Operation, ...]:
    """Compile a condition.

    :param classes: numbers of the classes of exits that it is asked of: their syndromes have the fields ``iss.NAME``.
    :raises gdbhv.errors.CommandError: it is none, with what is wrong and where.
    """
    if len(text) > LONGEST:
        raise CommandError(f"the condition is longer than {LONGEST} characters")
    return _Parser(text, frozenset(classes), symbols).whole()


class _Parser:
    """Precedence climbing over the operators of ``_core.condition_operators()``."""

    def __init__(self, text: str, classes: frozenset[int], symbols: Mapping[str, int]) -> None:
        self._text, self._classes, self._symbols = text, classes, symbols
        self._unary, self._binary = tables.condition_operators()
        self._tokens = list(self._split(text))
        self._out: list[Operation] = []
        self._depth = 0

    @staticmethod
    def _split(text: str) -> Iterable[str]:
        position, end = 0, len(text.rstrip())
        operand = True  # one is due, so that & is no operator
        while position < end:
            found = TOKEN.match(text, position)
            if found is None:
                raise CommandError(
                    f"{text[position:]!r} in a condition: a number, a register, memory or an operator is needed"
                )
            token = found[0].strip()
            if token[0] == "&" and token[1:2] not in ("", "&") and not operand:
                token = "&"
                position = found.end() - len(found[0].strip()) + 1
            else:
                position = found.end()
            operand = not (token[-1].isalnum() or token[-1] in "_)")
            yield token

    def whole(self) -> tuple[Operation, ...]:
        """Return the condition."""
        self._expression(1)
        if self._tokens:
            raise self._wrong(f"{self._tokens[0]!r} is one too many")
        return tuple(self._out)

    def _wrong(self, what: str) -> CommandError:
        return CommandError(f"the condition {self._text!r}: {what}")

    def _next(self) -> str:
        if not self._tokens:
            raise self._wrong("something is missing at its end")
        return self._tokens.pop(0)

    def _expression(self, least: int) -> None:
        self._depth += 1
        if self._depth > 30:
            raise self._wrong("it is nested too deep")
        self._operand()
        while self._tokens and (binds := self._binary.get(self._tokens[0], 0)) >= least:
            operator = self._tokens.pop(0)
            self._expression(binds + 1)
            self._out.append(("binary", operator))
        self._depth -= 1

    def _operand(self) -> None:
        token = self._next()
        if token in self._unary:
            self._depth += 1
            if self._depth > 30:
                raise self._wrong("it is nested too deep")
            self._operand()
            self._depth -= 1
            self._out.append(("unary", token))
        elif token == "(":
            self._expression(1)
            if self._next() != ")":
                raise self._wrong("a ) is missing")
        elif token[0].isdigit():
            try:
                value = int(token, 0)
            except ValueError:
                raise self._wrong(f"{token!r} is no number") from None
            if value >= 1 << 64:
                raise self._wrong(f"{token} has more than 64 bits")
            self._out.append(("number", value))
        elif load := LOAD.fullmatch(token):
            if self._next() != "(":
                raise self._wrong(f"{token}(ADDRESS) is needed")
            self._expression(1)
            if self._next() != ")":
                raise self._wrong("a ) is missing")
            self._out.append((load[1] or "va", int(load[2]) // 8))
        elif token[0] in "$&_" or token[0].isalpha():
            self._name(token)
        else:
            raise self._wrong(f"{token!r} is no number, register or memory")

    def _name(self, token: str) -> None:
        name, dot, part = token.lstrip("$&").partition(".")
        fields = dict(tables.exit_fields())
        if token[0] not in "$&" and name == "iss" and dot:
            self._syndrome(part)
        elif token[0] not in "$&" and name in fields and not dot:
            self._out.append(("field", name))
        elif token[0] != "&" and (register := _general(name)):
            self._out.append(("field", "pc") if register == "pc" else ("register", register))
        elif token[0] != "&" and name.upper() in tables.registers():
            self._out.append(("register", name.upper()))
            if dot:
                self._cut(tables.field(f"{name}.{part}"))
        elif token[0] != "$" and token.lstrip("&") in self._symbols:
            self._out.append(("number", self._symbols[token.lstrip("&")]))
        else:
            known = [*fields, *tables.registers(), *self._symbols]
            near = difflib.get_close_matches(name, known, 3) or difflib.get_close_matches(name.upper(), known, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"an exit has {', '.join(fields)}"
            raise self._wrong(f"{token!r} is no register, symbol or number of an exit; {hint}")

    def _syndrome(self, name: str) -> None:
        layouts = [tables.iss_layouts().get(number & 0x11FF, ()) for number in self._classes]
        bits = {(f.msb, f.lsb): f for layout in layouts for f in layout if f.name.upper() == name.upper()}
        if len(bits) != 1 or not all(any(f.name.upper() == name.upper() for f in layout) for layout in layouts):
            known = sorted(set.intersection(*({f.name for f in layout} for layout in layouts))) if layouts else []
            have = f"they have {', '.join(known)}" if known else "they have none in common"
            raise self._wrong(f"no field {name!r} in the syndromes of all these exits; {have}")
        self._out.append(("field", "iss"))
        self._cut(next(iter(bits.values())))

    def _cut(self, field: tables.Field) -> None:
        """Take a field out of what was computed last."""
        shift: list[Operation] = [("number", field.lsb), ("binary", ">>")]
        self._out += shift if field.lsb else []
        self._out += [("number", field.mask >> field.lsb), ("binary", "&")]


def _general(name: str) -> str | None:
    name = tables.OTHER_NAMES.get(name.lower(), name.lower())
    return name if re.fullmatch(r"x([12]?\d|30)|sp|pc", name) else None
