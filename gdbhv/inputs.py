"""The one door: everything that reaches a machine from outside, each thing with its place in the run.

What a machine does follows from what it was started with and from its *inputs*: typed characters, a debugger's writes,
injected errors, resets, who may run. A :class:`Door` is where a target takes them; nothing else changes a machine that has
been started. A recording notes each with its :class:`Place`, and a replay lets them in again there.

Where a run stops, at breakpoints, steps and Ctrl-C, is no input: it changes nothing for the guest.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gdbhv.errors import GdbhvError
from gdbhv.target import Space, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbhv import _core

EVERYWHERE = (0, (1 << 64) - 1)  # a range in which all steps stay


class Place(msgspec.Struct, array_like=True, frozen=True):
    """Where a run is, exactly.

    ``steps`` counts turns of CPUs, exceptions and wake-ups: it tells places at one instruction apart. ``phase`` is "midway"
    if a single step ended before its CPU has looked for interrupts, "exit" if an exit has been reported and not handled yet.
    """

    insns: int  # of all CPUs together
    ns: int  # virtual time
    steps: int
    phase: str = ""


NOWHERE = Place(0, 0, 0)


class Outside(Protocol):
    """What a machine does with its inputs. Only a :class:`Door` calls these."""

    def here(self) -> Place:
        """Return where the run is."""

    def put_typed(self, pid: int, data: bytes, *, paced: bool) -> None:
        """Type on the terminal of a process."""

    def put_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """Do what ``Target.write_register`` says."""

    def put_memory(self, thread: ThreadId, address: int, data: bytes, space: Space) -> None:
        """Do what ``Target.write_memory`` says."""

    def put_serror(self, cpu: int, syndrome: int | None) -> None:
        """Do what ``Target.inject_serror`` says."""

    def put_power_button(self, pid: int) -> str:
        """Do what ``Target.press_power_button`` says."""

    def put_semihosted(self, cpu: int, value: int, memory: Sequence[tuple[int, bytes]]) -> None:
        """Answer the semihosting call that a CPU stands at: x0, and memory (VA, bytes)."""

    def put_network(self, pid: int, client: int, event: str, data: bytes, port: int) -> None:
        """Tell a guest what a client of its network does: see :class:`Network`."""

    def put_end(self, pid: int) -> None:
        """Do what ``Target.end`` says."""

    def put_reset(self, pid: int | None) -> None:
        """Do what ``Target.reset`` says."""

    def put_moving(self, threads: list[ThreadId] | None, held: ThreadId | None) -> None:
        """Let only ``threads`` execute from now on (None: all), and leave the interrupts of ``held`` pending."""

    def put_counts_cleared(self) -> None:
        """Do what ``Target.clear_exit_counts`` says."""

    def put_answer(self, thread: ThreadId, value: int | None) -> None:
        """Do what ``Target.answer`` says."""

    def put_exception(self, thread: ThreadId, esr: int, far: int | None) -> None:
        """Do what ``Target.inject_exception`` says."""

    def put_interrupt(self, thread: ThreadId, intid: int) -> None:
        """Do what ``Target.inject_interrupt`` says."""

    def put_virtual_serror(self, thread: ThreadId, syndrome: int) -> None:
        """Do what ``Target.inject_virtual_serror`` says."""


class Input(msgspec.Struct, tag_field="what", frozen=True, kw_only=True, omit_defaults=True):
    """Something from outside, and the place at which it came."""

    at: Place = NOWHERE

    def apply(self, machine: Outside) -> Any:
        """Let the machine have it."""
        raise NotImplementedError


class Typed(Input, tag="typed", frozen=True):
    """Characters, each a byte (Latin-1). ``paced``: line by line, each when the guest has been silent."""

    vm: int
    text: str
    paced: bool = False

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_typed(self.vm, self.text.encode("latin-1"), paced=self.paced)


class Register(Input, tag="register", frozen=True):
    """A debugger writes a register; ``value`` is hexadecimal."""

    thread: str
    register: str | int
    value: str

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_register(ThreadId.parse(self.thread), self.register, int(self.value, 16))


class Memory(Input, tag="memory", frozen=True):
    """A debugger writes memory, or a device's registers; ``address`` and ``data`` are hexadecimal."""

    thread: str
    space: Space
    address: str
    data: str

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_memory(ThreadId.parse(self.thread), int(self.address, 16), bytes.fromhex(self.data), self.space)


class SError(Input, tag="serror", frozen=True):
    """``monitor inject serror``."""

    cpu: int
    syndrome: int | None = None

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_serror(self.cpu, self.syndrome)


