"""What traps to EL2: as the model itself says, for what is set now, for KVM's guests, or for another VM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbhv import _core, tables
from gdbhv.errors import RegisterError

if TYPE_CHECKING:
    from gdbhv.target import Target, ThreadId

# What KVM sets for a guest (nVHE). TLOR, TPMS, TTRF and TAM are of features that a CPU may lack.
KVM: dict[str, tuple[str, ...]] = {
    "HCR_EL2": tuple("VM SWIO PTW FMO IMO AMO FB TWI TWE TID3 TSC TIDCP TACR TSW TLOR RW API APK".split()),
    "MDCR_EL2": tuple("TPM TPMCR TPMS TTRF TDA TDOSA TDRA HPMD".split()),
    "CPTR_EL2": tuple("TTA TAM TFP TZ".split()),
    "CNTHCTL_EL2": ("EL1PCTEN",),
    "ICC_SRE_EL2": tuple("SRE DFB DIB Enable".split()),
}
INSTRUCTIONS = {
    "wfi": 0xD503207F,
    "wfe": 0xD503205F,
    "svc": 0xD4000001,
    "hvc": 0xD4000002,
    "smc": 0xD4000003,
    "brk": 0xD4200000,
    "eret": 0xD69F03E0,
    "FP and SIMD": 0x1E604000,
}
ALWAYS = "always"


@dataclass(frozen=True, order=True)
class Trap:
    """Something that exits: the name of a register or instruction, "read", "write" or "insn", and by which controls."""

    cause: tuple[str, ...]
    how: str
    name: str

    @property
    def control(self) -> str:
        """The control that is effective."""
        return self.cause[0] if self.cause else ALWAYS


def controls(target: Target, thread: ThreadId) -> dict[str, int]:
    """Return the registers that trap, as they are for a thread; those that the CPU lacks are left out."""
    found = {}
    for name in _core.Machine.TRAP_CONTROLS:
        if name in target.registers:
            try:
                found[name] = target.read_register(thread, name)
            except RegisterError:
                continue  # a vCPU that does not run: of some only what is there now is known
    return found


def profile(fields: Mapping[str, Sequence[str]], known: Mapping[str, int]) -> dict[str, int]:
    """Return the registers of a profile such as :data:`KVM`, of those that are ``known``; what it does not name is 0."""
    made = {}
    for name in known:
        there = {f.name for f in tables.register(name).fields}
        made[name] = tables.encode(name, **{f: 1 for f in fields.get(name, ()) if f in there})
    return made


def traps(target: Target, cpu: int, el: int, values: Mapping[str, int], *, instructions: bool = True) -> set[Trap]:
    """Return what code at EL ``el`` of a guest may do that exits, if the registers that trap have these values.

    :param instructions: :data:`INSTRUCTIONS` too, which are tried where the CPU stands.
    :raises RuntimeError: it stands where nothing can be executed.
    """
    rows = target.core.traps(cpu, el, list(values.items()), list(INSTRUCTIONS.items()) if instructions else [])
    return {Trap(tuple(cause), how, name) for name, how, cause in rows}
