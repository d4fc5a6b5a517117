"""The virtual GICv3 of a VM, as KVM makes it: the distributor and the redistributors are emulated by MMIO exits;
the CPU interface is
the hardware's own, fed through the list registers (ICH_LR<n>_EL2, Arm IHI 0069 chapters 6 and 12.4).

Each interrupt is one :class:`Irq`. :meth:`Vgic.flush` puts what is pending into list registers before a vCPU enters;
:meth:`Vgic.sync` takes back what the guest did with them after it has left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv.hv.mmio import MmioDevice
from gdbhv.tables import encode, encoding

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vm import Vm

GICD_BASE = 0x08000000
GICR_BASE = 0x080A0000
GICR_STRIDE = 0x20000
INTERRUPTS = 288  # INTIDs 0 to 287, as GICD_TYPER.ITLinesNumber = 8 says
LIST_REGISTERS = 4

# ICH_LR<n>_EL2 (Arm IHI 0069 12.4.6)
LR_PENDING, LR_ACTIVE, LR_HW, LR_GROUP1 = 1 << 62, 1 << 63, 1 << 61, 1 << 60


@dataclass(eq=False)
class Irq:
    """The state of one interrupt. Private ones (INTID below 32) belong to one vCPU, shared ones to the VM."""

    intid: int
    owner: Vcpu | None = None  # private: whose
    enabled: bool = False
    latch: bool = False  # pending by an edge, an SGI, or a write
    level: bool = False  # the line
    active: bool = False
    edge: bool = False
    group1: bool = True
    priority: int = 0
    route: int = 0  # GICD_IROUTER
    physical: int | None = None  # the physical INTID that the guest's deactivation ends (ICH_LR.HW)
    lr: tuple[Vcpu, int] | None = field(default=None, repr=False)  # where it is

    @property
    def pending(self) -> bool:
        """Pending by latch or by the line."""
        return self.latch or (self.level and not self.edge)


class Vgic:
    """The interrupt controller of one VM."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.machine = vm.machine
        self.enabled = 0  # GICD_CTLR's enable bits
        self.shared = [Irq(n) for n in range(32, INTERRUPTS)]
        self.private = [[Irq(n, v, edge=n < 16) for n in range(32)] for v in vm.vcpus]
        # Interrupts that are pending and enabled but in no list register, by vCPU.
        self.waiting: list[set[Irq]] = [set() for _ in vm.vcpus]
        self.used: list[list[Irq | None]] = [[None] * LIST_REGISTERS for _ in vm.vcpus]
        self.lr_encodings = [encoding(f"ICH_LR{n}_EL2") for n in range(LIST_REGISTERS)]
        self._underflow = encode("ICH_HCR_EL2", En=1, UIE=1)
        self._on = encode("ICH_HCR_EL2", En=1)
        vm.add_device(GICD_BASE, Distributor(self))
        for v in vm.vcpus:
            vm.add_device(GICR_BASE + v.index * GICR_STRIDE, Redistributor(self, v))

    def irq(self, intid: int, vcpu: Vcpu) -> Irq:
        """Return interrupt ``intid`` as ``vcpu`` sees it."""
        return self.private[vcpu.index][intid] if intid < 32 else self.shared[intid - 32]

    # --- from devices, timers and other vCPUs

    def set_spi(self, intid: int, level: bool) -> None:
        """Set the line of a shared interrupt."""
        irq = self.shared[intid - 32]
        if irq.edge and level and not irq.level:
            irq.latch = True
        irq.level = level
        self.changed(irq)

    def pend(self, vcpu: Vcpu, intid: int, *, physical: int | None = None) -> None:
        """Latch an interrupt for ``vcpu``."""
        irq = self.irq(intid, vcpu)
        irq.latch = True
        irq.physical = physical
        self.changed(irq)

    def send_sgi(self, vcpu: Vcpu, value: int) -> None:
        """ICC_SGI1R_EL1 written by ``vcpu`` (Arm IHI 0069 12.2.20)."""
        intid = value >> 24 & 15
        if value >> 40 & 1:  # IRM: all but self
            targets = [v for v in self.vm.vcpus if v is not vcpu]
        else:
            aff = (value >> 48 & 0xFF) << 32 | (value >> 32 & 0xFF) << 16 | (value >> 16 & 0xFF) << 8
            first = (value >> 44 & 15) * 16
            mask = value & 0xFFFF
            targets = [
                v
                for v in self.vm.vcpus
                if v.mpidr & 0xFF_00FF_FF00 == aff
                and first <= (v.mpidr & 0xFF) < first + 16
                and mask >> ((v.mpidr & 0xFF) - first) & 1
            ]
        for v in targets:
            self.pend(v, intid)

    def target(self, irq: Irq) -> Vcpu | None:
        """Return the vCPU that ``irq`` goes to (1-of-N: the first that is there)."""
        if irq.owner is not None:
            return irq.owner
        if irq.route >> 31 & 1:
            return self.vm.vcpus[0]
        for v in self.vm.vcpus:
            if v.mpidr & 0xFF_00FF_FFFF == irq.route & 0xFF_00FF_FFFF:
                return v
        return None

    def changed(self, irq: Irq) -> None:
        """Look at ``irq`` again after any change: does some vCPU have to hear of it?"""
        vcpu = self.target(irq)
        if vcpu is None or irq.lr is not None:
            return
        on = self.enabled >> irq.group1 & 1
        if irq.pending and irq.enabled and on and not irq.active:
            self.waiting[vcpu.index].add(irq)
            self.vm.host.scheduler.kick(vcpu)
        else:
            self.waiting[vcpu.index].discard(irq)

    def has_pending(self, vcpu: Vcpu) -> bool:
        """Whether an interrupt is waiting for ``vcpu``, in a list register or not."""
        if self.waiting[vcpu.index]:
            return True
        return any(i is not None and i.pending for i in self.used[vcpu.index])

    # --- list registers

    def flush(self, vcpu: Vcpu) -> None:
        """Put waiting interrupts into the free list registers of the CPU that ``vcpu`` is loaded on, most urgent first."""
        waiting = self.waiting[vcpu.index]
        if not waiting:
            return
        assert vcpu.cpu is not None
        used = self.used[vcpu.index]
        for irq in sorted(waiting, key=lambda i: (i.priority, i.intid)):
            if None not in used:
                break
            n = used.index(None)
            value = LR_PENDING | irq.priority << 48 | irq.intid
            value |= LR_GROUP1 if irq.group1 else 0
            value |= (LR_HW | irq.physical << 32) if irq.physical is not None else 0
            self.machine.msr(vcpu.cpu, self.lr_encodings[n], value)
            used[n] = irq
            irq.lr = (vcpu, n)
            irq.latch = False
            waiting.discard(irq)
        # More than fit: come back when at most one is left (ICH_HCR_EL2.UIE).
        self.machine.msr(vcpu.cpu, "ICH_HCR_EL2", self._underflow if waiting else self._on)

    def sync(self, vcpu: Vcpu) -> None:
        """Take back what the guest did: acknowledged interrupts are active, finished ones free their list register."""
        used = self.used[vcpu.index]
        if not any(used):
            return
        assert vcpu.cpu is not None
        for n, irq in enumerate(used):
            if irq is None:
                continue
            value = self.machine.mrs(vcpu.cpu, self.lr_encodings[n])
            irq.active = bool(value & LR_ACTIVE)
            if value & (LR_ACTIVE | LR_PENDING):
                continue
            used[n] = None
            irq.lr = None
            irq.physical = None
            self.changed(irq)

    def unload(self, vcpu: Vcpu) -> None:
        """Empty the list registers: ``vcpu`` leaves its CPU."""
        self.sync(vcpu)
        assert vcpu.cpu is not None
        used = self.used[vcpu.index]
        for n, irq in enumerate(used):
            if irq is not None:
                value = self.machine.mrs(vcpu.cpu, self.lr_encodings[n])
                irq.latch = irq.latch or bool(value & LR_PENDING)
                self.machine.msr(vcpu.cpu, self.lr_encodings[n], 0)
                used[n] = None
                irq.lr = None
                self.changed(irq)

    # --- banked registers, common to distributor and redistributor

    def access(self, irqs: Callable[[int], Irq | None], offset: int, size: int, value: int | None) -> int | None:
        """Read (``value`` None) or write a register that has a field for each interrupt.

        :param irqs: returns the interrupt with a number, or None where the frame has none.
        :returns: what is read (0 after a write), or None if no such register is at ``offset``.
        """
        for base, width, read, write in BANKED:
            count = 1024 * width // 8
            if not base <= offset < base + count:
                continue
            first = (offset - base) * 8 // width
            result = 0
            for k in range(size * 8 // width):
                irq = irqs(first + k)
                if irq is None:
                    continue
                if value is None:
                    result |= read(irq) << (k * width)
                else:
                    write(irq, value >> (k * width) & ((1 << width) - 1))
                    self.changed(irq)
            return result
        return None


def _set(name: str, to: bool) -> Callable[[Irq, int], None]:
    """A write-one-to-set or write-one-to-clear register of a flag."""

    def write(irq: Irq, value: int) -> None:
        if value:
            setattr(irq, name, to)

    return write


def _store(name: str, convert: Callable[[int], int | bool]) -> Callable[[Irq, int], None]:
    def write(irq: Irq, value: int) -> None:
        setattr(irq, name, convert(value))

    return write


# (offset, bits for each interrupt, read, write): Arm IHI 0069 12.8, 12.9. The redistributor's SGI frame has the same layout.
BANKED: list[tuple[int, int, Callable[[Irq], int], Callable[[Irq, int], None]]] = [
    (0x0080, 1, lambda i: int(i.group1), _store("group1", bool)),
    (0x0100, 1, lambda i: int(i.enabled), _set("enabled", True)),
    (0x0180, 1, lambda i: int(i.enabled), _set("enabled", False)),
    (0x0200, 1, lambda i: int(i.pending), _set("latch", True)),
    (0x0280, 1, lambda i: int(i.pending), _set("latch", False)),
    (0x0300, 1, lambda i: int(i.active), _set("active", True)),
    (0x0380, 1, lambda i: int(i.active), _set("active", False)),
    (0x0400, 8, lambda i: i.priority, _store("priority", lambda v: v & 0xF8)),
    (0x0C00, 2, lambda i: 2 * i.edge, _store("edge", lambda v: bool(v & 2))),
]


class Distributor(MmioDevice):
    """GICD: shared interrupts and what concerns all."""

    name = "vgic-dist"
    size = 0x10000

    def __init__(self, vgic: Vgic) -> None:
        super().__init__()
        self._vgic = vgic

    def _irq(self, n: int) -> Irq | None:
        return self._vgic.shared[n - 32] if 32 <= n < INTERRUPTS else None

    def read(self, offset: int, size: int) -> int:
        if offset == 0x0000:  # CTLR: ARE and DS are fixed
            return self._vgic.enabled | 0x50
        if offset == 0x0004:  # TYPER: 10 bits of INTID, no LPIs
            return (INTERRUPTS // 32 - 1) | 9 << 19
        if offset == 0x0008:  # IIDR
            return 0x43B
        if offset == 0xFFE8:  # PIDR2: GICv3
            return 0x3B
        if 0x6000 <= offset < 0x8000:
            irq = self._irq((offset - 0x6000) // 8)
            value = irq.route if irq else 0
            return value >> 32 if offset & 4 else value
        return self._vgic.access(self._irq, offset, size, None) or 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x0000:
            self._vgic.enabled = value & 3
            for shared in self._vgic.shared:
                self._vgic.changed(shared)
            for bank in self._vgic.private:
                for private in bank:
                    self._vgic.changed(private)
        elif 0x6000 <= offset < 0x8000:
            irq = self._irq((offset - 0x6000) // 8)
            if irq is not None:
                if size == 8:
                    irq.route = value
                elif offset & 4:
                    irq.route = irq.route & 0xFFFFFFFF | value << 32
                else:
                    irq.route = irq.route & ~0xFFFFFFFF | value
                self._vgic.changed(irq)
        else:
            self._vgic.access(self._irq, offset, size, value)


class Redistributor(MmioDevice):
    """GICR of one vCPU: the RD frame and the SGI frame."""

    name = "vgic-redist"
    size = GICR_STRIDE

    def __init__(self, vgic: Vgic, vcpu: Vcpu) -> None:
        super().__init__()
        self._vgic = vgic
        self._vcpu = vcpu
        self._asleep = 0b110  # WAKER: ProcessorSleep, ChildrenAsleep

    def _irq(self, n: int) -> Irq | None:
        return self._vgic.private[self._vcpu.index][n] if n < 32 else None

    def read(self, offset: int, size: int) -> int:
        if offset == 0x0004:  # IIDR
            return 0x43B
        if offset in (0x0008, 0x000C):  # TYPER
            last = self._vcpu is self._vgic.vm.vcpus[-1]
            value = (self._vcpu.mpidr & 0xFFFFFF) << 32 | self._vcpu.index << 8 | last << 4
            return value >> 32 if offset == 0x000C else value & ((1 << 8 * size) - 1)
        if offset == 0x0014:
            return self._asleep
        if offset == 0xFFE8:
            return 0x3B
        if offset >= 0x10000:
            return self._vgic.access(self._irq, offset - 0x10000, size, None) or 0
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x0014:
            self._asleep = 0b110 if value & 2 else 0
        elif offset >= 0x10000:
            self._vgic.access(self._irq, offset - 0x10000, size, value)
