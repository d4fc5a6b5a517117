"""The virtual interrupt controller: its registers, and what guests of a few instructions see of it.

Oracle: Arm IHI 0069 (GICv3), sections cited.
"""

from __future__ import annotations

import pytest

from gdbhv.errors import GdbhvError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import MmioDevice
from gdbhv.hv.vgic_mmio import GICD_BASE, GICR_BASE, GICR_STRIDE
from gdbhv.hv.vm import Vm
from gdbhv.target import Action, StopKind
from hv.programs import CODE, DATA, ERET, NOP, UNMASK_IRQ, VECTORS, WFI, add, branch, code, hosted, mrs, msr, thread

ENABLE_GROUP1 = 2
SGI_FRAME = GICR_BASE + 0x10000
IGROUPR, ISENABLER, ICENABLER, ISPENDR, ICPENDR, ISACTIVER, ICACTIVER = range(0x80, 0x400, 0x80)
IPRIORITYR, ICFGR, IROUTER = 0x400, 0xC00, 0x6000

# ICC_* of EL1 (12.2) and what the programs do with them; x10 counts interrupts, x11 is where INTIDs are noted
PMR, IAR1, EOIR1, DIR, CTLR, IGRPEN1, SGI1R = (
    (0, 4, 6, 0),
    (0, 12, 12, 0),
    (0, 12, 12, 1),
    (0, 12, 11, 1),
    (0, 12, 12, 4),
    (0, 12, 12, 7),
    (0, 12, 11, 5),
)
NOTE_X9 = (0xF8008569, add(10, 10, 1))  # STR x9, [x11], #8
MAIN = (msr(*PMR, 20), msr(*IGRPEN1, 21), msr(*CTLR, 22), UNMASK_IRQ, WFI, branch(-1))
HANDLER = (mrs(*IAR1, 9), *NOTE_X9, msr(*EOIR1, 9), ERET)


def access(vm: Vm, ipa: int, value: int | None = None, size: int = 4) -> int:
    """What a guest's load or store at ``ipa`` comes to."""
    found = vm.device(ipa)
    assert found is not None
    device, offset = found
    if value is None:
        return device.read(offset, size) & ((1 << 8 * size) - 1)
    device.write(offset, size, value)
    return 0


def machine(*handler: int, vcpus: int = 1, cpus: int = 1, eoi_mode: int = 0, main=MAIN) -> tuple[HostTarget, Vm]:
    """vCPUs that wait for interrupts with ``handler`` at their IRQ vector, and all interrupts of group 1 allowed."""
    target = hosted(*main, vcpus=vcpus, cpus=cpus)
    vm = target.host.vms[0]
    vm.write(VECTORS + 0x280, code(*handler))
    access(vm, GICD_BASE, ENABLE_GROUP1)
    for v in vm.vcpus:
        t = thread(1, v.index + 1)
        if v.index:
            target.host.scheduler.start(v, CODE, 0)
        values = {"VBAR_EL1": VECTORS, "x11": DATA + 0x1000 * v.index, "x20": 0xF8, "x21": 1, "x22": eoi_mode << 1}
        for name, value in values.items():
            target.write_register(t, name, value)
    return target, vm


def run(target: HostTarget, insns: int = 2000) -> None:
    actions = [Action(thread(1, v.index + 1)) for v in target.host.vms[0].vcpus]
    assert target.run(actions, insns).kind is StopKind.BUDGET


def noted(vm: Vm, vcpu: int = 0) -> list[int]:
    """The INTIDs that the handler has noted."""
    raw = vm.read(DATA + 0x1000 * vcpu, 0x200)
    values = [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]
    return values[: next((i for i, v in enumerate(values) if v == 0), len(values))]


def raise_edges(vm: Vm, intids: list[int]) -> None:
    for n in intids:
        vm.vgic.set_spi(n, True)
        vm.vgic.set_spi(n, False)


