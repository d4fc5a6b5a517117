"""The debugger's view of a :class:`~gdbhv.hv.host.Host`: one process for each VM, its vCPUs as threads, on a CPU or not.

What there is to see is in :mod:`~gdbhv.hv.inspection`; here is what moves: breakpoints, catchpoints, running and stepping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv import _core, drives, dropped, inputs, snapshot, tables
from gdbhv.catching import Catchers, Met, catch_syscalls, change_point, held_back, watched
from gdbhv.console import Console, await_readers
from gdbhv.console.gathering import Gathering
from gdbhv.errors import GdbhvError, StateError
from gdbhv.exits.catches import CatchEvents
from gdbhv.exits.looping import Looping
from gdbhv.hv.inspection import HostInspection
from gdbhv.hv.interference import Interference
from gdbhv.hv.mmio import Terminal
from gdbhv.hv.networks import HostNetworks
from gdbhv.hv.vcpu import RunState, Vcpu
from gdbhv.hv.vm import Vm
from gdbhv.inputs import EVERYWHERE, Door, Entrance, Place, inject_serror
from gdbhv.pace import FOREVER, Pace, weakly
from gdbhv.snapshot import Beside, Snapshot
from gdbhv.snapshot.snapfile import Shape
from gdbhv.stepping import Stepping
from gdbhv.target import Action, DescribeWatch, Stop, StopKind, ThreadId, nothing_refused

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

STORM = 1000
"""Exits in a row after which something is wrong if time stands still; wake-ups in a row with no instruction between them."""


@dataclass
class HostTarget(HostNetworks, HostInspection, Interference, Entrance):
    """A host as a :class:`gdbhv.target.Target`."""

    console: Console | None = None
    consoles: dict[str, Console] = field(default_factory=dict)  # of VMs that have one of their own, by name

    def __post_init__(self) -> None:
        super().__post_init__()
        dropped.follow(self, self.host.shape.memory)
        self.registers = self.host.registers
        self.describe: Callable[[ThreadId, ExitRecord], str] = lambda thread, record: record["name"]
        self.describe_watch: DescribeWatch = lambda stop, write: stop.kind.value
        self.catchers = Catchers(self.machine)
        self._interrupter = self.machine.interrupter()
        self._interrupted = False
        self.stepping = Stepping()
        self.looping = Looping()
        self.machine.stops_on_loop = True
        self.selected: ThreadId | None = None
        self.door = Door(self)
        self._moving: tuple[list[ThreadId] | None, ThreadId | None] = (None, None)  # as the door was told last
        self.snapshots: dict[str, Snapshot] = {}
        self.jumps = 0
        self.refused = nothing_refused()
        self.asked: set[tuple[int, int, int, int]] = set()
        self._step: tuple[Vcpu, Action] | None = None  # what is stepped in this run
        self._stood = (0, 0)  # since when time has stood still, and for how many exits
        self._wakes = 0  # wake-ups of idle CPUs in a row
        self._end: int | None = None  # of a run: instructions of the whole machine since it was made
        self.pace = Pace(self.machine, weakly(self._awaited))
        self._outputs = Gathering([c for c in (self.console, *self.consoles.values()) if c is not None])
        for console in self._outputs.consoles:
            console.listen(self.pace.wake)

    # --- breakpoints and catchpoints

    def insert_breakpoint(self, pid: int, kind: int, address: int, length: int, conditions: Sequence[bytes] = ()) -> None:
        """See :class:`gdbhv.target.Target`."""
        vmid = self.vm(pid).vmid
        change_point(self.machine, kind, address, length, there=True, vmid=vmid, conditions=conditions)

    def remove_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        change_point(self.machine, kind, address, length, there=False, vmid=self.vm(pid).vmid)

    def catch_exits(self, pid: int, events: CatchEvents) -> None:
        """See :class:`gdbhv.target.Target`."""
        catch_syscalls(self.catchers, pid, events, vm=pid)

    @property
    def exit_numbers(self) -> frozenset[int]:
        """See :class:`gdbhv.target.Target`."""
        return tables.exit_numbers()

    @property
    def off_text(self) -> str:
        """See :class:`gdbhv.target.Target`."""
        return "all VMs are off"

    # --- inputs: see gdbhv.inputs.Outside

    def here(self) -> Place:
        """See :class:`gdbhv.inputs.Outside`."""
        insns, ns, steps, midway = self.machine.place
        return Place(insns, ns, steps, "exit" if self.host.pending is not None else "midway" if midway else "")

    def put_typed(self, pid: int, data: bytes, *, paced: bool) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        terminal = self.vm(pid).terminal
        if terminal is None:
            raise GdbhvError(f"{self.vm(pid).name} has no UART to type on")
        terminal.receive(data, paced=paced)
        self.host.scheduler.resume()

    def put_serror(self, cpu: int, syndrome: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        inject_serror(self.machine, cpu, syndrome)

    def put_counts_cleared(self) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self.machine.clear_exit_counts()

    def put_moving(self, threads: list[ThreadId] | None, held: ThreadId | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self._moving = threads, held
        self.host.scheduler.allow(None if threads is None else [self.vcpu(t) for t in threads])

    def put_reset(self, pid: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        vms = self.host.vms if pid is None else [self.vm(pid)]
        self._drop_exit(vms)
        now = self.machine.now
        self.host.reset(vms)
        self.drop_clients([vm.vmid for vm in vms])
        self.put_moving(None, None)
        self.jumps += 1
        if self.machine.now < now:
            self.pace.reset()

    def put_power_button(self, pid: int) -> str:
        """See :class:`gdbhv.inputs.Outside`."""
        self.vm(pid).press_power_button()
        return self.vm(pid).name

    def put_end(self, pid: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        vm = self.vm(pid)
        self._drop_exit([vm])
        vm.stop("killed")

    def _drop_exit(self, vms: list[Vm]) -> None:
        """Forget the exit that was reported last if it is of one of ``vms``: it is never handled."""
        pending = self.host.pending
        if pending is not None and pending[0].vm in vms:
            self.host.handling = None

    # --- snapshots

    def snapshot(self, name: str | None = None) -> Snapshot:
        """See :class:`gdbhv.target.Target`."""
        return snapshot.take(self, name)

    def shape(self) -> Shape:
        """See :class:`gdbhv.snapshot.Keeper`."""
        return self.host.shape

    def save_beside(self) -> Beside:
        """See :class:`gdbhv.snapshot.Keeper`."""
        return Beside(self.host.save_bytes(), tuple(vm.guest() for vm in self.host.vms))

    def load_beside(self, beside: Beside, *, foreign: bool) -> None:
        """See :class:`gdbhv.snapshot.Keeper`."""
        self.door.check_jump()
        if foreign:
            drives.check_same(self.disks(), beside.guests)
        before = [vm.recipe for vm in self.host.vms]
        for vm, guest in zip(self.host.vms, beside.guests, strict=False):  # Host.load refuses another number
            vm.recipe = vm.recipe if foreign and vm.resettable else guest.start
        try:
            self.host.load_bytes(beside.state)
        except StateError:
            for vm, recipe in zip(self.host.vms, before, strict=True):
                vm.recipe = recipe
            raise

    def jumped(self) -> None:
        """See :class:`gdbhv.snapshot.Keeper`."""
        self.jumps += 1
        self.put_moving(None, None)
        self.pace.reset()
        self.door.jumped()
        self.drop_clients()

    @property
    def silent(self) -> bool:
        """See :class:`gdbhv.target.Target`."""
        return self.console is not None and not self.console.text

    # --- running

    def interrupt(self) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._interrupted = True
        self.pace.wake()

    def await_readers(self) -> None:
        """Stand still while a console is full, until somebody reads or :meth:`interrupt`. A run without a budget does it."""
        await_readers((self.console, *self.consoles.values()), lambda: self._interrupted)

    def run_all(self, max_insns: int | None = None) -> Stop:
        """Run every vCPU of every VM until the next stop."""
        return self.run([Action(self.thread_of(v)) for vm in self.host.running() for v in vm.vcpus], max_insns)

    def run(self, actions: Sequence[Action], max_insns: int | None = None) -> Stop:
        """See :class:`gdbhv.target.Target`."""
        moving = [v for a in actions if (v := self.vcpu(a.thread)).vm.stopped is None]
        first = self.thread_of(moving[0]) if moving else ThreadId(1, 1)
        stepping = next((a for a in actions if a.step), None)
        if (over := self._begin(first, moving, stepping)) is not None:
            return over
        self._end = None if max_insns is None else sum(self.machine.insns) + max_insns
        self._stood, self._wakes, self._step = (0, 0), 0, None
        if not moving or max_insns == 0:
            return self._nothing(first)
        if stepping is None:
            return self._go(first)
        v = self.vcpu(stepping.thread)
        if v.state is RunState.OFF:
            text = f"{v.name} is off: it cannot be stepped before PSCI CPU_ON starts it"
            return Stop(StopKind.CRASH, stepping.thread, text=text)
        self._step = v, stepping
        return self._go(stepping.thread)

    def _begin(self, first: ThreadId, moving: list[Vcpu], stepping: Action | None) -> Stop | None:
        """Settle who moves: as the debugger says, or in a replay as it said then; return the stop if nothing can go on."""
        if self.door.replays:
            return self.door.end_at(first)
        everybody = len(moving) == sum(len(vm.vcpus) for vm in self.host.running())
        threads = None if everybody or not moving else [self.thread_of(v) for v in moving]
        held = stepping.thread if stepping is not None and not self.stepping.interrupts else None
        if (threads, held) != self._moving:
            named = None if threads is None else [str(t) for t in threads]
            self.door.enter(inputs.Moving(threads=named, held=None if held is None else str(held)))
        return None

    def _nothing(self, thread: ThreadId) -> Stop:
        self._interrupter.clear()
        kind = StopKind.INTERRUPT if self._interrupted else StopKind.BUDGET
        self._interrupted = False
        if kind is StopKind.BUDGET and not self.host.running():
            return Stop(StopKind.POWEROFF, thread, text=self.off_text)
        return Stop(kind, thread)

    def _terminals(self) -> Iterator[tuple[Console, Vm, Terminal]]:
        """Who types on what: each VM's own console, and the common one on the first VM that has none of its own."""
        common = self.console
        for vm in self.host.running():
            console = self.consoles.get(vm.name, common)
            terminal = vm.terminal
            if console is not None and terminal is not None:
                yield console, vm, terminal
                common = None if console is common else common

    def _awaited(self) -> bool:
        """Whether something may come from outside that a VM would see."""
        return self.clients_awaited or any(c.interactive and t.listens for c, _, t in self._terminals())

    def _type(self) -> None:
        """Give terminals what was typed, and networks what has come."""
        for console, vm, terminal in self._terminals() if not self.door.closed else ():
            if typed := console.take_input(self.machine.now, sum(self.machine.insns)):
                self.door.enter(inputs.Typed(vm=vm.vmid, text=typed.decode("latin-1"), paced=console.paced))
            console.waiting = terminal.waiting
        self.attend_networks()

    def _go(self, thread: ThreadId) -> Stop:
        """Run until a stop; it is BUDGET at the run's end."""
        with self._outputs:
            stop = self._settle()
            while stop is None:
                if self._end is None:
                    self.await_readers()
                stop = self._turn(thread)
            return stop

    def _settle(self) -> Stop | None:
        """Handle the exit that was reported last, if it still has to be; then every CPU looks for something to run."""
        stop = None
        pending = self.host.pending
        if pending is not None:
            stop = self._handle(*pending)
        self.host.handling = None  # nor is an exit that a reset has taken away
        self.host.scheduler.resume()
        return stop

    def _turn(self, thread: ThreadId) -> Stop | None:
        """Let the guests execute until one of them needs the hypervisor, and do what it needs; or to a stop."""
        scheduler = self.host.scheduler
        until = self._outputs.until(self.machine.now)
        reason = self._advance(scheduler.mask(), until)
        kind, cpu = reason["kind"], reason["cpu"]
        if kind != "exit":
            self._outputs.pass_on()
        else:
            assert cpu is not None
            v, record = self.host.exited(cpu)
            if record["class"] != "dabt":
                self._outputs.pass_on()
            met: Met | None = None
            if reason["caught"] and v.vm.stopped is None:
                met = self.catchers.met(cpu, self.thread_of(v), record, entry=False)
            if self.door.replays:
                taken = self.door.taken
                if (over := self.door.end_at(thread)) is not None:
                    return over
                if self.door.taken != taken and not (met is not None and self.host.pending is not None):
                    return self._settle()  # as after the stop at which it came in
            if met is None or met.quiet:
                still = self.host.pending is not None  # a hook may have answered it
                return (self._handle(v, record) if still else self._settle()) or self._storm(kind, thread)
            where = self.thread_of(v)
            return met.stop(StopKind.EXIT, where, record, self.describe(where, record))
        if kind == "caught":
            assert cpu is not None
            own, other = scheduler.loaded[cpu], self.machine.other_record(cpu)
            assert own is not None
            assert other is not None
            where = self.thread_of(own)
            met = self.catchers.met(cpu, where, other, entry=False)
            told = met is not None and not met.quiet
            return met.stop(StopKind.EXIT, where, other, self.describe(where, other)) if met and told else None
        if kind in ("wake", "loop"):
            assert cpu is not None
            if kind == "wake":
                self.host.wake(cpu)
            return self._storm(kind, thread)
        if kind == "pause":
            over = self.door.end_at(thread, paused=True)
            scheduler.resume()
            return over
        if kind == "budget":
            ends = until == FOREVER or (self._end is not None and sum(self.machine.insns) >= self._end)
            return Stop(StopKind.BUDGET, thread) if ends else None
        if kind == "interrupted":
            self._type()
            if self._interrupted:
                self._interrupted = False
                return Stop(StopKind.INTERRUPT, self._current(thread))
            return None
        if kind == "stuck":
            if self._end is not None:
                return Stop(StopKind.BUDGET, thread)
            if self.pace.sleep():
                return None
            return Stop(StopKind.CRASH, self._current(thread), text=self._why_stuck())
        if kind == "step":
            return Stop(StopKind.STEP, thread, text=self.stepping.text(thread, reason["held"]))
        assert cpu is not None
        stopped = scheduler.loaded[cpu]
        assert stopped is not None
        stopped.held = self.machine.held(cpu)
        stop = Stop(StopKind(kind), self.thread_of(stopped), address=reason.get("address"))
        return watched(stop, reason, self.describe_watch)

    def _handle(self, v: Vcpu, record: ExitRecord) -> Stop | None:
        """Handle an exit; a stop if the VM ended by it, or if the entry after it is wanted."""
        ended, completed = v.vm.stopped is not None, v.completed
        self.host.handle_exit(v, record)
        if v.vm.stopped is not None and not ended:
            kind = {"poweroff": StopKind.POWEROFF, "reset": StopKind.RESET}.get(v.vm.stopped, StopKind.CRASH)
            return Stop(kind, self.thread_of(v), text=v.vm.stopped)
        if not ended and self.catchers.entries and self.machine.sift_entry(record["cpu"]):
            thread = self.thread_of(v)
            met = self.catchers.met(record["cpu"], thread, record, entry=True)
            if met is not None and not met.quiet:
                return met.stop(StopKind.ENTRY, thread, record, f"back in {v.vm.name} after {record['name']}")
        if self._step is not None and v is self._step[0] and (v.completed != completed or v.pc != record["pc"]):
            within = self._step[1].range
            if within is None or not within[0] <= v.pc < within[1]:
                return Stop(StopKind.STEP, self.thread_of(v))
        return None

    def _current(self, default: ThreadId) -> ThreadId:
        """Return the thread to report for a stop that no thread caused: one that is executing."""
        for v in self.host.scheduler.loaded:
            if v is not None and v.vm.stopped is None and v.state is RunState.READY:
                return self.thread_of(v)
        return default

    def _advance(self, mask: int, until: int) -> _core.Stop:
        """Let the machine run; or step, while the vCPU that is stepped is in its guest."""
        step, held = None, self._moving[1]
        if self._step is not None:
            v, action = self._step
            if v.cpu is not None and self.host.scheduler.in_guest[v.cpu]:
                step = v.cpu, action.range, self.thread_of(v) == held
        elif held is not None:
            v = self.vcpu(held)
            if v.cpu is not None and self.host.scheduler.in_guest[v.cpu]:
                step = v.cpu, EVERYWHERE, True
        return self.pace.run(until, mask, self._end, step)

    def _storm(self, kind: str, thread: ThreadId) -> Stop | None:
        """Count exits between which no time passes, and wake-ups between which nobody executes: neither lasts for ever."""
        if (found := self.machine.take_loop()) and (text := self.looping.noticed(found)) is not None:
            return Stop(StopKind.LOOP, self._current(thread), text=text)
        now = self.machine.now
        since, exits = self._stood
        self._stood = (since, exits + 1) if since == now else (now, 0)
        self._wakes = self._wakes + 1 if kind == "wake" else 0
        if self._stood[1] > STORM:
            self._stood = (now, 0)
            last = self.vcpu(which := self._current(thread)).last_exit
            what = f" (the last is {last['name']})" if last is not None else ""
            text = f"{STORM} exits{what} and no instruction executed: the vCPU comes no further"
            return Stop(StopKind.CRASH, which, text=text)
        return Stop(StopKind.BUDGET, thread) if self._wakes > STORM and self._end is not None else None

    def _why_stuck(self) -> str:
        able = [v for vm in self.host.running() for v in vm.vcpus if v.state is not RunState.OFF]
        held = [v.name for v in able if not self.host.scheduler.may(v)]
        if self._step is None:
            may = " that may run" if held else ""
            return f"every vCPU{may} waits or is off, and no interrupt is to come{held_back(held)}"
        in_wfe = (v := self._step[0]).cpu is not None and self.machine.power(v.cpu) == "wfe"
        waits = "waits in WFI" if v.state is RunState.WAITING else "waits in WFE" if in_wfe else "waits"
        return f"{v.name} cannot be stepped: it {waits}, and no interrupt is to come{held_back(held)}"
