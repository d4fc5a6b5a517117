"""Answering an exit in place of the hypervisor: what the instruction gives, and where the guest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gdbhv import tables
from gdbhv.errors import GdbhvError

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

ISV, WNR, SAS, SSE, SF = (tables.iss_field("dabt", name) for name in ("ISV", "WnR", "SAS", "SSE", "SF"))
READS = tables.iss_field("sysreg", "Direction")
ONES = (1 << 64) - 1
ABORTS = {fetch: tables.exception_class("iabt" if fetch else "dabt") for fetch in (False, True)}
EC, IL = tables.field("ESR_EL1.EC"), tables.field("ESR_EL1.IL").mask
EXTERNAL = 0b010000  # fault status code of a synchronous external abort, not on a walk (Arm ARM D24.2.40)


class Outcome(NamedTuple):
    """What comes of an exit: the register that is written, if any, and whether the instruction is over."""

    register: int | None
    value: int
    skip: bool  # ELR_EL2 is at the instruction, not behind it


def outcome(record: ExitRecord, value: int | None) -> Outcome:
    """Return what an exit that is answered with ``value`` (None: the instruction does nothing) leaves.

    A read is cut to its size and extended as the syndrome says (Arm ARM D24.2.40, ISS encoding for a Data Abort).

    :raises gdbhv.errors.GdbhvError: such an exit has no answer, or its instruction gives no value.
    """
    name, kind, esr = record["name"], record["class"], record["esr"]
    if kind in ("irq", "fiq", "serror"):
        raise GdbhvError(f"{name} is no instruction's: what it comes from would still be there")
    if kind == "iabt":
        raise GdbhvError(f"{name}: no instruction was fetched that could be answered; `monitor inject abort` is possible")
    skip = kind != "hvc"
    if value is None:
        return Outcome(None, 0, skip)
    if kind in ("hvc", "smc"):
        return Outcome(0, value & ONES, skip)
    if kind == "sysreg" and READS.of(esr) and record["rt"] is not None:
        return Outcome(record["rt"], value & ONES, skip)
    if kind == "dabt" and ISV.of(esr) and not WNR.of(esr) and record["rt"] is not None:
        bits = 8 << SAS.of(esr)
        value &= (1 << bits) - 1
        if SSE.of(esr) and value >> (bits - 1):
            value |= ((1 << (64 if SF.of(esr) else 32)) - 1) & ~((1 << bits) - 1)
        return Outcome(record["rt"], value, skip)
    raise GdbhvError(f"{name} gives no value: `monitor answer` without one lets it do nothing")


def abort_syndrome(*, fetch: bool, write: bool) -> int:
    """Return ESR_EL1 of a synchronous external abort, its EC in the form for a lower level."""
    return ABORTS[fetch] << EC.lsb | IL | EXTERNAL | (0 if fetch or not write else WNR.mask)
