"""The interrupts of one vCPU, the most urgent first, and whether its CPU interface would signal one of them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

from gdbhv import tables
from gdbhv.hv.irq import Irq

# ICH_VMCR_EL2 (Arm IHI 0069, its description)
PRIORITY_MASK = tables.field("ICH_VMCR_EL2.VPMR")
BINARY_POINT_0, BINARY_POINT_1 = tables.field("ICH_VMCR_EL2.VBPR0"), tables.field("ICH_VMCR_EL2.VBPR1")
COMMON_BINARY_POINT = tables.encode("ICH_VMCR_EL2", VCBPR=1)
GROUP0_ENABLE = tables.field("ICH_VMCR_EL2.VENG0").lsb  # the enable of group 1 is the next bit
PREEMPTION_STEP = 8  # of priorities: a bit of ICH_AP<n>R0_EL2 each, 32 of them

Place = tuple[bool, int, int]


def place(irq: Irq) -> Place:
    """Return the sort key of ``irq``: active ones come first, then by priority and INTID."""
    return not irq.active, irq.priority, irq.intid


class Queue:
    """The interrupts that are pending or active for a vCPU, in the order of :func:`place`.

    It stays sorted through all changes, since a guest may have all its LPIs pending and exit often.
    """

    def __init__(self, irqs: Iterable[Irq] = ()) -> None:
        self._places = {irq: place(irq) for irq in irqs}
        self._order = sorted((at, irq) for irq, at in self._places.items())  # no two have the same place: INTIDs differ

    def __iter__(self) -> Iterator[Irq]:
        return (irq for _, irq in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def put(self, irq: Irq) -> None:
        """Insert ``irq``, or move it to its place. Call it after any change of its sort key."""
        at = place(irq)
        if self._places.get(irq) != at:
            self.discard(irq)
            self._places[irq] = at
            bisect.insort(self._order, (at, irq))

    def discard(self, irq: Irq) -> None:
        """Remove ``irq``, if it is here."""
        at = self._places.pop(irq, None)
        if at is not None:
            del self._order[bisect.bisect_left(self._order, (at,))]


def signals(pending: Iterable[Irq], control: int, active: int) -> bool:
    """Whether the CPU interface signals one of the ``pending`` interrupts, which are sorted by urgency.

    :param control: ICH_VMCR_EL2.
    :param active: ICH_AP0R0_EL2 or ICH_AP1R0_EL2: the priorities of the interrupts that the guest is handling. An interrupt
        that does not preempt them is not signalled (Arm IHI 0069 4.8.6).
    """
    running = ((active & -active).bit_length() - 1) * PREEMPTION_STEP if active else 0x100
    points = BINARY_POINT_0.of(control) + 1, BINARY_POINT_1.of(control)
    groups = {group for group in (False, True) if control >> GROUP0_ENABLE + group & 1}
    for irq in pending:
        if irq.group1 not in groups:
            continue
        point = points[irq.group1 and not control & COMMON_BINARY_POINT]
        if irq.priority < PRIORITY_MASK.of(control) and irq.priority >> point << point < running:
            return True
        groups.discard(irq.group1)  # the less urgent ones are not signalled either
        if not groups:
            break
    return False
