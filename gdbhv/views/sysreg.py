"""System registers as text: a value with the names of its fields."""

from __future__ import annotations

from gdbhv.tables import Field, Register


def applies(field: Field, register: Register, value: int, *, e2h: bool = False) -> bool:
    """Whether a field has its meaning: some depend on HCR_EL2.E2H, some on another field of the same register."""
    name = field.condition.removeprefix("~")
    if not name:
        return True
    if name == "E2H" and register.name != "HCR_EL2":
        holds = e2h
    else:
        holds = register.field(name).of(value) != 0
    return holds is not field.condition.startswith("~")


def fields_of(register: Register, value: int, *, e2h: bool = False) -> dict[str, int]:
    """Return the fields that a value has, by name, addresses whole; reserved ones are left out."""
    return {
        f.name: f.shown(value)
        for f in register.fields
        if not f.name.startswith("RES") and applies(f, register, value, e2h=e2h)
    }


def field_text(field: Field, value: int) -> str:
    """Return one field of a register's value: ``TGE``, ``T0SZ=24``, ``SH0=inner``, ``BADDR=0x40206000``."""
    v = field.shown(value)
    if field.msb == field.lsb and not field.values:
        return field.name if v else f"{field.name}=0"
    return f"{field.name}={field.values.get(v) or (v if v < 10 else hex(v))}"


def fields_text(register: Register, value: int, *, e2h: bool = False) -> str:
    """Return the fields that are not 0, or whose 0 has a name.

    :param e2h: HCR_EL2.E2H, which changes some layouts.
    """
    shown = fields_of(register, value, e2h=e2h)
    return " ".join(
        field_text(f, value)
        for f in register.fields
        if f.name in shown and applies(f, register, value, e2h=e2h) and (f.of(value) or f.values.get(0))
    )


def detail(register: Register, value: int, *, e2h: bool = False) -> list[str]:
    """Return all fields of a register, a line each, from the most significant one down: bits, name and value in words."""
    rows = [f for f in register.fields if applies(f, register, value, e2h=e2h) and not f.name.startswith("RES")]
    return [f"  {_bits(f):<6} {field_text(f, value)}" for f in sorted(rows, key=lambda f: -f.msb)]


def _bits(f: Field) -> str:
    return f"{f.msb}:{f.lsb}" if f.msb != f.lsb else str(f.msb)


def changed_fields(register: Register, before: int, now: int, *, e2h: bool = False) -> str:
    """Return the fields that differ, with both values: ``VM=0 -> VM``; the bits that are no field's as a mask."""
    rows = [f for f in register.fields if applies(f, register, now, e2h=e2h) and f.of(before) != f.of(now)]
    known = sum({f.mask for f in rows}) if not any(a.mask & b.mask for a in rows for b in rows if a is not b) else -1
    words = [f"{field_text(f, before)} -> {field_text(f, now)}" for f in rows if not f.name.startswith("RES")]
    rest = (before ^ now) & ~known
    return ", ".join(words + ([f"bits {rest:#x}"] if rest and rows else []))


def register_line(register: Register, value: int, *, e2h: bool = False) -> str:
    """Return a register in one line: name, value, fields."""
    return f"{register.name:<18} {value:#0{register.bits // 4 + 2}x}  {fields_text(register, value, e2h=e2h)}".rstrip()
