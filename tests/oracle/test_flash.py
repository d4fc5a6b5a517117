"""The flash's commands, against a live QEMU: the table of the Common Flash Interface, identifiers, status, programs."""

from __future__ import annotations

import pytest

from oracle import reset
from oracle.reset import Board, Item, load

BANK = 0x400_0000
BLOCK = 0x4_0000
STORE = {1: 0x3900_0063, 4: 0xB900_0063}
"""STR X3, [X3] of so many bytes: what is written is the address, so that its low byte is a command."""
ARRAY = Item(STORE[1], 0xFF)


def store(address: int) -> Item:
    return Item(STORE[4], address)


def words(address: int, count: int) -> list[Item]:
    return [load(address + 4 * n) for n in range(count)]


ERASED = [store(BLOCK + 0x20), store(BLOCK + 0xD0), load(BLOCK)]
CASES = {
    "the table": [store(0x98), *words(0, 0x60), load(0x40, 8), load(0x40, 2), load(0x42, 2), load(0x40, 1)],
    "the other bank's": [store(BANK + 0x98), load(BANK + 0x40), load(0x40)],
    "identifiers": [store(0x90), *words(0, 4), *words(BLOCK, 4)],
    "status": [store(0x70), load(0), load(0x1000), ARRAY, load(0)],
    "erasure": [*ERASED, ARRAY, *words(BLOCK - 8, 4), *words(2 * BLOCK - 8, 4)],
    "a word": [*ERASED, store(BLOCK + 0x40), store(BLOCK + 0x1234), load(0), ARRAY, *words(BLOCK + 0x1230, 4)],
    "the older command": [*ERASED, store(BLOCK + 0x10), store(BLOCK + 0x1234), ARRAY, load(BLOCK + 0x1234)],
    "a buffer": [
        *ERASED,
        store(BLOCK + 0xE8),
        load(0),
        store(BLOCK + 4),
        *(store(BLOCK + 0xF0 + 4 * n) for n in range(5)),
        load(0),
        store(BLOCK + 0xD0),
        load(0),
        ARRAY,
        *words(BLOCK + 0xEC, 8),
    ],
    "locks": [store(0x60), store(0xD0), load(0), ARRAY, load(0)],
    "another maker's reset": [store(0x90), load(0), store(0xF0), load(0)],
}


@pytest.mark.parametrize("case", CASES)
def test_as_on_qemu(case: str) -> None:
    board = Board(el2=False)
    assert reset.on_gdbhv(CASES[case], board) == reset.on_qemu(CASES[case], board)
