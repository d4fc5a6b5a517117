"""The instruction-specific syndrome (ESR_EL2.ISS) of an exit, field by field (Arm ARM D24.2.40, "ISS encoding for ...")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.tables import Field, fault_words, iss_layouts

if TYPE_CHECKING:
    from gdbhv.records import ExitRecord

DEBUG_EVENT = 0x22  # the fault status code of breakpoints, watchpoints and steps


def layout(number: int, iss: int) -> list[Field]:
    """Return the fields that the ISS of exit class ``number`` has; none for a class whose ISS is 0.

    A field that is valid only while another one of the same ISS is set (ISV, for instance) or clear is left out otherwise.
    """
    fields = iss_layouts().get(number, ())
    holds = {f.name: f.of(iss) != 0 for f in fields}
    return [
        f
        for f in fields
        if f.name != "RES0" and (not f.condition or holds[f.condition.removeprefix("~")] is not f.condition.startswith("~"))
    ]


def has_field(record: ExitRecord, name: str) -> bool:
    """Whether the ISS of an exit's class has a field, valid or not."""
    return any(f.name == name for f in iss_layouts().get(record["number"], ()))


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
            words.append(f"{f.name}={v:#04x} ({fault_words(v)})")
        elif f.name in ("SRT", "Rt", "RN"):
            words.append(f"{f.name}={'xzr' if v == 31 else f'x{v}'}")
        else:
            words.append(f"{f.name}={f.values.get(v) or (v if v < 10 else hex(v))}")
    return " ".join(words)
