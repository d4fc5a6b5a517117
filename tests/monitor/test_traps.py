"""The trap profile: what is listed exits, and what is not does not. Oracle: the instructions themselves, tried (`why`)."""

from __future__ import annotations

import json
import random

import pytest

from gdbhv.errors import CommandError
from gdbhv.queries import trapping
from monitor.test_accounts import type1
from monitor.test_catching import Session, hypercalls, zoo


def rows(session: Session, words: str = "") -> dict[tuple[str, str], list[str]]:
    document = json.loads(session.ask(f"traps {words} --json")[0])
    return {(r["how"], r["name"]): r["cause"] for r in document}


def test_of_gdbhvs_own_guests() -> None:
    session = zoo()
    session.target.run_all(1000)
    found = rows(session)
    assert found["insn", "wfi"] == ["HCR_EL2.TWI"]
    assert found["insn", "hvc"] == []
    assert found["insn", "smc"] == ["HCR_EL2.TSC"]
    assert found["read", "ID_AA64PFR0_EL1"] == ["HCR_EL2.TID3"]
    assert found["write", "ACTLR_EL1"] == ["HCR_EL2.TACR"]
    assert found["insn", "DC_CISW"] == ["HCR_EL2.TSW"]
    assert found["read", "CNTP_CTL_EL0"] == ["CNTHCTL_EL2.EL1PCEN"]
    assert not {("insn", "svc"), ("write", "SCTLR_EL1"), ("read", "TTBR0_EL1"), ("insn", "TLBI_VMALLE1")} & set(found)
    text = session.ask("traps")
    assert any(line.startswith("HCR_EL2.TID3") and "reads of ID_AA64AFR0_EL1" in line for line in text)
    assert len(session.ask("traps --all")) == len(text)


def test_what_it_says_is_what_happens(seed: int) -> None:
    """A hundred registers, and both directions, are tried one by one."""
    session = zoo()
    session.target.run_all(1000)
    core, found = session.target.core, rows(session)
    candidates = sorted(r.name for r in session.target.registers.values() if r.el < 2)
    for name in random.Random(seed).sample(candidates, 100):
        for how, base in (("read", 0xD5200000), ("write", 0xD5000000)):
            trial = core.trial(0, base | (session.target.registers[name].encoding & 0xFFFF) << 5)
            assert (trial["exit"] is not None) == ((how, name) in found), (name, how)
            if trial["exit"] is not None:
                assert trial["exit"]["cause"] == found[how, name]


def test_nothing_changes() -> None:
    session, other = zoo(), zoo()
    for each in (session, other):
        each.target.run_all(1000)
    session.ask("traps --than kvm")
    session.ask("traps --el 0")
    assert session.target.core.read_core(0) == other.target.core.read_core(0)
    names = [n for n in session.target.core.TRAP_CONTROLS if n in session.target.registers]
    assert [session.target.core.read_register(0, n) for n in names] == [other.target.core.read_register(0, n) for n in names]
    session.stops()
    other.stops()
    assert session.target.core.insns == other.target.core.insns


def test_than_kvm() -> None:
    session = zoo()
    session.target.run_all(1000)
    session.ask("sysreg HCR_EL2.TVM=1")
    text = session.ask("traps --than kvm")
    assert text[0] == "exits here, and not with KVM:"
    assert any(line.startswith("HCR_EL2.TVM") and "writes of" in line for line in text)
    document = json.loads(session.ask("traps --than kvm --json")[0])
    assert {r["name"] for r in document["only_here"]} >= {"SCTLR_EL1", "TTBR0_EL1"}
    assert {r["name"] for r in document["KVM"]} >= {"LORC_EL1"}, "KVM sets HCR_EL2.TLOR"


def test_than_another_vm() -> None:
    machine = type1()
    session = Session(machine)
    assert session.ask("traps vm:2 --than 2")[0].startswith("nothing exits here")
    with pytest.raises(CommandError, match="no VM 'zzz'"):
        session.ask("traps --than zzz")


def test_of_a_bare_guest_without_any() -> None:
    session = hypercalls()
    session.target.run_all(2)
    found = rows(session)
    assert ("insn", "hvc") in found
    assert ("insn", "wfi") not in found
    values = trapping.controls(session.target, session.target.processes()[0].threads[0].id)
    assert set(values) >= {"HCR_EL2", "CPTR_EL2", "MDCR_EL2"}
