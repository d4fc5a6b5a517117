"""The instruction-specific syndrome (ESR_EL2.ISS) of an exit, field by field (Arm ARM D24.2.40, "ISS encoding for ...")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.tables import Field

if TYPE_CHECKING:
    from gdbhv._core import ExitRecord

IABT, DABT, VNCR, SERROR = 0x1020, 0x1024, 0x1025, 0x102F
ISV = IDS = 1 << 24
DEBUG_EVENT = 0x22
SIZES = {0: "byte", 1: "halfword", 2: "word", 3: "doubleword"}


def _fields(text: str, **values: dict[int, str]) -> tuple[Field, ...]:
    """Parse ``NAME:MSB-LSB`` or ``NAME:BIT``."""
    rows = []
    for word in text.split():
        name, _, bits = word.partition(":")
        msb, _, lsb = bits.partition("-")
        rows.append(Field(name, int(msb), int(lsb or msb), values.get(name, {})))
    return tuple(rows)


_ABORT = {"WnR": {0: "read", 1: "write"}, "SAS": SIZES}
_ERROR = {
    "AET": {0: "UC", 1: "UEU", 2: "UEO", 3: "UER", 6: "CE"},
    "DFSC": {0: "uncategorized", 0x11: "asynchronous"},
}
_CONDITION = "CV:24 COND:23-20"
LAYOUTS = {
    0x1001: _fields(f"{_CONDITION} RN:9-5 RV:2 TI:1-0", TI={0: "WFI", 1: "WFE", 2: "WFIT", 3: "WFET"}),
    0x1007: _fields(_CONDITION),
    0x1015: _fields("imm16:15-0"),
    0x1016: _fields("imm16:15-0"),
    0x1017: _fields("imm16:15-0"),
    0x1018: _fields("Op0:21-20 Op2:19-17 Op1:16-14 CRn:13-10 Rt:9-5 CRm:4-1 Direction:0", Direction={0: "write", 1: "read"}),
    0x101A: _fields("ERET:1 ERETA:0", ERET={0: "ERET", 1: "ERETAA or ERETAB"}, ERETA={0: "key A", 1: "key B"}),
    IABT: _fields("SET:12-11 FnV:10 EA:9 S1PTW:7 IFSC:5-0"),
    DABT: _fields("ISV:24 FnV:10 EA:9 CM:8 S1PTW:7 WnR:6 DFSC:5-0", **_ABORT),
    VNCR: _fields("VNCR:13 FnV:10 EA:9 CM:8 S1PTW:7 WnR:6 DFSC:5-0", **_ABORT),
    SERROR: _fields("IDS:24 IESB:13 AET:12-10 EA:9 DFSC:5-0", **_ERROR),
    0x1030: _fields("IFSC:5-0"),
    0x1032: _fields("ISV:24 EX:6 IFSC:5-0", EX={0: "other", 1: "load-exclusive"}),
    0x1034: _fields("VNCR:13 FnV:10 CM:8 WnR:6 DFSC:5-0", **_ABORT),
    0x103C: _fields("Comment:15-0"),
}
# With ISV a data abort describes its instruction too.
VALID = _fields("ISV:24 SAS:23-22 SSE:21 SRT:20-16 SF:15 AR:14", **_ABORT) + LAYOUTS[DABT][1:]

# With IDS the rest of an SError's is IMPLEMENTATION DEFINED.
BY_IMPLEMENTATION = _fields("IDS:24 ISS:23-0")


def layout(number: int, iss: int) -> tuple[Field, ...]:
    """Return the fields of the ISS of exit class ``number``; none for a class whose ISS is 0."""
    if number == SERROR and iss & IDS:
        return BY_IMPLEMENTATION
    return VALID if number == DABT and iss & ISV else LAYOUTS.get(number, ())


def iss_fields(record: ExitRecord) -> dict[str, int]:
    """Return the fields of an exit's ISS."""
    return {f.name: f.of(record["esr"]) for f in layout(record["number"], record["esr"])}


def iss_text(record: ExitRecord) -> str:
    """Return the fields of an exit's ISS in one line, values by name where they have one."""
    words = []
    for f in layout(record["number"], record["esr"]):
        v = f.of(record["esr"])
        if f.name in ("DFSC", "IFSC") and v == DEBUG_EVENT:
            words.append(f"{f.name}={v:#04x} (debug exception)")
        elif f.name in ("DFSC", "IFSC") and not f.values:
            words.append(f"{f.name}={v:#04x} ({fault_words(record['name'])})")
        elif f.name in ("RN", "RV") and not record["esr"] >> 2 & 1:
            continue  # WFI and WFE name no register
        elif f.name in ("SRT", "Rt", "RN"):
            words.append(f"{f.name}={'xzr' if v == 31 else f'x{v}'}")
        else:
            words.append(f"{f.name}={f.values.get(v) or (v if v < 10 else hex(v))}")
    return " ".join(words)


def fault_words(name: str) -> str:
    """Return the part of an abort's name that its fault status code tells: ``trans.l3``."""
    return ".".join(w for w in name.split(".")[1:] if w not in ("s1ptw", "r", "w", "x", "isv", "noisv", "cm"))
