"""`monitor tlb`: what TLBs hold, beside the tables.

A program with right TLB maintenance leaves nothing that differs; a mapping that goes without a TLBI is seen until one comes.
"""

from __future__ import annotations

import json

import pytest

from gdbhv import boot
from gdbhv.errors import CommandError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.queries import layouts, tlb
from gdbhv.target import ThreadId
from gdbhv.views import descend
from guest_manifest import PREBUILT
from vms.test_vms import type1


def ask(target: Machine | HostTarget, command: str, thread: ThreadId | None = None) -> list[str]:
    context = registry.Context(target, thread or target.processes()[0].threads[0].id)
    return [line for line in registry.run(command, context) if line is not None]


def running(machine: Machine) -> tuple[ThreadId, tlb.Cached]:
    """A vCPU that is on a CPU, and an entry of its own that maps data."""
    for vm in machine.vms():
        for v in vm.vcpus:
            if v.running and v.cpu is not None:
                for c in tlb.held(machine, [v.cpu]):
                    if c.held["now"] and c.held["write"] and c.held["stage1"]:
                        return ThreadId(vm.number, v.number), c
    pytest.fail("no vCPU has written anything")


def test_what_type1_leaves_is_what_its_tables_say() -> None:
    machine = type1()
    seen = 0
    for insns in range(40_000, 1_000_000, 60_000):
        machine.run_all(insns - sum(machine.core.insns))
        rows = list(tlb.held(machine, range(2)))
        assert [c.words() for c in rows if c.stale] == []
        assert [c.words() for c in tlb.held_stage2(machine, range(2)) if c.stale] == []
        seen += sum(c.stale is False for c in rows)
    assert seen > 200


def test_looking_changes_nothing() -> None:
    """The same machine, looked at and not, has the same state and goes the same way."""
    one, other = type1(), type1()
    for machine in (one, other):
        machine.run_all(300_000)
    before = one.core.export_snapshot(one.core.snapshot())
    for _ in range(2):
        assert one.core.tlb(0)
        assert one.core.tlb_stage2(1)
        assert list(tlb.held(one, range(2)))
    assert one.core.export_snapshot(one.core.snapshot()) == before
    for machine in (one, other):
        machine.run_all(100_000)
    assert one.core.ram_digest() == other.core.ram_digest()
    assert one.core.tlb(0) == other.core.tlb(0)


def test_a_mapping_that_goes_without_a_tlbi_is_still_there_and_said() -> None:
    machine = type1()
    machine.run_all(400_000)
    thread, entry = running(machine)
    by = machine.translation(thread)
    va, pa = entry.held["va"], entry.held["pa"]
    assert by.walk(va)["pa"] == pa
    ipa = by.walk(va)["ipa"]
    g = layouts.stage2(by)
    leaf = next(e for e in descend.entries(g, machine.core.read_pa, ipa, ipa) if not e.table)
    machine.core.write_pa(leaf.address, bytes(8))
    said = f"the TLB of cpu{entry.cpu} still has {va:#x}-{va + 0xFFF:#x} -> PA {pa:#x}, {entry.allowed} at EL1; the tables: "
    fault = "stage 2 translation fault, level 3"
    assert said + fault in ask(machine, f"walk {va:#x}", thread)
    assert said + fault in ask(machine, f"s1 dump {va:#x}", thread)
    lines = ask(machine, f"tlb {va:#x} vm:{thread.pid}")
    assert any(f"DIFFER: {fault}" in line for line in lines)
    assert json.loads(ask(machine, f"walk {va:#x} --json", thread)[0])["tlb"][0]["held"]["pa"] == pa
    stage2 = [line for line in ask(machine, f"walk ipa:{ipa:#x}", thread) if "still has" in line]
    assert all(f"IPA {ipa:#x} -> PA {pa:#x}, by descriptor {leaf.descriptor:#x}" in line for line in stage2)
    assert bool(stage2) == any(h["ipa"] == ipa for n in range(2) for h in machine.core.tlb_stage2(n))
    assert stage2 == [line for line in ask(machine, "s2 dump", thread) if "still has" in line]
    assert any("pa:" not in line and fault in line for line in ask(machine, f"owner pa:{pa:#x}", thread))

    machine.core.write_pa(leaf.address, (leaf.descriptor + 0x1000).to_bytes(8, "little"))
    assert f"{said}PA {pa + 0x1000:#x}" in ask(machine, f"walk {va:#x}", thread)
    machine.core.write_pa(leaf.address, (leaf.descriptor & ~(1 << 7)).to_bytes(8, "little"))
    assert f"{said}no permission to write" in ask(machine, f"walk {va:#x} --write", thread)
    machine.core.invalidate_vm(by.vmid or 0)
    assert not any("still has" in line for line in ask(machine, f"walk {va:#x}", thread))
    assert ask(machine, f"tlb {va:#x} vm:{thread.pid}") == [
        "entries: 0; not what the tables say: 0; without registers to compare by: 0"
    ]


def test_a_hosted_vm() -> None:
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "exit_zoo.elf", memory=64 << 20), vms=1)
    registry.bind(target)
    assert ask(target, "tlb") == ["entries: 0; not what the tables say: 0; without registers to compare by: 0"]
    target.run_all(3000)
    lines = ask(target, "tlb vm:1")
    assert lines[0].split() == "CPU regime VMID ASID who address size PA used flags in use tables".split()
    assert any(" in use " in line and line.endswith("the same") for line in lines[1:-1])
    assert "not what the tables say: 0;" in lines[-1]
    rows = json.loads(ask(target, "tlb --json")[0])
    assert {row["held"]["vmid"] for row in rows} == {1}
    assert len(json.loads(ask(target, "tlb --stage2 --json")[0])) > 0
    with pytest.raises(CommandError, match="by VA or ipa:ADDRESS"):
        ask(target, "tlb pa:0x40000000")
