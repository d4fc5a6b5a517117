"""Watchpoints by IPA and PA: memory under every alias and device registers, hosted and bare.

Oracle: the programs below. What stops is the access that the watched bytes are in, once, before it is made.
"""

from __future__ import annotations

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import MmioDevice
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Space, StopKind
from hv.programs import CAS_X3_X4_X1, CODE, DATA, HVC0, LDR_X0_X1, MEMORY, NOP, STR_X0_X1, add_vm, branch, code, thread

STR_X0_X2, LDP_X2_X3_X1, STP_X3_X4_X1 = 0xF9000040, 0xA9400C22, 0xA9001023
LDADD_X3_X0_X1, DC_ZVA_X1, STXR_W5_X0_X1, LDXR_X0_X1 = 0xF8230020, 0xD50B7421, 0xC8057C20, 0xC85F7C20
UART = 0x09000000
END = (HVC0, branch(0))
OFF = 0x84000008
PAGE = 0x1000


class Latch(MmioDevice):
    """A register."""

    name = "latch"
    value = 0

    def read(self, offset: int, size: int) -> int:
        return self.value

    def write(self, offset: int, size: int, value: int) -> None:
        self.value = value


def hosted(*words: int, vms: int = 1) -> HostTarget:
    host = Host(cpus=1, memory=64 << 20)
    for n in range(vms):
        vm = add_vm(host, *words, *END)
        vm.add_device(UART, Latch())
        target = HostTarget(host)
        target.write_register(thread(n + 1), "x1", DATA)
    return HostTarget(host)


