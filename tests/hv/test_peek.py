"""A debugger's look at a VM's devices: what a load would give, and nothing changes by it."""

from __future__ import annotations

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.errors import PeekError
from gdbhv.hv.mmio import MmioDevice
from gdbhv.target import Space, StopKind, ThreadId

PREBUILT = ROOT / "guests" / "prebuilt"
SLICE = 6997
STRIDE = 4
# Registers that a read changes, by device and offset: the character, and the data of the item that is selected.
REFUSED = {("pl011", 0), ("fw-cfg", 0), ("fw-cfg", 4)}


def look(target, vm, *, compare: bool) -> None:
    """Look at the beginning of every frame of the VM's devices."""
    for base, device in vm.devices:
        for frame in range(0, min(device.size, 0x20000), 0x10000):
            for offset in range(frame, frame + min(device.size, 0x500), STRIDE):
                try:
                    seen = device.peek(offset, STRIDE)
                except PeekError:
                    assert (device.name, offset) in REFUSED
                    continue
                data = target.read_memory(ThreadId(1, 1), base + offset, STRIDE, Space.IPA)
                assert int.from_bytes(data, "little") == seen & 0xFFFFFFFF
                if compare:
                    assert device.read(offset, STRIDE) & 0xFFFFFFFF == seen & 0xFFFFFFFF, (device.name, hex(offset))


def run(*, looks: bool, compare: bool = False) -> tuple[bytes, list[int], int, int]:
    console = Console()
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "two_vcpus.elf", memory=64 << 20, smp=2), console)
    vm = target.host.vms[0]
    while (stop := target.run_all(SLICE)).kind is StopKind.BUDGET:
        if looks:
            look(target, vm, compare=compare)
    assert stop.kind is StopKind.POWEROFF
    return bytes(console.text), target.machine.insns, target.machine.now, target.machine.exits


def test_looking_changes_nothing() -> None:
    assert run(looks=True) == run(looks=False)


def test_what_is_seen_is_what_a_load_gives() -> None:
    run(looks=True, compare=True)


def test_a_device_that_does_not_say() -> None:
    class Silent(MmioDevice):
        name = "silent"

    with pytest.raises(PeekError, match="silent does not say which of its reads have no effect"):
        Silent().peek(0, 4)
