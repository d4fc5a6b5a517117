"""System registers and instructions against a live QEMU: who may, what is trapped and with which syndrome, what they hold.

Every encoding is tried at every level; every register and system instruction under every trap bit. What differs is listed
here with its reason, and an entry that is not needed any more fails.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gdbhv import _core
from oracle import listing, registers
from oracle.registers import HCR_RW, SCTLR_EL1, Item, Outcome, encoding, kept, read, write, write_back

CPU = "cortex-a57"
ARMV8_0 = ["cortex-a53", "cortex-a57", "cortex-a72"]
"""Cores with AArch32 at EL1, of which gdbhv's have the registers at EL2 that keep its state."""
ROWS = {r["encoding"]: r for r in _core.registers(CPU)}
NUMBER = {r["name"]: r["encoding"] for cpu in ("neoverse-n1", CPU) for r in _core.registers(cpu)}
NAME = {number: name for name, number in NUMBER.items()}

DEBUG = """
    OSDTRRX_EL1 OSDTRTX_EL1 OSECCR_EL1 DBGPRCR_EL1 DBGCLAIMSET_EL1 DBGCLAIMCLR_EL1 DBGAUTHSTATUS_EL1 DBGDTR_EL0 DBGDTRRX_EL0
"""
"""Registers of ARMv8.0 that QEMU 7.2 does not have."""

AARCH32 = """
    DBGVCR32_EL2 DACR32_EL2 IFSR32_EL2 FPEXC32_EL2 SPSR_irq SPSR_abt SPSR_und SPSR_fiq
"""
"""State of AArch32 at EL1, which Neoverse N1 does not have (its AArch32 is of EL0 alone); QEMU gives it to all cores."""

CBAR = encoding(3, 1, 15, 3, 0)
IMPLEMENTATION_DEFINED = [encoding(3, 1, 11, 0, b) for b in (2, 3)]
IMPLEMENTATION_DEFINED += [encoding(3, 1, 15, m, b) for m, b in ((0, 0), (2, 0), (2, 1), (2, 2), (2, 3))] + [CBAR]
"""L2CTLR_EL1 and its kind."""

RECORDS = "ERRSELR_EL1 ERXFR_EL1 ERXCTLR_EL1 ERXSTATUS_EL1 ERXADDR_EL1 ERXMISC0_EL1 ERXMISC1_EL1"
"""Without error records, QEMU has none of these; they may also be RES0 (ERRSELR_EL1, "Accessing")."""

N1 = {
    AARCH32: "AArch32 at EL1, which this core does not have",
    RECORDS: "no error records",
    " ".join(n for n in NUMBER if n.endswith(("_EL12", "_EL02"))): "UNDEFINED with HCR_EL2.E2H clear; QEMU does not look",
}
"""What QEMU gives to its Neoverse N1 and should not."""

MOVING = "CNTPCT_EL0 CNTVCT_EL0 CNTP_TVAL_EL0 CNTV_TVAL_EL0 CNTHP_TVAL_EL2"
N1_RESET = "ID_MMFR4_EL1 ID_ISAR6_EL1 ID_PFR2_EL1 CNTHV_TVAL_EL2"  # no AArch32; it moves
RESET = {
    "ID_PFR0_EL1 ID_PFR1_EL1 ID_DFR0_EL1 ID_MMFR0_EL1 ID_MMFR1_EL1 ID_MMFR2_EL1 ID_MMFR3_EL1": "no AArch32",
    "ID_ISAR0_EL1 ID_ISAR1_EL1 ID_ISAR2_EL1 ID_ISAR3_EL1 ID_ISAR4_EL1 ID_ISAR5_EL1": "no AArch32",
    "MVFR0_EL1 MVFR1_EL1 MVFR2_EL1": "no AArch32",
    "ID_AA64PFR0_EL1": "no AArch32",
    "ID_AA64MMFR0_EL1": "no big-endian data",
    "SCTLR_EL2 CPTR_EL2 FPEXC32_EL2": "QEMU resets RES1 bits to 0",
    "PMCR_EL0": "LC is RES1 without AArch32",
    "PMCEID0_EL0 PMCEID1_EL0": "QEMU counts fewer events",
}


def on_gdbhv(items: list[Item], cpu: str = CPU) -> list[Outcome]:
    machine = _core.Machine(memory=listing.RAM_SIZE, cpu=cpu, hosted=False)
    for address, data in registers.image(items):
        machine.write_pa(address, data)
    machine.cpu_on(0, registers.ENTRY, 0, 2)
    stop = machine.run(10_000_000_000)
    assert stop["kind"] == "poweroff", stop
    return registers.outcomes(machine.read_pa(registers.RESULTS, 16 * len(items)), items)


def numbers(names: str) -> set[int]:
    return {NUMBER[n] for n in names.split()}