def stops(target: HostTarget | Machine, limit: int = 200) -> list[tuple[str, int, int]]:
    """Run to the end; each stop's kind, address, and instruction counted from the beginning."""
    found = []
    while (stop := target.run_all(limit)).kind not in (StopKind.BUDGET, StopKind.POWEROFF, StopKind.CRASH):
        found.append((stop.kind.value, stop.address or 0, (target.read_register(stop.thread, "pc") - CODE) // 4))
    return found


def watch(
    target: HostTarget, space: str, address: int, length: int = 8, access: str = "rw", vmid: int | None = None
) -> None:
    target.machine.insert_watchpoint(address, length, read="r" in access, write="w" in access, vmid=vmid, space=space)


def physical(target: HostTarget, ipa: int = DATA, pid: int = 1) -> int:
    return target.vm(pid).pa(ipa)


# What one instruction does to DATA + 0 and so on, by what is watched: the access and where it is seen first.
CASES = [
    (LDR_X0_X1, 0, "r", 0), (LDR_X0_X1, 0, "w", None), (STR_X0_X1, 0, "w", 0), (STR_X0_X1, 0, "r", None),
    (STR_X0_X1, 4, "w", 4), (STR_X0_X1, 7, "rw", 7), (STR_X0_X1, 8, "rw", None),
    (LDP_X2_X3_X1, 8, "r", 8), (STP_X3_X4_X1, 12, "w", 12), (LDADD_X3_X0_X1, 0, "w", 0),
    (CAS_X3_X4_X1, 0, "w", 0), (CAS_X3_X4_X1, 0, "r", 0),  # whose comparison fails: the value that was read may be written
    (DC_ZVA_X1, 63, "w", 63), (LDXR_X0_X1, 0, "r", 0),
]  # fmt: skip


@pytest.mark.parametrize("space", ["ipa", "pa"])
@pytest.mark.parametrize(("word", "offset", "access", "seen"), CASES)
def test_what_an_access_touches(space: str, word: int, offset: int, access: str, seen: int | None) -> None:
    target = hosted(NOP, word, NOP)
    target.write_register(thread(), "x3", 1)  # memory is zero
    base = DATA if space == "ipa" else physical(target)
    watch(target, space, base + offset, 1, access, 1 if space == "ipa" else None)
    assert stops(target) == ([] if seen is None else [(f"watch_{space}", base + seen, 1)])


def test_across_pages() -> None:
    """Two pages that are neighbours for the guest; the second one's first byte is watched."""
    target = hosted(STR_X0_X1)
    target.write_register(thread(), "x1", DATA + PAGE - 3)
    watch(target, "pa", physical(target, DATA + PAGE), 1)
    assert stops(target) == [("watch_pa", physical(target, DATA + PAGE), 0)]


def test_each_access_once_and_again_after_it() -> None:
    """Before and after the page is in stage 2 and in the TLB."""
    target = hosted(STR_X0_X1, NOP, LDR_X0_X1, STR_X0_X1)
    watch(target, "pa", physical(target), access="w")
    assert [at for *_, at in stops(target)] == [0, 3]


def test_in_the_middle_of_a_run() -> None:
    """A page that is in the TLB already."""
    target = hosted(STR_X0_X1, NOP, NOP, STR_X0_X1, LDR_X0_X1)
    target.run_all(2)
    watch(target, "pa", physical(target))
    assert [at for *_, at in stops(target)] == [3, 4]


def test_a_device_of_a_vm() -> None:
    target = hosted(0xF9001420, 0xF9401420)  # str x0, [x1, #40]; ldr x0, [x1, #40]
    target.write_register(thread(), "x1", UART)
    target.write_register(thread(), "x0", 7)
    watch(target, "ipa", UART + 40, 4, "rw", 1)
    assert stops(target) == [("watch_ipa", UART + 40, 0), ("watch_ipa", UART + 40, 1)]
    assert target.vm(1).devices[-1][1].value == 7


def test_an_ipa_is_one_vms_and_a_pa_is_everybodys() -> None:
    target = hosted(STR_X0_X1, vms=2)
    watch(target, "ipa", DATA, vmid=2)
    watch(target, "pa", physical(target, pid=1))
    found = []
    while (stop := target.run_all(30_000_000)).kind in (StopKind.WATCH_IPA, StopKind.WATCH_PA):
        found.append((stop.kind, stop.thread.pid))
    assert sorted(found, key=str) == [(StopKind.WATCH_IPA, 2), (StopKind.WATCH_PA, 1)]


def test_bare_devices_and_memory() -> None:
    """MMU off: the PA is the VA."""
    machine = Machine(memory=64 << 20)
    machine.write_memory(thread(), CODE, code(0xB9002422, 0xF9000060, *END), Space.PA)  # str w2, [x1, #0x24]
    for name, value in (("pc", CODE), ("x1", UART), ("x3", DATA)):
        machine.write_register(thread(), name, value)
    machine.core.insert_watchpoint(UART, PAGE, space="pa")
    machine.core.insert_watchpoint(DATA, 4, space="pa")
    machine.core.insert_watchpoint(DATA, 4, space="ipa")  # there is no stage 2, so nothing has an IPA
    assert stops(machine, 2) == [("watch_pa", UART + 0x24, 0), ("watch_pa", DATA, 1)]


def test_watching_changes_neither_time_nor_memory() -> None:
    def run(watched: bool) -> tuple[bytes, int, list[int], int]:
        target = hosted(STR_X0_X1, NOP, LDR_X0_X1, STR_X0_X1, STR_X0_X2)
        target.write_register(thread(), "x2", DATA + PAGE)
        if watched:
            watch(target, "pa", physical(target), 2 * PAGE)
            watch(target, "ipa", DATA, 2 * PAGE, vmid=1)
        while target.run_all(max(0, 60 - sum(target.machine.insns))).kind is not StopKind.BUDGET:
            pass
        memory = target.read_memory(thread(), CODE, MEMORY, Space.IPA)
        return memory, target.machine.now, target.machine.insns, target.machine.exits

    assert run(True) == run(False)


def test_taken_away() -> None:
    target = hosted(STR_X0_X1, STR_X0_X1)
    watch(target, "pa", physical(target))
    assert target.run_all(10).kind is StopKind.WATCH_PA
    target.machine.remove_watchpoint(physical(target), 8, read=True, write=True, space="pa")
    assert target.run_all(10).kind is StopKind.BUDGET


def test_another_space() -> None:
    with pytest.raises(ValueError, match='"xx" is none of va, ipa, pa'):
        hosted().machine.insert_watchpoint(0, 1, space="xx")


def test_watches_end_with_their_session_unless_they_are_kept() -> None:
    target = hosted(STR_X0_X1, LDR_X0_X1, STR_X0_X1)
    run = registry.bind(target)
    pa = physical(target)
    assert list(run(f"watch pa:{pa:#x} w", thread())) == [f"watch 1: pa:{pa:#x}-{pa + 3:#x} w"]
    assert list(run(f"watch pa:{pa:#x} w", thread())) == [f"watch 2: pa:{pa:#x}-{pa + 3:#x} w"]
    assert list(run(f"watch pa:{pa:#x} r --keep", thread())) == [f"watch 3: pa:{pa:#x}-{pa + 3:#x} r (kept)"]
    assert list(run("watch delete 1", thread())) == ["deleted 1"]
    assert target.run_all(10).text.startswith("watch 2: write to PA")
    run.left()
    assert [at for *_, at in stops(target)] == [1]
    assert [line.split()[0] for line in run("watch", thread())] == ["number", "3"]
