"""``sysreg``: system registers by name, with their fields; readable and writable."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterator
from dataclasses import replace

from gdbhv import tables
from gdbhv.errors import CommandError, RegisterError
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views.syndrome import esr_words
from gdbhv.views.sysreg import changed_fields, detail, field_text, fields_of, register_line

TWIN = ", from EL2 with E2H"
HOST = {
    "CPACR_EL1": "CPTR_EL2",
    "CNTKCTL_EL1": "CNTHCTL_EL2",
    **{f"CNT{a}_{n}_EL0": f"CNTH{a}_{n}_EL2" for a in "PV" for n in ("TVAL", "CTL", "CVAL")},
}
E2H = tables.field("HCR_EL2.E2H").mask
GROUPS = tuple(sorted({r.group for r in tables.registers().values()}))


@command(
    "sysreg",
    Arg("name", "NAME, NAME=VALUE, NAME.FIELD, NAME.FIELD=VALUE, or a shell pattern (TCR_*)", nargs="?"),
    Arg("--group", "all registers of a group", choices=GROUPS),
    Arg("--fields", "a line for each field, those that are 0 too; the syndrome of an ESR in words", flag=True),
    Arg("--diff", "only what is not as when --diff was last said for this thread", flag=True),
    Arg("--el12", "what EL2 with E2H reaches by the names of EL1: its own, and the guest's as _EL12 and _EL02", flag=True),
    JSON,
    help="read or write a system register, with its fields",
)
def sysreg(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Read, write a value, or write a field."""
    if args.el12:
        yield from _el12(context, args)
        return
    if args.name is None and args.group is None and args.diff:
        args.name = "*"
    if args.name is None and args.group is None:
        raise CommandError("which? `sysreg NAME`, `sysreg TCR_*` or `sysreg --group el2`")
    place, equals, text = (args.name or "*").partition("=")
    name, _, field = place.strip().partition(".")
    if equals:
        refused = _write(context, name, field, text.strip())
        if refused and not args.json:
            yield refused
    if field and not args.json:
        r = tables.register(name)
        yield f"{r.name}.{field_text(r.field(field), context.target.read_register(context.thread, r.name))}"
        return
    wanted = [
        r
        for r in context.target.registers.values()
        if fnmatch.fnmatchcase(r.name, name.upper()) and (args.group is None or r.group == args.group)
    ]
    if not wanted:
        known = tables.register(name)  # raises if there is no such name anywhere
        if known.name not in context.target.registers:
            raise CommandError(f"{known.name}: the CPU does not have this register")
        raise CommandError(f"{name} is not in group {args.group}")
    single = len(wanted) == 1 and not any(c in name for c in "*?[")
    has_el2 = "HCR_EL2" in context.target.registers
    e2h = has_el2 and bool(context.target.read_register(context.thread, "HCR_EL2") & E2H)
    documents: list[dict[str, object]] = []
    if args.diff:
        yield from _diff(context, args, wanted, e2h=e2h)
        return
    for r in wanted:
        try:
            value = context.target.read_register(context.thread, r.name)
        except RegisterError as e:
            if single:
                raise
            documents.append({"name": r.name, "error": str(e)})
            if not args.json:
                yield f"{r.name:<18} {e}"
            continue
        fields = fields_of(r, value, e2h=e2h)
        words = {"words": esr_words(value)} if r.name.startswith("ESR_") else {}
        document: dict[str, object] = {
            "name": r.name,
            "value": value,
            "fields": fields,
            "description": r.description,
            **words,
        }
        documents.append(document)
        if by := virtual_by(context, r.name):
            document["virtual"] = by
        if not args.json:
            yield register_line(r, value, e2h=e2h) + (f"  virtual ({by})" if by else "")
            if args.fields:
                yield from detail(_fielded(r), value, e2h=e2h)
            if r.name.startswith("ESR_") and (single or args.fields):
                yield f"  {esr_words(value)}"
    if args.json:
        yield from to_json(documents[0] if single else documents)


def _fielded(r: tables.Register) -> tables.Register:
    """Return a register with its fields: those of the register of EL1 or EL0 for a name of E2H."""
    if r.fields or TWIN not in r.description:
        return r
    return replace(r, fields=tables.register(r.description.removesuffix(TWIN)).fields)


