"""Tables and TLBs of real guests: Xen with two domUs, KVM with an L2, Linux hosted.

What is found is what is known of them: domUs share nothing and reach nothing of Xen's; KVM's guest is one VM; all of them
invalidate what they change. Linux leaves one kind of entry behind on purpose: what vunmap() has taken away stays until so
much has come together that one flush is worth it (mm/vmalloc.c, lazy_max_pages).
"""

from __future__ import annotations

import json

import pytest

from conftest import Kit
from gdbhv import boot
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.queries import tlb
from mappings.test_tlb import ask
from snapshot.test_points import kvm, linux, xen

M = 1_000_000


def stale(target: Machine | HostTarget) -> list[str]:
    cpus = range(target.core.cpus)
    rows = [*tlb.held(target, cpus), *tlb.held_stage2(target, cpus)]
    assert sum(c.stale is False for c in rows) > 500
    return [c.words() for c in rows if c.stale and c.held["vmid"]]


@pytest.fixture(scope="module")
def domus(kit: Kit) -> Machine:
    machine = boot.bare(xen(kit))
    registry.bind(machine)
    machine.run_all(260 * M)
    return machine


def test_two_domus_share_nothing_and_reach_nothing_of_xens(domus: Machine) -> None:
    assert len(domus.vms()) == 2
    rows = json.loads(ask(domus, "s2 audit --json")[0])
    assert {r["kind"] for r in rows} == {"writable-executable"}, "Xen maps guest memory rwx, and nothing else"
    for vm in domus.vms():
        said = json.loads(ask(domus, f"s2 dump vm:{vm.number} --json")[0])
        assert said["wrong"] == []
        assert sum(r["size"] for r in said["ranges"]) == 160 << 20
        assert {r["attributes"]["memory"] for r in said["ranges"]} == {"Normal-WB"}
        assert said["ranges"][0]["ipa"] == 0x40000000
        own = [r for r in rows if f"{vm.name} at IPA" in r["who"][0]]
        assert sum(r["size"] for r in own) == 160 << 20


def test_a_page_of_a_domu_is_seen_by_it_and_by_xens_direct_map(domus: Machine) -> None:
    pa = json.loads(ask(domus, "s2 dump vm:2 --json")[0])["ranges"][0]["pa"]
    rows = json.loads(ask(domus, f"owner pa:{pa:#x} --json")[0])["seen"]
    assert [(r["vm"], r["ipa"]) for r in rows if "ipa" in r] == [(2, 0x40000000)]
    (direct,) = [r for r in rows if r["vm"] is None]
    assert direct["va"] == 0x8000_0000_0000 + pa - 0x40000000
    assert direct["permission"] == "rw-"


def test_xens_own_tables_have_no_mistakes_and_write_or_execute(domus: Machine) -> None:
    (tables,) = json.loads(ask(domus, "s1 dump --el 2 --json")[0])["tables"]
    assert tables["wrong"] == []
    assert set(tables["totals"]["permissions"]) == {"r--", "r-x", "rw-"}
    assert any(r["what"] == "pl011" and r["attributes"]["memory"] == "Device-nGnRE" for r in tables["ranges"])


def test_domus_and_xen_invalidate_what_they_change(domus: Machine) -> None:
    for _ in range(4):
        assert stale(domus) == []
        domus.run_all(40 * M)


def test_linux_hosted_invalidates_what_it_changes(kit: Kit) -> None:
    target = boot.hosted(linux(kit), vms=1)
    registry.bind(target)
    for _ in range(3):
        target.run_all(40 * M)
        assert [line for line in stale(target) if "0xffff8000" not in line] == []


def test_kvms_guest_is_one_vm(kit: Kit) -> None:
    machine = boot.bare(kvm(kit))
    registry.bind(machine)
    machine.run_all(700 * M)
    (vm,) = machine.vms()
    rows = json.loads(ask(machine, "s2 audit --json")[0])
    assert not {"shared", "hypervisor", "tables", "device-cacheable", "nowhere"} & {r["kind"] for r in rows}
    said = json.loads(ask(machine, f"s2 dump vm:{vm.number} --json")[0])
    assert said["wrong"] == []
    assert said["totals"]["permissions"]
    assert stale(machine) == []
