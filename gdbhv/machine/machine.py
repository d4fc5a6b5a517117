"""The bare machine: the guest owns EL2, or there is none. One process, whose threads are the CPUs.

machine = Machine(cpus=2, memory=1 << 30)
machine.load(layout)
stop = machine.run_all()
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from gdbhv import _core, drives, inputs, pages, snapshot, tables
from gdbhv.board.calls import SemihostingCalls
from gdbhv.board.slots import Slots
from gdbhv.catching import Catchers, catch_syscalls, watched
from gdbhv.console import Console, await_readers
from gdbhv.drives import Plugged
from gdbhv.errors import GdbhvError, RegisterError, StateError
from gdbhv.exits.catches import CatchEvents
from gdbhv.exits.looping import Looping
from gdbhv.inputs import EVERYWHERE, Door, Entrance, Place, inject_serror
from gdbhv.machine.inspection import MachineInspection
from gdbhv.machine.interference import Interference
from gdbhv.machine.points import Points
from gdbhv.machine.vms import Vms
from gdbhv.pace import Pace, weakly
from gdbhv.snapshot import Beside, Snapshot
from gdbhv.snapshot.snapfile import Guest, PowerOn, Shape
from gdbhv.stepping import Stepping
from gdbhv.target import (
    Action,
    BreakRecord,
    DescribeWatch,
    Space,
    Stop,
    StopKind,
    Symbols,
    ThreadId,
    nothing_refused,
)

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

CHUNK = 20_000_000  # nanoseconds of virtual time between two looks at the console
STILL = 10_000  # idle CHUNKs in a row, after which a run with a budget of instructions is over


class Machine(Slots, SemihostingCalls, MachineInspection, Interference, Entrance):
    """A machine without a host side, as a :class:`gdbhv.target.Target`.

    :param cpus: 1 to 8.
    :param memory: bytes of RAM, from 0x40000000.
    :param cpu: profile, one of :func:`gdbhv._core.profiles`.
    :param el2: False leaves EL2 out.
    :param gic: version of the interrupt controller, 2 or 3.
    :param ns_per_insn: nanoseconds of virtual time that an instruction takes, 1 to 1000.
    """

    consoles: Mapping[str, Console] = {}

    def __init__(
        self,
        *,
        cpus: int = 1,
        memory: int = 1 << 30,
        cpu: str = "max",
        el2: bool = True,
        gic: int = 3,
        ns_per_insn: int = 1,
        console: Console | None = None,
    ) -> None:
        try:
            self.core = _core.Machine(
                cpus=cpus, memory=memory, cpu=cpu, hosted=False, el2=el2, gic=gic, ns_per_insn=ns_per_insn
            )
        except ValueError as e:
            raise GdbhvError(str(e)) from None
        self._vms = Vms(self.core)
        self._points = Points(self.core, self._vms)
        self.selected: ThreadId | None = None
        self._stopped = self._thread_id(0)  # the thread of the last stop
        self._awaited: ThreadId | None = None  # a vCPU that is stepped, while its hypervisor has it
        self._shape = Shape(False, cpus, memory, cpu, el2, gic, ns_per_insn)
        self.el2 = el2
        self._gic = gic
        self.registers = tables.registers(cpu, el2=el2, gic=gic)
        self.console = console
        self.catchers = Catchers(self.core)
        self.describe: Callable[[ThreadId, ExitRecord], str] = lambda thread, record: record["name"]
        self.describe_watch: DescribeWatch = lambda stop, write: stop.kind.value
        self.ended: Stop | None = None
        self.image: Symbols | None = None  # what runs, for its symbols
        self.plugged: Sequence[Plugged] = ()
        self.stepping = Stepping()
        self.looping = Looping()
        self.core.stops_on_loop = True
        self.door = Door(self)
        self._moving: tuple[int, int | None] = (self._all, None)  # CPUs that may execute, a mask; who takes no interrupts
        self.snapshots: dict[str, Snapshot] = {}
        self.jumps = 0
        self._recipe: PowerOn | None = None
        self.refused = nothing_refused()
        self.asked: set[tuple[int, int, int, int]] = set()
        self._interrupter = self.core.interrupter()
        self._interrupted = False
        self.pace = Pace(self.core, weakly(self._awaits))
        if console is not None:
            console.listen(self.pace.wake)
            self.pace.before_sleep = weakly(self._attend_console)

    def start(self, pieces: Sequence[tuple[int, bytes]], entry: int, x0: int) -> None:
        """Put bytes into RAM and CPU 0 at ``entry`` with ``x0``; :meth:`reset` does it again.

        :raises gdbhv.errors.MemoryError_: outside RAM.
        """
        self._recipe = PowerOn(tuple(pieces), entry, x0)
        self._load(self._recipe)

    def _load(self, recipe: PowerOn) -> None:
        for address, data in recipe.pieces:
            self.put_memory(self._thread_id(0), address, data, Space.PA)
        self.core.write_register(0, "pc", recipe.entry)
        self.core.write_register(0, "x0", recipe.x0)

    def here(self) -> Place:
        """See :class:`gdbhv.inputs.Outside`."""
        insns, ns, steps, midway = self.core.place
        return Place(insns, ns, steps, "midway" if midway else "")

    def put_typed(self, pid: int, data: bytes, *, paced: bool) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self.core.push_input(data, paced)

    def put_serror(self, cpu: int, syndrome: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        inject_serror(self.core, cpu, syndrome)

    def put_counts_cleared(self) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self.core.clear_exit_counts()

    def put_moving(self, threads: list[ThreadId] | None, held: ThreadId | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        mask = self._all if threads is None else sum(1 << self._cpu(t) for t in threads)
        self._moving = mask, None if held is None else self._cpu(held)

    def put_reset(self, pid: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        if pid not in (None, self.PID):
            raise GdbhvError(f"VM {pid} is its hypervisor's to reset: `monitor reset --all` resets the machine")
        self.core.reset()
        self.ended = self.called = None
        if self.semihosting is not None:
            self.semihosting.close()
        self.jumps += 1
        self.put_moving(None, None)
        self.pace.reset()
        if self._recipe is not None:
            self._load(self._recipe)

    def snapshot(self, name: str | None = None) -> Snapshot:
        """See :class:`gdbhv.target.Target`."""
        self._attend_console()  # what was printed is no part of it
        return snapshot.take(self, name)

    def shape(self) -> Shape:
        """See :class:`gdbhv.snapshot.Keeper`."""
        return self._shape

    def save_beside(self) -> Beside:
        """See :class:`gdbhv.snapshot.Keeper`."""
        end = self.ended and {**asdict(self.ended), "kind": self.ended.kind.value}
        path, sha256 = (self.image.path, self.image.sha256) if self.image is not None else (None, None)
        memory = (*self.core.ram, True)
        why = None if self.ended is None else self.ended.text
        plugged = tuple(self.plugged)
        guest = Guest(
            "machine", self.core.cpus, (memory,), (), path, sha256, why, self._recipe, drives=plugged, net=self.net
        )
        return Beside(json.dumps([end, self.save_calls()]).encode(), (guest,))

    def load_beside(self, beside: Beside, *, foreign: bool) -> None:
        """See :class:`gdbhv.snapshot.Keeper`."""
        self.door.check_jump()
        recipe = beside.guests[0].start
        if foreign and self._recipe not in (None, recipe):
            raise StateError("of another machine: it was started with another image")
        if foreign:
            drives.check_same(self.disks(), beside.guests)
        end, calls = json.loads(beside.state)
        if end is not None:
            end = Stop(**{**end, "kind": StopKind(end["kind"]), "thread": ThreadId(**end["thread"])})
        self.load_calls(calls)
        self._attend_console()  # what was printed stays printed
        self.ended, self._recipe = end, recipe

    def jumped(self) -> None:
        """See :class:`gdbhv.snapshot.Keeper`."""
        self.jumps += 1
        self.put_moving(None, None)
        self.pace.reset()
        self.door.jumped()
        self.drop_clients()

    def put_power_button(self, pid: int) -> str:
        """See :class:`gdbhv.inputs.Outside`."""
        self.core.press_power_button()
        return "the machine"

    def put_end(self, pid: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        if pid != self.PID and self.ended is None:
            raise GdbhvError(f"VM {pid} is its hypervisor's to end: `kill inferiors 1` ends the machine")
        self.ended = Stop(StopKind.POWEROFF, self._thread_id(0), text="killed")

    def put_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        if self._away(thread):
            self._vms.refuse_write(thread, register)
        try:
            self.core.write_register(self._cpu(thread), register, value)
        except KeyError as e:
            raise RegisterError(tables.register_name(register, self.registers), str(e.args[0])) from None

    def put_memory(self, thread: ThreadId, address: int, data: bytes, space: Space) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        pages.write(self.core, self._physical(thread, space), address, data, self._near(thread))

    def insert_breakpoint(self, pid: int, kind: int, address: int, length: int, conditions: Sequence[bytes] = ()) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._points.insert((pid, kind, address, length), self.selected or self._stopped, conditions)

    def remove_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._points.remove((pid, kind, address, length))

    def break_in(self, scope: str | None = None) -> tuple[str, Sequence[BreakRecord]]:
        """See :class:`gdbhv.target.Target`."""
        if scope is not None:
            self._points.set_mode(scope)
        return self._points.mode, [BreakRecord(*row[1:], words, passed) for row, words, passed in self._points.table()]

    def catch_exits(self, pid: int, events: CatchEvents) -> None:
        """See :class:`gdbhv.target.Target`."""
        catch_syscalls(self.catchers, pid, events)

    def interrupt(self) -> None:
        """See :class:`gdbhv.target.Target`."""
        self._interrupted = True
        self.pace.wake()

    def await_readers(self) -> None:
        """Stand still while a console is full, until somebody reads or :meth:`interrupt`. A run without a budget does it."""
        await_readers((self.console,), lambda: self._interrupted)

    def run_all(self, max_insns: int | None = None) -> Stop:
        """Run every CPU until the next stop."""
        return self.run([Action(self._thread_id(i)) for i in range(self.core.cpus)], max_insns)

    def run(self, actions: Sequence[Action], max_insns: int | None = None) -> Stop:
        """See :class:`gdbhv.target.Target`."""
        if self.ended is not None:
            return self.ended
        end = None if max_insns is None else sum(self.core.insns) + max_insns
        first = actions[0].thread if actions else self._thread_id(0)
        step = next((a for a in actions if a.step and max_insns != 0), None)
        self._points.runs(step=step is not None)
        self._awaited = None
        self._set_mask()
        if step is not None and step.thread.pid != self.PID:
            stop = self._step_vcpu(actions, step, end)
        elif step is not None and self.core.power(cpu := self._cpu(step.thread)) == "off":
            text = f"cpu{cpu} is off: it cannot be stepped before PSCI CPU_ON starts it"
            return Stop(StopKind.CRASH, step.thread, text=text)
        elif (over := self._begin(actions, step)) is not None:
            return over
        else:
            stop = self._go(end, first if step is None else step.thread, step)
        self._stopped = stop.thread
        return stop

    def _step_vcpu(self, actions: Sequence[Action], step: Action, end: int | None) -> Stop:
        """Step a vCPU: its CPU, while that executes it; while its hypervisor has it, everything runs. An instruction that
        exits has been executed when the vCPU goes on behind it."""
        thread, everything = step.thread, [Action(self._thread_id(n)) for n in range(self.core.cpus)]
        vm, _ = self._vms.vcpu(thread)
        alone = len(actions) == 1 and len(vm.vcpus) > 1
        while True:
            pc, cpu = self.read_register(thread, "pc"), self._vms.cpu(thread)
            one = None if cpu is None else Action(self._thread_id(cpu), True, step.range)
            self._awaited = thread if one is None else None
            self._set_mask()
            moving = [one] if one is not None and alone else everything
            if (over := self._begin(moving, one)) is not None:
                return over
            stop = self._go(end, thread, one)
            if stop.kind is not StopKind.STEP:
                return stop
            within = step.range is not None and step.range[0] <= self.read_register(thread, "pc") < step.range[1]
            if one is None:
                done = self.read_register(thread, "pc") != pc and not within
            else:
                done = self._vms.cpu(thread) == cpu
            if done:
                return replace(stop, thread=thread)

    def _begin(self, actions: Sequence[Action], step: Action | None) -> Stop | None:
        """Settle who moves: as the debugger says, or in a replay as it said then.

        A vCPU goes where its hypervisor has it go: for one everything moves.
        """
        if self.door.replays:
            return self.door.end_at(self._thread_id(0))
        held = step.thread if step is not None and not self.stepping.interrupts else None
        own = [a.thread for a in actions if a.thread.pid == self.PID]
        mask = sum(1 << self._cpu(t) for t in own) if own or not actions else self._all
        if (mask, None if held is None else self._cpu(held)) != self._moving:
            threads = (
                None if mask == self._all else [str(self._thread_id(n)) for n in range(self.core.cpus) if mask >> n & 1]
            )
            self.door.enter(inputs.Moving(threads=threads, held=None if held is None else str(held)))
        return None

    @property
    def _all(self) -> int:
        return (1 << self.core.cpus) - 1

    def _set_mask(self) -> None:
        self.core.catch_exits([], self._awaited is not None)

    def _attend_console(self) -> None:
        """Pass on what the guest has sent, and tell the console how far the guest is with what was typed."""
        if self.console is not None:
            self.console.write(self.core.take_output())
            self.console.waiting = self.core.input_waiting

    def _type(self) -> None:
        """Give the UART what was typed, and the network what has come."""
        self.attend_networks()
        if self.console is None or self.door.closed:
            return
        if typed := self.console.take_input(self.core.now, sum(self.core.insns)):
            self.door.enter(inputs.Typed(vm=self.PID, text=typed.decode("latin-1"), paced=self.console.paced))

    def _go(self, end: int | None, first: ThreadId, step: Action | None) -> Stop:
        """Run until a stop; it is BUDGET after ``end`` instructions since the machine was made."""
        still, executed = 0, -1  # looks at the console in a row with no instruction between them; instructions at the last
        while True:
            if end is None:
                self.await_readers()
            if self.called is not None and (early := self.attend_call(first, step, waits=end is None)) is not None:
                return early
            limit = self.core.now + CHUNK
            stop = self._advance(limit, end, step)
            self._attend_console()
            self._type()
            kind, cpu = stop["kind"], stop.get("cpu")
            thread = first if cpu is None else self._thread_id(cpu)
            if kind == "interrupted" or (self._interrupted and kind in ("budget", "stuck", "step")):
                if self._interrupted:
                    return self.end_interrupt(first)
                continue
            if kind == "semihosting":
                self.called = cpu
                continue
            if kind == "pause":
                if (over := self.door.end_at(first, paused=True)) is not None:
                    return over
                continue
            if kind == "budget":
                before, executed = executed, sum(self.core.insns)
                still = still + 1 if before == executed else 0
                if end is not None and (self.core.now < limit or executed >= end or still > STILL):
                    return Stop(StopKind.BUDGET, first)
                continue
            if kind == "stuck":
                if end is not None:
                    return Stop(StopKind.BUDGET, first)
                if self.pace.sleep():
                    continue
                return Stop(StopKind.CRASH, first, text=self._why_stuck(step))
            if kind == "step":
                return Stop(StopKind.STEP, thread, text=self.stepping.text(thread, stop["held"]))
            if (looped := self.core.take_loop()) and (said := self.looping.noticed(looped)) is not None:
                return Stop(StopKind.LOOP, thread, text=said)
            if kind == "loop":
                continue
            if kind in ("caught", "entry"):
                assert cpu is not None
                if kind == "entry" and self._awaited is not None and self._vms.at(cpu) == self._awaited:
                    return Stop(StopKind.STEP, self._awaited)
                record = self.core.other_record(cpu) or self.core.exit_record(cpu)
                assert record is not None
                met = self.catchers.met(cpu, thread, record, entry=kind == "entry")
                stepped = step is not None and thread == step.thread and not self._within(cpu, step)
                if met is None or met.quiet:
                    if stepped:
                        return Stop(StopKind.STEP, thread)
                    continue
                what = StopKind.ENTRY if kind == "entry" else StopKind.EXIT
                text = f"back in the guest after {record['name']}" if kind == "entry" else self.describe(thread, record)
                found = met.stop(what, thread, record, text)
                return replace(found, kind=StopKind.STEP, exit=None, passing=False) if found.passing and stepped else found
            if kind in ("poweroff", "reset"):
                self.ended = Stop(StopKind(kind), thread, text=kind)
                return self.ended
            here = None if cpu is None else self._vms.at(cpu)
            inside = here is not None and self._vms.cpu(here) is not None
            address = stop.get("address", 0)
            self._points.hit(address, in_vm=inside)
            if here is not None and stop["of_vm"] and self._points.has(here.pid, address):
                thread = here
            return watched(Stop(StopKind(kind), thread, address=stop.get("address")), stop, self.describe_watch)

    def _advance(self, until: int, end: int | None, step: Action | None) -> _core.Stop:
        mask, held = self._moving
        how = None if step is None else (self._cpu(step.thread), step.range, self._cpu(step.thread) == held)
        if held is not None and how is None:
            how = held, EVERYWHERE, True
        return self.pace.run(until, mask, end, how)

    def _within(self, cpu: int, step: Action) -> bool:
        return step.range is not None and step.range[0] <= self.core.read_register(cpu, "pc") < step.range[1]
