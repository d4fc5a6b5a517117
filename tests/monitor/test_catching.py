"""Catchpoints by the whole grammar, hosted and bare. Oracle: the same asked in Python of each exit, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conftest import ROOT
from gdbhv import boot, tables
from gdbhv.errors import CommandError
from gdbhv.exits import exitspec
from gdbhv.exits.catches import Catcher
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Space, Stop, StopKind
from monitor.test_accounts import GUEST, ping, words

PREBUILT = ROOT / "guests" / "prebuilt"
AGAIN = 0x17FFFFFF  # b .-4


class Session:
    """A target, and a debugger's commands."""

    def __init__(self, target: HostTarget | Machine) -> None:
        self.target = target
        self._run = registry.bind(target)
        self._thread = target.processes()[0].threads[0].id

    def ask(self, line: str) -> list[str]:
        return [said for said in self._run(line, self._thread) if said is not None]

    def hits(self) -> dict[int, int]:
        rows = (line.split() for line in self.ask("vmexit list")[1:])
        return {int(row[0]): int(row[1]) for row in rows}

    def stops(self, most: int = 1000) -> list[Stop]:
        """Run to the end, and return the stops on the way."""
        found: list[Stop] = []
        while (stop := self.target.run_all()).kind in (StopKind.EXIT, StopKind.ENTRY) and len(found) < most:
            found.append(stop)
        assert stop.kind is StopKind.POWEROFF
        return found


def zoo() -> Session:
    return Session(boot.hosted(boot.BootConfig(image=PREBUILT / "exit_zoo.elf", memory=256 << 20)))


def hypercalls() -> Session:
    """A guest that makes the same hypercall again and again."""
    machine = ping(handler=7, guest=0)
    machine.core.write_pa(GUEST + 4, words(AGAIN))
    return Session(machine)


# ---- conditions

Oracle = Callable[[Any, Any], bool]


def word(v: Any, address: int, bytes_: int = 4) -> int:
    """What a guest has in memory."""
    target, thread = ORACLE
    return int.from_bytes(target.read_memory(thread(v), address, bytes_, Space.VA), "little")


ORACLE: Any = None
SRT, WNR = tables.iss_field("dabt", "SRT"), tables.iss_field("dabt", "WnR")

CONDITIONS: list[tuple[str, Oracle]] = [
    ("dabt if $x1 & 0x18", lambda v, r: v.x(1) & 0x18 != 0),
    ("dabt if x1&0x18 == 0x18", lambda v, r: bool(v.x(1) & (0x18 == 0x18))),
    ("dabt if (x1 & 0x18) == 0x18", lambda v, r: v.x(1) & 0x18 == 0x18),
    ("dabt if iss.SRT == 1 && !iss.WnR", lambda v, r: SRT.of(r["esr"]) == 1 and not WNR.of(r["esr"])),
    ("dabt if ipa >> 12 == 0x9000 || el == 0", lambda v, r: r["ipa"] >> 12 == 0x9000 or r["el"] == 0),
    ("dabt if value > 0x60", lambda v, r: (r["rt_value"] or 0) > 0x60),
    ("* if $VBAR_EL1 == &el1_vectors || VBAR_EL1 == 0", lambda v, r: v.read("VBAR_EL1") == 0),
    ("* if u32($pc) == insn", lambda v, r: r["insn"] is not None),
    ("* if u32(pc) & 0xff == 0x21", lambda v, r: bool(word(v, r["pc"]) & (0xFF == 0x21))),
    ("* if (u8(pc + 3) & 0x3b) == 0x39", lambda v, r: word(v, r["pc"] + 3, 1) & 0x3B == 0x39),
    ("* if pa_u64(0x40000008) != 0", lambda v, r: r["seq"] > 1),
    ("* if ipa_u32(0x40200000) == u32(0x40200000)", lambda v, r: r["seq"] > 1),
    ("* if $HCR_EL2.TWI && HCR_EL2.VM == 1 && ($TCR_EL1.T0SZ + 1)", lambda v, r: True),
    ("sys* if -x0 == 0 - x0 && ~0 == 0xffffffffffffffff && 7 % 4 * 2 - 1 << 2 == 20", lambda v, r: True),
]


