"""The devices that a hosted VM has from the start. Oracle: Arm DDI 0224 (PL031), VIRTIO 1.2, 4.2.2."""

from __future__ import annotations

import pytest

from gdbhv.hv.mmio import Pl031, VirtioMmio
from hv.programs import ERET, mrs, msr, thread
from hv.test_vgic import EOIR1, GICD_BASE, IAR1, ISENABLER, NOTE_X9, access, machine, noted, run

RTC, RTC_SPI, VIRTIO = 0x09010000, 34, 0x0A000000
DR, MR, LR, CR, IMSC, RIS, MIS, ICR = range(RTC, RTC + 0x20, 4)
SECOND = 10**9
HANDLER = (mrs(*IAR1, 9), *NOTE_X9, 0xB90002FF, msr(*EOIR1, 9), ERET)  # STR wzr, [x23]


@pytest.mark.parametrize("cpus", [1, 2])
def test_the_clock_wakes_a_guest_that_waits(cpus: int) -> None:
    target, vm = machine(*HANDLER, vcpus=2, cpus=cpus)
    vm.add_device(RTC, Pl031(lambda: target.machine.now), RTC_SPI)
    vm.add_device(VIRTIO, VirtioMmio())
    access(vm, GICD_BASE + ISENABLER + 4, 1 << RTC_SPI - 32)
    access(vm, GICD_BASE + 0x80 + 4, 0xFFFFFFFF)  # GICD_IGROUPR1
    access(vm, IMSC, 1)
    access(vm, MR, access(vm, DR) + 3)
    for v in range(2):
        target.write_register(thread(1, v + 1), "x23", ICR)
    run(target, 100)
    assert noted(vm) == [RTC_SPI]
    assert 3 * SECOND <= target.machine.now < 3 * SECOND + 100_000


def test_the_alarm_of_the_clock() -> None:
    now = 0
    clock = Pl031(lambda: now, epoch=100)
    registers = [clock.read(offset, 4) for offset in range(0, 0x20, 4)]
    assert registers == [100, 0, 0, 1, 0, 0, 0, 0]
    clock.write(0x04, 4, 103)
    assert clock.deadline() == 3 * SECOND
    now = 3 * SECOND
    clock.event()
    assert (clock.read(0x14, 4), clock.read(0x18, 4)) == (1, 0)  # masked: raw only
    clock.write(0x10, 4, 1)
    assert clock.read(0x18, 4) == 1
    clock.write(0x1C, 4, 1)
    assert (clock.read(0x14, 4), clock.deadline()) == (0, None)
    clock.write(0x08, 4, 500)
    assert clock.read(0x00, 4) == 500
    clock.write(0x04, 4, 500)
    assert clock.read(0x14, 4) == 1


def test_there_are_no_virtio_devices() -> None:
    slots = VirtioMmio()
    assert [slots.read(0x3E00 + offset, 4) for offset in (0, 4, 8, 12)] == [0x74726976, 1, 0, 0x554D4551]
