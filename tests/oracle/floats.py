"""Register contents and FPCR values in which floating-point and SIMD instructions do something worth comparing."""

from __future__ import annotations

import dataclasses
import random
import struct

from oracle import batch, generate

FORMATS = {16: 5, 32: 8, 64: 11}  # width and exponent width
RMODE, FZ16, FZ, DN, AHP = 3 << 22, 1 << 19, 1 << 24, 1 << 25, 1 << 26


def number(rng: random.Random, bits: int) -> int:
    """Return a floating-point number of ``bits``: all classes, many near one, some near the ends of the range."""
    exp = FORMATS[bits]
    frac, top = bits - 1 - exp, (1 << exp) - 1
    bias, any_frac = top >> 1, rng.getrandbits(frac)
    biased, fraction = {
        0: (0, 0),
        1: (top, 0),
        2: (top, any_frac),
        3: (0, any_frac >> rng.randrange(frac)),
        4: (rng.randrange(top), rng.choice((0, 1, 1 << frac - 1, (1 << frac) - 1))),
        5: (bias + rng.randrange(-3, 4), any_frac & 15 << frac - 4),
        6: (bias + rng.randrange(-3, min(70, bias)), any_frac & -1 << rng.randrange(frac)),
        7: (rng.choice((1, 2, frac, frac + 1, top - 1, top - 2)), any_frac),
        8: (rng.randrange(top), any_frac),
    }.get(rng.randrange(12), (bias + rng.randrange(-3, 4), any_frac))
    return rng.getrandbits(1) << bits - 1 | biased << frac | fraction


def vectors(rng: random.Random, pool: list[int]) -> bytes:
    return struct.pack("<64Q", *rng.choices(pool, k=64))


def pools(rng: random.Random, size: int = 4000) -> list[list[int]]:
    """Return lists of 64-bit values: one of each format, one of integers, one of everything."""
    lists = [[sum(number(rng, bits) << at for at in range(0, 64, bits)) for _ in range(size)] for bits in FORMATS]
    lists.append([generate.value(rng) for _ in range(size)])
    return [*lists, [value for values in lists for value in values]]


def prepare(rng: random.Random, case: batch.Case, lists: list[list[int]]) -> batch.Case:
    """Return ``case`` with vectors from one of ``lists`` and any FPCR; FPSR is often clear, often with IXC set."""
    modes = rng.getrandbits(2) << 22 | rng.choice((0, 0, rng.getrandbits(3) << 24 | rng.getrandbits(1) << 19))
    return dataclasses.replace(
        case,
        x=tuple(rng.choices(lists[-1], k=31)),
        v=vectors(rng, rng.choice(lists)),
        fpcr=rng.choice((0, modes)),
        fpsr=rng.choice((0, 0x10, 0x0800_009F)),
    )
