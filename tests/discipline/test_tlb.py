"""What ``--check tlb`` finds: mistakes planted in copies of the type-1 lab, and nothing in what does it right.

Oracle: mistakes.c, which leaves out one step at a time of what Arm ARM D8.16 and D8.17 demand; Linux, KVM and Xen.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Kit
from discipline import type1
from gdbhv import _core, boot
from gdbhv.console import Console
from gdbhv.errors import CommandError
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.monitor.tlbcheck import findings, summary
from gdbhv.target import StopKind
from snapshot.test_points import kvm, xen

M = 1_000_000

# mistake: what is found, each with words that its text has
FOUND = {
    "NONE": [],
    "NO_TLBI": [
        ("made-before-tlbi", "TLBI missing: cpu", "(page_moves+", "IPA 0x80100000, VMID 1", "no TLBI came between"),
        (
            "stale",
            "TLBI missing: cpu",
            "in EL1",
            "(uart_put+",
            "reads VA 0x80100220 by what its TLB still has",
            "after exit",
        ),
    ],
    "WRONG_VMID": [
        ("made-before-tlbi", "the TLBI at", "(invalidate+", "VMID 8", "does not cover it: it is for VMID 8"),
        ("stale", "TLBI too narrow", "(uart_put+", "it is for VMID 8"),
    ],
    "WRONG_IPA": [("made-before-tlbi", "IPA 0x80101000, VMID 1", "it is for other addresses")],
    "NO_VMALLE1": [
        ("made-before-tlbi", "it takes what stage 2 alone gives; what combines both stages goes with VMALLE1"),
        ("stale", "TLBI too narrow", "(uart_put+", "goes with VMALLE1"),
    ],
    "NO_BREAK": [("break-before-make", "break-before-make skipped", "(page_moves+", "changes the output address")],
    "NO_DSB_BEFORE": [("tlbi-before-dsb", "DSB missing before the TLBI", "(invalidate+", "(page_moves+")],
    "NO_DSB_AFTER": [
        ("made-before-dsb", "DSB missing after the TLBI", "(page_moves+", "(invalidate+"),
        ("return-before-dsb", "(guest_enter+", "returns to a lower exception level", "(invalidate+"),
    ],
    "NO_DSB_RETURN": [
        ("return-before-dsb", "DSB missing after the TLBI", "(guest_enter+", "(invalidate+"),
        ("made-before-dsb", "(stage2_memory+", "(invalidate+"),
    ],
    "LATE_TLBI": [("stale", "TLBI too late", "(exit_memory+", "fetches from VA 0x8000", "(page_came+", "comes too late")],
    "NO_DSB_OWN": [
        ("used-before-dsb", "DSB missing", "(own_mapping+", "reads VA 0x80", "the EL2 descriptor of VA 0x80000000")
    ],
    "NO_ISB_OWN": [("used-before-isb", "ISB missing", "(own_mapping+", "the EL2 descriptor of VA 0x80000000")],
    "GONE_NO_TLBI": [("stale", "TLBI missing", "(uart_put+", "(page_moves+", "-> 0x0", "no TLBI came between")],
    "GONE_WRONG_VMID": [("stale", "TLBI too narrow", "(uart_put+", "(page_moves+", "it is for VMID 8")],
    "GONE_NO_VMALLE1": [("stale", "TLBI too narrow", "(uart_put+", "goes with VMALLE1")],
}


def alarms(machine: Machine) -> list[tuple[str, str]]:
    found = machine.core.tlb_check
    assert found is not None
    return list(zip([a["wrong"] for a in found["alarms"]], findings(machine), strict=True))


@pytest.mark.parametrize("mistake", FOUND)
def test_mistakes_are_found_and_named(tmp_path: Path, mistake: str) -> None:
    machine = boot.bare(boot.BootConfig(image=type1.build(tmp_path, mistake), smp=2))
    machine.core.check_tlb(True)
    stop = machine.run_all(8 * M)
    found = alarms(machine)
    assert [wrong for wrong, _ in found] == [wanted[0] for wanted in FOUND[mistake]], found
    for (_, text), (_, *words) in zip(found, FOUND[mistake], strict=True):
        assert [w for w in words if w not in text] == [], text
    assert mistake == "WRONG_IPA" or stop.kind is StopKind.POWEROFF


def gdbhv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gdbhv", *words], check=False, capture_output=True, text=True)


def test_a_run_says_it_and_ends_with_its_own_status(tmp_path: Path) -> None:
    run = ("run", str(type1.build(tmp_path, "NO_BREAK")), "--el", "2", "--smp", "2", "--check", "tlb")
    done = gdbhv(*run)
    said = done.stderr.splitlines()
    assert done.returncode == 8
    assert said[0].startswith("gdbhv: break-before-make skipped: cpu"), said
    assert said[-2].endswith("0 uses of what the tables did not have any more: 1 mistake"), said
    done = gdbhv(*run, "--stats", "json")
    document = json.loads(done.stdout.splitlines()[-1])
    (alarm,) = document["tlb_check"]["alarms"]
    change = alarm["change"]
    assert (done.returncode, document["status"]) == (8, 8)
    assert (change["kind"], change["what"]) == ("replace", "the output address")
    assert (change["stage"], change["level"], change["vmid"], change["address"]) == (2, 3, 1, 0x80100000)


def lab() -> Machine:
    return boot.bare(boot.BootConfig(image=type1.GUESTS / "prebuilt" / "type1.elf", smp=2))


def test_the_lab_is_right_and_does_not_notice() -> None:
    plain, checked = lab(), lab()
    checked.core.check_tlb(True)
    assert [m.run_all().kind for m in (plain, checked)] == [StopKind.POWEROFF] * 2
    assert alarms(checked) == []
    assert checked.core.insns == plain.core.insns
    assert checked.core.trace(1 << 20) == plain.core.trace(1 << 20)
    found = checked.core.tlb_check
    assert found is not None
    assert (found["stores"] > 10, found["tlbis"] > 10, found["stale_uses"]) == (True, True, 0)


def test_it_is_switched_in_a_session() -> None:
    machine = lab()
    run = registry.bind(machine)
    thread = machine.processes()[0].threads[0].id
    assert list(run("tlb check", thread)) == ["tables and TLBIs are not checked: `tlb check on`, or gdbhv run --check tlb"]
    assert json.loads(str(next(iter(run("tlb check --json", thread))))) == {"on": False}
    list(run("tlb check on", thread))
    machine.run_all(1 * M)
    snapshot = machine.snapshot()
    assert list(run("tlb check", thread)) == [summary(machine)]
    assert json.loads(str(next(iter(run("tlb check --json", thread)))))["stores"] > 5
    snapshot.restore()  # another machine's tables: it begins anew
    found = machine.core.tlb_check
    assert found is not None
    assert found["stores"] == 0
    machine.reset()
    machine.run_all(1 * M)
    assert alarms(machine) == []
    list(run("tlb check off", thread))
    assert machine.core.tlb_check is None
    with pytest.raises(CommandError, match="usage: tlb check"):
        list(run("tlb check maybe", thread))


def linux(kit: Kit, cpu: str) -> Machine:
    config = boot.BootConfig(
        image=kit.image, initrd=kit.initramfs, append="console=ttyAMA0 cryptomgr.notests=1", smp=2, cpu=cpu
    )
    return boot.bare(config)


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_linux_is_right(kit: Kit, cpu: str) -> None:
    """Without VHE and with it, with hardware that sets access flags and dirty state, and without."""
    machine = linux(kit, cpu)
    machine.core.check_tlb(True)
    assert machine.run_all(700 * M).kind is StopKind.POWEROFF
    assert alarms(machine) == []
    assert _count(machine.core) > 40_000


def _count(core: _core.Machine) -> int:
    found = core.tlb_check
    assert found is not None
    return found["tlbis"]


def real(make: Callable[[Kit], boot.BootConfig], kit: Kit, insns: int) -> Machine:
    machine = boot.bare(make(kit), Console())
    machine.core.check_tlb(True)
    machine.run_all(insns)
    return machine


def test_kvm_is_right(kit: Kit) -> None:
    machine = real(kvm, kit, 900 * M)
    assert len(machine.vms()) == 1
    assert alarms(machine) == []


def test_xen_lacks_an_isb(kit: Kit) -> None:
    """Xen 4.17 maps pages of its own with DSB and without ISB (write_pte in xen_pt_update and pmap_map)."""
    machine = real(xen, kit, 500 * M)
    assert len(machine.vms()) == 2
    assert {wrong for wrong, _ in alarms(machine)} == {"used-before-isb"}
