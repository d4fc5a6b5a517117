"""What the exits of a hypervisor at EL1 are called, and what their records say: the system programs about nested
virtualization, with a catchpoint on a class (HCR_EL2.NV and NV2, Arm ARM D24.2.63; ISS encoding for a Data Abort)."""

from __future__ import annotations

from typing import Any

import pytest

from gdbhv import _core, image
from gdbhv.exits import exitspec
from gdbhv.views import exits
from system.test_system import GUESTS, MEMORY

SYSREG, ERET, VNCR = 0x1018, 0x101A, 0x1025


def records(topic: str, number: int, most: int = 400) -> list[Any]:
    """Return the records of the first exits of class ``number`` of a topic, at most ``most``."""
    machine = _core.Machine(memory=MEMORY, cpu="max", hosted=False)
    loaded = image.load(GUESTS / "prebuilt" / f"system_{topic}.elf")
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    machine.catch_exits([number])
    found: list[Any] = []
    while len(found) < most and machine.run(1_000_000_000)["kind"] == "caught":
        found.append(machine.exit_record(0))
    return found


def test_aborts_of_the_page() -> None:
    found = records("nested_memory", VNCR)
    names = {r["name"] for r in found}
    assert {f"vncr.trans.l{level}.{access}" for level in range(4) for access in "rw"} <= names
    assert {"vncr.perm.l3.w", "vncr.af.l3.r", "vncr.sea.r", "vncr.sea.w"} <= names
    for r in found:
        assert (r["class"], r["nv"], r["el"], r["cause"], r["ipa"]) == ("vncr", 2, 1, ["HCR_EL2.NV2"], None)
        assert r["esr"] >> 26 == 0x25
        assert exitspec.parse(f"vncr nv=2 el=1 va={r['far']:#x} cause=HCR.NV2").matches(r)
        assert "VNCR=1" in exits.explain(r)[2]


def test_returns_of_a_hypervisor() -> None:
    with_nv, with_nv2 = (records("nested_hypervisor", ERET)[i] for i in (0, 3))
    assert (with_nv["name"], with_nv["nv"], with_nv["cause"]) == ("eret.eret", 1, ["HCR_EL2.NV"])
    assert (with_nv2["name"], with_nv2["nv"]) == ("eret.eret", 2)


@pytest.mark.parametrize(
    ("nv", "names"),
    [
        (1, {"sysreg.write:VBAR_EL2", "sysreg.read:SPSR_EL2", "sysreg.write:HCR_EL2", "sysinsn:TLBI_VMALLS12E1"}),
        (2, {"sysreg.write:VBAR_EL2", "sysinsn:TLBI_VMALLS12E1"}),
    ],
)
def test_registers_of_a_hypervisor(nv: int, names: set[str]) -> None:
    found = [r for r in records("nested_hypervisor", SYSREG) if r["nv"] == nv]
    assert names <= {r["name"] for r in found}
    assert nv == 1 or names == {r["name"] for r in found}
    assert all(r["cause"] == ["HCR_EL2.NV"] for r in found)
