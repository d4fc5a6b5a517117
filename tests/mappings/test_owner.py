"""`owner` and `s2 audit`: on type1, where it is known who has what; and with mistakes planted in its tables."""

from __future__ import annotations

import json

import pytest

from gdbhv.machine.machine import Machine
from gdbhv.queries import layouts
from gdbhv.queries.audit import KINDS
from gdbhv.views import descend
from mappings.test_tlb import ask
from vms.test_vms import type1

IMAGE, PRIVATE = 0x80000000, 0x80100000  # IPAs of each guest: the program, which they share, and its first own page


def stopped() -> Machine:
    machine = type1()
    machine.run_all(400_000)
    return machine


def leaf(machine: Machine, vm: int, ipa: int) -> descend.Entry:
    by = machine.stage2(machine.thread_of_vm(vm))
    return next(e for e in descend.entries(layouts.stage2(by), machine.core.read_pa, ipa, ipa) if not e.table)


def change(machine: Machine, vm: int, ipa: int, descriptor: int) -> None:
    machine.core.write_pa(leaf(machine, vm, ipa).address, descriptor.to_bytes(8, "little"))


def found(machine: Machine) -> dict[str, list[dict[str, object]]]:
    rows = json.loads(ask(machine, "s2 audit --json")[0])
    return {kind: [r for r in rows if r["kind"] == kind] for kind in KINDS}


def test_a_shared_page_has_all_its_owners() -> None:
    machine = stopped()
    pa = leaf(machine, 2, IMAGE).output
    rows = json.loads(ask(machine, f"owner pa:{pa + 0x10:#x} --json")[0])["seen"]
    assert [(r["vm"], r["ipa"]) for r in rows if "ipa" in r] == [(2, IMAGE + 0x10), (3, IMAGE + 0x10)]
    vas = {(r["vm"], r["va"]) for r in rows if "va" in r}
    assert vas == {(vm, va + 0x10) for vm in (2, 3) for va in (IMAGE, 0xC0000000)} | {(None, pa + 0x10)}
    for row in (r for r in rows if "va" in r and r["vm"] is not None):
        by = machine.translation(machine.thread_of_vm(row["vm"]), 1)
        assert by.walk(row["va"])["pa"] == pa + 0x10


def test_a_private_page_has_one() -> None:
    machine = stopped()
    pa = leaf(machine, 3, PRIVATE).output
    rows = json.loads(ask(machine, f"owner pa:{pa:#x} --json")[0])["seen"]
    assert {r["vm"] for r in rows} == {3, None}
    lines = ask(machine, f"owner ipa:3:{PRIVATE:#x}")
    assert lines[0] == f"PA {pa:#x}, memory"
    assert lines[1].startswith(f"vm3 (VMID 2): IPA {PRIVATE:#x}, rw- Normal-WB")


def test_tables_are_named() -> None:
    machine = stopped()
    root = machine.vms()[0].root
    assert "the page holds tables of vm2, stage 2" in ask(machine, f"owner pa:{root:#x}")
    assert ask(machine, "owner pa:0xf0000000") == ["PA 0xf0000000, nothing there", "nobody sees it"]


def test_type1_shares_its_guests_program_and_nothing_else() -> None:
    rows = found(stopped())
    assert [(r["size"], len(r["who"])) for r in rows["shared"]] == [(0x3000, 2)]  # type: ignore[arg-type]
    assert all("r-x" in who for who in rows["shared"][0]["who"])  # type: ignore[attr-defined]
    assert [kind for kind, r in rows.items() if r] == ["shared"]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "shared"])
def test_a_planted_mistake_is_found(kind: str) -> None:
    machine = stopped()
    own = leaf(machine, 2, PRIVATE)
    attributes = own.descriptor & ~((1 << 48) - 0x1000)
    vbar = machine.core.read_register(0, "VBAR_EL2") & -0x1000
    normal, device = 0xF << 2, 1 << 2
    planted = {
        "twice": leaf(machine, 2, 0x80109000).output | attributes,
        "writable-executable": own.descriptor & ~(3 << 53),
        "hypervisor": vbar | attributes,
        "tables": machine.vms()[1].root & -0x1000 | attributes,
        "device-cacheable": 0x9000000 | attributes,
        "memory-as-device": own.descriptor & ~normal | device,
        "nowhere": 0x3F000000 | attributes,
        "mismatched": own.descriptor & ~normal | 5 << 2,
    }[kind]
    assert attributes & normal == normal, "Normal, write-back"
    change(machine, 2, PRIVATE, planted)
    rows = found(machine)[kind]
    assert len(rows) >= 1
    assert all(r["pa"] == planted & ((1 << 48) - 0x1000) for r in rows)
    assert f"{PRIVATE:#x}" in " ".join(str(w) for r in rows for w in r["who"])  # type: ignore[attr-defined]
    text = ask(machine, "s2 audit")
    assert f"{kind} ({KINDS[kind]}): none" not in text


def test_a_vcpu_without_stage_1_sees_it_by_ipa() -> None:
    machine = type1(1)
    machine.run_all(3000)
    (vm,) = machine.vms()
    pa = leaf(machine, vm.number, IMAGE).output
    by = machine.translation(machine.thread_of_vm(vm.number), 1)
    rows = json.loads(ask(machine, f"owner pa:{pa:#x} --json")[0])["seen"]
    assert [(r["va"], r.get("mmu")) for r in rows if r["vm"] == vm.number and "va" in r][:1] == [
        (IMAGE, "off") if not by.regime["stage1"] else (IMAGE, None)
    ]
    assert not by.regime["stage1"]
    assert f"  vm2 vcpu0, MMU off: VA {IMAGE:#x}" in "\n".join(ask(machine, f"owner pa:{pa:#x}")).replace(" (on cpu0)", "")
