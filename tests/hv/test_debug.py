"""A guest's own debug under the hypervisor: what it sees is what a machine without a hypervisor shows it, and its registers
are its own when vCPUs share a CPU.

Oracle: the same program on a machine without EL2, and the Arm ARM's section that a test names.
"""

from __future__ import annotations

from typing import Any

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import Action, StopKind
from hv.programs import (
    CODE,
    DATA,
    HVC0,
    ISB,
    MEMORY,
    NOP,
    STR_X0_X1,
    VECTORS,
    WFI,
    add,
    add_vm,
    bare,
    branch,
    hosted,
    thread,
)

MDSCR, OSLAR = (0, 0, 2, 2), (0, 1, 0, 4)
SS, KDE, MDE = 1, 1 << 13, 1 << 15
DAIFCLR_D, MRS_ID, BRK = 0xD50348FF, 0xD5380403, 0xD4200000  # MRS X3, ID_AA64PFR0_EL1
TAKEN = "pc cpsr ESR_EL1 FAR_EL1 ELR_EL1 SPSR_EL1 x0 x1".split()
EL1_ALL = 1 << 1 | 1  # at EL1, enabled
D = 1 << 9
SOFTWARE, ACCESS = 0, 4  # kinds of Z packets
EL0, EL1H = 0b0000, 0b0101
DAIF, PSTATE_SS = 0x3C0, 1 << 21


def msr2(op1: int, crn: int, crm: int, op2: int, rt: int) -> int:
    """MSR of a register of op0 = 2."""
    return 0xD5100000 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | rt


def set_up(target: Any, registers: dict[str, int], cpsr: int = EL1H | DAIF & ~D) -> None:
    """Registers as a guest that has unlocked its debug has them, before its first instruction."""
    t = thread()
    for name, value in ({"VBAR_EL1": VECTORS, "x1": DATA} | registers).items():
        target.write_register(t, name, value)
    target.write_register(t, "cpsr", cpsr)


def after(target: Any, steps: int = 1) -> dict[str, int]:
    for _ in range(steps):
        target.run([Action(thread(), step=True)])
    return {name: target.read_register(thread(), name) for name in TAKEN}


BREAK = {"DBGBVR2_EL1": CODE + 4, "DBGBCR2_EL1": 0x1E0 | EL1_ALL, "MDSCR_EL1": MDE | KDE}
WATCH = {"DBGWVR1_EL1": DATA, "DBGWCR1_EL1": 0x1FE0 | 2 << 3 | EL1_ALL, "MDSCR_EL1": MDE | KDE}
STEP = {"MDSCR_EL1": SS | KDE}

