"""Which exits a machine can have: a catchpoint that never hits would look like a guest that behaves.

What the CPU lacks is refused. What only the hypervisor's controls prevent is said: they can be changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.exits import exitspec
from gdbhv.exits.exitspec import ExitSpec, span

if TYPE_CHECKING:
    from gdbhv.target import Target

# Class: it needs one of these features, each as a field of an ID register and its least value. (Arm ARM D24.2)
NEEDS = {
    "sve": (("ID_AA64PFR0_EL1", "SVE", 1),),
    "pac": (("ID_AA64ISAR1_EL1", "API", 1), ("ID_AA64ISAR1_EL1", "APA", 1)),
    "svc": (("ID_AA64MMFR0_EL1", "FGT", 1),),
    "eret": (("ID_AA64MMFR0_EL1", "FGT", 1), ("ID_AA64MMFR2_EL1", "NV", 1)),
    "vncr": (("ID_AA64MMFR2_EL1", "NV", 2),),
}
TAKEN_AT_EL1 = "while HCR_EL2.TGE is 0 it is taken at EL1: `el1.{0}`, and from EL2 itself `el2.{0}`"
NEVER = {n: TAKEN_AT_EL1.format(n) for n in ("unknown", "illegal_state", "pc_align", "sp_align")}

# Class: one of these controls must be set.
ROUTED = {
    "svc": ("HFGITR_EL2.SVC_EL0", "HFGITR_EL2.SVC_EL1"),
    "eret": ("HCR_EL2.NV", "HFGITR_EL2.ERET"),
    "vncr": ("HCR_EL2.NV2",),
    "bp": ("MDCR_EL2.TDE",),
    "step": ("MDCR_EL2.TDE",),
    "wp": ("MDCR_EL2.TDE",),
    "brk": ("MDCR_EL2.TDE",),
}


def refuse_impossible(target: Target, spec: ExitSpec) -> None:
    """Refuse a specification that no exit of this machine can ever meet. :raises gdbhv.errors.CommandError: it is one."""
    if target.hosted and any(key in exitspec.TIMES for key, _, _ in spec.ranges):
        raise CommandError("gdbhv's hypervisor takes no time: no latency, and nobody is away for its sake")
    reasons = [_lacks(target, name) for name in _names(spec)]
    if reasons and all(reasons):
        raise CommandError(f"no exit is ever {spec.pattern!r} here: {reasons[0]}")
    for key, value in spec.filters:
        check = _FILTERS.get(key)
        if check is not None and (reason := check(target, value)):
            raise CommandError(f"{key}={value}: {reason}")


def doubts(target: Target, spec: ExitSpec) -> Iterator[str]:
    """Say what keeps gdbhv's own hypervisor from having such exits, as its controls are now."""
    if not target.hosted:
        return
    names = _names(spec)
    if names and all(name in ROUTED and not any(_on(target, bit) for bit in ROUTED[name]) for name in names):
        bits = sorted({bit for name in names for bit in ROUTED[name]})
        yield f"gdbhv's hypervisor leaves {' and '.join(bits)} at 0: as it is now, no such exit comes"


def _names(spec: ExitSpec) -> list[str]:
    return [name for name, row in tables.exit_classes().items() if row["number"] in spec.classes]


def _lacks(target: Target, name: str) -> str | None:
    if name in NEVER:
        return NEVER[name]
    needs = NEEDS.get(name, ())
    if not needs or any(_field(target, r, f) >= least for r, f, least in needs):
        return None
    return f"the CPU has none of what it takes ({', '.join(f'{r}.{f} >= {least}' for r, f, least in needs)})"


def _field(target: Target, register: str, field: str) -> int:
    return tables.register(register).field(field).of(target.core.read_register(0, register))


def _on(target: Target, bit: str) -> bool:
    register, _, field = bit.partition(".")
    return register in target.registers and _field(target, register, field) != 0


def _cpu(target: Target, value: str) -> str | None:
    cpus = target.core.cpus
    return f"the machine's CPUs are 0 to {cpus - 1}" if span(value)[0] >= cpus else None


def _vmid(target: Target, value: str) -> str | None:
    known = target.vmids()
    low, high = span(value)
    return None if known is None or any(low <= v <= high for v in known) else f"the VMIDs are {', '.join(map(str, known))}"


def _reg(target: Target, value: str) -> str | None:
    name = value.upper()
    return "the CPU does not have this register" if name in tables.registers() and name not in target.registers else None


_FILTERS = {"cpu": _cpu, "vmid": _vmid, "reg": _reg}
