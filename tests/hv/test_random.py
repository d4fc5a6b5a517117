"""A guest that writes anything anywhere: the hypervisor raises nothing, and the machine goes on."""

from __future__ import annotations

import random

import pytest

from gdbhv.hv.hypercall import CALLS
from gdbhv.hv.mmio import BoardDevice, Pl011
from gdbhv.hv.sysregs import TABLE, row
from gdbhv.hv.vgic_mmio import GICD_BASE, GICR_BASE, GICR_STRIDE
from gdbhv.tables import registers
from gdbhv.target import Action, StopKind
from hv.programs import HVC0, LDR_X0_X1, add, branch, hosted, thread
from hv.test_vgic import HANDLER, access, machine

SIZES = (1, 2, 4, 8)


@pytest.mark.parametrize("cpus", [1, 2])
def test_interrupt_controller(cpus: int, seed: int) -> None:
    rng = random.Random(seed)
    target, vm = machine(*HANDLER, vcpus=2, cpus=cpus)
    both = [Action(thread(1, n)) for n in (1, 2)]
    offsets = [0, 4, 8, *range(0x80, 0x500, 4), *range(0xC00, 0xC48, 4), *range(0x6100, 0x6200, 8), 0xFFE8]
    redistributors = [GICR_BASE + n * GICR_STRIDE + half for n in range(2) for half in (0, 0x10000)]
    for frame, words in ((GICD_BASE, range(1, 9)), *((r, range(1)) for r in redistributors)):
        for word in words:
            access(vm, frame + 0x100 + 4 * word, 0xFFFFFFFF)
    for _ in range(60):
        for _ in range(20):
            frame = rng.choice([GICD_BASE, GICD_BASE, *redistributors])
            value = rng.choice([None, 0, 0xFFFFFFFF, rng.getrandbits(32), 1 << rng.randrange(64)])
            access(vm, frame + rng.choice([*offsets, rng.randrange(0x10000)]), value, rng.choice(SIZES))
            vm.vgic.set_spi(rng.randrange(32, 288), rng.random() < 0.3)
            vm.vgic.send_sgi(rng.choice(vm.vcpus), rng.getrandbits(56))
        access(vm, GICD_BASE, 2)
        assert target.run(both, 500).kind is StopKind.BUDGET
        for v in vm.vcpus:
            target.write_register(thread(1, v.index + 1), "x11", 0x40020000 + 0x1000 * v.index)
    for intid in range(32, 288):
        vm.vgic.set_spi(intid, False)
    assert any(target.read_register(thread(1, n), "x10") for n in (1, 2)), "some interrupts came"
    assert all(irq.holder == v.index for v in vm.vcpus for irq in vm.vgic.lists[v.index])


def test_devices(seed: int) -> None:
    rng = random.Random(seed)
    vm = hosted(LDR_X0_X1).host.vms[0]
    uart = vm.add_device(0x09000000, Pl011(lambda text: None), 33)
    clock = vm.add_device(0x09010000, BoardDevice("pl031"), 34)
    for _ in range(3000):
        device, size = rng.choice([uart, clock]), rng.choice(SIZES)
        offset = rng.choice([rng.randrange(0x1000), rng.randrange(0, 0x50, 4)])
        if rng.random() < 0.5:
            device.write(offset, size, rng.getrandbits(8 * size))
        else:
            assert device.read(offset, size) >= 0


def test_hypercalls(seed: int) -> None:
    """A known call or any number, with arguments that mean something or nothing; the VM may end by it."""
    rng = random.Random(seed)
    ended = 0
    for _ in range(40):
        target = hosted(HVC0, add(9, 9, 1), branch(-2), vcpus=3, cpus=2)
        vm = target.host.vms[0]
        for _ in range(10):
            values = {"x0": rng.choice([*CALLS, rng.getrandbits(64)])}
            values |= {f"x{n}": rng.choice([0, 1, 2, 0x40000000, rng.getrandbits(64)]) for n in (1, 2, 3)}
            for name, value in values.items():
                target.write_register(thread(), name, value)
            stop = target.run([Action(thread(1, n)) for n in (1, 2, 3)], 50)
            if stop.kind in (StopKind.POWEROFF, StopKind.RESET):
                ended += 1
                break
            assert stop.kind is StopKind.BUDGET
        assert (vm.stopped is not None) == (not target.processes())
    assert ended


def test_every_row_of_the_trapped_registers_serves_some_register() -> None:
    """And every register that a row lets a guest read or write can be."""
    vcpu = hosted(LDR_X0_X1).host.vms[0].vcpus[0]
    vcpu.vm.host.scheduler.resume()
    vcpu.vm.host.scheduler.leave(0)
    served = set()
    for name in registers():
        read, write = row(name)
        served |= {i for i, r in enumerate(TABLE) if (read, write) == r[1:]}
        if read is not None:
            assert 0 <= read(vcpu, name) < 1 << 64
        if write is not None and name != "ICC_SGI1R_EL1":
            write(vcpu, name, 0)
    assert served
