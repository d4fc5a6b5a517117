"""The GIC against a live QEMU: random accesses to its frames, ICC_*, ICH_* and (at EL1) ICV_* registers give the same.

Where QEMU 7.2 differs from the architecture, the generator keeps away, and the model's own tests hold the line:

* EOIcount: QEMU counts a virtual EOIR without a list register in EOImode 1 too (ICH_HCR_EL2: only DIR does);
* VGrp0D: QEMU's maintenance interrupt asks VENG1 where it should ask VENG0;
* SGIs: QEMU's ICC_SGI1R reaches no SGI of group 0 (IHI 0069, table 8-14: with one Security state it does);
* a group that ICC_IGRPEN<n> disables hides lower-priority interrupts of the other group in QEMU;
* QEMU goes on signalling a line that ICFGR has just made edge-triggered;
* unimplemented low bits of IPRIORITYR and ICH_VMCR.VPMR are kept by QEMU.
"""

from __future__ import annotations

import pytest

from gdbhv import _core
from oracle import interrupts, listing, messages

COUNT = 20_000


def on_gdbhv(accesses: list[interrupts.Access], cpu: str = "max") -> list[int]:
    machine = _core.Machine(memory=listing.RAM_SIZE, cpu=cpu, hosted=False)
    for address, data in interrupts.image(accesses):
        machine.write_pa(address, data)
    machine.cpu_on(0, interrupts.ENTRY, 0, 2)
    stop = machine.run(1_000_000_000)
    assert stop["kind"] == "poweroff", stop
    return interrupts.results(machine.read_pa(interrupts.RESULTS, 8 * len(accesses)), accesses)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [interrupts.Generator, messages.Generator], ids=["interrupts", "messages"])
def test_same_as_qemu(make: type[interrupts.Generator | messages.Generator], seed: int) -> None:
    accesses = make(seed).accesses(COUNT)
    ours, theirs = on_gdbhv(accesses), interrupts.on_qemu(accesses)
    for number, (access, a, b) in enumerate(zip(accesses, ours, theirs, strict=True)):
        assert a == b, f"seed {seed}, access {number}, {access}: ours {a:#x}, QEMU's {b:#x}"


def test_results_say_something() -> None:
    """The accesses reach the states that matter: each register reads as several values, and interrupts are acknowledged."""
    accesses = interrupts.Generator(0).accesses(COUNT)
    seen: dict[tuple[int, int], set[int]] = {}
    for access, value in zip(accesses, interrupts.on_qemu(accesses), strict=True):
        if access.kind in (interrupts.EL2_READ, interrupts.EL1_READ):
            seen.setdefault((access.kind, access.index), set()).add(value)
    dull = {interrupts.NUMBER["ICC_IGRPEN0"], interrupts.NUMBER["ICC_IGRPEN1"]}
    assert all(len(values) > 1 for (kind, index), values in seen.items() if kind == interrupts.EL1_READ or index not in dull)
    assert all(len(seen[kind, interrupts.NUMBER["ICC_IAR1"]]) > 5 for kind in (interrupts.EL2_READ, interrupts.EL1_READ))


def test_messages_arrive() -> None:
    """LPIs are acknowledged, each of those that are mapped, and commands in error leave the queue moving."""
    accesses = messages.Generator(0).accesses(COUNT)
    taken = [v for a, v in zip(accesses, on_gdbhv(accesses), strict=True) if a == messages.Generator(0).of("ICC_IAR1")]
    assert {v for v in taken if v != 1023} == {messages.LPI + n for n in (0, 1, 2, 3, 15)}
    assert sum(v != 1023 for v in taken) > 40
