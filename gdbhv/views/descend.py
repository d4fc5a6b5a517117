"""Translation tables of either stage, descriptor by descriptor, as the walker reads them (Arm ARM D8.2, D8.3), and what is
wrong with them.

The work is bounded by who takes the descriptors: tables that contain themselves never end.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Read = Callable[[int, int], bytes]
"""Returns memory at an address and of a length in bytes. Raises IndexError where there is none."""

HIERARCHY = 0x1F << 59  # of a table of stage 1: NSTable, APTable, UXNTable, PXNTable
ADDRESS = (1 << 48) - (1 << 12)
AF, NT, CONTIGUOUS, DBM, READ_ONLY = 1 << 10, 1 << 16, 1 << 52, 1 << 51, 1 << 7


@dataclass(frozen=True)
class Layout:
    """How tables are laid out: granule and input address in bits, first level and its descriptors, where it begins."""

    granule: int
    ipa_bits: int
    start: int
    entries: int
    root: int
    pa_bits: int = 48
    output_bits: int = field(default=52, compare=False)  # an output address with more is an address size fault

    @property
    def first(self) -> int:
        """The first input address."""
        return 0

    @property
    def last(self) -> int:
        """The last one."""
        return self.first + (1 << self.ipa_bits) - 1

    @abstractmethod
    def leaf(self, descriptor: int, limits: int = 0) -> dict[str, object]:
        """Return the attributes of a block or page; ``limits``: those of the tables above it, bits 63:59."""

    @abstractmethod
    def reserved(self, descriptor: int, *, table: bool) -> int:
        """Return the bits that are set and of which this stage says that they are RES0, those of the address left out."""

    @abstractmethod
    def permission(self, attributes: dict[str, object]) -> str:
        """Return the permissions among the attributes of a leaf, in letters."""

    def output(self, descriptor: int, lsb: int) -> int:
        """Return the address in a descriptor of a table or of a leaf of ``1 << lsb`` bytes."""
        low = descriptor & ((1 << 48) - (1 << lsb))
        if self.pa_bits == 48:
            return low
        if self.granule == 16:
            return low | (descriptor >> 12 & 15) << 48
        return low | (descriptor >> 48 & 3) << 48 | (descriptor >> 8 & 3) << 50

    def has_block(self, level: int) -> bool:
        """Return whether a descriptor of ``level`` may be a block."""
        return 3 > level >= {12: 1, 14: 2, 16: 2}[self.granule] - (self.pa_bits == 52)

    def shift(self, level: int) -> int:
        """Return the lowest input address bit that ``level`` translates."""
        return self.granule + (self.granule - 3) * (3 - level)

    def row(self, level: int) -> int:
        """Return how many leaves of ``level`` a row of contiguous ones has; 1: the bit is RES0 (table D8-94)."""
        return {(12, 1): 16, (12, 2): 16, (12, 3): 16, (14, 2): 32, (14, 3): 128, (16, 2): 32, (16, 3): 32}.get(
            (self.granule, level), 1
        )


@dataclass(frozen=True)
class Entry:
    """A descriptor: a table or a leaf, or one that is not valid."""

    level: int
    ipa: int  # the first input address; of stage 1 a VA
    size: int
    address: int  # of the descriptor
    descriptor: int
    output: int
    table: bool
    in_ram: bool = True  # of a table: whether it can be read
    limits: int = 0  # of the tables above: bits 63:59
    valid: bool = True


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a descriptor."""

    ipa: int
    level: int
    address: int  # of the descriptor
    descriptor: int
    what: str


def entries(
    layout: Layout,
    read: Read,
    low: int = 0,
    high: int | None = None,
    *,
    note: Callable[[Wrong], None] = lambda wrong: None,
    invalid: bool = False,
) -> Iterator[Entry]:
    """Yield the valid descriptors for input addresses ``low`` to ``high``, tables before what is in them.

    :param note: gets what is wrong, before the descriptor that it is wrong with.
    :param invalid: yield those too that are not valid and not 0.
    """
    descent = _Descent(layout, read, low, layout.last if high is None else high, note, invalid)
    yield from descent.table(layout.root, layout.start, layout.first, layout.entries, 0, {layout.root: layout.start})


