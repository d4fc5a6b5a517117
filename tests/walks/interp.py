"""A second interpreter of translation tables, written from the Arm ARM's D8 and nothing else: what the model's
walker is compared with.

One :class:`Stage1` or :class:`Stage2` is one setting of the registers over one memory. They walk;
:class:`Translation` puts them together as an access does: both stages, permissions, memory types, and what hardware
writes into descriptors. It is written to be read beside D8 and fast enough for a million walks: descriptors are
parsed once (:mod:`layout`), and a stage 2 walk of a page and the way to each stage 1 table are kept.

Not modelled: FEAT_NV's other layout of permissions, big-endian tables, and the Contiguous bit, which changes nothing
but a TLB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from walks import attributes
from walks.attributes import Memory

# Fault status codes of level 0 (the ISS of Data Aborts, D24.2.37); level -1 has codes of its own.
ADDRESS_SIZE, TRANSLATION, ACCESS_FLAG, PERMISSION, EXTERNAL = 0x00, 0x04, 0x08, 0x0C, 0x14
BELOW_ZERO = {ADDRESS_SIZE: 0x29, TRANSLATION: 0x2B, EXTERNAL: 0x13}
SIZES = (32, 36, 40, 42, 44, 48, 52, 52)  # of TCR.IPS and its kind; 7 is reserved, and taken as the largest


def code(kind: int, level: int) -> int:
    return kind + level if level >= 0 else BELOW_ZERO[kind]


class Fault(NamedTuple):
    fsc: int
    stage: int = 1
    s1ptw: bool = False
    ipa: int | None = None


class Step(NamedTuple):
    """A descriptor that was read, and where."""

    stage: int
    level: int
    pa: int
    value: int


class Memories:
    """RAM as a list of 64-bit words; the board's flash, of zeros. What a walk reads elsewhere is an external abort."""

    FLASH = range(128 << 20)

    def __init__(self, base: int, words: list[int]) -> None:
        self.base, self.words = base, words

    def read(self, pa: int) -> int | None:
        index = pa - self.base >> 3
        if 0 <= index < len(self.words):
            return self.words[index]
        return 0 if pa in self.FLASH else None


@dataclass(frozen=True)
class Core:
    """What the profile has."""

    features: frozenset[str]
    pa_bits: int

    def has(self, name: str) -> bool:
        return name in self.features

    def pa_max(self, granule: int, ds: bool) -> int:
        wide = self.has("LPA") and (granule == 16 or ds)
        return min(52 if wide else 48, self.pa_bits)


class Tables:
    """What both stages share: the geometry of a walk and the addresses in descriptors."""

    def __init__(self, core: Core, granule: int, ds: bool, txsz: int, ps: int, start: int, base: int) -> None:
        self.core, self.granule, self.ds = core, granule, ds
        self.stride = granule - 3
        self.ia_bits = 64 - txsz
        self.oa_bits = min(SIZES[ps], core.pa_max(granule, ds))
        self.wide64 = granule == 16 and core.has("LPA")
        self.start = start
        # D8.2.5: the table is aligned to its size, concatenated or not; with 52-bit addresses to 64 bytes at least, and
        # bits 5:2 are high.
        size = max(self.ia_bits - ((3 - start) * self.stride + granule) + 3, 0)  # less than 0 only where SL0 is refused
        if ds or (self.wide64 and ps == 6):
            size = max(size, 6)
            base = base & 0xFFFF_FFFF_FFC0 | (base >> 2 & 15) << 48
        self.base = base >> size << size

    def shift(self, level: int) -> int:
        return self.granule + (3 - level) * self.stride

    def entry(self, table: int, level: int, address: int) -> int:
        """Where the descriptor of ``address`` is."""
        shift = self.shift(level)
        top = self.ia_bits if level == self.start else shift + self.stride
        return table | (address >> shift & (1 << max(top - shift, 0)) - 1) << 3

    def out_of_range(self, address: int) -> bool:
        return address >> self.oa_bits != 0

    def output(self, d: object, low: int) -> int:
        """The address in a descriptor, from bit ``low`` up (D8.3)."""
        address: int = d.address << 12  # type: ignore[attr-defined]
        base = address >> low << low
        if self.wide64:
            return base | (address >> 12 & 15) << 48
        if self.ds:
            top = d.SH if "SH" in d else d.top
            return base | (top << 2 | d.high) << 48  # type: ignore[attr-defined]
        return base

    def block(self, level: int) -> bool:
        """D8.3.1: whether there are blocks at this level."""
        if self.granule == 12:
            return level in (1, 2) or (level == 0 and self.ds)
        if self.granule == 14:
            return level == 2 or (level == 1 and self.ds)
        return level == 2 or (level == 1 and self.wide64)

    def leaf(self, value: int, level: int) -> bool | None:
        """True: a block or a page; False: a table; None: invalid."""
        kind = value & 3
        if kind == 3:
            return level == 3
        return True if kind == 1 and self.block(level) else None


def size_faults(core: Core, txsz: int, least: int, granule: int) -> bool:
    """D8.2.4: TxSZ that no table can have."""
    return txsz < least or txsz > ((47 if granule == 16 else 48) if core.has("TTST") else 39)


@dataclass(slots=True)
class Leaf:
    """Where a walk ended well: the last descriptor, and what it gives."""

    level: int
    value: int
    at: int  # PA of the descriptor
    base: int
    mask: int
    steps: tuple[Step, ...]
    r: bool = False
    w: bool = False
    xp: bool = False
    xu: bool = False
    attr: int = 0
    sh: int = 0
    memory: Memory = attributes.STRONGEST
    user: tuple[bool, bool, bool] = (False, False, False)
    privileged: tuple[bool, bool, bool] = (False, False, False)
    pan: bool = False  # PSTATE.PAN keeps EL1 and EL2 from reading and writing
    update: int = 0  # what the access flag makes of it
    dirty: int = 0  # what a write makes of it
    ipa: int = 0  # of the descriptor, stage 1


Walked = tuple[tuple[Step, ...], int, Leaf | None]  # steps, FSC, leaf


@dataclass
class Registers:
    """Values of the registers as they were written."""

    hcr: int = 0
    vtcr: int = 0
    vttbr: int = 0
    sctlr: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    tcr: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    ttbr0: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    ttbr1: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    mair: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})


TG0, TG1 = {0: 12, 1: 16, 2: 14}, {2: 12, 3: 16, 1: 14}  # the reserved value is taken as 4 KiB
START_LEVELS = {12: {0: 2, 1: 1, 2: 0, 3: 3, 4: -1}, 14: {0: 3, 1: 2, 2: 1, 3: 0}, 16: {0: 3, 1: 2, 2: 1}}
EL10, EL2, EL20 = "EL1&0", "EL2", "EL2&0"
