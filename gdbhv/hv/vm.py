"""A VM: memory slots, emulated devices, vCPUs, hypercalls, and the stage 2 tables that isolate it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.drives import Disks, words
from gdbhv.errors import GdbhvError, MemoryError_
from gdbhv.hv.mmio import BoardDevice, MmioDevice, Pl011, Terminal
from gdbhv.hv.stage2 import BLOCK, IPA_BITS, PAGE, Stage2, Stage2State
from gdbhv.hv.vcpu import RunState, Vcpu, VcpuState
from gdbhv.hv.vgic import Vgic, VgicState
from gdbhv.hv.vgic_mmio import INTERRUPTS
from gdbhv.snapshot.snapfile import Guest, PowerOn

if TYPE_CHECKING:
    from gdbhv._core import Machine
    from gdbhv.hv.host import Host
    from gdbhv.target import Symbols


VMID = tables.field("VTTBR_EL2.VMID")
MOST_NOTES = 256


@dataclass(frozen=True)
class Slot:
    """``size`` bytes of guest memory: IPA ``ipa`` is PA ``pa``."""

    ipa: int
    pa: int
    size: int
    writable: bool = True

    def __contains__(self, ipa: int) -> bool:
        return self.ipa <= ipa < self.ipa + self.size


Hypercall = Callable[[Vcpu], int | None]


@dataclass(eq=False, slots=True)
class VmState:
    """One virtual machine; its devices' are in :class:`gdbhv.hv.host.HostState`."""

    name: str
    cntvoff: int = 0  # CNTVOFF_EL2: the guest's counter begins at 0
    stopped: str | None = None  # why the VM ended, if it has
    # Trapped accesses that no row emulates: name, and where it was first; None: other news, which say all themselves.
    unserved: dict[str, int | None] = field(default_factory=dict)
    told: int = 0  # how many of them take_unserved has returned
    booted: str | None = None  # digest of what it was booted with, once asked for (Vm.digest)
    slots: list[Slot] = field(default_factory=list)
    stage2: Stage2State = field(default_factory=Stage2State)
    vcpus: Sequence[VcpuState] = ()
    vgic: VgicState = field(default_factory=VgicState)


