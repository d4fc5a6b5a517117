"""Stage 2 tables: from a VM's IPAs to physical memory, built in the machine's own memory.

The geometry is KVM's default: 4 KiB granule, 40 bits of IPA (VTCR_EL2.T0SZ = 24), three levels, starting at level 1 with two
concatenated tables (Arm ARM D8.2.5, D8.2.9). Nothing is mapped until the guest touches it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gdbhv._core import Machine

PAGE = 1 << 12
BLOCK = 1 << 21
IPA_BITS = 40
START_LEVEL = 1
CONCATENATED = 2

# Descriptor fields (Arm ARM D8.3.1, D8.3.2 "Stage 2 descriptors").
VALID = 1 << 0
TABLE = 1 << 1  # at levels 1 and 2: a table; at level 3: a page
MEMATTR_NORMAL = 0b1111 << 2  # outer and inner write-back cacheable
S2AP_READ = 1 << 6
S2AP_WRITE = 1 << 7
SH_INNER = 0b11 << 8
AF = 1 << 10
XN = 1 << 54
ADDRESS = ((1 << 48) - 1) & ~(PAGE - 1)


def shift(level: int) -> int:
    """Return the lowest IPA bit that ``level`` translates: 30, 21, 12 for levels 1, 2, 3."""
    return 12 + 9 * (3 - level)


@dataclass(frozen=True)
class Mapping:
    """One leaf: ``size`` bytes of IPA at ``ipa`` go to ``pa``."""

    ipa: int
    pa: int
    size: int
    descriptor: int
    level: int


@dataclass(eq=False, slots=True)
class Stage2State:
    """Where the tables are. Their content is in the machine's memory."""

    root: int = 0  # PA
    tables: list[int] = field(default_factory=list)  # PAs of the tables below the root
    spare: list[int] = field(default_factory=list)  # PAs of zeroed tables for reuse


class Stage2(Stage2State):
    """The stage 2 tables of one VM.

    :param machine: the machine whose memory holds the tables.
    :param allocate: returns the physical address of N zeroed bytes, aligned to N.
    """

    def __init__(self, machine: Machine, allocate: Callable[[int], int]) -> None:
        super().__init__(root=allocate(CONCATENATED * PAGE))
        self._machine = machine
        self._allocate = allocate

    def clear(self) -> None:
        """Remove all mappings; the tables are reused. TLBs may still hold the old ones."""
        self._machine.zero_pa(self.root, CONCATENATED * PAGE)
        for table in self.tables:
            self._machine.zero_pa(table, PAGE)
        self.spare = sorted(self.spare + self.tables, reverse=True)
        self.tables = []

    def _new_table(self) -> int:
        table = self.spare.pop() if self.spare else self._allocate(PAGE)
        self.tables.append(table)
        return table

    def _read(self, address: int) -> int:
        return int(struct.unpack("<Q", self._machine.read_pa(address, 8))[0])

    def _write(self, address: int, descriptor: int) -> None:
        self._machine.write_pa(address, struct.pack("<Q", descriptor))

    def _slot(self, table: int, ipa: int, level: int) -> int:
        """Return the address of the descriptor for ``ipa``; the index at the start level covers all concatenated tables."""
        entries = 512 * (CONCATENATED if level == START_LEVEL else 1)
        return table + 8 * ((ipa >> shift(level)) % entries)

    def map(self, ipa: int, pa: int, size: int, *, write: bool = True, execute: bool = True) -> None:
        """Map one page (4 KiB) or block (2 MiB).

        :raises ValueError: no leaf has this size or alignment, or something else is mapped there.
        """
        if size not in (PAGE, BLOCK) or ipa % size or pa % size or ipa >> IPA_BITS:
            raise ValueError(f"no stage 2 leaf maps {size:#x} bytes of IPA {ipa:#x} to PA {pa:#x}")
        leaf = 3 if size == PAGE else 2
        table = self.root
        for level in range(START_LEVEL, leaf):
            slot = self._slot(table, ipa, level)
            entry = self._read(slot)
            if entry & (VALID | TABLE) == VALID:
                raise ValueError(f"IPA {ipa:#x} is inside a level {level} block already")
            if not entry & VALID:
                entry = self._new_table() | VALID | TABLE
                self._write(slot, entry)
            table = entry & ADDRESS
        slot = self._slot(table, ipa, leaf)
        old = self._read(slot)
        if old & VALID and (leaf == 2 and old & TABLE):
            raise ValueError(f"IPA {ipa:#x} has a level 3 table already")
        attributes = MEMATTR_NORMAL | S2AP_READ | SH_INNER | AF
        attributes |= S2AP_WRITE if write else 0
        attributes |= 0 if execute else XN
        self._write(slot, pa | attributes | VALID | (TABLE if leaf == 3 else 0))

    def unmap(self, ipa: int) -> Mapping | None:
        """Remove the leaf that maps ``ipa`` and return it. TLBs may still hold it (:meth:`gdbhv.hv.vm.Vm.unmap`)."""
        found = self.lookup(ipa)
        if found is None:
            return None
        table = self.root
        for level in range(START_LEVEL, found.level):
            table = self._read(self._slot(table, ipa, level)) & ADDRESS
        self._write(self._slot(table, ipa, found.level), 0)
        return found

    def lookup(self, ipa: int) -> Mapping | None:
        """Return the leaf that maps ``ipa``, or None."""
        if ipa >> IPA_BITS:
            return None
        table = self.root
        for level in range(START_LEVEL, 4):
            entry = self._read(self._slot(table, ipa, level))
            if not entry & VALID:
                return None
            if level == 3 or not entry & TABLE:
                size = 1 << shift(level)
                return Mapping(ipa & -size, entry & ADDRESS & -size, size, entry, level)
            table = entry & ADDRESS
        return None

    def leaves(self) -> Iterator[Mapping]:
        """Yield every leaf in the order of IPAs."""
        yield from self._leaves(self.root, START_LEVEL, 0)

    def _leaves(self, table: int, level: int, base: int) -> Iterator[Mapping]:
        entries = 512 * (CONCATENATED if level == START_LEVEL else 1)
        for i, entry in enumerate(struct.unpack(f"<{entries}Q", self._machine.read_pa(table, 8 * entries))):
            ipa = base + (i << shift(level))
            if not entry & VALID:
                continue
            if level < 3 and entry & TABLE:
                yield from self._leaves(entry & ADDRESS, level + 1, ipa)
            else:
                size = 1 << shift(level)
                yield Mapping(ipa, entry & ADDRESS & -size, size, entry, level)
