"""The target description: registers and their types, as XML and as the order of `g`, `p` and `P`.

Two features are GDB's own and are taken only whole (names, order, number of registers); every system register is in a third
kind, ``org.gdbhv.aarch64.elN``, one for each exception level that may use it.  A register's number is its 16-bit
architectural encoding, so that no table maps one to the other; it stays below 65536 because agent expressions carry 16 bits.
Source: GDB manual appendix G "Target Descriptions", G.5.1 "AArch64 Features".

No type of GDB's is a number and has fields too, so each system register is there twice, under the two spellings of its name:

``$hcr_el2``
    The number, 64 bits: ``p/x $hcr_el2``, ``set $hcr_el2 = 1``, ``$hcr_el2 & 1``, ``break f if $hcr_el2 & 1``.
``$HCR_EL2``
    What people look at. A register of fields is a structure: ``.raw`` (the number), ``.flags`` (what is set, by name), and
    each field, to read and to set (``p $HCR_EL2.VM``, ``set $HCR_EL2.TWI = 0``). An address of code or data is a pointer
    (VBAR_EL1, ELR_EL2, FAR_EL1). A counter, a table's base with its ASID, or one number is the number again.

What was measured, with GDB 13.1 and 18.1 alike:

=====================  =======  =================  ================  ====================
type                   `.FIELD`  ``= 0x40080000``   ``& 1``           condition in the stub
=====================  =======  =================  ================  ====================
``uint64``             no       yes                yes               yes
``code_ptr, data_ptr``  no       yes                with a cast       yes
``flags``              no       "Invalid cast"     yes               no ("Invalid combination of types")
``struct``             yes      "Invalid cast"     of ``.raw``       no ("Structure does not live in memory")
``union`` of those     yes      "Invalid cast"     of a member       no (the same)
=====================  =======  =================  ================  ====================

The invalid cast is one of size (``int`` has 4 bytes): ``= 0x40080000UL`` is taken.  GDB compiles a condition for the stub
only where every register in it is a number or a pointer; it evaluates the others itself, with a round trip for each hit.  So
a condition is best on the number: ``break f if $esr_el1 >> 26 == 0x15``; ``gdbside/conditions.py`` makes others so.  A bit
field of a structure may cover others, so that ``raw`` and ``flags`` need no union; members of an anonymous structure in a
union are left out by GDB's DAP server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

X0, SP, PC, CPSR, V0, FPSR, FPCR = 0, 31, 32, 33, 34, 66, 67

CORE_SIZE = 33 * 8 + 4
"""Bytes of the `g` packet: x0-x30, sp, pc, cpsr. Everything later is fetched by `p`, one at a time: a second process that
GDB adds by itself has only GDB's built-in registers, and a longer answer would be too long for it."""

_CORE = (*((f"x{n}", 8) for n in range(31)), ("sp", 8), ("pc", 8), ("cpsr", 4))
_FPU = (*((f"v{n}", 16) for n in range(32)), ("fpsr", 4), ("fpcr", 4))
_STANDARD = dict(enumerate(_CORE + _FPU))
# Names that GDB gives to registers of its own making, which ours must not hide.
_TAKEN = {name for name, _ in _CORE + _FPU} | {"fp", "lr", "sp", "pc", "ps"}
_TAKEN |= {f"{kind}{n}" for kind in "wvqdshb" for n in range(32)}

_CPSR_FLAGS = (("N", 31), ("Z", 30), ("C", 29), ("V", 28), ("DIT", 24), ("UAO", 23), ("PAN", 22), ("SS", 21), ("IL", 20),
               ("D", 9), ("A", 8), ("I", 7), ("F", 6), ("nRW", 4))  # fmt: skip
_EL_NAMES = {0: "EL0t", 4: "EL1t", 5: "EL1h", 8: "EL2t", 9: "EL2h"}

_VECTOR_TYPES = (("v2d", "ieee_double", 2), ("v2u", "uint64", 2), ("v2i", "int64", 2), ("v4f", "ieee_single", 4),
                 ("v4u", "uint32", 4), ("v4i", "int32", 4), ("v8u", "uint16", 8), ("v8i", "int16", 8),
                 ("v16u", "uint8", 16), ("v16i", "int8", 16), ("v1u", "uint128", 1), ("v1i", "int128", 1))  # fmt: skip
_VECTOR_UNIONS = (("vnd", (("f", "v2d"), ("u", "v2u"), ("s", "v2i"))), ("vns", (("f", "v4f"), ("u", "v4u"), ("s", "v4i"))),
                  ("vnh", (("u", "v8u"), ("s", "v8i"))), ("vnb", (("u", "v16u"), ("s", "v16i"))),
                  ("vnq", (("u", "v1u"), ("s", "v1i"))))  # fmt: skip

# Addresses, by the part of a register's name before "_EL".
_POINTERS = {"VBAR": "code_ptr", "ELR": "code_ptr", "RVBAR": "code_ptr", "SP": "data_ptr", "FAR": "data_ptr",
             "TPIDR": "data_ptr", "TPIDRRO": "data_ptr"}  # fmt: skip
_NUMBER = 0x100
"""The number of `$name` is that of `$NAME` without op0's upper bit, which all registers have, and so much further: past
GDB's own registers."""
_SYSTEM = 0x8000

RegisterRow = Mapping[str, Any]
"""A row of ``_core.registers()``: name, encoding, el, group, bits, writable, fields (name, lsb, msb, values)."""


