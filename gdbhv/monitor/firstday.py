"""The mistakes of everybody's first day at EL2 (or EL1), recognised and said in words: part of ``doctor``.

Each is a function of a :class:`Case` that says what is wrong, or nothing. None of them is sure: what is said is what the
registers and the memory have, and what that usually comes from. Sections are of the Arm ARM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from gdbhv import _core, tables
from gdbhv.errors import GdbhvError, MemoryError_
from gdbhv.target import Target, ThreadId

RAM_BASE = _core.RAM_BASE
GRANULES = {"4 KiB": 0, "64 KiB": 1, "16 KiB": 2}  # TG0
WORD = 4
MSR_SCTLR = {1: 0xD5181000, 2: 0xD51C1000}  # MSR SCTLR_ELx, X0 (D24.2.152)
RT = 0x1F
ISB = 0xD5033FDF
ABORTS = (0x20, 0x21, 0x24, 0x25)  # ESR_ELx.EC (D24.2.40)
FETCHES = (0x20, 0x21)
UNDEFINED, ILLEGAL, SP_ALIGNMENT = 0x00, 0x0E, 0x26
EXTERNAL = 0x10  # DFSC, IFSC
QUARTERS = 0x780  # of a table of vectors (D1.3.1)


@dataclass
class Case:
    """A CPU as it stands, and the exception that it has taken last at its level."""

    target: Target
    thread: ThreadId

    def register(self, name: str) -> int:
        """Return a register; 0 if there is none."""
        try:
            return self.target.read_register(self.thread, name)
        except GdbhvError:
            return 0

    @cached_property
    def pc(self) -> int:
        return self.register("pc")

    @cached_property
    def level(self) -> int:
        return max(1, tables.exception_level(self.register("cpsr")))

    def own(self, name: str) -> int:
        """Return the level's register: ``own("VBAR")``."""
        return self.register(f"{name}_EL{self.level}")

    def field(self, name: str) -> int:
        """Return a field of the level's register: ``field("SCTLR.M")``."""
        register, _, field = name.partition(".")
        return tables.decode(f"{register}_EL{self.level}", self.own(register)).get(field, 0)

    @cached_property
    def at_vector(self) -> bool:
        """Whether it stands in the level's vectors, and has come there by an exception."""
        return self.pc & ~0x7FF == self.own("VBAR") & ~0x7FF and bool(self.own("ELR") or self.own("ESR"))

    @cached_property
    def ec(self) -> int:
        return tables.decode("ESR_EL2", self.own("ESR"))["EC"]

    @cached_property
    def origin(self) -> int:
        """Where it went wrong: the exception's address, or where it is."""
        return self.own("ELR") if self.at_vector else self.pc

    def word(self, va: int) -> int | None:
        """Return the instruction at a VA as the level sees it; None: there is nothing."""
        try:
            return int.from_bytes(self.target.read_memory(self.thread, va, WORD), "little")
        except GdbhvError:
            return None

    def physical(self, pa: int) -> int | None:
        """Return the instruction at a physical address."""
        try:
            return int.from_bytes(self.target.core.read_pa(pa, WORD), "little")
        except (MemoryError_, IndexError, ValueError):
            return None

    @property
    def mmu(self) -> bool:
        return bool(self.field("SCTLR.M"))

    @property
    def cpus(self) -> int:
        return self.target.core.cpus


def _zeros(c: Case) -> str | None:
    """Tell of a jump into memory that is zero."""
    if c.word(c.origin) != 0 or (c.at_vector and c.ec != UNDEFINED):
        return None
    why = f"no code was loaded there, or the pointer is wrong (x30 is {c.register('x30'):#x})"
    return f"it has jumped to {c.origin:#x}, where memory is zero (udf #0): {why}"


def _elsewhere(c: Case) -> str | None:
    """Tell of an image that is linked for another address than it was loaded at."""
    if c.mmu or (c.at_vector and c.ec not in FETCHES) or c.word(c.origin) is not None:
        return None
    return (
        f"it executes at {c.origin:#x}, where the board has no memory (RAM begins at {RAM_BASE:#x}): the image is linked "
        "for another address than it was loaded at (see its linker script, and --load-address), or a pointer is wrong"
    )


