"""What the hypervisor injects is what hardware without one does: the same program on a machine without EL2, compared.

Oracle: the model's own AArch64.TakeException at EL1, and Arm ARM D24.2.40 (ESR_ELx) for the numbers that are spelled here.
"""

from __future__ import annotations

import itertools
import struct

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import Action, Space
from hv.programs import (
    BR_X1,
    CAS_X3_X4_X1,
    CODE,
    DATA,
    DC_CIVAC_X1,
    LDP_X2_X3_X1,
    LDR_X0_X1,
    LDR_X0_X1_POST,
    LDRB_W0_X1,
    MEMORY,
    NOP,
    NOTHING,
    STR_W0_X1,
    STR_X0_X1,
    VECTORS,
    add_vm,
    bare,
    hosted,
    thread,
)

TAKEN = "pc cpsr sp ESR_EL1 FAR_EL1 ELR_EL1 SPSR_EL1 x0 x1 x2 x3".split()
EL0, EL1T, EL1H = 0b0000, 0b0100, 0b0101
FLAGS = 0xA << 28 | 1 << 24 | 1 << 22 | 1 << 12  # N and C, DIT, PAN, SSBS
SPAN, DSSBS = 1 << 23, 1 << 44


def set_up(target, *, mode: int, flags: int = 0, sctlr: int = 0, far: int = NOTHING) -> None:
    t = thread()
    target.write_register(t, "VBAR_EL1", VECTORS)
    target.write_register(t, "SCTLR_EL1", target.read_register(t, "SCTLR_EL1") & ~SPAN | sctlr)
    target.write_register(t, "cpsr", mode | 0x3C0 | flags)
    target.write_register(t, "x0", 0x1234)
    target.write_register(t, "x1", far)


def after(target, steps: int) -> dict[str, int]:
    for _ in range(steps):
        target.run([Action(thread(), step=True)])
    return {name: target.read_register(thread(), name) for name in TAKEN}


@pytest.mark.parametrize("mode", [EL0, EL1T, EL1H])
@pytest.mark.parametrize(
    ("word", "ec", "iss", "steps"),
    [
        (LDR_X0_X1, 0x24, 0x10, 1),
        (LDRB_W0_X1, 0x24, 0x10, 1),
        (STR_X0_X1, 0x24, 0x50, 1),
        (LDP_X2_X3_X1, 0x24, 0x10, 1),
        (LDR_X0_X1_POST, 0x24, 0x10, 1),
        (BR_X1, 0x20, 0x10, 2),
    ],
)
def test_an_abort_where_nothing_is(word: int, ec: int, iss: int, steps: int, mode: int) -> None:
    machines = [hosted(word, NOP), bare(word, NOP)]
    for m in machines:
        set_up(m, mode=mode)
    injected, hardware = (after(m, steps) for m in machines)
    assert injected == hardware
    assert injected["ESR_EL1"] == (ec + (mode != EL0)) << 26 | 1 << 25 | iss
    assert injected["pc"] == VECTORS + {EL0: 0x400, EL1T: 0, EL1H: 0x200}[mode]


@pytest.mark.parametrize("flags", [0, FLAGS])
@pytest.mark.parametrize("sctlr", [0, SPAN, DSSBS, SPAN | DSSBS])
def test_pstate_of_an_injected_exception(flags: int, sctlr: int) -> None:
    machines = [hosted(STR_X0_X1), bare(STR_X0_X1)]
    for m in machines:
        set_up(m, mode=EL1H, flags=flags, sctlr=sctlr)
    injected, hardware = (after(m, 1) for m in machines)
    assert injected == hardware
    assert injected["cpsr"] >> 22 & 1 == (bool(flags) or not sctlr & SPAN)


@pytest.mark.parametrize(("empty", "level"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_a_table_where_nothing_is(empty: int, level: int) -> None:
    """A stage 1 walk that leaves memory: an external abort on the walk, with the level of the descriptor."""
    tables = [DATA + 0x1000 * n for n in range(4)]
    chain = [*tables[:empty], NOTHING]
    machines = [hosted(LDR_X0_X1), bare(LDR_X0_X1)]
    for m, space in zip(machines, (Space.IPA, Space.PA), strict=True):
        t = thread()
        # VA = PA for the code by TTBR0, and the tables in question by TTBR1.
        m.write_memory(t, DATA + 0x8000, struct.pack("<Q", DATA + 0x9000 | 3), space)
        m.write_memory(t, DATA + 0x9008, struct.pack("<Q", 0x40000000 | 1 << 10 | 3 << 8 | 1), space)
        for a, b in itertools.pairwise(chain):
            m.write_memory(t, a, struct.pack("<Q", b | 3), space)
        set_up(m, mode=EL1H, far=0xFFFF_0000_0000_0000)
        m.write_register(t, "TCR_EL1", 16 | 16 << 16 | 0b10 << 30 | 5 << 32)
        m.write_register(t, "TTBR0_EL1", DATA + 0x8000)
        m.write_register(t, "TTBR1_EL1", chain[0])
        m.write_register(t, "MAIR_EL1", 0xFF)
        m.write_register(t, "SCTLR_EL1", m.read_register(t, "SCTLR_EL1") | 1)
    injected, hardware = (after(m, 1) for m in machines)
    assert injected == hardware
    assert injected["ESR_EL1"] == 0x25 << 26 | 1 << 25 | 0x14 + level


def test_read_only_memory() -> None:
    host = Host(memory=2 * MEMORY)
    vm = add_vm(host, LDR_X0_X1, STR_W0_X1, NOP)
    rom = vm.add_memory(0x20000000, 0x1000, writable=False)
    host.machine.write_pa(rom.pa, b"firmware")
    target = HostTarget(host)
    set_up(target, mode=EL1H, far=rom.ipa)
    assert after(target, 1)["x0"] == int.from_bytes(b"firmware", "little")
    taken = after(target, 1)
    assert (taken["ESR_EL1"], taken["ELR_EL1"]) == (0x25 << 26 | 1 << 25 | 0x50, CODE + 4)
    assert vm.read(rom.ipa, 8) == b"firmware"


def test_a_comparison_that_fails_needs_permission_to_write() -> None:
    """CAS may write the value that it has read (Arm ARM C6.2): the abort is a write's, and Xs is as it was."""
    host = Host(memory=2 * MEMORY)
    vm = add_vm(host, CAS_X3_X4_X1, NOP)
    rom = vm.add_memory(0x20000000, 0x1000, writable=False)
    host.machine.write_pa(rom.pa, b"firmware")
    target = HostTarget(host)
    set_up(target, mode=EL1H, far=rom.ipa)
    target.write_register(thread(), "x3", 1)  # not what is there
    taken = after(target, 1)
    assert (taken["ESR_EL1"], taken["x3"]) == (0x25 << 26 | 1 << 25 | 0x50, 1)
    assert vm.read(rom.ipa, 8) == b"firmware"


def test_cache_maintenance_where_no_memory_is_does_nothing() -> None:
    target = hosted(DC_CIVAC_X1, NOP)
    set_up(target, mode=EL1H, far=0x09000000)
    assert after(target, 1)["pc"] == CODE + 4
