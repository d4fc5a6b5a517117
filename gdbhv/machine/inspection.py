"""A debugger's view of a bare machine: its CPUs as threads of process 1, and the VMs of its hypervisor as further processes.

Running and stepping are in :mod:`gdbhv.machine.machine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gdbhv import _core, drives, pages, tables, translation
from gdbhv.catching import held_back
from gdbhv.drives import Disks, Plugged
from gdbhv.errors import GdbhvError, RegisterError
from gdbhv.machine.vms import Vms
from gdbhv.target import Action, Process, Space, Stop, Symbols, Thread, ThreadId
from gdbhv.translation import Translation

if TYPE_CHECKING:
    from gdbhv.console import Console
    from gdbhv.exits.records import ExitRecord, VmRecord

LR_STATE, LR_INTID = tables.field("ICH_LR0_EL2.State"), tables.field("ICH_LR0_EL2.vINTID")
POWER = {"wfi": "waiting in WFI", "wfe": "waiting in WFE", "off": "off", "idle": "idle"}


class MachineInspection:
    """The part of :class:`gdbhv.machine.machine.Machine` that does not run the guest."""

    PID = 1
    hosted = False
    counted = "instructions"
    core: _core.Machine
    registers: dict[str, tables.Register]
    el2: bool
    console: Console | None
    ended: Stop | None
    image: Symbols | None
    plugged: Sequence[Plugged]
    _moving: tuple[int, int | None]
    _gic: int
    _vms: Vms

    def _thread_id(self, cpu: int) -> ThreadId:
        return ThreadId(self.PID, cpu + 1)

    def _cpu(self, thread: ThreadId) -> int:
        """Return the CPU that a thread is, or that executes it. :raises gdbhv.errors.GdbhvError: there is none."""
        if thread.pid != self.PID:
            cpu = self._vms.cpu(thread)
            if cpu is None:
                raise GdbhvError(f"{thread} does not execute: no CPU is in it")
            return cpu
        if not 1 <= thread.tid <= self.core.cpus:
            raise GdbhvError(f"no thread {thread}: there are p1.1 to p1.{self.core.cpus:x}")
        return thread.tid - 1

    def _away(self, thread: ThreadId) -> bool:
        """Whether a thread is a vCPU that has exited, of which only the state at its exit is known."""
        return thread.pid != self.PID and self._vms.cpu(thread) is None

    def processes(self) -> Sequence[Process]:
        """See :class:`gdbhv.target.Target`."""
        if self.ended is not None:
            return []
        machine = Process(self.PID, "machine", tuple(self._thread(i) for i in range(self.core.cpus)))
        return [machine, *self._vms.processes()]

    def _thread(self, cpu: int) -> Thread:
        power = self.core.power(cpu)
        cpsr = self.core.read_register(cpu, "cpsr")
        regime = self.core.regime(cpu, tables.exception_level(cpsr))
        where = f", VMID={regime['vmid']}" if regime["stage2"] else ""
        extra = POWER[power] if power == "off" else f"{tables.mode_name(cpsr)}{where}, {POWER.get(power, 'running')}"
        return Thread(self._thread_id(cpu), f"cpu{cpu}", extra, cpu, power != "off")

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        """See :class:`gdbhv.target.Target`."""
        if self._away(thread):
            return self._vms.read_register(thread, register)
        try:
            return self.core.read_register(self._cpu(thread), register)
        except KeyError as e:
            raise RegisterError(tables.register_name(register, self.registers), str(e.args[0])) from None

    def judged(self, encoding: int) -> bool:
        """See :class:`gdbhv.target.Target`."""
        row = next((row for row in self.registers.values() if row.encoding == encoding), None)
        return row is not None and row.group != "pmu"  # its counts are settled when the CPU's turn ends

    def read_core(self, thread: ThreadId) -> bytes:
        """See :class:`gdbhv.target.Target`."""
        return self._vms.read_core(thread) if self._away(thread) else self.core.read_core(self._cpu(thread))

    def count(self, thread: ThreadId) -> int:
        """See :class:`gdbhv.target.Target`."""
        if thread.pid != self.PID:
            return self._vms.exits(thread)
        return self.core.insns[self._cpu(thread)]

    def names(self) -> Sequence[str]:
        """See :class:`gdbhv.target.Target`."""
        return ["machine", *(vm.name for vm in self._vms.all())]

    def vms(self) -> Sequence[VmRecord]:
        """See :class:`gdbhv.target.Target`."""
        return self._vms.all()

    def thread_of_vm(self, number: int) -> ThreadId:
        """See :class:`gdbhv.target.Target`."""
        return self._vms.thread(number)

    def name_vm(self, number: int, name: str) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._vms.rename(number, name)

    def vmids(self) -> Sequence[int] | None:
        """See :class:`gdbhv.target.Target`."""
        return None

    def vmid_name(self, vmid: int) -> str | None:
        """See :class:`gdbhv.target.Target`."""
        return None

    def cpu_of(self, thread: ThreadId) -> int | None:
        """See :class:`gdbhv.target.Target`."""
        return self._cpu(thread) if thread.pid == self.PID else self._vms.cpu_of(thread)

    def last_exit(self, thread: ThreadId) -> ExitRecord | None:
        """See :class:`gdbhv.target.Target`."""
        if thread.pid != self.PID:
            return self._vms.last_exit(thread)
        return self.core.exit_record(self._cpu(thread))

    def at_hypervisor(self, thread: ThreadId) -> bool:
        """See :class:`gdbhv.target.Target`."""
        if not self.el2 or thread.pid != self.PID:
            return False
        el = tables.exception_level(self.read_register(thread, "cpsr"))
        return el == 2 or (el == 0 and self.read_register(thread, "HCR_EL2") & translation.HOST == translation.HOST)

    def place(self, pid: int, ipa: int) -> str | None:
        """See :class:`gdbhv.target.Target`."""
        return None

    def device_at(self, pid: int, address: int, space: Space) -> tuple[str, int] | None:
        """See :class:`gdbhv.target.Target`."""
        return tables.device_at(address, self._gic)

    def emulated(self, vmid: int) -> Sequence[tuple[int, int, str]]:
        """See :class:`gdbhv.target.Target`."""
        return []

    def gic(self, thread: ThreadId) -> tuple[dict[str, Any], str]:
        """See :class:`gdbhv.target.Target`."""
        return self.core.gic(), "the machine"

    def list_register(self, thread: ThreadId, intid: int) -> tuple[int, int] | None:
        """See :class:`gdbhv.target.Target`."""
        cpu = self._cpu(thread) if thread.pid == self.PID else self._vms.vcpu(thread)[1].cpu
        if cpu is None:
            return None
        lists = enumerate(self.core.gic()["cpus"][cpu]["lists"])
        return next(((n, lr) for n, lr in lists if LR_STATE.of(lr) and LR_INTID.of(lr) == intid), None)

    def disks(self) -> Sequence[Disks]:
        """See :class:`gdbhv.target.Target`."""
        return [(self.core, self.plugged)]

    def take_unserved(self) -> Sequence[str]:
        """See :class:`gdbhv.target.Target`."""
        return [drives.words(slot, why) for slot, why in self.core.drive_problems()]

    @property
    def silent(self) -> bool:
        """See :class:`gdbhv.target.Target`."""
        return self.console is not None and not self.console.text

    def symbols(self, thread: ThreadId) -> tuple[dict[str, int], str]:
        """See :class:`gdbhv.target.Target`."""
        return (self.image.symbols, self.image.path) if self.image is not None else ({}, "")

    def translation(self, thread: ThreadId, el: int | None = None, vmid: int | None = None) -> Translation:
        """See :class:`gdbhv.target.Target`, and :func:`gdbhv.translation.bare`."""
        if vmid is None and self._away(thread):
            return self._vms.translation(thread, el)
        found = translation.bare(self.core, self._near(thread), el, vmid, el2=self.el2)
        return found if vmid is not None or thread.pid == self.PID else self._vms.placed(thread, found)

    def _near(self, thread: ThreadId) -> int:
        """Return a CPU for a view that does not depend on the thread."""
        return 0 if self._away(thread) else self._cpu(thread)

    def stage2(self, thread: ThreadId, vmid: int | None = None) -> Translation:
        """See :class:`gdbhv.target.Target`."""
        return self.translation(thread, 1, vmid)

    def read_memory(
        self, thread: ThreadId, address: int, length: int, space: Space = Space.VA, by: Translation | None = None
    ) -> bytes:
        """See :class:`gdbhv.target.Target`."""
        cpu = self._near(thread) if by is None else by.cpu
        return pages.read(self.core, self._physical(thread, space, by), address, length, cpu)

    def _physical(self, thread: ThreadId, space: Space, by: Translation | None = None) -> Callable[[int], int]:
        if space is Space.PA:
            return lambda address: address
        if space is Space.VA:
            return (by or self.translation(thread)).physical
        return (by or self.stage2(thread)).physical_ipa

    @property
    def exit_numbers(self) -> frozenset[int]:
        """See :class:`gdbhv.target.Target`."""
        return tables.exit_numbers() if self.el2 else frozenset()

    @property
    def off_text(self) -> str:
        """See :class:`gdbhv.target.Target`."""
        return "the machine is off"

    def _why_stuck(self, step: Action | None) -> str:
        mask = self._moving[0]
        held = [f"cpu{n}" for n in range(self.core.cpus) if not mask >> n & 1 and self.core.power(n) != "off"]
        if step is not None:
            cpu = self._cpu(step.thread)
            why = f"cpu{cpu} cannot be stepped: it is {POWER[self.core.power(cpu)]}, and nothing that ends it is to come"
        else:
            why = f"every CPU{' that may run' if held else ''} waits or is off, and no interrupt is to come"
        return why + held_back(held)
