"""Virtual interrupts: their lives, and why one is not taken. Oracle: programs counted by hand, and what the machine does."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.errors import CommandError
from gdbhv.exits.lives import Step, lives
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.monitor.delivery import why_not
from gdbhv.monitor.lives import interrupt
from gdbhv.tables import encode, encoding
from gdbhv.target import Target, ThreadId
from gdbhv.views.trace import chrome

RAM = 0x40000000
EL2_VECTORS, VECTORS, GUEST = RAM + 0x800, RAM + 0x1000, RAM + 0x2000
NOP, ERET, HVC, LOOP = 0xD503201F, 0xD69F03E0, 0xD4000002, 0x14000000
GICD, GICR = 0x08000000, 0x080A0000
PREBUILT = ROOT / "guests" / "prebuilt"
RW, IMO, FMO, TGE = 1 << 31, 1 << 4, 1 << 3, 1 << 27


def msr(register: str, n: int) -> int:
    return 0xD5000000 | encoding(register) << 5 | n


def mrs(register: str, n: int) -> int:
    return 0xD5200000 | encoding(register) << 5 | n


def lr(intid: int, state: int = 1, **fields: int) -> int:
    return encode("ICH_LR0_EL2", **{"State": state, "Group": 1, "Priority": 0x80, "vINTID": intid, **fields})


def ask(target: Target, line: str, thread: ThreadId | None = None) -> list[str]:
    bound = registry.bind(target)
    where = thread or target.processes()[0].threads[0].id
    return [said for said in registry.run(line, bound._context(where)) if said is not None]


def program(
    el2: list[int], handler: list[int], guest: list[int], pstate: int = 0x45, exits: list[int] | None = None
) -> Machine:
    """A hypervisor that executes ``el2``, then at each HVC ``exits``; a guest at EL1 and its handler of IRQs."""
    machine = Machine(memory=64 << 20)
    pieces = [(RAM, el2), (EL2_VECTORS + 0x400, exits or [ERET]), (VECTORS + 0x280, handler), (GUEST, guest)]
    machine.start([(a, b"".join(w.to_bytes(4, "little") for w in words)) for a, words in pieces], RAM, 0)
    state = {"VBAR_EL2": EL2_VECTORS, "VBAR_EL1": VECTORS, "ELR_EL2": GUEST, "SPSR_EL2": pstate, "HCR_EL2": RW | IMO | FMO}
    state |= {"ICH_HCR_EL2": 1, "ICH_VMCR_EL2": encode("ICH_VMCR_EL2", VENG1=1, VPMR=0xF8)}
    for register, value in state.items():
        machine.core.write_register(0, register, value)
    return machine


HANDLER = [mrs("ICC_IAR1_EL1", 2), NOP, NOP, msr("ICC_EOIR1_EL1", 2), ERET]


def test_a_life_is_told_to_the_instruction() -> None:
    machine = program([NOP, msr("ICH_LR1_EL2", 1), NOP, ERET], HANDLER, [NOP, LOOP])
    machine.core.write_register(0, "x1", lr(40) | 1 << 41)  # EOI
    machine.run_all(20)
    (life,) = lives(machine.core.trace(100))
    # NOP, MSR: 2. NOP, ERET: 4, and the interrupt before the guest's first instruction. MRS: 5. NOP, NOP, MSR: 8.
    when = {"listed": 2, "taken": 4, "acknowledged": 5, "ended": 8}
    assert life.steps == {name: Step(ns, ns, 0) for name, ns in when.items()}
    assert (life.intid, life.register, life.listings, life.state, life.maintenance) == (40, 1, 1, "ended", 1)
    shown = ask(machine, "gic life spi40")
    assert shown[0].split() == ["interrupt", "of", "began", "at", "after", "listed", "taken", "acknowledged", "ended"]
    assert shown[1].split() == ["spi40", "VMID", "0", "2", "LR1", "+2", "+1", "+3", "maintenance:", "EOI"]
    assert "spi40 listed to ended 1 6 6 6 6 6" in [" ".join(line.split()) for line in shown]
    assert ask(machine, "gic life ppi27") == ["no virtual interrupt ppi27 in the last 8,192 events"]
    document = json.loads(ask(machine, "gic life --json")[0])
    assert document["lives"] == [life.document()]
    assert {"interrupt": "spi40", "from": "taken", "to": "acknowledged", "ns": [1]} in document["latencies"]
    names = [e["name"] for e in machine.core.trace(100)]
    assert names == ["listed.spi40", "entry", "virt.irq.spi40", "acknowledged.spi40", "ended.spi40", "maintenance"]


def test_what_a_hypervisor_saves_and_puts_back_is_one_life_and_what_it_keeps_is_withdrawn() -> None:
    """The guest masks IRQs and makes two hypercalls: the interrupt comes back in another register, then not at all."""
    exits = [msr("ICH_LR0_EL2", 31), msr("ICH_LR3_EL2", 3), 0xAA1F03E3, ERET]  # MOV X3, XZR
    machine = program([msr("ICH_LR0_EL2", 1), ERET], HANDLER, [HVC, NOP, HVC, LOOP], pstate=0xC5, exits=exits)
    for n in (1, 3):
        machine.core.write_register(0, f"x{n}", lr(27))
    machine.run_all(8)
    (life,) = lives(machine.core.trace(100))
    assert (life.listings, life.register, life.state, life.steps) == (2, 3, "listed", {"listed": Step(1, 1, 0)})
    machine.run_all(20)
    (life,) = lives(machine.core.trace(100))
    assert (life.state, life.withdrawn) == ("withdrawn", True)


def test_lives_of_hosted_vms_begin_where_they_are_pended() -> None:
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "two_vcpus.elf", smp=2, memory=256 << 20))
    target.run_all()
    core = target.core
    found = lives(core.trace(1 << 20))
    ended = [life for life in found if life.state == "ended"]
    assert len(ended) >= 2
    for life in ended:
        times = [
            life.steps[name].ns for name in ("pended", "listed", "taken", "acknowledged", "ended") if name in life.steps
        ]
        assert times == sorted(times)
        assert {"pended", "listed", "acknowledged"} <= set(life.steps)
        assert life.vm == 1
    again = boot.hosted(boot.BootConfig(image=PREBUILT / "two_vcpus.elf", smp=2, memory=256 << 20))
    again.run_all()
    assert again.core.trace(1 << 20) == core.trace(1 << 20)


def test_perfetto_has_a_slice_for_each_life_and_arrows_from_the_list_register() -> None:
    machine = boot.bare(boot.BootConfig(image=PREBUILT / "type1.elf", smp=2))
    machine.run_all(3_000_000)
    events = machine.core.trace(1 << 20)
    found = [life for life in lives(events) if life.state == "ended"]
    document = chrome(events, lambda vm, vmid: f"vm{vm}")["traceEvents"]
    begins = {e["id"]: e for e in document if e["ph"] == "b"}
    ends = {e["id"]: e for e in document if e["ph"] == "e"}
    assert sorted((begins[n]["ts"], ends[n]["ts"]) for n in begins) == sorted(
        (life.steps["listed"].ns / 1000, life.steps["ended"].ns / 1000) for life in found
    )
    starts = {e["ts"] for e in document if e["ph"] == "s"}
    assert {
        life.steps["listed"].ns / 1000 for life in found if life.steps["taken"].cpu == life.steps["listed"].cpu
    } <= starts
    assert {life.intid for life in found} >= {27, 33}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sgi16", "INTIDs of SGIs are 0 to 15"),
        ("nmi", "is no interrupt"),
        ("ppi", "is no interrupt"),
        ("-1", "INTIDs are 0 to"),
    ],
)
def test_words_that_are_no_interrupt(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        interrupt(text)


def test_interrupts_by_name_and_number() -> None:
    assert [interrupt(t) for t in ("27", "ppi27", "SPI33", "0x1b", "lpi8192")] == [27, 27, 33, 27, 8192]


# --- why one is not taken: the machine is the oracle


def physical(choose: random.Random) -> Machine:
    """An SPI and its way to the CPU, with conditions that hold or not."""

    def maybe(good: int, *bad: int) -> int:
        return good if choose.random() < 0.8 else choose.choice(bad)

    el = choose.choice((1, 2))
    guest = (RW | maybe(IMO, 0), 0x3C5 & ~0x80 | maybe(0, 0x80) if el == 1 else 0)
    machine = program([ERET] if el == 1 else [NOP] * 4, HANDLER, [NOP, NOP, LOOP], pstate=guest[1] or 0x3C5)
    core = machine.core
    if el == 1:
        machine.run_all(1)
    else:
        core.write_register(0, "cpsr", 0x3C9 & ~0x80 | maybe(0, 0x80))
    core.write_register(0, "HCR_EL2", RW | maybe(IMO, 0, IMO | TGE if el == 2 else 0))
    for address, size, value in (
        (GICD, 4, 0x10 | maybe(2, 0)),
        (GICD + 0x84, 4, 2),
        (GICD + 0x104, 4, maybe(2, 0)),
        (GICD + 0x204, 4, maybe(2, 0)),
        (GICD + 0x304, 4, maybe(0, 2)),
        (GICD + 0x421, 1, 0x80),
        (GICD + 0x6000 + 33 * 8, 8, maybe(0, 5)),
    ):
        core.bus_write(0, address, size, value)
    core.write_register(0, "ICC_IGRPEN1_EL1", maybe(1, 0))
    core.write_register(0, "ICC_PMR_EL1", maybe(0xF8, 0x80, 0x40))
    core.write_register(0, "ICC_AP1R0_EL1", maybe(0, 1, 1 << 16, 1 << 20))
    return machine


def virtual(choose: random.Random) -> Machine:
    """A list register, a virtual interface, and a guest, with conditions that hold or not."""

    def maybe(good: int, *bad: int) -> int:
        return good if choose.random() < 0.8 else choose.choice(bad)

    machine = program([ERET], HANDLER, [NOP, NOP, LOOP], pstate=0x345 | maybe(0, 0x80))
    core = machine.core
    core.write_register(0, "VTTBR_EL2", 7 << 48 | 0x41000000)
    core.write_register(0, "HCR_EL2", RW | IMO | FMO | 1)
    core.write_pa(0x41000008, (0x40000000 | 0x7FD).to_bytes(8, "little"))  # a block of 1 GiB
    core.write_register(0, "VTCR_EL2", 0x80023558 | 1 << 6)
    machine.run_all(1)
    core.write_register(0, "HCR_EL2", RW | maybe(IMO, 0) | FMO | 1)
    core.write_register(0, "ICH_HCR_EL2", maybe(1, 0))
    core.write_register(0, "ICH_VMCR_EL2", encode("ICH_VMCR_EL2", VENG1=maybe(1, 0), VPMR=maybe(0xF8, 0x80)))
    core.write_register(0, "ICH_AP1R0_EL2", maybe(0, 1, 1 << 20))
    core.write_register(0, "ICH_LR2_EL2", lr(33, maybe(1, 0, 2, 3)))
    core.write_register(0, "ICH_LR0_EL2", maybe(0, lr(40, Priority=0x40), lr(41, Priority=0xA0)))
    return machine


@pytest.mark.parametrize("make", [physical, virtual])
def test_what_is_said_to_be_taken_next_is_taken_next(make: Any) -> None:
    said: set[str | None] = set()
    for seed in range(300):
        machine = make(random.Random(seed))
        core = machine.core
        thread = machine.processes()[-1].threads[0].id
        why = why_not(machine, thread, 33)
        said.add(why)
        before = core.trace_total, core.read_register(0, "pc")
        machine.run_all(1)
        taken = [e for e in core.trace(100) if e["seq"] >= before[0] and e["what"] in ("exit", "virtual")]
        pc = core.read_register(0, "pc")
        at_vector = any(base <= pc < base + 0x800 for base in (VECTORS, EL2_VECTORS))
        assert (why is None) == (at_vector and all(e["name"].endswith("spi33") for e in taken)), (seed, why, taken)
    assert None in said
    assert len(said) >= 9, said


def test_each_condition_is_shown_in_order() -> None:
    machine = virtual(random.Random(3))
    core = machine.core
    for register, value in {"HCR_EL2": RW | IMO | FMO | 1, "ICH_HCR_EL2": 1, "ICH_AP1R0_EL2": 0, "ICH_LR0_EL2": 0}.items():
        core.write_register(0, register, value)
    core.write_register(0, "ICH_LR2_EL2", lr(33, HW=1, pINTID=33))
    core.write_register(0, "ICH_VMCR_EL2", encode("ICH_VMCR_EL2", VENG1=1, VPMR=0x80))
    core.write_register(0, "cpsr", 0x3C5)
    assert ask(machine, "gic why spi33", machine.processes()[-1].threads[0].id) == [
        "spi33 of vm2 vcpu0:",
        "  yes  vcpu0 is on cpu0",
        "  yes  it is in a list register, LR2, with physical spi33",
        "  yes  LR2 has it pending",
        "  yes  the virtual interface is on (ICH_HCR_EL2.En)",
        "  yes  the CPU interface takes group 1 (ICH_VMCR_EL2.VENG1)",
        "  NO   its priority 0x80 is not above the mask 0x80 (ICH_VMCR_EL2.VPMR)",
        "  yes  nothing is being handled (ICV_RPR_EL1)",
        "  yes  virtual IRQs are on (HCR_EL2.IMO)",
        "  NO   PSTATE.I masks IRQs in the guest",
        "=> it is not taken: its priority 0x80 is not above the mask 0x80 (ICH_VMCR_EL2.VPMR)",
    ]
    document = json.loads(ask(machine, "gic why 33 --json", machine.processes()[-1].threads[0].id)[0])
    assert (document["taken"], [c["holds"] for c in document["conditions"]].count(False)) == (False, 2)
    with pytest.raises(CommandError, match="has no such interrupt"):
        ask(machine, "gic why spi900")


def test_timers_say_when_they_fire_and_what_keeps_their_interrupts_back() -> None:
    machine = program([NOP, LOOP], HANDLER, [LOOP])
    core = machine.core
    core.write_register(0, "CNTP_CVAL_EL0", 100)
    core.write_register(0, "CNTP_CTL_EL0", 1)
    core.write_register(0, "CNTV_CTL_EL0", 3)
    core.write_register(0, "CNTHP_CVAL_EL2", 5)
    core.write_register(0, "CNTHP_CTL_EL2", 1)
    machine.run_all(160)
    head, *rows = ask(machine, "timers")
    assert head.split() == ["timer", "interrupt", "compare", "value", "counter", "state"]
    assert [row.split("  ")[-1] for row in rows] == [
        "fired 160 ns ago; no interrupt: IMASK is 1",
        "fires in 1,440 ns",
        "fired 80 ns ago; its interrupt is not taken: it is not enabled (GICR_ISENABLER0)",
        "off",
    ]
    document = json.loads(ask(machine, "timers --json")[0])
    assert [(t["intid"], t["on"], t["fired"], t["in_ns"]) for t in document] == [
        (27, True, True, -160),
        (30, True, False, 1440),
        (26, True, True, -80),
        (28, False, False, -160),
    ]