# what is armed, the program, PSTATE, steps, ESR_EL1
CASES = {
    "breakpoint": (BREAK, (NOP, NOP), EL1H, 2, 0x31 << 26 | 1 << 25 | 0x22),
    "watchpoint": (WATCH, (STR_X0_X1,), EL1H, 1, 0x35 << 26 | 1 << 25 | 0x62),
    "pending step": (STEP, (NOP,), EL1H, 1, 0x33 << 26 | 1 << 25 | 0x22),
    "step": (STEP, (NOP,), EL1H | PSTATE_SS, 2, 0x33 << 26 | 1 << 25 | 1 << 24 | 0x22),
    "step at EL0": (STEP, (NOP,), EL0 | PSTATE_SS, 2, 0x32 << 26 | 1 << 25 | 1 << 24 | 0x22),
    "breakpoint at EL0 that asks for EL1": (BREAK, (NOP, NOP, BRK), EL0, 3, 0x3C << 26 | 1 << 25),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hosted_guest_sees_what_a_machine_shows(case: str) -> None:
    registers, words, pstate, steps, esr = CASES[case]
    ours, hardware = hosted(*words), bare(*words)
    hardware.core.msr(0, "OSLAR_EL1", 0)  # as firmware does, and the hypervisor for a guest
    for target in (ours, hardware):
        set_up(target, registers, pstate)
    seen = after(ours, steps)
    assert seen == after(hardware, steps)
    assert seen["ESR_EL1"] == esr


def test_a_step_over_an_instruction_that_is_emulated() -> None:
    """The hypervisor's emulation of a trapped instruction counts as its execution (D2.12)."""
    target = hosted(MRS_ID, NOP)
    set_up(target, STEP, EL0 | PSTATE_SS)
    target.write_register(thread(), "cpsr", EL1H | PSTATE_SS)
    seen = after(target, 2)
    assert seen["ESR_EL1"] >> 26 == 0x33
    assert seen["ELR_EL1"] == CODE + 4
    assert target.read_register(thread(), "x3") != 0


def test_debug_exceptions_that_come_to_the_hypervisor_are_given_back() -> None:
    """With MDCR_EL2.TDE they are exits, of their own classes and with their cause; the guest sees the same in the end."""
    for case, exit_name in {"breakpoint": "bp", "watchpoint": "wp.w", "step": "step"}.items():
        registers, words, pstate, steps, esr = CASES[case]
        direct, routed = hosted(*words), hosted(*words)
        seen: list[tuple[str, Any]] = []
        routed.host.on_exit.append(lambda _, record, to=seen: to.append((record["name"], record["cause"])))
        mdcr = routed.machine.mrs(0, "MDCR_EL2")
        for target in (direct, routed):
            set_up(target, registers, pstate)
        routed.machine.msr(0, "MDCR_EL2", mdcr | 1 << 8)
        assert after(routed, steps) == after(direct, steps)
        assert routed.read_register(thread(), "ESR_EL1") == esr
        assert [s for s in seen if not s[0].startswith(("iabt", "dabt"))] == [(exit_name, ["MDCR_EL2.TDE"])]


def arm_and_break(n: int) -> list[int]:
    """A guest that unlocks, arms breakpoint ``n`` at the address in X2, and comes there again and again; X7 counts."""
    return [
        msr2(*OSLAR, 31),
        msr2(0, 0, n, 4, 2),  # DBGBVRn
        msr2(0, 0, n, 5, 3),  # DBGBCRn
        msr2(*MDSCR, 4),
        ISB,
        DAIFCLR_D,
        NOP,  # X2: the breakpoint
        add(7, 7, 1),
        branch(-2),
    ]


# at VECTORS + 0x200: X5 += 1, skip the instruction
HANDLER = [add(5, 5, 1), 0xD5384020, add(0, 0, 4), 0xD5184020, 0xD69F03E0]  # MRS X0, ELR_EL1; MSR; ERET


def test_the_first_write_exits_and_the_rest_does_not() -> None:
    host = Host(memory=MEMORY)
    vm = add_vm(host, *arm_and_break(0))
    vm.write(VECTORS + 0x200, b"".join(w.to_bytes(4, "little") for w in HANDLER))
    target = HostTarget(host)
    names: list[str] = []
    host.on_exit.append(lambda _, record: names.append(record["name"]))
    set_up(target, {"x2": CODE + 24, "x3": 0x1E0 | EL1_ALL, "x4": MDE | KDE}, EL1H | DAIF)
    target.run_all(1000)
    assert [n for n in names if n.startswith("sysreg")] == ["sysreg.write:OSLAR_EL1", "sysreg.write:DBGBVR0_EL1"]
    assert target.read_register(thread(), "x5") > 100
    assert abs(target.read_register(thread(), "x5") - target.read_register(thread(), "x7")) <= 1


def test_vcpus_that_share_a_cpu_have_debug_registers_of_their_own() -> None:
    host = Host(cpus=1, memory=3 * MEMORY)
    for n in range(3):
        words = arm_and_break(n) if n < 2 else [add(7, 7, 1), branch(-1)]
        vm = add_vm(host, *words)
        vm.write(VECTORS + 0x200, b"".join(w.to_bytes(4, "little") for w in HANDLER))
    target = HostTarget(host)
    for n in range(2):
        t = thread(vm=n + 1)
        for name, value in {"x2": CODE + 24, "x3": 0x1E0 | EL1_ALL, "x4": MDE | KDE, "VBAR_EL1": VECTORS}.items():
            target.write_register(t, name, value)
    target.run_all(20_000_000)  # many slices
    for n in range(2):
        t = thread(vm=n + 1)
        hits, turns = (target.read_register(t, x) for x in ("x5", "x7"))
        assert hits > 10_000
        assert abs(hits - turns) <= 1
        assert target.read_register(t, f"DBGBVR{n}_EL1") == CODE + 24
        assert target.read_register(t, f"DBGBVR{1 - n}_EL1") == 0
    assert target.read_register(thread(vm=3), "x7") > 100_000
    assert target.read_register(thread(vm=3), "x5") == 0
    assert target.read_register(thread(vm=3), "DBGBVR0_EL1") == 0


def test_a_debugger_writes_debug_registers_of_a_vcpu_that_is_off_its_cpu() -> None:
    target = hosted(NOP, branch(-1), vms=2)
    target.run_all(5_000_000)
    for vm in (1, 2):
        t = thread(vm=vm)
        target.write_register(t, "DBGBVR1_EL1", 0x1000 * vm)
        target.write_register(t, "DBGWCR3_EL1", (1 << 64) - 1)
        target.write_register(t, "DBGCLAIMSET_EL1", 3 * vm)
        target.write_register(t, "DBGCLAIMCLR_EL1", 2)
    target.run_all(5_000_000)
    for vm in (1, 2):
        t = thread(vm=vm)
        assert target.read_register(t, "DBGBVR1_EL1") == 0x1000 * vm
        assert target.read_register(t, "DBGWCR3_EL1") == 0x1F1FFFFF
        assert target.read_register(t, "DBGCLAIMCLR_EL1") == 3 * vm & ~2
        assert target.read_register(t, "OSLSR_EL1") == 8


def test_gdb_and_the_guest_have_a_breakpoint_at_the_same_place() -> None:
    """gdb stops first; the guest's exception comes when it goes on, and gdb stops again when the guest comes back."""
    host = Host(memory=MEMORY)
    vm = add_vm(host, *arm_and_break(0))
    vm.write(VECTORS + 0x200, b"".join(w.to_bytes(4, "little") for w in HANDLER))
    target = HostTarget(host)
    set_up(target, {"x2": CODE + 24, "x3": 0x1E0 | EL1_ALL, "x4": MDE | KDE}, EL1H | DAIF)
    target.insert_breakpoint(1, SOFTWARE, CODE + 24, 4)
    for n in range(5):
        stop = target.run_all(1000)
        assert stop.kind is StopKind("swbreak")
        assert target.read_register(thread(), "pc") == CODE + 24
        assert target.read_register(thread(), "x5") == n
    target.run([Action(thread(), step=True)])
    assert target.read_register(thread(), "pc") == VECTORS + 0x200
    target.remove_breakpoint(1, SOFTWARE, CODE + 24, 4)
    target.run_all(1000)
    assert target.read_register(thread(), "x5") > 50


def test_single_steps_of_gdb_over_those_of_the_guest() -> None:
    """gdb's steps show the guest's step exception as a step of its own: what a halting debugger sees on hardware."""
    target = hosted(NOP, NOP)
    set_up(target, STEP, EL1H | PSTATE_SS)
    places = []
    for _ in range(2):
        target.run([Action(thread(), step=True)])
        places.append(target.read_register(thread(), "pc"))
    assert places == [CODE + 4, VECTORS + 0x200]
    assert target.read_register(thread(), "ELR_EL1") == CODE + 4


def test_gdb_and_the_guest_watch_the_same_place() -> None:
    target = hosted(STR_X0_X1, NOP)
    set_up(target, WATCH)
    target.insert_breakpoint(1, ACCESS, DATA, 8)
    stop = target.run_all(100)
    assert (stop.kind, target.read_register(thread(), "pc")) == (StopKind.AWATCH, CODE)
    assert after(target)["ESR_EL1"] == 0x35 << 26 | 1 << 25 | 0x62
    assert target.read_register(thread(), "pc") == VECTORS + 0x200
    assert target.read_register(thread(), "FAR_EL1") == DATA


def test_a_debugger_changes_nothing_of_what_a_guest_steps() -> None:
    """The same counts with gdb's single steps and breakpoints as without."""

    def run(step: bool) -> tuple[int, ...]:
        target = hosted(*arm_and_break(1), WFI, HVC0)
        target.write_memory(thread(), VECTORS + 0x200, b"".join(w.to_bytes(4, "little") for w in HANDLER))
        set_up(target, {"x2": CODE + 24, "x3": 0x1E0 | EL1_ALL, "x4": MDE | KDE}, EL1H | DAIF)
        if step:
            target.insert_breakpoint(1, SOFTWARE, CODE + 24, 4)
            target.insert_breakpoint(1, SOFTWARE, VECTORS + 0x204, 4)
            while sum(target.machine.insns) < 300:
                target.run([Action(thread(), step=True)])
        else:
            target.run_all(300)
        return tuple(target.read_register(thread(), r) for r in ("pc", "cpsr", "x0", "x5", "x7", "ELR_EL1", "SPSR_EL1"))

    assert run(step=False) == run(step=True)
