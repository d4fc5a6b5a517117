"""Stage 2 tables from a list of ranges, for those who write their first ones (Arm ARM D8.2, D8.3.2).

A list has a line for each range: IPAs, the PA of the first one, permissions, and what memory it is::

    # IPA             PA          perm  memory
    0x40000000+64M    0x80000000  rwx   normal
    0x09000000+4K     0x09000000  rw    device
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gdbhv.errors import CommandError
from gdbhv.exits.exitspec import span
from gdbhv.tables import encode
from gdbhv.views.stage2 import PA_BITS

MEMORY = {"normal": 0xF, "write-through": 0xA, "non-cacheable": 0x5, "device": 0x1, "device-ngnrne": 0x0}
START = {12: {2: 0, 1: 1, 0: 2}, 14: {3: 0, 2: 1, 1: 2}, 16: {3: 0, 2: 1, 1: 2}}  # VTCR_EL2.SL0 by granule and first level
TG0 = {12: 0, 14: 2, 16: 1}
TABLES_AT_START = 4  # log2 of the most tables that are concatenated at the first level
MOST = 1 << 16  # tables
INNER, AF, XN = 3 << 8, 1 << 10, 2 << 53


@dataclass(frozen=True)
class Mapping:
    """IPAs ``ipa`` to ``ipa + size - 1`` at ``pa``; ``perm`` has some of "rwx"; ``memory`` is a name of :data:`MEMORY`."""

    ipa: int
    size: int
    pa: int
    perm: str
    memory: str

    @property
    def attributes(self) -> int:
        """The attributes of a descriptor."""
        ap = ("r" in self.perm) << 6 | ("w" in self.perm) << 7
        return MEMORY[self.memory] << 2 | ap | INNER * (self.memory == "normal") | AF | (0 if "x" in self.perm else XN)


@dataclass(frozen=True)
class Built:
    """Tables as bytes for address ``root``, with the values of the registers that select them (VMID 0)."""

    root: int
    data: bytes
    vtcr: int
    vttbr: int


def parse(text: str) -> list[Mapping]:
    """Read a list of ranges. :raises gdbhv.errors.CommandError: a line is wrong, with its number and the reason."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            found.append(_mapping(words))
        except (CommandError, ValueError) as e:
            raise CommandError(f"line {number}: {e}; a line is: IPA+SIZE PA PERM MEMORY") from None
    if not found:
        raise CommandError("no range is there; a line is: IPA+SIZE PA PERM MEMORY")
    return found


def _mapping(words: Sequence[str]) -> Mapping:
    if len(words) != 4:
        raise ValueError(f"{len(words)} words instead of 4")
    low, high = span(words[0])
    pa = int(words[1], 0)
    perm, memory = words[2].replace("-", ""), words[3].lower()
    if set(perm) - set("rwx") or len(set(perm)) != len(perm):
        raise ValueError(f"{words[2]!r} is no permission: some of r, w and x")
    if memory not in MEMORY:
        raise ValueError(f"{words[3]!r} is no memory: {', '.join(MEMORY)}")
    return Mapping(low, high - low + 1, pa, perm, memory)


def build(mappings: Sequence[Mapping], at: int, granule: int = 12, ipa_bits: int | None = None, pa_bits: int = 40) -> Built:
    """Make tables for physical address ``at``, of the largest leaves that fit.

    :param granule: log2 of its bytes: 12, 14 or 16.
    :param ipa_bits: of an IPA; default: as many as the ranges need, 32 at least.
    :param pa_bits: of a PA; what VTCR_EL2.PS says.
    :raises gdbhv.errors.CommandError: ranges overlap, are not aligned or too large, or there are too many tables.
    """
    if pa_bits not in PA_BITS[:6]:
        raise CommandError(f"{pa_bits} bits of PA: {', '.join(map(str, PA_BITS[:6]))} are possible")
    rows = sorted(mappings, key=lambda m: m.ipa)
    for m in rows:
        if (m.ipa | m.size | m.pa) & (1 << granule) - 1:
            raise CommandError(f"{m.ipa:#x}+{m.size:#x} at {m.pa:#x} is not aligned to the granule, {1 << granule:#x}")
        if (m.pa + m.size - 1) >> pa_bits:
            raise CommandError(f"{m.ipa:#x}: PA {m.pa + m.size - 1:#x} has more than {pa_bits} bits")
    for one, two in pairwise(rows):
        if one.ipa + one.size > two.ipa:
            raise CommandError(f"{one.ipa:#x}+{one.size:#x} and {two.ipa:#x}+{two.size:#x} overlap")
    needed = max((m.ipa + m.size - 1).bit_length() for m in rows)
    bits = max(32, needed) if ipa_bits is None else ipa_bits
    if not max(needed, 25) <= bits <= pa_bits:
        raise CommandError(
            f"{bits} bits of IPA: {max(needed, 25)} (what the ranges need) to {pa_bits} (those of a PA) are possible"
        )
    return _Builder(granule, bits, pa_bits, at).built(rows)