def name(register: int) -> str:
    return NAME.get(
        register, f"S{register >> 14}_{register >> 11 & 7}_C{register >> 7 & 15}_C{register >> 3 & 15}_{register & 7}"
    )


def named(item: Item) -> int:
    return item.words[0] >> 5 & 0xFFFF


def compare(items: list[Item], different: Iterable[int], ours: list[Outcome], theirs: list[Outcome], values: bool) -> None:
    """Fail if anything but ``different`` differs, or if something of it does not."""
    seen: dict[int, str] = {}
    for item, a, b in zip(items, ours, theirs, strict=True):
        if (a if values else (a.level, a.esr)) != (b if values else (b.level, b.esr)):
            text = f"{name(named(item))} ({item.words[0]:#010x}) at EL{item.el}, HCR_EL2 {item.hcr:#x}: ours {a}, QEMU's {b}"
            seen.setdefault(named(item), text)
    allowed = set(different)
    unexpected = [text for number, text in seen.items() if number not in allowed]
    assert not unexpected, "\n".join(unexpected[:20])
    assert {name(n) for n in allowed - seen.keys()} == set(), "listed, but the same"


EVERY = [encoding(o, a, n, m, b) for o in (2, 3) for a in range(8) for n in range(16) for m in range(16) for b in range(8)]


def differences(cpu: str) -> set[int]:
    if cpu in ARMV8_0:
        return numbers(DEBUG) | set(IMPLEMENTATION_DEFINED)
    return numbers(DEBUG) | {CBAR} | {n for names in N1 for n in numbers(names)}


@pytest.mark.parametrize("cpu", [*ARMV8_0, "neoverse-n1"])
def test_what_is_read_at_every_level(cpu: str) -> None:
    items = [read(r, el) for r in EVERY for el in (0, 1, 2)]
    different = differences(cpu) | numbers(MOVING) | {n for names in RESET for n in numbers(names)}
    different |= set() if cpu in ARMV8_0 else numbers(N1_RESET)
    compare(items, different, on_gdbhv(items, cpu), registers.on_qemu(items, cpu), values=True)


@pytest.mark.parametrize("cpu", [*ARMV8_0, "neoverse-n1"])
def test_who_may_write(cpu: str) -> None:
    items = [write_back(r, el) for r in EVERY for el in (0, 1, 2)]
    read_only = numbers("DBGAUTHSTATUS_EL1 ERXFR_EL1") | {CBAR}
    compare(items, differences(cpu) - read_only, on_gdbhv(items, cpu), registers.on_qemu(items, cpu), values=False)


def test_the_caches_are_those_of_the_core() -> None:
    for cpu in [*ARMV8_0, "neoverse-n1"]:
        items = [f for n in (0, 1, 2) for f in (write(NUMBER["CSSELR_EL1"], 2, n), read(NUMBER["CCSIDR_EL1"], 2))]
        assert on_gdbhv(items, cpu) == registers.on_qemu(items, cpu), cpu


DC_ZVA = encoding(1, 3, 7, 4, 1)
"""With the MMU off, memory is Device, and DC ZVA an alignment fault (C5.3.8); QEMU zeroes."""


def test_system_instructions_at_every_level() -> None:
    codes = [encoding(1, a, n, m, b) for a in range(8) for n in range(16) for m in range(16) for b in range(8)]
    items = [write(c, el, 0x4020_8000) for c in codes for el in (0, 1, 2)]
    compare(items, {DC_ZVA}, on_gdbhv(items), registers.on_qemu(items), values=False)


EL0_MAY = SCTLR_EL1 | 1 << 26 | 1 << 15 | 1 << 9 | 1 << 14 | 1 << 16 | 1 << 18
"""UCI, UCT, UMA, DZE, nTWI, nTWE."""

HCR_BITS = [b for b in range(1, 34) if b not in (12, 27, 29, 31)]
"""Without DC and TGE (nothing would be at EL1), HCD (the guest reports by HVC), RW."""


def under(hcr: int, sctlr: int = EL0_MAY, rows: Iterable[int] = ROWS) -> list[Item]:
    codes = [encoding(1, a, n, m, b) for a in (0, 3, 4) for n in (7, 8) for m in range(16) for b in range(8)]
    items = [f(r, el, hcr=hcr, sctlr=sctlr) for r in rows for el in (0, 1) for f in (read, write_back)]
    return items + [write(c, el, 0x4020_8000, hcr=hcr, sctlr=sctlr) for c in codes for el in (0, 1)]


def test_traps_of_hcr() -> None:
    items = [i for sctlr in (SCTLR_EL1, EL0_MAY) for i in under(HCR_RW, sctlr)]
    items += [i for bit in HCR_BITS for i in under(HCR_RW | 1 << bit)]
    compare(items, numbers(DEBUG) | {DC_ZVA}, on_gdbhv(items), registers.on_qemu(items), values=False)


