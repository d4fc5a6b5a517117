"""The model's tables as Python sees them: registers with their fields, exit classes, the board, instructions.

The truth is in the native module; nothing here spells a register's number or a field's bit again.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from gdbhv import _core
from gdbhv.errors import RegisterError

ADDRESSES = frozenset({"BADDR", "EA", "FIPA", "PA", "SA", "VA", "VBA"})
"""Fields that are addresses without their low bits, in place. (HPFAR_EL2.FIPA has bits 51:12 of one from bit 4 on. In
BADDR bits 5:2 are bits 51:48 of the address where it has 52: Arm ARM, HPFAR_EL2 and TTBR0_EL1.)"""


@dataclass(frozen=True)
class Field:
    """A named field of a register: bits ``msb`` to ``lsb``; ``values`` names some of its values."""

    name: str
    msb: int
    lsb: int
    values: dict[int, str]
    condition: str = ""  # when this meaning holds: "", "E2H", "~E2H", or a field of the same register

    @cached_property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << (self.msb - self.lsb + 1)) - 1) << self.lsb

    def of(self, value: int) -> int:
        """Return the field of a register's value."""
        return (value & self.mask) >> self.lsb

    @property
    def scale(self) -> int:
        """How many low bits of an address the field leaves out, which are 0; 0 for a field that is no address."""
        if self.name not in ADDRESSES or self.msb - self.lsb < 20:  # SCTLR_ELx.SA and DISR_EL1.EA are flags
            return 0
        return 12 if self.name == "FIPA" else self.lsb

    def shown(self, value: int) -> int:
        """Return the field of a register's value as people write it: an address whole."""
        return self.of(value) << self.scale


@dataclass(frozen=True)
class Register:
    """A system register: ``encoding`` is its number everywhere (op0:op1:CRn:CRm:op2 in 16 bits)."""

    name: str
    encoding: int
    el: int
    group: str
    bits: int
    read: int | None  # the least EL that may read it
    write: int | None
    reset: int
    write_mask: int
    description: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """Return a field by name, in any case. :raises gdbhv.errors.RegisterError: there is none."""
        for f in self.fields:
            if f.name.upper() == name.upper() and f.condition != "E2H":
                return f
        known = ", ".join(f.name for f in self.fields) or "none"
        raise RegisterError(f"{self.name}.{name}", f"no such field; its fields: {known}")


def _fields(rows: list[dict[str, Any]]) -> tuple[Field, ...]:
    return tuple(Field(f["name"], f["msb"], f["lsb"], dict(f["values"]), f["condition"]) for f in rows)


COLUMNS = "name encoding el group bits read write reset write_mask description".split()


@cache
def registers(cpu: str = "max", *, el2: bool = True, gic: int = 3) -> dict[str, Register]:
    """All system registers of a profile by name, those of EL2 and of GICv3 only if there is one."""
    return {
        r["name"]: Register(
            **{k: r[k] for k in COLUMNS},
            fields=_fields(r["fields"]),
        )
        for r in _core.registers(cpu, el2=el2, gic=gic)
    }


