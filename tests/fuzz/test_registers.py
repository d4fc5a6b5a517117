"""A debugger writes any value to any register, then steps and runs: whatever it was, the machine stops at its budget.

Nothing is timed: a loop that asks neither the budget nor a Ctrl-C never ends, and pytest's timeout is the guard.
"""

from __future__ import annotations

import pytest

from conftest import ROOT
from fuzz.machines import dice, rounds, value
from gdbhv import boot
from gdbhv.boot import BootConfig
from gdbhv.errors import RegisterError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import Action, StopKind, ThreadId

T = ThreadId(1, 1)
ONES = (1 << 64) - 1
SAMPLE = 40  # registers a round; GDBHV_FUZZ makes more rounds

Target = HostTarget | Machine


def hosted() -> Target:
    return boot.hosted(BootConfig(image=ROOT / "guests/prebuilt/exit_zoo.elf", memory=64 << 20))


def bare() -> Target:
    return boot.bare(BootConfig(image=ROOT / "guests/prebuilt/system_interrupts.elf", memory=64 << 20))


def alone() -> Target:
    return boot.bare(BootConfig(image=ROOT / "guests/prebuilt/hello.elf", memory=64 << 20), el2=False)


ENDS = {StopKind.BUDGET, StopKind.STEP, StopKind.POWEROFF, StopKind.RESET, StopKind.CRASH}


def stirred(target: Target, name: str, number: int) -> None:
    """Write a register, then step and run."""
    try:
        target.write_register(T, name, number)
    except RegisterError:
        return
    for _ in range(3):
        assert target.run([Action(T, step=True)], 2000).kind in ENDS, name
    assert target.run_all(20_000).kind in ENDS, name
    target.interrupt()
    assert target.run((), 0).kind in (StopKind.INTERRUPT, *ENDS), name


@pytest.mark.parametrize("make", [hosted, bare, alone])
def test_any_register_any_value(make) -> None:
    rng = dice(f"registers {make.__name__}")
    names = sorted(make().registers)
    for _ in rounds(1):
        for name in rng.sample(names, SAMPLE):
            target = make()
            target.run_all(rng.randrange(3000))
            stirred(target, name, rng.choice((0, ONES, value(rng))))


def written(target: Target, name: str) -> bool:
    """Whether each bit of a register can be cleared, and each set."""
    before = target.read_register(T, name)
    try:
        for number in (0, ONES):
            target.write_register(T, name, number)
    except RegisterError:
        return False
    finally:
        assert target.read_register(T, name) == before or name not in HOSTS
    return True


HOSTS = """
    HCR_EL2 VTTBR_EL2 VTCR_EL2 MDCR_EL2 CPTR_EL2 CNTHCTL_EL2 CNTVOFF_EL2 VMPIDR_EL2 VPIDR_EL2 HSTR_EL2 HFGRTR_EL2 HFGITR_EL2
    HCRX_EL2 ICC_SRE_EL2 ICH_HCR_EL2 ICH_LR0_EL2 ICH_LR3_EL2 CNTHP_CTL_EL2 CNTHP_CVAL_EL2 CNTHV_CTL_EL2 VBAR_EL2 SCTLR_EL2
    TTBR0_EL2 TCR_EL2 ESR_EL2 FAR_EL2 CNTFRQ_EL0
""".split()


def test_what_is_the_hypervisors_is_refused_and_stays() -> None:
    target = hosted()
    target.run_all(500)
    assert [name for name in HOSTS if written(target, name)] == []
