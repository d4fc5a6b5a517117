"""Random tables and registers, biased so that most walks go far and every kind of fault is met.

The words of RAM are descriptors, all of them: whatever address a walk comes to, of either stage and at any level, it
finds something that means something. They are drawn from a small pool, so that each is parsed once. RAM has three
parts: descriptors that stay in RAM (stage 2 and tables of regimes without one), descriptors whose addresses are IPAs
(stage 1 under stage 2), and a part for code and data.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass

from walks import layout
from walks.interp import START_LEVELS, Core, Registers

BASE = 0x4000_0000
PART = 2 << 20
DATA = BASE + 2 * PART
DATA_SIZE = 1 << 20
SIZE = 2 * PART + DATA_SIZE

# What the part for code and data holds, and at FLUSHER: TLBI ALLE1; TLBI ALLE2; DSB SY; ISB
NOPS = 0xD503201F_D503201F
FLUSHER = DATA + DATA_SIZE - 0x1000
FLUSH = (0xD50C871F_D50C879F, 0xD5033FDF_D5033F9F)
FLUSH_LENGTH = 4

TG0 = {12: 0, 14: 2, 16: 1}
TG1 = {12: 2, 14: 1, 16: 3}
SH = (0, 2, 3)
# MemAttr of stage 2, or AttrIndx and NS of stage 1: what is not reserved with or without FEAT_S2FWB.
MEMORY = (0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15)
NORMAL = tuple(o << 2 | i for o in (1, 2, 3) for i in (1, 2, 3))


@dataclass(frozen=True)
class Shape:
    """What a set of tables is made for."""

    granule1: int
    granule2: int  # 0: no stage 2
    ds: bool
    ipa_bits: int


def likely(rng: random.Random, chance: float) -> bool:
    return rng.random() < chance


class Pool:
    """Descriptors of one set of tables."""

    def __init__(self, rng: random.Random, core: Core, shape: Shape) -> None:
        self.rng, self.core, self.shape = rng, core, shape
        self.wide64 = core.has("LPA") and 16 in (shape.granule1, shape.granule2)

    def place(self, ipa: bool) -> int:
        """Bits 47:12 of an address, and 51:48 where the granule has them."""
        rng = self.rng
        spot = rng.random()
        if spot < 0.03:
            return rng.getrandbits(36) << 12
        inside = BASE + (
            rng.randrange(PART)
            if spot < 0.8
            else PART + rng.randrange(PART)
            if spot < 0.9
            else DATA - BASE + rng.randrange(DATA_SIZE)
        )
        if ipa:
            inside &= (1 << self.shape.ipa_bits) - 1
            if likely(rng, 0.5):
                inside |= rng.getrandbits(self.shape.ipa_bits) & ~((1 << 23) - 1)
        inside &= ~0xFFF
        if self.wide64:
            inside = inside & ~0xF000 | (rng.getrandbits(4) << 12 if likely(rng, 0.02) else 0)
        return inside & (1 << 48) - 1

    def descriptor(self, ipa: bool) -> int:
        rng = self.rng
        kind = rng.choices((3, 1, 0, 2), (80, 17, 2, 1))[0]
        value = kind | self.place(ipa)
        if kind & 2 and rng.getrandbits(1):  # as the table that it is, or may be
            for bit in (59, 60, 61, 62, 63):
                value |= likely(rng, 0.08) << bit
        value |= rng.getrandbits(8) << 55 if likely(rng, 0.1) else rng.getrandbits(4) << 55
        for bit, chance in ((54, 0.25), (53, 0.25), (52, 0.1), (51, 0.3), (50, 0.05), (11, 0.3), (10, 0.93)):
            value |= likely(rng, chance) << bit
        if ipa:  # AP[1], AP[2], AttrIndx and NS of stage 1
            value |= likely(rng, 0.6) << 6 | likely(rng, 0.3) << 7 | rng.choice(MEMORY) << 2
        else:  # S2AP and MemAttr of stage 2, or the same of stage 1
            value |= likely(rng, 0.93) << 6 | likely(rng, 0.7) << 7
            value |= (rng.choice(NORMAL) if likely(rng, 0.93) else rng.randrange(4)) << 2
        if not self.shape.ds:
            value |= rng.choice(SH) << 8
        elif likely(rng, 0.03):
            value |= rng.getrandbits(2) << 8 | rng.getrandbits(2) << 48
        if likely(rng, 0.03) and not self.shape.ds:
            value |= rng.getrandbits(2) << 48  # RES0
        return value

    def words(self) -> array[int]:
        rng = self.rng
        low = [self.descriptor(False) for _ in range(400)]
        high = [self.descriptor(bool(self.shape.granule2)) for _ in range(400)]
        words = array("Q", rng.choices(low, k=PART // 8))
        words.extend(rng.choices(high, k=PART // 8))
        words.extend([NOPS] * (DATA_SIZE // 8))
        words[(FLUSHER - BASE) // 8] = FLUSH[0]
        words[(FLUSHER - BASE) // 8 + 1] = FLUSH[1]
        return words


def choose_size(rng: random.Random, granule: int, ds: bool, core: Core, wanted: int = 0) -> int:
    """TxSZ: mostly valid, sometimes at the limits, seldom out of them."""
    wide = ds or (core.has("LVA") and granule == 16)
    least = 12 if wide else 16
    most = (47 if granule == 16 else 48) if core.has("TTST") else 39
    spot = rng.random()
    if spot < 0.02:
        return rng.randrange(64)
    if wanted and spot < 0.8:
        return max(least, min(most, 64 - wanted))
    if spot < 0.3:
        return rng.choice((least, least + 1, most, most - 1))
    return rng.randrange(least, most + 1)


def table_base(rng: random.Random, ipa_bits: int | None) -> int:
    """A TTBR's BADDR: a table in RAM, or for stage 1 under stage 2 at an IPA that leads there."""
    if likely(rng, 0.02):
        return rng.getrandbits(48) & ~0x3F
    inside = BASE + (rng.randrange(PART) if ipa_bits is None else PART + rng.randrange(PART))
    if ipa_bits is not None:
        inside &= (1 << ipa_bits) - 1
        if rng.getrandbits(1):
            inside |= rng.getrandbits(ipa_bits) & ~((1 << 23) - 1)
    return inside & ~0x1FFFFF if likely(rng, 0.2) else inside & ~(0xFFFF if rng.getrandbits(1) else 0xFFF)


