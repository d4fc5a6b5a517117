"""The native module: the machine model. Signatures and docstrings are the contract; the code is in ``gdbhv/core``.

Numbers: addresses and registers are unsigned; a system register's number is its 16-bit encoding ``op0:op1:CRn:CRm:op2``
(0x8000 and up); times are virtual nanoseconds, one for each instruction; CPUs are numbered from 0.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, Self, TypedDict, final, type_check_only

from gdbhv.exits.records import (
    Compiled,
    ExitAccount,
    ExitCount,
    ExitRecord,
    Repeated,
    Scope,
    TableChange,
    TlbCheck,
    TraceEvent,
    Trial,
)

__all__ = [
    "RAM_BASE",
    "BoardDevice",
    "Controls",
    "Interrupter",
    "Machine",
    "__version__",
    "board",
    "chaos",
    "chaos_kinds",
    "condition_operators",
    "device_tree",
    "exit_absent",
    "exit_absent_words",
    "exit_classes",
    "exit_fields",
    "exit_origins",
    "fault_words",
    "instructions",
    "profiles",
    "registers",
]

__version__: str

# The shapes of dictionaries exist only here: name them under `if TYPE_CHECKING`. Users' ones: gdbhv.exits.records.

@type_check_only
class ExitClass(TypedDict):
    """A row of the table of exit classes. ``iss``: the fields of ESR_EL2.ISS, as registers have them; ``subs``: the words,
    as shell patterns, that the sub-reasons in its exits' names are made of; ``also``: other words that the names may begin
    with; ``ec``: ESR_EL2.EC, None for asynchronous ones."""

    name: str
    also: list[str]
    number: int
    ec: int | None
    kvm: str
    what: str
    iss: list[dict[str, Any]]
    subs: list[str]

@type_check_only
class AbsentClass(TypedDict):
    """A class of exceptions that the architecture has and no exception here: what causes it, and why it is not here."""

    name: str
    ec: int
    kvm: str
    what: str
    why: str

@type_check_only
class BoardRow(TypedDict):
    name: str
    base: int
    size: int  # bytes
    intid: int | None  # of its interrupt line, or of the first
    lines: int  # how many it has
    device: bool  # False: a frame of the interrupt controller

@type_check_only
class Stop(TypedDict, total=False):
    """Why :meth:`Machine.run` returned; ``cpu`` is None if no CPU in particular is the reason.

    ``kind``: "budget", "interrupted", "exit" (hosted: the host side must handle it; ``caught``: a catchpoint wants
    it), "caught" and
    "entry" (bare: a catchpoint), "wake" (hosted: an interrupt is pending for an idle CPU), "swbreak", "hwbreak",
    "watch", "rwatch", "awatch", "watch_ipa", "watch_pa" (``address`` in that space, and whether it would ``write``),
    "semihosting" (the CPU is at HLT #0xF000, which has executed: the caller serves it and advances PC),
    "loop" (a CPU takes the same exception again and again, and :attr:`Machine.stops_on_loop`: :meth:`Machine.take_loop`),
    "step" (``held``: the interrupt that was held back, "IRQ", "FIQ" or "SError"), "poweroff",
    "reset", "stuck" (nothing will ever happen again), "idle" (every CPU waits until
    virtual time ``next``, 2^64 - 1 being never, and ``idle`` does not let that come yet), "pause" (see
    :meth:`Machine.pause`).
    """

    kind: str
    cpu: int | None
    caught: bool
    address: int
    next: int
    held: str | None
    write: bool
    of_vm: bool  # the breakpoint or watchpoint is for one VM only

@type_check_only
class WalkStep(TypedDict):
    """One descriptor that a walk read."""

    stage: int  # 1 or 2
    level: int  # -1 to 3
    for_s1: int | None  # a stage 2 step on the way to the stage 1 descriptor of this level; None: to the final address
    address: int  # of the descriptor in the stage's output space: an IPA if stage 2 is still to come
    pa: int  # of the descriptor
    value: int
    found: Literal["invalid", "table", "block", "page"]
    output: int  # next table, or output address
    wide: bool  # a 52-bit descriptor of FEAT_LPA2: bits 9:8 are address bits, not the shareability

@type_check_only
class Walk(TypedDict, total=False):
    """A walk. Either ``pa`` and what goes with it, or ``fault``: its name, FSC, the ``stage`` it came from, and ``s1ptw``.

    ``ipa`` is there whenever stage 1 got that far. ``memory`` is the MAIR encoding of both stages together; ``block`` and
    ``s2_block`` are log2 of the bytes that one descriptor of each stage maps.
    """

    steps: list[WalkStep]
    pa: int
    ipa: int
    read: bool
    write: bool
    execute: bool
    memory: int
    s1_memory: int
    shareability: int
    block: int
    s2_block: int
    # there is also a key "global" (not tied to an ASID), which is not an identifier
    fault: str  # as in the names of exits: "trans.l2"
    words: str  # "translation fault, level 2"
    fsc: int
    stage: int
    s1ptw: bool
    fault_ipa: int | None

@final
class Controls:
    """The system registers that shape a translation of EL1&0: HCR_EL2, VTCR_EL2, VTTBR_EL2, SCTLR_EL1, TCR_EL1, TTBR0_EL1,
    TTBR1_EL1, MAIR_EL1. A value: of a CPU now, or of a guest at its last exit."""

    def __new__(
        cls, *, hcr: int, vtcr: int, vttbr: int, sctlr: int, tcr: int, ttbr0: int, ttbr1: int, mair: int
    ) -> Controls: ...
    @property
    def hcr(self) -> int: ...
    @property
    def vtcr(self) -> int: ...
    @property
    def vttbr(self) -> int: ...
    @property
    def sctlr(self) -> int: ...
    @property
    def tcr(self) -> int: ...
    @property
    def ttbr0(self) -> int: ...
    @property
    def ttbr1(self) -> int: ...
    @property
    def mair(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: object, /) -> bool: ...
    def __le__(self, other: object, /) -> bool: ...
    def __gt__(self, other: object, /) -> bool: ...
    def __ge__(self, other: object, /) -> bool: ...

@type_check_only
class Regime(TypedDict):
    """The controls that the registers of a regime select (Arm ARM D8.1.2)."""

    name: Literal["EL1&0", "EL2", "EL2&0"]
    stage1: bool  # on
    stage2: bool
    vmid: int | None  # EL1&0 only
    asid: int | None  # not EL2
    fwb: bool  # stage 2 has the MemAttr of FEAT_S2FWB
    nv1: bool  # stage 1 has the layout of HCR_EL2.{NV, NV1}

@type_check_only
class Held(TypedDict):
    """A translation that a TLB holds. For data it is of the size that both stages map in one piece, for fetches of 4 KiB."""

    regime: Literal["EL1&0", "EL2", "EL2&0"]
    stage1: bool  # on, when it was made
    stage2: bool
    vmid: int  # 0 where stage 2 does not apply
    asid: int  # in use when it was made; in this model a global one serves that ASID only
    user: bool  # what EL0 may do
    pan: bool  # what EL1, or EL2 with E2H, may do with PSTATE.PAN
    now: bool  # the CPU is in its context
    idle: int  # how often the CPU has changed its context since it was in this one
    va: int  # with stage 1 off an IPA
    size: int  # bytes
    pa: int
    read: bool
    write: bool
    fetch: bool  # for fetches
    device: bool  # memory of Device type; of fetches it is not known
    block: int  # bytes of the leaf that it is a piece of: stage 1's, or stage 2's with stage 1 off
    contiguous: bool  # that leaf is one of a contiguous row
    # there is also a key "global" (not only for its ASID), which is not an identifier

@type_check_only
class HeldStage2(TypedDict):
    """The end of a stage 2 walk that a TLB holds, for walks of stage 1: of 4 KiB."""

    vmid: int
    ipa: int
    pa: int
    descriptor: int
    address: int  # of the descriptor
    block: int  # bytes of its leaf
    contiguous: bool
    table: bool  # it was for a table of stage 1

@type_check_only
class Vcpu(TypedDict):
    """A vCPU of a hypervisor in the machine."""

    mpidr: int  # VMPIDR_EL2
    cpu: int  # that it was entered on last
    inside: bool  # it has been entered, and has not exited since
    here: bool  # its CPU has entered nothing else since
    entries: int
    exits: int
    insns: int  # instructions of all CPUs together, at its last entry or exit

@type_check_only
class Vm(TypedDict):
    """A VM of a hypervisor in the machine: stage 2 tables and a VMID that have run together."""

    number: int  # from 2, in the order of first entry
    vmid: int
    vttbr: int  # VTTBR_EL2 without CnP
    last: int | None  # the vCPU that exited last
    replaced: int | None  # the number of the VM that has run later with its VMID or its tables
    vcpus: list[Vcpu]  # in the order of first entry

@type_check_only
class Left(TypedDict):
    """What a guest left on a CPU at its last exit."""

    x: list[int]  # x0 to x30
    sp_el0: int
    sp_el1: int
    pc: int  # ELR_EL2
    controls: Controls
    switched: dict[str, int]  # further system registers that belong to a vCPU

@final
class Interrupter:
    """Stops a running machine from any thread."""

    def set(self) -> None:
        """Stop :meth:`Machine.run` within one quantum (10,000 instructions); kept until the next run if none is on."""

    def clear(self) -> None:
        """Take it back."""

@final
class Machine:
    """CPUs, RAM and devices of a board compatible with QEMU's ``virt``. Not thread-safe but for :meth:`interrupter`."""

    def __new__(
        cls,
        *,
        cpus: int = 1,
        memory: int = 1 << 30,
        cpu: str = "max",
        hosted: bool = True,
        el2: bool = True,
        gic: int = 3,
        ns_per_insn: int = 1,
    ) -> Machine:
        """Make a machine at reset: CPU 0 on, the others off, RAM from 0x40000000.

        :param cpus: 1 to 8.
        :param memory: bytes of RAM.
        :param cpu: profile, one of :func:`profiles`.
        :param hosted: EL2 is played by Python: an exception to EL2 makes :meth:`run` return an "exit" stop.
        :param el2: False leaves EL2 out (HVC is then the PSCI conduit).
        :param gic: version of the interrupt controller, 2 or 3; 2 not if hosted.
        :param ns_per_insn: nanoseconds of virtual time that an instruction takes, 1 to 1000.
        :raises ValueError: a parameter is out of range, with the allowed range.
        """

    def set_flash(self, bank: int, data: bytes) -> None:
        """Fill a bank of the flash (0 or 1) from its beginning.

        :raises ValueError: it is more than a bank, or a hosted machine, which has none."""

    def plug_drive(self, path: str, kind: str = "raw", *, read_only: bool = False) -> int:
        """Put a disk into the highest virtio slot that is free; return its number.

        :param kind: of the file: "raw" or "qcow2".

        The file is read while the machine runs, and never written to: the machine keeps the guest's writes.

        :raises OSError: the file is no disk, or cannot be read. :raises ValueError: no such kind, or no slot is free."""

    def add_pcie(self) -> None:
        """Give the board PCIe; devices are plugged in there from now on, with numbers from 33 on (device 1)."""

    def has_pcie(self) -> bool:
        """Return whether the board has PCIe."""

    def plug_rng(self, seed: int) -> int:
        """Put an entropy device into the highest virtio slot that is free; return its number.

        :param seed: determines its numbers.
        :raises ValueError: no slot is free."""

    def plug_console(self) -> int:
        """Put a console into the highest virtio slot that is free; return its number. Typed input goes there from now on.

        :raises ValueError: no slot is free."""

    def plug_net(self, address: bytes) -> int:
        """Put a network device into the highest virtio slot that is free; return its number.

        :param address: its hardware address, 6 bytes.
        :raises ValueError: no slot is free, or it is the address of a group."""

    def net_tell(self, client: int, what: str, data: bytes, port: int) -> None:
        """Tell the guest what a client outside does: "open" a connection to ``port``, send "data", "end" or "abort" it.

        "datagram" is one of UDP from it to ``port``; what is longer than 1,472 bytes is lost.

        :raises ValueError: another word, or there is no network device."""

    def net_take(self) -> list[tuple[int, str, bytes]]:
        """Return what the guest has done since the last call: client, "data", "end", "abort" or "datagram", and the data.

        :raises ValueError: there is no network device."""

    def net_waiting(self, client: int) -> int | None:
        """Return the bytes of a client's that the guest has not acknowledged, 0 of who sends datagrams; None: there is none.

        :raises ValueError: there is no network device."""

    def drive_size(self, slot: int) -> int:
        """Return the bytes of the disk in a slot. :raises IndexError: there is none."""

    def drive_written(self, slot: int) -> list[tuple[int, int]]:
        """Return where the guest has written: offset and bytes of each block. :raises IndexError: there is no disk."""

    def drive_read(self, slot: int, offset: int, length: int) -> bytes:
        """Return what a disk holds now. :raises IndexError: there is none, or it ends before. :raises OSError: it cannot be
        read."""

    def drive_problems(self) -> list[tuple[int, str]]:
        """Return which disks the host could not serve since the last call (slot, why): their guest got an I/O error."""

    def enable_semihosting(self) -> None:
        """Have HLT #0xF000 at EL1 and above end :meth:`run`, to be served."""

    def take_typed(self, most: int) -> bytes:
        """Take at most so many bytes of the typed input that has not reached the UART."""

    def set_fw_cfg(self, key: int | str, data: bytes) -> None:
        """Give fw_cfg an item by its number, or one that its directory lists by its name.

        :raises ValueError: no such name can be listed: it has 1 to 55 bytes."""

    def read_pa(self, address: int, length: int) -> bytes:
        """Read RAM, or the cells of the flash. :raises IndexError: some of it is neither, or it is some of both."""

    def write_pa(self, address: int, data: bytes) -> None:
        """Write RAM, all of it or nothing. :raises IndexError: some of it is not RAM."""

    def zero_pa(self, address: int, length: int) -> None:
        """Clear RAM; pages that were never touched stay so. :raises IndexError: some of it is not RAM."""

    def snapshot(self) -> int:
        """Keep the machine as it is now, in memory.

        It costs little now, and a copy of each page of RAM (4 KiB) when that is first written to. What the debugger asks
        for (breakpoints, watchpoints, catchpoints) is no part of it.

        :returns: a number for the methods below.
        """

    def restore(self, snapshot: int) -> None:
        """Make the machine what it was at a snapshot, which stays.

        :raises ValueError: there is no such snapshot.
        """

    def forget_snapshot(self, snapshot: int) -> None:
        """Forget a snapshot.

        :raises ValueError: there is no such snapshot.
        """

    def snapshot_size(self, snapshot: int) -> tuple[int, int]:
        """Return how many pages of RAM a snapshot keeps for itself so far, and how many bytes it takes.

        :raises ValueError: there is no such snapshot.
        """

    def snapshots_differ(self, snapshot: int, other: int | None, address: int) -> bool:
        """Return whether the page of a PA may have been written between two snapshots; ``other`` None: until now.

        :raises ValueError: there is no such snapshot.
        """

    def ram_digest(self) -> int:
        """Return a digest of RAM: the same for the same bytes. Its cost is proportional to what was written since the last
        one."""

    def export_snapshot(self, snapshot: int) -> bytes:
        """Return a snapshot as bytes for a file: compressed (zstd, with a checksum), RAM and what fw_cfg was given included.

        :raises ValueError: there is no such snapshot.
        """

    def import_snapshot(self, data: bytes) -> None:
        """Make the machine what :meth:`export_snapshot` has told. If that fails, the machine is as it was.

        :raises ValueError: the bytes are damaged, of another version, or of a machine of another shape.
        """

    def reset(self) -> None:
        """Switch the board off and on: RAM is zero; CPUs, devices, interrupt controller and virtual time are as after
        ``Machine(...)``.

        What is not the guest's stays: breakpoints, watchpoints, :meth:`catch_exits`, and the counts of instructions and
        exits, which go on. Console output that nobody has taken is lost; typed input that waits for room in the UART's FIFO
        waits on.
        """

    def invalidate_vm(self, vmid: int) -> None:
        """Forget cached translations of a VM on every CPU, as TLBI VMALLS12E1IS with its VMID does (Arm ARM C5.5).

        Needed after a stage 2 descriptor was removed or changed, not after one was added.
        """

    @property
    def ram(self) -> tuple[int, int]:
        """Base and size of RAM in bytes."""

    def read_register(self, cpu: int, register: int | str) -> int:
        """Read x0-x30, sp, pc, cpsr, v0-v31, fpsr, fpcr or a system register, without side effects.
        :raises KeyError: no such register, or why it cannot be read."""

    def virtual_by(self, cpu: int, register: int | str) -> str | None:
        """Return the controls ("HCR_EL2.IMO") by which :meth:`read_register` of an ICC_* shows the virtual CPU interface, as
        MRS at the CPU's exception level would; None: it is the physical one, or no register of the kind.
        :raises KeyError: no such register."""

    def write_register(self, cpu: int, register: int | str, value: int) -> None:
        """Write a register as a debugger, legalized. :raises KeyError: no such register, or why it cannot be written."""

    def read_core(self, cpu: int) -> bytes:
        """x0-x30, sp, pc and cpsr: 268 bytes, little endian (GDB's `g` order)."""

    def x(self, cpu: int, n: int) -> int:
        """General-purpose register ``n``; 31 is zero."""

    def set_x(self, cpu: int, n: int, value: int) -> None:
        """Set general-purpose register ``n``; 31 is the zero register, which ignores it."""

    def mrs(self, cpu: int, register: int | str) -> int:
        """Read a system register as MRS executed at EL2 does, with its side effects (ICC_IAR1_EL1 acknowledges)."""

    def msr(self, cpu: int, register: int | str, value: int) -> None:
        """Write a system register as MSR executed at EL2 does."""

    def skip(self, cpu: int) -> None:
        """Go on behind the guest's instruction that exited: ELR_EL2 is 4 more, and SPSR_EL2.SS is 0 (``SSAdvance``)."""

    def software_increment(self, cpu: int, counters: int, el: int) -> None:
        """Count SW_INCR as a write of ``counters`` to PMSWINC_EL0 at EL0 or EL1 does, for a hypervisor that trapped it.

        :raises ValueError: another exception level."""

    def mrs_many(self, cpu: int, registers: list[int]) -> list[int]:
        """:meth:`mrs` for each encoding: saving a vCPU's context in one call."""

    def msr_many(self, cpu: int, registers: list[int], values: list[int]) -> None:
        """:meth:`msr` for each pair, in order."""

    def gprs(self, cpu: int) -> list[int]:
        """x0 to x30."""

    def set_gprs(self, cpu: int, values: list[int]) -> None:
        """Set x0 to x30."""

    def vregs(self, cpu: int) -> list[int]:
        """v0 to v31, 128 bits each."""

    def set_vregs(self, cpu: int, values: list[int]) -> None:
        """Set v0 to v31."""

    def run(
        self,
        until: int,
        mask: int = 0xFF,
        insns: int | None = None,
        idle: int | None = None,
        step: tuple[int, tuple[int, int] | None, bool] | None = None,
    ) -> Stop:
        """Run the CPUs of ``mask`` (bit n: CPU n) until virtual time ``until`` or a stop.

        The GIL is released, and taken back for an instant every 50 ms, so that signal handlers run (in the main thread);
        what one raises, this raises, and the machine can run on.

        :param insns: "budget" also when all CPUs together have executed so many instructions since the machine was made;
            idle time counts none.
        :param idle: how far virtual time may pass while all CPUs wait; beyond it the stop is "idle".
        :param step: (CPU, range, hold): "step" once that CPU has executed one instruction or taken an exception, or while
            range[0] <= pc < range[1]. The others have their turns as if it were no step, so that N steps leave the machine
            that running leaves; an interrupt taken instead of an instruction completes the step at its vector (Arm ARM
            H3.2). With ``hold`` the CPU's interrupts stay pending; on a hosted machine those that the guest takes.
        """

    @property
    def place(self) -> tuple[int, int, int, bool]:
        """Where the run is, exactly: instructions that all CPUs together have executed; virtual time; how many turns were
        begun, exceptions taken and wake-ups reported; and whether a step ended where its CPU would have looked for
        interrupts next. With the same inputs at the same places, another machine comes to the same places, wherever
        either is stopped."""

    def pause(self, insns: int | None = None, place: tuple[int, int, int, bool] | None = None) -> None:
        """Have :meth:`run` return "pause", again and again, once all CPUs together have executed ``insns`` instructions, or
        exactly at ``place`` (of another run); it returns also where that can no longer be reached. Without both: no more."""

    def interrupter(self) -> Interrupter:
        """Return an object that stops :meth:`run` from another thread."""

    @property
    def now(self) -> int:
        """Virtual time in nanoseconds."""

    def compile_after(self, entries: int) -> None:
        """Let blocks of code be compiled once they were entered so often (default: 40); 0: never. What runs is the same.

        The variable GDBHV_COMPILE_AFTER of the environment says it for all machines.

        :raises RuntimeError: the host has no compiling tier, or gives it no memory.
        """
    @property
    def compiled_blocks(self) -> int:
        """Blocks of code that were compiled so far, also those that are out of use."""

    def compiled(self) -> Compiled:
        """Return what compiling has cost so far, and what it was used for."""

    def perf_map(self, path: str, symbols: list[tuple[int, str]]) -> None:
        """Write a line to a file for each block that is compiled from now on: where its native code is, how long, and which
        guest code it is, by the symbol before its virtual address (Linux's perf reads ``/tmp/perf-PID.map``).

        :param symbols: of the guest: address and name.
        :raises RuntimeError: nothing is compiled here.
        :raises OSError: the file cannot be written.
        """
    @property
    def chaos(self) -> str | None:
        """What a seed decides of what the architecture leaves open, SEED:PROFILE with all its numbers; None: no seed does.

        :raises ValueError: it is set to what :func:`chaos` refuses.
        """

    @chaos.setter
    def chaos(self, text: str | None) -> None: ...
    def wait_until(self, until: int | None) -> int | None:
        """Hosted: a vCPU begins to wait, until ``until`` (virtual nanoseconds; None: for ever) at most.

        :returns: until when it does at most, if a seed may end its wait early.
        """

    @property
    def ns_per_insn(self) -> int:
        """Nanoseconds of virtual time that an instruction takes."""

    @property
    def insns(self) -> list[int]:
        """Instructions executed by each CPU."""

    @property
    def cpus(self) -> int:
        """Number of CPUs."""

    def power(self, cpu: int) -> Literal["on", "wfi", "wfe", "off", "idle"]:
        """Return what a CPU does: executes, waits, is off; "idle": hosted, nothing to run on it until an interrupt."""

    def set_power(self, cpu: int, power: str) -> None:
        """Change it."""

    def cpu_on(self, cpu: int, entry: int, context: int = 0, el: int = 1) -> None:
        """Reset a CPU and start it, as PSCI CPU_ON does."""

    def eret(self, cpu: int, wait: int | None = None) -> None:
        """Hosted: enter the guest: exception return from EL2 with ELR_EL2 and SPSR_EL2.

        :param wait: the guest waits there in WFE for an event, until virtual time ``wait`` at most (2^64 - 1: for ever). If
            it had marked its exclusive monitor it does not: the return clears that, which is an event (Arm ARM B2.17).
        """

    def inject_serror(self, cpu: int, syndrome: int | None = None) -> None:
        """Make a physical SError pending on a CPU, as an error of its memory would; it replaces one that is pending.

        HCR_EL2.AMO and TGE route it, PSTATE.A masks it, ESB defers it (Arm ARM D1.3.6, D17.2). Unmasked, it is taken before
        the CPU's next instruction.

        :param syndrome: ESR_ELx.ISS, 25 bits: IDS (24), AET (12:10), EA (9), DFSC (5:0). None: an uncontainable error,
            0x11, or 0 on a CPU without FEAT_RAS.
        :raises ValueError: more than 25 bits.
        :raises IndexError: no such CPU.
        """

    def serror(self, cpu: int) -> int | None:
        """Return the syndrome of the physical SError that is pending on a CPU, or None."""

    def end_turn(self) -> None:
        """End the current quantum, so that another CPU comes next."""

    def irq_lines(self, cpu: int) -> tuple[bool, bool, bool, bool]:
        """Whether physical IRQ, physical FIQ, virtual IRQ and virtual FIQ are signalled to a CPU."""

    def gic(self) -> dict[str, Any]:
        """Return the interrupt controller's state: ctlr (GICD_CTLR's writable bits), interrupts, cpus, its.

        ``version`` is 2 or 3; 2 has no LPIs (its is None), and ``route`` is a mask of CPUs.
        An interrupt: intid, cpu (None for a shared one), enabled, pending, active, line, edge, group, priority, route
        (GICD_IROUTER; None for a private one). A CPU: mask (PMR), running (RPR), groups (IGRPEN0 and 1), eoi_mode, lists
        (ICH_LR<n>_EL2), lpis_enabled, propbaser, pendbaser, lpis (pending: INTID, configuration byte or None). The ITS:
        enabled, cbaser, cwriter, creadr, stalled, commands (done), errors, last_error (name, code, address, what is wrong),
        devices (id, itt, bits, events: EventID, INTID, ICID) and collections (ICID, CPU), as its tables in memory say."""

    def bus_read(self, cpu: int, address: int, size: int) -> int:
        """Read a device register (1, 2, 4 or 8 bytes) as CPU ``cpu`` does.

        :raises IndexError: there is no device. :raises ValueError: another size.
        """

    def bus_peek(self, cpu: int, address: int, size: int) -> int:
        """Return what :meth:`bus_read` would, without an effect.

        :raises IndexError: there is no device. :raises KeyError: the read has a side effect, with the register and the
            effect.
        :raises ValueError: another size.
        """

    def bus_write(self, cpu: int, address: int, size: int, value: int) -> None:
        """Write a device register. :raises IndexError: there is no device. :raises ValueError: another size."""

    def set_spi(self, intid: int, level: bool) -> None:
        """Set the level of a shared peripheral interrupt (INTID 32 to 1019)."""

    def controls(self, cpu: int) -> Controls:
        """Return the registers of EL1&0's translation that a CPU has now."""

    def vms(self) -> list[Vm]:
        """Return the VMs that a hypervisor in the machine has entered: the first 64, of each the first 64 vCPUs."""

    def vm(self, number: int) -> Vm | None:
        """Return one of them by its number; None if there is none."""

    @property
    def further_entries(self) -> int:
        """Entries of VMs and vCPUs beyond those."""

    def vm_here(self, cpu: int) -> tuple[int, int] | None:
        """Return the VM's number and the vCPU's place that a CPU executes, or has entered last and nothing since."""

    def vcpu(self, vm: int, vcpu: int) -> Vcpu | None:
        """Return a vCPU of a VM by number and place; None if there is none."""

    def hosts(self) -> list[int]:
        """Return the CPUs that have entered EL1 or EL0 without stage 2 last: a host that is not at EL2."""

    def vcpu_exit(self, vm: int, vcpu: int) -> ExitRecord | None:
        """Return the last exit of a vCPU (the first is 0)."""

    def vcpu_left(self, vm: int, vcpu: int) -> Left | None:
        """Return what a vCPU left at its last exit."""

    def left(self, cpu: int) -> Left | None:
        """Return the guest's state at the last exit of a CPU (:meth:`exit_record`)."""

    def tlb(self, cpu: int, first: int = 0, last: int = ...) -> list[Held]:
        """Return a CPU's TLB entries of both stages together, without those that an invalidation has removed.

        :param first: only what has some of the addresses from here
        :param last: to here (default: 2^64 - 1)
        """

    def tlb_stage2(self, cpu: int) -> list[HeldStage2]:
        """Return a CPU's TLB entries of stage 2 only."""

    def regime(self, cpu: int, el: int, controls: Controls | None = None) -> Regime:
        """Return the regime that ``el`` of a CPU uses now; or EL1&0 with the registers of ``controls``.

        :raises ValueError: there is no such EL.
        """

    def translate(
        self,
        cpu: int,
        address: int,
        *,
        el: int | None = None,
        access: Literal["read", "write", "fetch"] = "read",
        checked: bool = False,
        controls: Controls | None = None,
        pan: bool | None = None,
    ) -> Walk:
        """Walk the tables for a VA as the CPU's EL (or ``el``) sees it: what execution would do, without any effect.

        :param checked: permissions, access flag and the like fault as for an access; else only a missing mapping does.
        :param controls: registers of EL1&0 to take instead of the CPU's; ``el`` is 0 or 1 then.
        :param pan: PSTATE.PAN, instead of the CPU's.
        :raises ValueError: there is no such EL.
        """

    def translate_ipa(
        self,
        cpu: int,
        ipa: int,
        *,
        access: Literal["read", "write", "fetch"] = "read",
        checked: bool = False,
        controls: Controls | None = None,
    ) -> Walk | None:
        """Walk stage 2 only; None if it is off. :param controls: registers to use instead of the CPU's."""

    def insert_breakpoint(
        self,
        address: int,
        *,
        hardware: bool = False,
        vmid: int | None = None,
        scope: Scope | None = None,
        conditions: Sequence[bytes] | None = None,
    ) -> None:
        """Stop before the instruction at VA ``address``: of one VM, or wherever it is executed. A second one replaces the
        conditions of the first.

        :param scope: whose, with a hypervisor in the machine.
        :param conditions: agent expressions (GDB manual, appendix F) of which one must hold, or have no value; registers
            by their number in the `g` packet (up to cpsr), or system registers by their encoding.
        """

    def remove_breakpoint(
        self, address: int, *, hardware: bool = False, vmid: int | None = None, scope: Scope | None = None
    ) -> None:
        """Remove it. Idempotent."""

    def insert_watchpoint(
        self,
        address: int,
        length: int,
        *,
        read: bool = False,
        write: bool = True,
        vmid: int | None = None,
        space: Literal["va", "ipa", "pa"] = "va",
        scope: Scope | None = None,
    ) -> bool:
        """Stop before an access to any of ``length`` bytes at ``address``: a virtual one, or where stage 1 (IPA; only where
        there is a stage 2) or both stages lead (PA). The fetch of a descriptor is no access. Idempotent: False if it is
        there already.

        :param vmid: only EL1 and EL0 of this VM; None: any software.
        :raises ValueError: another space.
        """

    def remove_watchpoint(
        self,
        address: int,
        length: int,
        *,
        read: bool = False,
        write: bool = True,
        vmid: int | None = None,
        space: Literal["va", "ipa", "pa"] = "va",
        scope: Scope | None = None,
    ) -> None:
        """Remove it. Idempotent."""

    def take_passed(self) -> int | None:
        """Return the address of a breakpoint that others than it is for have come to since the last call, the last one."""

    def held(self, cpu: int) -> tuple[int, bool] | None:
        """Return the stop at a breakpoint or watchpoint that a CPU has not moved from: its address, and whether a watchpoint
        caused it."""

    def hold(self, cpu: int, held: tuple[int, bool] | None) -> None:
        """Hosted: restore the result of :meth:`held` for the vCPU that the CPU is about to execute; None if there was no
        such stop."""

    def follow_register(self, register: str | int | None) -> None:
        """Note from now on who writes a system register by MSR; None: nobody. :raises KeyError: it is no system register."""

    @property
    def register_written(self) -> tuple[int, int] | None:
        """The last write noted: the CPU, and how many instructions all CPUs had executed before that MSR."""

    @property
    def quiet(self) -> bool:
        """Whether breakpoints and watchpoints stop nothing for now. False at first."""

    @quiet.setter
    def quiet(self, quiet: bool) -> None: ...
    def exit_record(self, cpu: int) -> ExitRecord | None:
        """Return the last exit of a CPU."""

    def exit_counts(self) -> list[ExitCount]:
        """Every kind of exit so far, and how many, sorted by VMID and class: the first 4096 (see :attr:`further_exits`)."""

    def exit_accounts(self) -> list[ExitAccount]:
        """Every place of exits so far, with their times, in the order in which they came."""

    @staticmethod
    def spread_bounds(bucket: int) -> tuple[int, int]:
        """Return the first and the last value of a bucket of a distribution. :raises IndexError: there is no such bucket."""

    def check_tlb(self, on: bool) -> None:
        """Check what software does with its tables, TLBIs and barriers, from now on (beginning anew), or no longer.

        Guests do not notice; all code is interpreted from then on, until :meth:`compile_after`.
        """

    @property
    def tlb_check(self) -> TlbCheck | None:
        """What was found; None: it is off."""

    def table_change(self, pa: int) -> TableChange | None:
        """Return the last change of the descriptor at a physical address, if stores to tables are noted and it is known."""

    def trace_pended(self, vm: int, vcpu: int, intid: int) -> None:
        """Trace that gdbhv's hypervisor has an interrupt for a vCPU (from 0) of its VM ``vm`` (its VMID)."""

    def trace(self, last: int) -> list[TraceEvent]:
        """Return the last events, the oldest first; the machine keeps :attr:`trace_size` of them."""

    @property
    def trace_total(self) -> int:
        """Number of events since the machine was made, reset or set back."""

    @property
    def trace_size(self) -> int:
        """Number of events that are kept. Setting it clears the trace. :raises ValueError: it is out of range."""

    @trace_size.setter
    def trace_size(self, events: int) -> None: ...
    @property
    def stops_on_loop(self) -> bool:
        """Whether :meth:`run` returns "loop" at the thousandth time of the same exception. False at first."""

    @stops_on_loop.setter
    def stops_on_loop(self, stops: bool) -> None: ...
    def take_loop(self) -> Repeated | None:
        """Return the exception that a CPU has just taken for the thousandth time in a row, once."""

    def repeated(self, cpu: int) -> list[Repeated]:
        """Return what a CPU has taken more than a thousand times, by the exception level that it comes from."""

    def trial(self, cpu: int, word: int, guest: bool = False) -> Trial:
        """Execute a word on a CPU at its PC, and undo it.

        :param guest: at EL2: execute it in the guest that an ERET would return to.
        :raises RuntimeError: the PC is not in RAM.
        """

    @property
    def further_exits(self) -> int:
        """Number of exits so far of the kinds for which :meth:`exit_counts` has no room."""

    @property
    def exits(self) -> int:
        """Number of exits so far."""

    def clear_exit_counts(self) -> None:
        """Forget the counts."""

    def catch_exits(self, classes: list[int], entries: bool = False) -> None:
        """Stop at exits of these class numbers, and at entries. Hosted exits always stop; they get ``caught`` set."""

    TRAP_CONTROLS: ClassVar[list[str]]
    """The registers of EL2 whose bits trap."""

    def traps(
        self, cpu: int, el: int, controls: list[tuple[str, int]], words: list[tuple[str, int]]
    ) -> list[tuple[str, str, list[str]]]:
        """Return what code of a guest may do that exits: name, "read", "write" or "insn", and the controls that provoke it.

        :param controls: other values for registers of :attr:`TRAP_CONTROLS`; the CPU keeps its own.
        :param words: further instructions, by name.
        :raises RuntimeError: the PC is not in RAM.
        """

    def at_exit(self, cpu: int) -> bool:
        """Whether a CPU stands at EL2's vector after an exit that its hypervisor has not begun to handle."""

    def go_back(self, cpu: int, skip: bool) -> None:
        """Return to the guest from such an exit, behind the instruction or to where it was.

        :raises RuntimeError: it is at none.
        """

    def inject_exception(self, cpu: int, esr: int, far: int | None = None) -> None:
        """Have a CPU take a synchronous exception at EL1; ``esr``: its EC in the form for a lower level.

        :raises RuntimeError: it is at EL2.
        """

    def pend(self, cpu: int, intid: int) -> bool:
        """Make an interrupt pending, a private one of a CPU; whether there is one that can be."""

    def set_catchpoint(
        self,
        number: int,
        classes: list[int],
        *,
        ranges: list[tuple[str, int, int]] = ...,
        condition: list[tuple[str, int | str]] | None = None,
        after: int = 0,
        every: int = 1,
        once: bool = False,
        silent: bool = False,
    ) -> None:
        """Catch exits, entries and other exceptions that these rules mean, hosted and bare; or change a catchpoint.

        The machine stops at them ("caught", "entry"; hosted exits get ``caught``), and :attr:`catch_hits` says which were
        hit. Of a name that comes for the first time it stops too: see :meth:`learn_catchpoints`.

        :param number: of the catchpoint, the caller's choice.
        :param classes: numbers of the classes; 0x200 more is the entry after such an exit.
        :param ranges: numbers of the exit (:func:`exit_fields`), and their ends, both in it.
        :param condition: operations in postfix order, that leave one number: ("number", 5), ("field", "ipa"),
            ("register", "x0"), ("va", 8) with "ipa" and "pa" (load so many bytes), ("unary", "-"), ("binary", "==").
        :param after: so many are let by first.
        :param every: of those that follow each so many-th counts.
        :param once: only the first counts.
        :param silent: it only counts.
        :raises ValueError: an unknown name, or operands that do not fit.
        """

    def drop_catchpoint(self, number: int) -> None:
        """Take a catchpoint away, if it is there."""

    def mute_catchpoints(self, muted: bool) -> None:
        """Have those that there are only count, or no longer, which may be nested."""

    def catchpoint_counts(self) -> list[tuple[int, int, int, int]]:
        """Return of each catchpoint its number, how many it meant so far, of how many its condition had no value, and the
        instructions of all CPUs after which it began to count.

        A snapshot has them, and to restore it is to restore them. A catchpoint that it does not know begins to count there.
        """

    def put_catchpoint_counts(self, counts: list[tuple[int, int, int, int]]) -> None:
        """Have catchpoints go on from what was returned then; those that are not among them stay as they are."""

    @property
    def catch_hits(self) -> list[int] | None:
        """The catchpoints that the last stop is for; None: its name comes for the first time (:meth:`learn_catchpoints`)."""

    def learn_catchpoints(self, cpu: int, rows: list[int], entry: bool) -> bool:
        """Say which catchpoints may mean exits with the name, and the causes, of the one that a CPU has just stopped for.

        :param entry: it is the entry after it.
        :returns: whether some are hit: :attr:`catch_hits`.
        """

    def sift_entry(self, cpu: int) -> bool:
        """Hosted: whether a catchpoint wants the entry after the last exit of a CPU: :attr:`catch_hits`."""

    def other_record(self, cpu: int) -> ExitRecord | None:
        """Return the exception that is no exit, and that a CPU has just stopped for; None: that was an exit or an entry."""

    def take_output(self) -> bytes:
        """Take the output of the board's UART since the last call."""

    @property
    def input_waiting(self) -> int:
        """Bytes that were typed on the board's UART, and that the guest has not read."""

    @property
    def listens(self) -> bool:
        """Whether the guest would see typed input: it has enabled the UART's receive interrupts, or polls it."""

    def press_power_button(self) -> None:
        """Press the board's power button (pin 3 of the PL061) for 100 ms of virtual time."""

    def push_input(self, data: bytes, paced: bool = False) -> None:
        """Type on the board's UART, at the current virtual time; input that comes before the guest listens waits.

        :param paced: line by line, each after a second of virtual time in which the guest neither sent nor took anything.
        """

    def undefined_seen(self) -> list[tuple[int, int]]:
        """(address, word) of instructions that no row implements, each word once, since the last call."""

def exit_classes() -> list[ExitClass]:
    """Every class of exits."""

def exit_origins() -> list[tuple[str, str, int]]:
    """Return what exceptions are called that are no exits: the word before their class's name, what they are, and what is
    added to the number of their class."""

def exit_absent() -> list[AbsentClass]:
    """Return the classes of exceptions that the architecture has, and the model has not."""

def exit_absent_words() -> list[tuple[str, str]]:
    """Return words that names of exits would have by the architecture and have not here, and why."""

def exit_fields() -> list[tuple[str, str]]:
    """Return the numbers of an exit that catchpoints compare, and what they are."""

def condition_operators() -> tuple[list[str], list[tuple[str, int]]]:
    """Return the operators of catchpoints' conditions: of one operand, and of two with how strongly they bind."""

def fault_words(fsc: int) -> str:
    """Return what a fault status code (DFSC, IFSC) says: "translation fault, level 2"."""

def instructions() -> list[dict[str, Any]]:
    """Return the instruction table: name, pattern (32 characters), feature, kind, group."""

def registers(cpu: str = "max", *, el2: bool = True, gic: int = 3) -> list[dict[str, Any]]:
    """Return a profile's system registers, those of EL2 and of GICv3 only if there is one: name, encoding, group, el (the
    least that has any access), read and write (the least EL that may, or None), writable, bits, reset, write_mask,
    description, fields (name, msb, lsb, condition, values)."""

def chaos(text: str) -> str:
    """Return SEED:PROFILE with all its numbers, of SEED or SEED:PROFILE. :raises ValueError: it is none, with the reason."""

def chaos_kinds() -> list[tuple[str, bool, int, int, str]]:
    """Return what a seed can decide: name, whether it is in the usual profile, N if none is said, the greatest N, and what
    it does with N."""

def profiles() -> list[tuple[str, list[str]]]:
    """Return the CPU profiles: name, and the FEAT_ names (without FEAT_) that they have."""

@type_check_only
class _Memory(Protocol):
    def read(self, address: int, length: int, /) -> bytes: ...
    def write(self, address: int, data: bytes, /) -> None: ...

@final
class BoardDevice:
    """A single device of the board, for a VM whose host emulates the board. Times are virtual nanoseconds.

    :raises KeyError: no row of :func:`board` is called so, or it is the interrupt controller's."""

    def __new__(cls, name: str, *, cpus: int = 1, epoch: int = 1767225600) -> Self: ...
    def save(self) -> bytes:
        """Return the state of the device, for :meth:`load`; without its configuration and its pending output."""

    def load(self, state: bytes) -> None:
        """Put back a state. :raises ValueError: it does not fit; the device is as it was."""

    def read(self, offset: int, size: int, now: int) -> int:
        """Read 1, 2, 4 or 8 bytes. :raises ValueError: another size, or not aligned."""

    def peek(self, offset: int, size: int, now: int) -> int:
        """Return what :meth:`read` would, without an effect. :raises KeyError: it has one, which the error names."""

    def write(self, offset: int, size: int, value: int, now: int, memory: _Memory | None) -> None:
        """Write, and carry out the memory accesses that follow (fw_cfg's DMA). ``memory`` raises for addresses that it
        lacks."""

    def irqs(self) -> list[tuple[int, bool]]:
        """Return the levels of its interrupt lines, each with how many INTIDs it is behind the first."""

    def deadline(self) -> int | None:
        """When :meth:`event` must be called; None if it need not be."""

    def event(self, now: int, memory: _Memory | None) -> None:
        """Act: the time of :meth:`deadline` has come. ``memory`` is as of :meth:`write`."""

    def press_power_button(self, now: int) -> None:
        """Press the GPIO block's power button for 100 ms. :raises ValueError: a device without one."""

    def set_item(self, key: int | str, data: bytes) -> None:
        """Do what ``Machine.set_fw_cfg`` does. :raises ValueError: a bad name, or a device without items."""

    def plug_drive(self, path: str, kind: str = "raw", *, read_only: bool = False) -> int:
        """Do what ``Machine.plug_drive`` does, and so do these. :raises ValueError: this is not virtio-mmio."""

    def plug_rng(self, seed: int) -> int:
        """Do what ``Machine.plug_rng`` does. :raises ValueError: no slot is free, or this is not virtio-mmio."""

    def plug_console(self) -> int:
        """Do what ``Machine.plug_console`` does. :raises ValueError: no slot is free, or this is not virtio-mmio."""

    def take_output(self) -> bytes:
        """Return what the guest has sent to the console since the last call."""

    def push_input(self, data: bytes, now: int, memory: _Memory | None) -> None:
        """Type on the console; ``memory`` is as of :meth:`write`. :raises ValueError: there is none."""

    def take_waiting(self) -> bytes:
        """Return what was typed and the guest has not taken, and forget it."""

    def input_waiting(self) -> int:
        """Return the number of bytes that were typed and the guest has not taken."""

    def listens(self) -> bool:
        """Return whether the guest would see what is typed: its driver has begun."""

    def reset_slots(self) -> None:
        """Reset the devices in the virtio slots; disks keep their content. :raises ValueError: this is not virtio-mmio."""

    def plug_net(self, address: bytes) -> int:
        """Do what ``Machine.plug_net`` does, and so do these. :raises ValueError: this is not virtio-mmio."""

    def net_tell(self, client: int, what: str, data: bytes, port: int, now: int, memory: _Memory | None) -> None:
        """As ``Machine.net_tell``; ``memory`` is as of :meth:`write`."""

    def net_take(self) -> list[tuple[int, str, bytes]]: ...
    def net_waiting(self, client: int) -> int | None: ...
    def drive_size(self, slot: int) -> int: ...
    def drive_written(self, slot: int) -> list[tuple[int, int]]: ...
    def drive_read(self, slot: int, offset: int, length: int) -> bytes: ...
    def drive_problems(self) -> list[tuple[int, str]]: ...

RAM_BASE: int
"""The first PA of RAM; a hosted VM's first IPA of memory."""

def board(gic: int = 3) -> list[BoardRow]:
    """Return the memory map of a board with a GIC of this version, RAM left out. :raises ValueError: no such version."""

def device_tree(
    *,
    cpus: int,
    memory: int,
    bootargs: str = "",
    initrd: tuple[int, int] | None = None,
    psci: Literal["hvc", "smc"] = "hvc",
    gic: Literal["v2", "v3", "v3-its"] = "v3-its",
    cpu: str = "max",
    pmu: bool = True,
    flash: bool = True,
    pcie: bool = False,
) -> bytes:
    """Return the board's device tree as a DTB.

    ``gic`` "v3" leaves out the ITS, "v2" has its virtual interface with ``psci`` "smc" only; ``cpu`` is a profile, which
    is named, and decides whether there is EL2's virtual timer; ``pmu`` False leaves out the
    PMU, and ``flash`` False the flash, for a guest that does not get it; ``pcie`` adds a host bridge."""