def register(name: str) -> Register:
    """Return a system register by its Arm ARM name, in any case. :raises gdbhv.errors.RegisterError: there is none."""
    found = registers().get(name.upper())
    if found is None:
        near = difflib.get_close_matches(name.upper(), registers(), 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise RegisterError(name, f"no such system register{hint}")
    return found


def register_name(register: str | int, of: Mapping[str, Register]) -> str:
    """Return the name of what was asked for by name or number; the number if none ``of`` the registers has it."""
    if isinstance(register, str):
        return register
    return next((r.name for r in of.values() if r.encoding == register), f"{register:#06x}")


def encoding(name: str) -> int:
    """Return the number of a system register."""
    return register(name).encoding


def encode(name: str, **fields: int) -> int:
    """Return the value of register ``name`` with ``fields`` set and the rest 0: ``encode("HCR_EL2", VM=1, IMO=1)``."""
    value = 0
    for field_name, v in fields.items():
        f = register(name).field(field_name)
        value |= (v << f.lsb) & f.mask
    return value


def field(name: str) -> Field:
    """Return a field by the names of its register and of itself: ``field("HCR_EL2.TGE").mask``.

    :raises gdbhv.errors.RegisterError: there is none.
    """
    register_name, _, field_name = name.partition(".")
    return register(register_name).field(field_name)


def decode(name: str, value: int) -> dict[str, int]:
    """Return the fields of a value of register ``name``."""
    return {f.name: f.of(value) for f in register(name).fields}


def exception_level(pstate: int) -> int:
    """Return the exception level in a value of PSTATE or SPSR_ELx of AArch64 state: M[3:2] (Arm ARM C5.2.20)."""
    return pstate >> 2 & 3


def mode_name(pstate: int) -> str:
    """Return the exception level and the stack pointer in a value of PSTATE or SPSR_ELx of AArch64 state: "EL1h"."""
    return f"EL{exception_level(pstate)}{'h' if pstate & 1 else 't'}"


@cache
def exit_classes() -> dict[str, _core.ExitClass]:
    """Return the exit classes by name."""
    return {c["name"]: c for c in _core.exit_classes()}


@cache
def exit_origins() -> list[tuple[str, str, int]]:
    """Return what exceptions that are no exits are called by: word, meaning, and what is added to their class's number."""
    return _core.exit_origins()


@cache
def exit_absent() -> dict[str, _core.AbsentClass]:
    """Return the classes of exceptions that the architecture has and no exception here, by name."""
    return {a["name"]: a for a in _core.exit_absent()}


@cache
def exit_absent_words() -> dict[str, str]:
    """Return the words that names of exits would have by the architecture and have not here, with the reasons."""
    return dict(_core.exit_absent_words())


@cache
def exit_fields() -> list[tuple[str, str]]:
    """Return the numbers of an exit that conditions may use, and what they are."""
    return _core.exit_fields()


@cache
def condition_operators() -> tuple[frozenset[str], dict[str, int]]:
    """Return the operators of conditions: of one operand, and of two with how strongly they bind."""
    unary, binary = _core.condition_operators()
    return frozenset(unary), dict(binary)


@cache
def iss_layouts() -> dict[int, tuple[Field, ...]]:
    """Return the fields of ESR_EL2.ISS by number of exit class, from the most significant bit down; RES0 where it is 0."""
    offsets = (0, *(offset for _, _, offset in exit_origins()))
    return {c["number"] + n: _fields(c["iss"])[::-1] for c in _core.exit_classes() for n in offsets}


def exception_class(name: str) -> int:
    """Return ESR_ELx.EC of exit class ``name``, in its form from a lower Exception level.

    :raises KeyError: no such class.
    :raises ValueError: an asynchronous one, which has none.
    """
    ec = exit_classes()[name]["ec"]
    if ec is None:
        raise ValueError(f"{name} is asynchronous: it has no EC")
    return ec


def iss_field(class_name: str, name: str) -> Field:
    """Return a field of the ESR_EL2.ISS of exit class ``class_name``: ``iss_field("dabt", "WnR")``.

    :raises KeyError: no such class, or its ISS has no such field.
    """
    fields = iss_layouts()[exit_classes()[class_name]["number"]]
    return {f.name: f for f in fields}[name]


@cache
def board(gic: int = 3) -> dict[str, _core.BoardRow]:
    """Return the memory map of a board with a GIC of this version, RAM left out, by name."""
    return {row["name"]: row for row in _core.board(gic)}


def device_at(address: int, gic: int = 3) -> tuple[str, int] | None:
    """Return the name of the board's device at a PA, and the offset in it in bytes."""
    for name, row in board(gic).items():
        if row["base"] <= address < row["base"] + row["size"]:
            return name, address - row["base"]
    return None


PCIE = "pcie-ecam"
"""The one device of the board's table that a machine may be without."""


@cache
def interrupt_device(intid: int, pcie: bool = True) -> str | None:
    """Return the name of the board's device that a physical interrupt is of; None: of no single one.

    :param pcie: whether the board has PCIe.
    """
    rows = (row for row in board().values() if row["intid"] is not None and (pcie or row["name"] != PCIE))
    return next((row["name"] for row in rows if 0 <= intid - (row["intid"] or 0) < row["lines"]), None)


# The timers of a CPU: control register, name, interrupt (Arm BSA, "PPI assignments", as the board has them).
TIMERS = (
    ("CNTV_CTL_EL0", "virtual timer", 27),
    ("CNTP_CTL_EL0", "physical timer", 30),
    ("CNTHP_CTL_EL2", "EL2 physical timer", 26),
    ("CNTHV_CTL_EL2", "EL2 virtual timer", 28),
)
PRIVATE = {23: "PMU", **{intid: name for _, name, intid in TIMERS}}


def interrupt_source(intid: int) -> str | None:
    """Return what a physical interrupt comes from: a device of the board, or a part of the CPU; None: of no single one."""
    return PRIVATE.get(intid) or interrupt_device(intid)


def fault_words(fsc: int) -> str:
    """Return what a fault status code (DFSC, IFSC) says: "translation fault, level 2"."""
    return _core.fault_words(fsc)


OTHER_NAMES = {"lr": "x30", "fp": "x29"}
"""What general registers are called besides, in small letters."""


@cache
def exit_numbers() -> frozenset[int]:
    """Return the numbers of all classes: of exits, and of exceptions that are none."""
    offsets = (0, *(offset for _, _, offset in exit_origins()))
    return frozenset(row["number"] + n for row in exit_classes().values() for n in offsets)
