"""Descriptor attributes and memory types in words (Arm ARM D8.3, D8.6, MAIR_EL1)."""

from __future__ import annotations

DEVICE = {0x00: "Device-nGnRnE", 0x04: "Device-nGnRE", 0x08: "Device-nGRE", 0x0C: "Device-GRE"}
SHAREABILITY = ("non-shareable", "reserved", "outer", "inner")
S2_MEMATTR = {0b0000: "Device-nGnRnE", 0b0001: "Device-nGnRE", 0b0010: "Device-nGRE", 0b0011: "Device-GRE"}
CACHE = ("", "NC", "WT", "WB")


def size(n: int) -> str:
    """Return a size in the largest unit that fits: 4K, 2M, 1G."""
    for unit, scale in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if n >= 1 << scale and n % (1 << scale) == 0:
            return f"{n >> scale}{unit}"
    return str(n)


def memory(attr: int) -> str:
    """Return a MAIR encoding in words."""
    if attr & 0xF0 == 0:
        return DEVICE.get(attr & 0x0C, f"Device {attr:#04x}")
    outer, inner = attr >> 4, attr & 15

    def half(a: int) -> str:
        return "NC" if a == 4 else "WB" if a & 4 else "WT"

    o, i = half(outer), half(inner)
    return f"Normal-{o}" if o == i else f"Normal-o{o}-i{i}"


def stage2_memory(memattr: int, forced: bool = False) -> str:
    """Return a stage 2 MemAttr[3:0] in words; ``forced``: as HCR_EL2.FWB has it."""
    if forced:
        return S2_MEMATTR.get(memattr & 7) or ("reserved", "Normal-NC", "Normal-WB", "as stage 1")[memattr & 3]
    if memattr >> 2 == 0:
        return S2_MEMATTR[memattr]
    o, i = CACHE[memattr >> 2], CACHE[memattr & 3]
    return f"Normal-{o}" if o == i else f"Normal-o{o}-i{i or '?'}"


def stage2_leaf(
    descriptor: int, shareability: int | None = None, forced: bool = False, *, xnx: bool = True
) -> dict[str, object]:
    """Return the attributes of a stage 2 block or page.

    :param shareability: what holds instead of the descriptor's (52-bit descriptors of FEAT_LPA2 have none)
    :param forced: HCR_EL2.FWB
    :param xnx: FEAT_XNX: XN has two bits; else bit 53 is RES0
    """
    xn = descriptor >> 53 & (3 if xnx else 2)
    return {
        "read": bool(descriptor >> 6 & 1),
        "write": bool(descriptor >> 7 & 1),
        "execute": {0b00: "x", 0b10: "-"}.get(xn, "x(EL1)" if xn == 3 else "x(EL0)"),
        "memory": stage2_memory(descriptor >> 2 & 15, forced),
        "shareability": SHAREABILITY[descriptor >> 8 & 3 if shareability is None else shareability],
        "af": bool(descriptor >> 10 & 1),
        "contiguous": bool(descriptor >> 52 & 1),
    }


def rwx(leaf: dict[str, object]) -> str:
    """Return permissions as three letters (and which EL may execute, if only one may)."""
    return ("r" if leaf["read"] else "-") + ("w" if leaf["write"] else "-") + str(leaf["execute"])


def stage1_leaf(descriptor: int, wide: bool = False, regime: str = "EL1&0", *, nv1: bool = False) -> str:
    """Return the attributes of a stage 1 block or page in words (Arm ARM D8.4.1, D8.4.2, table D8-43).

    :param wide: of FEAT_LPA2, without a shareability
    :param regime: "EL1&0", "EL2" (one privilege: AP[1] is RES1, and one XN) or "EL2&0"
    :param nv1: HCR_EL2.{NV, NV1} are 1: AP[1] acts as 0, bit 54 is PXN, and bit 53 is RES0
    """
    user = regime != "EL2" and not nv1
    higher = regime.partition("&")[0]
    kind = "r" if descriptor >> 7 & 1 else "rw"
    words = [f"{higher} {kind}" + (f" EL0 {kind}" if user and descriptor >> 6 & 1 else "")]
    bits = [(53, "PXN"), (54, "UXN"), (11, "nG")] if user else [(54, "PXN"), (11, "nG")] if nv1 else [(54, "XN")]
    words += [w for bit, w in (*bits, (52, "contiguous"), (51, "DBM")) if descriptor >> bit & 1]
    if not descriptor >> 10 & 1:
        words.append("AF=0")
    words.append(f"AttrIndx={descriptor >> 2 & 7}")
    if not wide:
        words.append(SHAREABILITY[descriptor >> 8 & 3])
    return ", ".join(words)
