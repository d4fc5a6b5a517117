"""A debugger's memory accesses, page by page: pages that are adjacent for the guest need not be so in physical memory.

A read of a device shows its registers without the side effects of a load, in words of 4 bytes; a register whose reads have
side effects is refused by name. A write to a device acts as the guest's own store, with its side effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gdbhv.errors import MemoryError_, PeekError

if TYPE_CHECKING:
    from gdbhv._core import Machine

PAGE = 0x1000
WORD = 4


@dataclass(frozen=True)
class Registers:
    """A device at an address, and the offset of the address in it."""

    offset: int
    peek: Callable[[int, int], int]  # offset, bytes
    write: Callable[[int, int, int], None]  # offset, bytes, value


Where = int | Registers
"""The place of an address: a physical address, or a device of a VM."""


def read(machine: Machine, physical: Callable[[int], Where], address: int, length: int, cpu: int = 0) -> bytes:
    """Return up to ``length`` bytes, fewer where the memory ends.

    :param physical: returns the place of an address.
    :param cpu: the CPU whose registers a device shows, if it has some for each CPU.
    :raises gdbhv.errors.MemoryError_: there is nothing at ``address``, or nothing that may be read.
    """
    out = bytearray()
    while len(out) < length:
        n = min(length - len(out), PAGE - address % PAGE)
        try:
            where = physical(address)
            if isinstance(where, int) and (count := in_ram(machine, where)):
                out += machine.read_pa(where, min(n, count))
                address += min(n, count)
                continue
            n = min(n, WORD - address % WORD)
            out += _peek(where if isinstance(where, Registers) else _board(machine, cpu, where, address), n)
        except (MemoryError_, KeyError, PeekError) as e:
            if out:
                return bytes(out)
            raise e if isinstance(e, MemoryError_) else MemoryError_(address, str(e.args[0])) from None
        address += n
    return bytes(out)


def write(machine: Machine, physical: Callable[[int], Where], address: int, data: bytes, cpu: int = 0) -> None:
    """Write all of ``data`` or nothing. A write to a device is split no more than its alignment requires.

    :raises gdbhv.errors.MemoryError_: there is neither memory nor a device for some of it; the address is the first such.
    """
    stores: list[Callable[[], object]] = []
    at = 0
    while at < len(data):
        n = min(len(data) - at, PAGE - (address + at) % PAGE)
        where = physical(address + at)
        if isinstance(where, int) and (count := in_ram(machine, where)):
            n = min(n, count)
            stores.append(partial(machine.write_pa, where, data[at : at + n]))
        else:
            n = next(size for size in (8, 4, 2, 1) if size <= n and (address + at) % size == 0)
            if isinstance(where, int):
                where = _board(machine, cpu, where, address + at)
            stores.append(partial(where.write, where.offset, n, int.from_bytes(data[at : at + n], "little")))
        at += n
    for store in stores:
        store()


def in_ram(machine: Machine, pa: int) -> int:
    """Return how many bytes of RAM there are from ``pa`` on; 0 if it is not RAM."""
    base, size = machine.ram
    return base + size - pa if base <= pa < base + size else 0


def _board(machine: Machine, cpu: int, pa: int, address: int) -> Registers:
    """Return the device that the board has at ``pa``, to which ``address`` translates."""
    try:
        machine.bus_peek(cpu, pa & ~(WORD - 1), WORD)
    except KeyError:
        pass  # it exists, though it cannot be read
    except IndexError:
        base, size = machine.ram
        ram = f"RAM, which is {base:#x} to {base + size - 1:#x}"
        raise MemoryError_(address, f"physical {pa:#x} is neither {ram}, nor a device") from None
    return Registers(pa, partial(machine.bus_peek, cpu), partial(machine.bus_write, cpu))


def _peek(registers: Registers, length: int) -> bytes:
    """Return bytes inside one word."""
    skipped = registers.offset % WORD
    word = registers.peek(registers.offset - skipped, WORD) & 0xFFFFFFFF
    return word.to_bytes(WORD, "little")[skipped : skipped + length]
