"""The layouts that a translation depends on, as the Arm ARM draws them: descriptors (D8.3) and system registers
(D24.2).

Declared from the top bit down. Nothing here is taken from the model: that is the point. A value is parsed once; what
is parsed is kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from construct import BitsInteger, BitStruct, Flag, Padding


def register(*fields: Any) -> BitStruct:
    """64 bits, checked to be that."""
    layout = BitStruct(*fields)
    assert layout.sizeof() == 8, layout.sizeof()
    return layout


def bits(name: str, count: int) -> Any:
    return name / BitsInteger(count)


# D8.3.1: table descriptors; bits that only some granules use as an address are `top`, `high` and the low part of `address`.
S1_TABLE = register(
    "NSTable" / Flag, "APTable1" / Flag, "APTable0" / Flag, "UXNTable" / Flag, "PXNTable" / Flag, Padding(9),
    bits("high", 2), bits("address", 36), Padding(2), bits("top", 2), Padding(6), bits("type", 2),
)  # fmt: skip
# D8.3.2: block and page descriptors of stage 1.
S1_LEAF = register(
    Padding(9), "UXN" / Flag, "PXN" / Flag, "Contiguous" / Flag, "DBM" / Flag, "GP" / Flag, bits("high", 2),
    bits("address", 36), "nG" / Flag, "AF" / Flag, bits("SH", 2), bits("AP", 2), "NS" / Flag, bits("AttrIndx", 3),
    bits("type", 2),
)  # fmt: skip
# D8.3.2: and of stage 2.
S2_LEAF = register(
    Padding(9), bits("XN", 2), "Contiguous" / Flag, "DBM" / Flag, Padding(1), bits("high", 2), bits("address", 36),
    "FnXS" / Flag, "AF" / Flag, bits("SH", 2), bits("S2AP", 2), bits("MemAttr", 4), bits("type", 2),
)  # fmt: skip

# TCR_EL1, and TCR_EL2 when HCR_EL2.E2H is 1.
TCR_TWO = register(
    Padding(4), "DS" / Flag, "TCMA1" / Flag, "TCMA0" / Flag, "E0PD1" / Flag, "E0PD0" / Flag, "NFD1" / Flag,
    "NFD0" / Flag, "TBID1" / Flag, "TBID0" / Flag, bits("HWU1", 4), bits("HWU0", 4), "HPD1" / Flag, "HPD0" / Flag,
    "HD" / Flag, "HA" / Flag, "TBI1" / Flag, "TBI0" / Flag, "AS" / Flag, Padding(1), bits("IPS", 3), bits("TG1", 2),
    bits("SH1", 2), bits("ORGN1", 2), bits("IRGN1", 2), "EPD1" / Flag, "A1" / Flag, bits("T1SZ", 6), bits("TG0", 2),
    bits("SH0", 2), bits("ORGN0", 2), bits("IRGN0", 2), "EPD0" / Flag, Padding(1), bits("T0SZ", 6),
)  # fmt: skip
# TCR_EL2 when HCR_EL2.E2H is 0.
TCR_ONE = register(
    Padding(31), "DS" / Flag, Padding(1), "TCMA" / Flag, "TBID" / Flag, bits("HWU", 4), "HPD" / Flag, Padding(1),
    "HD" / Flag, "HA" / Flag, "TBI" / Flag, Padding(1), bits("PS", 3), bits("TG0", 2), bits("SH0", 2),
    bits("ORGN0", 2), bits("IRGN0", 2), Padding(2), bits("T0SZ", 6),
)  # fmt: skip
VTCR = register(
    Padding(30), "SL2" / Flag, "DS" / Flag, Padding(1), "NSA" / Flag, "NSW" / Flag, bits("HWU", 4), Padding(2),
    "HD" / Flag, "HA" / Flag, Padding(1), "VS" / Flag, bits("PS", 3), bits("TG0", 2), bits("SH0", 2), bits("ORGN0", 2),
    bits("IRGN0", 2), bits("SL0", 2), bits("T0SZ", 6),
)  # fmt: skip
TTBR = register(bits("ASID", 16), bits("BADDR", 47), "CnP" / Flag)
HCR = register(
    Padding(17), "FWB" / Flag, "NV2" / Flag, "AT" / Flag, "NV1" / Flag, "NV" / Flag, Padding(7), "E2H" / Flag,
    "ID" / Flag, "CD" / Flag, "RW" / Flag, Padding(3), "TGE" / Flag, Padding(14), "DC" / Flag, Padding(9),
    "PTW" / Flag, "SWIO" / Flag, "VM" / Flag,
)  # fmt: skip
SCTLR = register(
    Padding(6), "EPAN" / Flag, Padding(31), "EE" / Flag, "E0E" / Flag, "SPAN" / Flag, Padding(3), "WXN" / Flag,
    Padding(6), "I" / Flag, Padding(9), "C" / Flag, "A" / Flag, "M" / Flag,
)  # fmt: skip


@lru_cache(maxsize=1 << 16)
def parse(layout: BitStruct, value: int) -> Any:
    """The fields of ``value``, as attributes."""
    return layout.parse(value.to_bytes(8, "big"))


def build(layout: BitStruct, **fields: Any) -> int:
    """The value of a register with these fields; the others are 0."""
    names = [f.name for f in layout.subcon.subcons if f.name]
    unknown = set(fields) - set(names)
    assert not unknown, unknown
    return int.from_bytes(layout.build({**dict.fromkeys(names, 0), **fields}), "big")