MAX = {r["name"]: r["encoding"] for r in _core.registers("max")}
MAX_BITS = [16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 28, 30, 35, 36]
"""Those of HCR_EL2 that trap accesses and that QEMU 7.2's max has: no FEAT_EVT, no FEAT_NV."""


def test_traps_of_hcr_on_max() -> None:
    newer = ("HFG", "HDFG", "VNCR", "CNTPCTSS", "CNTVCTSS", "CNTPOFF", "PM")
    rows = [e for name, e in MAX.items() if not name.startswith(newer)]
    items = [i for bit in MAX_BITS for i in under(HCR_RW | 1 << bit, rows=rows)]
    different = {MAX[n] for n in (DEBUG + RECORDS).split()} | {DC_ZVA}
    compare(items, different, on_gdbhv(items, "max"), registers.on_qemu(items, "max"), values=False)


def test_reads_of_the_feature_id_space_on_max() -> None:
    """FEAT_IDST: whatever is refused there has EC 0x18."""
    space = [encoding(3, a, 0, m, b) for a in (0, 1, 2, 3) for m in range(8) for b in range(8)]
    items = [read(r, el) for r in space for el in (0, 1, 2)]
    absent = {encoding(3, 1, 0, 0, 6)}  # SMIDR_EL1: QEMU's max has FEAT_SME
    compare(items, absent, on_gdbhv(items, "max"), registers.on_qemu(items, "max"), values=False)


CONTROLS = {
    "MDCR_EL2": (6, (5, 6, 8, 9, 10, 11), "PMCR_EL0"),  # HPMN 6: all counters are EL1's; QEMU ignores TPMCR
    "CPTR_EL2": (0x33FF, (10, 20, 31), ""),
    "HSTR_EL2": (0, tuple(b for b in range(16) if b not in (4, 14)), ""),
    "CNTHCTL_EL2": (3, (0, 1, 8, 9, 10, 11), ""),
    "CNTKCTL_EL1": (0, (0, 1, 8, 9), ""),
    "ICH_HCR_EL2": (0, (10, 11, 12, 14), ""),
    "CPACR_EL1": (0, (20, 21, 28), ""),
    "MDSCR_EL1": (0, (12,), "MDCCSR_EL0"),  # QEMU ignores TDCC
}


@pytest.mark.parametrize("control", CONTROLS)
def test_traps_of_other_controls(control: str) -> None:
    reset, bits, different = CONTROLS[control]
    items: list[Item] = []
    for bit in bits:
        items.append(write(NUMBER[control], 2, reset ^ 1 << bit))
        others = [r for r in ROWS if r != NUMBER[control]]
        items += [f(r, el, sctlr=EL0_MAY) for r in others for el in (0, 1) for f in (read, write_back)]
    items.append(write(NUMBER[control], 2, reset))
    expected = numbers(DEBUG) | numbers(different)
    compare(items, expected, on_gdbhv(items), registers.on_qemu(items), values=False)


def test_every_bit_that_is_told_writable_is_and_no_other() -> None:
    """The table's write mask is what MSR does. (QEMU keeps RES0 bits, so it is no oracle here.)"""
    # These hold nothing, or what is written acts; NZCV, DAIF and SPSel are PSTATE, which the guest itself uses.
    by_effect = numbers("DBGCLAIMSET_EL1 DBGCLAIMCLR_EL1 DBGDTR_EL0 DBGDTRRX_EL0 ACTLR_EL1 ACTLR_EL2 HACR_EL2")
    by_effect |= numbers("PMCR_EL0 PMCNTENSET_EL0 PMCNTENCLR_EL0 PMINTENSET_EL1 PMINTENCLR_EL1 PMOVSSET_EL0 PMOVSCLR_EL0")
    by_effect |= numbers("PMXEVTYPER_EL0 PMXEVCNTR_EL0")
    by_effect |= numbers("AFSR0_EL1 AFSR1_EL1 AMAIR_EL1 AFSR0_EL2 AFSR1_EL2 AMAIR_EL2 SPSel DAIF NZCV")
    items, masks = [], []
    for number, row in ROWS.items():
        if row["read"] is None or row["write"] is None or row["group"] in ("gic", "timer") or number in by_effect:
            continue
        ones = (1 << 64) - 1 & ~(1 if "SCTLR" in row["name"] else 0)  # the MMU stays off
        items += [kept(number, 2, ones), kept(number, 2, 0)]
        masks += [(row["name"], row["write_mask"] & ones), (row["name"], 0)]
    outcomes = on_gdbhv(items)
    for (register, mask), one, zero in zip(masks[::2], outcomes[::2], outcomes[1::2], strict=True):
        assert (one.level, zero.level) == (0, 0), register
        assert one.value ^ zero.value == mask, f"{register}: {one.value:#x}, {zero.value:#x}, mask {mask:#x}"
