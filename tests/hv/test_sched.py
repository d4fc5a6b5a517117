"""More vCPUs than CPUs: everybody gets on, results do not depend on the number of CPUs, and two runs are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import Pl011
from gdbhv.hv.sched import SLICE
from gdbhv.target import Action, Space, StopKind
from guest_manifest import cases
from hv.guest_runs import run
from hv.programs import CODE, DATA, MEMORY, NOP, STR_X0_X1, WFI, add, add_vm, branch, hosted, msr, thread
from hv.test_guests import check

COUNT = (NOP, add(0, 0, 1), branch(-1))
TWO = next(case for case in cases() if case.guest == "two_vcpus" and len(case.vms) == 2)
THREE = replace(TWO, name="three VMs", vms=("left", "middle", "right"))


@pytest.mark.parametrize("cpus", [1, 2, 3, 4])
@pytest.mark.parametrize("case", [TWO, THREE], ids=str)
def test_vms_of_two_vcpus(case, cpus: int) -> None:
    first, second = (run(case, cpus=cpus) for _ in range(2))
    check(case, first)
    assert first == second


@pytest.mark.parametrize("cpus", [1, 2])
def test_turns_are_fair(cpus: int) -> None:
    """Also to those that never exit, and against one that exits a thousand times in its slice."""
    host = Host(cpus=cpus, memory=4 * MEMORY)
    for _ in range(3):
        add_vm(host, *COUNT)
    delay = (0xD2810008, 0xF1000508, 0x54FFFFE1)  # MOV x8, #0x800; SUBS x8, x8, #1; B.NE
    talker = add_vm(host, *delay, STR_X0_X1, add(0, 0, 1), branch(-5))
    target = HostTarget(host)
    target.write_register(thread(4), "x1", 0x09000000)
    talker.add_device(0x09000000, Pl011(lambda text: None))
    moving = [Action(thread(n)) for n in (1, 2, 3, 4)]
    assert target.run(moving, 12 * SLICE).kind is StopKind.BUDGET
    counts = [target.read_register(thread(n), "x0") for n in (1, 2, 3)]
    share = 12 * SLICE // 4 // 2  # two instructions count one
    assert all(0.6 * share < n < 1.4 * share for n in counts), counts


def test_one_that_is_woken_gets_its_turn_on_a_busy_cpu() -> None:
    """A vCPU in WFI whose interrupt comes from elsewhere does not wait for the other one to exit by itself."""
    host = Host(cpus=1, memory=2 * MEMORY)
    waiter = add_vm(host, msr(0, 4, 6, 0, 20), msr(0, 12, 12, 7, 21), WFI, *COUNT)
    add_vm(host, *COUNT)
    target = HostTarget(host)
    target.write_register(thread(1), "x20", 0xF8)
    target.write_register(thread(1), "x21", 1)
    both = [Action(thread(1)), Action(thread(2))]
    assert target.run(both, 100_000).kind is StopKind.BUDGET
    assert "waiting" in target.processes()[0].threads[0].extra
    waiter.vgic.enabled = 2
    irq = waiter.vgic.shared[8]
    irq.enabled = True
    waiter.vgic.set_spi(40, True)
    assert target.run(both, 100_000).kind is StopKind.BUDGET
    assert target.read_register(thread(1), "x0") > 1000


def test_a_timer_of_a_vcpu_that_is_off_its_cpu_wakes_it() -> None:
    """CNTHP_EL2 stands in for the virtual timer of whoever waits while another one has the CPU."""
    host = Host(cpus=1, memory=2 * MEMORY)
    arm = (msr(3, 14, 3, 0, 25), msr(3, 14, 3, 1, 21))  # CNTV_TVAL_EL0 = x25, CNTV_CTL_EL0 = 1
    waiter = add_vm(host, msr(0, 4, 6, 0, 20), msr(0, 12, 12, 7, 21), *arm, WFI, NOP, branch(0))
    add_vm(host, *COUNT)
    target = HostTarget(host)
    for name, value in {"x20": 0xF8, "x21": 1, "x25": 1000}.items():
        target.write_register(thread(1), name, value)
    waiter.vgic.enabled = 2
    waiter.vgic.private[0][27].enabled = True
    both = [Action(thread(1)), Action(thread(2))]
    assert target.run(both, 10_000).kind is StopKind.BUDGET
    assert "waiting" in target.processes()[0].threads[0].extra
    assert target.run(both, 2 * 16 * 1000).kind is StopKind.BUDGET
    assert target.read_register(thread(1), "pc") == CODE + 24


def test_a_debugger_s_stops_change_nothing() -> None:
    """Every so often all registers of all vCPUs are read, and memory as each of them sees it: the same run comes out."""
    quiet = run(TWO, cpus=2)
    noisy_stops = 0

    def look(target: HostTarget) -> None:
        nonlocal noisy_stops
        noisy_stops += 1
        for process in target.processes():
            for t in process.threads:
                target.read_core(t.id)
                for name in ("SCTLR_EL1", "ELR_EL1", "CNTV_CTL_EL0", "ICH_VMCR_EL2", "v7", "MPIDR_EL1"):
                    target.read_register(t.id, name)
                target.read_memory(t.id, 0x40080000, 16)
                target.read_memory(t.id, 0x40080000, 16, Space.IPA)

    noisy = run(TWO, cpus=2, every=3001, look=look)
    assert noisy_stops > 10
    assert noisy.consoles == quiet.consoles
    assert noisy.instructions == quiet.instructions
    assert noisy.exits == quiet.exits


def test_a_start_while_the_old_context_is_loaded() -> None:
    """Each life of a vCPU begins with a clean context, also if the last one is still on its CPU."""
    target = hosted(*COUNT, vcpus=2, cpus=2)
    second = thread(1, 2)
    scheduler = target.host.scheduler
    for entry in (CODE, CODE + 4):
        scheduler.start(target.vcpu(second), entry, 5)
        assert target.read_register(second, "x0") == 5
        assert target.read_register(second, "TTBR0_EL1") == 0
        target.write_register(second, "TTBR0_EL1", DATA)
        assert target.run([Action(second)], 1000).kind is StopKind.BUDGET
        assert target.read_register(second, "x0") > 400