class PowerButton(Input, tag="power-button", frozen=True):
    """``monitor inject power-button``."""

    vm: int

    def apply(self, machine: Outside) -> str:
        """See :class:`Input`."""
        return machine.put_power_button(self.vm)


class Network(Input, tag="network", frozen=True):
    """Somebody outside opens a connection to the guest's ``port``, sends ``data`` (hexadecimal), or ends or aborts it.

    Or sends a ``datagram`` of UDP there.
    """

    vm: int
    client: int
    event: str  # "open", "data", "end", "abort" or "datagram"
    port: int = 0
    data: str = ""

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_network(self.vm, self.client, self.event, bytes.fromhex(self.data), self.port)


class End(Input, tag="kill", frozen=True):
    """A debugger kills a VM."""

    vm: int

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_end(self.vm)


class Reset(Input, tag="reset", frozen=True):
    """``monitor reset``, gdb's ``run``: of one VM, or (None) of all. A reset that a guest asks for is no input."""

    vm: int | None = None

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_reset(self.vm)


class Moving(Input, tag="moving", frozen=True):
    """A debugger lets only some threads run (gdb's scheduler-locking, a step over a breakpoint), or all again.

    ``held``: the one whose interrupts stay pending (``monitor step interrupts off``).
    """

    threads: list[str] | None = None
    held: str | None = None

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        threads = None if self.threads is None else [ThreadId.parse(t) for t in self.threads]
        machine.put_moving(threads, None if self.held is None else ThreadId.parse(self.held))


class CountsCleared(Input, tag="counts-cleared", frozen=True):
    """``monitor vmexit stats --clear``."""

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_counts_cleared()


class Answer(Input, tag="answer", frozen=True):
    """``monitor answer``: an exit is answered in place of the hypervisor; ``value`` is hexadecimal."""

    thread: str
    value: str | None = None

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_answer(ThreadId.parse(self.thread), None if self.value is None else int(self.value, 16))


class Exception_(Input, tag="exception", frozen=True):
    """``monitor inject abort``: a guest takes an exception at EL1; numbers are hexadecimal."""

    thread: str
    esr: str
    far: str | None = None

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        far = None if self.far is None else int(self.far, 16)
        machine.put_exception(ThreadId.parse(self.thread), int(self.esr, 16), far)


class Interrupt(Input, tag="interrupt", frozen=True):
    """``monitor inject interrupt``."""

    thread: str
    intid: int

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_interrupt(ThreadId.parse(self.thread), self.intid)


class VirtualSError(Input, tag="virtual-serror", frozen=True):
    """``monitor inject serror --virtual``."""

    thread: str
    syndrome: int

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        machine.put_virtual_serror(ThreadId.parse(self.thread), self.syndrome)


class Semihosted(Input, tag="semihosted", frozen=True):
    """What a semihosting call gives that depends on files: x0, and memory that is written, by VA; all are hexadecimal."""

    cpu: int
    value: str
    memory: list[tuple[str, str]] = []

    def apply(self, machine: Outside) -> None:
        """See :class:`Input`."""
        memory = [(int(address, 16), bytes.fromhex(data)) for address, data in self.memory]
        machine.put_semihosted(self.cpu, int(self.value, 16), memory)


Interference = SError | PowerButton | Answer | Exception_ | Interrupt | VirtualSError
AnyInput = Typed | Network | Register | Memory | Semihosted | End | Reset | Moving | CountsCleared | Interference


class Follower(Protocol):
    """Who makes a recording, or a replay of one; or who keeps what a target has done (:mod:`gdbhv.history`)."""

    @property
    def replays(self) -> bool:
        """Whether inputs come from what was noted, and not from outside."""

    def leave(self) -> None:
        """Take notice that the state is about to be replaced by a snapshot's.

        :raises gdbhv.errors.StateError: it may not be, with the reason.
        """

    def jumped(self) -> None:
        """Take notice that the state has been replaced by a snapshot's."""

    def entered(self, what: Input) -> None:
        """Note what has come in."""

    def abandon(self) -> None:
        """Let go of a replay in which a debugger kills a VM: what follows is another run."""

    def arm(self) -> None:
        """Have the machine stop where something is due next."""

    def arrived(self, *, paused: bool) -> str | None:
        """Do what is due at this place; return why the run cannot go on, None if it can.

        :param paused: the machine was stopped for this place (``_core.Machine.pause``); else it may be the one or not.
        """

    @property
    def over(self) -> StopKind:
        """The kind of the stop at which a run cannot go on."""


