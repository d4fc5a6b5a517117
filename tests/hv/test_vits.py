"""The virtual ITS of a hosted VM: commands in guest memory become LPIs at vCPUs. Oracle: Arm IHI 0069, chapter 5."""

from __future__ import annotations

import re
import struct

import pytest

from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.irq import Irq
from gdbhv.hv.vgic_mmio import GICD_BASE, GICR_BASE, GICR_STRIDE
from gdbhv.hv.vgic_view import due
from gdbhv.hv.vits import GITS_BASE
from gdbhv.hv.vm import Vm
from hv.programs import DATA
from hv.test_vgic import HANDLER, access, machine, noted, run

QUEUE, CONFIGURATION, PENDING = DATA + 0x10000, DATA + 0x20000, DATA + 0x30000
CTLR, TYPER, CBASER, CWRITER, CREADR, BASER = (GITS_BASE + n for n in (0, 8, 0x80, 0x88, 0x90, 0x100))
TRANSLATER = GITS_BASE + 0x10040
VALID = 1 << 63
LPI = 8195
DEVICE, EVENT, COLLECTION = 2, 20, 3
# IHI 0069 5.3, words 0 to 3 of each command
MOVI, INT, CLEAR, SYNC, MAPD, MAPC, MAPTI, MAPI, INV, INVALL, MOVALL, DISCARD = 1, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15


def command(vm: Vm, *words: int) -> None:
    """Append a command to the queue and have it carried out."""
    at = access(vm, CWRITER, size=8)
    vm.write(QUEUE + at, struct.pack("<4Q", *words, *[0] * (4 - len(words))))
    access(vm, CWRITER, (at + 32) % 4096, 8)
    assert access(vm, CREADR, size=8) == (at + 32) % 4096


def event(number: int, word1: int = EVENT, word2: int = 0, device: int = DEVICE) -> tuple[int, ...]:
    return number | device << 32, word1, word2


def configure(vm: Vm, enabled: bool, lpi: int = LPI) -> None:
    vm.write(CONFIGURATION + lpi - 8192, bytes([0xA0 | enabled]))


def with_its(vcpus: int = 2) -> tuple[HostTarget, Vm]:
    """vCPUs that note interrupts, LPIs enabled, and event 20 of device 2 mapped to LPI 8195 at the last of them."""
    target, vm = machine(*HANDLER, vcpus=vcpus, cpus=vcpus)
    configure(vm, enabled=True)
    for n in range(vcpus):
        rd = GICR_BASE + n * GICR_STRIDE
        access(vm, rd + 0x70, CONFIGURATION | 13, 8)
        access(vm, rd + 0x78, PENDING + 0x1000 * n, 8)
        access(vm, rd, 1)
    access(vm, CBASER, QUEUE | VALID, 8)
    access(vm, CTLR, 1)
    command(vm, *event(MAPD, 7, VALID))
    command(vm, MAPC, 0, COLLECTION | (vcpus - 1) << 16 | VALID)
    command(vm, *event(MAPTI, LPI << 32 | EVENT, COLLECTION))
    run(target, 200)
    return target, vm


def test_what_the_registers_tell() -> None:
    _, vm = machine(*HANDLER)
    typer = access(vm, TYPER, size=8)
    assert (typer & 1, typer >> 4 & 15, typer >> 8 & 31, typer >> 13 & 31, typer >> 19 & 1) == (1, 7, 15, 15, 0)
    for n, kind in ((0, 1), (1, 4), (2, 0)):
        assert access(vm, BASER + 8 * n, size=8) >> 56 & 7 == kind
    assert access(vm, BASER, size=8) >> 8 & 3 == 2  # 64 KiB
    access(vm, BASER, (1 << 64) - 1, 8)
    assert access(vm, BASER, size=8) == VALID | 7 << 59 | 1 << 56 | 7 << 53 | 7 << 48 | 0xFFFF_FFFF_FEFF
    access(vm, TYPER, 0, 8)
    assert access(vm, TYPER, size=8) == typer
    assert access(vm, TYPER + 4) == typer >> 32
    assert access(vm, GICD_BASE + 4) >> 17 & 1 == 1
    assert access(vm, GICR_BASE + 8) & 1 == 1
    assert access(vm, GITS_BASE + 0xFFE8) == 0x3B


