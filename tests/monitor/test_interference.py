"""Exits answered in place of the hypervisor, and what guests take from outside. Oracle: what the guest then does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gdbhv
from conftest import ROOT
from gdbhv import boot, tables
from gdbhv.errors import GdbhvError
from gdbhv.exits import exitspec
from gdbhv.exits.answering import outcome
from gdbhv.target import StopKind, ThreadId
from monitor.test_accounts import GUEST, RAM, words
from monitor.test_catching import Session, hypercalls, zoo

ONE = ThreadId(1, 1)
PREBUILT = ROOT / "guests" / "prebuilt"


def abort(size: int, *, sign: bool = False, wide: bool = False, write: bool = False) -> Any:
    fields = {"ISV": 1, "SAS": size, "SSE": sign, "SF": wide, "WnR": write}
    esr = sum(value << tables.iss_field("dabt", name).lsb for name, value in fields.items())
    return {"class": "dabt", "name": "dabt", "esr": esr, "rt": 3}


@pytest.mark.parametrize(
    ("record", "value", "expected"),
    [
        (abort(0), 0x1234, (3, 0x34, True)),
        (abort(0, sign=True), 0x80, (3, 0xFFFFFF80, True)),
        (abort(1, sign=True, wide=True), 0x18000, (3, 0xFFFFFFFFFFFF8000, True)),
        (abort(3, wide=True), 1 << 63, (3, 1 << 63, True)),
        (abort(2, write=True), None, (None, 0, True)),
        ({"class": "hvc", "name": "hvc:0x0", "esr": 0, "rt": None}, 7, (0, 7, False)),
        ({"class": "smc", "name": "smc:0x0", "esr": 0, "rt": None}, -1, (0, (1 << 64) - 1, True)),
        ({"class": "wfx", "name": "wfx.wfi", "esr": 0, "rt": None}, None, (None, 0, True)),
    ],
)
def test_what_an_answer_leaves(record: Any, value: int | None, expected: object) -> None:
    """Arm ARM D24.2.40, ISS encoding for a Data Abort: SAS, SSE, SF."""
    assert outcome(record, value) == expected


@pytest.mark.parametrize(
    ("record", "value", "message"),
    [
        (abort(2, write=True), 1, "gives no value"),
        ({"class": "irq", "name": "irq.ppi27", "esr": 0, "rt": None}, None, "is no instruction's"),
        ({"class": "iabt", "name": "iabt", "esr": 0, "rt": None}, None, "no instruction was fetched"),
        ({"class": "wfx", "name": "wfx.wfi", "esr": 0, "rt": None}, 5, "gives no value"),
    ],
)
def test_what_has_no_answer(record: Any, value: int | None, message: str) -> None:
    with pytest.raises(GdbhvError, match=message):
        outcome(record, value)


def test_a_hosted_exit_is_answered() -> None:
    """The read of an ID register gives what is said, and the hypervisor's handler never runs."""
    session = zoo()
    handled: list[str] = []
    session.target.host.on_exit.append(lambda v, r: handled.append(r["name"]))  # type: ignore[union-attr]
    session.ask("vmexit catch sysreg.read:ID_AA64PFR0_EL1")
    stop = session.target.run_all()
    assert stop.exit is not None
    rt, pc = stop.exit["rt"], stop.exit["pc"]
    assert session.ask("answer 0x1234567890") == ["answered with 0x1234567890: the guest goes on behind the instruction"]
    assert session.target.read_register(ONE, f"x{rt}") == 0x1234567890
    assert session.target.read_register(ONE, "pc") == pc + 4
    with pytest.raises(GdbhvError, match="does not stand at an exit"):
        session.ask("answer")
    session.stops()
    assert "sysreg.read:ID_AA64PFR0_EL1" not in handled
    assert "sysreg.write:ACTLR_EL1" in handled


def test_a_bare_exit_is_answered() -> None:
    """The guest goes on behind its HVC, whatever the handler would have done, and x0 is what is said."""
    session = hypercalls()
    target = session.target
    session.ask("vmexit catch hvc once")
    assert target.run_all().kind is StopKind.EXIT
    assert target.core.at_exit(0)
    session.ask("answer 77")
    assert [target.core.read_register(0, name) for name in ("x0", "pc", "cpsr")] == [77, GUEST + 4, 0x3C5]
    assert not target.core.at_exit(0)
    before = sum(target.core.insns)
    session.ask("vmexit catch hvc")
    assert target.run_all().kind is StopKind.EXIT
    assert sum(target.core.insns) - before == 2, "the branch and the next HVC"


