"""Records that the native module makes: what an exit was, and how many there were of each kind.

They are dictionaries with these keys wherever they appear: in ``on_exit`` and the hypervisor's handlers, in
:attr:`gdbhv.target.Stop.exit`, from ``Machine.exit_counts``, and in every ``--json`` (which may add keys of its own).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

Scope = tuple[int, int] | Literal["host", "el2"]
"""The scope of a breakpoint or watchpoint: a VM, by VTTBR_EL2 without VMID and CnP, and VMID; EL2 and a host at EL1
("host": all but VMs); EL2 and the processes that it hosts ("el2")."""

_ClassKey = TypedDict("_ClassKey", {"class": str})  # "class" is not an identifier, so the functional form is used


class ExitRecord(_ClassKey):
    """One exit: the contents of EL2's registers, and what else the machine knows. Addresses and values are unsigned.

    Source: Arm ARM D24.2 (ESR_EL2, FAR_EL2, HPFAR_EL2, SPSR_EL2).
    """

    seq: int  # number of this exit, from 1
    cpu: int
    now: int  # virtual time in nanoseconds
    el: int  # exception level it came from
    nv: int  # 0 without HCR_EL2.NV, 1 with it, 2 with HCR_EL2.NV2 too
    vmid: int
    vm: int  # number of the VM, which is its process in gdb; 0 if unknown
    number: int  # of the class; the key "class" has its name
    name: str  # class and sub-reasons: dabt.trans.l3.w.isv
    pc: int  # of the instruction that caused it, or where the interrupt came
    spsr: int
    esr: int  # 0 for interrupts
    far: int | None
    ipa: int | None  # the true one, also where HPFAR_EL2 is UNKNOWN
    hpfar_valid: bool  # whether HPFAR_EL2 has it
    insn: int | None  # the instruction's word
    rt: int | None  # the register that is transferred, and its value
    rt_value: int | None
    args: list[int]  # x0 to x3
    cause: list[str]  # control bits, the effective one first
    intid: int | None
    misr: int  # ICH_MISR_EL2, of the maintenance interrupt


class ExitCount(TypedDict):
    """The number of exits of one kind, of one VM."""

    vm: int  # its number; 0 if unknown
    vmid: int
    number: int  # of the class
    name: str  # class and sub-reasons, as in an exit's record
    count: int


class SpreadRecord(TypedDict):
    """A distribution: exact except for ``buckets``, which are pairs of a bucket and its number of values. A bucket's first
    and last value are ``Machine.spread_bounds()``: one value each below 32, sixteen buckets to a power of two above."""

    count: int
    total: int
    min: int
    max: int
    buckets: list[tuple[int, int]]


class ExitAccount(_ClassKey):
    """The exits of one place. When there are 8,192 places, the exits of further ones are counted by kind: ``vcpu`` is 0, and
    ``call``, ``pc`` and ``page`` are None."""

    vm: int  # number of the VM; 0 if unknown
    vmid: int
    vcpu: int  # from 0; of what runs without a VM, the CPU
    number: int  # of the class; the key "class" has its name
    name: str
    call: int | None  # function identifier of a hypercall
    pc: int | None
    page: int | None  # first IPA of the page
    count: int
    guest: SpreadRecord  # instructions that the guest had executed since its entry
    host: SpreadRecord  # instructions of the CPU in the hypervisor until it entered something again
    away: SpreadRecord  # virtual nanoseconds until the vCPU was entered again
    nested: SpreadRecord  # instructions of the hypervisor meanwhile for exits of the hypervisor at EL1 that handled it


class TraceEvent(_ClassKey):
    """An exit, an entry, or something in the life of a virtual interrupt.

    Of what EL2 does to its list registers ("listed", "unlisted", "maintenance") ``vm`` is 0: it is for the vCPU that the CPU
    enters next, or of the one that it has left last.
    """

    seq: int  # from 0
    what: str  # "exit", "entry", "virtual" (taken at EL1), "pended", "listed", "unlisted", "acknowledged", "ended"...
    name: str  # as of an exit; "entry"; "virt.irq.ppi27", "listed.ppi27"
    cpu: int
    el: int  # exception level that it came from, or went to
    vm: int  # number of the VM; 0 if unknown
    vcpu: int  # from 0; of what runs without a VM, the CPU
    vmid: int
    number: int  # of the class
    now: int  # virtual time in nanoseconds
    insns: int  # instructions of the CPU
    pc: int
    intid: int | None  # of a virtual interrupt
    value: int | None  # IPA of an abort, function identifier of a hypercall; number of a list register; ICH_MISR_EL2
    cause: list[str]


class By(TypedDict):
    """Who has executed something, and when."""

    cpu: int
    el: int
    pc: int
    now: int  # virtual time in ticks
    exits: int  # how many there had been


class Broken(By):
    """Who has made a descriptor invalid; ``old``: what it was."""

    old: int


class TableChange(By):
    """The last store that changed a descriptor of a translation table."""

    pa: int  # of the descriptor
    old: int
    new: int
    kind: str  # "make", "break", "replace" (valid, and another), "narrow" (permissions taken away) or "other"
    what: str | None  # what is replaced
    stage: int
    level: int
    regime: str  # "EL1&0", "EL2" or "EL2&0"
    vmid: int
    asid: int
    address: int  # the first that it resolves: VA (bits 55:0) or IPA
    size: int  # of what it resolves
    broken: Broken | None  # what was valid before, if it is made again


class AddressUse(By):
    """An access by a translation."""

    va: int
    purpose: str  # "read", "write", "fetch"; "return": an exception return


class TlbiRecord(By):
    """A TLBI that was executed: what it covers, in words, and whether a DSB has completed it."""

    text: str
    complete: bool


class TlbAlarm(TypedDict):
    """Something that is wrong with the use of tables and TLBs, as it was the first time."""

    wrong: str
    count: int
    change: TableChange | None
    use: AddressUse | None
    tlbi: TlbiRecord | None  # that is incomplete, or too early, or does not cover the change
    narrow: str | None  # why not
    late: TlbiRecord | None  # that came too late


class TlbCheck(TypedDict):
    """What ``Machine.check_tlb`` has found."""

    tables: int  # pages that are known to hold tables
    stores: int  # that changed descriptors
    tlbis: int
    stale_uses: int  # uses of translations that the tables do not have, also those that are not wrong
    waiting: int  # such uses that are alarms if no TLBI follows
    alarms: list[TlbAlarm]


class Compiled(TypedDict):
    """What compiling guest code has cost, and what it was used for: part of what `gdbhv run --stats json` prints."""

    blocks: int  # also those that are out of use
    instructions: int  # in them
    bytes: int  # of native code
    seconds: float  # of the host's clock
    executed: int  # instructions of the machine that native code has executed, or called the interpreter for


class Repeated(TypedDict):
    """An exception that a CPU takes again and again, at the same place and with no instruction between."""

    cpu: int
    el: int  # exception level that it comes from
    target: int  # exception level that takes it
    pc: int  # where it comes
    vector: int  # where it is taken
    kind: str  # "sync", "irq", "fiq" or "serror"
    esr: int  # EC of the form for a lower level, IL and ISS
    far: int | None
    ipa: int | None  # where stage 2 refuses it
    intid: int | None
    cause: list[str]  # controls that send it to EL2
    count: int


class Trial(TypedDict):
    """What an instruction would do if it were executed next."""

    el: int  # exception level that executes it
    pc: int
    target: int | None  # exception level that takes an exception; None: it takes none
    exit: ExitRecord | None  # the exception, if it is an exit
    esr: int | None  # EC of the form for a lower level, IL and ISS
    far: int | None
    cause: list[str]
    waits: bool  # it waits, as WFI does
    firmware: bool  # it calls the firmware


class ExitCounts(TypedDict):
    """The exits so far: what `monitor vmexit stats --json` prints, and part of what `gdbhv run --stats json` does."""

    exits: int  # all
    further: int  # of kinds beyond the first 4096, which are counted together
    counts: list[ExitCount]  # sorted by VM and class


@dataclass(frozen=True)
class VcpuRecord:
    """A vCPU of a VM: ``name`` by its vMPIDR, ``ago`` how many instructions the machine has executed since its last
    entry or exit."""

    number: int  # from 1, in the order of first entry: its thread in gdb
    name: str
    mpidr: int
    cpu: int | None  # that executes it, or handles its exit; None: it is descheduled
    running: bool  # it has been entered, and has not exited since
    exits: int
    ago: int | None = None  # None on a hosted machine, where it is not known


@dataclass(frozen=True)
class VmRecord:
    """A VM: what `monitor vms --json` prints of each."""

    number: int  # its process in gdb
    name: str
    vmid: int
    root: int  # VTTBR_EL2 without the VMID: where its stage 2 tables are
    ipa_bits: int
    vcpus: tuple[VcpuRecord, ...]
    replaced: int | None = None  # the number of the VM that has run later with its VMID or its tables
    shared: str | None = None  # which of the two: "VMID" or "tables"

    @property
    def exits(self) -> int:
        """The exits of all its vCPUs."""
        return sum(v.exits for v in self.vcpus)

    @property
    def ago(self) -> int | None:
        """How many instructions the machine has executed since its last entry or exit."""
        return min((v.ago for v in self.vcpus if v.ago is not None), default=None)
