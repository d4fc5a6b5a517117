"""The stage 2 tables that the hypervisor builds, read by a reader of its own.

Oracle: the descriptor layout of Arm ARM D8.3, spelled here once more as construct's bit structures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import construct as c
import pytest

from gdbhv.errors import GdbhvError, MemoryError_
from gdbhv.hv.host import Host
from gdbhv.hv.stage2 import BLOCK, PAGE
from gdbhv.hv.vm import Vm
from guest_manifest import cases
from hv.guest_runs import run

# Bits from 63 down (D8.3.1.1 table, D8.3.1.2 block and page; the stage 2 attributes of D8.3.2).
DESCRIPTOR = c.ByteSwapped(
    c.BitStruct(
        "ignored" / c.BitsInteger(9),
        "xn" / c.BitsInteger(2),
        "contiguous" / c.Flag,
        "dbm" / c.Flag,
        "res0" / c.BitsInteger(3),
        "address" / c.BitsInteger(36),
        "nt" / c.Flag,
        "af" / c.Flag,
        "sh" / c.BitsInteger(2),
        "s2ap" / c.BitsInteger(2),
        "memattr" / c.BitsInteger(4),
        "not_block" / c.Flag,
        "valid" / c.Flag,
    )
)


def leaves(vm: Vm) -> Iterator[tuple[int, int, int, c.Container]]:
    """(IPA, PA, size, descriptor) of each leaf, from VTTBR_EL2 and VTCR_EL2 as the CPU has them."""
    machine = vm.machine
    vtcr = machine.read_register(0, "VTCR_EL2")
    assert vtcr >> 14 & 3 == 0, "TG0: 4 KiB"
    bits, level = 64 - (vtcr & 63), {0: 2, 1: 1, 2: 0}[vtcr >> 6 & 3]
    entries = 1 << bits - (12 + 9 * (3 - level))
    yield from _table(machine, vm.vttbr & ((1 << 48) - 1), level, entries, 0)


def _table(machine, table: int, level: int, entries: int, base: int) -> Iterator[tuple[int, int, int, c.Container]]:
    size = 1 << 12 + 9 * (3 - level)
    for n in range(entries):
        d = DESCRIPTOR.parse(machine.read_pa(table + 8 * n, 8))
        if not d.valid:
            continue
        if level < 3 and d.not_block:
            yield from _table(machine, d.address << 12, level + 1, 512, base + n * size)
        else:
            assert d.not_block == (level == 3)
            yield base + n * size, d.address << 12, size, d


def check(vm: Vm) -> None:
    """Every leaf is inside a slot, goes to where the slot is, and has the attributes of normal memory."""
    found = list(leaves(vm))
    for ipa, pa, size, d in found:
        slot = vm.slot(ipa)
        assert slot is not None
        assert vm.slot(ipa + size - 1) is slot
        assert pa == slot.pa + ipa - slot.ipa
        assert (d.memattr, d.sh, d.af, d.xn, d.contiguous) == (15, 3, True, 0, False)
        assert d.s2ap == (3 if slot.writable else 1)
    own = [(m.ipa, m.pa, m.size) for m in vm.stage2.leaves()]
    assert own == [(ipa, pa, size) for ipa, pa, size, _ in found]
    for ipa, pa, size, _ in found:
        here = vm.stage2.lookup(ipa + size // 2)
        assert here is not None
        assert (here.ipa, here.pa, here.size) == (ipa, pa, size)


@pytest.mark.parametrize("blocks", [True, False])
def test_random_touches(blocks: bool, seed: int) -> None:
    rng = random.Random(seed)
    host = Host(memory=64 << 20, block_mappings=blocks)
    vm = host.create_vm()
    for ipa, size in ((0x40000000, 16 << 20), (0x8000_0000, 0x3000), (0x7F_FFC0_0000, 4 << 20), (0x4123_4000, 8 << 20)):
        vm.add_memory(ipa, size, writable=ipa != 0x8000_0000)
    mapped = set()
    for _ in range(200):
        slot = rng.choice(vm.slots)
        ipa = slot.ipa + rng.randrange(slot.size)
        assert vm.map_touched(ipa)
        mapped.add(ipa)
    check(vm)
    ranges = [(ipa, ipa + size, size) for ipa, _, size, _ in leaves(vm)]
    assert all(any(a <= ipa < b for a, b, _ in ranges) for ipa in mapped)
    assert {size for *_, size in ranges} == ({PAGE, BLOCK} if blocks else {PAGE})
    for ipa in (0, 0x3FFF_FFFF, 0x8000_3000, 0x7F_FFBF_FFFF, 1 << 40, (1 << 48) - 1):
        assert not vm.map_touched(ipa)
        assert vm.stage2.lookup(ipa) is None
    gone = rng.choice(ranges)
    removed = vm.stage2.unmap(gone[0] + 0x10)
    assert removed is not None
    assert removed.ipa == gone[0]
    assert gone not in [(ipa, ipa + size, size) for ipa, _, size, _ in leaves(vm)]
    check(vm)


def test_after_a_guest_has_run() -> None:
    vms: list[Vm] = []
    case = next(case for case in cases() if case.guest == "two_vcpus" and len(case.vms) == 2)
    run(case, cpus=2, watch=lambda host: vms.extend(host.vms))
    assert len(vms) == 2
    for vm in vms:
        assert list(leaves(vm))
        check(vm)
    mine, other = ({pa for _, pa, *_ in leaves(vm)} for vm in vms)
    assert not mine & other


def test_what_no_leaf_maps() -> None:
    vm = Host(memory=16 << 20).create_vm()
    for ipa, pa, size in (
        (0x1001, 0x2000, PAGE),
        (0x1000, 0x2001, PAGE),
        (0, 0, 0x4000),
        (1 << 40, 0, PAGE),
        (PAGE, 0, BLOCK),
    ):
        with pytest.raises(ValueError, match="no stage 2 leaf"):
            vm.stage2.map(ipa, pa, size)
    vm.stage2.map(0, 0x50000000, BLOCK)
    with pytest.raises(ValueError, match="block already"):
        vm.stage2.map(0x1000, 0x50000000, PAGE)
    vm.stage2.map(BLOCK, 0x50000000, PAGE)
    with pytest.raises(ValueError, match="table already"):
        vm.stage2.map(BLOCK, 0x50000000, BLOCK)


def test_slots_and_devices_do_not_overlap() -> None:
    host = Host(memory=16 << 20)
    vm = host.create_vm()
    vm.add_memory(0x40000000, 4 << 20)
    for ipa, size in (
        (0x40001000, PAGE),
        (0x3FFFF000, 2 * PAGE),
        (0x1000, 100),
        (0x1800, PAGE),
        (0x1000, 0),
        (1 << 40, PAGE),
    ):
        with pytest.raises(GdbhvError, match="memory slot"):
            vm.add_memory(ipa, size)
    with pytest.raises(GdbhvError, match="give it more"):
        vm.add_memory(0x80000000, 1 << 30)
    with pytest.raises(MemoryError_, match="no memory of vm1"):
        vm.write(0x403FFFFF, b"ab")
    assert vm.read(0x403FFFFF, 1) == b"\0", "all of it or nothing"
