"""The devices that a hosted VM has from the start. Oracle: Arm DDI 0224 (PL031), VIRTIO 1.2, 4.2.2,
QEMU's specification of fw_cfg."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from gdbhv import _core
from gdbhv.console import Console
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import BoardDevice, Pl011
from gdbhv.target import StopKind
from hv.programs import ERET, HVC0, add_vm, branch, mrs, msr, thread
from hv.test_vgic import EOIR1, GICD_BASE, IAR1, ISENABLER, NOTE_X9, access, machine, noted, run

RTC, RTC_SPI, VIRTIO, FW_CFG = 0x09010000, 34, 0x0A000000, 0x09020000
DR, MR, LR, CR, IMSC, RIS, MIS, ICR = range(RTC, RTC + 0x20, 4)
SECOND = 10**9
HANDLER = (mrs(*IAR1, 9), *NOTE_X9, 0xB90002FF, msr(*EOIR1, 9), ERET)  # STR wzr, [x23]


@pytest.mark.parametrize("cpus", [1, 2])
def test_the_clock_wakes_a_guest_that_waits(cpus: int) -> None:
    target, vm = machine(*HANDLER, vcpus=2, cpus=cpus)
    vm.add_device(RTC, BoardDevice("pl031"), RTC_SPI)
    vm.add_device(VIRTIO, BoardDevice("virtio-mmio"))
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
    clock = _core.BoardDevice("pl031", epoch=100)
    registers = [clock.read(offset, 4, 0) for offset in range(0, 0x20, 4)]
    assert registers == [100, 0, 0, 1, 0, 0, 0, 0]
    clock.write(0x04, 4, 103, 0, None)
    assert clock.deadline() == 3 * SECOND
    now = 3 * SECOND
    clock.event(now, None)
    assert (clock.read(0x14, 4, now), clock.read(0x18, 4, now), clock.irqs()[0][1]) == (1, 0, False)  # masked: raw only
    clock.write(0x10, 4, 1, now, None)
    assert (clock.read(0x18, 4, now), clock.irqs()[0][1]) == (1, True)
    clock.write(0x1C, 4, 1, now, None)
    assert (clock.read(0x14, 4, now), clock.deadline()) == (0, None)
    clock.write(0x08, 4, 500, now, None)
    assert clock.read(0x00, 4, now) == 500
    clock.write(0x04, 4, 500, now, None)
    assert clock.read(0x14, 4, now) == 1


def test_there_are_no_virtio_devices() -> None:
    slots = _core.BoardDevice("virtio-mmio")
    assert [slots.read(0x3E00 + offset, 4, 0) for offset in (0, 4, 8, 12)] == [0x74726976, 1, 0, 0x554D4551]


def test_fw_cfg_reaches_the_vms_memory() -> None:
    _, vm = machine(ERET)
    configuration = BoardDevice("fw-cfg", cpus=2)
    vm.add_device(FW_CFG, configuration)
    configuration.set_item("opt/words", b"a few words")
    base = vm.slots[0].ipa + 0x10_0000

    def command(control: int, length: int, address: int) -> bytes:
        vm.write(base, struct.pack(">IIQ", control, length, address))
        access(vm, FW_CFG + 0x10, 0)
        access(vm, FW_CFG + 0x14, int.from_bytes(base.to_bytes(4, "big"), "little"))
        return vm.read(base, 4)

    assert command(0x20 << 16 | 0b1010, 5, base + 0x100) == bytes(4)
    assert vm.read(base + 0x100, 5) == b"a few"
    assert command(0b10, 100, base + 0xFFE) == bytes(4)  # the rest, across pages
    assert vm.read(base + 0xFFE, 100) == b" words" + bytes(94)
    assert command(0x20 << 16 | 0b1010, 1, 0x1000) == b"\0\0\0\1"  # no memory


@pytest.mark.parametrize(("key", "what"), [("", "1 to 55 bytes"), ("n" * 56, "1 to 55 bytes"), ("a\0b", "1 to 55 bytes")])
def test_a_name_that_fw_cfg_cannot_list(key: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        BoardDevice("fw-cfg").set_item(key, b"")
    with pytest.raises(ValueError, match="no items"):
        BoardDevice("pl031").set_item(1, b"")
    with pytest.raises(KeyError, match="gicd"):
        BoardDevice("gicd")


def test_what_is_typed_line_by_line_comes_after_a_silence() -> None:
    """As the machine's own model has it (dev/pl011.rs), for the hosted UART; the guest has the receive interrupt on."""
    second = Pl011.SILENCE
    machine = SimpleNamespace(now=1000)
    uart = Pl011(lambda text: None)
    uart.vm = SimpleNamespace(machine=machine)  # type: ignore[assignment]

    def at(now: int) -> str:
        machine.now = now
        uart.event()
        return "".join(chr(uart.read(0, 4)) for _ in range(9) if not uart.peek(0x18, 4) & 0x10)

    uart.receive(b"a\nbc\n", paced=True)
    assert (uart.listens, uart.deadline()) == (False, None)
    uart.write(0x38, 4, Pl011.RX)
    assert (uart.listens, uart.deadline()) == (True, 1000 + second)
    machine.now = second
    uart.write(0, 4, 0x41)
    assert (at(1000 + second), uart.deadline()) == ("", 2 * second), "it spoke meanwhile"
    assert (at(2 * second), uart.deadline()) == ("a\n", 3 * second)
    assert (at(3 * second), uart.deadline()) == ("bc\n", None)


def test_a_guest_that_polls_gets_all_at_once() -> None:
    uart = Pl011(lambda text: None)
    uart.receive(b"ab\ncd", paced=True)
    flags = [uart.read(0x18, 4) for _ in range(Pl011.POLLS)]
    assert flags == [0x90] * (Pl011.POLLS - 1) + [0x80]
    assert bytes(uart.read(0, 4) for _ in range(5)) == b"ab\ncd"


LOOK = 0xB9401822  # LDR w2, [x1, #0x18]: UARTFR


@pytest.mark.parametrize(
    "after", [(branch(0),), (HVC0, branch(0)), (LOOK, branch(-1))], ids=["computing", "exiting", "polling"]
)
def test_the_beginning_of_a_line_does_not_wait_for_its_end(after: tuple[int, ...]) -> None:
    host = Host(memory=4 << 20)
    passed: list[int] = []

    class Terminal(Console):
        def emit(self, data: bytes) -> None:
            assert data == b"ab"
            passed.append(host.machine.now)

    console = Terminal()
    put = 0x39000020  # STRB w0, [x1]
    vm = add_vm(
        host, *(0xD2A12001, 0xD2800000 | ord("a") << 5, put, 0xD2800000 | ord("b") << 5, put), *after
    )  # MOV x1, #0x9000000
    vm.add_device(0x09000000, Pl011(console.write), 33)
    insns = 10_000 if LOOK in after else 50_000_000
    stop = HostTarget(host, console=console).run_all(insns)
    assert (stop.kind, sum(host.machine.insns)) == (StopKind.BUDGET, insns)
    assert len(passed) == 1
    assert passed[0] < (21_000_000 if after == (branch(0),) else 100)
