"""Debian's kernel on the bare board, as its firmware would start it: it owns EL1 or EL2, and nobody is below it."""

from __future__ import annotations

import struct

import pytest

from conftest import Kit
from gdbhv import _core

MEMORY = 512 << 20
TREE, KERNEL, INITRD = 0x4000_0000, 0x4020_0000, 0x4800_0000
BOOTARGS = "console=ttyAMA0 cryptomgr.notests=1"
LIMIT = 20_000_000_000


def boot(kit: Kit, cpus: int, el: int, cpu: str, step: int, gic: int = 3) -> tuple[str, list[int]]:
    """Return the console and the instructions of each CPU up to power-off, in runs of ``step`` nanoseconds."""
    machine = _core.Machine(cpus=cpus, memory=MEMORY, cpu=cpu, hosted=False, el2=el == 2, gic=gic)
    initrd = kit.initramfs.read_bytes()
    psci = "smc" if el == 2 else "hvc"
    disk, tells = (INITRD, INITRD + len(initrd)), "v2" if gic == 2 else "v3-its"
    tree = _core.device_tree(cpus=cpus, memory=MEMORY, bootargs=BOOTARGS, initrd=disk, psci=psci, gic=tells)  # type: ignore[arg-type]
    for address, data in ((TREE, tree), (KERNEL, kit.image.read_bytes()), (INITRD, initrd)):
        machine.write_pa(address, data)
    machine.cpu_on(0, KERNEL, TREE, el)
    console = b""
    while machine.now < LIMIT:
        stop = machine.run(machine.now + step)
        console += machine.take_output()
        if stop["kind"] != "budget":
            assert stop["kind"] == "poweroff", (stop, console.decode(errors="replace"))
            return console.decode(), machine.insns
    pytest.fail(f"no power-off in {LIMIT} ns:\n{console.decode(errors='replace')}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("cpus", "el", "cpu"), [(1, 1, "max"), (4, 1, "max"), (2, 2, "cortex-a57"), (4, 2, "max")])
def test_boots_to_power_off(kit: Kit, cpus: int, el: int, cpu: str) -> None:
    console, insns = boot(kit, cpus, el, cpu, 100_000_000)
    assert "GDBHV-GUEST: boot ok" in console
    assert "GDBHV-GUEST: selftest ok" in console
    assert all(n > 0 for n in insns)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("cpus", "el", "cpu"), [(4, 1, "max"), (2, 2, "cortex-a57"), (2, 2, "max")])
def test_boots_with_a_gicv2(kit: Kit, cpus: int, el: int, cpu: str) -> None:
    console, insns = boot(kit, cpus, el, cpu, 100_000_000, gic=2)
    assert "GDBHV-GUEST: selftest ok" in console
    assert "GICv3" not in console
    assert all(n > 0 for n in insns)


@pytest.mark.timeout(300)
def test_the_its_is_bound(kit: Kit) -> None:
    console, _ = boot(kit, 2, 2, "max", 100_000_000)
    assert "ITS@0x0000000008080000: allocated 8192 Interrupt Collections" in console
    assert "CPU1: using allocated LPI pending table" in console


@pytest.mark.timeout(300)
def test_how_a_run_is_divided_does_not_matter(kit: Kit) -> None:
    runs = [boot(kit, 3, 1, "max", step) for step in (100_000_000, 7_777_777)]
    assert runs[0] == runs[1]


def test_an_unmapped_device_address_is_an_external_abort() -> None:
    """LDR from a hole of the board (PCIe's window): EC 0x25, DFSC 0x10, and FAR is the address."""
    machine = _core.Machine(memory=1 << 20, hosted=False)
    machine.write_pa(TREE, struct.pack("<I", 0xF940_0020))  # LDR X0, [X1]
    machine.cpu_on(0, TREE, 0, 2)
    machine.write_register(0, "x1", 0x1000_0000)
    machine.run(machine.now + 1)
    esr = machine.read_register(0, "ESR_EL2")
    assert (esr >> 26, esr & 0x3F) == (0x25, 0x10)
    assert machine.read_register(0, "FAR_EL2") == 0x1000_0000
