"""A hosted guest's registers, to a debugger: what MRS gives there, and of EL2's what may be changed."""

from __future__ import annotations

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.boot import BootConfig
from gdbhv.errors import RegisterError
from gdbhv.hv import guestregs, sysregs
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.vgic_view import document
from gdbhv.target import Action, StopKind
from hv.programs import CODE, NOP, WFI, add_vm, branch, hosted, mrs, thread
from hv.test_stepping import actions, core, state, two_vcpus, with_timer

A, B = thread(1), thread(2)

# Register, value: what a debugger may write.
MAY = [
    ("HCR_EL2", "TWI", 0),
    ("HCR_EL2", "TWE", 0),
    ("HCR_EL2", "TVM", 1),
    ("HCR_EL2", "TID3", 0),
    ("CPTR_EL2", "TCPAC", 1),
]
# And what not, with a word of the reason.
MAY_NOT = [
    ("HCR_EL2", "VM", 0, "TWI"),
    ("HCR_EL2", "IMO", 0, "make a VM"),
    ("HCR_EL2", "TSC", 0, "make a VM"),
    ("HCR_EL2", "VI", 1, "make a VM"),
    ("HCR_EL2", "TTLB", 1, "make a VM"),
    ("CPTR_EL2", "TFP", 0, "lazy"),
    ("MDCR_EL2", "TDA", 0, "lends"),
    ("VTTBR_EL2", "VMID", 9, "stage 2"),
    ("ICH_HCR_EL2", "En", 0, "monitor gic"),
    ("CNTHP_CTL_EL2", "ENABLE", 1, "time slices"),
]


def changed(target: HostTarget, register: str, field: str, value: int) -> int:
    f = target.registers[register].field(field)
    return target.read_register(A, register) & ~f.mask | value << f.lsb


@pytest.mark.parametrize(("register", "field", "value"), MAY)
def test_traps_may_be_changed(register: str, field: str, value: int) -> None:
    target = hosted(NOP, branch(-1))
    target.run_all(10)
    new = changed(target, register, field, value)
    target.write_register(A, register, new)
    assert target.read_register(A, register) == new
    assert target.run_all(1000).kind is StopKind.BUDGET


@pytest.mark.parametrize(("register", "field", "value", "why"), MAY_NOT)
def test_what_makes_a_vm_of_it_may_not(register: str, field: str, value: int, why: str) -> None:
    target = hosted(NOP, branch(-1))
    target.run_all(10)
    before = target.read_register(A, register)
    with pytest.raises(RegisterError, match=why) as refused:
        target.write_register(A, register, changed(target, register, field, value))
    assert "--el 2" in str(refused.value)
    assert target.read_register(A, register) == before


def test_wfi_without_its_trap_waits_on_the_cpu() -> None:
    target = hosted(WFI, NOP)
    target.write_register(A, "HCR_EL2", changed(target, "HCR_EL2", "TWI", 0))
    assert target.run_all().kind is StopKind.CRASH
    assert "wfx.wfi" not in [row["name"] for row in target.machine.exit_counts()]


@pytest.mark.parametrize("loaded", [1, 2])
@pytest.mark.parametrize(("register", "field", "value"), MAY)
def test_a_changed_trap_is_that_vcpus_alone(register: str, field: str, value: int, loaded: int) -> None:
    """Two vCPUs take turns on one CPU: the change goes with its vCPU, on its CPU or not, and not to the other one."""
    host = Host(cpus=1, memory=4 << 20)
    vm = add_vm(host, NOP, branch(-1), vcpus=2)
    target = HostTarget(host)
    host.scheduler.start(vm.vcpus[1], CODE, 0)
    target.run([Action(thread(1, loaded))], 10)
    assert [v.cpu is not None for v in vm.vcpus] == [loaded == 1, loaded == 2]
    one, other = thread(1, 1), thread(1, 2)
    before, new = target.read_register(other, register), changed(target, register, field, value)
    target.write_register(one, register, new)
    for moving in (other, one, other, one):
        assert (target.read_register(one, register), target.read_register(other, register)) == (new, before)
        target.run([Action(moving)], 5)
        assert host.machine.read_register(0, register) == (new if moving == one else before)


def test_the_pc_by_its_name_at_el2_only_while_that_is_the_pc() -> None:
    target = hosted(NOP, branch(-1))
    target.write_register(A, "ELR_EL2", CODE + 4)  # not entered yet
    assert target.read_register(A, "pc") == CODE + 4
    target.run_all(10)
    with pytest.raises(RegisterError, match="write pc"):
        target.write_register(A, "ELR_EL2", CODE)


@pytest.mark.parametrize("where", [A, B], ids=["on its CPU", "off it"])
def test_icc_registers_are_the_guests_interface(where) -> None:
    target = hosted(NOP, branch(-1), vms=2)
    target.run([Action(A)], 100)
    physical = target.machine.mrs(0, "ICC_PMR_EL1"), target.machine.mrs(0, "ICC_CTLR_EL1")
    for name, value in (("ICC_PMR_EL1", 0x50), ("ICC_IGRPEN1_EL1", 1), ("ICC_BPR1_EL1", 5)):
        target.write_register(where, name, value)
        assert target.read_register(where, name) == value
    target.write_register(where, "ICC_CTLR_EL1", 0)
    assert (target.machine.mrs(0, "ICC_PMR_EL1"), target.machine.mrs(0, "ICC_CTLR_EL1")) == physical
    assert target.read_register(where, "ICH_VMCR_EL2") >> 24 == 0x50


