"""Random cases from instruction patterns: words that fill a pattern, and states in which they do something worth comparing.

A pattern is a string of 32 characters: 0 and 1 are fixed, a run of a letter is a field. Nothing else is known about fields:
a field is any value, with a liking for all zeros and all ones. What an instruction addresses or jumps to is learnt from
capstone's text of it, so that most accesses hit the window and most jumps stay in the zone.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import capstone
from capstone import arm64

from oracle import batch

# Instructions that would leave the harness, wait for ever, or change what the harness itself runs on.
NEVER = frozenset("wfi wfe wfit wfet hvc smc eret eretaa eretab drps dcps1 dcps2 dcps3 hlt tlbi at dc ic sys sysl".split())

INDIRECT = frozenset("br blr ret braa brab braaz brabz blraa blrab blraaz blrabz retaa retab".split())

_disassembler = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
_disassembler.detail = True


def disassemble(word: int, address: int = 0) -> Any | None:
    """Return capstone's view of ``word``, or None where it knows no such instruction."""
    return next(_disassembler.disasm(struct.pack("<I", word), address, count=1), None)


def text(word: int, address: int = 0) -> str:
    instruction = disassemble(word, address)
    return f"{instruction.mnemonic} {instruction.op_str}".strip() if instruction else f".inst {word:#010x}"


def fill(rng: random.Random, pattern: str) -> int:
    """Return a word that matches ``pattern``."""
    fields: dict[str, int] = {}
    for letter in pattern:
        fields[letter] = fields.get(letter, 0) + 1
    values = {letter: _field(rng, width) for letter, width in fields.items() if letter not in "01"}
    if values.get("+") == 0:  # the field that must not be zero
        values["+"] = 1
    word = 0
    for letter in pattern:
        if letter in "01":
            bit = int(letter)
        else:
            fields[letter] -= 1
            bit = values[letter] >> fields[letter] & 1
        word = word << 1 | bit
    return word


def _field(rng: random.Random, width: int) -> int:
    kind = rng.random()
    if kind < 0.06:
        return 0
    if kind < 0.12:
        return (1 << width) - 1
    return rng.getrandbits(width)


def value(rng: random.Random) -> int:
    """Return a 64-bit number, often one at an edge, and never an address in the harness's memory."""
    number = _value(rng)
    return number ^ 1 << 40 if number - batch.RAM in range(batch.RAM_SIZE) else number


def _value(rng: random.Random) -> int:
    kind = rng.randrange(8)
    if kind < 3:
        return rng.getrandbits(64)
    if kind == 3:
        return rng.randrange(-4, 72) & (1 << 64) - 1
    if kind == 4:
        return (rng.choice((0, 1 << 31, 1 << 32, 1 << 63)) + rng.randrange(-2, 3)) & (1 << 64) - 1
    if kind == 5:
        return ((1 << rng.randrange(64)) - rng.randrange(2)) & (1 << 64) - 1
    if kind == 6:
        return rng.getrandbits(32)
    return rng.getrandbits(32) * 0x1_0000_0001


