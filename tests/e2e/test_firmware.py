"""U-Boot and EDK2, unmodified, from flash at address 0: to their prompts, and from there to a kernel."""

from __future__ import annotations

import pytest

from conftest import Kit
from gdbhv.target import StopKind
from scenario import Scenario

# Each with the CPU, and instructions that are more than enough.
CASES = [
    ("u-boot-el1", "max", 400_000_000),
    ("u-boot-el2", "cortex-a57", 400_000_000),
    ("u-boot-linux-el1", "cortex-a57", 1_500_000_000),
    ("u-boot-linux-el2", "neoverse-n1", 1_500_000_000),
    ("edk2-el1", "max", 1_000_000_000),
    ("edk2-el2", "cortex-a57", 1_000_000_000),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "cpu", "most"), CASES)
def test_scenario(kit: Kit, name: str, cpu: str, most: int) -> None:
    scenario = Scenario.read(kit, name)
    _, stop = scenario.play(scenario.config(cpu=cpu, ns_per_insn=20), most)  # both wait by looking at the counter
    assert stop.kind is StopKind.POWEROFF
