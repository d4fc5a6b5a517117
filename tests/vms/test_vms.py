"""VMs of a hypervisor in the machine, found by what is in force when EL2 enters one.

Oracle: guests/type1, whose two VMs have VMIDs 1 and 2, and whose three vCPUs move between two CPUs; and its own counters.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gdbhv import boot
from gdbhv.errors import CommandError, RegisterError
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Space, StopKind, ThreadId
from guest_manifest import PREBUILT
from system.test_type1 import PROGRAM

TYPE1 = PREBUILT / "type1.elf"
SOME = 375_000  # instructions after which all three vCPUs have run, and that of the first VM waits in WFI
SWITCHED = (
    "SP_EL0", "SP_EL1", "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "VBAR_EL1", "ELR_EL1", "SPSR_EL1",
    "ESR_EL1", "FAR_EL1", "TPIDR_EL1",
)  # fmt: skip


def type1(cpus: int = 2) -> Machine:
    machine = boot.bare(boot.BootConfig(image=str(TYPE1), smp=cpus, memory=256 << 20))
    registry.bind(machine)
    return machine


def ask(machine: Machine, command: str, thread: ThreadId | None = None) -> list[str]:
    context = registry.Context(machine, thread or ThreadId(1, 1))
    return [line for line in registry.run(command, context) if line is not None]


def state(machine: Machine) -> tuple[object, ...]:
    """All that is known of VMs."""
    core = machine.core
    rows = core.vms()
    lefts = [core.vcpu_left(vm["number"], n) for vm in rows for n in range(len(vm["vcpus"]))]
    exits = [core.vcpu_exit(vm["number"], n) for vm in rows for n in range(len(vm["vcpus"]))]
    return rows, lefts, exits, [core.vm_here(n) for n in range(core.cpus)]


def registers(machine: Machine, thread: ThreadId) -> dict[str, int]:
    return {
        name: machine.read_register(thread, name) for name in (*(f"x{n}" for n in range(31)), "sp", "pc", "cpsr", *SWITCHED)
    }


def test_each_vm_that_has_run_is_there() -> None:
    machine = type1()
    assert machine.vms() == []
    assert ask(machine, "vms") == ["no VM has run yet: none was entered with stage 2 on"]
    machine.run_all(SOME)
    vms = machine.vms()
    assert [(vm.number, vm.name, vm.vmid) for vm in vms] == [(2, "vm2", 1), (3, "vm3", 2)]
    assert sorted(v.name for vm in vms for v in vm.vcpus) == ["vcpu0", "vcpu0", "vcpu1"]
    for vm in vms:
        slot = PROGRAM.address["vms"] + (vm.vmid - 1) * PROGRAM.size["vm"] + PROGRAM.offset["vm", "stage2"]
        assert vm.root == int.from_bytes(machine.core.read_pa(slot, 8), "little")


@pytest.mark.parametrize("cpus", [1, 2])
def test_exits_are_the_hypervisors_own_count(cpus: int) -> None:
    machine = type1(cpus)
    assert machine.run_all().kind is StopKind.POWEROFF
    counts: Counter[int] = Counter()
    for row in machine.core.exit_counts():
        counts[row["vm"]] += row["count"]
    for vm in machine.vms():
        base = PROGRAM.address["vms"] + (vm.vmid - 1) * PROGRAM.size["vm"] + PROGRAM.offset["vm", "exits"]
        own = sum(int.from_bytes(machine.core.read_pa(base + 8 * n, 8), "little") for n in range(65))
        assert vm.exits == counts[vm.number] == own > 0


def test_a_descheduled_vcpu_is_what_it_is_when_it_runs_again() -> None:
    """An interrupt changes nothing of the guest (Arm ARM D1.3), and a WFI that has waited is over: what was recorded at the
    exit is there at the entry."""
    machine = type1()
    core = machine.core
    core.catch_exits([], entries=True)
    compared = moved = 0
    while True:
        before = {}
        for vm in machine.vms():
            for v in vm.vcpus:
                thread = ThreadId(vm.number, v.number)
                record = machine.last_exit(thread)
                if not v.running and record is not None and record["class"] in ("irq", "wfx"):
                    left = registers(machine, thread)
                    before[thread] = left | {"pc": left["pc"] + 4 * (record["class"] == "wfx")}, record["cpu"]
        stop = core.run(1 << 62)
        if stop["kind"] != "entry" or stop["cpu"] is None:
            break
        number, n = core.vm_here(stop["cpu"]) or (0, 0)
        thread = ThreadId(number, n + 1)
        if thread in before:
            assert registers(machine, thread) == before[thread][0]
            compared += 1
            moved += before[thread][1] != stop["cpu"]
    assert compared >= 3
    assert moved > 0


def test_saved_with_the_machine(tmp_path: Path) -> None:
    machine = type1()
    machine.run_all(310_000)
    kept, before = machine.snapshot("here"), state(machine)
    machine.run_all(SOME)
    after = state(machine)
    assert after != before
    kept.restore()
    assert state(machine) == before
    machine.run_all(SOME)
    assert state(machine) == after
    kept.write(tmp_path / "file")
    again = boot.resumed(tmp_path / "file")
    assert isinstance(again, Machine)
    assert state(again) == before
    again.run_all(SOME)
    assert state(again) == after


def test_names() -> None:
    machine = type1()
    machine.run_all(SOME)
    assert ask(machine, "vm name 2 left") == ["VM 2, VMID 1, is left"]
    assert [vm.name for vm in machine.vms()] == ["left", "vm3"]
    assert ask(machine, "vm name left other") == ["VM 2, VMID 1, is other"]
    for words, why in {
        "vm name 4 x": "no VM '4'; there are 2 (other), 3 (vm3)",
        "vm name 2 vm3": "another VM is called vm3",
        "vm name 2 5": "'5' is no name for a VM",
        "vm name 2 host": "'host' is no name for a VM",
    }.items():
        with pytest.raises(CommandError, match=why.replace("(", r"\(").replace(")", r"\)")):
            ask(machine, words)
    lines = ask(machine, "vmexit stats")
    assert any("other (VMID 1)" in line for line in lines)


def test_memory_of_one_that_does_not_run_is_by_its_own_stages() -> None:
    """Both VMs run one image at the same IPA, with memory of their own for what they write."""
    machine = type1()
    machine.run_all(SOME)
    assert not any(v.running for v in machine.vms()[0].vcpus)
    pages = set()
    for vm in machine.vms():
        thread = machine.thread_of_vm(vm.number)
        pc, sp = machine.read_register(thread, "pc"), machine.read_register(thread, "sp")
        by = machine.translation(thread)
        assert machine.read_memory(thread, pc, 4) == machine.core.read_pa(by.physical(pc), 4)
        found = by.walk(sp)
        assert machine.read_memory(thread, found["ipa"], 8, Space.IPA) == machine.core.read_pa(found["pa"], 8)
        assert by.vmid == vm.vmid
        pages.add(found["pa"] & ~0xFFF)
    assert len(pages) == 2


def test_what_was_not_recorded_is_refused() -> None:
    machine = type1()
    machine.run_all(SOME)
    away = next(ThreadId(vm.number, v.number) for vm in machine.vms() for v in vm.vcpus if not v.running)
    with pytest.raises(RegisterError, match="not recorded at exits"):
        machine.read_register(away, "v0")
    with pytest.raises(RegisterError, match="does not execute"):
        machine.write_register(away, "x0", 1)
    running = [ThreadId(vm.number, v.number) for vm in machine.vms() for v in vm.vcpus if v.running]
    for thread in running:
        cpu = machine.cpu_of(thread)
        assert cpu is not None
        assert machine.read_core(thread) == machine.core.read_core(cpu)


def test_exits_are_counted_for_vcpus_and_instructions_for_cpus() -> None:
    machine = type1()
    machine.run_all(SOME)
    head, *rows = ask(machine, "vcpus")
    assert head.split() == ["thread", "vm", "name", "cpu", "pc", "instructions", "exits", "state"]
    assert [row.split()[5:7] for row in rows[:2]] == [[str(n), "-"] for n in machine.core.insns]
    assert [row.split()[5:7] for row in rows[2:]] == [["-", str(v.exits)] for vm in machine.vms() for v in vm.vcpus]


def test_commands_take_a_vm() -> None:
    machine = type1()
    machine.run_all(SOME)
    ask(machine, "vm name 2 left")
    for word, vmid, on in (("vm:left", 1, "vcpu0"), ("vm:3", 2, "vcpu1 (on cpu0)")):
        assert ask(machine, f"s2 dump {word}")[0].startswith(
            f"VMID {vmid} of {machine.vms()[vmid - 1].name} {on}, tables at {machine.vms()[vmid - 1].root:#x}, "
        )
        assert f"VMID {vmid}, stages 1 and 2" in ask(machine, f"walk {word} $pc")[0]
    assert ask(machine, "walk vm:2 $pc")[0].endswith(f"; {machine.processes()[1].threads[0].extra}")
    thread = machine.thread_of_vm(2)
    found = machine.translation(thread).walk(machine.read_register(thread, "sp"))
    first, line = ask(machine, f"x ipa:left:{found['ipa']:#x} 8")
    assert first.startswith(f"IPA {found['ipa']:#x} of left vcpu0, VMID 1, stage 2")
    assert line.split("  ")[1] == machine.core.read_pa(found["pa"], 8).hex(" ")
    total = sum(row["count"] for row in machine.core.exit_counts() if row["vm"] == 2)
    assert ask(machine, "vmexit stats vm:2")[-1].startswith(f"{total} exits")
    ask(machine, "vmexit catch hvc vm=3")
    stop = machine.run_all()
    assert stop.exit is not None
    assert stop.exit["vm"] == 3
    for words in ("walk vm:4 0", "x ipa:other:0", "vmexit catch hvc vm=other"):
        with pytest.raises(CommandError, match=r"no VM '(4|other)'; there are 2 \(left\), 3 \(vm3\)"):
            ask(machine, words)