def test_conditions_are_what_python_makes_of_them() -> None:
    global ORACLE  # noqa: PLW0603
    session = zoo()
    target = session.target
    assert isinstance(target, HostTarget)
    ORACLE = target, target.thread_of
    symbols = target.symbols(target.processes()[0].threads[0].id)[0]
    vectors = next(name for name, address in symbols.items() if address and address % 2048 == 0)
    expected = [0] * len(CONDITIONS)
    specs = [(text.replace("el1_vectors", vectors), oracle) for text, oracle in CONDITIONS]
    classes = [exitspec.parse(text, symbols).classes for text, _ in specs]
    for text, _ in specs:
        session.ask(f"vmexit catch {text} do count")

    def observe(v: Any, r: Any) -> None:
        for n, (_, oracle) in enumerate(specs):
            if r["number"] in classes[n]:
                expected[n] += oracle(v, r) or ("vectors" in CONDITIONS[n][0] and v.read("VBAR_EL1") == symbols[vectors])

    target.host.on_exit.append(observe)
    assert session.stops() == []
    hits = session.hits()
    assert {text: hits[n + 1] for n, (text, _) in enumerate(specs)} == dict(
        zip((text for text, _ in specs), expected, strict=True)
    )
    assert sum(0 < e < target.machine.exits for e in expected) >= 8


def test_a_condition_without_a_value_does_not_hold_and_says_so() -> None:
    session = zoo()
    for condition in ("u32(0x7000000000) == 0", "x0 / 0", "ipa == 0", "u64(0x9000018)"):
        session.ask(f"vmexit catch hvc if {condition}")
    assert session.stops() == []
    lines = session.ask("vmexit list")[1:]
    assert all(line.endswith("times the condition had no value)") for line in lines)
    assert set(session.hits().values()) == {0}


# ---- which of them


def test_after_every_and_once() -> None:
    session = hypercalls()
    for words_ in ("do count", "every=3", "after 5 every=4", "once", "after 8 once"):
        session.ask(f"vmexit catch hvc {words_}")
    target = session.target
    found = []
    while target.run_all(2_000).kind is StopKind.EXIT:
        (record,) = [target.core.exit_record(0)]
        assert record is not None
        found.append(record["seq"])
        if len(found) == 9:
            break
    assert found == [1, 3, 6, 9, 12, 13, 15, 17, 18]
    assert session.hits() == {1: 18, 2: 18, 3: 18, 4: 1, 5: 1}
    assert len(target.catchers) == 3


@pytest.mark.parametrize(
    ("words_", "hits"), [("latency>7", 10), ("latency>8", 0), ("latency>=8 every=2", 5), ("away>7", 10)]
)
def test_the_entry_after_an_exit_that_took_long(words_: str, hits: int) -> None:
    """Seven NOPs and the ERET."""
    session = hypercalls()
    session.ask(f"vmexit catch hvc:3 {words_}")
    session.ask("vmexit catch hvc after 10")
    entries = 0
    while (stop := session.target.run_all(10_000)).kind is StopKind.ENTRY:
        assert session.target.core.read_register(0, "pc") in (GUEST, GUEST + 4)
        assert stop.exit is not None
        entries += 1
    assert stop.kind is StopKind.EXIT
    assert entries == hits


def test_hosted_exits_take_no_time() -> None:
    with pytest.raises(CommandError, match="takes no time"):
        zoo().ask("vmexit catch dabt latency>5")


def test_the_entry_after_a_hosted_exit() -> None:
    session = zoo()
    session.ask("vmexit catch sysreg.read entry")
    stops = session.stops()
    assert {stop.kind for stop in stops} == {StopKind.ENTRY}
    assert stops[0].text == "back in vm1 after sysreg.read:ID_AA64PFR0_EL1"


def test_a_symbol_is_an_address() -> None:
    session = zoo()
    session.ask("vmexit catch pc=zoo_actlr_write")
    session.ask("vmexit catch sysreg pc=zoo_id_read-zoo_actlr_write+8")
    session.ask("vmexit catch sysreg pc=zoo_id_read+0")
    assert [stop.exit["name"] for stop in session.stops() if stop.exit] == [
        "sysreg.read:ID_AA64PFR0_EL1",
        "sysreg.write:ACTLR_EL1",
    ]
    assert session.hits() == {1: 1, 2: 2, 3: 1}
    with pytest.raises(CommandError, match=r"no symbol 'zoo_actlr_wirte': did you mean zoo_actlr_write"):
        session.ask("vmexit catch pc=zoo_actlr_wirte")


