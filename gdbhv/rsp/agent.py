"""Agent expressions: the bytecode in which GDB sends a breakpoint's condition, so that no hit needs a round trip.

A stack machine on 64-bit numbers; immediate operands are big endian.  Tracing and floating point are left out, as in GDB
itself; :func:`check` refuses what :func:`evaluate` cannot do, since ignoring a condition would be worse than refusing it.

The machine judges the conditions itself where it can (:func:`for_machine`, ``core/model/src/agent.rs``), and stops for
those that hold or have no value; what is here has the last word, the reasons, and the commands.
Source: GDB manual appendix F "The GDB Agent Expression Mechanism".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gdbhv.errors import GdbhvError, PacketError
from gdbhv.rsp.tdesc import CPSR, Description
from gdbhv.target import Stop, StopKind, Target

_MASK = (1 << 64) - 1
_OPERATIONS_LIMIT = 10_000  # in all programs of one hit: `goto` can loop
_TEXT_LIMIT = 1 << 16  # characters that the commands of one hit print
_WIDTH_LIMIT = 1024  # of a conversion, and of its precision

_BINARY: dict[int, Callable[[int, int], int]] = {
    0x02: lambda a, b: a + b,
    0x03: lambda a, b: a - b,
    0x04: lambda a, b: a * b,
    0x05: lambda a, b: _divide(_signed(a), _signed(b))[0],
    0x06: lambda a, b: _divide(a, b)[0],
    0x07: lambda a, b: _divide(_signed(a), _signed(b))[1],
    0x08: lambda a, b: _divide(a, b)[1],
    0x09: lambda a, b: a << b if b < 64 else 0,
    0x0A: lambda a, b: _signed(a) >> min(b, 63),
    0x0B: lambda a, b: a >> b if b < 64 else 0,
    0x0F: lambda a, b: a & b,
    0x10: lambda a, b: a | b,
    0x11: lambda a, b: a ^ b,
    0x13: lambda a, b: a == b,
    0x14: lambda a, b: _signed(a) < _signed(b),
    0x15: lambda a, b: a < b,
}
_UNARY: dict[int, Callable[[int], int]] = {0x0E: lambda a: not a, 0x12: lambda a: ~a}
_REFERENCE = {0x17: 1, 0x18: 2, 0x19: 4, 0x1A: 8}  # ref8 to ref64: bytes
_CONSTANT = {0x22: 1, 0x23: 2, 0x24: 4, 0x25: 8}  # const8 to const64: bytes
_EXT, _IF_GOTO, _GOTO, _REG, _END, _DUP, _POP, _ZERO_EXT, _SWAP, _PICK, _ROT = (
    0x16, 0x20, 0x21, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x32, 0x33,
)  # fmt: skip
_PRINTF = 0x34  # nargs (1 byte), length (2), a format of that length with its NUL
_OPERAND = {_EXT: 1, _ZERO_EXT: 1, _PICK: 1, _IF_GOTO: 2, _GOTO: 2, _REG: 2, **_CONSTANT}
_KNOWN = {*_BINARY, *_UNARY, *_REFERENCE, *_OPERAND, _END, _DUP, _POP, _SWAP, _ROT}
_CONVERSION = re.compile(r"%(?:%|([-+ #0]*\d*(?:\.\d+)?)(hh|h|ll|l|z|j|t)?([diouxXcsp]))", re.ASCII)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STRING_LIMIT = 512  # bytes of a %s


class AgentError(GdbhvError):
    """An expression that cannot be evaluated: a division by zero, an empty stack, an endless loop."""


@dataclass
class Budget:
    """The operations and output that remain for the programs of one hit."""

    operations: int = _OPERATIONS_LIMIT
    text: int = _TEXT_LIMIT

    def take_operation(self) -> None:
        """Count an operation. :raises AgentError: there are too many."""
        self.operations -= 1
        if self.operations < 0:
            raise AgentError(f"the agent expression does not end within {_OPERATIONS_LIMIT} operations")

    def take_text(self, text: str) -> None:
        """Count the characters printed. :raises AgentError: there are too many."""
        self.text -= len(text)
        if self.text < 0:
            raise AgentError(f"the breakpoint's commands print more than {_TEXT_LIMIT} characters")


def check(code: bytes, *, printf: bool = False) -> None:
    """Refuse an expression that cannot be evaluated here; only a breakpoint's command may print.

    :raises PacketError: it has an unknown operation, or is cut off.
    """
    position = 0
    while position < len(code):
        operation = code[position]
        if operation == _PRINTF and printf:
            end = position + 4 + int.from_bytes(code[position + 2 : position + 4], "big")
            _check_widths(code[position + 4 : end].decode("utf-8", "replace"))
            position = end
            continue
        if operation not in _KNOWN:
            raise PacketError(
                "Z", f"agent expressions have no operation 0x{operation:02x} here: use a condition of GDB's own"
            )
        position += 1 + _OPERAND.get(operation, 0)
    if position != len(code) or not code or code[-1] != _END:
        raise PacketError("Z", "the agent expression is cut off")


def evaluate(
    code: bytes,
    read_register: Callable[[int], int],
    read_memory: Callable[[int, int], bytes],
    say: Callable[[str], None] | None = None,
    budget: Budget | None = None,
) -> int:
    """Return the value of a checked expression; 0 for commands, which have none.

    ``read_register`` takes a number of the target description, ``read_memory`` an address and a length; ``say`` prints.
    ``budget`` is shared by the programs of one hit.

    :raises GdbhvError: it cannot be evaluated: memory that cannot be read, a division by zero, too many operations.
    """
    budget = budget or Budget()
    stack: list[int] = []
    position = 0
    while True:
        budget.take_operation()
        if position >= len(code):
            raise AgentError("the agent expression jumps out of itself")
        operation = code[position]
        size = _OPERAND.get(operation, 0)
        operand = int.from_bytes(code[position + 1 : position + 1 + size], "big")
        position += 1 + size
        try:
            if operation == _END:
                return stack[-1] if say is None else 0
            if operation == _PRINTF and say is not None:
                length = int.from_bytes(code[position + 1 : position + 3], "big")
                stack.pop()  # function
                stack.pop()  # channel
                arguments = [stack.pop() for _ in range(code[position])]
                text = _format(code[position + 3 : position + 2 + length].decode("utf-8", "replace"), arguments, read_memory)
                budget.take_text(text)
                say(text)
                position += 3 + length
            elif operation in _CONSTANT:
                stack.append(operand)
            elif operation == _REG:
                stack.append(read_register(operand) & _MASK)
            elif operation in _REFERENCE:
                stack.append(_load(stack.pop(), _REFERENCE[operation], read_memory))
            elif operation in _BINARY:
                second, first = stack.pop(), stack.pop()
                stack.append(int(_BINARY[operation](first, second)) & _MASK)
            elif operation in _UNARY:
                stack.append(int(_UNARY[operation](stack.pop())) & _MASK)
            elif operation == _GOTO or (operation == _IF_GOTO and stack.pop()):
                position = operand
            elif operation != _IF_GOTO:
                _shuffle(stack, operation, operand)
        except IndexError:
            raise AgentError("the agent expression takes from an empty stack") from None


def _shuffle(stack: list[int], operation: int, operand: int) -> None:
    match operation:
        case 0x16 if operand < 64:  # ext: sign-extend from bit `operand`
            value = stack.pop() & ((1 << operand) - 1)
            stack.append((value - ((value >> (operand - 1) & 1) << operand)) & _MASK if operand else 0)
        case 0x2A if operand < 64:
            stack.append(stack.pop() & ((1 << operand) - 1))
        case 0x28:
            stack.append(stack[-1])
        case 0x29:
            stack.pop()
        case 0x2B:
            stack[-1], stack[-2] = stack[-2], stack[-1]
        case 0x32:
            stack.append(stack[-1 - operand])
        case 0x33:  # a b c -> c a b, c on top at first
            stack[-3:] = [stack[-1], stack[-3], stack[-2]]


def _format(text: str, arguments: list[int], read_memory: Callable[[int, int], bytes]) -> str:
    """Format integers and strings as C's printf does; GDB sends the format with its backslash escapes."""
    _check_widths(text)
    values = iter(arguments)

    def convert(match: re.Match[str]) -> str:
        flags, size, letter = match.groups()
        if letter is None:
            return "%"
        value = next(values, 0)
        if letter == "s":
            return f"%{flags}s" % read_memory(value, _STRING_LIMIT).partition(b"\0")[0].decode("utf-8", "replace")
        if letter == "c":
            return chr(value & 0xFF)
        if letter == "p":
            return f"{value:#x}"
        bits = {"hh": 8, "h": 16, None: 32}.get(size, 64)
        value &= (1 << bits) - 1
        if letter in "di" and value >> (bits - 1):
            value -= 1 << bits
        return f"%{flags}{letter}" % value

    return _CONVERSION.sub(convert, _ESCAPE.sub(_unescape, text))


