"""A debugger's memory access, page by page: pages that are neighbours for the guest are not in physical memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv.errors import MemoryError_

if TYPE_CHECKING:
    from gdbhv._core import Machine

PAGE = 0x1000


def read(machine: Machine, physical: Callable[[int], int], address: int, length: int) -> bytes:
    """Return up to ``length`` bytes, fewer where the memory ends; ``physical`` tells where an address is.

    :raises gdbhv.errors.MemoryError_: nothing at ``address`` itself.
    """
    out = b""
    while len(out) < length:
        n = min(length - len(out), PAGE - address % PAGE)
        try:
            out += machine.read_pa(physical(address), n)
        except (MemoryError_, IndexError) as e:
            if out:
                return out
            raise e if isinstance(e, MemoryError_) else MemoryError_(address, str(e)) from None
        address += n
    return out


def write(machine: Machine, physical: Callable[[int], int], address: int, data: bytes) -> None:
    """Write all of ``data`` or nothing.

    :raises gdbhv.errors.MemoryError_: some of it is not in RAM; the address is the first bad page's.
    """
    base, size = machine.ram
    pieces = []
    at = 0
    while at < len(data):
        n = min(len(data) - at, PAGE - (address + at) % PAGE)
        pa = physical(address + at)
        if not base <= pa <= pa + n <= base + size:
            raise MemoryError_(address + at, f"physical {pa:#x} is not RAM, which is {base:#x} to {base + size - 1:#x}")
        pieces.append((pa, data[at : at + n]))
        at += n
    for pa, piece in pieces:
        machine.write_pa(pa, piece)