# ---- what happens


def test_actions_that_go_on() -> None:
    session = zoo()
    session.ask("vmexit catch sysreg:ACTLR_EL1 do log")
    session.ask("vmexit catch wfx do run vmexit last")
    session.ask("vmexit catch hvc do mark calls")
    session.ask("vmexit catch dabt do count")
    stops = session.stops()
    assert all(stop.passing for stop in stops)
    assert [stop.text.partition(";")[0] for stop in stops if stop.text] == ["sysreg.write:ACTLR_EL1"]
    assert {stop.runs for stop in stops if stop.runs} == {("vmexit last",), ("vmexit mark calls",)}
    assert session.hits()[4] > 1000


def test_they_are_over_with_the_debugger() -> None:
    session = zoo()
    session.ask("vmexit catch --keep wfx")
    session.ask("vmexit catch dabt")
    session._run.left()
    assert len(session.target.catchers) == 1
    stop = session.target.run_all()
    assert stop.exit is not None
    assert stop.exit["class"] == "wfx"


def test_a_librarys_own_catchpoint_is_asked_last() -> None:
    session = zoo()
    asked: list[str] = []

    def wants(thread: object, record: Any) -> bool:
        asked.append(record["name"])
        return True

    session.target.catchers["mine"] = Catcher(wants, ranges=(("ipa", 0x9000018, 0x9000018),), every=100, stops=False)
    assert all(stop.passing for stop in session.stops())
    assert set(asked) == {"dabt.trans.l1.r.isv"}
    assert len(asked) == session.target.catchers.counts("mine")[0] // 100 > 5


# ---- exceptions that are no exits


def test_a_guests_own_exceptions() -> None:
    alone = zoo()
    assert alone.stops() == []
    session = zoo()
    session.ask("vmexit catch el1")
    session.ask("vmexit catch el1.brk:0x2a if esr >> 26 == 0x3c && $ESR_EL1 == esr do count")
    session.ask("vmexit catch el1.dabt.l1 va=0x100000000 do count")
    session.ask("vmexit catch el1.svc el=0 do count")
    names = [stop.exit["name"] for stop in session.stops() if stop.exit]
    assert names == [
        "el1.unknown",
        "el1.dabt.trans.l2.r",
        "el1.svc:0x7",
        "el1.svc:0x8",
        "el1.brk:0x2a",
        "el1.unknown",
        "el1.dabt.trans.l1.r",
    ]
    assert session.hits() == {1: 7, 2: 1, 3: 1, 4: 1}
    assert session.target.core.exit_counts() == alone.target.core.exit_counts()


CAUSES = {"host": {("HCR_EL2.TGE",)}, "el2.irq": {("HCR_EL2.IMO",), ("HCR_EL2.TGE",)}}


@pytest.mark.parametrize(
    ("topic", "spec", "expected"),
    [
        ("base", "el2", {"el2.hvc"}),
        ("base", "el3", {"el3.smc:0x0"}),
        ("vhe", "host", {"host.svc"}),
        ("interrupts", "virt", {"virt.irq"}),
        ("interrupts", "el2.irq", {"el2.irq"}),
    ],
)
def test_exceptions_of_bare_machines(topic: str, spec: str, expected: set[str]) -> None:
    session = Session(boot.bare(boot.BootConfig(image=PREBUILT / f"system_{topic}.elf", smp=1, memory=256 << 20)))
    counted = Session(boot.bare(boot.BootConfig(image=PREBUILT / f"system_{topic}.elf", smp=1, memory=256 << 20)))
    session.ask(f"vmexit catch {spec}")
    stops = [stop.exit for stop in session.stops(100_000) if stop.exit]
    names = {".".join(record["name"].partition(":")[0].split(".")[:2]) for record in stops}
    if spec in CAUSES:
        assert {tuple(record["cause"]) for record in stops if record["class"] in ("svc", "irq")} == CAUSES[spec]
    assert {name.partition(":")[0] for name in expected} <= names
    assert {name.partition(".")[0] for name in names} == {spec.partition(".")[0]}
    counted.stops()
    assert session.target.core.exit_counts() == counted.target.core.exit_counts()