class Vm(VmState):
    """One virtual machine. Made by :meth:`gdbhv.hv.host.Host.create_vm`."""

    stage2: Stage2
    vcpus: list[Vcpu]
    vgic: Vgic

    def __init__(self, host: Host, vmid: int, name: str, vcpus: int) -> None:
        super().__init__(name, cntvoff=host.machine.now // 16)
        self.host = host
        self.machine: Machine = host.machine
        self.vmid = vmid
        self.has_pan, self.has_ssbs, self.has_ras = host.has_pan, host.has_ssbs, host.has_ras
        self.devices: list[tuple[int, MmioDevice]] = []
        self._timed: list[MmioDevice] = []  # those that have a deadline, ever
        self._last: tuple[int, int, MmioDevice] | None = None  # base, size and device that were asked for last
        self.hypercalls: dict[int, Hypercall] = {}
        self.stage2 = Stage2(self.machine, host.allocate)
        self.vcpus = [Vcpu(self, len(host.vcpus) + i, i) for i in range(vcpus)]
        self.vgic = Vgic(self)
        self.image: Symbols | None = None  # what runs, for its symbols
        self._recipe: PowerOn | None = None

    def __repr__(self) -> str:
        return f"<VM {self.vmid} {self.name!r}: {len(self.vcpus)} vCPUs>"

    @property
    def vttbr(self) -> int:
        """VTTBR_EL2: the root of stage 2, tagged with the VMID."""
        return self.vmid << VMID.lsb | self.stage2.root

    # --- memory

    def add_memory(self, ipa: int, size: int, *, writable: bool = True) -> Slot:
        """Give the VM ``size`` bytes of memory at ``ipa``; stage 2 maps them when they are touched.

        :raises gdbhv.errors.GdbhvError: not whole pages, or it overlaps another slot.
        """
        if ipa % PAGE or size % PAGE or size <= 0 or (ipa + size) >> IPA_BITS:
            raise GdbhvError(f"memory slot {ipa:#x}+{size:#x}: whole 4 KiB pages below {1 << IPA_BITS:#x} are needed")
        for s in self.slots:
            if ipa < s.ipa + s.size and s.ipa < ipa + size:
                raise GdbhvError(f"memory slot {ipa:#x}+{size:#x} overlaps {s.ipa:#x}+{s.size:#x}")
        slot = Slot(ipa, self.host.allocate(size, align=BLOCK if size >= BLOCK else PAGE), size, writable)
        self.slots.append(slot)
        return slot

    def slot(self, ipa: int) -> Slot | None:
        """Return the memory slot that ``ipa`` is in."""
        for s in self.slots:
            if ipa in s:
                return s
        return None

    def pa(self, ipa: int) -> int | None:
        """Return the physical address behind ``ipa``, mapped or not yet."""
        s = self.slot(ipa)
        return None if s is None else s.pa + (ipa - s.ipa)

    def read(self, ipa: int, length: int) -> bytes:
        """Read guest memory. :raises gdbhv.errors.MemoryError_: some of it is no memory of this VM."""
        return b"".join(self.machine.read_pa(pa, n) for pa, n in self._pieces(ipa, length))

    def write(self, ipa: int, data: bytes) -> None:
        """Write guest memory. :raises gdbhv.errors.MemoryError_: some of it is no memory of this VM."""
        pieces = list(self._pieces(ipa, len(data)))
        at = 0
        for pa, n in pieces:
            self.machine.write_pa(pa, data[at : at + n])
            at += n

    def _pieces(self, ipa: int, length: int) -> list[tuple[int, int]]:
        pieces = []
        while length > 0:
            s = self.slot(ipa)
            if s is None:
                raise MemoryError_(ipa, f"no memory of {self.name} at this IPA")
            n = min(length, s.ipa + s.size - ipa)
            pieces.append((s.pa + ipa - s.ipa, n))
            ipa, length = ipa + n, length - n
        return pieces

    def map_touched(self, ipa: int) -> bool:
        """Map what a stage 2 fault at ``ipa`` needs: the 2 MiB block around it if slot and alignment allow, else the page.

        False if no slot has it.
        """
        s = self.slot(ipa)
        if s is None:
            return False
        block = ipa & -BLOCK
        fits = s.ipa <= block and block + BLOCK <= s.ipa + s.size and (s.pa - s.ipa) % BLOCK == 0
        size = BLOCK if fits and self.host.block_mappings else PAGE
        base = ipa & -size
        self.stage2.map(base, s.pa + base - s.ipa, size, write=s.writable)
        return True

    def unmap(self, ipa: int) -> bool:
        """Take the block or page around ``ipa`` out of stage 2; the next access exits, and maps it again if a slot has it.

        False if it was not mapped.
        """
        if self.stage2.unmap(ipa) is None:
            return False
        self.machine.invalidate_vm(self.vmid)
        return True

    # --- devices and hypercalls

    def add_device(self, ipa: int, device: MmioDevice, intid: int | None = None) -> MmioDevice:
        """Put an emulated device at ``ipa``; ``intid`` is its interrupt (an SPI, 32 and up).

        :raises gdbhv.errors.GdbhvError: it overlaps memory or another device, or there is no such interrupt.
        """
        if intid is not None and not 32 <= intid < INTERRUPTS:
            raise GdbhvError(f"device {device.name}: INTID {intid} is no shared interrupt: they are 32 to {INTERRUPTS - 1}")
        for base, d in self.devices:
            if ipa < base + d.size and base < ipa + device.size:
                raise GdbhvError(f"device {device.name} at {ipa:#x} overlaps {d.name} at {base:#x}")
        for s in self.slots:
            if ipa < s.ipa + s.size and s.ipa < ipa + device.size:
                raise GdbhvError(f"device {device.name} at {ipa:#x} overlaps memory at {s.ipa:#x}")
        device.vm, device.intid = self, intid
        self.devices.append((ipa, device))
        if type(device).deadline is not MmioDevice.deadline:
            self._timed.append(device)
        return device

    def device(self, ipa: int) -> tuple[MmioDevice, int] | None:
        """Return the device at ``ipa`` and the offset in it."""
        if self._last is not None:
            base, size, device = self._last
            if base <= ipa < base + size:
                return device, ipa - base
        for base, device in self.devices:
            if base <= ipa < base + device.size:
                self._last = base, device.size, device
                return device, ipa - base
        return None

    def disks(self) -> list[Disks]:
        """Return its disks: where they are plugged in, and which they are."""
        return [(d.slots, d.drives) for _, d in self.devices if isinstance(d, BoardDevice) and d.drives]

    @property
    def uart(self) -> Pl011 | None:
        """Its UART, if it has one."""
        return next((device for _, device in self.devices if isinstance(device, Pl011)), None)

    @property
    def terminal(self) -> Terminal | None:
        """What is typed on: its virtio console if it has one, else its UART."""
        consoles = (d for _, d in self.devices if isinstance(d, BoardDevice) and d.output is not None)
        return next(consoles, self.uart)

    @property
    def network(self) -> BoardDevice | None:
        """The device with its network, if it has one."""
        return next((d for _, d in self.devices if isinstance(d, BoardDevice) and d.wire is not None), None)

    def device_deadline(self) -> int | None:
        """Return when the next device has something to do of itself, in virtual nanoseconds; None: never."""
        first = None
        for device in self._timed:  # at each entry
            due = device.deadline()
            if due is not None and (first is None or due < first):
                first = due
        return first

    def device_events(self, now: int) -> None:
        """Let the devices act whose time has come."""
        for d in self._timed:
            if (t := d.deadline()) is not None and t <= now:
                d.event()

    def press_power_button(self) -> None:
        """Press the power button for 100 ms of virtual time: pin 3 of the PL061, which is KEY_POWER in the device tree.

        :raises gdbhv.errors.GdbhvError: the VM has no PL061, or has ended.
        """
        gpio = next((d for _, d in self.devices if isinstance(d, BoardDevice) and d.name == "pl061"), None)
        if gpio is None or self.stopped is not None:
            why = "it has no PL061" if gpio is None else f"it has ended ({self.stopped})"
            raise GdbhvError(f"{self.name} has no power button to press: {why}")
        gpio.press_power_button()
        self.host.scheduler.rearm(self)

    def hypercall(self, function: int) -> Callable[[Hypercall], Hypercall]:
        """Decorate a function that serves SMCCC call ``function`` (w0 of HVC or SMC #0). What it returns goes to x0."""

        def add(f: Hypercall) -> Hypercall:
            self.hypercalls[function] = f
            return f

        return add

    def note(self, what: str, pc: int | None) -> None:
        """Note for the user what is not served: each thing once, and at most :data:`MOST_NOTES` things."""
        if len(self.unserved) < MOST_NOTES:
            self.unserved.setdefault(what, pc)
        elif what not in self.unserved:
            self.unserved.setdefault("more of its requests were not served than are told", None)

    def take_unserved(self) -> list[str]:
        """Return what a user must know since the last call, each once: what the guest asked for and did not get."""
        new = list(self.unserved.items())[self.told :]
        self.told = len(self.unserved)
        said = [name if pc is None else f"{pc:#x}: {name} is not emulated: undefined to the guest" for name, pc in new]
        return said + [words(slot, why) for slots, _ in self.disks() for slot, why in slots.drive_problems()]

    def guest(self) -> Guest:
        """Return what it takes to make the VM again, and what it runs."""
        path, sha256 = (self.image.path, self.image.sha256) if self.image is not None else (None, None)
        board = [device for _, device in self.devices if isinstance(device, BoardDevice)]
        return Guest(
            self.name,
            len(self.vcpus),
            tuple((slot.ipa, slot.size, slot.writable) for slot in self.slots),
            tuple((ipa, device.name, device.intid) for ipa, device in self.devices),
            path,
            sha256,
            self.stopped,
            self.recipe,
            tuple(item for device in board for item in device.items),
            tuple(disk for _, disks in self.disks() for disk in disks),
            net=next((device.net for device in board if device.net is not None), None),
            rng=next((device.rng for device in board if device.rng is not None), None),
            virtio_console=any(device.output is not None for device in board),
        )

    # --- life

    def start(self, entry: int, x0: int = 0) -> None:
        """Make vCPU 0 ready at ``entry`` with ``x0``; what is in memory is the caller's affair (see :meth:`boot`)."""
        self.vcpus[0].reset(entry, x0)
        self.vcpus[0].state = RunState.READY

    def boot(self, pieces: Sequence[tuple[int, bytes]], entry: int, x0: int = 0) -> None:
        """Put bytes at IPAs, and start vCPU 0 at ``entry`` with ``x0``; a reset of the VM does it again.

        :raises gdbhv.errors.MemoryError_: some of it is no memory of this VM.
        """
        self.recipe = PowerOn(tuple(pieces), entry, x0)
        self._load(self.recipe)

    @property
    def recipe(self) -> PowerOn | None:
        """What the VM is switched on with; None: its memory was filled by hand."""
        return self._recipe

    @recipe.setter
    def recipe(self, recipe: PowerOn | None) -> None:
        if recipe is not self._recipe:
            self._recipe, self.booted = recipe, None

    def _load(self, recipe: PowerOn) -> None:
        for ipa, data in recipe.pieces:
            self.write(ipa, data)
        self.start(recipe.entry, recipe.x0)

    def digest(self) -> str | None:
        """Return a digest of what the VM is switched on with, so that a VM of the same name is known for another one."""
        if self._recipe is not None and self.booted is None:
            whole = hashlib.blake2b(repr((self._recipe.entry, self._recipe.x0)).encode(), digest_size=16)
            for ipa, data in self._recipe.pieces:
                whole.update(struct.pack("<QQ", ipa, len(data)))
                whole.update(data)
            self.booted = whole.hexdigest()
        return self.booted

    @property
    def resettable(self) -> bool:
        """Whether it is known how the VM begins (:meth:`boot`)."""
        return self._recipe is not None

    def power_on(self) -> None:
        """Begin again: memory is zero but for what :meth:`boot` put there, devices and vCPUs are at reset.

        The VM has ended before (:meth:`stop`). Counts of exits go on.

        :raises gdbhv.errors.GdbhvError: it was not started by :meth:`boot`.
        """
        if self._recipe is None:
            raise GdbhvError(f"{self.name} cannot begin again: its memory was filled by hand (Vm.write, not Vm.boot)")
        for slot in self.slots:
            self.machine.zero_pa(slot.pa, slot.size)
        self.stage2.clear()
        self.machine.invalidate_vm(self.vmid)
        self.cntvoff = self.machine.now // 16
        for v in self.vcpus:
            v.power_off()
        self.vgic.power_on()
        for _, device in self.devices:
            device.reset()
        self.stopped = None
        self._load(self._recipe)

    def stop(self, why: str) -> None:
        """End the VM: no vCPU of it executes again."""
        self.stopped = why
        for v in self.vcpus:
            v.state = RunState.OFF
        self.host.scheduler.retire(self)