class Door:
    """Where a target takes what comes from outside."""

    def __init__(self, machine: Outside) -> None:
        self._machine: Outside = weakref.proxy(machine)  # which has this door
        self.follower: Follower | None = None
        self.closed = ""  # why nothing may come in
        self.taken = 0  # how many a replay has let in

    def enter(self, what: Input) -> Any:
        """Let something in, and have it noted. :raises gdbhv.errors.GdbhvError: nothing may come in now, with the reason."""
        if self.closed and isinstance(what, End) and self.follower is not None:
            self.follower.abandon()
        self.check()
        if self.follower is None:
            return what.apply(self._machine)
        at = self._machine.here()
        result = what.apply(self._machine)
        self.follower.entered(msgspec.structs.replace(what, at=at))
        return result

    def reboot(self, pid: int) -> None:
        """Give a guest the reset that it has asked for."""
        self._machine.put_reset(pid)

    def again(self, what: Input) -> None:
        """Let in what came in when it was recorded."""
        self.taken += 1
        at = self._machine.here()
        what.apply(self._machine)
        if self.follower is not None:
            self.follower.entered(msgspec.structs.replace(what, at=at))

    def check(self) -> None:
        """Look whether something may come in. :raises gdbhv.errors.GdbhvError: no, with the reason."""
        if self.closed:
            raise GdbhvError(self.closed)

    def check_jump(self) -> None:
        """Look whether a snapshot may be restored. :raises gdbhv.errors.StateError: no, with the reason."""
        if self.follower is not None:
            self.follower.leave()

    def jumped(self) -> None:
        """Tell that the state has been replaced by a snapshot's."""
        if self.follower is not None:
            self.follower.jumped()

    @property
    def replays(self) -> bool:
        """Whether inputs come from a recording."""
        return self.follower is not None and self.follower.replays

    def arrived(self, *, paused: bool = False) -> str | None:
        """See :class:`Follower`."""
        return None if self.follower is None else self.follower.arrived(paused=paused)

    def end_at(self, thread: ThreadId, *, paused: bool = False) -> Stop | None:
        """Do what is due at this place; return the stop of ``thread`` if the run cannot go on."""
        if self.follower is None or (why := self.follower.arrived(paused=paused)) is None:
            return None
        return Stop(self.follower.over, thread, text=why)


class Entrance:
    """The methods of a :class:`gdbhv.target.Target` that let something in."""

    door: Door

    def write_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Register(thread=str(thread), register=register, value=hex(value)))

    def write_memory(self, thread: ThreadId, address: int, data: bytes, space: Space = Space.VA) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Memory(thread=str(thread), space=space, address=hex(address), data=data.hex()))

    def inject_serror(self, cpu: int, syndrome: int | None = None) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(SError(cpu=cpu, syndrome=syndrome))

    def answer(self, thread: ThreadId, value: int | None = None) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Answer(thread=str(thread), value=None if value is None else hex(value)))

    def inject_exception(self, thread: ThreadId, esr: int, far: int | None = None) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Exception_(thread=str(thread), esr=hex(esr), far=None if far is None else hex(far)))

    def inject_interrupt(self, thread: ThreadId, intid: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Interrupt(thread=str(thread), intid=intid))

    def inject_virtual_serror(self, thread: ThreadId, syndrome: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(VirtualSError(thread=str(thread), syndrome=syndrome))

    def press_power_button(self, pid: int = 1) -> str:
        """See :class:`gdbhv.target.Target`."""
        name: str = self.door.enter(PowerButton(vm=pid))
        return name

    def end(self, pid: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(End(vm=pid))

    def reset(self, pid: int | None = None) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(Reset(vm=pid))

    def reboot(self, pid: int) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.reboot(pid)

    def put_semihosted(self, cpu: int, value: int, memory: Sequence[tuple[int, bytes]]) -> None:
        """See :class:`Outside`. :raises gdbhv.errors.GdbhvError: there is no semihosting here."""
        raise GdbhvError("a hosted VM has no semihosting")

    def clear_exit_counts(self) -> None:
        """See :class:`gdbhv.target.Target`."""
        self.door.enter(CountsCleared())


def inject_serror(core: _core.Machine, cpu: int, syndrome: int | None) -> None:
    """Do what ``Target.inject_serror`` says. :raises gdbhv.errors.GdbhvError: see there."""
    try:
        core.inject_serror(cpu, syndrome)
    except (ValueError, IndexError, OverflowError) as e:
        raise GdbhvError(str(e)) from None
