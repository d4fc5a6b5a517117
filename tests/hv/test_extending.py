"""What a user adds in a few lines of Python: a device, a hypercall, a handler, an observer; and what causes no exit."""

from __future__ import annotations

import pytest

from gdbhv.errors import GdbhvError
from gdbhv.hv import exits
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import MmioDevice
from gdbhv.target import Action, StopKind
from hv.programs import (
    CODE,
    ERET,
    HVC0,
    LDRB_W0_X1,
    LDRSB_X0_X1,
    LDRSH_W0_X1,
    LDRSW_X0_X1,
    NOP,
    STRB_W0_X1,
    VECTORS,
    WFI,
    add,
    branch,
    code,
    hosted,
    mrs,
    thread,
)
from scripts.sessions import adder_device

DEVICE = 0x0A000000
SVC0, BRK0, UDF0 = 0xD4000001, 0xD4200000, 0
SKIP = (mrs(0, 4, 0, 1, 9), add(9, 9, 4), 0xD5184029, ERET)  # ELR_EL1 += 4; ERET


def step(target: HostTarget, times: int = 1) -> None:
    for _ in range(times):
        assert target.run([Action(thread(), step=True)]).kind is StopKind.STEP


class Echo(MmioDevice):
    """Answers with one value, and notes each access."""

    size = 0x10

    def __init__(self, value: int = 0) -> None:
        super().__init__()
        self.value = value
        self.seen: list[tuple[int, int, int | None]] = []

    def read(self, offset: int, size: int) -> int:
        self.seen.append((offset, size, None))
        return self.value

    def write(self, offset: int, size: int, value: int) -> None:
        self.seen.append((offset, size, value))


@pytest.mark.parametrize(
    ("word", "size", "value", "x0"),
    [
        (LDRB_W0_X1, 1, 0x1FF, 0xFF),
        (LDRSB_X0_X1, 1, 0x80, 0xFFFF_FFFF_FFFF_FF80),
        (LDRSH_W0_X1, 2, 0x8001, 0xFFFF_8001),
        (LDRSW_X0_X1, 4, 0x8000_0000, 0xFFFF_FFFF_8000_0000),
        (LDRSW_X0_X1, 4, 0x7000_0000, 0x7000_0000),
        (STRB_W0_X1, 1, 0, 0x1234),
    ],
)
def test_a_device(word: int, size: int, value: int, x0: int) -> None:
    """Sizes, sign extension and register width are as ISS.SAS, SSE and SF say (Arm ARM D24.2.40)."""
    target = hosted(word)
    device = target.host.vms[0].add_device(DEVICE, Echo(value))
    target.write_register(thread(), "x0", 0x1234)
    target.write_register(thread(), "x1", DEVICE + 4)
    step(target)
    assert target.read_register(thread(), "x0") == x0
    assert device.seen == [(4, size, 0x34 if word == STRB_W0_X1 else None)]


def test_devices_do_not_overlap() -> None:
    vm = hosted(NOP).host.vms[0]
    vm.add_device(DEVICE, Echo())
    for ipa, what in ((DEVICE + 8, "overlaps device"), (0x3FFFFFF8, "overlaps memory"), (0x08000000, "overlaps vgic-dist")):
        with pytest.raises(GdbhvError, match=what):
            vm.add_device(ipa, Echo())


def test_a_hypercall() -> None:
    target = hosted(HVC0, NOP)
    vm = target.host.vms[0]

    @vm.hypercall(0xC6000001)
    def multiply(vcpu):
        return vcpu.x(1) * vcpu.x(2)

    for name, value in {"x0": 0xC6000001, "x1": 6, "x2": 7}.items():
        target.write_register(thread(), name, value)
    step(target)
    assert target.read_register(thread(), "x0") == 42
    target.write_register(thread(), "pc", CODE)
    target.write_register(thread(), "x0", 0xC6000002)
    step(target)
    assert target.read_register(thread(), "x0") == (1 << 64) - 1, "NOT_SUPPORTED"


def test_handlers_by_class_and_by_sub_reason() -> None:
    target = hosted(mrs(0, 0, 4, 0, 3), WFI, NOP)  # ID_AA64PFR0_EL1
    seen = []

    def reading(vcpu, record):
        seen.append(record["name"])
        exits.sysreg(vcpu, record)

    target.host.handlers["sysreg.read"] = reading
    target.host.handlers["wfx"] = lambda vcpu, record: vcpu.skip()
    target.host.on_exit.append(lambda vcpu, record: seen.append(record["class"]))
    step(target, 2)
    assert seen == ["iabt", "sysreg", "sysreg.read:ID_AA64PFR0_EL1", "wfx"]
    assert target.read_register(thread(), "x3") & 0xFF == 0x11
    assert "waiting" not in target.processes()[0].threads[0].extra


def test_an_error_in_a_user_s_handler_comes_out_and_the_machine_is_intact() -> None:
    target = hosted(LDRB_W0_X1, NOP)
    target.host.vms[0].add_device(DEVICE, MmioDevice())
    target.write_register(thread(), "x1", DEVICE)
    with pytest.raises(NotImplementedError):
        target.run_all(10)
    assert target.read_register(thread(), "pc") == CODE
    target.write_register(thread(), "pc", CODE + 4)
    step(target)
    assert target.read_register(thread(), "pc") == CODE + 8


def test_what_a_guest_handles_alone_causes_no_exit() -> None:
    """SVC, BRK, undefined instructions and stage 1 faults in their thousands: not one exit more than the first touches."""
    loop = (SVC0, BRK0, UDF0, add(0, 0, 1), branch(-4))
    target = hosted(*loop)
    vm = target.host.vms[0]
    # SVC returns behind itself; the others are skipped: if ESR_EL1 >> 26 is 0x15, B.EQ to the ERET.
    handler = (mrs(0, 5, 2, 0, 9), 0xD35AFD29, 0xF100553F, 0x54000000 | 4 << 5, *SKIP)
    vm.write(VECTORS + 0x200, code(*handler))
    target.write_register(thread(), "VBAR_EL1", VECTORS)
    assert target.run_all(50_000).kind is StopKind.BUDGET
    assert target.read_register(thread(), "x0") > 1000
    assert [row["name"] for row in target.machine.exit_counts()] == ["iabt.trans.l1.x"]
    assert target.machine.exits == 1


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert adder_device.main() == 0
    assert "poweroff; {'dabt.trans.l1.r.isv':" in capsys.readouterr().out
