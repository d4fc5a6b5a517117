"""The model's tables as Python sees them."""

from __future__ import annotations

import pytest

import gdbhv
from gdbhv import _core, tables
from gdbhv.errors import RegisterError
from gdbhv.machine.machine import Machine
from gdbhv.target import Space


def test_registers_are_those_of_the_model() -> None:
    assert len(tables.registers()) == len(_core.registers())
    for name, r in tables.registers().items():
        assert r.name == name
        assert 0x8000 <= r.encoding <= 0xFFFF
        assert all(0 <= f.lsb <= f.msb < r.bits for f in r.fields), name


def test_fields_that_hold_at_the_same_time_do_not_overlap() -> None:
    """Fields with a condition may share bits with others; the rest may not."""
    for r in tables.registers().values():
        plain = [f for f in r.fields if not f.condition]
        for i, f in enumerate(plain):
            for g in plain[i + 1 :]:
                assert f.mask & g.mask == 0, f"{r.name}: {f.name} and {g.name}"


def test_conditions_name_fields_that_exist() -> None:
    for r in tables.registers().values():
        for f in r.fields:
            name = f.condition.removeprefix("~")
            assert name in ("", "E2H") or r.field(name), f"{r.name}.{f.name}"


@pytest.mark.parametrize("name", ["HCR_EL2", "hcr_el2"])
def test_a_register_by_name(name: str) -> None:
    assert tables.register(name).name == "HCR_EL2"
    assert tables.encoding(name) == 3 << 14 | 4 << 11 | 1 << 7 | 1 << 3  # S3_4_C1_C1_0


def test_values_from_fields_and_back() -> None:
    value = tables.encode("VTCR_EL2", T0SZ=24, SL0=1, PS=5)
    assert value == 24 | 1 << 6 | 5 << 16
    assert {k: v for k, v in tables.decode("VTCR_EL2", value).items() if v} == {"T0SZ": 24, "SL0": 1, "PS": 5}
    assert tables.register("TCR_EL1").field("t1sz").of(25 << 16) == 25


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("SCTRL_EL1", "", "SCTRL_EL1: no such system register; did you mean SCTLR_EL1"),
        ("Q", "", "Q: no such system register"),
        ("SCTLR_EL1", "Q", "SCTLR_EL1.Q: no such field; its fields: M, A"),
    ],
)
def test_names_that_do_not_exist(name: str, field: str, message: str) -> None:
    with pytest.raises(RegisterError, match=message):
        tables.register(name).field(field) if field else tables.register(name)


def test_exit_classes_are_numbered_as_the_catchpoints_of_gdb() -> None:
    classes = tables.exit_classes()
    assert len({c["number"] for c in classes.values()}) == len(classes) == len(_core.exit_classes())
    assert classes["hvc"]["number"] == 0x1016
    assert classes["irq"]["number"] == 0x1100


def test_fields_by_name() -> None:
    assert tables.field("HCR_EL2.TGE").mask == 1 << 27
    assert tables.iss_field("dabt", "SAS").of(3 << 22) == 3
    assert tables.exception_class("hvc") == 0x16
    with pytest.raises(ValueError, match="irq is asynchronous"):
        tables.exception_class("irq")
    with pytest.raises(RegisterError, match=r"HCR_EL2\.Q: no such field"):
        tables.field("HCR_EL2.Q")


@pytest.mark.parametrize(("gic", "name"), [(2, "gicc"), (3, None)])
def test_a_device_is_found_on_the_board_that_has_it(gic: int, name: str | None) -> None:
    """A GICv2's CPU interface stands where a GICv3 board has nothing; RAM is no device."""
    assert tables.device_at(0x0801000C, gic) == (None if name is None else (name, 0xC))
    assert tables.device_at(0x09000018, gic) == ("pl011", 0x18)
    assert tables.device_at(0x40000000, gic) is None
    machine = Machine(memory=1 << 20, gic=gic)
    found = machine.device_at(1, 0x0801000C, Space.PA)
    assert found == (None if name is None else (name, 0xC))


CACHES = {  # KiB, ways and bytes of a line of L1 data, L1 instruction and L2, as the manuals of the cores describe them
    "cortex-a53": ((32, 4, 64), (32, 2, 64), (1024, 16, 64)),
    "cortex-a57": ((32, 2, 64), (48, 3, 64), (2048, 16, 64)),
    "cortex-a72": ((32, 2, 64), (48, 3, 64), (1024, 16, 64)),
    "neoverse-n1": ((64, 4, 64), (64, 4, 64), (1024, 8, 64)),
    "neoverse-v1": ((64, 4, 64), (64, 4, 64), (1024, 8, 64)),
    "max": ((32, 2, 64), (48, 3, 64), (2048, 16, 64)),
}


@pytest.mark.parametrize("cpu", CACHES)
def test_the_caches_in_the_format_that_the_core_has(cpu: str) -> None:
    """CCSIDR_EL1 has 64 bits with FEAT_CCIDX (Arm ARM, CCSIDR_EL1), which ID_AA64MMFR2_EL1.CCIDX tells of."""
    machine = gdbhv.bare(gdbhv.BootConfig(cpu=cpu))
    core, registers = machine.core, machine.registers
    wide = registers["ID_AA64MMFR2_EL1"].field("CCIDX").of(core.read_register(0, "ID_AA64MMFR2_EL1"))
    assert (wide, "CCSIDR2_EL1" in registers) == (cpu == "neoverse-v1", cpu == "neoverse-v1")
    found = []
    for selected in (0, 1, 2):
        core.write_register(0, "CSSELR_EL1", selected)
        value = core.read_register(0, "CCSIDR_EL1")
        line, ways, sets = (registers["CCSIDR_EL1"].field(name) for name in ("LineSize", "Associativity", "NumSets"))
        assert (ways.msb, sets.lsb) == ((23, 32) if wide else (12, 13))
        size = 16 << line.of(value)
        found.append((size * (ways.of(value) + 1) * (sets.of(value) + 1) >> 10, ways.of(value) + 1, size))
        if wide:
            assert core.read_register(0, "CCSIDR2_EL1") == sets.of(value)
    assert tuple(found) == CACHES[cpu]