def _check_widths(text: str) -> None:
    """Refuse a conversion that is unreasonably wide. :raises AgentError: there is one."""
    for found in re.finditer(r"[0-9]+", " ".join(match.group(1) or "" for match in _CONVERSION.finditer(text))):
        if len(found.group()) > 9 or int(found.group()) > _WIDTH_LIMIT:
            raise AgentError(f"a printf conversion has more than {_WIDTH_LIMIT} characters: %{found.group()[:20]}...")


def _unescape(match: re.Match[str]) -> str:
    letter = match.group(1)
    return chr(int(letter, 8) & 0xFF) if letter[0] in "01234567" else _ESCAPES.get(letter, letter)


def _load(address: int, size: int, read_memory: Callable[[int, int], bytes]) -> int:
    data = read_memory(address, size)
    if len(data) != size:
        raise AgentError(f"0x{address:x}: the memory ends here")
    return int.from_bytes(data, "little")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _divide(a: int, b: int) -> tuple[int, int]:
    """Divide as C does, rounding towards zero; return quotient and remainder."""
    if b == 0:
        raise AgentError("the condition divides by zero")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient, a - quotient * b


@dataclass(frozen=True)
class Program:
    """The conditions and commands of a Z packet: the stop is reported if a condition holds and there are no commands."""

    conditions: tuple[bytes, ...] = ()
    commands: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all expressions."""
        return sum(map(len, self.conditions + self.commands))


def for_machine(program: Program, description: Description, judged: Callable[[int], bool]) -> tuple[bytes, ...]:
    """Return the conditions with the registers as the machine numbers them; none where it cannot judge them all alike.

    :param judged: whether it sees a system register, by its encoding, as a debugger does.
    """
    found = [_renumbered(code, description, judged) for code in program.conditions]
    return tuple(code for code in found if code is not None) if None not in found else ()


def _renumbered(code: bytes, description: Description, judged: Callable[[int], bool]) -> bytes | None:
    out, position = bytearray(code), 0
    while position < len(code):
        operation = code[position]
        if operation == _REG:
            number = int.from_bytes(code[position + 1 : position + 3], "big")
            known = description.find(number)
            if known is None or (isinstance(known[0], int) and not judged(known[0])):
                return None
            if isinstance(known[0], str) and number > CPSR:
                return None
            if isinstance(known[0], int):
                out[position + 1 : position + 3] = known[0].to_bytes(2, "big")
        position += 1 + _OPERAND.get(operation, 0)
    return bytes(out)


Breakpoints = Mapping[tuple[int, int, int, int], Program]
"""The program of each breakpoint: (pid, kind, address, length)."""

_PC = slice(32 * 8, 33 * 8)  # in read_core()'s answer
_KINDS = {StopKind.SW_BREAK: 0, StopKind.HW_BREAK: 1}


def reported(
    stop: Stop, breakpoints: Breakpoints, target: Target, description: Description, say: Callable[[str], None]
) -> bool:
    """Tell whether GDB is to see a stop, and run the commands of its breakpoint if it has some.

    :raises GdbhvError: a condition or a command cannot be evaluated.
    """
    if stop.kind not in _KINDS:
        return True
    pc = int.from_bytes(target.read_core(stop.thread)[_PC], "little")
    program = breakpoints.get((stop.thread.pid, _KINDS[stop.kind], pc, 4))
    if program is None or program == Program():
        return True

    def register(number: int) -> int:
        if (found := description.find(number)) is None:
            raise AgentError(f"no register has the number 0x{number:x}")
        return target.read_register(stop.thread, found[0])

    def memory(address: int, length: int) -> bytes:
        return target.read_memory(stop.thread, address, length)

    budget = Budget()
    if program.conditions and not any(evaluate(code, register, memory, budget=budget) for code in program.conditions):
        return False
    for code in program.commands:
        evaluate(code, register, memory, say, budget)
    return not program.commands
