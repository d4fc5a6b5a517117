"""The interrupts of one vCPU, the most urgent first."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

from gdbhv.hv.irq import Irq

Place = tuple[bool, int, int]


def place(irq: Irq) -> Place:
    """Where ``irq`` comes: after all active ones if it is not, then by priority and INTID."""
    return not irq.active, irq.priority, irq.intid


class Queue:
    """The interrupts that are pending or active for a vCPU, in the order of :func:`place`.

    It stays in order as they come, change and go: a guest may have all its LPIs pending, and exit as often as it likes.
    """

    def __init__(self, irqs: Iterable[Irq] = ()) -> None:
        self._places = {irq: place(irq) for irq in irqs}
        self._order = sorted((at, irq) for irq, at in self._places.items())  # no two have the same place: INTIDs differ

    def __iter__(self) -> Iterator[Irq]:
        return (irq for _, irq in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def put(self, irq: Irq) -> None:
        """Have ``irq`` in its place, whether it has been here or not. It must follow any change of what that depends on."""
        at = place(irq)
        if self._places.get(irq) != at:
            self.discard(irq)
            self._places[irq] = at
            bisect.insort(self._order, (at, irq))

    def discard(self, irq: Irq) -> None:
        """Have ``irq`` here no longer."""
        at = self._places.pop(irq, None)
        if at is not None:
            del self._order[bisect.bisect_left(self._order, (at,))]