def enable(vm: Vm, intid: int, *, priority: int = 0xA0, edge: bool = True) -> None:
    access(vm, GICD_BASE + IPRIORITYR + intid, priority, size=1)
    config = access(vm, GICD_BASE + ICFGR + intid // 16 * 4)
    access(vm, GICD_BASE + ICFGR + intid // 16 * 4, config & ~(3 << 2 * (intid % 16)) | edge << (2 * (intid % 16) + 1))
    access(vm, GICD_BASE + ISENABLER + intid // 32 * 4, 1 << intid % 32)


# --- registers


def test_identification() -> None:
    _, vm = machine(*HANDLER, vcpus=3)
    assert access(vm, GICD_BASE) == 0x50 | ENABLE_GROUP1  # CTLR: ARE and DS are RAO/WI (12.9.4)
    assert access(vm, GICD_BASE + 4) >> 25 & 1 == 1  # TYPER.No1N: IRM is RES0
    assert access(vm, GICD_BASE + 4) & 31 == 8  # TYPER.ITLinesNumber: 288 INTIDs
    for frame in (GICD_BASE, *(GICR_BASE + n * GICR_STRIDE for n in range(3))):
        assert access(vm, frame + 0xFFE8) >> 4 & 15 == 3  # PIDR2.ArchRev
    typers = [access(vm, GICR_BASE + n * GICR_STRIDE + 8, size=8) for n in range(3)]
    assert [t >> 32 for t in typers] == [0, 1, 2]  # affinity
    assert [t >> 4 & 1 for t in typers] == [0, 0, 1]  # Last
    assert typers[2] >> 32 == access(vm, GICR_BASE + 2 * GICR_STRIDE + 12)


@pytest.mark.parametrize(
    ("base", "other"), [(GICD_BASE + 4, "a shared interrupt"), (SGI_FRAME, "a private interrupt")], ids=["GICD", "GICR"]
)
def test_set_and_clear_registers(base: int, other: str) -> None:
    _, vm = machine(*HANDLER)
    for to_set, to_clear in ((ISENABLER, ICENABLER), (ISPENDR, ICPENDR), (ISACTIVER, ICACTIVER)):
        assert access(vm, base + to_set) == 0
        access(vm, base + to_set, 0x00F0_0000)
        access(vm, base + to_clear, 0x0030_0000)
        assert access(vm, base + to_set) == access(vm, base + to_clear) == 0x00C0_0000
        access(vm, base + to_set, 0)
        access(vm, base + to_clear, 0)
        assert access(vm, base + to_set) == 0x00C0_0000


def test_priorities_configuration_and_routes() -> None:
    _, vm = machine(*HANDLER, vcpus=2)
    access(vm, GICD_BASE + IPRIORITYR + 40, 0x11223344)
    assert access(vm, GICD_BASE + IPRIORITYR + 40) == 0x10203040  # five bits are implemented
    access(vm, GICD_BASE + IPRIORITYR + 41, 0xFF, size=1)
    assert access(vm, GICD_BASE + IPRIORITYR + 40) == 0x1020F840
    access(vm, GICD_BASE + ICFGR + 8, 0xFFFFFFFF)
    assert access(vm, GICD_BASE + ICFGR + 8) == 0xAAAAAAAA
    access(vm, GICD_BASE + IROUTER + 8 * 40, 1, size=8)
    assert access(vm, GICD_BASE + IROUTER + 8 * 40, size=8) == 1
    assert access(vm, GICD_BASE + IROUTER + 8 * 40 + 4) == 0
    access(vm, GICD_BASE + IROUTER + 8 * 40, (1 << 64) - 1, size=8)
    assert access(vm, GICD_BASE + IROUTER + 8 * 40, size=8) == 0xFF_00FF_FFFF  # 12.9.22: the rest is RES0
    access(vm, SGI_FRAME + ICFGR, 0)
    assert access(vm, SGI_FRAME + ICFGR) == 0xAAAAAAAA  # SGIs are edge-triggered


def test_sgis_of_group_0() -> None:
    """ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 reach SGIs of group 0 alone; ICC_SGI1R_EL1 both (IHI 0069 12.1.10)."""
    _, vm = machine(*HANDLER)
    access(vm, SGI_FRAME + IGROUPR, 1 << 5)
    for intid in (5, 6):
        vm.vgic.send_sgi(vm.vcpus[0], intid << 24 | 1, group1=False)
    assert access(vm, SGI_FRAME + ISPENDR) == 1 << 6
    for intid in (5, 6):
        vm.vgic.send_sgi(vm.vcpus[0], intid << 24 | 1)
    assert access(vm, SGI_FRAME + ISPENDR) == 3 << 5


def test_interrupts_that_do_not_exist() -> None:
    _, vm = machine(*HANDLER)
    assert access(vm, GICD_BASE + ISENABLER + 4 * 20) == 0
    with pytest.raises(GdbhvError, match="32 to 287"):
        vm.vgic.set_spi(300, True)
    with pytest.raises(GdbhvError, match="32 to 287"):
        vm.add_device(0x0A000000, MmioDevice(), 300)


# --- what guests see


def test_more_interrupts_than_list_registers_come_in_order_of_priority() -> None:
    target, vm = machine(*HANDLER)
    intids = list(range(40, 60))
    for n in intids:
        enable(vm, n, priority=8 * (60 - n))
    raise_edges(vm, intids)
    run(target)
    assert noted(vm) == intids[::-1]
    assert not vm.vgic.lists[0]
    raise_edges(vm, intids)
    run(target)
    assert noted(vm) == intids[::-1] * 2


def test_more_active_interrupts_than_list_registers() -> None:
    """EOImode 1: a handler that acknowledges until nothing comes, and only then deactivates (ICC_DIR_EL1, 12.2.9)."""
    end = (msr(*DIR, 9), 0xF85F8DA9, 0xB5FFFFC9 | 0)  # DIR of x9; LDR x9, [x13, #-8]!; CBNZ x9, back to DIR
    handler = (
        mrs(*IAR1, 9),
        0xF10FF93F,  # CMP x9, #1022
        0x54000000 | 5 << 5 | 0b1000,  # B.HI past the loop
        *NOTE_X9,
        msr(*EOIR1, 9),
        branch(-6),
        0xAA0B03ED,  # MOV x13, x11
        0xF85F8DA9,  # LDR x9, [x13, #-8]!
        *end,
        ERET,
    )
    target, vm = machine(*handler, eoi_mode=1)
    vm.write(DATA + 8 - 16, bytes(8))
    intids = list(range(40, 50))
    for n in intids:
        enable(vm, n)
    for times in (1, 2):
        raise_edges(vm, intids)
        run(target, 5000)
        assert noted(vm) == intids * times
        assert access(vm, GICD_BASE + ISACTIVER + 4) == 0
        assert not vm.vgic.lists[0]


class Line(MmioDevice):
    """Lowers its interrupt line at the third read."""

    reads = 0

    def read(self, offset: int, size: int) -> int:
        self.reads += 1
        self.set_irq(self.reads < 3)
        return 0


def test_a_level_is_sampled_again_when_the_guest_has_ended_it() -> None:
    target, vm = machine(mrs(*IAR1, 9), *NOTE_X9, 0xF9400300, msr(*EOIR1, 9), ERET)  # LDR x0, [x24]
    line = vm.add_device(0x0A000000, Line(), 50)
    target.write_register(thread(), "x24", 0x0A000000)
    enable(vm, 50, edge=False)
    line.set_irq(True)
    run(target)
    assert noted(vm) == [50] * 3


def test_an_sgi_that_comes_while_it_is_active_comes_again() -> None:
    """The handler sends SGI 3 to itself while it handles the first two."""
    again = (0xF100095F, 0x54000042, msr(*SGI1R, 23))  # CMP x10, #2; B.HS past it; SGI
    target, vm = machine(mrs(*IAR1, 9), *NOTE_X9, *again, msr(*EOIR1, 9), ERET)
    target.write_register(thread(), "x23", 3 << 24 | 1)
    access(vm, SGI_FRAME + ISENABLER, 1 << 3)
    access(vm, SGI_FRAME + ISPENDR, 1 << 3)
    run(target)
    assert noted(vm) == [3, 3]


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize(
    ("value", "receivers"), [(5 << 24 | 1, [0]), (5 << 24 | 2, [1]), (5 << 24 | 7, [0, 1, 2]), (5 << 24 | 1 << 40, [1, 2])]
)
def test_sgis_to_self_and_others(value: int, receivers: list[int], cpus: int) -> None:
    target, vm = machine(*HANDLER, vcpus=3, cpus=cpus)
    for n in range(3):
        access(vm, SGI_FRAME + n * GICR_STRIDE + ISENABLER, 1 << 5)
    vm.vgic.send_sgi(vm.vcpus[0], value)
    run(target, 60_000)
    assert [noted(vm, n) for n in range(3)] == [[5] if n in receivers else [] for n in range(3)]


def test_what_is_cleared_or_disabled_in_time_does_not_come() -> None:
    """Also if it is in a list register of a CPU in its guest, where the interrupt is masked."""
    masked = (msr(*PMR, 20), msr(*IGRPEN1, 21), add(1, 1, 1), branch(-1))
    target, vm = machine(*HANDLER, main=masked)
    for n in (40, 41, 42):
        enable(vm, n)
        raise_edges(vm, [n])
    run(target, 100)
    assert [i.lr is not None for i in vm.vgic.shared[8:11]] == [True] * 3
    access(vm, GICD_BASE + ICPENDR + 4, 1 << 8)
    access(vm, GICD_BASE + ICENABLER + 4, 1 << 9)
    assert access(vm, GICD_BASE + ISPENDR + 4) == 0b110 << 8
    pstate = target.read_register(thread(), "cpsr")
    target.write_register(thread(), "cpsr", pstate & ~0x80)
    run(target, 100)
    assert noted(vm) == [42]


def test_a_route_that_changes_takes_the_interrupt_along() -> None:
    target, vm = machine(*HANDLER, vcpus=2, cpus=2)
    enable(vm, 40)
    access(vm, GICD_BASE + IROUTER + 8 * 40, 1, size=8)
    raise_edges(vm, [40])
    run(target, 30_000)
    access(vm, GICD_BASE + IROUTER + 8 * 40, 0, size=8)
    raise_edges(vm, [40])
    run(target, 30_000)
    assert [noted(vm, n) for n in range(2)] == [[40], [40]]


def test_an_interrupt_below_the_priority_mask_does_not_end_wfi() -> None:
    target, vm = machine(*HANDLER)
    target.write_register(thread(), "x20", 0x80)
    enable(vm, 40, priority=0x80)
    enable(vm, 41, priority=0x78)
    raise_edges(vm, [40])
    run(target)
    assert "waiting" in target.processes()[0].threads[0].extra
    raise_edges(vm, [41])
    run(target)
    assert noted(vm) == [41]


def test_the_timer_interrupt_follows_its_vcpu() -> None:
    """Three VMs on one CPU whose handlers are slow: each timer is active physically only while its own vCPU is loaded."""
    from gdbhv.hv.host import Host
    from hv.programs import MEMORY, add_vm

    host = Host(cpus=1, memory=3 * MEMORY)
    target = HostTarget(host)
    timer_off = msr(3, 14, 3, 1, 31)  # CNTV_CTL_EL0 = 0
    arm = (msr(3, 14, 3, 0, 25), msr(3, 14, 3, 1, 21))  # CNTV_TVAL_EL0 = x25, CNTV_CTL_EL0 = 1
    delay = (0xD2900008, 0xF1000508, 0x54FFFFE1)  # MOV x8, #0x8000; SUBS x8, x8, #1; B.NE
    handler = (mrs(*IAR1, 9), *NOTE_X9, *delay, timer_off, *arm, msr(*EOIR1, 9), ERET)
    for n in range(3):
        vm = add_vm(host, *MAIN[:4], *arm, add(1, 1, 1), branch(-1))
        vm.write(VECTORS + 0x280, code(*handler))
        access(vm, GICD_BASE, ENABLE_GROUP1)
        access(vm, SGI_FRAME + ISENABLER, 1 << 27)
        values = {"VBAR_EL1": VECTORS, "x11": DATA, "x20": 0xF8, "x21": 1, "x22": 0, "x25": 4000 + 1000 * n}
        for name, value in values.items():
            target.write_register(thread(n + 1), name, value)
    actions = [Action(thread(n)) for n in (1, 2, 3)]
    assert target.run(actions, 30_000_000).kind is StopKind.BUDGET
    counts = [target.read_register(thread(n), "x10") for n in (1, 2, 3)]
    assert min(counts) > 40, counts
    assert max(counts) < 3 * min(counts), counts


@pytest.mark.parametrize(
    ("active", "binary_point", "signalled"),
    [
        (None, 3, True),
        (0xA0, 3, False),  # the same priority does not preempt
        (0x80, 3, False),
        (0xA8, 3, True),
        (0xA8, 6, False),  # 0xa0 and 0xa8 are of one group of priorities then
        (0xC0, 6, True),
    ],
)
def test_what_does_not_preempt_ends_no_wfi(active: int | None, binary_point: int, signalled: bool) -> None:
    """A CPU that another one has stopped in its handler waits for good (Arm IHI 0069 4.8.6)."""
    vm = hosted(NOP).host.vms[0]
    vgic, vcpu = vm.vgic, vm.vcpus[0]
    vgic.enabled = 3
    irq = vgic.private[0][27]
    irq.enabled, irq.priority, irq.level = True, 0xA0, True
    vgic.changed(irq)
    vcpu.write("ICH_VMCR_EL2", 0xF8 << 24 | binary_point << 18 | 0b11)
    if active is not None:
        group = active >> binary_point << binary_point
        vcpu.write("ICH_AP1R0_EL2", 1 << group // 8)
    assert vgic.has_pending(vcpu) is signalled
