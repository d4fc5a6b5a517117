"""Exits in sentences: why one was taken, and why an instruction would be or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.views.disasm import disassemble
from gdbhv.views.exits import named
from gdbhv.views.syndrome import has_field, iss_fields

if TYPE_CHECKING:
    from gdbhv._core import Walk
    from gdbhv.exits.records import ExitRecord, Trial

# Faults of stage 2, by the first word of their names
FAULTS = {
    "trans": "stage 2 has no mapping for IPA {ipa}",
    "perm": "stage 2 maps IPA {ipa} without the permission",
    "ptw": "HCR_EL2.PTW forbids tables of stage 1 in Device memory, as which stage 2 maps IPA {ipa}",
    "af": "the stage 2 descriptor of IPA {ipa} has its access flag clear",
    "asize": "stage 2 makes an address of IPA {ipa} that is larger than VTCR_EL2.PS or the CPU has it",
}
AGAIN = ("wfx", "fp", "pac", "smc", "sysreg", "sve", "eret", "brk")  # ELR_EL2 is the instruction's own address


def causes(cause: list[str]) -> str:
    """Return the controls of an exit, the effective one first."""
    if not cause:
        return ""
    first, *others = cause
    also = f"; {' and '.join(others)} would do it too" if others else ""
    return f"by {first}{also}"


def why_exit(record: ExitRecord, whose: str) -> Iterator[str]:
    """Explain an exit in sentences.

    :param whose: the vCPU, for people.
    """
    place = f"at {record['pc']:#x} in EL{record['el']} of {whose}"
    word, name = record["insn"], named(record["name"])
    by = causes(record["cause"])
    if record["class"] in ("irq", "fiq"):
        yield f"{name}: a physical interrupt came {place}, and is the hypervisor's {by}."
        return
    what = f"`{disassemble(word, record['pc'])}`" if word is not None else "the instruction"
    if has_field(record, "S1PTW"):
        yield from _abort(record, what, place)
    elif record["class"] == "hvc":
        yield f"{name}: {what} {place} calls the hypervisor: HVC always does, where it is enabled."
    else:
        yield f"{name}: {what} {place} is trapped to EL2 {by or 'by the architecture'}."
    if record["class"] in AGAIN:
        yield "ELR_EL2 is the instruction's own address: the hypervisor advances it by 4, or the guest executes it again."
    elif record["class"] in ("hvc", "svc"):
        yield "ELR_EL2 is the address after the instruction."


def _abort(record: ExitRecord, what: str, place: str) -> Iterator[str]:
    sub = record["name"].split(".")[1]
    ipa = "?" if record["ipa"] is None else f"{record['ipa']:#x}"
    fault = FAULTS.get("ptw" if ".ptw." in record["name"] else sub, "stage 2 refuses IPA {ipa}").format(ipa=ipa)
    fsc = tables.iss_field("dabt", "DFSC").of(record["esr"])
    walk = (
        ", on the walk of stage 1: the IPA is of a descriptor of the guest's own tables"
        if ".s1ptw" in record["name"]
        else ""
    )
    far = "" if record["far"] is None else f" to VA {record['far']:#x}"
    access = "the fetch of the instruction" if record["class"] == "iabt" else f"{what}, an access{far},"
    yield f"{record['name']}: {access} {place} exits since {fault} ({tables.fault_words(fsc)}){walk}."
    if record["ipa"] is not None and not record["hpfar_valid"]:
        yield "HPFAR_EL2 does not have the IPA after such a fault: the hypervisor finds it by AT S1E1R."
    if record["class"] == "dabt" and not iss_fields(record)["ISV"]:
        yield "The syndrome has neither size nor register (ISV is 0): to emulate it, the hypervisor decodes the instruction."


def why_trial(text: str, trial: Trial) -> str:
    """Say whether an instruction that was not executed would exit, and by what; else what stops it, or that nothing does.

    :param text: the instruction.
    """
    place = f"{text} at {trial['pc']:#x} in EL{trial['el']}"
    record = trial["exit"]
    if record is not None:
        by = causes(record["cause"])
        return f"{place} would exit to EL2: {record['name']}{', ' + by if by else ''}"
    if trial["target"] is not None:
        ec = tables.decode("ESR_EL2", trial["esr"] or 0)["EC"]
        what = "is UNDEFINED there" if ec == 0 else f"would be taken to EL{trial['target']}, EC {ec:#04x}"
        by = causes(trial["cause"])
        return f"{place} would not exit: it {what}{', ' + by if by else ''}, and that check comes before any trap to EL2"
    if trial["firmware"]:
        return f"{place} would not exit: it calls the firmware"
    waits = " and waits" if trial["waits"] else ""
    return f"{place} would not exit: nothing traps it, and it executes{waits}"


def why_access(title: str, walk: Walk) -> str:
    """Say whether an access would exit, by what a walk has found."""
    if "fault" not in walk:
        return f"{title} would not exit: both stages allow it, PA {walk['pa']:#x}"
    if walk["stage"] == 1 and not walk["s1ptw"]:
        return f"{title} would not exit: stage 1 refuses it first ({walk['words']}), which goes to EL1"
    ipa = walk["fault_ipa"]
    at = "" if ipa is None else f" at IPA {ipa:#x}"
    ptw = ", on the walk of stage 1" if walk["s1ptw"] else ""
    return f"{title} would exit to EL2: stage 2 {walk['words']}{at}{ptw}, by HCR_EL2.VM"