def _next_instruction(c: Case) -> str | None:
    """Tell of the MMU switched on where the next instruction is not mapped."""
    lost = c.word(c.pc) is None
    at = c.pc if lost else c.origin
    if not c.mmu or not (lost or (c.at_vector and c.ec in FETCHES and c.word(c.origin) is None)):
        return None
    which = f"SCTLR_EL{c.level}.M is 1, and TTBR0_EL{c.level} ({c.own('TTBR0'):#x}) does not map {at:#x}"
    for back in (WORD, 2 * WORD):
        before = c.physical(c.origin - back)
        if before is not None and before & ~RT == MSR_SCTLR[c.level]:
            return f"the MMU was switched on at {c.origin - back:#x}, and the next instruction is not mapped: {which}"
    if c.at_vector:
        return f"not even the vectors are mapped: {which}; every exception ends in the next (D1.3.1)"
    return f"the instruction is not mapped: {which}"


def _caches(c: Case) -> str | None:
    """Tell of the MMU on and caches off: SCTLR_ELx.C and I (D24.2.152)."""
    if not c.mmu:
        return None
    off = [name for name in ("C", "I") if not c.field(f"SCTLR.{name}")]
    if not off:
        return None
    what = {
        "C": "all data is Non-cacheable, whatever the tables say: LDXR and STXR need not work (B2.17)",
        "I": "fetches are Non-cacheable: slow on hardware",
    }
    said = "; ".join(f"{name} is 0: {what[name]}" for name in off)
    return f"SCTLR_EL{c.level}.M is 1 and SCTLR_EL{c.level}.{said}"


def _unseen_tables(c: Case) -> str | None:
    """Tell of tables that the walker, or another CPU, need not see as they were written."""
    if not c.mmu:
        return None
    name = f"TCR_EL{c.level}"
    if not c.field("TCR.IRGN0") or not c.field("TCR.ORGN0"):
        return (
            f"{name}.IRGN0 or ORGN0 is 0: walks go past the caches, and tables that were written through them "
            "need DC CVAC first (D8.2.10)"
        )
    if c.cpus > 1 and c.field("TCR.SH0") == 0:
        return f"{name}.SH0 is 0, Non-shareable: of tables that one CPU writes another need not see anything (D8.2.10)"
    return None


def _other_cpus_tables(c: Case) -> str | None:
    """Tell of a CPU with the MMU on and without tables, where another has some."""
    if not c.mmu or c.own("TTBR0"):
        return None
    core = c.target.core
    others = {n: core.read_register(n, f"TTBR0_EL{c.level}") for n in range(c.cpus)}
    found = next((f"cpu{n} has {v:#x}" for n, v in others.items() if v), None)
    return None if found is None else f"TTBR0_EL{c.level} is 0 on this CPU, while {found}: each CPU sets its own registers"


def _vectors(c: Case) -> str | None:
    """Tell of missing vectors: VBAR_ELx that was not set, or that is misaligned."""
    vbar = c.own("VBAR")
    if c.pc & ~0x7FF != vbar & ~0x7FF or c.pc & 0x7F:
        return None
    if c.word(c.pc) not in (None, 0):
        return None
    name = f"VBAR_EL{c.level}"
    if not vbar:
        return f"{name} is 0: it was never set, and an exception goes to {c.pc:#x}"
    symbols, _ = c.target.symbols(c.thread)
    near = next((n for n, a in symbols.items() if vbar < a < vbar + 0x800 and "vec" in n.lower()), None)
    if near is not None:
        lost = "vectors are aligned to 2 KiB, the low 11 bits are lost"
        return f"{name} is {vbar:#x} and {near} is at {symbols[near]:#x}: {lost}"
    return f"{name} is {vbar:#x}, where no code is"


