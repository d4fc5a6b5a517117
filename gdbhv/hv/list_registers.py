"""The list registers of the virtual CPU interface (ICH_LR<n>_EL2, Arm IHI 0069 12.4.6): how an interrupt goes into one."""

from __future__ import annotations

from gdbhv import tables
from gdbhv.hv.irq import Irq
from gdbhv.tables import encode

NAMES = [f"ICH_LR{n}_EL2" for n in range(4)]
LR_PENDING, LR_ACTIVE = encode("ICH_LR0_EL2", State=0b01), encode("ICH_LR0_EL2", State=0b10)
LR_HW, LR_GROUP1, LR_EOI = (encode("ICH_LR0_EL2", **{name: 1}) for name in ("HW", "Group", "EOI"))
LR_PRIORITY, LR_PHYSICAL = (tables.field(f"ICH_LR0_EL2.{name}").lsb for name in ("Priority", "pINTID"))
LR_INTID = tables.field("ICH_LR0_EL2.vINTID")
EOI_COUNT = tables.field("ICH_HCR_EL2.EOIcount")


def load(irq: Irq, deliverable: bool) -> int:
    """Return the value of a list register for ``irq``; the latch of an edge moves into it.

    :param deliverable: whether it is pending, and enabled, and its group is enabled.
    """
    value = irq.intid | irq.priority << LR_PRIORITY | (LR_GROUP1 if irq.group1 else 0)
    again = irq.active and irq.edge and irq.latch and deliverable
    value |= LR_ACTIVE if irq.active else 0
    value |= LR_PENDING if again or not irq.active else 0
    if irq.edge and value & LR_PENDING:
        irq.latch = False
    if irq.physical is not None:
        value |= LR_HW | irq.physical << LR_PHYSICAL
    elif not irq.edge:
        value |= LR_EOI  # ask for an exit when it is deactivated: the line may still be high
    return value


def unload(irq: Irq, value: int) -> None:
    """Update ``irq`` by what the guest has done with its list register."""
    if irq.edge:
        irq.latch = irq.latch or bool(value & LR_PENDING)
    elif not irq.active and not value & LR_PENDING:  # it was pending when it was put there, and has been acknowledged
        irq.latch = False
    irq.active = bool(value & LR_ACTIVE)