def test_calls_of_the_firmware_have_names() -> None:
    session = Session(boot.bare(boot.BootConfig(image=PREBUILT / "type1.elf", smp=2)))
    session.ask("vmexit catch el3 nr=0xc4000003")
    session.ask("vmexit catch el3.smc nr=0x84000008")
    texts = [stop.text for stop in session.stops()]
    assert "CPU_ON" in texts[0]
    assert texts[0].startswith("el3.smc:0x0; smc #0 at ")
    assert "SYSTEM_OFF" in texts[-1]


# ---- a thousand


def test_of_a_thousand_catchpoints_none_is_asked_in_vain() -> None:
    session = hypercalls()
    asked: list[Any] = []
    for n in range(500):
        session.target.catchers["pc", n] = Catcher(
            lambda t, r: bool(asked.append(r)), ranges=(("pc", GUEST + 4096 * (n + 1), GUEST + 4096 * (n + 1)),)
        )
        session.target.catchers["vm", n] = Catcher(lambda t, r: bool(asked.append(r)), ranges=(("vmid", n + 1, n + 1),))
    assert session.target.run_all(5_000).kind is StopKind.BUDGET
    assert asked == []
    assert session.target.core.exits > 400


@pytest.mark.parametrize(
    ("control", "registers", "name"),
    [
        ("En=1 UIE=1", {}, "irq.maint.u"),
        ("En=1 NPIE=1", {}, "irq.maint.np"),
        ("En=1 UIE=1 NPIE=1", {}, "irq.maint.u.np"),
        ("En=1 VGrp0DIE=1 VGrp1DIE=1", {}, "irq.maint.vgrp0d.vgrp1d"),
        ("En=1 VGrp0EIE=1", {"ICH_VMCR_EL2": 1}, "irq.maint.vgrp0e"),
        ("En=1 VGrp1EIE=1", {"ICH_VMCR_EL2": 2}, "irq.maint.vgrp1e"),
        ("En=1 LRENPIE=1 EOIcount=1", {}, "irq.maint.lrenp"),
        ("En=1", {"ICH_LR0_EL2": 1 << 41}, "irq.maint.eoi"),
    ],
)
def test_why_the_maintenance_interrupt_comes(control: str, registers: dict[str, int], name: str) -> None:
    """ICH_MISR_EL2, bit by bit (Arm ARM D24.8.11); what is not inactive in the list register has no EOI."""
    machine = ping(handler=0, guest=0)
    core = machine.core
    core.write_pa(GUEST, words(0x14000000))  # b .
    redistributor = 0x080A0000
    core.bus_write(0, 0x08000000, 4, 0x12)  # GICD_CTLR: ARE, group 1
    core.bus_write(0, redistributor + 0x14, 4, 0)  # WAKER
    core.bus_write(0, redistributor + 0x10080, 4, 1 << 25)
    core.bus_write(0, redistributor + 0x10100, 4, 1 << 25)
    for register, value in {
        "ICC_SRE_EL2": 7,
        "ICC_PMR_EL1": 0xFF,
        "ICC_IGRPEN1_EL1": 1,
        "HCR_EL2": 1 << 31 | 1 << 4,
    }.items():
        core.msr(0, register, value)
    fields = dict(word.split("=") for word in control.split())
    for register, value in registers.items():
        core.msr(0, register, value)
    core.msr(0, "ICH_HCR_EL2", tables.encode("ICH_HCR_EL2", **{key: int(value) for key, value in fields.items()}))
    core.write_register(0, "SPSR_EL2", 0x305)  # IRQs are not masked
    session = Session(machine)
    session.ask("vmexit catch irq.maint")
    session.ask(f"vmexit catch {name} do count")
    stop = machine.run_all(1000)
    assert stop.exit is not None
    assert stop.exit["name"] == name
    assert session.hits()[2] == 1
