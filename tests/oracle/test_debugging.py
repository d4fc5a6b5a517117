"""Self-hosted debug against a live QEMU: random breakpoints, watchpoints and software steps, linked or not, at every level
and with every routing, under short programs; each exception with its syndrome, FAR, return address and SPSR, in order.

What QEMU 7.2 does otherwise is kept out of the random programs (debugging.item) and listed here, a program for each: on it
gdbhv does what the architecture says, and QEMU does not.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

import pytest

from gdbhv import _core
from oracle import debugging, listing
from oracle.debugging import (
    DAIFSET_D,
    DATA,
    E2H,
    HVC2,
    ISB,
    KDE,
    MDE,
    NOP,
    RW,
    SS,
    TDE,
    TGE,
    Event,
    Item,
)

ITEMS = 20_000


def on_gdbhv(items: list[Item], cpu: str = "max") -> list[list[Event]]:
    machine = _core.Machine(memory=listing.RAM_SIZE, cpu=cpu, hosted=False)
    for address, data in debugging.image(items):
        machine.write_pa(address, data)
    machine.cpu_on(0, debugging.ENTRY, 0, 2)
    stop = machine.run(10_000_000_000)
    assert stop["kind"] == "poweroff", stop
    return debugging.events(machine.read_pa(debugging.RESULTS, debugging.RESULT * len(items)), len(items))


def test_where_a_run_is_cut_changes_nothing() -> None:
    r = random.Random(3)
    items = [debugging.item(r) for _ in range(300)]
    whole, cut = (_core.Machine(memory=listing.RAM_SIZE, hosted=False) for _ in range(2))
    for machine in (whole, cut):
        for address, data in debugging.image(items):
            machine.write_pa(address, data)
        machine.cpu_on(0, debugging.ENTRY, 0, 2)
    assert whole.run(10_000_000_000)["kind"] == "poweroff"
    end = 0
    while True:
        end += r.randrange(1, 30)
        kind = cut.run(10_000_000_000, insns=end)["kind"]
        if kind == "poweroff":
            break
        assert (kind, cut.insns) == ("budget", [end])
    assert (cut.insns, cut.now) == (whole.insns, whole.now)
    size = debugging.RESULT * len(items)
    assert cut.read_pa(debugging.RESULTS, size) == whole.read_pa(debugging.RESULTS, size)


def test_any_value_of_the_registers() -> None:
    """What a guest may write it writes: nothing hangs, and two runs are the same."""
    r = random.Random(4)
    slot = debugging.program()[1]

    def value() -> int:
        return r.choice([slot + 4 * r.randrange(8), DATA + r.randrange(-64, 64), r.getrandbits(64)])

    def anything(item: Item) -> Item:
        breaks = tuple((value(), r.getrandbits(32) | 1) for _ in item.breaks)
        watches = tuple((value(), r.getrandbits(32) | 1) for _ in item.watches)
        mdscr = r.getrandbits(32) | r.choice([SS, MDE])
        return dataclasses.replace(item, breaks=breaks, watches=watches, mdscr=mdscr, oslar=r.getrandbits(1))

    items = [anything(debugging.item(r)) for _ in range(5000)]
    assert on_gdbhv(items) == on_gdbhv(items)


def without_wnr(item: Item, events: list[Event]) -> list[Event]:
    """QEMU reports a load as a store if the watchpoint was last hit by one: WnR tells nothing where both are watched."""
    if all(control >> 3 & 3 != 3 for _, control in item.watches):
        return events
    return [dataclasses.replace(e, esr=e.esr & ~0x40) if e.ec in (0x34, 0x35) else e for e in events]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_programs(seed: int) -> None:
    r = random.Random(seed)
    items = [debugging.item(r) for _ in range(ITEMS)]
    ours, theirs = on_gdbhv(items), debugging.on_qemu(items)
    for item, a, b in zip(items, ours, theirs, strict=True):
        a, b = without_wnr(item, a), without_wnr(item, b)
        text = "\n".join(f"  ours {x}, QEMU's {y}" for x, y in zip([*map(str, a), "-"], [*map(str, b), "-"], strict=False))
        assert a == b, f"seed {seed}: {item}\n{text}"
    seen = {e.ec for events in ours for e in events}
    assert seen >= {0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3C, 0x15, 0x16}


NONE = (0, 0)
B_ANY, W_ANY = 0x1E7, 0x1FF7  # enabled at EL1 and EL0; stores
LDR, STR, STXR, LDXR = 0xF940_0143, 0xF900_0143, 0xC805_7D43, 0xC85F_7D43


def linked(bt: int, value: int) -> tuple[tuple[int, int], ...]:
    """Breakpoint 0 at the second instruction, linked to breakpoint 4 of this type."""
    return ((debugging.program()[1] + 4, 1 << 20 | 4 << 16 | B_ANY), NONE, (value, bt << 20 | B_ANY), NONE)


def alone(bt: int, value: int) -> tuple[tuple[int, int], ...]:
    return (NONE, NONE, (value, bt << 20 | B_ANY), NONE)


@dataclass(frozen=True)
class Deviation:
    """A program, and the (level, EC, offset) of what it causes by the architecture."""

    name: str
    section: str
    reason: str
    item: Item
    expected: tuple[tuple[int, int, int], ...]


TWO = (NOP, NOP)
BP, WP = 0x30, 0x34


def deviations() -> list[Deviation]:
    at = debugging.program()[1]
    el0 = Item(0, TWO, mdscr=MDE, contextidr=(2, 3), vmid=5)
    host = dataclasses.replace(el0, hcr=RW | E2H | TGE)
    hit = ((1, BP, 4),)
    with_ = dataclasses.replace
    return [
        Deviation(
            "os_lock",
            "D2.4",
            "looks at OSLSR_EL1.OSLM[0] for OSLK",
            with_(el0, oslar=1, breaks=((at, B_ANY), NONE, NONE, NONE)),
            (),
        ),
        Deviation(
            "bas",
            "DBGBCR<n>_EL1, BAS",
            "looks at BAS, which is RES1 without AArch32",
            with_(el0, breaks=((at, 7), NONE, NONE, NONE)),
            ((1, BP, 0),),
        ),
        Deviation("context", "D2.9", "unlinked context breakpoints never match", with_(el0, breaks=alone(2, 2)), hit_all(1)),
        Deviation(
            "context_el1", "D2.9", "unlinked context breakpoints never match", with_(el0, breaks=alone(6, 2)), hit_all(1)
        ),
        Deviation(
            "vmid", "D2.9", "unlinked context breakpoints never match", with_(el0, breaks=alone(8, 5 << 32)), hit_all(1)
        ),
        Deviation(
            "both",
            "D2.9",
            "unlinked context breakpoints never match",
            with_(el0, breaks=alone(10, 2 | 5 << 32)),
            hit_all(1),
        ),
        Deviation(
            "context_el2",
            "D2.9",
            "unlinked context breakpoints never match",
            with_(el0, breaks=alone(12, 3 << 32)),
            hit_all(1),
        ),
        Deviation(
            "full",
            "D2.9",
            "unlinked context breakpoints never match",
            with_(el0, breaks=alone(14, 2 | 3 << 32)),
            hit_all(1),
        ),
        Deviation("linked_vmid", "D2.9", "is not implemented", with_(el0, breaks=linked(9, 5 << 32)), hit),
        Deviation("linked_both", "D2.9", "is not implemented", with_(el0, breaks=linked(11, 2 | 5 << 32)), hit),
        Deviation("linked_context_el2", "D2.9", "compares with bits 31:0", with_(el0, breaks=linked(13, 3 << 32)), hit),
        Deviation("linked_full", "D2.9", "is not implemented", with_(el0, breaks=linked(15, 2 | 3 << 32)), hit),
        Deviation("linked_context_el1_in_host", "D2.9", "matches in the host too", with_(host, breaks=linked(7, 2)), ()),
        Deviation(
            "daifset",
            "D2.12",
            "takes a step exception that PSTATE.D masks by then",
            Item(1, (DAIFSET_D, NOP), mdscr=SS | KDE, ss=True),
            (),
        ),
        Deviation(
            "wnr",
            "D24.2.40, ISS encoding for an exception from a Watchpoint exception",
            "a load is reported as a store if the watchpoint was last hit by one",
            Item(0, (STR, LDR), mdscr=MDE, watches=((DATA, 0x1FF7 | 3 << 3), NONE)),
            ((1, WP, 0), (1, WP, 4)),
        ),
        Deviation(
            "stale_hit",
            "D2.10",
            "a watchpoint that was hit once is hit again by an access to what another one watches",
            Item(0, (LDR, 0xF900_0543), mdscr=MDE, watches=((DATA + 8, 0x1FF3), (DATA, 0x1FEF))),
            ((1, WP, 0),),
        ),
        Deviation(
            "store_exclusive",
            "D2.10",
            "a Store-Exclusive is a load too",
            Item(
                2,
                (0xD503_48DF, LDXR, 0xD503_48FF, STXR),
                mdscr=MDE | KDE,
                mdcr=TDE,
                watches=((DATA, 1 << 13 | 0x1FEB), NONE),
            ),
            (),
        ),
    ]


def hit_all(level: int) -> tuple[tuple[int, int, int], ...]:
    """A breakpoint exception before each instruction, until the harness disarms at the events' end."""
    return tuple((level, BP, 4 * n) for n in range(debugging.MOST_EVENTS))


def test_deviations_of_qemu() -> None:
    rows = deviations()
    items = [d.item for d in rows]
    ours, theirs = on_gdbhv(items), debugging.on_qemu(items)
    for d, a, b in zip(rows, ours, theirs, strict=True):
        assert tuple((e.level, e.ec, e.offset) for e in a) == d.expected, f"{d.name} ({d.section})"
        assert a != b, f"{d.name}: listed, but QEMU does the same"


def test_a_core_of_armv8_0_has_no_context_of_el2() -> None:
    """BT = 0b011x and 0b11xx are reserved without FEAT_VHE (DBGBCR<n>_EL1): here they match nothing."""
    el0 = Item(0, (*TWO, ISB, HVC2), mdscr=MDE, contextidr=(2, 0), vmid=5)
    kinds = [7, 13, 15]
    items = [dataclasses.replace(el0, breaks=linked(bt, 2)) for bt in (3, *kinds)]
    counts = [len([e for e in events if e.ec == BP]) for events in on_gdbhv(items, "cortex-a57")]
    assert counts == [1, 0, 0, 0]