def physical_size(rng: random.Random, core: Core) -> int:
    return 6 if core.has("LPA") and rng.getrandbits(1) else 5 if likely(rng, 0.9) else rng.randrange(7)


def mair(rng: random.Random) -> int:
    value = 0
    for n in range(8):
        byte = rng.choice((0x00, 0x04, 0x08, 0x0C)) if likely(rng, 0.2) else rng.randrange(1, 16) << 4 | rng.randrange(1, 16)
        value |= byte << 8 * n
    return value


def registers(rng: random.Random, core: Core, shape: Shape) -> Registers:
    """One setting for a set of tables."""
    r = Registers()
    max_like, nested = core.has("VHE"), bool(shape.granule2)
    vm = nested and likely(rng, 0.93)
    e2h = max_like and likely(rng, 0.5)
    tge = likely(rng, 0.1 if vm else 0.4)
    r.hcr = layout.build(
        layout.HCR, VM=vm, DC=nested and likely(rng, 0.07), PTW=rng.getrandbits(1), FWB=max_like and likely(rng, 0.3),
        RW=1, E2H=e2h, TGE=tge, CD=likely(rng, 0.05), ID=likely(rng, 0.05),
    )  # fmt: skip
    ds = shape.ds
    for el in (1, 2):
        granules = [shape.granule1 if likely(rng, 0.9) or not max_like else rng.choice((12, 14, 16)) for _ in range(2)]
        sizes = [choose_size(rng, g, ds, core) for g in granules]
        if el == 2 and not e2h:
            r.tcr[2] = layout.build(
                layout.TCR_ONE, T0SZ=sizes[0], TG0=TG0[granules[0]], SH0=rng.choice(SH), PS=physical_size(rng, core),
                TBI=rng.getrandbits(1), HA=likely(rng, 0.3), HD=likely(rng, 0.6), HPD=likely(rng, 0.3),
                TBID=likely(rng, 0.3), DS=ds, IRGN0=1, ORGN0=1,
            )  # fmt: skip
        else:
            r.tcr[el] = layout.build(
                layout.TCR_TWO, T0SZ=sizes[0], T1SZ=sizes[1], TG0=TG0[granules[0]], TG1=TG1[granules[1]],
                SH0=rng.choice(SH), SH1=rng.choice(SH), IPS=physical_size(rng, core), EPD0=likely(rng, 0.04),
                EPD1=likely(rng, 0.04), A1=rng.getrandbits(1), TBI0=rng.getrandbits(1), TBI1=rng.getrandbits(1),
                HA=likely(rng, 0.3), HD=likely(rng, 0.6), HPD0=likely(rng, 0.3), HPD1=likely(rng, 0.3),
                TBID0=likely(rng, 0.3), TBID1=likely(rng, 0.3), E0PD0=likely(rng, 0.1), E0PD1=likely(rng, 0.1), DS=ds,
                AS=rng.getrandbits(1),
            )  # fmt: skip
        ipa_bits = shape.ipa_bits if el == 1 and nested else None
        r.ttbr0[el] = table_base(rng, ipa_bits) | rng.getrandbits(8) << 48
        r.ttbr1[el] = table_base(rng, ipa_bits) | rng.getrandbits(8) << 48
        r.mair[el] = mair(rng)
        r.sctlr[el] = layout.build(
            layout.SCTLR, M=likely(rng, 0.96), C=likely(rng, 0.9), I=likely(rng, 0.9), WXN=likely(rng, 0.1),
            EPAN=rng.getrandbits(1),
        )  # fmt: skip
    granule = shape.granule2 or 12
    t0sz = choose_size(rng, granule, ds, core, max(shape.ipa_bits, 32) if nested else 0)
    r.vtcr = layout.build(
        layout.VTCR, T0SZ=t0sz, TG0=TG0[granule], PS=physical_size(rng, core), HA=likely(rng, 0.4), HD=likely(rng, 0.6),
        SH0=rng.choice(SH), DS=ds, VS=rng.getrandbits(1), **start_level(rng, granule, 64 - t0sz),
    )  # fmt: skip
    r.vttbr = table_base(rng, None) | rng.getrandbits(8) << 48
    return r


