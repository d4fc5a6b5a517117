"""What a debugger sees: processes, threads, registers, memory, and a way to run to the next stop.

A :class:`Target` is the seam between the models and everything that shows them.  Two classes implement it:
:class:`gdbhv.machine.machine.Machine` (bare: one process whose threads are the CPUs) and
:class:`gdbhv.hv.hosttarget.HostTarget` (hosted: one process per VM, its vCPUs as threads, whether or not they are on a CPU
at the moment).  The remote protocol (``gdbhv.rsp``), the monitor commands (``gdbhv.monitor``) and the command line use a
target through this protocol only, and never ask which of the two it is: what differs is a method or a property here.

A target is synchronous: :meth:`Target.run` blocks until something stops the machine, with the GIL released while guests
execute.  To run it in the background, call it in a thread; :meth:`Target.interrupt` is the one method that may be called
from another thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.drives import Disks
    from gdbhv.exits.catches import CatchEvents, Catching
    from gdbhv.exits.looping import Looping
    from gdbhv.exits.records import ExitRecord, VmRecord
    from gdbhv.snapshot import Snapshot
    from gdbhv.stepping import Stepping
    from gdbhv.tables import Register
    from gdbhv.translation import Translation


@dataclass(frozen=True, order=True)
class ThreadId:
    """A vCPU: ``pid`` is the VM (from 1), ``tid`` the vCPU in it (from 1), as GDB writes it: ``p<pid>.<tid>``."""

    pid: int
    tid: int

    def __str__(self) -> str:
        return f"p{self.pid:x}.{self.tid:x}"

    @staticmethod
    def parse(text: str) -> ThreadId:
        """Return the thread that ``text`` names as :meth:`__str__` does. :raises ValueError: it names none."""
        pid, _, tid = text.removeprefix("p").partition(".")
        return ThreadId(int(pid, 16), int(tid, 16))


@dataclass(frozen=True)
class Thread:
    """One line of ``info threads``.

    ``name`` is short ("vcpu0"); ``extra`` says what it is doing ("EL1h, running", "off", "waiting in WFI, VMID=2");
    ``cpu`` is the physical CPU it is on, or None while it is descheduled; ``alive`` is False for one that PSCI has off.
    """

    id: ThreadId
    name: str
    extra: str
    cpu: int | None
    alive: bool = True


@dataclass(frozen=True)
class Process:
    """A VM (or, bare, the machine): its number, its name and the threads it has.

    ``found``: it is a VM of a hypervisor in the machine, which may come at any time, and runs as its hypervisor has it.
    """

    pid: int
    name: str
    threads: tuple[Thread, ...]
    found: bool = False


class Space(Enum):
    """How an address is meant."""

    VA = "va"  # as the thread would use it now: its EL, its translation regime
    IPA = "ipa"  # of the thread's VM: through stage 2 only
    PA = "pa"  # of the machine


class StopKind(Enum):
    """Why :meth:`Target.run` came back."""

    STEP = "step"  # the instructions (or the range) asked for are done
    SW_BREAK = "swbreak"  # about to execute an address with a Z0 breakpoint
    HW_BREAK = "hwbreak"  # the same for Z1
    WATCH = "watch"  # about to make a watched access (Z2)
    RWATCH = "rwatch"  # (Z3)
    AWATCH = "awatch"  # (Z4)
    WATCH_IPA = "watch_ipa"  # about to access an IPA that `monitor watch` watches, whatever its VA
    WATCH_PA = "watch_pa"  # the same of a PA
    EXIT = "exit"  # a VM exit that a catchpoint wants, before its handler runs
    ENTRY = "entry"  # back in the guest after an exit (syscall_return of `catch syscall`)
    INTERRUPT = "interrupt"  # Target.interrupt()
    BUDGET = "budget"  # the instruction count given to run() is reached
    POWEROFF = "poweroff"  # a VM or the machine switched itself off
    RESET = "reset"  # the guest asked for a reset
    LOOP = "loop"  # a CPU takes the same exception again and again, and `Target.looping` is to stop there
    BEGINNING = "beginning"  # going back, the machine is where what is kept of its past begins
    PRESENT = "present"  # going forward in the past, it is where it has come to: from here on it does something new
    CRASH = "crash"  # nothing can continue: `text` has the reason (all wait for ever, a guest that was given up)


@dataclass(frozen=True)
class Stop:
    """One stop. ``text`` is one line for people.

    ``exit`` is the exit's record; its key ``number`` is the number of the exit's class,
    as in :class:`CatchEvents`.  An ENTRY carries the record of the exit that was handled.
    """

    kind: StopKind
    thread: ThreadId
    address: int | None = None  # the watched data address: virtual, but for WATCH_IPA and WATCH_PA
    exit: ExitRecord | None = None
    text: str = ""
    code: int = 0  # POWEROFF: the status a VM reported
    passing: bool = False  # only something to be said or done: the run goes on
    runs: tuple[str, ...] = ()  # monitor commands that catchpoints want to be run


@dataclass(frozen=True)
class Action:
    """What one thread does in the next :meth:`Target.run`; threads without an action stay stopped."""

    thread: ThreadId
    step: bool = False
    range: tuple[int, int] | None = None  # step while start <= pc < end (vCont;r)


@dataclass(frozen=True)
class BreakRecord:
    """A breakpoint or watchpoint of the machine's process, as a Z packet has it, and ``whose`` it is.

    ``passed``: somebody for whom it is not has come to it, and to no other one later.
    """

    kind: int
    address: int
    length: int
    whose: str
    passed: bool


def nothing_refused() -> deque[str]:
    """Return :attr:`Target.refused` as it begins: the last 8 reasons are kept."""
    return deque(maxlen=8)


DescribeWatch = Callable[[Stop, bool], str]
"""One line for people about a stop at a watched IPA or PA: the stop, and whether the access is a write."""


class Symbols(Protocol):
    """What a machine or a VM was started from, for the names in it."""

    path: str

    @property
    def sha256(self) -> str: ...  # of the file

    @property
    def symbols(self) -> dict[str, int]:
        """Return addresses by name."""


class Target(Protocol):
    """A machine that a debugger can hold. All addresses and values are unsigned; lengths are bytes."""

    stepping: Stepping
    selected: ThreadId | None  # the thread for which breakpoints are inserted
    registers: dict[str, Register]  # the system registers that there are, by name
    asked: set[tuple[int, int, int, int]]  # breakpoints with which a debugger has had it run last, as of insert_breakpoint
    snapshots: dict[str, Snapshot]  # by name, in the order in which they were made
    describe: Callable[[ThreadId, ExitRecord], str]  # makes the text of a stop at an exit
    describe_watch: DescribeWatch
    looping: Looping
    refused: deque[str]  # what a debugger was refused last, and why: it does not show all of it (``monitor why``)

    # --- what is known of the machine

    @property
    def catchers(self) -> Catching:
        """The catchpoints."""

    @property
    def core(self) -> _core.Machine:
        """The machine model."""

    @property
    def hosted(self) -> bool:
        """Whether the hypervisor is gdbhv itself, and not a guest of the machine."""

    @property
    def counted(self) -> str:
        """What :meth:`count` counts: "exits" or "instructions"."""

    def count(self, thread: ThreadId) -> int:
        """Return how often a thread has exited, or how many instructions it has executed."""

    def names(self) -> Sequence[str]:
        """Return the names of all processes from number 1, also of those that have ended."""

    def vmids(self) -> Sequence[int] | None:
        """Return the VMIDs that VMs have; None: it is for a guest to choose them."""

    def vmid_name(self, vmid: int) -> str | None:
        """Return the name of the VM with a VMID; None: it has none that is known here."""

    def cpu_of(self, thread: ThreadId) -> int | None:
        """Return the physical CPU that a thread is on; None: on none now."""

    def last_exit(self, thread: ThreadId) -> ExitRecord | None:
        """Return the record of the last exit of a thread; None: it has had none."""

    def at_hypervisor(self, thread: ThreadId) -> bool:
        """Whether a thread shows a hypervisor, or a process that EL2 hosts, in place of the hypervisor's guest."""

    def place(self, pid: int, ipa: int) -> str | None:
        """Return what a process has at an IPA: "memory", "pl011+0x18", "nothing there"; None: a guest's own affair."""

    def device_at(self, pid: int, address: int, space: Space) -> tuple[str, int] | None:
        """Return the name of the device at an IPA of a process or at a PA, and the offset in it in bytes."""

    def emulated(self, vmid: int) -> Sequence[tuple[int, int, str]]:
        """Return the first IPA, the size in bytes and the name of each device that the host emulates for a VM."""

    def gic(self, thread: ThreadId) -> tuple[dict[str, Any], str]:
        """Return the interrupt controller that a thread sees (as ``_core.Machine.gic()``), and whose it is."""

    def list_register(self, thread: ThreadId, intid: int) -> tuple[int, int] | None:
        """Return the list register of a thread's interrupt, and its value (hosted, as of the next entry); None: in none."""

    def disks(self) -> Sequence[Disks]:
        """Return the disks of each guest that can have some: where they are plugged in, and which they are."""

    def take_unserved(self) -> Sequence[str]:
        """Return what guests asked the host side for in vain, each thing once."""

    @property
    def silent(self) -> bool:
        """Whether there is a console on which nothing has been printed yet."""

    def symbols(self, thread: ThreadId) -> tuple[dict[str, int], str]:
        """Return the symbols of what a thread was started from by name, and what that is called ("" without one)."""

    def translation(self, thread: ThreadId, el: int | None = None, vmid: int | None = None) -> Translation:
        """Find whose translation a view shows: the thread's own, an EL's or a VM's. :raises CommandError: there is none."""

    def stage2(self, thread: ThreadId, vmid: int | None = None) -> Translation:
        """Find the same for IPAs. :raises gdbhv.errors.CommandError: there is no such VM."""

    def vms(self) -> Sequence[VmRecord]:
        """Return the VMs, in the order of their numbers; with a hypervisor in the machine those that have run."""

    def thread_of_vm(self, number: int) -> ThreadId:
        """Return the vCPU that is shown for a VM: one that executes, else the one that did last."""

    def name_vm(self, number: int, name: str) -> None:
        """Give a VM a name. :raises gdbhv.errors.CommandError: there is no such VM, or it cannot have the name."""

    # --- processes

    def processes(self) -> Sequence[Process]:
        """Return the VMs with their threads, in the order of their numbers.

        A VM that has switched itself off is no longer among them; a vCPU that PSCI has off still is (``alive`` False).
        """

    @property
    def exit_numbers(self) -> frozenset[int]:
        """The numbers of the exit classes, as in :class:`CatchEvents`; none where there is no EL2 to exit to."""

    @property
    def off_text(self) -> str:
        """What there is to say when no process is left: "all VMs are off"."""

    def press_power_button(self, pid: int = 1) -> str:
        """Press the power button for 100 ms of virtual time: pin 3 of the PL061, which is KEY_POWER in the device tree.

        Return what the button is of: the name of the VM, or "the machine".

        :raises gdbhv.errors.GdbhvError: the VM has no PL061, or has ended.
        """

    def inject_serror(self, cpu: int, syndrome: int | None = None) -> None:
        """Make a physical SError pending on a CPU (see ``_core.Machine.inject_serror``).

        :raises gdbhv.errors.GdbhvError: no such CPU, or no such syndrome.
        """

    def answer(self, thread: ThreadId, value: int | None = None) -> None:
        """Answer the exit that a thread stands at in place of its hypervisor, which never sees it: the instruction is over.

        :param value: what it gives: of a load from a device, the read of a register, x0 of a call; without it nothing.
        :raises gdbhv.errors.GdbhvError: it stands at no exit, or at one that has no such answer.
        """

    def inject_exception(self, thread: ThreadId, esr: int, far: int | None = None) -> None:
        """Have a guest take a synchronous exception at EL1, instead of what its next instruction, or its exit, would do.

        :param esr: ESR_EL1, its EC in the form for a lower level.
        :raises gdbhv.errors.GdbhvError: it does not execute now.
        """

    def inject_interrupt(self, thread: ThreadId, intid: int) -> None:
        """Make an interrupt pending: of the VM that gdbhv hosts, else of the machine; a private one for the thread's CPU.

        :raises gdbhv.errors.GdbhvError: there is no such interrupt.
        """

    def inject_virtual_serror(self, thread: ThreadId, syndrome: int) -> None:
        """Make a virtual SError pending for a guest that gdbhv hosts; ``syndrome`` is ESR_EL1.ISS.

        :raises gdbhv.errors.GdbhvError: the guest has another hypervisor.
        """

    def clear_exit_counts(self) -> None:
        """Forget how many exits there were of each kind."""

    def end(self, pid: int) -> None:
        """Switch a VM off, as a debugger that kills it wants."""

    def reset(self, pid: int | None = None) -> None:
        """Switch a VM (None: all) off and on: its memory is zero but for what it was booted with, which is put there again;
        devices and vCPUs are at reset, and vCPU 0 stands at its first instruction. One that has ended is there again.

        Breakpoints, catchpoints and the counts of instructions and exits stay. Other VMs do not notice; if there are none,
        virtual time begins at 0 again, and what follows is what followed the first time.

        :raises gdbhv.errors.GdbhvError: it is not known what it was booted with.
        """

    def reboot(self, pid: int) -> None:
        """Do the same for a guest that has asked for it (PSCI SYSTEM_RESET): the guest's own doing, and no input.

        :raises gdbhv.errors.GdbhvError: see :meth:`reset`.
        """

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Keep all that decides what happens next, as it is now (see :mod:`gdbhv.snapshot`).

        :param name: of the snapshot; without it, the first number that is free.
        :raises gdbhv.errors.StateError: the name is taken or impossible, or a device cannot be saved.
        """

    @property
    def jumps(self) -> int:
        """How often the state was replaced: by :meth:`reset`, or by a snapshot's. What was reported before is over then."""

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        """Return a register by name ("x0".."x30", "sp", "pc", "cpsr", "v0".."v31", "fpsr", "fpcr", any system register)
        or, for system registers, by 16-bit encoding (op0:op1:CRn:CRm:op2). No side effects.

        :raises gdbhv.errors.RegisterError: no such register, or it cannot be read, with the reason.
        """

    def write_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        """Write a register as the debugger, legalized as a write by software would be.

        :raises gdbhv.errors.RegisterError: no such register, or it cannot be written, with the reason.
        """

    def read_core(self, thread: ThreadId) -> bytes:
        """Return x0-x30, sp, pc (8 bytes each) and cpsr (4), little endian: 268 bytes, the `g` packet's prefix."""

    def read_memory(
        self, thread: ThreadId, address: int, length: int, space: Space = Space.VA, by: Translation | None = None
    ) -> bytes:
        """Return up to ``length`` bytes; fewer where the memory ends. Device registers are looked at without an effect.

        :param by: whose addresses they are, instead of the thread's now.
        :raises gdbhv.errors.MemoryError_: nothing at ``address``, with the translation fault; or a device's register whose
            reads have an effect, with its name.
        """

    def write_memory(self, thread: ThreadId, address: int, data: bytes, space: Space = Space.VA) -> None:
        """Write all of ``data`` or nothing; permissions of the guest's tables do not apply to a debugger.

        A write to a device's register has the effect of the guest's own.
        """

    def judged(self, encoding: int) -> bool:
        """Whether the machine's conditions see a system register of a guest, which executes, as :meth:`read_register`."""

    def insert_breakpoint(self, pid: int, kind: int, address: int, length: int, conditions: Sequence[bytes] = ()) -> None:
        """Insert a breakpoint or watchpoint of a Z packet's ``kind`` (0 to 4) for one VM, in place of an equal one.
        ``conditions`` of a breakpoint are as of ``_core.Machine.insert_breakpoint``."""

    def remove_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        """Remove it. Idempotent."""

    def break_in(self, scope: str | None = None) -> tuple[str, Sequence[BreakRecord]]:
        """Say whose the machine's own breakpoints are, with a hypervisor in the machine: of the side that they are set on
        ("auto"), of all but VMs ("host"), of EL2 ("el2"), of a VM ("vm:2") or of everybody ("any"). Return that, and those
        that there are.

        :raises gdbhv.errors.CommandError: there is no such VM; or the hypervisor is gdbhv, and each is of a VM anyway.
        """

    def catch_exits(self, pid: int, events: CatchEvents) -> None:
        """Replace the exits and entries of one VM that stop :meth:`run`, as GDB's ``catch syscall`` asks for them.

        Catchpoints set by other means (``monitor vmexit catch``) are not touched.
        """

    def run(self, actions: Sequence[Action], max_insns: int | None = None) -> Stop:
        """Run the threads named until the next stop and return it.

        Resuming from a stop at a breakpoint or watchpoint makes progress: it stops that thread again only after it has
        moved. A thread that merely had its turn end at a breakpoint, or comes to it from an exit, still stops there.  After
        an EXIT the exit's handler runs first.  A thread that is off and named stays off.

        A step is a run that stops when its thread has executed one instruction or taken an exception; exits on its way are
        handled, and the instruction is begun again if they ask for it.  Other threads that are named have their turns as if
        it were no step: N instructions stepped leave what N instructions run leave.  An interrupt taken instead of the
        instruction completes the step, at its vector.  A step that cannot be made is a CRASH, whose text has the reason.

        ``max_insns`` counts the machine's instructions; the stop (BUDGET) is exact, but comes early when all vCPUs wait for
        something outside (input, wall time). ``run((), 0)`` only consumes an interrupt that is pending: INTERRUPT or BUDGET.
        """

    def interrupt(self) -> None:
        """Stop :meth:`run` within a millisecond, from any thread. Kept until the next run if none is on."""
