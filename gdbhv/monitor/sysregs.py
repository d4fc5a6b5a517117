"""``sysreg``: system registers by name, with their fields; readable and writable."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterator

from gdbhv import tables
from gdbhv.errors import CommandError, RegisterError
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views.sysreg import field_text, fields_of, register_line

E2H = tables.field("HCR_EL2.E2H").mask
GROUPS = tuple(sorted({r.group for r in tables.registers().values()}))


@command(
    "sysreg",
    Arg("name", "NAME, NAME=VALUE, NAME.FIELD, NAME.FIELD=VALUE, or a shell pattern (TCR_*)", nargs="?"),
    Arg("--group", "all registers of a group", choices=GROUPS),
    JSON,
    help="read or write a system register, with its fields",
)
def sysreg(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Read, write a value, or write a field."""
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
        document: dict[str, object] = {"name": r.name, "value": value, "fields": fields, "description": r.description}
        documents.append(document)
        if by := virtual_by(context, r.name):
            document["virtual"] = by
        if not args.json:
            yield register_line(r, value, e2h=e2h) + (f"  virtual ({by})" if by else "")
    if args.json:
        yield from to_json(documents[0] if single else documents)


def virtual_by(context: Context, name: str) -> str | None:
    """Return the controls by which a thread's ICC_* is of the virtual CPU interface; None: it is not."""
    if context.target.hosted:
        return None  # a VM has no other, whether it is on a CPU or not
    return context.core.virtual_by(context.thread.tid - 1, name)


def _write(context: Context, name: str, field: str, text: str) -> str | None:
    """Write a register or a field of it; return what to say about bits that did not take the value."""
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