def start_level(rng: random.Random, granule: int, ia_bits: int) -> dict[str, int]:
    """SL0 and SL2 that go with the size, with concatenation if there is a choice; now and then any."""
    stride = granule - 3
    fit = []
    for sl, level in START_LEVELS[granule].items():
        least = (3 - level) * stride + granule + 1
        if least <= ia_bits <= least + stride + 3:
            fit.append(sl)
    sl = rng.randrange(8) if not fit or likely(rng, 0.03) else rng.choice(fit)
    return {"SL0": sl & 3, "SL2": sl >> 2}


def address(rng: random.Random, core: Core, t: Registers, el: int, two: bool) -> int:
    """A VA: mostly in the range that TCR gives, in its upper half or lower half; tagged, beyond or anything sometimes."""
    upper = two and bool(rng.getrandbits(1))
    c = layout.parse(layout.TCR_TWO, t.tcr[el])
    size = 64 - (c.T1SZ if upper else c.T0SZ)
    va = rng.getrandbits(min(size, 64))
    spot = rng.random()
    if not t.sctlr[el] & 1 and spot < 0.8:  # the MMU is off: an address as it is
        return rng.getrandbits(core.pa_bits)
    if spot < 0.2:
        va &= (1 << rng.randrange(12, 53)) - 1
    elif spot < 0.25:
        va = rng.getrandbits(64)
    if upper:
        va |= (1 << 64) - (1 << min(size, 55))
    if spot > 0.9:
        va = va & (1 << 56) - 1 | rng.getrandbits(8) << 56
    elif spot > 0.89:
        va ^= 1 << rng.randrange(64)
    return va & (1 << 64) - 1