def test_int_comes_as_an_lpi() -> None:
    target, vm = with_its()
    command(vm, *event(INT))
    run(target)
    assert (noted(vm, 0), noted(vm, 1)) == ([], [LPI])
    command(vm, *event(INT))
    command(vm, *event(INT))  # still pending: one
    run(target)
    assert noted(vm, 1) == [LPI, LPI]
    assert not vm.unserved


def test_the_configuration_is_read_at_inv_only() -> None:
    target, vm = with_its()
    configure(vm, enabled=False)
    command(vm, *event(INT))
    run(target)
    assert noted(vm, 1) == [LPI]
    command(vm, *event(INV))
    command(vm, *event(INT))
    run(target)
    assert noted(vm, 1) == [LPI]
    configure(vm, enabled=True)
    run(target)
    assert noted(vm, 1) == [LPI]
    command(vm, INVALL, 0, COLLECTION)
    run(target)
    assert noted(vm, 1) == [LPI, LPI]


def pending_and_disabled() -> tuple[HostTarget, Vm]:
    target, vm = with_its()
    configure(vm, enabled=False)
    command(vm, *event(INV))
    command(vm, *event(INT))
    configure(vm, enabled=True)
    return target, vm


@pytest.mark.parametrize("forget", [event(CLEAR), event(DISCARD), event(MAPD, 7, 0), event(MAPD, 7, VALID)])
def test_a_pending_lpi_is_forgotten(forget: tuple[int, ...]) -> None:
    target, vm = pending_and_disabled()
    command(vm, *forget)
    command(vm, INVALL, 0, COLLECTION)
    run(target)
    assert noted(vm, 1) == []


def test_a_pending_lpi_moves() -> None:
    target, vm = pending_and_disabled()
    command(vm, MAPC, 0, 9 | VALID)  # collection 9: vCPU 0
    command(vm, *event(MOVI, EVENT, 9))
    command(vm, *event(INV))
    run(target)
    assert (noted(vm, 0), noted(vm, 1)) == ([LPI], [])


def test_movall_moves_all_of_a_redistributor() -> None:
    target, vm = pending_and_disabled()
    command(vm, MOVALL, 0, 1 << 16, 0)
    command(vm, *event(INV))
    run(target)
    assert (noted(vm, 0), noted(vm, 1)) == ([LPI], [])