def _landing(rng: random.Random) -> int:
    """Return an address in the zone where no case begins; now and then a misaligned one."""
    address = batch.ZONE + rng.randrange(batch.ZONE_SIZE // 16) * 16 + rng.choice((4, 8, 12))
    return address + (rng.randrange(1, 4) if rng.random() < 0.1 else 0)


def case(rng: random.Random, pattern: str, index: int, name: str = "") -> batch.Case:
    """Return a random case of ``pattern``, to be case number ``index`` of its batch.

    :raises ValueError: every word of the pattern is one that the harness cannot run.
    """
    for _ in range(1000):
        word = fill(rng, pattern)
        if runnable(word, index):
            break
    else:
        raise ValueError(f"{name or pattern}: nothing in it can be run")
    instruction = disassemble(word, batch.slot(index))
    x = [value(rng) for _ in range(31)]
    sp = batch.WINDOW + rng.randrange(4, 12) * 16 + (rng.randrange(16) if rng.random() < 0.1 else 0)
    if instruction is not None:
        for operand in instruction.operands:
            if operand.type == arm64.ARM64_OP_MEM:
                sp = _aim(rng, instruction, operand, x, sp)
        if instruction.mnemonic in INDIRECT and instruction.operands:
            _set(x, _number(instruction.operands[0].reg), _landing(rng))
        elif instruction.mnemonic in INDIRECT:
            x[30] = _landing(rng)
    return batch.Case(
        words=(word,),
        x=tuple(x),
        sp=sp,
        spsr=rng.choice((batch.EL0T, batch.EL1H)) | rng.getrandbits(4) << 28,
        v=_vectors(rng),
        window=rng.randbytes(256),
        name=name,
    )


def runnable(word: int, index: int) -> bool:
    """Return whether the harness can run ``word`` as case ``index`` of a batch and get the machine back."""
    instruction = disassemble(word, batch.slot(index))
    if instruction is None:
        return True
    if instruction.mnemonic in NEVER:
        return False
    if instruction.group(capstone.CS_GRP_JUMP) or instruction.group(capstone.CS_GRP_CALL):
        # Not to another case, and not into the harness.
        slots = range(batch.slot(0), batch.slot(batch.MAX_CASES), batch.SLOT_SIZE)
        harness = range(batch.ENTRY, batch.ENTRY + 0x1_0000)
        targets = [operand.imm for operand in instruction.operands if operand.type == arm64.ARM64_OP_IMM]
        return not any(target in slots or target in harness for target in targets)
    return True


def _number(register: int) -> int:
    """Return the number of an X or W register; 31 for SP, WSP, XZR and WZR."""
    name = _disassembler.reg_name(register)
    special = {"fp": 29, "lr": 30}
    return special.get(name) or (int(name[1:]) if name[1:].isdigit() else 31)


def _set(x: list[int], number: int, address: int) -> None:
    if number < 31:
        x[number] = address & (1 << 64) - 1


def _aim(rng: random.Random, instruction: Any, operand: Any, x: list[int], sp: int) -> int:
    """Choose the base register (SP is returned) and the index so that the access is at or near the window."""
    memory = operand.mem
    if memory.base == 0:  # a literal
        return sp
    align = rng.choice((1, 2, 4, 8, 16, 16, 16))
    target = batch.WINDOW + rng.randrange(64, 192) // align * align
    if rng.random() < 0.03:
        target = batch.PAGE_END - rng.randrange(1, 20)
    offset = 0 if instruction.post_index else memory.disp
    if memory.index:
        index = rng.randrange(-4, 5)
        number = _number(memory.index)
        _set(x, number, index if rng.random() < 0.7 else index & 0xFFFF_FFFF | rng.getrandbits(32) << 32)
        if number < 31:
            offset = _extended(x[number], operand)
    address = (target - offset) & (1 << 64) - 1
    if _disassembler.reg_name(memory.base) in ("sp", "wsp"):
        return address if rng.random() < 0.1 else address & ~15
    _set(x, _number(memory.base), address)
    return sp


def _extended(index: int, operand: Any) -> int:
    """Return what the index register contributes to the address."""
    if operand.ext in (arm64.ARM64_EXT_UXTW, arm64.ARM64_EXT_SXTW):
        index &= 0xFFFF_FFFF
        if operand.ext == arm64.ARM64_EXT_SXTW and index >> 31:
            index -= 1 << 32
    return index << operand.shift.value


def _vectors(rng: random.Random, special: Callable[[random.Random], int] = value) -> bytes:
    return b"".join(struct.pack("<2Q", special(rng), special(rng)) for _ in range(32))


def batch_of(rng: random.Random, rows: Sequence[dict[str, Any]], count: int) -> list[batch.Case]:
    """Return ``count`` cases, the rows of ``_core.instructions()`` in turn, ready to be run as batches."""
    return [
        case(rng, rows[index % len(rows)]["pattern"], index % batch.MAX_CASES, rows[index % len(rows)]["name"])
        for index in range(count)
    ]
