"""The host: creates VMs on a machine, runs them and handles their exits. (:mod:`gdbhv.hv.hosttarget` is the debugger's
view.)

host = Host(cpus=2, memory=1 << 30)
vm = host.create_vm("guest", vcpus=2)
vm.add_memory(0x40000000, 512 << 20)
...
vm.start(entry, x0)
print(host.run_to_end())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv import _core, dropped, tables
from gdbhv.errors import GdbhvError
from gdbhv.hv import exits, pmu, saving
from gdbhv.hv.saving import DeviceState
from gdbhv.hv.sched import KICK_SGI, Scheduler, SchedulerState
from gdbhv.hv.stage2 import PAGE
from gdbhv.hv.vcpu import TFP, Vcpu
from gdbhv.hv.vgic import PASSED
from gdbhv.hv.vgic_mmio import GICD_BASE, GICR_BASE, GICR_STRIDE
from gdbhv.hv.vm import Vm, VmState
from gdbhv.snapshot.snapfile import Shape
from gdbhv.tables import encode, register

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

MAX_VCPUS = 16  # affinity 0 of one cluster
PPI_HTIMER, PPI_MAINTENANCE = 26, 25

# What KVM sets for a guest (nVHE; Arm ARM D24.2.49 HCR_EL2).
TRAPS = {
    "HCR_EL2": "VM SWIO PTW FMO IMO AMO FB TWI TWE TID3 TSC TIDCP TACR TSW RW".split(),
    "MDCR_EL2": "TPM TPMCR HPMD TDA TDOSA TDRA".split(),
    "CPTR_EL2": ["TTA"],
}
BSU_INNER = 1


def trap_bits(name: str) -> int:
    """Return the bits of :data:`TRAPS` for register ``name``; those of features that the machine lacks do not exist."""
    known = {f.name for f in register(name).fields}
    return encode(name, **{f: 1 for f in TRAPS[name] if f in known})


@dataclass(eq=False, slots=True)
class HostState:
    """The state of a machine's hypervisor. ``Host.save`` returns one, which can be stored as bytes."""

    profile: str  # of the CPUs
    memory: int  # bytes of RAM
    block_mappings: bool
    free: int = 0  # PA of the first byte of the hypervisor's own memory that is not in use
    guests: int = 0  # the same of the memory for guests
    handling: int | None = None  # the CPU whose exit is handled next, or is being handled
    scheduler: SchedulerState = field(default_factory=SchedulerState)
    vms: Sequence[VmState] = ()
    device_states: list[DeviceState] = field(default_factory=list)  # of all VMs; only in saved state

    def to_bytes(self) -> bytes:
        """Return the state as bytes. :raises gdbhv.errors.StateError: it has a value that is not plain."""
        return saving.to_bytes(self)

    @staticmethod
    def from_bytes(data: bytes) -> HostState:
        """Return the state that :meth:`to_bytes` encoded.

        :raises gdbhv.errors.StateError: the bytes are damaged, of another version of gdbhv, or something else.
        """
        return saving.from_bytes(HostState, data)