class Description:
    """What one target has, built once and shared by its sessions."""

    def __init__(self, rows: Iterable[RegisterRow] = ()) -> None:
        self._system = {int(row["encoding"]): row for row in rows if str(row["name"]).lower() not in _TAKEN}
        if low := [row["name"] for number, row in self._system.items() if number in _STANDARD]:
            raise ValueError(f"encodings below {len(_STANDARD)} belong to GDB's own registers: {low}")
        self.xml = "\n".join(self._lines()).encode()

    def find(self, number: int) -> tuple[str | int, int] | None:
        """Return how the target knows register ``number``, and its size in bytes; None: there is no such register."""
        if (standard := _STANDARD.get(number)) is not None:
            return standard
        for encoding in (number, number - _NUMBER | _SYSTEM):
            if (row := self._system.get(encoding)) is not None:
                return encoding, int(row["bits"]) // 8
        return None

    def _lines(self) -> Iterable[str]:
        yield '<?xml version="1.0"?>'
        yield '<!DOCTYPE target SYSTEM "gdb-target.dtd">'
        yield '<target version="1.0">'
        yield "<architecture>aarch64</architecture>"
        yield from _core_feature()
        yield from _fpu_feature()
        for level in sorted({int(row["el"]) for row in self._system.values()}):
            yield f'<feature name="org.gdbhv.aarch64.el{level}">'
            rows = [row for row in self._system.values() if row["el"] == level]
            for row in rows:
                kind = _POINTERS.get(str(row["name"]).partition("_EL")[0], "")
                if not kind and (fields := _fields(row)):
                    kind = f"{row['name']}_t"
                    yield from _structure(row, fields)
                yield _register(row, row["name"], row["encoding"], kind or f"uint{row['bits']}", row["group"])
            for row in rows:
                number = int(row["encoding"]) - _SYSTEM + _NUMBER
                yield _register(row, str(row["name"]).lower(), number, f"uint{row['bits']}", "number")
            yield "</feature>"
        yield "</target>"


def _core_feature() -> Iterable[str]:
    yield '<feature name="org.gnu.gdb.aarch64.core">'
    yield '<enum id="cpsr_el" size="4">'
    yield from (f'<evalue name="{name}" value="{value}"/>' for value, name in _EL_NAMES.items())
    yield "</enum>"
    yield '<flags id="cpsr_flags" size="4">'
    yield '<field name="M" start="0" end="3" type="cpsr_el"/>'
    yield from (f'<field name="{name}" start="{bit}" end="{bit}"/>' for name, bit in reversed(_CPSR_FLAGS))
    yield "</flags>"
    types = {"sp": "data_ptr", "pc": "code_ptr", "cpsr": "cpsr_flags"}
    for name, size in _CORE:
        yield f'<reg name="{name}" bitsize="{size * 8}" type="{types.get(name, "int")}"/>'
    yield "</feature>"


def _fpu_feature() -> Iterable[str]:
    yield '<feature name="org.gnu.gdb.aarch64.fpu">'
    yield from (f'<vector id="{name}" type="{of}" count="{count}"/>' for name, of, count in _VECTOR_TYPES)
    for name, fields in (*_VECTOR_UNIONS, ("aarch64v", tuple((u[0][2], u[0]) for u in _VECTOR_UNIONS))):
        yield f'<union id="{name}">'
        yield from (f'<field name="{field}" type="{of}"/>' for field, of in fields)
        yield "</union>"
    for number, (name, size) in enumerate(_FPU, V0):
        kind = 'type="aarch64v"' if size == 16 else 'type="int" group="float"'
        yield f'<reg name="{name}" bitsize="{size * 8}" regnum="{number}" {kind}/>'
    yield "</feature>"


def _register(row: RegisterRow, name: str, number: int, kind: str, group: str) -> str:
    return (
        f'<reg name={quoteattr(name)} bitsize="{row["bits"]}" regnum="{number}" type={quoteattr(kind)}'
        f' group={quoteattr(group)} save-restore="no"/>'
    )


def _fields(row: RegisterRow) -> list[RegisterRow]:
    """Return the fields that a register is shown with, from bit 0 up; none where it is one number, or an address and more.

    A meaning that needs HCR_EL2.E2H gives way to the one that holds without.
    """
    found = {f["name"]: f for f in row["fields"] if f.get("condition", "") != "E2H"}
    widths = [int(f["msb"]) - int(f["lsb"]) + 1 for f in found.values() if not f.get("condition", "")]
    if max(widths, default=0) > 32 or min(widths, default=0) >= 32 or len(found) < 2:
        return []
    return sorted(found.values(), key=lambda f: int(f["lsb"]))


def _structure(row: RegisterRow, fields: list[RegisterRow]) -> Iterable[str]:
    """Yield the types of a register with fields: an enum for each field with named values, the flags, then both as one."""
    size, name = int(row["bits"]) // 8, str(row["name"])
    for field in fields:
        if values := field.get("values"):
            yield f'<enum id={quoteattr(_enum(row, field))} size="{size}">'
            for value, word in sorted((int(v), n) for v, n in values.items()):
                yield f'<evalue name={quoteattr(str(word))} value="{value}"/>'
            yield "</enum>"
    for shape, plain in (("flags", ""), ("struct", f"uint{row['bits']}")):
        yield f'<{shape} id={quoteattr(name + ("_flags" if shape == "flags" else "_t"))} size="{size}">'
        if shape == "struct":
            yield f'<field name="raw" start="0" end="{row["bits"] - 1}" type="{plain}"/>'
            yield f'<field name="flags" start="0" end="{row["bits"] - 1}" type={quoteattr(name + "_flags")}/>'
        for field in fields:
            kind = _enum(row, field) if field.get("values") else plain
            of = f" type={quoteattr(kind)}" if kind else ""
            yield f'<field name={quoteattr(field["name"])} start="{field["lsb"]}" end="{field["msb"]}"{of}/>'
        yield f"</{shape}>"


def _enum(row: RegisterRow, field: Mapping[str, Any]) -> str:
    return f"{row['name']}_{field['name']}_e"
