"""The VMs of a hypervisor in the machine, as processes: their vCPUs are threads, on a CPU or not.

The native module sees each entry and each exit (``_core.Machine.vms``). A vCPU that executes is its CPU, and all that is
shown of it is live. One that has exited, whether its hypervisor is at work on that or has put it aside, is what it left at
its exit: its hypervisor has what it will go on with, somewhere of its own. Its memory is what it is now, by the tables that
it left.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from gdbhv.errors import CommandError, GdbhvError, RegisterError
from gdbhv.exits.records import VcpuRecord, VmRecord
from gdbhv.tables import exception_level, field, mode_name, registers
from gdbhv.target import Process, Thread, ThreadId
from gdbhv.translation import EL10, PAN, Translation

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.exits.records import ExitRecord

MPIDR = {n: field(f"VMPIDR_EL2.Aff{n}") for n in range(4)}
T0SZ = field("VTCR_EL2.T0SZ")
GENERAL = [f"x{n}" for n in range(31)]
ALIASES = {"MPIDR_EL1": "VMPIDR_EL2", "MIDR_EL1": "VPIDR_EL2"}  # what EL1 reads there
NAME = re.compile(r"[A-Za-z_][\w.-]{0,31}")


def vcpu_name(mpidr: int) -> str:
    """Return what a vCPU is called: by its affinity, without the upper levels that are 0."""
    levels = [MPIDR[n].of(mpidr) for n in (3, 2, 1, 0)]
    while len(levels) > 1 and levels[0] == 0:
        del levels[0]
    return "vcpu" + ".".join(map(str, levels))


class Vms:
    """The VMs of one machine. Process numbers begin at 2: 1 is the machine itself."""

    def __init__(self, core: _core.Machine) -> None:
        self._core = core
        self.named: dict[int, str] = {}  # by the user

    def name(self, number: int) -> str:
        """Return the name of a VM: the user's, or its number."""
        return self.named.get(number, f"vm{number}")

    def rename(self, number: int, name: str) -> None:
        """Give a VM a name. :raises gdbhv.errors.CommandError: there is no such VM, or the name is impossible or taken."""
        self._get(number)
        if not NAME.fullmatch(name) or name in ("machine", "host", "any", "el2", "auto"):
            raise CommandError(
                f"{name!r} is no name for a VM: letters, digits, _ . and -, not a number, and no word of gdbhv's"
            )
        if any(vm.name == name for vm in self.all() if vm.number != number):
            raise CommandError(f"another VM is called {name}")
        self.named[number] = name

    def all(self) -> list[VmRecord]:
        """Return the VMs that have run, in the order of their numbers."""
        return [self._record(row) for row in self._core.vms()]

    def _record(self, row: _core.Vm) -> VmRecord:
        seen = sum(self._core.insns)
        vcpus = tuple(
            VcpuRecord(
                number=n + 1,
                name=vcpu_name(v["mpidr"]),
                mpidr=v["mpidr"],
                cpu=v["cpu"] if v["here"] else None,
                running=v["inside"],
                exits=v["exits"],
                ago=seen - v["insns"],
            )
            for n, v in enumerate(row["vcpus"])
        )
        running = [v.cpu for v in vcpus if v.running and v.cpu is not None]
        left = None if row["last"] is None else self._core.vcpu_left(row["number"], row["last"])
        if running:
            controls = self._core.controls(running[0])
        else:
            assert left is not None, "what does not execute has exited"
            controls = left["controls"]
        later = None if row["replaced"] is None else self._core.vm(row["replaced"])
        return VmRecord(
            number=row["number"],
            name=self.name(row["number"]),
            vmid=row["vmid"],
            root=row["vttbr"] & (1 << 48) - 1,
            ipa_bits=64 - T0SZ.of(controls.vtcr),
            vcpus=vcpus,
            replaced=row["replaced"],
            shared=None if later is None else "VMID" if later["vmid"] == row["vmid"] else "tables",
        )

    def _get(self, number: int) -> VmRecord:
        if (found := self._find(number)) is not None:
            return found
        known = ", ".join(f"{vm.number} ({vm.name})" for vm in self.all())
        raise CommandError(
            f"no VM {number} has run; {f'those that have: {known}' if known else 'none has, with stage 2 on'}"
        )

    def _find(self, number: int) -> VmRecord | None:
        row = self._core.vm(number) if number >= 0 else None
        return None if row is None else self._record(row)

    def thread(self, number: int) -> ThreadId:
        """Return the vCPU that is shown for a VM: one that executes, else the one that exited last.

        :raises gdbhv.errors.CommandError: there is no such VM.
        """
        return ThreadId(number, min(self._get(number).vcpus, key=lambda v: (not v.running, v.ago or 0)).number)

    def find(self, text: str) -> VmRecord:
        """Return a VM by number or name. :raises gdbhv.errors.CommandError: there is none, with those that are."""
        rows = self.all()
        for vm in rows:
            if text in (vm.name, str(vm.number)):
                return vm
        known = ", ".join(f"{vm.number} ({vm.name})" for vm in rows)
        raise CommandError(f"no VM {text!r}; {f'there are {known}' if known else 'none has run yet'}")

    def at(self, cpu: int) -> ThreadId | None:
        """Return the vCPU that a CPU executes, or handles an exit of."""
        here = self._core.vm_here(cpu)
        return None if here is None else ThreadId(here[0], here[1] + 1)

    # --- processes

    def processes(self) -> Sequence[Process]:
        """Return the VMs with their vCPUs."""
        return [
            Process(vm.number, vm.name, tuple(self._thread(vm, v) for v in vm.vcpus), found=True)
            for vm in self.all()
            if vm.vcpus
        ]

    def _thread(self, vm: VmRecord, v: VcpuRecord) -> Thread:
        return Thread(ThreadId(vm.number, v.number), v.name, self.extra(vm, v), v.cpu)

    def extra(self, vm: VmRecord, v: VcpuRecord) -> str:
        """Say where a vCPU is, and since when."""
        if v.running and v.cpu is not None:
            power = {"wfi": "waiting in WFI", "wfe": "waiting in WFE", "off": "off"}.get(self._core.power(v.cpu), "running")
            return f"on cpu{v.cpu}, {mode_name(self._core.read_register(v.cpu, 'cpsr'))}, {power}"
        record = self._core.vcpu_exit(vm.number, v.number - 1)
        why = "" if record is None else f", exited for {record['name']}"
        gone = "" if vm.replaced is None else f"; gone: VM {vm.replaced} has its {vm.shared}"
        where = "descheduled" if v.cpu is None else f"cpu{v.cpu} is at EL2 for it"
        return f"{where}{why}, {v.ago:,} instructions ago{gone}"

    # --- threads

    def vcpu(self, thread: ThreadId) -> tuple[VmRecord, VcpuRecord]:
        """Return the VM and the vCPU of a thread. :raises gdbhv.errors.GdbhvError: there is none."""
        vm = self._find(thread.pid)
        v = None if vm is None else next((v for v in vm.vcpus if v.number == thread.tid), None)
        if vm is None or v is None:
            raise GdbhvError(f"no thread {thread}: no such vCPU has run")
        return vm, v

    def cpu(self, thread: ThreadId) -> int | None:
        """Return the CPU that executes a vCPU; None: it has exited. :raises gdbhv.errors.GdbhvError: there is none."""
        v = self._vcpu(thread)
        return v["cpu"] if v["inside"] and v["here"] else None

    def cpu_of(self, thread: ThreadId) -> int | None:
        """Return the CPU that executes a vCPU or handles its exit; None: it is descheduled.

        :raises gdbhv.errors.GdbhvError: there is no such vCPU.
        """
        v = self._vcpu(thread)
        return v["cpu"] if v["here"] else None

    def exits(self, thread: ThreadId) -> int:
        """Return how often a vCPU has exited. :raises gdbhv.errors.GdbhvError: there is none."""
        return self._vcpu(thread)["exits"]

    def _vcpu(self, thread: ThreadId) -> _core.Vcpu:
        """Return what the machine knows of one vCPU: a list of all takes milliseconds where there are thousands."""
        v = self._core.vcpu(thread.pid, thread.tid - 1) if thread.tid > 0 else None
        if v is None:
            raise GdbhvError(f"no thread {thread}: no such vCPU has run")
        return v

    def last_exit(self, thread: ThreadId) -> ExitRecord | None:
        """Return the last exit of a vCPU."""
        return self._core.vcpu_exit(thread.pid, thread.tid - 1)

    def _left(self, thread: ThreadId) -> tuple[_core.Left, ExitRecord]:
        left, record = self._core.vcpu_left(thread.pid, thread.tid - 1), self.last_exit(thread)
        if left is None or record is None:
            raise GdbhvError(f"{self._name(thread)} has not exited yet")
        return left, record

    def _name(self, thread: ThreadId) -> str:
        vm, v = self.vcpu(thread)
        return f"{vm.name} {v.name}"

    def read_core(self, thread: ThreadId) -> bytes:
        """Return x0-x30, sp, pc and cpsr as of the last exit."""
        left, record = self._left(thread)
        return struct.pack("<33QI", *left["x"], _sp(left, record["spsr"]), left["pc"], record["spsr"])

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        """Return a register as of the last exit. :raises gdbhv.errors.RegisterError: it was not recorded."""
        left, record = self._left(thread)
        name = _named(register)
        if name in GENERAL:
            return left["x"][int(name[1:])]
        core = {"pc": left["pc"], "cpsr": record["spsr"], "sp": _sp(left, record["spsr"])}
        stacks = {"SP_EL0": left["sp_el0"], "SP_EL1": left["sp_el1"]}
        controls = {key: getattr(left["controls"], attribute) for key, attribute in EL10.items()}
        values: dict[str, int] = {**core, **stacks, **controls, **left["switched"]}
        name = ALIASES.get(name, name)
        if name in values:
            return values[name]
        if name.startswith("ID_"):
            return self._core.read_register(record["cpu"], name)
        raise RegisterError(name, f"not recorded at exits, and {self._name(thread)} does not execute")

    def refuse_write(self, thread: ThreadId, what: str | int) -> NoReturn:
        """Refuse a write to what a vCPU left. :raises gdbhv.errors.RegisterError: always, with the reason."""
        vm, v = self.vcpu(thread)
        raise RegisterError(
            _named(what),
            f"{vm.name} {v.name} does not execute ({self.extra(vm, v)}): what it goes on with is in its hypervisor's "
            "memory; its registers can be written when it has been entered",
        )

    def translation(self, thread: ThreadId, el: int | None) -> Translation:
        """Find the translation of a vCPU that has exited."""
        left, record = self._left(thread)
        if el == 2:
            raise CommandError(f"{self._name(thread)} is a guest's, and has EL0 and EL1 alone")
        own = exception_level(record["spsr"])
        vm, v = self.vcpu(thread)
        pan = el in (None, own) and bool(record["spsr"] & PAN)
        return Translation(
            self._core,
            record["cpu"],
            own if el is None else el,
            self._name(thread),
            left["controls"],
            pan,
            self.extra(vm, v),
        )

    def placed(self, thread: ThreadId, found: Translation) -> Translation:
        """Return the translation of the CPU that executes a vCPU as the vCPU's."""
        _, v = self.vcpu(thread)
        return replace(found, place=f"{self._name(thread)} (on cpu{v.cpu})")


def _sp(left: _core.Left, spsr: int) -> int:
    return left["sp_el1"] if exception_level(spsr) == 1 and spsr & 1 else left["sp_el0"]


def _named(register: str | int) -> str:
    """Return a register's name as the records have it: x0, sp, or as in the Arm ARM."""
    if isinstance(register, int):
        return _names().get(register, f"{register:#x}")
    lower = register.lower()
    return lower if lower in GENERAL or lower in ("sp", "pc", "cpsr") else register.upper()


@cache
def _names() -> dict[int, str]:
    return {r.encoding: r.name for r in registers().values()}
