"""The instruction-specific syndrome (ESR_EL2.ISS) of an exit, field by field (Arm ARM D24.2.40, "ISS encoding for ...")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.tables import Field, exit_absent, exit_classes, fault_words, field, iss_layouts

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

EC = field("ESR_EL2.EC")
WORDS = {
    "unknown": "undefined instruction, or no reason is known",
    "wfx": "WFI or WFE",
    "fp": "FP or SIMD instruction",
    "pac": "pointer authentication instruction",
    "illegal_state": "illegal execution state",
    "svc": "SVC",
    "hvc": "HVC",
    "smc": "SMC",
    "sysreg": "MSR, MRS or system instruction",
    "sve": "SVE instruction",
    "eret": "ERET",
    "iabt": "instruction abort",
    "pc_align": "PC alignment fault",
    "dabt": "data abort",
    "sp_align": "SP alignment fault",
    "serror": "SError interrupt",
    "bp": "breakpoint",
    "step": "software step",
    "wp": "watchpoint",
    "brk": "BRK",
}
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
    return iss_words(record["number"], record["esr"])


def esr_words(esr: int) -> str:
    """Return a value of ESR_ELx in words: its class, where it came from, and the fields of its ISS (D24.2.40)."""
    ec = EC.of(esr)
    name = EC.values.get(ec)
    if name is None:
        low = esr & (1 << 25) - 1
        known = next((f"{a['what']} ({a['why']})" for a in exit_absent().values() if a["ec"] == ec), "reserved")
        return f"class {ec:#04x}, which this machine does not have: {known}{f'; ISS {low:#x}' if low else ''}"
    below = name.endswith("_lower")
    own = name.removesuffix("_lower").removesuffix("_same")
    found = exit_classes().get(own)
    where = f" from {'a lower EL' if below else 'the same EL'}" if own != name else ""
    iss = "" if found is None else iss_words(found["number"], esr)
    return f"{WORDS.get(own, own)}{where}{f': {iss}' if iss else ''}"


def iss_words(number: int, esr: int) -> str:
    """Return the fields of the ISS of exit class ``number`` in one line, values by name where they have one."""
    words = []
    for f in layout(number, esr):
        v = f.of(esr)
        if f.name in ("DFSC", "IFSC") and v == DEBUG_EVENT:
            words.append(f"{f.name}={v:#04x} (debug exception)")
        elif f.name in ("DFSC", "IFSC") and not f.values:
            words.append(f"{f.name}={v:#04x} ({fault_words(v)})")
        elif f.name in ("SRT", "Rt", "RN"):
            words.append(f"{f.name}={'xzr' if v == 31 else f'x{v}'}")
        else:
            words.append(f"{f.name}={f.values.get(v) or (v if v < 10 else hex(v))}")
    return " ".join(words)