def test_identification_is_what_the_guest_reads() -> None:
    names = sorted(sysregs.HIDDEN)
    reads = [mrs(0, 0, (e := boot_registers()[name].encoding) >> 3 & 15, e & 7, n) for n, name in enumerate(names)]
    target = hosted(*reads, branch(0))
    target.run_all(100)
    for n, name in enumerate(names):
        assert target.read_register(A, name) == target.read_register(A, f"x{n}"), name
        assert target.read_register(A, target.registers[name].encoding) == target.read_register(A, f"x{n}"), name
    assert target.read_register(A, "ID_AA64PFR0_EL1") >> 8 & 15 == 0, "no EL2 for a guest"


def boot_registers():
    return hosted(NOP).registers


def test_the_physical_timer_is_the_emulated_one() -> None:
    target = hosted(NOP, branch(-1))
    target.write_register(A, "CNTP_CVAL_EL0", 1 << 40)
    target.write_register(A, "CNTP_CTL_EL02", 1)
    assert target.vcpu(A).ptimer.deadline() == (1 << 40) * 16
    assert target.read_register(A, "CNTP_CTL_EL0") == 1
    assert target.machine.mrs(0, "CNTP_CTL_EL0") == 0


READ_PENDING = (mrs(0, 12, 12, 2, 10), mrs(0, 12, 1, 0, 11))  # ICC_HPPIR1_EL1, ISR_EL1


def test_what_is_pending_is_what_the_guest_would_read_next() -> None:
    """At every instruction from before the timer fires to behind its end, wherever the list registers are."""
    acknowledge, stop_timer, end = (
        mrs(0, 12, 12, 0, 12),
        0xD51BE33F,
        0xD518CC2C,
    )  # IAR1 to x12; CNTV_CTL_EL0 = 0; EOIR1 = x12
    target = with_timer(hosted, *READ_PENDING * 60, acknowledge, *READ_PENDING, stop_timer, end, *READ_PENDING, branch(0))
    seen = set()
    for _ in range(129):
        pending = target.read_register(A, "ICC_HPPIR1_EL1"), target.read_register(A, "ISR_EL1")
        line = next(i for i in document(target.host.vms[0].vgic)["interrupts"] if i["intid"] == 27)
        before = target.read_register(A, "pc")
        assert target.run([Action(A, step=True)]).kind is StopKind.STEP
        word = int.from_bytes(target.read_memory(A, before, 4), "little")
        for n, read in enumerate(READ_PENDING):
            if word == read:
                assert target.read_register(A, f"x{10 + n}") == pending[n], hex(before)
        seen.add((*pending, line["pending"], line["active"]))
    assert seen == {(1023, 0, False, False), (27, 0x80, True, False), (1023, 0, True, True)}


def test_a_line_that_rises_for_a_vcpu_that_is_off_its_cpu() -> None:
    target = with_timer(hosted, NOP, branch(-1))
    target.run_all(200)
    assert target.read_register(A, "ICC_HPPIR1_EL1") == 27
    target.host.scheduler.leave(0)
    target.host.scheduler._unload(0)
    assert target.vcpu(A).cpu is None
    assert (target.read_register(A, "ICC_HPPIR1_EL1"), target.read_register(A, "ISR_EL1")) == (27, 0x80)
    assert target.read_register(A, "CNTV_CTL_EL0") == 5


def test_looking_changes_nothing() -> None:
    """A run at each step of which everything is looked at is the run without."""
    run, looked = two_vcpus(), two_vcpus()
    assert run.run_all(3000).kind is StopKind.BUDGET
    t, end = thread(1, 2), sum(core(run).insns)
    while (left := end - sum(core(looked).insns)) > 0:
        on = looked.processes()[0].threads[1].alive
        looked.run(actions(looked, t), left) if on else looked.run_all(min(left, 100))
        for tid in (1, 2):
            for name in guestregs.PENDING:
                looked.read_register(thread(1, tid), name)
        document(looked.host.vms[0].vgic)
    assert state(looked) == state(run)


def test_each_reason_is_one() -> None:
    """Every register of EL2 is either a guest's, changeable in part, or refused with a reason of its own kind."""
    target = boot.hosted(BootConfig(image=ROOT / "guests/prebuilt/hello.elf", memory=32 << 20))
    target.run_all(10)
    used = set()
    for r in target.registers.values():
        why = guestregs.refusal(r, lambda: 0, r.write_mask, in_guest=True)
        used |= {prefix for prefix, reason in guestregs.REASONS if why and reason in why}
    assert used == {prefix for prefix, _ in guestregs.REASONS}
    assert set(guestregs.WRITABLE) <= set(target.registers)