def _diff(context: Context, args: argparse.Namespace, wanted: list[tables.Register], *, e2h: bool) -> Iterator[str]:
    """Show what has changed since the last time, and keep all values for the next."""
    key = f"sysreg {context.thread}"
    old = context.marks.get(key)
    now = {}
    for r in context.target.registers.values():
        try:
            now[r.name] = context.target.read_register(context.thread, r.name)
        except RegisterError:
            continue  # not visible there
    context.marks[key] = now
    if not isinstance(old, dict):
        if args.json:
            yield from to_json([])
        else:
            yield f"the values of {len(now)} registers of {context.thread} are kept: say it again to see what has changed"
        return
    rows = [(r, old[r.name], now[r.name]) for r in wanted if r.name in old and r.name in now and old[r.name] != now[r.name]]
    if args.json:
        yield from to_json([{"name": r.name, "before": before, "value": value} for r, before, value in rows])
        return
    for r, before, value in rows:
        fields = changed_fields(_fielded(r), before, value, e2h=e2h)
        yield f"{r.name:<18} {before:#x} -> {value:#x}{f'  {fields}' if fields else ''}"
    if not rows:
        yield "nothing has changed"


def _el12(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show pairs of registers that a name of EL1 reaches."""
    registers = context.target.registers
    names = [r for r in registers.values() if r.description.endswith(TWIN)]
    if not names:
        raise CommandError("the CPU does not have E2H (FEAT_VHE), and so no names of _EL12 and _EL02")
    pattern = (args.name or "*").upper()
    e2h = bool(context.target.read_register(context.thread, "HCR_EL2") & E2H)
    documents, said = [], False
    for r in names:
        own = r.description.removesuffix(TWIN)
        host = HOST.get(own) or own.replace("_EL1", "_EL2")
        if not fnmatch.fnmatchcase(own, pattern) or host not in registers:
            continue
        values = [context.target.read_register(context.thread, name) for name in (host, own)]
        documents.append({"name": own, "host": {host: values[0]}, "guest": {r.name: values[1]}})
        if args.json:
            continue
        if not said:
            said = True
            yield f"HCR_EL2.E2H = {int(e2h)}: {'at EL2 a name of EL1 reaches' if e2h else 'with E2H, it would reach'}"
        yield f"{own:<14} -> {register_line(registers[host], values[0], e2h=e2h)}"
        yield f"{r.name:<14} -> {register_line(registers[own], values[1])}"
    if args.json:
        yield from to_json(documents)
    elif not documents:
        raise CommandError(f"no register like {pattern} has a name of _EL12 or _EL02")


def virtual_by(context: Context, name: str) -> str | None:
    """Return the controls that make a thread's ICC_* access the virtual CPU interface; None if none does."""
    if context.target.hosted:
        return None  # a VM has no other, whether it is on a CPU or not
    return context.core.virtual_by(context.thread.tid - 1, name)


def _write(context: Context, name: str, field: str, text: str) -> str | None:
    """Write a register or a field of it; return a message about bits that did not take the value."""
    try:
        value = int(text, 0)
    except ValueError:
        raise CommandError(f"{text!r} is no number") from None
    r = tables.register(name)
    if field:
        f = r.field(field)
        if value & (1 << f.scale) - 1:
            raise CommandError(
                f"{r.name}.{f.name} is an address without lower bits: {text} is no multiple of {1 << f.scale:#x}"
            )
        value >>= f.scale
        if value << f.lsb & ~f.mask:
            raise CommandError(f"{text} does not fit into {r.name}.{f.name}, bits {f.msb}:{f.lsb}")
        value = context.target.read_register(context.thread, r.name) & ~f.mask | value << f.lsb
    if not 0 <= value < 1 << r.bits:
        raise CommandError(f"{text} does not fit into {r.name}, which has {r.bits} bits")
    context.target.write_register(context.thread, r.name, value)
    now = context.target.read_register(context.thread, r.name)
    return None if now == value else f"{r.name} took {now:#x} of {value:#x}: the other bits are fixed"
