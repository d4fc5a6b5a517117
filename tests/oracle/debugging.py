"""Lists of short programs for debugging.S, with what breaks, watches and steps them, and the exceptions that came of each on
any machine that can run a guest."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oracle import listing

ENTRY, LIST, RESULTS, DATA = 0x4020_0000, 0x4040_0000, 0x4400_0000, 0x43FF_0000
MOST_EVENTS = 16
WORDS = 10
RESULT = 8 + 40 * MOST_EVENTS

RW, E2H, TGE = 1 << 31, 1 << 34, 1 << 27
TDE = 1 << 8
SS, KDE, MDE = 1, 1 << 13, 1 << 15
SPSR_SS, SPSR_D = 1 << 21, 1 << 9

EL_MODE = {0: 0, 1: 5, 2: 9}
SVC_FINISH, HVC_FINISH = 0xD4000001 | 0x55 << 5, 0xD4000002 | 0x55 << 5

_ITEM = struct.Struct("<9Q10I8Q4Q48x")
assert _ITEM.size == 256


@dataclass(frozen=True)
class Event:
    """One exception. ``offset``: of ELR from the first instruction of the program."""

    level: int
    vector: int
    esr: int
    far: int
    offset: int
    spsr: int

    @property
    def ec(self) -> int:
        return self.esr >> 26

    def __str__(self) -> str:
        far = f" FAR {self.far:#x}" if self.ec in (0x34, 0x35) else ""
        return f"EL{self.level}+{self.vector:#x} ESR {self.esr:#x} at {self.offset:#x}{far} SPSR {self.spsr:#x}"


@dataclass(frozen=True)
class Item:
    """A program of at most eight instructions at ``el`` with X10 = DATA, and its debug registers.

    ``breaks``: (value, control) of breakpoints 0, 1, 4 and 5; ``watches``: of watchpoints 0 and 3.
    ``again``: SPSR.SS on returns.
    """

    el: int
    words: tuple[int, ...]
    mdscr: int = 0
    mdcr: int = 0
    hcr: int = RW
    daif: int = 0
    ss: bool = False
    again: bool = False
    oslar: int = 0
    contextidr: tuple[int, int] = (0, 0)
    vmid: int = 0
    breaks: tuple[tuple[int, int], ...] = ((0, 0),) * 4
    watches: tuple[tuple[int, int], ...] = ((0, 0),) * 2
    tags: frozenset[str] = field(default_factory=frozenset)

    def pack(self) -> bytes:
        finish = SVC_FINISH if self.el == 0 else HVC_FINISH
        words = (*self.words, *(finish,) * (WORDS - len(self.words)))
        spsr = EL_MODE[self.el] | self.daif << 6 | self.ss << 21
        pairs = [v for pair in (*self.breaks, *self.watches) for v in pair]
        controls = (spsr, self.hcr, self.mdcr, self.mdscr, self.oslar, *self.contextidr, self.vmid << 48, self.again << 21)
        return _ITEM.pack(*controls, *words, *pairs)

    def __str__(self) -> str:
        steps = f"DAIF {self.daif:x} SS {self.ss:d}{self.again:d} OSLAR {self.oslar}"
        regs = f"MDSCR {self.mdscr:#x} MDCR {self.mdcr:#x} HCR {self.hcr:#x} {steps}"
        context = f"CONTEXTIDR {self.contextidr} VMID {self.vmid}"
        b = " ".join(f"({v:#x},{c:#x})" for v, c in self.breaks)
        w = " ".join(f"({v:#x},{c:#x})" for v, c in self.watches)
        return f"EL{self.el} {regs} {context} B {b} W {w}: {' '.join(f'{i:08x}' for i in self.words)}"


@functools.cache
def program() -> tuple[bytes, int]:
    """Return the assembled guest and the address of its slot."""
    code, symbols = listing.assemble(Path(__file__).with_name("debugging.S"), ENTRY)
    return code, symbols["slot"]


def image(items: Sequence[Item]) -> list[tuple[int, bytes]]:
    """Return the guest as (address, bytes); it starts at ENTRY at EL2 and switches the machine off at the end."""
    return [(ENTRY, program()[0]), (LIST, struct.pack("<Q", len(items)) + b"".join(i.pack() for i in items))]


def events(memory: bytes, count: int) -> list[list[Event]]:
    """Return the events of each item, from the bytes at RESULTS."""
    result = []
    for n in range(count):
        record = memory[n * RESULT : (n + 1) * RESULT]
        (number,) = struct.unpack_from("<Q", record)
        words = [struct.unpack_from("<QQQqQ", record, 8 + 40 * k) for k in range(number)]
        result.append(
            [
                Event(w & 0xFF, w >> 8, esr, far if esr >> 26 in (0x34, 0x35) else 0, at, spsr)
                for w, esr, far, at, spsr in words
            ]
        )
    return result


def on_qemu(items: Sequence[Item], cpu: str = "max") -> list[list[Event]]:
    """Return the events of the items on QEMU."""
    return events(listing.on_qemu(image(items), ENTRY, RESULTS, RESULT * len(items), cpu), len(items))


# ------------------------------------------------------------------------------------------------ random items

NOP, ISB, SVC1, BRK1, HVC2 = 0xD503201F, 0xD5033FDF, 0xD4000021, 0xD4200020, 0xD4000042
STXR = 0xC805_7D43
DAIFSET_D, DAIFCLR_D = 0xD50348DF, 0xD50348FF


def accesses(r: random.Random) -> int:
    """Return a load or store near X10, aligned."""
    log2, load = r.randrange(4), r.randrange(2)
    offset = r.randrange(-32, 64, 1 << log2)
    unscaled = log2 << 30 | 0x3800_0000 | load << 22 | (offset & 0x1FF) << 12 | 10 << 5 | 3
    return r.choice([
        unscaled,
        unscaled | 0x800,  # LDTR, STTR
        0xA900_0000 | load << 22 | (r.randrange(-4, 8) & 0x7F) << 15 | 4 << 10 | 10 << 5 | 3,  # LDP, STP
        0xC85F_7D43, 0xC85F_FD43,  # LDXR, LDAXR
        STXR,
        0xF820_0143 | r.choice([0, 0x8000]) | 4 << 16,  # LDADD, SWP
        0xC8A4_7D43,  # CAS
        0xF940_0143, 0xF900_0143,
    ])  # fmt: skip


def instruction(r: random.Random, *pstate: int) -> int:
    """Return an instruction that debug exceptions meet."""
    kind = r.randrange(10)
    if kind < 6:
        return accesses(r)
    return r.choice([NOP, ISB, SVC1, BRK1, HVC2, *pstate])


# HMC, SSC, PMC where QEMU and gdbhv choose the same of what the architecture leaves open.
LEVELS = [(0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 0, 1), (1, 0, 3), (1, 3, 0), (1, 0, 0), (0, 1, 1), (1, 1, 3), (0, 2, 3)]


def control(r: random.Random) -> int:
    hmc, ssc, pmc = r.choice(LEVELS)
    return hmc << 13 | ssc << 14 | pmc << 1 | (r.random() < 0.9)


def linked_context(r: random.Random, vmid: int, ids: tuple[int, int], kinds: Sequence[int]) -> tuple[int, int]:
    """Return a context-aware breakpoint that others may link to; mostly one that matches."""
    kind = r.choice(kinds)
    near = lambda v: v if r.random() < 0.75 else v ^ 1  # noqa: E731
    high = near(ids[1]) if kind in (13, 15) else near(vmid)
    return near(ids[0]) | high << 32, kind << 20 | 0xF << 5 | control(r)


def item(r: random.Random) -> Item:
    """Return a random item in which QEMU 7.2 does what the architecture says, or chooses as gdbhv does."""
    slot = program()[1]
    e2h = r.random() < 0.4
    tge = r.random() < 0.25
    el = r.choice([0, 2] if tge else [0, 1, 1, 2])
    ids, vmid = (r.randrange(4), r.randrange(4)), r.randrange(4)
    mdscr = r.choice([MDE, MDE, MDE | KDE, MDE | KDE, SS, SS | KDE, SS | MDE | KDE, SS | MDE, KDE])
    host = e2h and (el == 2 or (el == 0 and tge))
    pstate = [] if el == 0 and host else [DAIFCLR_D] if mdscr & SS else [DAIFSET_D, DAIFCLR_D]
    words = tuple(instruction(r, *pstate) for _ in range(r.randrange(3, 9)))
    breaks = []
    for _ in range(2):
        link = r.random() < 0.4
        breaks.append((slot + 4 * r.randrange(8), link << 20 | r.choice([0, 1, 4, 5, 5]) << 16 | 0xF << 5 | control(r)))
    watches = [(0, 0)] * 2
    loads_only = False
    if r.random() < 0.8:
        link = r.random() < 0.3
        mask = r.choice([0, 0, 0, 3, 4, 5, 6])
        bas = 0xFF if mask else r.choice([0xFF, 0x0F, 0xF0, 0x01, 0x80, 0x3C, 0x18, 0x06])
        address = DATA + r.randrange(-32, 64, 8)
        if mask:
            address &= -(1 << mask)
        where = mask << 24 | link << 20 | r.choice([4, 5]) << 16 | bas << 5
        kind = r.randrange(4)
        loads_only = kind == 1
        watches[r.randrange(2)] = (address, where | kind << 3 | control(r))
    if loads_only:
        words = tuple(NOP if word == STXR else word for word in words)
    kinds = [3, 3, 3, 1, 5] if host or el == 2 else [3, 7, 7, 1, 5]
    return Item(
        el=el,
        words=words,
        mdscr=mdscr,
        mdcr=r.choice([0, TDE]),
        hcr=RW | e2h * E2H | tge * TGE,
        daif=r.choice([0, 0, 8, 15]),
        ss=r.random() < 0.5,
        again=r.random() < 0.7,
        contextidr=ids,
        vmid=vmid,
        breaks=(*breaks, linked_context(r, vmid, ids, kinds), linked_context(r, vmid, ids, kinds)),
        watches=tuple(watches),
    )
