"""scripts/sessions/type1_tour.py, as a reader would start it: stock gdb on the type-1 hypervisor. Oracle: guests/type1."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest

from conftest import ROOT
from e2e.debugged import GDBS
from e2e.test_sessions import session
from gdbhv.client.gdbline import GDB

STEP = re.compile(r"^(\d+)\. (.*)\n((?:   .*\n)*)", re.MULTILINE)
HEAD = re.compile(r"(Exit|No exit:) (\S+) of (\S+) in (\w+)\(\)")
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
ALONE = [
    ("svc", "alpha.0", "user_program"),
    ("svc", "alpha.0", "user_program"),
    ("unknown", "alpha.0", "own_undefined"),
    ("dabt_same", "alpha.0", "own_fault"),
]
PROCESSES = ["machine/cpu0", "alpha/vcpu0", "beta/vcpu0", "beta/vcpu1"]


@pytest.fixture(scope="module", params=[1, 2], ids=["1 CPU", "2 CPUs"])
def tour(request: pytest.FixtureRequest) -> tuple[int, str]:
    """The number of CPUs, and what the script prints."""
    done = session("type1_tour.py", "--smp", str(request.param))
    assert (done.returncode, done.stderr) == (0, "")
    return request.param, done.stdout


def steps(text: str) -> dict[str, str]:
    found = STEP.findall(text)
    assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
    assert text == "".join(f"\n{number}. {head}\n{body}" for number, head, body in found)
    return {f"{number}. {head}": body for number, head, body in found}


def heads(text: str, kind: str) -> list[tuple[str, str, str]]:
    return [(name, vcpu, place) for found, name, vcpu, place in HEAD.findall(text) if found == kind]


def body(text: str, name: str) -> str:
    """Return what the first step says whose head has ``name``."""
    return next(said for head, said in steps(text).items() if name in head)


def test_each_exit_is_a_step(tour: tuple[int, str]) -> None:
    cpus, text = tour
    seen = heads(text, "Exit")
    assert [row for row in seen if row in EXITS] == EXITS
    others = {name for name, _, _ in seen} - {name for name, _, _ in EXITS if name != "hvc:0x0"}
    assert others == OTHERS | ({"irq.sgi0"} if cpus == 2 else set())
    calls = {"PSCI_VERSION", "CPU_ON", "SYSTEM_OFF", "0xc6000000"}
    assert set(re.findall(r"hvc #0 at \w+ \(EL1\); (\w+)\(", text)) == calls


def test_no_kind_of_exit_is_left_out(tour: tuple[int, str]) -> None:
    """Those that the machine has counted are steps, but for the size and direction of a first touch of memory."""
    _, text = tour
    counted = re.findall(r"^ +\d+ +[\d.]+% +\w+ \(VMID \d\) +0x\w+ +(\S+)", body(text, "All exits"), re.MULTILINE)
    assert len(counted) > 20
    assert set(counted) - {name for name, _, _ in heads(text, "Exit")} == {"dabt.trans.l3.r.isv", "dabt.trans.l3.r.noisv"}


def test_what_a_guest_does_alone_is_no_exit(tour: tuple[int, str]) -> None:
    _, text = tour
    assert heads(text, "No exit:") == ALONE
    assert re.findall(r"; exits meanwhile: (\d+)$", text, re.MULTILINE) == ["0"] * len(ALONE)
    assert re.findall(r"EC=(\w+): the guest's EL1 handles what was injected$", text, re.MULTILINE) == ["dabt_same"] * 2
    handled = re.findall(r"begins with (LR\d): (\w+) pending, .*,\n +and ends with none; exits between: (\d)\n", text)
    assert handled == [("LR2", "spi33", "1"), ("LR1", "ppi27", "0")], "one: the store to its UART"


def test_handlers_are_where_it_says(tour: tuple[int, str]) -> None:
    _, text = tour
    handlers = re.findall(r"^   handled by (\w+)\(\), (\S+):(\d+)$", text, re.MULTILINE)
    assert len(handlers) == len(heads(text, "Exit"))
    for function, file, line in handlers:
        assert f"{function}(" in (ROOT / "guests" / file).read_text().splitlines()[int(line) - 1]


def test_vms_have_names_and_are_processes(tour: tuple[int, str]) -> None:
    cpus, text = tour
    assert re.findall(r"VM (\d), VMID (\d), is (\w+)$", text, re.MULTILINE) == [("2", "1", "alpha"), ("3", "2", "beta")]
    said = body(text, "sysreg.write")
    assert re.findall(r'Thread \d\.\d "(\S+)"', said) == [
        PROCESSES[0],
        *(["machine/cpu1"] if cpus == 2 else []),
        *PROCESSES[1:],
    ]
    frames = re.findall(r"^ +#\d .*?(\w+) \(", said.partition("(gdb) backtrace")[2], re.MULTILINE)
    assert frames == ["wait_for", "alpha", "guest_main", "guest_start"]
    assert "corrupt" not in text


def test_turns(tour: tuple[int, str]) -> None:
    cpus, text = tour
    turns = re.findall(r"(\w+\.\d)\s+(cpu\d)(\*?)", body(text, "Whose turn"))
    assert {vcpu for vcpu, _, _ in turns} == {"alpha.0", "beta.0", "beta.1"}
    assert {cpu for _, cpu, _ in turns} == {f"cpu{n}" for n in range(cpus)}
    assert any(star for _, _, star in turns) == (cpus == 2)
    for vcpu in ("alpha.0", "beta.0", "beta.1"):
        places = [cpu for name, cpu, _ in turns if name == vcpu]
        moved = [before != after for before, after in itertools.pairwise(places)]
        assert [star == "*" for name, _, star in turns if name == vcpu] == [False, *moved]


def test_both_stage_2s(tour: tuple[int, str]) -> None:
    _, text = tour
    said = body(text, "Stage 2 of both")
    program = re.findall(r"^ +0x0080000000-\w+ +(\w+) .* r-x ", said, re.MULTILINE)
    data = re.findall(r"^ +0x0080100000-\w+ +(\w+) .* rw- ", said, re.MULTILINE)
    assert (len(program), len(set(program))) == (2, 1)
    assert (len(data), len(set(data))) == (2, 2)


def test_every_gdb_shows_the_same(tour: tuple[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpus, text = tour
    (tmp_path / GDB).symlink_to(GDBS[1])
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert session("type1_tour.py", "--smp", str(cpus)).stdout == text
