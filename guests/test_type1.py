"""What the hypervisor is to do, as its own project would test it; gdbhv's README has the words."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.gdbhv(image="prebuilt/type1.elf", cpu="cortex-a57")


@pytest.mark.parametrize("cpus", [pytest.param(n, marks=pytest.mark.gdbhv(smp=n), id=f"{n}-cpus") for n in (1, 2)])
def test_both_guests_run_to_their_end(machine, cpus: int) -> None:
    machine.run_until("alpha: hello from EL1")
    machine.run_until("beta: hello")
    assert machine.run_to_end().code == 0
    assert len(machine.monitor_json("vms")) == 2


def test_memory_comes_on_demand_and_a_wrong_store_is_the_guests(machine) -> None:
    machine.run_to_end()
    machine.assert_exits({"dabt.trans": (1, None), "dabt.trans.w": (1, None)})


def test_calls_are_hvc(machine) -> None:
    machine.run_to_end()
    machine.assert_exits(hvc=(1, None), smc=0)


def test_a_budget_of_exits(machine) -> None:
    machine.run_to_end()
    machine.assert_exits(max=2_000)


@pytest.mark.gdbhv(el=2)
def test_stock_gdb_sees_the_hypervisor(gdb) -> None:
    stop = gdb.cont(at=gdb.break_at("main"))
    assert stop.frame.function == "main"
