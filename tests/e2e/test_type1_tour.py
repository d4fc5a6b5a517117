"""scripts/sessions/type1_tour.py, as a reader would start it: stock gdb on the type-1 hypervisor. Oracle: guests/type1."""

from __future__ import annotations

import re

import pytest

from e2e.test_sessions import session

HEAD = re.compile(r"^\* (\S+) of (\S+) in (\w+)\(\):", re.MULTILINE)
EXITS = [
    ("iabt.trans.l1.x", "alpha.0", "guest_start"),
    ("iabt.trans.l3.s1ptw.x", "alpha.0", "guest_start"),
    ("dabt.trans.l3.w.noisv", "alpha.0", "guest_main"),
    ("dabt.trans.l1.w.isv", "alpha.0", "uart_put"),
    ("irq.spi33", "alpha.0", "uart_put"),
    ("irq.ppi27", "alpha.0", "own_timer"),
    ("hvc:0x0", "alpha.0", "exit_hypercall"),
    ("sysreg.read:ID_AA64PFR0_EL1", "alpha.0", "exit_id_register"),
    ("dabt.trans.l1.w.isv", "alpha.0", "exit_wrong_store"),
    ("dabt.perm.l3.w.isv", "alpha.0", "exit_store_to_program"),
    ("hvc:0x0", "alpha.0", "alpha"),
]
"""What alpha does, in its order. The other kinds come when a vCPU of beta has its turn, or in another function."""
OTHERS = {"hvc:0x0", "irq.ppi26", "wfx.wfi", "sysreg.write:ICC_SGI1R_EL1"}


@pytest.mark.parametrize("cpus", [1, 2])
def test_type1_tour(cpus: int) -> None:
    done = session("type1_tour.py", "--smp", str(cpus))
    assert (done.returncode, done.stderr) == (0, "")
    seen = HEAD.findall(done.stdout)
    assert [row for row in seen if row in EXITS] == EXITS
    others = {row[0] for row in seen if row not in EXITS}
    assert others == OTHERS | ({"irq.sgi0"} if cpus == 2 else set())

    at_el1 = re.findall(r"^  EL1 handles (.*): ESR_EL1 .*EC=(\w+)$", done.stdout, re.MULTILINE)
    assert at_el1 == [
        ("alone", "svc"),
        ("alone", "svc"),
        ("alone", "unknown"),
        ("alone", "dabt_same"),
        ("what was injected", "dabt_same"),
        ("what was injected", "dabt_same"),
    ]
    assert "begins with LR1: ppi27 pending, priority 0x00, group 1, and ends with none; exits between: 0\n" in done.stdout

    turns = done.stdout.partition("(*: the vCPU has moved):\n")[2].partition("\n\n")[0].replace("\n", " ").split(", ")
    places = {turn.split()[1].rstrip("*") for turn in turns}
    assert {turn.split()[0] for turn in turns} == {"alpha.0", "beta.0", "beta.1"}
    assert places == {f"cpu{n}" for n in range(cpus)}
    assert any("*" in turn for turn in turns) == (cpus == 2)

    program = re.findall(r"^ +0x0080000000-\w+ +(\w+) .* r-x ", done.stdout, re.MULTILINE)
    data = re.findall(r"^ +0x0080100000-\w+ +(\w+) .* rw- ", done.stdout, re.MULTILINE)
    assert (len(program), len(set(program))) == (2, 1)
    assert (len(data), len(set(data))) == (2, 2)
