"""Which registers a debugger of a guest may write: those of the guest, as its MRS and MSR see them, and a few of EL2's.

EL2 is emulated by gdbhv, which relies on what it has set up for its guests: if a debugger changed a list register, a
physical interrupt's control or the root of stage 2, the result would be a storm of exits or an access to another guest's
memory. So a debugger may read all registers and write those in :data:`WRITABLE`; the rest is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from gdbhv.hv import sysregs
from gdbhv.hv.ptimer import PhysicalTimer
from gdbhv.tables import registers

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.tables import Register

WHOLE = "*"

# Registers of EL2 and their fields that a debugger may write, with the reason.
WRITABLE: dict[str, str] = {
    # Traps whose exits gdbhv serves as the hardware would (hv/sysregs.py, hv/exits.py): more exits to look at,
    # or fewer. Not TLB maintenance, DC ZVA, AT and ERR*, which nothing serves; nor TSC: an SMC that is not trapped reaches
    # the machine's firmware.
    "HCR_EL2": "TWI TWE TWEDEn TWEDEL TID1 TID2 TID3 TID4 TIDCP TACR TSW TPCP TPU TICAB TOCU TVM TRVM",
    "CPTR_EL2": "TCPAC",
    # The guest's own state that only registers of EL2 hold
    "SP_EL1": WHOLE,
    "VDISR_EL2": WHOLE,
    "ICH_VMCR_EL2": WHOLE,  # its ICC_PMR_EL1, ICC_IGRPEN1_EL1, ...
    "ICH_AP0R0_EL2": WHOLE,
    "ICH_AP1R0_EL2": WHOLE,
}

# Why the rest is refused: the first prefix that matches applies.
REASONS = (
    ("HCR_EL2", "its other fields make a VM of the guest, and are gdbhv's, which is the hypervisor"),
    ("CPTR_EL2", "its other fields are gdbhv's lazy switch of the SIMD registers"),
    ("MDCR_EL2", "gdbhv lends the guest debug registers and counters with it"),
    ("VTTBR_EL2", "stage 2 and its VMID are gdbhv's, and are written whenever the vCPU is loaded"),
    ("VTCR_EL2", "gdbhv has built stage 2 for it"),
    *((name, "the guest has read it, and gdbhv finds the vCPU by it") for name in ("VPIDR_EL2", "VMPIDR_EL2")),
    ("VSESR_EL2", "gdbhv writes it when it makes an SError pending: `monitor inject serror SYNDROME`"),
    *((name, "gdbhv does not serve the exits that it causes") for name in ("HSTR", "HCRX", "HFG", "HDFG", "HAFG")),
    ("CNTVOFF_EL2", "gdbhv writes it whenever the vCPU is loaded; cntv_cval_el0 moves the timer"),
    ("CNTHCTL_EL2", "gdbhv traps the guest's physical timer with it"),
    ("CNTH", "the timers of EL2 are gdbhv's own: they end time slices and wake vCPUs"),
    ("ICH_", "gdbhv fills the virtual interface from its own list of interrupts (`monitor gic`) at each entry"),
    ("ICC_", "the physical interrupts are gdbhv's; the guest's interface is ICC_*_EL1"),
    ("CNTFRQ_EL0", "the firmware's, and the same for ever"),
    ("ELR_EL2", "the guest executes: write pc"),
    ("SPSR_EL2", "the guest executes: write cpsr"),
    ("", "no code runs at EL2, which gdbhv plays: nothing would read it"),
)
WAY_OUT = "`gdbhv run --el 2` runs a hypervisor of your own, whose registers are all yours"


@cache
def plain_name(name: str) -> str:
    """Return the register behind EL2's name for a lower level's: SCTLR_EL12 is SCTLR_EL1, CNTV_CTL_EL02 CNTV_CTL_EL0."""
    return name[:-1] if name.endswith(("_EL12", "_EL02")) else name


def refusal(r: Register, old: Callable[[], int], new: int, *, in_guest: bool) -> str | None:
    """Return why a debugger may not write ``new`` to register ``r`` of a guest; None if it may.

    :param old: returns the present value.
    :param in_guest: whether the vCPU is in its guest; otherwise ELR_EL2 and SPSR_EL2 are its pc and cpsr.
    """
    name = plain_name(r.name)
    least = registers()[name].write if name != r.name else r.write
    if least is None or (least < 2 and name != "CNTFRQ_EL0"):
        return None  # the guest's own, or read-only, which the machine refuses itself
    if name in ("ELR_EL2", "SPSR_EL2") and not in_guest:
        return None
    fields = WRITABLE.get(name, "")
    if fields == WHOLE:
        return None
    may = [f for f in r.fields if f.name in fields.split()]
    changed = (old() ^ new) & r.write_mask
    if changed & ~sum(f.mask for f in may) == 0 and may:
        return None
    reason = next(why for prefix, why in REASONS if name.startswith(prefix))
    some = f"; a debugger may change {' '.join(f.name for f in may)}" if may else ""
    return f"{reason}{some}. {WAY_OUT}"


# --- what the guest's MRS returns, where that differs from the CPU's register


def _identification(vcpu: Vcpu, name: str, value: int) -> int:
    return value & ~sum(registers()[name].field(f).mask for f in sysregs.HIDDEN[name])


def _timer(vcpu: Vcpu, name: str, value: int) -> int:
    return vcpu.ptimer.read(name)


VIEWS: dict[str, Callable[[Vcpu, str, int], int]] = {
    **dict.fromkeys(sysregs.HIDDEN, _identification),
    **dict.fromkeys(PhysicalTimer.REGISTERS, _timer),
}
"""By name: a function that returns the result of a trapped read, from the vCPU, the name, and the CPU's value."""

PENDING = ("ICC_HPPIR0_EL1", "ICC_HPPIR1_EL1", "ISR_EL1")
"""Registers that show what is pending: they depend on list registers, which are filled at the next entry."""
