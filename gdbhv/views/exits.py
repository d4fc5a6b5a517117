"""VM exits as text: one line for a stop, a table for the counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.views.disasm import disassemble
from gdbhv.views.syndrome import has_field, iss_fields, iss_text
from gdbhv.views.sysreg import fields_text
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitCount, ExitCounts, ExitRecord


def stats_document(counts: Sequence[ExitCount], further: int) -> ExitCounts:
    """Return the counts for programs, the same in every ``--json``."""
    return {"exits": sum(row["count"] for row in counts) + further, "further": further, "counts": list(counts)}


def stats_table(
    counts: Sequence[ExitCount],
    further: int = 0,
    names: Callable[[int], str] = str,
    numbers: Callable[[int], str | None] = lambda number: None,
) -> list[str]:
    """Return the counts, most frequent first, with their share.

    :param further: exits of kinds for which there was no room.
    :param names: what to call a VM, by VMID.
    :param numbers: the same by its number, where one is known.
    """
    total = sum(row["count"] for row in counts) + further
    if not total:
        return ["no exits yet"]
    rows = [
        (
            f"{row['count']:,}",
            f"{100 * row['count'] / total:.1f}%",
            numbers(row.get("vm", 0)) or names(row["vmid"]),
            f"{row['number']:#x}",
            named(row["name"]),
        )
        for row in sorted(counts, key=lambda row: (-row["count"], row["vmid"], row["number"], row["name"]))
    ]
    kinds = f"{len(rows):,} kinds"
    if further:
        rows.append((f"{further:,}", f"{100 * further / total:.1f}%", "", "", "further kinds"))
        kinds += " and further ones"
    return [*table(("count", "share", "vm", "class", "exit"), rows, "rr"), f"{total:,} exits of {kinds}"]


def named(name: str) -> str:
    """Return an exit's name for people, with what its interrupt comes from: ``irq.spi33 (pl011)``."""
    number = name.rpartition(".")[2]
    known = number[:3] in ("ppi", "spi") and number[3:].isdecimal()
    source = tables.interrupt_source(int(number[3:])) if known else None
    return f"{name} ({source})" if source else name


def exit_line(record: ExitRecord, place: Callable[[int], str | None] = lambda ipa: None, call: str | None = None) -> str:
    """Return one line that says what happened: exit, instruction, register and value, addresses, causing control.

    :param place: what is at an IPA ("pl011+0x18", "memory"), if anything is known of it.
    :param call: the hypercall with its arguments, for HVC and SMC.
    """
    parts = [record["name"]]
    insn = f"{disassemble(record['insn'], record['pc'])} " if record["insn"] is not None else ""
    parts.append(f"{insn}at {record['pc']:#x} (EL{record['el']})")
    if has_field(record, "S1PTW"):  # an abort
        parts.append(_address(record, place))
    elif record["rt"] is not None and iss_fields(record).get("Direction") == 0:
        parts.append(f"{_register(record['rt'])}={record['rt_value']:#x}")
    elif call is not None:
        parts.append(call)
    elif record["intid"] is not None:
        source = tables.interrupt_source(record["intid"])
        parts.append(f"INTID {record['intid']}{f' ({source})' if source else ''}")
    if record["cause"]:
        parts.append("by " + ", ".join(record["cause"]))
    return "; ".join(parts)


def explain(record: ExitRecord) -> list[str]:
    """Return what EL2's registers say about an exit, field by field."""
    nested = ("", ", with HCR_EL2.NV", ", with HCR_EL2.NV and NV2")[record["nv"]]
    where = f"at {record['now']} ns on CPU {record['cpu']}, VMID {record['vmid']}{nested}"
    lines = [f"exit {record['seq']} of the machine, {where}; class {record['class']}, {record['number']:#x}"]
    if record["esr"]:
        lines.append(_line("ESR_EL2", record["esr"]))
        iss = iss_text(record)
        lines += [f"           {iss}"] if iss else []
    if record["far"] is not None:
        lines.append(f"FAR_EL2    {record['far']:#018x}")
    if record["ipa"] is not None:
        hidden = "as in HPFAR_EL2" if record["hpfar_valid"] else "HPFAR_EL2 is not valid for this fault: AT S1E1R tells"
        lines.append(f"IPA        {record['ipa']:#018x}  {hidden}")
    lines.append(_line("SPSR_EL2", record["spsr"]))
    return lines


def _line(name: str, value: int) -> str:
    return f"{name:<10} {value:#018x}  {fields_text(tables.register(name), value)}"


def _register(n: int) -> str:
    return "xzr" if n == 31 else f"x{n}"


def _address(record: ExitRecord, place: Callable[[int], str | None]) -> str:
    """Return the access of an abort: how much, which register, and both addresses."""
    text, iss, rt = "", iss_fields(record), record["rt"]
    if rt is not None and "SAS" in iss:
        count = 1 << iss["SAS"]
        bytes_ = f"{count} bytes" if count > 1 else "1 byte"
        text = (
            f"{bytes_} of {_register(rt)}={record['rt_value']:#x} to "
            if iss["WnR"]
            else f"{bytes_} to {_register(rt)} from "
        )
    far = "" if record["far"] is None else f"VA {record['far']:#x}"
    if record["ipa"] is None:
        return text + far
    where = place(record["ipa"])
    hidden = "" if record["hpfar_valid"] else ", not in HPFAR_EL2"
    to = "; its stage 1 descriptor is at" if ".s1ptw" in record["name"] else " ="
    return f"{text}{far}{to} IPA {record['ipa']:#x}" + (f" ({where})" if where else "") + hidden
