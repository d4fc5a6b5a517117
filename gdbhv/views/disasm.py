"""Instructions as text, by capstone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capstone import Cs


@cache
def _decoder() -> Cs:
    from capstone import CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, Cs  # only once something is shown: 15 ms

    return Cs(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN)


def disassemble(word: int, pc: int = 0) -> str:
    """Return the assembly text of one A64 word; ``.inst`` if capstone does not know it."""
    for i in _decoder().disasm(word.to_bytes(4, "little"), pc):
        return f"{i.mnemonic} {i.op_str}".strip()
    return f".inst {word:#010x}"
