"""The virtual ITS of a VM, and its LPIs: message-signalled interrupts (Arm IHI 0069, chapters 5 and 12.18).

The guest queues commands in its memory; the mappings that they make are kept here. The tables that it provides memory for
(GITS_BASERn, the ITTs) are not used, as the architecture leaves their format to the ITS. The configuration of an LPI is read
from the guest's table only when the LPI is mapped and at INV and INVALL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdbhv.errors import MemoryError_
from gdbhv.hv.irq import Irq
from gdbhv.hv.mmio import MmioDevice
from gdbhv.tables import board

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vgic import Vgic

GITS_BASE = board()["its"]["base"]
FIRST_LPI = 8192
ID_BITS = 16  # of INTIDs, DeviceIDs, EventIDs and collections
MOST_EVENTS = 1 << 16  # a guest cannot map more events than it has LPIs
# A queue holds 32,768 commands, and one may concern all LPIs. After WORK steps (a command, or an LPI visited) the rest
# continues PAUSE nanoseconds of virtual time later; the guest executes meanwhile, as on hardware.
WORK = 1 << 12
PAUSE = 100_000

CTLR, IIDR, TYPER, CBASER, CWRITER, CREADR, BASER, PIDR2, TRANSLATER = (
    *(0x00000, 0x00004, 0x00008, 0x00080, 0x00088, 0x00090, 0x00100, 0x0FFE8),
    0x10040,
)
VALID = 1 << 63
STALLED = 1
ADDRESS_4K = 0xF_FFFF_FFFF_F000
ENTRY_SIZE = 8
PAGE_64K = 2 << 8
# GITS_TYPER: physical LPIs; sizes less one of an ITT entry, EventIDs, DeviceIDs, ICIDs (CIL). Collections are mapped by
# processor number.
TYPER_VALUE = 1 | (ENTRY_SIZE - 1) << 4 | (ID_BITS - 1) << 8 | (ID_BITS - 1) << 13 | (ID_BITS - 1) << 32 | 1 << 36
# GITS_BASERn.Type: devices, collections. Entry size and type are read-only; tables are flat.
BASER_FIXED = [(1 << 56) | (ENTRY_SIZE - 1) << 48, (4 << 56) | (ENTRY_SIZE - 1) << 48]
BASER_WRITABLE = VALID | 7 << 59 | 7 << 53 | 0xFFFF_FFFF_FCFF  # not Indirect, not Page_Size


class Command:
    """One command, with the fields that several commands have at the same place."""

    def __init__(self, *words: int) -> None:
        self.words = words
        self.device = words[0] >> 32
        self.event = words[1] & 0xFFFFFFFF
        self.collection = words[2] & 0xFFFF
        self.target = words[2] >> 16 & 0x7_FFFF_FFFF
        self.valid = bool(words[2] & VALID)


@dataclass
class Event:
    """The mapping of one event of a device (MAPTI)."""

    lpi: int  # INTID
    collection: int


@dataclass
class Device:
    """The mapping of a device (MAPD): the number of EventID bits, and its events by EventID."""

    bits: int
    events: dict[int, Event]


@dataclass(eq=False, slots=True)
class LpiState:
    """The LPIs of a VM, the configuration table, and whether each Redistributor has them enabled."""

    irqs: dict[int, Irq] = field(default_factory=dict)  # by INTID
    propbaser: int = 0  # one table for all Redistributors
    pendbaser: list[int] = field(default_factory=list)  # by vCPU
    enabled: list[bool] = field(default_factory=list)  # by vCPU


class Lpis(LpiState):
    """The LPIs of a VM."""

    def __init__(self, vgic: Vgic) -> None:
        vcpus = len(vgic.vm.vcpus)
        super().__init__(pendbaser=[0] * vcpus, enabled=[False] * vcpus)
        self._vgic = vgic

    def configure(self, irq: Irq) -> None:
        """Read priority and enable of ``irq`` from the table (IHI 0069 5.1.1)."""
        vm = self._vgic.vm
        try:
            byte = vm.read((self.propbaser & ADDRESS_4K) + irq.intid - FIRST_LPI, 1)[0]
        except MemoryError_:
            byte = 0
        irq.priority, irq.enabled = byte & 0xF8, bool(byte & 1)

    def configure_all(self, irqs: Collection[Irq]) -> None:
        """Read priority and enable of all of ``irqs``, which is cheap where they are unchanged. Call it inside
        ``together()``."""
        try:
            table = self._vgic.vm.read(self.propbaser & ADDRESS_4K, (1 << ID_BITS) - FIRST_LPI)
        except MemoryError_:
            table = b""  # the table may extend beyond the memory
        for irq in irqs:
            at = irq.intid - FIRST_LPI
            if at >= len(table) or (irq.priority, irq.enabled) != (table[at] & 0xF8, bool(table[at] & 1)):
                self._vgic.take_out(irq)
                self.configure(irq)
                self._vgic.changed(irq)

    def exists(self, intid: int) -> bool:
        """Whether the configuration table has ``intid``."""
        return FIRST_LPI <= intid < 1 << min((self.propbaser & 0x1F) + 1, ID_BITS)

    def enable(self, vcpu: Vcpu, enabled: bool) -> None:
        """Set GICR_CTLR.EnableLPIs; the pending table gives the LPIs that are pending initially."""
        if enabled == self.enabled[vcpu.index]:
            return
        self.enabled[vcpu.index] = enabled
        if enabled and not self.pendbaser[vcpu.index] >> 62 & 1:  # PTZ: the table is zero
            self._read_pending(vcpu)
        with self._vgic.together():
            for irq in self.of(vcpu.index):
                self._vgic.take_out(irq)
                self._vgic.changed(irq)

    def of(self, index: int) -> list[Irq]:
        """Return the LPIs of a vCPU's Redistributor."""
        return [irq for irq in self.irqs.values() if irq.home == index]

    def _read_pending(self, vcpu: Vcpu) -> None:
        """Make the LPIs pending that the table of a Redistributor has set, mapped or not (IHI 0069 5.1.2): a bit for each
        INTID."""
        table, last = self.pendbaser[vcpu.index] & 0xF_FFFF_FFFF_0000, 1 << min((self.propbaser & 0x1F) + 1, ID_BITS)
        try:
            bits = self._vgic.vm.read(table + FIRST_LPI // 8, (last - FIRST_LPI) // 8) if last > FIRST_LPI else b""
        except MemoryError_:
            return
        for at, byte in enumerate(bits):
            for intid in [FIRST_LPI + 8 * at + n for n in range(8) if byte >> n & 1]:
                irq = self.irqs.get(intid)
                if irq is None:
                    irq = self.irqs[intid] = self._vgic.lpi(intid)
                    self.configure(irq)
                if irq.home is None or irq.home == vcpu.index:
                    irq.home, irq.latch = vcpu.index, True


@dataclass(eq=False, slots=True)
class ItsState:
    """The registers of an ITS, and the mappings made by its commands."""

    enabled: bool = False
    cbaser: int = 0
    cwriter: int = 0
    creadr: int = 0
    baser: list[int] = field(default_factory=lambda: [PAGE_64K, PAGE_64K])
    devices: dict[int, Device] = field(default_factory=dict)  # by DeviceID
    collections: dict[int, int] = field(default_factory=dict)  # ICID: vCPU
    mapped: int = 0  # events of all devices
    due: int | None = None  # when it continues with the queue, in virtual nanoseconds; None if the queue is empty


class Its(MmioDevice):
    """GITS: the control frame and the frame of GITS_TRANSLATER."""

    name = "vgic-its"
    state: ItsState
    size = 0x20000

    def __init__(self, vgic: Vgic) -> None:
        super().__init__()
        self._vgic = vgic
        self._work = 0  # steps done since it last continued with the queue
        self.reset()

    def reset(self) -> None:
        """Reset: disabled, without tables."""
        self.state = ItsState()

    @property
    def _lpis(self) -> Lpis:
        return self._vgic.lpis

    def document(self) -> dict[str, Any]:
        """Return the state in the form of the ITS in ``_core.Machine.gic``, without counts."""
        s = self.state
        return {
            "enabled": s.enabled,
            "cbaser": s.cbaser,
            "cwriter": s.cwriter,
            "creadr": s.creadr & ~STALLED,
            "stalled": bool(s.creadr & STALLED),
            "devices": [
                {
                    "id": n,
                    "itt": None,
                    "bits": d.bits,
                    "events": [(e, v.lpi, v.collection) for e, v in sorted(d.events.items())],
                }
                for n, d in sorted(s.devices.items())
            ],
            "collections": sorted(s.collections.items()),
        }

    # --- registers

    def _register(self, offset: int) -> int:
        if BASER <= offset < BASER + 8 * 8:
            n = (offset - BASER) // 8
            return self.state.baser[n] | BASER_FIXED[n] if n < len(self.state.baser) else 0
        return {
            CTLR: int(self.state.enabled) | 1 << 31 | 0x43B << 32,  # Quiescent; IIDR
            TYPER: TYPER_VALUE,
            CBASER: self.state.cbaser,
            CWRITER: self.state.cwriter,
            CREADR: self.state.creadr,
            PIDR2: 0x3B,
        }.get(offset, 0)

    def read(self, offset: int, size: int) -> int:
        return self._register(offset & ~7) >> 8 * (offset & 7)

    peek = read

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == TRANSLATER:
            self.translate(0, value & 0xFFFFFFFF)  # a CPU has no DeviceID of its own
            return
        at = offset & ~7
        if size < 8:
            shift, mask = 8 * (offset & 7), (1 << 8 * size) - 1
            value = self._register(at) & ~(mask << shift) | (value & mask) << shift
        if at == CTLR:
            self.state.enabled = bool(value & 1)
            self.state.due = self.state.due if self.state.enabled else None
        elif at == CBASER and not self.state.enabled:
            self.state.cbaser, self.state.creadr = value & (VALID | ADDRESS_4K | 0x7F << 53 | 0xCFF), 0
        elif at == CWRITER:
            self.state.cwriter = value & 0xFFFE0
        elif BASER <= at < BASER + 8 * len(self.state.baser) and not self.state.enabled:
            n = (at - BASER) // 8
            self.state.baser[n] = value & BASER_WRITABLE | PAGE_64K
        if self.state.enabled and self.state.cbaser & VALID and self.state.due is None:
            self._run()

    def deadline(self) -> int | None:
        return self.state.due

    def event(self) -> None:
        self.state.due = None
        self._run()

    # --- commands

    def _run(self) -> None:
        """Carry out the queue up to GITS_CWRITER (IHI 0069 5.3.2), or :data:`WORK` of it.

        A wrong command is skipped, and reported to the user.
        """
        with self._vgic.together():
            self._run_some()

    def _run_some(self) -> None:
        base, size = self.state.cbaser & ADDRESS_4K, ((self.state.cbaser & 0xFF) + 1) * 4096
        if self.state.cwriter >= size or self.state.creadr & STALLED:
            return
        self._work = 0
        while self.state.creadr != self.state.cwriter:
            if self._work >= WORK:
                self.state.due = self._vgic.machine.now + PAUSE
                return
            self._work += 1
            at = base + self.state.creadr
            try:
                words = struct.unpack("<4Q", self._vgic.vm.read(at, 32))
            except MemoryError_:
                self.state.creadr |= STALLED
                return
            self.state.creadr = (self.state.creadr + 32) % size
            name, carry_out = COMMANDS.get(words[0] & 0xFF, (f"{words[0] & 0xFF:#x}", None))
            if carry_out is None or not carry_out(self, Command(*words)):
                why = "there is no such command" if carry_out is None else "it names what is not mapped, or is out of range"
                self._vgic.vm.note(f"ITS command {name} at IPA {at:#x} is ignored: {why}", None)

    def _change(self, irq: Irq, **values: int | None) -> None:
        self._vgic.take_out(irq)
        for name, value in values.items():
            setattr(irq, name, value)
        self._vgic.changed(irq)

    def _configure(self, irq: Irq) -> None:
        self._vgic.take_out(irq)
        self._lpis.configure(irq)
        self._vgic.changed(irq)

    def _mapped(self, device: int, event: int) -> Event | None:
        known = self.state.devices.get(device)
        return None if known is None else known.events.get(event)

    def _event(self, c: Command) -> Event | None:
        return self._mapped(c.device, c.event)

    def translate(self, device: int, event: int) -> bool:
        """Make the LPI of a device's message pending. False if the event is not mapped; the message is lost then."""
        found = self._mapped(device, event)
        home = None if found is None else self.state.collections.get(found.collection)
        if not self.state.enabled or found is None or home is None:
            return False
        with self._vgic.together():
            self._change(self._lpis.irqs[found.lpi], home=home, latch=True)
        return True

    def _mapd(self, c: Command) -> bool:
        bits = (c.words[1] & 0x1F) + 1
        if c.device >> ID_BITS or bits > ID_BITS:
            return False
        old = self.state.devices.pop(c.device, None)
        if old is not None:
            self.state.mapped -= len(old.events)
            self._work += len(old.events)
            for event in old.events.values():
                self._change(self._lpis.irqs[event.lpi], latch=False)
        if c.valid:
            self.state.devices[c.device] = Device(bits, {})
        return True

    def _mapc(self, c: Command) -> bool:
        if c.target >= len(self._vgic.vm.vcpus):
            return False
        self.state.collections.pop(c.collection, None)
        if c.valid:
            self.state.collections[c.collection] = c.target
        return True

    def _map(self, c: Command, intid: int) -> bool:
        device = self.state.devices.get(c.device)
        if device is None or c.event >> device.bits or not self._lpis.exists(intid):
            return False
        if c.event not in device.events:
            if self.state.mapped >= MOST_EVENTS:
                return False
            self.state.mapped += 1
        irq = self._lpis.irqs.setdefault(intid, self._vgic.lpi(intid))
        device.events[c.event] = Event(intid, c.collection)
        if irq.home is None:
            irq.home = self.state.collections.get(c.collection)
        self._configure(irq)
        return True

    def _mapti(self, c: Command) -> bool:
        return self._map(c, c.words[1] >> 32)

    def _mapi(self, c: Command) -> bool:
        return self._map(c, c.event)

    def _movi(self, c: Command) -> bool:
        event, to = self._event(c), self.state.collections.get(c.collection)
        if event is None or to is None:
            return False
        event.collection = c.collection
        self._change(self._lpis.irqs[event.lpi], home=to)
        return True

    def _movall(self, c: Command) -> bool:
        to = c.words[3] >> 16 & 0x7_FFFF_FFFF
        if max(c.target, to) >= len(self._vgic.vm.vcpus):
            return False
        self._work += len(self._lpis.irqs)
        for irq in self._lpis.of(c.target):
            self._change(irq, home=to)
        return True

    def _int(self, c: Command) -> bool:
        return self.translate(c.device, c.event)

    def _clear(self, c: Command) -> bool:
        event = self._event(c)
        if event is not None:
            self._change(self._lpis.irqs[event.lpi], latch=False)
        return event is not None

    def _discard(self, c: Command) -> bool:
        known = self._clear(c)
        if known:
            del self.state.devices[c.device].events[c.event]
            self.state.mapped -= 1
        return known

    def _inv(self, c: Command) -> bool:
        event = self._event(c)
        if event is not None:
            self._configure(self._lpis.irqs[event.lpi])
        return event is not None

    def _invall(self, c: Command) -> bool:
        of = self.state.collections.get(c.collection)
        if of is not None:
            self._work += len(self._lpis.irqs)
            self._lpis.configure_all(self._lpis.of(of))
        return of is not None

    def _sync(self, _: Command) -> bool:
        return True  # nothing to do: commands complete in order


# IHI 0069 5.3: number, name, what it does (False: an error of the guest)
COMMANDS: dict[int, tuple[str, Callable[[Its, Command], bool]]] = {
    0x01: ("MOVI", Its._movi),
    0x03: ("INT", Its._int),
    0x04: ("CLEAR", Its._clear),
    0x05: ("SYNC", Its._sync),
    0x08: ("MAPD", Its._mapd),
    0x09: ("MAPC", Its._mapc),
    0x0A: ("MAPTI", Its._mapti),
    0x0B: ("MAPI", Its._mapi),
    0x0C: ("INV", Its._inv),
    0x0D: ("INVALL", Its._invall),
    0x0E: ("MOVALL", Its._movall),
    0x0F: ("DISCARD", Its._discard),
}