def test_the_pending_table_counts_when_lpis_are_enabled() -> None:
    target, vm = with_its(vcpus=1)
    access(vm, GICR_BASE, 0)
    vm.write(PENDING + LPI // 8, bytes([1 << LPI % 8]))
    access(vm, GICR_BASE, 1)
    run(target)
    assert noted(vm) == [LPI]


def test_a_write_of_gits_translater_is_a_message_of_device_0() -> None:
    target, vm = with_its(vcpus=1)
    configure(vm, enabled=True, lpi=8200)
    command(vm, *event(MAPD, 4, VALID, device=0))
    command(vm, *event(MAPI, 5, COLLECTION, device=0))  # INTID 5 is no LPI: refused
    command(vm, *event(MAPTI, 8200 << 32 | 5, COLLECTION, device=0))
    access(vm, TRANSLATER, 5)
    run(target)
    assert noted(vm) == [8200]
    (told,) = vm.take_unserved()
    assert re.fullmatch(r"ITS command MAPI at IPA 0x\w+ is ignored: it names what is not mapped, or is out of range", told)


@pytest.mark.parametrize(
    "wrong",
    [
        event(INT, 99),
        event(INT, device=77),
        event(MAPTI, 5 << 32 | EVENT, COLLECTION),
        event(MAPTI, LPI << 32 | 1 << 8, COLLECTION),
        event(MAPD, 31, VALID),
        (MAPC, 0, COLLECTION | 9 << 16 | VALID),
        (0x7F, 0, 0),
    ],
)
def test_a_wrong_command_is_skipped_and_told(wrong: tuple[int, ...]) -> None:
    target, vm = with_its()
    command(vm, *wrong)
    assert len(vm.unserved) == 1
    command(vm, *event(INT))
    run(target)
    assert noted(vm, 1) == [LPI]


def many_lpis(count: int) -> tuple[HostTarget, Vm]:
    """As :func:`with_its`, with events 0 and up of device 9 mapped to LPIs 9000 and up, disabled."""
    target, vm = with_its()
    command(vm, *event(MAPD, 15, VALID, device=9))
    for n in range(count):
        command(vm, *event(MAPTI, 9000 + n << 32 | n, COLLECTION, device=9))
    return target, vm


def test_a_long_queue_leaves_the_guest_and_the_debugger_their_time() -> None:
    """The ITS does a bounded amount of work at a time (IHI 0069 5.3.2: commands are processed while the PEs execute)."""
    target, vm = many_lpis(3000)
    begin, count = access(vm, CREADR, size=8), 20
    commands = [(INVALL, 0, COLLECTION)] * (count - 1) + [event(INT)]
    for n, words in enumerate(commands):
        vm.write(QUEUE + (begin + 32 * n) % 4096, struct.pack("<4Q", *words, *[0] * (4 - len(words))))
    end = (begin + 32 * count) % 4096
    access(vm, CWRITER, end, 8)
    first = access(vm, CREADR, size=8)
    assert (first - begin) % 4096 == 2 * 32, "an INVALL looks at 3001 LPIs, and two of them are more than WORK"
    access(vm, CWRITER, end, 8)
    assert access(vm, CREADR, size=8) == first, "writing again brings nothing forward"
    access(vm, CTLR, 0)
    run(target)
    assert access(vm, CREADR, size=8) == first, "an ITS that is disabled stops"
    access(vm, CTLR, 1)
    assert access(vm, CREADR, size=8) == (first + 2 * 32) % 4096
    run(target)  # idle, so that time jumps
    assert access(vm, CREADR, size=8) == end
    assert (noted(vm, 1), vm.unserved) == ([LPI], {})


def test_lpis_that_were_pending_come_when_the_group_is_enabled() -> None:
    target, vm = with_its()
    access(vm, GICD_BASE, 0)
    command(vm, *event(INT))
    run(target)
    assert noted(vm, 1) == []
    access(vm, GICD_BASE, 2)
    run(target)
    assert noted(vm, 1) == [LPI]


def test_a_vcpu_with_many_pending_leaves_its_guest_once_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    target, vm = many_lpis(100)
    for n in range(100):
        configure(vm, enabled=True, lpi=9000 + n)
    access(vm, GICD_BASE, 0)
    command(vm, INVALL, 0, COLLECTION)
    for n in range(100):
        command(vm, *event(INT, n, device=9))
    access(vm, GICD_BASE, 2)
    target.host.scheduler.leave(1)
    target.host.scheduler.schedule(1)  # four of them are in list registers now
    assert len(vm.vgic.used[1]) == 4
    left: list[int] = []
    leave = target.host.scheduler.leave
    monkeypatch.setattr(target.host.scheduler, "leave", lambda cpu: (left.append(cpu), leave(cpu)))
    command(vm, MOVALL, 0, 1 << 16, 0)
    assert left == [1]
    assert not vm.vgic.lists[1]
    run(target, 20000)
    assert sorted(noted(vm, 0)) == [9000 + n for n in range(64)]  # as many as `noted` looks at


def test_a_queue_outside_memory_stalls() -> None:
    _, vm = machine(*HANDLER)
    access(vm, CBASER, 0x7000_0000 | VALID, 8)
    access(vm, CTLR, 1)
    access(vm, CWRITER, 32, 8)
    assert access(vm, CREADR, size=8) == 1


def test_an_exit_costs_the_same_however_many_are_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest with all its LPIs pending exits as often as it likes: none of its exits looks at all of them."""
    target, vm = with_its()
    vgic, host = vm.vgic, target.host
    host.scheduler.leave(1)
    for n in range(9000, 25000):
        irq = vgic.lpis.irqs[n] = vgic.lpi(n)
        irq.home, irq.enabled, irq.latch, irq.priority = 1, True, True, 8 * (n % 31)
        vgic.changed(irq)
    looked_at = 0
    deliverable = vgic.deliverable

    def counted(irq: Irq) -> bool:
        nonlocal looked_at
        looked_at += 1
        return deliverable(irq)

    monkeypatch.setattr(vgic, "deliverable", counted)
    for _ in range(10):
        vgic.flush(vm.vcpus[1])
        assert [i.intid for i in vgic.used[1]] == [9021, 9052, 9083, 9114]  # of priority 0
        held = target.machine.mrs_many(1, vgic.list_registers)
        assert due(vgic, vm.vcpus[1]) == held, "a debugger's view looks at as few"
        vgic.sync(vm.vcpus[1])
        assert vgic.has_pending(vm.vcpus[1])
    assert looked_at < 10 * 30
    host.load(host.save())
    assert [i.intid for i in vgic.lists[1]] == sorted(range(9000, 25000), key=lambda n: (n % 31, n))
