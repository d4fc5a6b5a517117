"""VMs of a hypervisor in the machine: any register of any of their vCPUs, and hypervisors that enter anything as a VM."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import partial

import pytest

from conftest import ROOT
from fuzz.machines import EL, VECTORS, dice, lives, rounds, value, words
from fuzz.test_registers import ENDS
from gdbhv import boot
from gdbhv.boot import BootConfig
from gdbhv.errors import GdbhvError
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Action, Space, StopKind, ThreadId

ONES = (1 << 64) - 1
CODE, RAM, MEMORY = 0x4010_0000, 0x4000_0000, 16 << 20
ERET, HVC = 0xD69F03E0, 0xD4000002
MSR_VTTBR_X0, MSR_HCR_X1, MSR_VMPIDR_X2, MSR_ELR_X3, MSR_SPSR_X4 = (
    *(0xD51C2100, 0xD51C1101, 0xD51C00A2, 0xD51C4023, 0xD51C4004),
)


def type1(rng: random.Random) -> Machine:
    """guests/type1 somewhere on its way: some of its vCPUs execute, and some have been put aside."""
    machine = boot.bare(BootConfig(image=ROOT / "guests/prebuilt/type1.elf", smp=2, memory=64 << 20))
    registry.bind(machine)
    machine.run_all(rng.randrange(100_000, 450_000))
    return machine


def threads(machine: Machine) -> list[ThreadId]:
    return [t.id for p in machine.processes() if p.pid > 1 for t in p.threads]


def refusal(ask: Callable[[], object]) -> str:
    """Return why something is refused: "" if it is not."""
    try:
        ask()
    except GdbhvError as error:
        return str(error) or "for no reason: an error of gdbhv itself"
    return ""


def look(machine: Machine, rng: random.Random) -> None:
    """Ask everything that a debugger may ask of VMs: an answer, or a reason."""
    found = threads(machine)
    for thread in rng.sample(found, min(len(found), 3)):
        name, vm = rng.choice([*machine.registers, "pc", "sp", "v3", "nothing"]), f"vm:{thread.pid}"
        asked: list[Callable[[], object]] = [
            partial(machine.read_core, thread),
            partial(machine.read_register, thread, name),
            partial(machine.read_memory, thread, value(rng), rng.randrange(1, 5000)),
            partial(machine.read_memory, thread, value(rng), 16, Space.IPA),
            partial(machine.write_memory, thread, value(rng), b"abc"),
            partial(machine.last_exit, thread),
            partial(machine.insert_breakpoint, thread.pid, rng.randrange(5), value(rng) & ~3, 4),
        ]
        for line in ("vms", "vcpus", f"s2 dump {vm}", f"walk {vm} {value(rng):#x}", f"gic {vm}", f"frame guest {vm}"):
            answer = registry.run(line, registry.Context(machine, thread))
            asked.append(partial(list, itertools.islice(answer, 200)))
        assert not [why for ask in asked if "error of gdbhv itself" in (why := refusal(ask))]


def test_any_register_of_any_vcpu() -> None:
    rng = dice("registers of VMs")
    for _ in rounds(25):
        machine = type1(rng)
        for thread in threads(machine):
            for name in rng.sample(sorted(machine.registers), 4):
                number = rng.choice((0, ONES, value(rng)))
                why = refusal(partial(machine.write_register, thread, name, number))  # it does not execute, or the like
                assert "error of gdbhv itself" not in why
            assert machine.run([Action(thread, step=True)], 2000).kind in ENDS
        assert machine.run_all(20_000).kind in ENDS
        look(machine, rng)
        machine.interrupt()
        assert machine.run((), 0).kind in (StopKind.INTERRUPT, *ENDS)


def hypervisor(rng: random.Random) -> bytes:
    """Code for EL2 that enters one VM after another: x0 and up are what it is, and anything is its first instruction."""
    entry = words(MSR_VTTBR_X0, MSR_HCR_X1, MSR_VMPIDR_X2, MSR_ELR_X3, MSR_SPSR_X4)
    another = words(0x8B050000, 0x8B060042)  # add x0, x0, x5; add x2, x2, x6
    return another + entry + words(ERET) if rng.random() < 0.9 else entry + another + words(ERET)


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_hypervisor_that_enters_anything(cpus: int) -> None:
    """As many VMs as it likes, with any root, VMID, controls and affinity: what is kept of them has a bound."""
    rng, most = dice(f"entries {cpus}"), 0
    for number in rounds(6):
        machine = boot.bare(BootConfig(smp=cpus, memory=MEMORY))
        registry.bind(machine)
        core = machine.core
        core.write_pa(CODE, words(HVC) * 16)  # a guest, with stage 2 off or on
        for level, base in VECTORS.items():
            core.write_pa(base, (hypervisor(rng).ljust(128, b"\0")) * 16 if level == 2 else words(HVC) * 512)
        for cpu in range(cpus):
            core.set_power(cpu, "on")
            core.write_register(cpu, "cpsr", EL[2])
            for level, base in VECTORS.items():
                core.write_register(cpu, f"VBAR_EL{level}", base)
            numbers = [value(rng), value(rng) | 1 << 31 | rng.getrandbits(1), value(rng), CODE, EL[1]]
            numbers += [1 << 48 | value(rng) & rng.getrandbits(1) * ONES, rng.choice((0, 1, value(rng)))]
            if number == 0:  # one that makes as many as there are VMIDs
                numbers = [0, 1 << 31 | 1, 0, CODE, EL[1], 1 << 48, 1]
            for n, x in enumerate(numbers):
                core.set_x(cpu, n, x)
            for name in ("VTCR_EL2", "SCTLR_EL1", "TTBR0_EL1", "TCR_EL1"):
                core.write_register(cpu, name, rng.choice((0, value(rng))) if number else 0)
            core.write_register(cpu, "pc", VECTORS[2])
        for _ in range(2):
            machine.run_all(rng.randrange(8000))
            look(machine, rng)
        most = max(most, len(machine.vms()))
        assert len(machine.vms()) <= 64
        assert sum(len(p.threads) for p in machine.processes()) <= cpus + 64 * 64
        for cpu in range(cpus):
            lives(core, cpu)
    assert most == 64, "that bound was never met"
