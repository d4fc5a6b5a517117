"""What an access gives, to the bit: the syndrome of its abort (Arm ARM D24.2.40), or PAR_EL1 of an AT (D24.2.126)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbhv.tables import fault_words, field, iss_field
from gdbhv.views.attributes import memory

if TYPE_CHECKING:
    from gdbhv._core import Regime, Walk

EC, IL = field("ESR_EL2.EC"), field("ESR_EL2.IL")
ABORTS = {True: "iabt_lower", False: "dabt_lower"}  # names of ESR_ELx.EC
ISV, SAS, SF, WNR, S1PTW, DFSC = (iss_field("dabt", name) for name in ("ISV", "SAS", "SF", "WnR", "S1PTW", "DFSC"))
EXTERNAL = (0x13, 0x14, 0x15, 0x16, 0x17)
PERMISSION = range(0x0C, 0x10)
PAR_RES1, PAR_NS, PAR_S, PAR_PTW, PAR_F = 1 << 11, 1 << 9, 1 << 9, 1 << 8, 1
PAR_PA = (1 << 52) - 0x1000
WRITE_BACK, NON_CACHEABLE, OUTER = 0xFF, 0x44, 2


@dataclass(frozen=True)
class Outcome:
    """An access: ``esr`` and what else the EL that takes its abort finds; all None if it goes through.

    ``hpfar`` is None also where HPFAR_EL2 is not written, or UNKNOWN.
    """

    access: str
    el: int
    to: int | None = None
    esr: int | None = None
    far: int | None = None
    hpfar: int | None = None
    pa: int | None = None
    words: str = ""


def outcome(walk: Walk, va: int, access: str, el: int, regime: Regime, *, tge: bool) -> Outcome:
    """Return what LDR or STR of an X register, or a fetch, gives.

    :param walk: the walk of that access, with permissions checked.
    :param el: its EL.
    :param tge: HCR_EL2.TGE: exceptions from EL0 go to EL2.
    """
    if "pa" in walk:
        return Outcome(access, el, pa=walk["pa"], words=f"PA {walk['pa']:#x} {memory(walk['memory'])}")
    fsc, stage2, s1ptw = walk["fsc"], walk["stage"] == 2, walk["s1ptw"]
    to = 2 if stage2 or el == 2 or regime["name"] != "EL1&0" or (el == 0 and tge) else 1
    fetch = access == "fetch"
    iss = fsc << DFSC.lsb | s1ptw << S1PTW.lsb
    external = fsc in EXTERNAL
    if not fetch:
        iss |= (access == "write") << WNR.lsb
        if stage2 and not s1ptw and not external:
            iss |= ISV.mask | 3 << SAS.lsb | SF.mask
    ec = next(value for value, name in EC.values.items() if name == ABORTS[fetch])
    esr = (ec + (to == el)) << EC.lsb | IL.mask | iss
    ipa = walk.get("fault_ipa")
    known = stage2 and ipa is not None and not external and (s1ptw or fsc not in PERMISSION)
    hpfar = (ipa or 0) >> 12 << 4 if known else None
    said = f"stage {walk['stage']} {fault_words(fsc)}{' on the walk of stage 1' * s1ptw}"
    return Outcome(access, el, to, esr, va, hpfar, None, said)


def line(o: Outcome) -> str:
    """Return an access and what it gives in a line."""
    head = f"EL{o.el} {o.access:<5}"
    if o.esr is None:
        return f"{head}  {o.words}"
    hpfar = "" if o.hpfar is None else f", HPFAR_EL2 {o.hpfar:#x}"
    return f"{head}  {o.words}: to EL{o.to}, ESR_EL{o.to} {o.esr:#x}, FAR_EL{o.to} {o.far:#x}{hpfar}"


def par(walk: Walk) -> int:
    """Return PAR_EL1 of an AT instruction of both stages, or of stage 1 where there is no stage 2, by its walk."""
    if "pa" in walk:
        return success(walk["pa"], walk["memory"], walk["shareability"])
    ptw, stage2 = walk["s1ptw"] * PAR_PTW, (walk["stage"] == 2) * PAR_S
    return PAR_RES1 | stage2 | ptw | walk["fsc"] << 1 | PAR_F


def success(address: int, attr: int, shareability: int) -> int:
    """Return PAR_EL1 of an AT instruction that finds an address.

    Device and non-cacheable memory is outer shareable, and the reserved shareability 1 acts as outer.
    """
    outer = attr & 0xF0 == 0 or attr == NON_CACHEABLE or shareability == 1
    return attr << 56 | address & PAR_PA | PAR_RES1 | PAR_NS | (OUTER if outer else shareability) << 7


def effective(attr: int, *, cached: bool) -> int:
    """Return what an attribute of MAIR comes to: what means the same is folded; Normal without SCTLR.C is not cacheable."""
    if attr & 0xF0 == 0:
        return attr & 0x0C
    folded = {0x40: NON_CACHEABLE, 0xA0: 0xBB, 0xF0: WRITE_BACK}.get(attr, attr)
    return folded if cached else NON_CACHEABLE
