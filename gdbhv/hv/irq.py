"""One interrupt of a VM, as its interrupt controller (:mod:`~gdbhv.hv.vgic`) keeps it."""

from __future__ import annotations

import msgspec


class Irq(msgspec.Struct, eq=False, omit_defaults=True, gc=False):
    """The state of one interrupt. Private ones (INTID below 32) belong to one vCPU, shared ones and LPIs to the VM.

    vCPUs are their numbers in the VM. A structure whose defaults are not written: a VM has some 300 interrupts, few of
    which were ever touched, and each snapshot has them all.
    """

    intid: int
    owner: int | None = None  # private: whose
    enabled: bool = False
    latch: bool = False  # pending by an edge, an SGI, or a write
    level: bool = False  # the level of the line
    active: bool = False
    edge: bool = False
    group1: bool = True
    priority: int = 0
    route: int = 0  # GICD_IROUTER
    home: int | None = None  # an LPI: the vCPU at whose Redistributor it is pending
    physical: int | None = None  # the physical INTID that ends with the guest's deactivation (ICH_LR.HW)
    holder: int | None = None  # the vCPU on whose list it is
    lr: int | None = None  # the list register that it is in while the holder executes

    @property
    def pending(self) -> bool:
        """Whether it is pending, by latch or by the line."""
        return self.latch or (self.level and not self.edge)