def test_each_read_of_a_device_is_answered_without_a_stop() -> None:
    """UARTFR tells of a full FIFO until the hook has said so three times; what the guest prints is the same."""
    session, said = zoo(), []
    target = session.target

    def hook(thread: ThreadId, record: Any) -> None:
        if len(said) < 3:
            target.answer(thread, 0x20)  # TXFF
        said.append(record["seq"])

    alone = zoo()
    alone.ask("vmexit catch dabt.r ipa=0x9000018 do count")
    alone.stops()
    target.catchers["uart"] = exitspec.parse("dabt.r ipa=0x9000018").catcher(hook=hook)
    session.stops()
    assert len(said) == 3 + alone.hits()[1]
    assert target.core.exits == alone.target.core.exits + 3


def test_by_a_catchpoints_command() -> None:
    session = zoo()
    session.ask("vmexit catch wfx.wfi do run answer")
    (stop,) = [stop for stop in session.stops() if stop.runs]
    assert stop.runs == ("answer",)


def test_a_guest_takes_an_abort_in_place_of_its_exit() -> None:
    session = zoo()
    target = session.target
    session.ask("vmexit catch sysreg.write:ACTLR_EL1")
    stop = target.run_all()
    assert stop.exit is not None
    target.write_register(ONE, "VBAR_EL1", 0x40201000)
    session.ask("inject abort 0x1000 --write")
    names = ("ESR_EL1", "FAR_EL1", "ELR_EL1", "pc")
    assert [target.read_register(ONE, name) for name in names] == [0x96000050, 0x1000, stop.exit["pc"], 0x40201200]


def test_a_bare_guest_takes_an_abort_in_place_of_its_exit() -> None:
    session = hypercalls()
    core = session.target.core
    core.write_register(0, "VBAR_EL1", RAM + 0x20000)
    session.ask("vmexit catch hvc")
    session.target.run_all()
    session.ask("inject abort 0x1000 --fetch")
    names = ("ESR_EL1", "FAR_EL1", "ELR_EL1", "pc", "cpsr")
    assert [core.read_register(0, name) for name in names] == [0x86000010, 0x1000, GUEST + 4, RAM + 0x20200, 0x3C5]
    core.write_pa(RAM + 0x20200, words(0xD4000002 | 3 << 5))
    stop = session.target.run_all()
    assert stop.exit is not None
    assert stop.exit["pc"] == RAM + 0x20200


def test_interrupts_and_serrors() -> None:
    session = zoo()
    target = session.target
    target.run_all(2000)
    session.ask("inject interrupt 40")
    assert target.host.vms[0].vgic.shared[8].latch  # type: ignore[union-attr]
    session.ask("inject serror --virtual 0x11")
    assert target.host.vcpus[0].vserror == 0x11  # type: ignore[union-attr]
    with pytest.raises(GdbhvError, match="has no interrupt"):
        session.ask("inject interrupt 5000")
    bare = hypercalls()
    bare.ask("inject interrupt 40")
    assert bare.target.core.bus_read(0, 0x08000204, 4) >> 8 & 1
    with pytest.raises(GdbhvError, match="no interrupt 1019"):
        bare.ask("inject interrupt 1019")
    with pytest.raises(GdbhvError, match=r"HCR_EL2\.VSE"):
        bare.ask("inject serror --virtual")


@pytest.mark.parametrize("bare", [False, True])
def test_a_recording_has_it(tmp_path: Path, bare: bool) -> None:
    """What was answered when it was recorded is answered at the same place of the replay, without a catchpoint."""
    image = PREBUILT / ("type1.elf" if bare else "exit_zoo.elf")
    setup = gdbhv.Setup([boot.BootConfig(image=image, memory=256 << 20)], hosted=not bare)
    file = tmp_path / "run.rec"
    with gdbhv.record(setup, file) as recording:
        target = recording.target
        session = Session(target)
        session.ask(f"vmexit catch {'hvc after 3 once' if bare else 'sysreg.read:ID_AA64PFR0_EL1'}")
        assert target.run_all().kind is StopKind.EXIT
        session.ask("answer 0x11")
        session.ask("inject abort 0x2000" if not bare else "inject interrupt 77")
        assert target.run_all(2_000_000).kind in (StopKind.POWEROFF, StopKind.BUDGET)
        recording.finish("the test is over")
    assert '"what":"answer"' in file.read_text()
    outcome_ = gdbhv.replay(file)
    assert outcome_.same is True, outcome_.text
