"""What is to be said of a CPU that takes the same exception again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.views.gic import interrupt_name

if TYPE_CHECKING:
    from gdbhv.exits.records import Repeated

KINDS = {"irq": "IRQ", "fiq": "FIQ", "serror": "SError"}
ABORTS = {"iabt": "instruction abort", "dabt": "data abort"}
# ESR_ELx.EC (Arm ARM D24.2.40) of what is no exit
WORDS = {0x00: "undefined instruction", 0x0E: "illegal execution state", 0x22: "misaligned PC", 0x26: "misaligned SP"}
QUARTER = 0x780  # of an address: its place in a table of vectors (Arm ARM D1.3.1)


def repeated_text(
    found: Repeated, registers: Callable[[str], int | None], symbol: Callable[[int], str], hosted: bool
) -> str:
    """Return one sentence: what is taken, where, and why that does not end.

    :param registers: the value of a system register by name; None: it cannot be read.
    :param symbol: an address, with the symbol that it is in.
    :param hosted: whether EL2 is gdbhv's own.
    """
    what = f"{_what(found)} at {symbol(found['pc'])} in EL{found['el']}"
    where = f", taken to EL{found['target']}" if found["target"] != found["el"] or found["kind"] != "sync" else ""
    count = f"CPU {found['cpu']} has taken the same exception {found['count']:,} times"
    return f"{count}: {what}{where}, because {_because(found, registers, hosted)}"


def _what(found: Repeated) -> str:
    if found["kind"] != "sync":
        number = found["intid"]
        return KINDS[found["kind"]] + (f" ({interrupt_name(number)})" if number is not None else "")
    ec, name = tables.decode("ESR_EL2", found["esr"])["EC"], class_of(found["esr"])
    if name in ABORTS:
        stage = " of stage 2" if found["ipa"] is not None else ""
        far = f", VA {found['far']:#x}" if name == "dabt" and found["far"] is not None else ""
        ipa = f", IPA {found['ipa']:#x}" if found["ipa"] is not None else ""
        fault = tables.fault_words(tables.iss_field("dabt", "DFSC").of(found["esr"]))
        return f"{ABORTS[name]}{stage} ({fault}{far}{ipa})"
    known = None if name is None else tables.exit_classes()[name]["what"]
    return WORDS.get(ec) or known or f"exception of class {ec:#x}"


def class_of(esr: int) -> str | None:
    """Return the name of the exit class that has a syndrome's EC; None: exits have no such EC."""
    ec = tables.decode("ESR_EL2", esr)["EC"]
    return next((name for name, row in tables.exit_classes().items() if row["ec"] == ec), None)


def _because(found: Repeated, registers: Callable[[str], int | None], hosted: bool) -> str:
    if found["kind"] != "sync":
        return "its handler returns while it is still pending: nobody has acknowledged it or taken its cause away"
    for level in (1, 2):
        vbar = registers(f"VBAR_EL{level}")
        if vbar is None or found["el"] != level or found["pc"] & ~QUARTER != vbar & ~0x7FF:
            continue
        vector = f"the exception vector is there (VBAR_EL{level} is {vbar:#x}) and faults itself"
        return f"{vector}: no vectors are set up at that address, or it is not mapped"
    if class_of(found["esr"]) in ABORTS and found["ipa"] is not None:
        who = "gdbhv's hypervisor" if hosted else "the hypervisor"
        return f"{who} returns to the instruction, and stage 2 still refuses the IPA"
    bits = f" ({', '.join(found['cause'])})" if found["cause"] else ""
    return f"its handler returns to the instruction itself, and what provokes the exception is still there{bits}"
