"""The debugger's view of a :class:`~gdbhv.hv.host.Host`: one process for each VM, its vCPUs as threads, on a CPU or not.

What there is to see is in :mod:`~gdbhv.hv.state`; here is what moves: breakpoints, catchpoints, running and stepping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdbhv.console import Console
from gdbhv.hv.mmio import Pl011
from gdbhv.hv.state import HostState
from gdbhv.hv.vcpu import Vcpu, VcpuState
from gdbhv.machine import Catcher, catch_syscalls, wanted
from gdbhv.pace import FOREVER, Pace
from gdbhv.target import Action, CatchEvents, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbhv._core import ExitRecord

LUMP = 64  # steps of one vCPU, after which the others get as many instructions


@dataclass
class HostTarget(HostState):
    """A host as a :class:`gdbhv.target.Target`."""

    console: Console | None = None
    catchers: dict[Any, Catcher] = field(default_factory=dict)
    describe: Callable[[ThreadId, ExitRecord], str] = lambda thread, record: record["name"]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.registers = self.host.registers
        self._interrupter = self.machine.interrupter()
        self._interrupted = False
        self._owed = 0  # instructions of other vCPUs for those that were stepped
        self._end: int | None = None  # of a run: instructions of the whole machine since it was made
        self.pace = Pace(self.machine, self.console)
        self._pending: tuple[Vcpu, ExitRecord] | None = None  # an exit that was reported and is not handled yet

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
        self.pace.wake()

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
        reason = self.pace.run(until, scheduler.mask(), self._end)
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
            if self.pace.sleep():
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
                stop = self._go(self.machine.now + self._owed * self.machine.ns_per_insn, thread)
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
