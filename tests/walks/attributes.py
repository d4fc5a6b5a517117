"""Memory types: decoding of MAIR and of stage 2's MemAttr, and the combination of both stages (Arm ARM D8.6).

A memory type is (outer, inner, shareability): each cacheability an attribute nibble as MAIR encodes it; a Device type
is the pair (0, dd00). Shareability: 0 none, 2 outer, 3 inner; 1 is reserved and taken as outer.
"""

from __future__ import annotations

from functools import lru_cache

Memory = tuple[int, int, int]

NC, WB = 4, 15
NONE, OUTER, INNER = 0, 2, 3
STRONGEST: Memory = (0, 0, OUTER)  # Device-nGnRnE
NOT_CACHED: Memory = (NC, NC, OUTER)
DEFAULT: Memory = (WB, WB, NONE)  # HCR_EL2.DC
FETCHED: Memory = (10, 10, OUTER)  # stage 1 off, SCTLR.I: Write-Through, read-allocate


def is_device(m: Memory) -> bool:
    return m[0] == 0


def effective(m: Memory) -> Memory:
    """D8.6.2: Device and Non-cacheable memory is outer shareable whatever a descriptor tells."""
    if m[0] == 0 or m[:2] == (NC, NC):
        return (m[0], m[1], OUTER)
    return m


def encoded(m: Memory) -> tuple[int, int]:
    """As PAR_EL1 tells it: the byte of MAIR, and the shareability."""
    m = effective(m)
    return m[0] << 4 | m[1], m[2]


def of_mair(mair: int, index: int, sh: int) -> Memory:
    byte = mair >> 8 * index & 0xFF
    return (byte >> 4, byte & 15, OUTER if sh == 1 else sh)


def kind(nibble: int) -> int:
    """0 Non-cacheable, 1 Write-Through, 2 Write-Back."""
    if nibble == NC:
        return 0
    return 2 if nibble & 4 else 1


def narrowed(s1: int, s2: int) -> int:
    """Cacheability of both stages: the weaker; the hints, and whether transient, are stage 1's (D8.6.5)."""
    both = min(kind(s1), (0, 0, 1, 2)[s2])  # 0 is reserved inside Normal memory
    if both == 0:
        return NC
    return s1 & ~4 if both == 1 else s1


def shared(a: int, b: int) -> int:
    if OUTER in (a, b) or 1 in (a, b):
        return OUTER
    return INNER if INNER in (a, b) else NONE


@lru_cache(maxsize=1 << 16)
def combined(s1: Memory, attr: int, sh: int, fwb: bool, uncached: bool) -> Memory:
    """Stage 1's memory type under a stage 2 descriptor's MemAttr and SH.

    :param fwb: HCR_EL2.FWB.
    :param uncached: HCR_EL2.CD or ID, as the access has it.
    """
    both = shared(s1[2], sh)
    if attr < 4:  # Device: the stronger one; dd is 0 for nGnRnE
        return (0, min(s1[1] >> 2, attr) << 2 if is_device(s1) else attr << 2, OUTER)
    if uncached and not (is_device(s1) and not (fwb and attr == 6)):
        return NOT_CACHED
    if fwb:
        if attr == 7:
            return effective((*s1[:2], both))
        if attr == 6:
            outer, inner = (WB, WB) if is_device(s1) else (forced(s1[0]), forced(s1[1]))
            return effective((outer, inner, both))
        return s1 if is_device(s1) else NOT_CACHED
    if is_device(s1):
        return s1
    return effective((narrowed(s1[0], attr >> 2), narrowed(s1[1], attr & 3), both))


def forced(nibble: int) -> int:
    """Write-Back by FEAT_S2FWB; stage 1's hints if it has any."""
    return WB if nibble == NC else nibble | 4