class Host(HostState):
    """A hypervisor on a machine of its own.

    :param cpus: physical CPUs, 1 to 8.
    :param memory: bytes of memory for guests; the hypervisor adds what it needs for itself.
    :param cpu: profile of the CPUs, "max" or "cortex-a57".
    :param block_mappings: map guest memory in 2 MiB blocks where possible (else in 4 KiB pages only).
    """

    OWN_MEMORY = 64 << 20

    scheduler: Scheduler
    vms: list[Vm]

    def __init__(
        self,
        *,
        cpus: int = 1,
        memory: int = 1 << 30,
        cpu: str = "max",
        ns_per_insn: int = 1,
        block_mappings: bool = True,
    ) -> None:
        whole = memory + self.OWN_MEMORY
        self.shape = Shape(True, cpus, memory, cpu, ns_per_insn=ns_per_insn, block_mappings=block_mappings)
        super().__init__(cpu, whole, block_mappings)
        dropped.make_room()
        self.machine = _core.Machine(cpus=cpus, memory=whole, cpu=cpu, hosted=True, ns_per_insn=ns_per_insn)
        self.registers = tables.registers(cpu)
        base, size = self.machine.ram
        self.free, self._own_end, self._end = base, base + self.OWN_MEMORY, base + size
        self.guests = self._own_end
        self.has_ssbs, self.has_pan, self.has_ras = (
            tables.field(f"{name}.{feature}").of(self.machine.read_register(0, name)) != 0
            for name, feature in (("ID_AA64PFR1_EL1", "SSBS"), ("ID_AA64MMFR1_EL1", "PAN"), ("ID_AA64PFR0_EL1", "RAS"))
        )
        self.handlers: dict[str, exits.Handler] = dict(exits.HANDLERS)
        self.vms = []
        self.vcpus: list[Vcpu] = []  # of all VMs, by number
        self.scheduler = Scheduler(self)
        self.on_exit: list[Callable[[Vcpu, ExitRecord], None]] = []
        self.hcr = encode("HCR_EL2", BSU=BSU_INNER) | trap_bits("HCR_EL2")  # of a vCPU that no debugger has changed
        self.cptr = trap_bits("CPTR_EL2") | 0x33FF & ~0x400 | TFP  # RES1 bits of E2H = 0
        for i in range(cpus):
            self._prepare(i)

    # --- setting up

    def _prepare(self, cpu: int) -> None:
        """Set the registers that a hypervisor sets once on each CPU."""
        m = self.machine
        m.msr(cpu, "HCR_EL2", self.hcr)
        # 40 bits of IPA from level 1 (SL0 = 1), 4 KiB, write-back tables, 48 bits of PA
        m.msr(cpu, "VTCR_EL2", encode("VTCR_EL2", T0SZ=24, SL0=1, IRGN0=1, ORGN0=1, SH0=3, PS=5, RES1=1))
        m.msr(cpu, "MDCR_EL2", trap_bits("MDCR_EL2") | encode("MDCR_EL2", HPMN=pmu.COUNTERS))  # all counters are the guest's
        m.msr(cpu, "CPTR_EL2", self.cptr)
        m.msr(cpu, "HSTR_EL2", encode("HSTR_EL2", T15=1))
        m.msr(cpu, "CNTHCTL_EL2", encode("CNTHCTL_EL2", EL1PCTEN=1))
        m.msr(cpu, "VPIDR_EL2", m.mrs(cpu, "MIDR_EL1"))
        m.msr(cpu, "ICC_SRE_EL2", encode("ICC_SRE_EL2", SRE=1, DFB=1, DIB=1, Enable=1))
        # The physical interrupt controller: timers, maintenance and kicks for the hypervisor; EOI drops priority only.
        m.bus_write(cpu, GICD_BASE, 4, 0x12)  # CTLR: ARE, group 1
        redist = GICR_BASE + cpu * GICR_STRIDE
        m.bus_write(cpu, redist + 0x14, 4, 0)  # WAKER: awake
        mine = sum(1 << n for n in (*PASSED, PPI_HTIMER, PPI_MAINTENANCE, KICK_SGI))
        m.bus_write(cpu, redist + 0x10080, 4, mine)  # IGROUPR0: group 1
        m.bus_write(cpu, redist + 0x10100, 4, mine)  # ISENABLER0
        m.msr(cpu, "ICC_PMR_EL1", 0xFF)
        m.msr(cpu, "ICC_CTLR_EL1", encode("ICC_CTLR_EL1", EOImode=1))
        m.msr(cpu, "ICC_IGRPEN1_EL1", 1)
        m.msr(cpu, "ICH_HCR_EL2", 1)
        m.set_power(cpu, "idle")

    def allocate(self, size: int, align: int | None = None) -> int:
        """Return the physical address of ``size`` zeroed bytes, aligned to ``align`` (default: to the size).

        Tables and whatever is smaller than a guest's memory come from the hypervisor's own part of RAM.

        :raises gdbhv.errors.GdbhvError: the machine has no memory left.
        """
        align = align or size
        own = align == size and size <= 16 * PAGE
        start = -(-(self.free if own else self.guests) // align) * align
        end = self._own_end if own else self._end
        if start + size > end:
            raise GdbhvError(f"{size:#x} bytes are not left in the machine's memory: give it more (memory=)")
        if own:
            self.free = start + size
        else:
            self.guests = start + size
        return start

    def create_vm(self, name: str | None = None, *, vcpus: int = 1) -> Vm:
        """Make a VM with ``vcpus`` vCPUs and no memory yet.

        :raises gdbhv.errors.GdbhvError: more vCPUs than the interrupt controller's map has room for, or no VMID is left.
        """
        vmid = len(self.vms) + 1
        if vmid > 255:
            raise GdbhvError("no VMID is left: VMIDs have 8 bits, and 0 is the host's")
        if not 1 <= vcpus <= MAX_VCPUS:
            raise GdbhvError(f"{vcpus} vCPUs: a VM has 1 to {MAX_VCPUS}")
        vm = Vm(self, vmid, name or f"vm{vmid}", vcpus)
        self.vms.append(vm)
        self.vcpus += vm.vcpus
        for v in vm.vcpus:
            self.scheduler.add(v)
        return vm

    def reset(self, vms: Sequence[Vm]) -> None:
        """Switch VMs off and on. If no other VM is running, the whole machine restarts at virtual time 0, so that the same
        happens as the first time; otherwise the others and virtual time continue.

        :raises gdbhv.errors.GdbhvError: one of them was not started by ``Vm.boot``; nothing has changed then.
        """
        for vm in vms:
            if not vm.resettable:
                vm.power_on()  # raises if it cannot, with the reason
        for vm in vms:
            vm.stop("reset")
        others = self.running()
        if not others:
            self.machine.reset()
            self.scheduler.power_on()
            for cpu in range(self.machine.cpus):
                self._prepare(cpu)
        for vm in vms:
            vm.power_on()
            if others:
                self.scheduler.begin_again(vm)

    # --- saved

    def save(self) -> HostState:
        """Return a copy of the hypervisor's state, while no guest executes. It belongs with the machine's state of that
        moment.

        :raises gdbhv.errors.StateError: a device cannot be saved; the message says what it needs.
        """
        return HostState.from_bytes(self.save_bytes())

    def save_bytes(self) -> bytes:
        """Return ``save().to_bytes()``, without making the copy. :raises gdbhv.errors.StateError: as :meth:`save`."""
        for vm in self.vms:
            vm.digest()
        self.device_states = saving.save_devices(self)
        try:
            return self.to_bytes()
        finally:
            self.device_states = []

    def load_bytes(self, data: bytes) -> None:
        """Load what :meth:`save_bytes` has returned. It costs little if nothing differs.

        :raises gdbhv.errors.StateError: see :meth:`load`.
        """
        if self.save_bytes() != data:
            self.load(HostState.from_bytes(data))

    def load(self, state: HostState) -> None:
        """Load saved state, all of it or nothing; the machine must be loaded with the state that was saved with it.

        The host must be like the one that was saved: as many CPUs, VMs with the same names, vCPUs, images and devices.
        Handlers, hypercalls, observers, consoles and what a debugger has set stay as they are.

        :raises gdbhv.errors.StateError: it is of another machine, or damaged.
        """
        saving.load(self, HostState.from_bytes(state.to_bytes()))

    # --- contexts

    def load_vcpu(self, vcpu: Vcpu, cpu: int) -> None:
        """Load a vCPU on a CPU; its first FP instruction traps, as with KVM's lazy switch."""
        vcpu.load(cpu)

    def enable_fp(self, vcpu: Vcpu) -> None:
        """Stop trapping FP and SIMD for the vCPU on its CPU."""
        assert vcpu.cpu is not None
        vcpu.load_fp()
        self.machine.msr(vcpu.cpu, "CPTR_EL2", vcpu.controls["CPTR_EL2"] & ~TFP)

    # --- physical interrupts

    def interrupt_on(self, cpu: int) -> None:
        """Acknowledge and handle the interrupts that are pending on ``cpu``."""
        m = self.machine
        intid = m.mrs(cpu, "ICC_IAR1_EL1") & 0xFFFFFF
        if intid >= 1020:
            return
        m.msr(cpu, "ICC_EOIR1_EL1", intid)
        vcpu = self.scheduler.loaded[cpu]
        if intid in PASSED and vcpu is not None:
            # The guest's own: it stays active in the physical controller until the guest deactivates it (ICH_LR.HW).
            vcpu.vm.vgic.fired(vcpu, intid)
            return
        if intid == PPI_HTIMER:
            self.scheduler.timer_fired(cpu)
        m.msr(cpu, "ICC_DIR_EL1", intid)

    # --- running

    def exited(self, cpu: int) -> tuple[Vcpu, ExitRecord]:
        """Note that ``cpu`` has left its guest by an exit. :meth:`handle_exit` must follow."""
        record = self.machine.exit_record(cpu)
        assert record is not None
        self.handling = cpu
        vcpu = self.scheduler.left(cpu)
        vcpu.exits += 1
        vcpu.last_exit = record
        return vcpu, record

    @property
    def pending(self) -> tuple[Vcpu, ExitRecord] | None:
        """The exit that :meth:`exited` has noted and :meth:`handle_exit` has not handled yet; None if there is none."""
        vcpu = None if self.handling is None else self.scheduler.loaded[self.handling]
        return None if vcpu is None or vcpu.last_exit is None else (vcpu, vcpu.last_exit)

    def handle_exit(self, vcpu: Vcpu, record: ExitRecord) -> None:
        """Handle the exit that :meth:`exited` has noted, and schedule the CPU again."""
        cpu = vcpu.cpu
        assert cpu is not None
        try:
            for observer in self.on_exit:
                observer(vcpu, record)
            handlers = self.handlers
            name = record["name"].partition(":")[0]
            handler = handlers.get(name) or handlers.get(record["class"], exits.undefined)
            handler(vcpu, record)
        finally:
            self.handling = None
        self.scheduler.schedule(cpu)

    def wake(self, cpu: int) -> None:
        """Handle an interrupt that is pending for idle ``cpu``."""
        self.handling = cpu
        try:
            self.interrupt_on(cpu)
        finally:
            self.handling = None
        self.scheduler.schedule(cpu)

    def running(self) -> list[Vm]:
        """Return the VMs that have not ended."""
        return [vm for vm in self.vms if vm.stopped is None]
