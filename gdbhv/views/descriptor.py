"""Descriptors field by field (Arm ARM D8.3.1, D8.3.2: VMSAv8-64 table, block and page descriptor formats)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.views.attributes import SHAREABILITY, memory, stage2_memory

if TYPE_CHECKING:
    from gdbhv._core import Regime, WalkStep

AP = {0b00: "higher EL rw, EL0 none", 0b01: "rw at both", 0b10: "higher EL ro, EL0 none", 0b11: "ro at both"}
AP_ONE = {0: "rw", 1: "ro"}
S2AP = {0: "none", 1: "read", 2: "write", 3: "read and write"}
XN = {0: "executable", 1: "EL0 only", 2: "not executable", 3: "EL1 only"}
APTABLE = {0: "no limit", 1: "none at EL0", 2: "read-only", 3: "read-only, none at EL0"}


def fields(s: WalkStep, regime: Regime, mair: int, *, xnx: bool = True) -> str:
    """Return the fields of a descriptor that is valid, with what they mean; ``mair``: of its regime."""
    d = s["value"]

    def bit(n: int) -> int:
        return d >> n & 1

    two, nv1 = regime["name"] != "EL2", regime["nv1"]
    if s["found"] == "table":
        if s["stage"] == 2:
            return "no attributes"
        pairs: list[tuple[str, object]] = [("APTable", f"{d >> 61 & 3} ({APTABLE[d >> 61 & 3]})")]
        pairs += [("UXNTable", bit(60)), ("PXNTable", bit(59))] if two and not nv1 else [("XNTable", bit(60))]
        return _text([*pairs, ("NSTable", bit(63))])
    if s["stage"] == 2:
        xn = d >> 53 & (3 if xnx else 2)
        pairs = [
            ("MemAttr", f"{d >> 2 & 15:#06b} ({stage2_memory(d >> 2 & 15, regime['fwb'])})"),
            ("S2AP", f"{d >> 6 & 3} ({S2AP[d >> 6 & 3]})"),
        ]
        pairs += [] if s["wide"] else [("SH", SHAREABILITY[d >> 8 & 3])]
        return _text([*pairs, ("AF", bit(10)), ("DBM", bit(51)), ("Contiguous", bit(52)), ("XN", f"{xn} ({XN[xn]})")])
    attr = mair >> 8 * (d >> 2 & 7) & 0xFF
    pairs = [("AttrIndx", f"{d >> 2 & 7} (MAIR {attr:#04x}: {memory(attr)})")]
    pairs += [("AP[2:1]", f"{d >> 6 & 3} ({AP[d >> 6 & 3]})")] if two and not nv1 else [("AP[2]", AP_ONE[bit(7)])]
    pairs += [] if s["wide"] else [("SH", SHAREABILITY[d >> 8 & 3])]
    pairs += [("AF", bit(10))] + ([("nG", bit(11))] if two else [])
    pairs += [("GP", bit(50)), ("DBM", bit(51)), ("Contiguous", bit(52))]
    return _text([*pairs, *([("PXN", bit(53)), ("UXN", bit(54))] if two and not nv1 else [("XN", bit(54))])])


def _text(pairs: list[tuple[str, object]]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)
