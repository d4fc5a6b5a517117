"""SErrors that a user makes pending: routed, masked, deferred as the Arm ARM says (D1.3.6, D17.2), and handed to guests."""

from __future__ import annotations

import pytest

from gdbhv.errors import GdbhvError
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Action
from hv.programs import CODE, MEMORY, VECTORS, WFI, add, add_vm, bare, branch, code, msr, thread

UNMASK_A = 0xD50344FF  # MSR DAIFClr, #4
ESB = 0xD503221F
READ_DISR_X2 = msr(0, 12, 1, 1, 2) | 1 << 21
LOOP = (add(0, 0, 1), branch(-1))
SERROR_SAME = VECTORS + 0x380
UER, UEO, IDS = 0xC11, 0x811, 1 << 24


def esr(iss: int) -> int:
    """ESR_ELx of an SError."""
    return 0x2F << 26 | 1 << 25 | iss


def hosted(*words: int, cpu: str = "max") -> HostTarget:
    host = Host(memory=MEMORY, cpu=cpu)
    add_vm(host, *words)
    target = HostTarget(host)
    target.write_register(thread(), "VBAR_EL1", VECTORS)
    return target


def steps(target: HostTarget | Machine, count: int) -> None:
    for _ in range(count):
        target.run([Action(thread(), step=True)])


@pytest.mark.parametrize("cpu", ["max", "cortex-a57"])
@pytest.mark.parametrize("syndrome", [None, UER, IDS | 0x55])
def test_a_guest_gets_it_as_its_own(cpu: str, syndrome: int | None) -> None:
    """The exit has the machine's syndrome; the guest's is IDS, as KVM has it, once it unmasks SErrors."""
    target = hosted(add(0, 0, 1), UNMASK_A, *LOOP, cpu=cpu)
    target.host.vms[0].write(SERROR_SAME, code(*LOOP))
    records = []
    target.host.on_exit.append(lambda vcpu, record: records.append(record))
    target.machine.inject_serror(0, syndrome)
    target.run_all(50)
    (record,) = [r for r in records if r["class"] == "serror"]
    assert (record["pc"], record["cause"]) == (CODE, ["HCR_EL2.AMO"])
    usual = 0x11 if cpu == "max" else 0
    assert record["esr"] == esr(usual if syndrome is None else syndrome)
    assert target.machine.serror(0) is None
    assert target.read_register(thread(), "pc") & ~7 == SERROR_SAME
    assert target.read_register(thread(), "ESR_EL1") == esr(IDS if cpu == "max" else 0)
    assert target.read_register(thread(), "ELR_EL1") == CODE + 8
    assert not target.read_register(thread(), "HCR_EL2") >> 8 & 1


def test_a_restartable_one_asks_nothing_of_the_guest() -> None:
    target = hosted(UNMASK_A, *LOOP)
    target.machine.inject_serror(0, UEO)
    target.run_all(100)
    assert "serror.ueo" in [row["name"] for row in target.machine.exit_counts()]
    assert target.read_register(thread(), "ESR_EL1") == 0


def test_a_guests_esb_defers_it_and_a_switch_keeps_both() -> None:
    """VSESR_EL2 and what ESB deferred belong to the vCPU, wherever it is."""
    target = hosted(ESB, READ_DISR_X2, *LOOP)
    vcpu = target.vcpu(thread())
    vcpu.inject_serror(IDS | 0x77)
    target.run_all(20)
    assert target.read_register(thread(), "x2") == 1 << 31 | IDS | 0x77
    assert not target.read_register(thread(), "HCR_EL2") >> 8 & 1
    assert vcpu.cpu is not None
    vcpu.save()
    assert vcpu.vserror is None
    assert vcpu.sys["VDISR_EL2"] == 1 << 31 | IDS | 0x77


def test_at_el1_without_el2() -> None:
    machine = bare(UNMASK_A, *LOOP)
    machine.write_register(thread(), "VBAR_EL1", VECTORS)
    machine.core.inject_serror(0, UER)
    assert machine.core.serror(0) == UER
    steps(machine, 1)
    assert machine.read_register(thread(), "pc") == CODE + 4, "the instruction that unmasks it is one step"
    steps(machine, 1)
    assert machine.read_register(thread(), "pc") == SERROR_SAME, "and the exception the next one"
    assert machine.read_register(thread(), "ESR_EL1") == esr(UER)
    assert machine.read_register(thread(), "ELR_EL1") == CODE + 4
    assert machine.core.serror(0) is None


def test_physical_ones_are_deferred_by_esb_to_disr() -> None:
    machine = bare(ESB, READ_DISR_X2, *LOOP)
    machine.core.inject_serror(0, UER)
    steps(machine, 2)
    assert machine.read_register(thread(), "x2") == 1 << 31 | UER
    assert machine.core.serror(0) is None


def test_it_ends_a_wfi() -> None:
    machine = bare(WFI, *LOOP)
    machine.run_all(100)
    assert machine.core.power(0) == "wfi"
    machine.core.inject_serror(0)
    machine.run_all(10)
    assert machine.read_register(thread(), "x0") > 0


def test_the_same_counts_however_the_run_is_cut() -> None:
    def run(piece: int) -> tuple[int, int]:
        machine = Machine(memory=MEMORY)  # at EL2, no guest: SErrors are taken by TGE
        machine.start([(CODE, code(UNMASK_A, *LOOP)), (SERROR_SAME, code(*LOOP))], CODE, 0)
        machine.write_register(thread(), "VBAR_EL2", VECTORS)
        machine.write_register(thread(), "HCR_EL2", 1 << 31 | 1 << 27)
        for _ in range(1000 // piece):
            machine.run_all(piece)
        machine.core.inject_serror(0)
        for _ in range(1000 // piece):
            machine.run_all(piece)
        return machine.read_register(thread(), "x0"), machine.read_register(thread(), "ELR_EL2")

    assert run(1) == run(8) == run(1000)


def test_what_is_refused() -> None:
    target = hosted(*LOOP)
    with pytest.raises(ValueError, match="25 bits"):
        target.machine.inject_serror(0, 1 << 25)
    with pytest.raises(IndexError, match="no CPU 3"):
        target.machine.inject_serror(3)
    with pytest.raises(GdbhvError, match="no CPU 9"):
        list(registry.run("inject serror --cpu 9", registry.Context(target, thread())))