def _stack(c: Case) -> str | None:
    """Tell of a stack pointer that was not set."""
    sp = c.register("sp")
    if c.at_vector and c.ec == SP_ALIGNMENT:
        return f"sp is {sp:#x}, which is not aligned to 16 bytes (SCTLR_EL{c.level}.SA, D1.8.2)"
    if not c.at_vector or c.ec not in ABORTS or c.ec in FETCHES:
        return None
    far = c.own("FAR")
    if (far - sp + 0x1000) % (1 << 64) > 0x2000 or (sp >= RAM_BASE and not c.mmu):
        return None
    return f"sp is {sp:#x}, and an access beside it has faulted (FAR_EL{c.level} {far:#x}): the stack pointer was not set"


def _granule(c: Case) -> str | None:
    """Tell of TCR_ELx.TG0 of another granule than the tables have."""
    if not c.mmu or c.level == 1 or c.word(c.pc) is not None:
        return None
    tcr, now = c.own("TCR"), c.field("TCR.TG0")
    for name, value in GRANULES.items():
        if value != now and _maps(c, tcr & ~(3 << 14) | value << 14):
            mine = next((n for n, v in GRANULES.items() if v == now), "reserved")
            return f"TCR_EL2.TG0 is {now} ({mine}), and the tables map {c.pc:#x} with {value} ({name})"
    return None


def _maps(c: Case, tcr: int) -> bool:
    """Whether EL2's tables would map the PC to RAM, VA = PA, with another TCR_EL2: asked of EL1's walker."""
    keep = tcr & 0xFFFF
    ips = (tcr >> 16 & 7) << 32
    values = {"hcr": 1 << 31, "vtcr": 0, "vttbr": 0, "sctlr": 1, "ttbr0": c.own("TTBR0"), "ttbr1": 0, "mair": c.own("MAIR")}
    controls = _core.Controls(**values, tcr=keep | ips | 1 << 23)
    walk = c.target.core.translate(c.thread.tid - 1, c.pc, el=1, controls=controls)
    return walk.get("pa") == c.pc


def _start_level(c: Case) -> str | None:
    """Tell of VTCR_EL2.SL0 of other tables than VTTBR_EL2 names: a guest that cannot fetch its first instruction."""
    core, cpu = c.target.core, c.thread.tid - 1
    record = core.exit_record(cpu)
    controls = core.controls(cpu)
    if record is None or not controls.hcr & 1 or record["ipa"] is None:
        return None
    ipa = record["ipa"]
    if "pa" in (core.translate_ipa(cpu, ipa, controls=controls) or {"pa": 0}):
        return None
    now = tables.decode("VTCR_EL2", controls.vtcr)["SL0"]
    for value in (0, 1, 2):
        names = {k: getattr(controls, k) for k in ("hcr", "vttbr", "sctlr", "tcr", "ttbr0", "ttbr1", "mair")}
        other = _core.Controls(**names, vtcr=controls.vtcr & ~(3 << 6) | value << 6)
        walk = core.translate_ipa(cpu, ipa, controls=other)
        if value != now and walk is not None and "pa" in walk and _in_ram(c, walk["pa"]):
            return (
                f"stage 2 does not map IPA {ipa:#x} with VTCR_EL2.SL0 = {now}, and it does with {value}: "
                "the walk starts at another level than the tables were made for (D8.2.2)"
            )
    return None


def _in_ram(c: Case, pa: int) -> bool:
    return c.physical(pa & ~3) is not None


def _illegal(c: Case) -> str | None:
    """Tell of an exception return to where it cannot go (D1.4.4)."""
    if not c.at_vector or c.ec != ILLEGAL:
        return None
    return (
        f"the exception return to {c.origin:#x} was illegal (PSTATE.IL): SPSR_EL{c.level}.M has named an exception level "
        "that is not there or not lower, or AArch32, which no CPU here has; on one that has, HCR_EL2.RW must be 1"
    )


MISTAKES: tuple[Callable[[Case], str | None], ...] = (
    _illegal,
    _stack,
    _granule,
    _next_instruction,
    _other_cpus_tables,
    _vectors,
    _zeros,
    _elsewhere,
    _start_level,
    _unseen_tables,
    _caches,
)


def mistakes(target: Target, thread: ThreadId) -> Iterator[str]:
    """Return what looks like a mistake of somebody's first day, the likeliest cause first."""
    case = Case(target, thread)
    for find in MISTAKES:
        if (said := find(case)) is not None:
            yield said