class _Builder:
    def __init__(self, granule: int, ipa_bits: int, pa_bits: int, at: int) -> None:
        self.granule, self.ipa_bits, self.pa_bits = granule, ipa_bits, pa_bits
        fit = [n for n in START[granule] if 0 < ipa_bits - self.shift(n) <= granule - 3 + TABLES_AT_START]
        if not fit:
            raise CommandError(f"no first level is possible for {ipa_bits} bits of IPA and this granule")
        self.start = max(fit)
        self.tables: dict[int, list[int]] = {}
        entries = 1 << (ipa_bits - self.shift(self.start))
        aligned = max(8 * entries, 1 << granule)
        if at % aligned:
            raise CommandError(
                f"the address of the tables, {at:#x}, is not aligned to {aligned:#x}, the size of the first one"
            )
        self.root = at
        self.tables[at] = [0] * (aligned // 8)
        self.next = at + aligned

    def shift(self, level: int) -> int:
        return self.granule + (self.granule - 3) * (3 - level)

    def built(self, rows: Sequence[Mapping]) -> Built:
        for m in rows:
            self._put(self.root, self.start, m, m.ipa, m.size)
        data = b"".join(struct.pack(f"<{len(words)}Q", *words) for _, words in sorted(self.tables.items()))
        sl0, ps = START[self.granule][self.start], PA_BITS.index(self.pa_bits)
        fields = {
            "T0SZ": 64 - self.ipa_bits,
            "SL0": sl0,
            "TG0": TG0[self.granule],
            "PS": ps,
            "IRGN0": 1,
            "ORGN0": 1,
            "SH0": 3,
        }
        return Built(self.root, data, encode("VTCR_EL2", **fields) | 1 << 31, self.root)

    def _put(self, table: int, level: int, m: Mapping, ipa: int, size: int) -> None:
        """Map IPAs ``ipa`` to ``ipa + size - 1``, which one table has, in it."""
        step = 1 << self.shift(level)
        words = self.tables[table]
        end = ipa + size
        while ipa < end:
            n = (ipa >> self.shift(level)) % len(words)
            part = min(end, (ipa & -step) + step) - ipa
            pa = m.pa + ipa - m.ipa
            leaf = level == 3 or (level >= {12: 1, 14: 2, 16: 2}[self.granule] and words[n] == 0)
            if leaf and part == step and pa % step == 0:
                words[n] = pa | m.attributes | (3 if level == 3 else 1)
            else:
                if not words[n]:
                    words[n] = self._new() | 3
                self._put(words[n] & ((1 << 48) - (1 << self.granule)), level + 1, m, ipa, part)
            ipa += part

    def _new(self) -> int:
        if len(self.tables) == MOST:
            raise CommandError(f"more than {MOST:,} tables: larger ranges, or aligned ones, take fewer")
        made = self.next
        self.tables[made] = [0] * (1 << (self.granule - 3))
        self.next += 1 << self.granule
        return made


def as_c(built: Built) -> str:
    """Return the tables as C source, with comments on how to use them."""
    words = struct.unpack(f"<{len(built.data) // 8}Q", built.data)
    lines = [
        f"/* Stage 2 tables for physical address {built.root:#x}: VTTBR_EL2 = {built.vttbr:#x} (and a VMID in bits 63:48),",
        f" * VTCR_EL2 = {built.vtcr:#x}; then HCR_EL2.VM = 1. Link or copy them to that address: they hold it. */",
        "#include <stdint.h>",
        f"const uint64_t stage2_tables[{len(words)}] = {{",
    ]
    lines += [f"    [{n}] = {word:#018x}," for n, word in enumerate(words) if word]
    return "\n".join([*lines, "};", ""])