@dataclass(frozen=True)
class _Descent:
    layout: Layout
    read: Read
    low: int
    high: int
    note: Callable[[Wrong], None]
    invalid: bool

    def table(self, address: int, level: int, base: int, count: int, limits: int, above: dict[int, int]) -> Iterator[Entry]:
        """Yield what is in one table; ``above``: the tables on the way to it, with their levels."""
        g = self.layout
        step = 1 << g.shift(level)
        first, last = max(0, (self.low - base) // step), min(count - 1, (self.high - base) // step)
        if first > last:
            return
        raw = self.read(address + 8 * first, 8 * (last - first + 1))
        row = -1
        for i, d in enumerate(struct.unpack(f"<{last - first + 1}Q", raw), first):
            if not d & 1 and not (d and self.invalid):
                continue
            ipa, at = base + i * step, address + 8 * i
            is_table = level < 3 and d & 3 == 3
            leaf = (d & 3 == 1 and g.has_block(level)) if level < 3 else d & 3 == 3
            if not is_table and not leaf:
                if d & 1:
                    self._say(ipa, level, at, d, f"bits 1:0 = 0b{d & 3:02b} are reserved at level {level}: it is invalid")
                if self.invalid:
                    yield Entry(level, ipa, step, at, d, 0, False, limits=limits, valid=False)
                continue
            output = g.output(d, g.granule if is_table else g.shift(level))
            self._bits(ipa, level, at, d, table=is_table)
            readable = not is_table or self._table(ipa, level, at, d, output, above)
            if leaf and d & CONTIGUOUS and 1 < (n := g.row(level)) <= count and i // n != row:
                row = i // n
                self._row(base + row * n * step, level, address + 8 * row * n, n)
            yield Entry(level, ipa, step, at, d, output, is_table, readable, limits)
            if is_table and readable:
                inner = limits | d & HIERARCHY
                size = 1 << (g.granule - 3)
                yield from self.table(output, level + 1, ipa, size, inner, {**above, output: level + 1})

    def _say(self, ipa: int, level: int, at: int, d: int, what: str) -> None:
        self.note(Wrong(ipa, level, at, d, what))

    def _table(self, ipa: int, level: int, at: int, d: int, output: int, above: dict[int, int]) -> bool:
        """Say what is wrong with the place of a table, and whether it can be read."""
        if output in above:
            self._say(ipa, level, at, d, f"a loop: {output:#x} is the table of level {above[output]} on the way to it")
        try:
            self.read(output, 1 << self.layout.granule)
        except IndexError:
            self._say(ipa, level, at, d, f"the table at {output:#x} is not in memory: a walk is an external abort")
            return False
        return True

    def _bits(self, ipa: int, level: int, at: int, d: int, *, table: bool) -> None:
        """Say which bits of a valid descriptor are not as they should be."""
        g = self.layout
        lsb = g.granule if table else g.shift(level)
        low = d & ((1 << lsb) - 1) & ADDRESS
        if g.granule == 16 and g.pa_bits == 52:
            low &= ~0xF000
        if not table and lsb > 16:
            low &= ~NT  # of FEAT_BBM
        if low:
            what = "the next table is" if table else f"a leaf of {1 << lsb:#x} bytes is"
            self._say(ipa, level, at, d, f"misaligned: address bits {low:#x} are RES0, as {what} aligned to {1 << lsb:#x}")
        high = d & 7 << 48 & ~(3 << 48 if g.pa_bits == 52 and g.granule != 16 else 0)
        if bits := high & ~(1 << 50) | g.reserved(d, table=table):
            self._say(ipa, level, at, d, f"bits {bits:#x} are RES0")
        if not table and d & CONTIGUOUS and g.row(level) == 1:
            self._say(ipa, level, at, d, f"bit 52 (Contiguous) is RES0 at level {level} of this granule")
        if (output := g.output(d, lsb)) >> g.output_bits:
            self._say(
                ipa, level, at, d, f"output address {output:#x} has more than {g.output_bits} bits: an address size fault"
            )

    def _row(self, ipa: int, level: int, at: int, n: int) -> None:
        """Say what differs in a row of contiguous leaves (D8.7.1): attributes, or addresses that do not go on."""
        g = self.layout
        lsb = g.shift(level)
        words = struct.unpack(f"<{n}Q", self.read(at, 8 * n))
        address = g.output(-1, lsb)
        plain = [d & ~AF & ~(READ_ONLY if d & DBM else 0) & ~_spread(g, address, lsb) for d in words]
        start = g.output(words[0], lsb)
        for i, d in enumerate(words):
            where = (ipa + (i << lsb), level, at + 8 * i, d)
            if plain[i] != plain[0]:
                bits = plain[i] ^ plain[0]
                self._say(
                    *where, f"one of {n} contiguous ones, and differs from the first, {words[0]:#x}, in bits {bits:#x}"
                )
                return
            if g.output(d, lsb) != start + (i << lsb) or start % (n << lsb):
                self._say(*where, f"contiguous, but the {n} addresses are not one aligned block of {n << lsb:#x} bytes")
                return


def _spread(g: Layout, address: int, lsb: int) -> int:
    """Return the bits of a descriptor that hold its address."""
    if g.pa_bits == 48:
        return address
    if g.granule == 16:
        return address & ADDRESS | 0xF000
    return (1 << 48) - (1 << lsb) | 3 << 48 | 3 << 8


@dataclass
class Range:
    """Leaves that continue each other with the same attributes; ``size`` and ``leaf`` (each one's) are in bytes."""

    ipa: int
    pa: int
    size: int
    leaf: int
    leaves: int
    attributes: dict[str, object]


def extend(ranges: list[Range], e: Entry, g: Layout) -> None:
    """Add a leaf to ranges: it goes on the last one, with the same attributes, or begins another."""
    attributes = g.leaf(e.descriptor, e.limits)
    if ranges:
        r = ranges[-1]
        follows = r.ipa + r.size == e.ipa and r.pa + r.size == e.output
        if follows and r.attributes == attributes and r.leaf == e.size:
            r.size += e.size
            r.leaves += 1
            return
    ranges.append(Range(e.ipa, e.output, e.size, e.size, 1, attributes))


def holes(ranges: list[Range], low: int, high: int) -> list[tuple[int, int]]:
    """Return what of ``low`` to ``high`` no range has: pairs of the first address and bytes."""
    found, at = [], low
    for r in ranges:
        if r.ipa > at:
            found.append((at, r.ipa - at))
        at = max(at, r.ipa + r.size)
    return found + [(at, high + 1 - at)] * (high >= at)
