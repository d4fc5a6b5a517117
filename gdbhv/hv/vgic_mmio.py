"""GICD and GICR of a VM, as MMIO devices: the registers through which a guest configures its interrupts.

Arm IHI 0069, chapters 12.8 to 12.11. A register with a field for each interrupt is one row of :data:`BANKED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbhv.hv.mmio import MmioDevice
from gdbhv.hv.vgic_view import seen
from gdbhv.tables import board

if TYPE_CHECKING:
    from gdbhv.hv.irq import Irq
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vgic import Vgic

GICD_BASE = board()["gicd"]["base"]
GICR_BASE = board()["gicr"]["base"]
GICR_STRIDE = 0x20000
REGISTERS_64 = (0x0000, 0x0008, 0x0070, 0x0078)  # of GICR: CTLR with IIDR, TYPER, PROPBASER, PENDBASER
ROUTE = 0xFF_00FF_FFFF  # GICD_IROUTER: Aff3, Aff2 to Aff0; IRM is RES0 without 1 of N
INTERRUPTS = 288  # INTIDs 0 to 287, as GICD_TYPER.ITLinesNumber = 8 says


def access(
    vgic: Vgic, irqs: Callable[[int], Irq | None], offset: int, size: int, value: int | None, *, peek: bool = False
) -> int | None:
    """Read (``value`` None) or write a register that has a field for each interrupt.

    :param irqs: returns the interrupt with a number, or None where the frame has no such interrupt.
    :param peek: read without taking a vCPU out of its guest.
    :returns: the value read (0 after a write), or None if there is no such register at ``offset``.
    """
    for base, width, read, write in BANKED:
        if not base <= offset < base + 1024 * width // 8:
            continue
        first = (offset - base) * 8 // width
        result = 0
        with vgic.together():
            for k in range(size * 8 // width):
                irq = irqs(first + k)
                if irq is None:
                    continue
                if value is None and peek:
                    result |= read(seen(vgic, irq)) << (k * width)
                elif value is None:
                    with vgic.held_still(irq):
                        if irq.physical is not None and irq.owner is not None:
                            vgic.sample(vgic.vm.vcpus[irq.owner], irq.intid)
                        result |= read(irq) << (k * width)
                else:
                    bits = value >> (k * width) & ((1 << width) - 1)
                    if bits or width != 1 or base == 0x80:  # writing 0 to a bit of a set or clear register has no effect
                        with vgic.held_still(irq):
                            write(vgic, irq, bits)
                            if irq.physical is not None and irq.owner is not None:
                                vgic.sample(vgic.vm.vcpus[irq.owner], irq.intid)
                            vgic.changed(irq)
        return result
    return None


Write = Callable[["Vgic", "Irq", int], None]


def _set(name: str, to: bool) -> Write:
    """Make a write-one-to-set or write-one-to-clear register of a flag."""

    def write(_: Vgic, irq: Irq, value: int) -> None:
        if value:
            setattr(irq, name, to)

    return write


def _store(name: str, convert: Callable[[int], int | bool]) -> Write:
    def write(_: Vgic, irq: Irq, value: int) -> None:
        setattr(irq, name, convert(value))

    return write


def _trigger(_: Vgic, irq: Irq, value: int) -> None:
    """Write ICFGR: SGIs are edge-triggered, whatever is written (12.11 GICR_ICFGR0)."""
    irq.edge = irq.intid < 16 or bool(value & 2)


def _end(vgic: Vgic, irq: Irq, value: int) -> None:
    """ICACTIVER."""
    if value:
        vgic.end(irq)


# (offset, bits for each interrupt, read, write): Arm IHI 0069 12.8, 12.9. The redistributor's SGI frame has the same layout.
BANKED: list[tuple[int, int, Callable[[Irq], int], Write]] = [
    (0x0080, 1, lambda i: int(i.group1), _store("group1", bool)),
    (0x0100, 1, lambda i: int(i.enabled), _set("enabled", True)),
    (0x0180, 1, lambda i: int(i.enabled), _set("enabled", False)),
    (0x0200, 1, lambda i: int(i.pending), _set("latch", True)),
    (0x0280, 1, lambda i: int(i.pending), _set("latch", False)),
    (0x0300, 1, lambda i: int(i.active), _set("active", True)),
    (0x0380, 1, lambda i: int(i.active), _end),
    (0x0400, 8, lambda i: i.priority, _store("priority", lambda v: v & 0xF8)),
    (0x0C00, 2, lambda i: 2 * i.edge, _trigger),
]


class Distributor(MmioDevice):
    """GICD: shared interrupts, and what concerns all interrupts."""

    name = "vgic-dist"
    size = 0x10000
    state = None  # kept by the Vgic

    def __init__(self, vgic: Vgic) -> None:
        super().__init__()
        self._vgic = vgic

    def _irq(self, n: int) -> Irq | None:
        return self._vgic.shared[n - 32] if 32 <= n < INTERRUPTS else None

    def read(self, offset: int, size: int, *, peek: bool = False) -> int:
        if offset == 0x0000:  # CTLR: ARE and DS are fixed
            return self._vgic.enabled | 0x50
        if offset == 0x0004:  # TYPER: LPIs, INTIDs of 16 bits, no 1 of N (No1N)
            return (INTERRUPTS // 32 - 1) | 1 << 17 | 15 << 19 | 1 << 25
        if offset == 0x0008:  # IIDR
            return 0x43B
        if offset == 0xFFE8:  # PIDR2: GICv3
            return 0x3B
        if 0x6000 <= offset < 0x8000:
            irq = self._irq((offset - 0x6000) // 8)
            value = irq.route if irq else 0
            return value >> 32 if offset & 4 else value
        return access(self._vgic, self._irq, offset, size, None, peek=peek) or 0

    def peek(self, offset: int, size: int) -> int:
        return self.read(offset, size, peek=True)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x0000:
            self._vgic.enabled = value & 3
            for shared in self._vgic.shared:
                self._vgic.changed(shared)
            for bank in self._vgic.private:
                for private in bank:
                    self._vgic.changed(private)
            for lpi in self._vgic.lpis.irqs.values():
                self._vgic.changed(lpi)
        elif 0x6000 <= offset < 0x8000:
            irq = self._irq((offset - 0x6000) // 8)
            if irq is not None:
                with self._vgic.held_still(irq):
                    if size == 8:
                        irq.route = value
                    elif offset & 4:
                        irq.route = irq.route & 0xFFFFFFFF | value << 32
                    else:
                        irq.route = irq.route & ~0xFFFFFFFF | value
                    irq.route &= ROUTE
                    self._vgic.changed(irq)
        else:
            access(self._vgic, self._irq, offset, size, value)


@dataclass(eq=False, slots=True)
class RedistributorState:
    """The state that the :class:`~gdbhv.hv.vgic.Vgic` does not keep."""

    asleep: int = 0b110  # WAKER: ProcessorSleep, ChildrenAsleep


class Redistributor(MmioDevice):
    """GICR of one vCPU: the RD frame and the SGI frame."""

    name = "vgic-redist"
    state: RedistributorState
    size = GICR_STRIDE

    def __init__(self, vgic: Vgic, vcpu: Vcpu) -> None:
        super().__init__()
        self._vgic = vgic
        self._vcpu = vcpu
        self.reset()

    def reset(self) -> None:
        """Reset: asleep. The :class:`~gdbhv.hv.vgic.Vgic` resets the interrupts."""
        self.state = RedistributorState()

    def _irq(self, n: int) -> Irq | None:
        return self._vgic.private[self._vcpu.index][n] if n < 32 else None

    def read(self, offset: int, size: int, *, peek: bool = False) -> int:
        if offset & ~7 in REGISTERS_64:
            return self._register(offset & ~7) >> 8 * (offset & 7) & ((1 << 8 * size) - 1)
        if offset == 0x0014:
            return self.state.asleep
        if offset == 0xFFE8:
            return 0x3B
        if offset >= 0x10000:
            return access(self._vgic, self._irq, offset - 0x10000, size, None, peek=peek) or 0
        return 0

    def peek(self, offset: int, size: int) -> int:
        return self.read(offset, size, peek=True)

    def _register(self, offset: int) -> int:
        """Return a register of 64 bits, or CTLR and IIDR together."""
        lpis, vcpu = self._vgic.lpis, self._vcpu
        if offset == 0x0000:
            return lpis.enabled[vcpu.index] | 0x43B << 32
        if offset == 0x0008:  # TYPER: PLPIS, Last, Processor_Number, CommonLPIAff, affinity
            last = vcpu is self._vgic.vm.vcpus[-1]
            return 1 | last << 4 | vcpu.index << 8 | 1 << 24 | (vcpu.mpidr & 0xFFFFFF) << 32
        return lpis.propbaser if offset == 0x0070 else lpis.pendbaser[vcpu.index]

    def write(self, offset: int, size: int, value: int) -> None:
        lpis, index = self._vgic.lpis, self._vcpu.index
        if offset & ~7 in (0x0070, 0x0078) and not lpis.enabled[index]:
            shift, mask = 8 * (offset & 7), (1 << 8 * size) - 1
            value = self._register(offset & ~7) & ~(mask << shift) | (value & mask) << shift
            if offset & ~7 == 0x0070:
                lpis.propbaser = value
            else:
                lpis.pendbaser[index] = value
        elif offset == 0x0000:
            lpis.enable(self._vcpu, bool(value & 1))
        elif offset == 0x0014:
            self.state.asleep = 0b110 if value & 2 else 0
        elif offset >= 0x10000:
            access(self._vgic, self._irq, offset - 0x10000, size, value)
