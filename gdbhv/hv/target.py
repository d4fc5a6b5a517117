"""The debugger's view of a :class:`~gdbhv.hv.host.Host`: one process for each VM, its vCPUs as threads, on a CPU or not.

A vCPU that has exited and waits for its handler is shown as it was in the guest: PC and PSTATE are ELR_EL2 and SPSR_EL2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdbhv.console import Console
from gdbhv.errors import GdbhvError, MemoryError_, RegisterError
from gdbhv.hv.host import Host
from gdbhv.hv.mmio import Pl011
from gdbhv.hv.vcpu import Vcpu, VcpuState, context_numbers
from gdbhv.hv.vm import Vm
from gdbhv.machine import FOREVER, Catcher, catch_syscalls, nothing_to_come, wanted
from gdbhv.tables import encoding
from gdbhv.target import Action, CatchEvents, Process, Space, Stop, StopKind, Thread, ThreadId

if TYPE_CHECKING:
    from gdbhv._core import ExitRecord

LIST_REGISTERS = [f"ICH_LR{n}_EL2" for n in range(4)]
GUEST_MODES = (0b0000, 0b0100, 0b0101)  # PSTATE.M: EL0t, EL1t, EL1h
LUMP = 64  # steps of one vCPU, after which the others get as many instructions


@dataclass
class HostTarget:
    """A host as a :class:`gdbhv.target.Target`."""

    host: Host
    console: Console | None = None
    catchers: dict[Any, Catcher] = field(default_factory=dict)
    describe: Callable[[ThreadId, ExitRecord], str] = lambda thread, record: record["name"]

    def __post_init__(self) -> None:
        self.machine = self.host.machine
        self._interrupter = self.machine.interrupter()
        self._interrupted = False
        self._owed = 0  # instructions of other vCPUs for those that were stepped
        self._end: int | None = None  # of a run: instructions of the whole machine since it was made
        if self.console is not None:
            self.console.on_input = self._interrupter.set
        self._pending: tuple[Vcpu, ExitRecord] | None = None  # an exit that was reported and is not handled yet

    # --- who is there

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
        mode = f"EL{spsr >> 2 & 3}{'h' if spsr & 1 else 't'}"
        where = f"on CPU {v.cpu}" if v.cpu is not None else "descheduled"
        if v.state is VcpuState.OFF:
            extra = "off"
        elif v.state is VcpuState.WAITING:
            extra = f"waiting in WFI, {where}, VMID={v.vm.vmid}"
        else:
            extra = f"{mode}, {where}, VMID={v.vm.vmid}"
        return Thread(self.thread_of(v), f"vcpu{v.index}", extra, v.cpu, v.state is not VcpuState.OFF)

    # --- registers

    def _in_guest(self, v: Vcpu) -> bool:
        """Whether the CPU's own PC and PSTATE are the guest's."""
        return v.cpu is not None and self.host.scheduler.in_guest[v.cpu]

    def _pstate(self, v: Vcpu) -> int:
        return self.machine.read_register(v.cpu, "cpsr") if self._in_guest(v) and v.cpu is not None else v.read("SPSR_EL2")

    def _place(self, v: Vcpu, register: str) -> str:
        """The name under which the CPU has a guest's ``register`` while it is out of the guest."""
        if register == "sp":
            spsr = v.read("SPSR_EL2")
            return "SP_EL1" if spsr >> 2 & 3 == 1 and spsr & 1 else "SP_EL0"
        return {"pc": "ELR_EL2", "cpsr": "SPSR_EL2"}.get(register, register)

    @contextlib.contextmanager
    def loaded(self, v: Vcpu) -> Iterator[int]:
        """Have the EL1 registers, stage 2 and identity of ``v`` on a CPU for the body; yields the CPU.

        For a vCPU that is off its CPU they take the place of those of whichever is there, and make room again afterwards;
        that one's guest, which does not execute meanwhile, cannot tell. What the body writes is kept for ``v``.
        """
        if v.cpu is not None:
            yield v.cpu
            return
        cpu, m = v.home, self.machine
        own = list(context_numbers().values())
        other = {**v.identity(), **dict.fromkeys(LIST_REGISTERS, 0)}
        others = [encoding(name) for name in other]
        before = m.mrs_many(cpu, others + own)
        m.msr_many(cpu, others + own, [*other.values(), *v.sys.values()])
        try:
            yield cpu
        finally:
            v.sys = dict(zip(v.sys, m.mrs_many(cpu, own), strict=True))
            m.msr_many(cpu, others + own, before)

    def _saved(self, v: Vcpu, register: str | int) -> tuple[Any, Any] | None:
        """Where a register is while it is not on a CPU: a container and its key."""
        if not isinstance(register, str):
            return None
        number = int(register[1:]) if register[1:].isdigit() else None
        if register[:1] == "v" and number is not None and number < 32 and not v.fp_live:
            return v.vregs, number
        if v.cpu is None:
            if register[:1] == "x" and number is not None and number < 31:
                return v.gprs, number
            if register in v.sys:
                return v.sys, register
        return None

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        """See :class:`gdbhv.target.Target`."""
        v = self.vcpu(thread)
        if isinstance(register, str):
            register = self._named(v, register)
        saved = self._saved(v, register)
        if saved is not None:
            return int(saved[0][saved[1]])
        try:
            with self.loaded(v) as cpu:
                return self.machine.read_register(cpu, register)
        except KeyError as e:
            raise RegisterError(register, str(e.args[0])) from None

    def write_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        v = self.vcpu(thread)
        if isinstance(register, str):
            register = self._named(v, register)
        if register in ("cpsr", "SPSR_EL2", encoding("SPSR_EL2")) and value & 0x1F not in GUEST_MODES:
            raise RegisterError(
                register, f"mode {value & 0x1F:#x} is none that a guest has: EL0t, EL1t and EL1h are 0, 4 and 5"
            )
        saved = self._saved(v, register)
        try:
            if saved is not None and saved[0] is not v.sys:
                saved[0][saved[1]] = value
                return
            with self.loaded(v) as cpu:
                self.machine.write_register(cpu, register, value)
        except KeyError as e:
            raise RegisterError(register, str(e.args[0])) from None

    def _named(self, v: Vcpu, register: str) -> str:
        """The name that the CPU or the saved context has for a register of the guest."""
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

    def read_memory(self, thread: ThreadId, address: int, length: int, space: Space = Space.VA) -> bytes:
        """See :class:`gdbhv.target.Target`."""
        out = b""
        while len(out) < length:
            n = min(length - len(out), 0x1000 - (address & 0xFFF))
            try:
                pa = self._physical(thread, address, space)
                out += self.machine.read_pa(pa, n)
            except (MemoryError_, IndexError) as e:
                if out:
                    return out
                raise e if isinstance(e, MemoryError_) else MemoryError_(address, str(e)) from None
            address += n
        return out

    def write_memory(self, thread: ThreadId, address: int, data: bytes, space: Space = Space.VA) -> None:
        """See :class:`gdbhv.target.Target`."""
        pieces = []
        at = 0
        while at < len(data):
            n = min(len(data) - at, 0x1000 - (address + at & 0xFFF))
            pieces.append((self._physical(thread, address + at, space), data[at : at + n]))
            self.machine.read_pa(pieces[-1][0], n)
            at += n
        for pa, piece in pieces:
            self.machine.write_pa(pa, piece)

    def _physical(self, thread: ThreadId, address: int, space: Space) -> int:
        """Where an address is in the machine; memory slots count as mapped, whether touched yet or not."""
        if space is Space.PA:
            return address
        v = self.vcpu(thread)
        if space is Space.VA:
            with self.loaded(v) as cpu:
                found = self.machine.translate(cpu, address, el=1)
            if "ipa" not in found:
                raise MemoryError_(address, found["fault"])
            ipa = found["ipa"]
        else:
            ipa = address
        pa = v.vm.pa(ipa)
        if pa is None:
            what = f"IPA {ipa:#x} is " + ("a device" if v.vm.device(ipa) else "neither memory nor a device")
            raise MemoryError_(address, f"{what} of {v.vm.name}; devices are not read for a debugger")
        return pa

    # --- breakpoints and catchpoints

    def insert_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        vmid = self.vm(pid).vmid
        if kind < 2:
            self.machine.insert_breakpoint(address, hardware=kind == 1, vmid=vmid)
        else:
            self.machine.insert_watchpoint(address, length, read=kind in (3, 4), write=kind in (2, 4), vmid=vmid)

    def remove_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        vmid = self.vm(pid).vmid
        if kind < 2:
            self.machine.remove_breakpoint(address, hardware=kind == 1, vmid=vmid)
        else:
            self.machine.remove_watchpoint(address, length, read=kind in (3, 4), write=kind in (2, 4), vmid=vmid)

    def catch_exits(self, pid: int, events: CatchEvents) -> None:
        """See :class:`gdbhv.target.Target`."""
        catch_syscalls(self.catchers, pid, events)

    def _caught(self, v: Vcpu, record: ExitRecord, *, entry: bool) -> bool:
        return bool(self.catchers) and wanted(self.catchers, self.thread_of(v), record, entry=entry)

    # --- running

    def interrupt(self) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._interrupted = True
        self._interrupter.set()

    def run_all(self, max_insns: int | None = None) -> Stop:
        """Run every vCPU of every VM until the next stop."""
        return self.run([Action(self.thread_of(v)) for vm in self.host.running() for v in vm.vcpus], max_insns)

    def run(self, actions: Sequence[Action], max_insns: int | None = None) -> Stop:
        """See :class:`gdbhv.target.Target`."""
        moving = [self.vcpu(a.thread) for a in actions]
        moving = [v for v in moving if v.vm.stopped is None]
        first = self.thread_of(moving[0]) if moving else ThreadId(1, 1)
        stepping = next((a for a in actions if a.step), None)
        self.host.scheduler.allow(None if len(moving) == sum(len(vm.vcpus) for vm in self.host.vms) else moving)
        self._end = None if max_insns is None else sum(self.machine.insns) + max_insns
        if stepping is not None:
            v = self.vcpu(stepping.thread)
            return self._step(v, stepping, [other for other in moving if other is not v])
        if not moving or max_insns == 0:
            return self._nothing(first)
        return self._go(FOREVER, first)

    def _nothing(self, thread: ThreadId) -> Stop:
        self._interrupter.clear()
        kind = StopKind.INTERRUPT if self._interrupted else StopKind.BUDGET
        self._interrupted = False
        return Stop(kind, thread)

    def _type(self) -> None:
        """Give what was typed to the first VM that has a UART."""
        typed = self.console.take_input() if self.console is not None else b""
        if typed:
            for vm in self.host.running():
                for _, device in vm.devices:
                    if isinstance(device, Pl011):
                        device.receive(typed)
                        self.host.scheduler.resume()
                        return

    def _go(self, until: int, thread: ThreadId) -> Stop:
        """Run until a stop; it is BUDGET at virtual time ``until`` and at the run's end."""
        stop = self._settle()
        while stop is None:
            stop = self._turn(until, thread)
        return stop

    def _settle(self) -> Stop | None:
        """Handle the exit that was reported last, if it still has to be; then every CPU looks for something to run."""
        stop = None
        if self._pending is not None:
            v, record = self._pending
            self._pending = None
            stop = self._handle(v, record)
        self.host.scheduler.resume()
        return stop

    def _turn(self, until: int, thread: ThreadId) -> Stop | None:
        """Let the guests execute until one of them needs the hypervisor, and do what it needs; or to a stop."""
        scheduler = self.host.scheduler
        reason = self.machine.run(until, scheduler.mask(), self._end)
        kind, cpu = reason["kind"], reason["cpu"]
        if kind == "exit":
            assert cpu is not None
            v, record = self.host.exited(cpu)
            if not self.catchers or v.vm.stopped is not None or not self._caught(v, record, entry=False):
                return self._handle(v, record)
            self._pending = v, record
            where = self.thread_of(v)
            return Stop(StopKind.EXIT, where, exit=dict(record), text=self.describe(where, record))
        if kind == "wake":
            assert cpu is not None
            self.host.wake(cpu)
            return None
        if kind == "budget":
            return Stop(StopKind.BUDGET, thread)
        if kind == "interrupted":
            self._type()
            if self._interrupted:
                self._interrupted = False
                return Stop(StopKind.INTERRUPT, self._current(thread))
            return None
        if kind == "stuck":
            if until != FOREVER or self._end is not None:
                return Stop(StopKind.BUDGET, thread)
            if not nothing_to_come(self.console, lambda: self._interrupted):
                self._type()
                return None
            return Stop(
                StopKind.CRASH, self._current(thread), text="every vCPU waits or is off, and no interrupt is to come"
            )
        assert cpu is not None
        stopped = scheduler.loaded[cpu]
        assert stopped is not None
        stopped.held = self.machine.held(cpu)
        return Stop(StopKind(kind), self.thread_of(stopped), address=reason.get("address"))

    def _handle(self, v: Vcpu, record: ExitRecord) -> Stop | None:
        """Handle an exit; a stop if the VM ended by it, or if the entry after it is wanted."""
        ended = v.vm.stopped is not None
        self.host.handle_exit(v, record)
        if v.vm.stopped is not None and not ended:
            kind = {"poweroff": StopKind.POWEROFF, "reset": StopKind.RESET}.get(v.vm.stopped, StopKind.CRASH)
            return Stop(kind, self.thread_of(v), text=v.vm.stopped)
        if not ended and self.catchers and self._caught(v, record, entry=True):
            thread = self.thread_of(v)
            return Stop(StopKind.ENTRY, thread, exit=dict(record), text=f"back in {v.vm.name} after {record['name']}")
        return None

    def _current(self, default: ThreadId) -> ThreadId:
        """The thread to report for a stop that is nobody's: one that is executing."""
        for v in self.host.scheduler.loaded:
            if v is not None and v.vm.stopped is None and v.state is VcpuState.READY:
                return self.thread_of(v)
        return default

    def _step(self, v: Vcpu, action: Action, others: list[Vcpu]) -> Stop:
        """Execute one instruction of a vCPU, or while its PC is in the range. Others that may move get as many, later."""
        thread = self.thread_of(v)
        while True:
            stop = self._one(v, others)
            if stop is not None:
                return stop
            done = action.range is None or not action.range[0] <= self.read_register(thread, "pc") < action.range[1]
            self._owed += 1
            if others and self._owed >= LUMP:
                self.host.scheduler.allow(others)
                stop = self._go(self.machine.now + self._owed, thread)
                self._owed = 0
                if stop.kind is not StopKind.BUDGET:
                    return stop
            if done:
                return Stop(StopKind.STEP, thread)
            if self._spent():
                return Stop(StopKind.BUDGET, thread)

    def _spent(self) -> bool:
        """Whether the instructions asked for are executed."""
        return self._end is not None and sum(self.machine.insns) >= self._end

    def _one(self, v: Vcpu, others: list[Vcpu]) -> Stop | None:
        """Execute one instruction of ``v``; exits on its way are handled, and it begins again if they ask for it."""
        thread = self.thread_of(v)
        if v.state is VcpuState.OFF:
            return None
        before = self.read_register(thread, "pc")
        while True:
            waits, exits = v.state is VcpuState.WAITING, v.exits
            self.host.scheduler.allow([v, *others] if waits else [v])
            stop = self._settle()
            limit = FOREVER if waits else self.machine.now + 1
            while stop is None and self.read_register(thread, "pc") == before and waits == (v.state is VcpuState.WAITING):
                stop = self._turn(limit, thread)
            if stop is not None and stop.kind is not StopKind.BUDGET:
                return stop
            if self.read_register(thread, "pc") != before:
                return None
            if self._spent() or (stop is not None and waits):
                return Stop(StopKind.BUDGET, thread)
            if not waits and v.exits == exits:
                return None  # a branch to itself
