"""A debugger's view of a host's VMs: threads, registers and memory of every vCPU, whether it is on a CPU or not.

A vCPU whose exit is not handled yet is shown as it was in the guest: PC and PSTATE are ELR_EL2 and SPSR_EL2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gdbhv import _core, pages
from gdbhv.drives import Disks
from gdbhv.errors import CommandError, GdbhvError, MemoryError_, RegisterError
from gdbhv.exits.records import VcpuRecord, VmRecord
from gdbhv.hv import debugregs, guestregs, list_registers, pmu, vgic_view
from gdbhv.hv.host import Host
from gdbhv.hv.ptimer import PhysicalTimer
from gdbhv.hv.stage2 import IPA_BITS
from gdbhv.hv.vcpu import RunState, Vcpu
from gdbhv.hv.vm import Vm
from gdbhv.tables import Register, device_at, encoding, exception_level, field, mode_name, register_name
from gdbhv.target import BreakRecord, Process, Space, Thread, ThreadId
from gdbhv.translation import EL10, PAN, Translation

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

VIRTUAL_SERROR = field("ISR_EL1.A").mask
GUEST_MODES = (0b0000, 0b0100, 0b0101)  # PSTATE.M: EL0t, EL1t, EL1h


def _number(register: str, letter: str) -> int | None:
    """Return the number of a register like x3 or v3, by its letter."""
    return int(register[1:]) if register[:1] == letter and register[1:].isdigit() else None


@dataclass
class HostInspection:
    """The part of :class:`gdbhv.hv.hosttarget.HostTarget` that does not run the guests."""

    host: Host

    def __post_init__(self) -> None:
        self.machine = self.host.machine
        self._system = {key: r for r in self.host.registers.values() for key in (r.name, r.encoding)}

    # --- VMs and vCPUs

    def vm(self, pid: int) -> Vm:
        """Return the VM that is process ``pid``."""
        if not 1 <= pid <= len(self.host.vms):
            raise GdbhvError(f"no process {pid}: VMs are 1 to {len(self.host.vms)}")
        return self.host.vms[pid - 1]

    def vcpu(self, thread: ThreadId) -> Vcpu:
        """Return the vCPU that is ``thread``."""
        vcpus = self.vm(thread.pid).vcpus
        if not 1 <= thread.tid <= len(vcpus):
            raise GdbhvError(f"no thread {thread}: vCPUs of this VM are 1 to {len(vcpus)}")
        return vcpus[thread.tid - 1]

    def thread_of(self, vcpu: Vcpu) -> ThreadId:
        """Return the thread that a vCPU is."""
        return ThreadId(vcpu.vm.vmid, vcpu.index + 1)

    def processes(self) -> Sequence[Process]:
        """See :class:`gdbhv.target.Target`."""
        return [
            Process(vm.vmid, vm.name, tuple(self._thread(v) for v in vm.vcpus)) for vm in self.host.vms if vm.stopped is None
        ]

    def _thread(self, v: Vcpu) -> Thread:
        spsr = self._pstate(v)
        mode = mode_name(spsr)
        where = f"on CPU {v.cpu}" if v.cpu is not None else "descheduled"
        if v.state is RunState.OFF:
            extra = "off"
        elif v.state is RunState.WAITING:
            extra = f"waiting in WFI, {where}, VMID={v.vm.vmid}"
        elif self._in_guest(v) and v.cpu is not None and self.machine.power(v.cpu) == "wfe":
            extra = f"waiting in WFE, {where}, VMID={v.vm.vmid}"
        else:
            extra = f"{mode}, {where}, VMID={v.vm.vmid}"
        return Thread(self.thread_of(v), f"vcpu{v.index}", extra, v.cpu, v.state is not RunState.OFF)

    # --- what is known of the VMs

    hosted = True
    counted = "exits"

    @property
    def core(self) -> _core.Machine:
        """See :class:`gdbhv.target.Target`."""
        return self.machine

    def count(self, thread: ThreadId) -> int:
        """See :class:`gdbhv.target.Target`."""
        return self.vcpu(thread).exits

    def names(self) -> Sequence[str]:
        """See :class:`gdbhv.target.Target`."""
        return [vm.name for vm in self.host.vms]

    def vms(self) -> Sequence[VmRecord]:
        """See :class:`gdbhv.target.Target`."""
        return [self._vm_record(vm) for vm in self.host.vms]

    def _vm_record(self, vm: Vm) -> VmRecord:
        vcpus = tuple(VcpuRecord(n + 1, v.name, v.mpidr, v.cpu, self._in_guest(v), v.exits) for n, v in enumerate(vm.vcpus))
        return VmRecord(vm.vmid, vm.name, vm.vmid, vm.stage2.root, IPA_BITS, vcpus)

    def thread_of_vm(self, number: int) -> ThreadId:
        """See :class:`gdbhv.target.Target`."""
        vcpus = self.vm(number).vcpus
        return ThreadId(number, 1 + next((n for n, v in enumerate(vcpus) if self._in_guest(v)), 0))

    def name_vm(self, number: int, name: str) -> None:
        """See :class:`gdbhv.target.Target`."""
        raise CommandError("gdbhv's own VMs are named when they are made: --vm IMAGE,name=NAME")

    def break_in(self, scope: str | None = None) -> tuple[str, Sequence[BreakRecord]]:
        """See :class:`gdbhv.target.Target`."""
        if scope is not None:
            raise CommandError("each breakpoint is of the VM in whose process it is set: the hypervisor is gdbhv")
        return "own", []

    def vmids(self) -> Sequence[int] | None:
        """See :class:`gdbhv.target.Target`."""
        return [vm.vmid for vm in self.host.vms]

    def vmid_name(self, vmid: int) -> str | None:
        """See :class:`gdbhv.target.Target`."""
        return self.vm(vmid).name if 1 <= vmid <= len(self.host.vms) else None

    def cpu_of(self, thread: ThreadId) -> int | None:
        """See :class:`gdbhv.target.Target`."""
        return self.vcpu(thread).cpu

    def last_exit(self, thread: ThreadId) -> ExitRecord | None:
        """See :class:`gdbhv.target.Target`."""
        return self.vcpu(thread).last_exit

    def at_hypervisor(self, thread: ThreadId) -> bool:
        """See :class:`gdbhv.target.Target`."""
        return False

    def place(self, pid: int, ipa: int) -> str | None:
        """See :class:`gdbhv.target.Target`."""
        found = self.device_at(pid, ipa, Space.IPA)
        if found is not None:
            return f"{found[0]}+{found[1]:#x}"
        return "memory" if self.vm(pid).slot(ipa) else "nothing there"

    def device_at(self, pid: int, address: int, space: Space) -> tuple[str, int] | None:
        """See :class:`gdbhv.target.Target`."""
        if space is not Space.IPA:
            return device_at(address)
        found = self.vm(pid).device(address)
        return None if found is None else (found[0].name, found[1])

    def emulated(self, vmid: int) -> Sequence[tuple[int, int, str]]:
        """See :class:`gdbhv.target.Target`."""
        return [(base, device.size, device.name) for base, device in self.vm(vmid).devices]

    def gic(self, thread: ThreadId) -> tuple[dict[str, Any], str]:
        """See :class:`gdbhv.target.Target`."""
        vm = self.vcpu(thread).vm
        return vgic_view.document(vm.vgic), vm.name

    def list_register(self, thread: ThreadId, intid: int) -> tuple[int, int] | None:
        """See :class:`gdbhv.target.Target`."""
        v = self.vcpu(thread)
        return vgic_view.held(v.vm.vgic, v, intid)

    def take_unserved(self) -> Sequence[str]:
        """See :class:`gdbhv.target.Target`."""
        return [f"{vm.name}: {text}" for vm in self.host.vms for text in vm.take_unserved()]

    def disks(self) -> Sequence[Disks]:
        """See :class:`gdbhv.target.Target`."""
        return [disks for vm in self.host.vms for disks in vm.disks()]

    # --- registers

    def _in_guest(self, v: Vcpu) -> bool:
        """Whether the CPU's own PC and PSTATE are the guest's."""
        return v.cpu is not None and self.host.scheduler.in_guest[v.cpu]

    def _pstate(self, v: Vcpu) -> int:
        return self.machine.read_register(v.cpu, "cpsr") if self._in_guest(v) and v.cpu is not None else v.read("SPSR_EL2")

    def _place(self, v: Vcpu, register: str) -> str:
        """Return the name under which the CPU has a guest's ``register`` while it is out of the guest."""
        if register == "sp":
            spsr = v.read("SPSR_EL2")
            return "SP_EL1" if exception_level(spsr) == 1 and spsr & 1 else "SP_EL0"
        return {"pc": "ELR_EL2", "cpsr": "SPSR_EL2"}.get(register, register)

    @contextlib.contextmanager
    def loaded(self, v: Vcpu) -> Iterator[int]:
        """Load the EL1 registers, stage 2 and identity of ``v`` on a CPU for the body; yields the CPU.

        For a vCPU that is off its CPU they replace the registers of the vCPU that is there, which are restored afterwards;
        that one's guest does not execute meanwhile and cannot see it. What the body writes is kept for ``v``.
        """
        if v.cpu is not None:
            yield v.cpu
            return
        cpu, m = v.home, self.machine
        own = list(v.numbers.values())
        other = {**v.identity(), **dict.fromkeys(list_registers.NAMES, 0)}
        others = [encoding(name) for name in other]
        there = self.host.scheduler.loaded[cpu]
        if there is not None:
            there.pmu.save(cpu)
        v.pmu.load(cpu)
        before = m.mrs_many(cpu, others + own)
        locked = debugregs.os_lock(m, cpu)
        with debugregs.under_os_lock(m, cpu, v.debug.locked):
            m.msr_many(cpu, others + own, [*other.values(), *v.sys.values()])
        try:
            yield cpu
        finally:
            v.sys = dict(zip(v.sys, m.mrs_many(cpu, own), strict=True))
            with debugregs.under_os_lock(m, cpu, locked):
                m.msr_many(cpu, others + own, before)
            v.pmu.save(cpu)
            if there is not None:
                there.pmu.load(cpu)

    def _saved(self, v: Vcpu, register: str | int) -> tuple[Any, Any] | None:
        """Return where a register is while its vCPU is off the CPU: a container and its key."""
        if not isinstance(register, str) or v.cpu is not None:
            return None
        number = _number(register, "x")
        if number is not None and number < 31:
            return v.gprs, number
        if register in v.sys and register != "CNTV_CTL_EL0":  # whose ISTATUS follows time
            return v.sys, register
        return None

    def _saved_simd(self, v: Vcpu, register: str | int) -> int | None:
        """Return the number of a SIMD register whose value is not on a CPU."""
        number = _number(register, "v") if isinstance(register, str) and not v.fp_live else None
        return number if number is not None and number < 32 else None

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        """See :class:`gdbhv.target.Target`."""
        v, asked = self.vcpu(thread), register
        if isinstance(register, str):
            register = self._named(v, register)
        if (simd := self._saved_simd(v, register)) is not None:
            return v.v(simd)
        saved = self._saved(v, register)
        if saved is not None:
            return int(saved[0][saved[1]])
        debug = debugregs.name_of(register)
        if debug is not None and not v.debug.live:
            return v.debug.read(debug)
        system = self._system_register(register)
        name = guestregs.plain_name(system.name) if system is not None else ""
        try:
            with self.loaded(v) as cpu, self._entering(v, cpu) if name in guestregs.PENDING else contextlib.nullcontext():
                value = self.machine.read_register(cpu, register)
        except KeyError as e:
            raise RegisterError(register_name(asked, self.host.registers), str(e.args[0])) from None
        if name == "ISR_EL1" and v.cpu is None and v.vserror is not None:
            value |= VIRTUAL_SERROR
        view = guestregs.VIEWS.get(name)
        return value if view is None else view(v, name, value)

    def judged(self, encoding: int) -> bool:
        """See :class:`gdbhv.target.Target`."""
        row = self._system.get(encoding)
        return row is not None and row.group in ("el0", "el1") and row.name not in (*guestregs.VIEWS, *guestregs.PENDING)

    def _system_register(self, register: str | int) -> Register | None:
        return self._system.get(register.upper() if isinstance(register, str) else register)

    @contextlib.contextmanager
    def _entering(self, v: Vcpu, cpu: int) -> Iterator[None]:
        """Fill the list registers as they will be when ``v`` executes next, for the body."""
        m = self.machine
        numbers = [encoding(name) for name in list_registers.NAMES]
        before, due = m.mrs_many(cpu, numbers), vgic_view.due(v.vm.vgic, v)
        m.msr_many(cpu, numbers, due + [0] * (len(numbers) - len(due)))
        try:
            yield
        finally:
            m.msr_many(cpu, numbers, before)

    def put_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        v, asked = self.vcpu(thread), register
        if isinstance(register, str):
            register = self._named(v, register)
        if register in ("cpsr", "SPSR_EL2", encoding("SPSR_EL2")) and value & 0x1F not in GUEST_MODES:
            raise RegisterError(
                register_name(asked, self.host.registers),
                f"mode {value & 0x1F:#x} is none that a guest has: EL0t, EL1t and EL1h are 0, 4 and 5",
            )
        system = self._system_register(register)
        if system is not None:
            why = guestregs.refusal(
                system, lambda: self.read_register(thread, system.name), value, in_guest=self._in_guest(v)
            )
            if why is not None:
                raise RegisterError(system.name, why)
            if (name := guestregs.plain_name(system.name)) in PhysicalTimer.REGISTERS:
                v.ptimer.write(name, value)
                return
            if system.name in v.controls:
                v.set_control(system.name, value)
                if v.cpu is None:
                    return
        if (simd := self._saved_simd(v, register)) is not None:
            v.set_v(simd, value)
            return
        saved = self._saved(v, register)
        try:
            if saved is not None and saved[0] is not v.sys:
                saved[0][saved[1]] = value
                return
            debug = debugregs.name_of(register)
            if debug is not None and not v.debug.live:
                v.debug.write(debug, value)
                return
            v.pmu.used = v.pmu.used or pmu.is_one(register)  # to be switched from now on
            with self.loaded(v) as cpu:
                self.machine.write_register(cpu, register, value)
        except KeyError as e:
            raise RegisterError(register_name(asked, self.host.registers), str(e.args[0])) from None

    def _named(self, v: Vcpu, register: str) -> str:
        """Return the name that the CPU or the saved context has for a register of the guest."""
        lower = register.lower()
        if lower in ("sp", "pc", "cpsr") or (lower[:1] in "xv" and lower[1:].isdigit()):
            return lower if self._in_guest(v) else self._place(v, lower)
        return register.upper() if register.upper() in v.sys else register

    def read_core(self, thread: ThreadId) -> bytes:
        """See :class:`gdbhv.target.Target`."""
        v = self.vcpu(thread)
        if self._in_guest(v) and v.cpu is not None:
            return self.machine.read_core(v.cpu)
        gprs = v.gprs if v.cpu is None else self.machine.gprs(v.cpu)
        words = [*gprs, *(self.read_register(thread, r) for r in ("sp", "pc"))]
        return b"".join(w.to_bytes(8, "little") for w in words) + self._pstate(v).to_bytes(8, "little")[:4]

    # --- memory

    def symbols(self, thread: ThreadId) -> tuple[dict[str, int], str]:
        """See :class:`gdbhv.target.Target`."""
        image = self.vm(thread.pid).image
        return (image.symbols, image.path) if image is not None else ({}, "")

    def translation(self, thread: ThreadId, el: int | None = None, vmid: int | None = None) -> Translation:
        """See :class:`gdbhv.target.Target`: the vCPU's, on a CPU or not, or that of vCPU 0 of VM ``vmid``."""
        v = self.vcpu(thread)
        if vmid is not None and vmid != v.vm.vmid:
            if not 1 <= vmid <= len(self.host.vms):
                raise CommandError(f"no VM has VMID {vmid}: there are 1 to {len(self.host.vms)}")
            v = self.vcpu(ThreadId(vmid, 1))
        pstate = self._pstate(v)
        now = exception_level(pstate)
        el = now if el is None else el
        if el not in (0, 1):
            raise CommandError(f"EL{el}: {v.vm.name} has EL0 and EL1; EL2 is gdbhv itself")
        names = [name for name in EL10 if name.endswith("_EL1")]
        controls = _core.Controls(
            hcr=self.machine.read_register(v.home, "HCR_EL2"),
            vtcr=self.machine.read_register(v.home, "VTCR_EL2"),
            vttbr=v.vm.vttbr,
            **{EL10[name]: v.read(name) for name in names},
        )
        pan = el == now and bool(pstate & PAN)
        return Translation(self.machine, v.home, el, f"{v.vm.name} vcpu{v.index}", controls, pan)

    def stage2(self, thread: ThreadId, vmid: int | None = None) -> Translation:
        """See :class:`gdbhv.target.Target`."""
        return self.translation(thread, 1, vmid)

    def read_memory(
        self, thread: ThreadId, address: int, length: int, space: Space = Space.VA, by: Translation | None = None
    ) -> bytes:
        """See :class:`gdbhv.target.Target`."""
        return pages.read(self.machine, self._physical(thread, space, by), address, length)

    def put_memory(self, thread: ThreadId, address: int, data: bytes, space: Space) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        pages.write(self.machine, self._physical(thread, space), address, data)

    def _physical(self, thread: ThreadId, space: Space, by: Translation | None = None) -> Callable[[int], pages.Where]:
        """Translate addresses to the machine's memory or a device of the VM; memory slots count as mapped, even if
        untouched."""
        if space is Space.PA:
            return lambda address: address
        by = by or self.translation(thread)
        assert by.vmid is not None
        vm = self.vm(by.vmid)

        def physical(address: int) -> pages.Where:
            ipa = address
            if space is Space.VA:
                found = by.walk(address)
                if "ipa" not in found:
                    walk = " on the walk of stage 1" if found["s1ptw"] else ""
                    raise MemoryError_(address, f"stage {found['stage']} {found['words']}{walk}")
                ipa = found["ipa"]
            pa = vm.pa(ipa)
            if pa is not None:
                return pa
            if (at := vm.device(ipa)) is None:
                raise MemoryError_(address, f"IPA {ipa:#x} is neither memory nor a device of {vm.name}")
            device, offset = at
            return pages.Registers(offset, device.peek, device.write)

        return physical
