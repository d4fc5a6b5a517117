"""``sysreg``: system registers by name, with their fields; readable and writable."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterator

from gdbhv import tables
from gdbhv.errors import CommandError, RegisterError
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json


def field_text(value: int, register: tables.Register, e2h: bool = False) -> str:
    """Return the fields of a value that are not 0, by name; ``e2h`` is HCR_EL2.E2H, which changes some layouts."""
    words = []
    for f in register.fields:
        if f.condition in ("E2H", "~E2H") and (f.condition == "E2H") != e2h:
            continue
        v = f.of(value)
        if v or f.values.get(v):
            words.append(f"{f.name}={f.values.get(v) or (v if v < 10 else hex(v))}" if f.msb > f.lsb or f.values else f.name)
    return " ".join(words)


@command(
    "sysreg",
    Arg("name", "NAME, NAME=VALUE, NAME.FIELD=VALUE, or a glob (TCR_*)", nargs="?"),
    Arg("--group", "all registers of a group: id, el0, el1, el2, timer, gic, debug, pmu"),
    JSON,
    help="read or write a system register, with its fields",
)
def sysreg(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Read, write a value, or write a field."""
    if args.name is None and args.group is None:
        raise CommandError("which? `sysreg NAME`, `sysreg TCR_*` or `sysreg --group el2`")
    name, equals, text = (args.name or "*").partition("=")
    if equals:
        yield from _write(context, name.strip(), text.strip())
        name = name.partition(".")[0].strip()
    wanted = [
        r
        for r in tables.registers().values()
        if fnmatch.fnmatchcase(r.name, name.upper()) and (args.group is None or r.group == args.group)
    ]
    if not wanted:
        tables.register(name)  # raises with the reason
    e2h = bool(context.target.read_register(context.thread, "HCR_EL2") >> 34 & 1)
    documents: list[dict[str, object]] = []
    for r in wanted:
        try:
            value = context.target.read_register(context.thread, r.name)
        except RegisterError as e:
            if len(wanted) == 1:
                raise
            documents.append({"name": r.name, "error": str(e)})
            if not args.json:
                yield f"{r.name:<18} {e}"
            continue
        documents.append(
            {"name": r.name, "value": value, "fields": tables.decode(r.name, value), "description": r.description}
        )
        if not args.json:
            yield f"{r.name:<18} {value:#018x}  {field_text(value, r, e2h)}".rstrip()
    if args.json:
        yield from to_json(documents[0] if len(documents) == 1 and "*" not in name else documents)


def _write(context: Context, name: str, text: str) -> Iterator[str]:
    try:
        value = int(text, 0)
    except ValueError:
        raise CommandError(f"{text!r} is no number") from None
    register_name, _, field_name = name.partition(".")
    r = tables.register(register_name)
    old = context.target.read_register(context.thread, r.name)
    if field_name:
        f = r.field(field_name)
        if value << f.lsb & ~f.mask:
            raise CommandError(f"{value:#x} does not fit into {r.name}.{f.name}, bits {f.msb}:{f.lsb}")
        value = old & ~f.mask | value << f.lsb
    context.target.write_register(context.thread, r.name, value)
    now = context.target.read_register(context.thread, r.name)
    if now != value:
        yield f"{r.name} was {old:#x}; of {value:#x} it took {now:#x} (the other bits are fixed)"
