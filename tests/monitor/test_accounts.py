"""Accounts and trace of exits. Oracle: programs whose instructions are counted by hand, and the machine's own counts."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv._core import Machine as Core
from gdbhv.errors import CommandError
from gdbhv.exits.accounting import ERROR, Spread, grouped
from gdbhv.exits.smccc import name
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import StopKind, Target
from gdbhv.views.tracedat import trace_dat

bounds = Core.spread_bounds
RAM = 0x40000000
VECTORS, GUEST = RAM + 0x800, RAM + 0x2000
NOP, ERET, HVC, WFI = 0xD503201F, 0xD69F03E0, 0xD4000002, 0xD503207F
PREBUILT = ROOT / "guests" / "prebuilt"


def words(*insns: int) -> bytes:
    return b"".join(w.to_bytes(4, "little") for w in insns)


def ping(handler: int, guest: int) -> Machine:
    """A hypervisor that executes ``handler`` NOPs at each exit, and a guest that executes ``guest`` before each HVC #3."""
    machine = Machine(memory=64 << 20)
    loop = [NOP] * guest + [HVC | 3 << 5]
    pieces = [(VECTORS + 0x400, words(*[NOP] * handler, ERET)), (RAM, words(ERET)), (GUEST, words(*loop * 50))]
    machine.start(pieces, RAM, 0)
    for register, value in (("VBAR_EL2", VECTORS), ("ELR_EL2", GUEST), ("SPSR_EL2", 0x3C5), ("HCR_EL2", 1 << 31)):
        machine.core.write_register(0, register, value)
    return machine


def ask(target: Target, line: str) -> list[str]:
    processes = target.processes()
    thread = processes[0].threads[0].id if processes else None
    return [said for said in registry.run(line, context(target, thread)) if said is not None]


BOUND: dict[int, Any] = {}


def context(target: Target, thread: Any) -> registry.Context:
    """One debugger's, for as long as the target lives: its marks stay."""
    bound = BOUND.setdefault(id(target), registry.bind(target))
    return bound._context(thread)


@pytest.fixture(autouse=True)
def _forget() -> None:
    BOUND.clear()


def zoo() -> Target:
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "exit_zoo.elf", memory=256 << 20))
    target.run_all()
    return target


def type1(insns: int | None = 3_000_000) -> Machine:
    machine = boot.bare(boot.BootConfig(image=PREBUILT / "type1.elf", smp=2))
    machine.run_all(insns)
    return machine


def test_instructions_between_exit_and_entry_are_exact() -> None:
    machine = ping(handler=7, guest=4)
    machine.run_all(1 + (4 + 1 + 7 + 1) * 10)  # the first ERET, then ten times guest, HVC, handler, ERET
    (account,) = grouped(machine.core.exit_accounts(), "exit").values()
    assert account.count == 10
    for spread, each in ((account.host, 8), (account.guest, 5)):  # the ERET and the HVC count where they are executed
        assert (spread.count, spread.min, spread.max, spread.total) == (10, each, each, 10 * each)
    assert account.away.total == 80
    assert [spread.percentile(p) for p in (1, 50, 99)] == [5, 5, 5]
    by_pc = grouped(machine.core.exit_accounts(), "pc")
    assert sorted(k[2] for k in by_pc) == sorted(f"{GUEST + 20 * n + 16:#x}" for n in range(10))


def test_percentiles_are_told_to_their_error() -> None:
    values = sorted(n * n % 7919 + 40 for n in range(1, 1000))
    spread = Spread()
    for value in values:
        bucket = next(b for b in range(976) if bounds(b)[0] <= value <= bounds(b)[1])
        spread.add({"count": 1, "total": value, "min": value, "max": value, "buckets": [(bucket, 1)]})
    for percent in (50, 95, 99, 100):
        exact = values[-(-len(values) * percent // 100) - 1]
        assert abs(spread.percentile(percent) - exact) <= exact * ERROR
    assert (spread.min, spread.max, spread.total) == (values[0], values[-1], sum(values))


def test_marks_tell_what_came_after_them() -> None:
    machine = ping(handler=2, guest=1)
    machine.run_all(1 + 5 * 5)
    ask(machine, "vmexit mark five")
    machine.run_all(3 * 5)
    document = json.loads(ask(machine, "vmexit stats since five --json")[0])
    (group,) = document["groups"]
    assert (group["name"], group["count"], group["host"]["total"], group["guest"]["total"]) == ("hvc:0x3", 3, 9, 6)
    assert (group["host"]["min"], group["host"]["p99"], group["host"]["max"]) == (3, 3, 3)
    assert ask(machine, "vmexit mark")[1].split() == ["five", "5", "26", "26"]
    with pytest.raises(CommandError, match="no mark 'six'; there are five"):
        ask(machine, "vmexit stats since six")
    with pytest.raises(CommandError, match="cannot be grouped by 'colour'"):
        ask(machine, "exits top by colour")
    machine.reset()
    (group,) = json.loads(ask(machine, "exits top since five --json")[0])["groups"]
    assert group["count"] == 3, "counts go on at a reset"


def test_a_mark_that_is_still_to_come_is_refused() -> None:
    machine = ping(handler=2, guest=1)
    machine.run_all(1 + 2 * 5)
    snapshot = machine.snapshot("two")
    machine.run_all(3 * 5)
    ask(machine, "vmexit mark five")
    snapshot.restore()
    with pytest.raises(CommandError, match="set back to before mark five"):
        ask(machine, "exits top since five")
    machine.run_all(4 * 5)
    (group,) = json.loads(ask(machine, "exits top since five --json")[0])["groups"]
    assert group["count"] == 1


@pytest.mark.parametrize("make", [zoo, type1])
def test_groups_are_the_machines_exits(make: Any) -> None:
    target = make()
    core = target.core
    rows = core.exit_accounts()
    for by in ("exit", "class", "kvm", "pc", "vm", "vcpu"):
        assert sum(a.count for a in grouped(rows, by).values()) == core.exits
    counted = {(r["vm"], r["vmid"], r["name"]): r["count"] for r in core.exit_counts()}
    assert {key: a.count for key, a in grouped(rows, "exit").items()} == counted
    spent = sum(r["host"]["total"] + r["guest"]["total"] for r in rows)
    assert 0 < spent <= sum(core.insns)
    if not target.hosted:  # between its first and its last entry or exit, each CPU is in a guest or in the hypervisor
        of = [[e["insns"] for e in core.trace(1 << 20) if e["cpu"] == cpu] for cpu in range(core.cpus)]
        assert spent == sum(each[-1] - each[0] for each in of)
    else:
        assert all(r["host"]["total"] == 0 for r in rows)
    pages = grouped(rows, "page")
    assert pages
    assert all(int(key[2], 0) % 4096 == 0 for key in pages)


def test_the_layout_is_that_of_perf_kvm_stat() -> None:
    machine = ping(handler=7, guest=4)
    machine.run_all(1 + 13 * 10)
    head, line, end = ask(machine, "vmexit stats by class")
    assert head.split() == ["class", "samples", "samples%", "time%", "min", "p50", "p95", "p99", "max", "total"]
    assert line.split() == ["hvc", "10", "100.0%", "100.0%", "8", "8", "8", "8", "8", "80"]
    assert end == "10 exits, 80 instructions of the hypervisor, from exit to entry"
    assert ask(machine, "exits top by pc --of guest")[1].split()[-1] == "5"
    assert ask(machine, "exits top by reg") == ["no exits by reg yet"]


def test_hypercalls_are_counted_by_function() -> None:
    calls = {key[2]: a.count for key, a in grouped(zoo().core.exit_accounts(), "call").items()}
    assert calls["PSCI_VERSION"] >= 1
    assert calls["SYSTEM_OFF"] == 1
    assert name(0xC4000003) == "CPU_ON"
    assert name(0x84000053) == name(0xC4000053) == "TRNG_RND"
    assert name(17, 0xEA1) == "xen.xen_version"
    assert name(0xC6000005) == "vendor-hyp:0xc6000005"
    assert name(0x86000001) == "KVM_PTP"


# ---- the trace


def test_the_trace_is_what_happened() -> None:
    machine = ping(handler=7, guest=4)
    machine.run_all(1 + 13 * 3)
    events = machine.core.trace(100)
    assert [e["what"] for e in events] == ["entry", *["exit", "entry"] * 3]
    assert [b["insns"] - a["insns"] for a, b in pairwise(events)] == [5, 8, 5, 8, 5, 8]
    assert [e["pc"] for e in events[:3]] == [GUEST, GUEST + 16, GUEST + 20]
    assert len(ask(machine, "exits last 4")) == 5
    shown = ask(machine, "exits last 9 hvc pc=0x40002010")
    assert len(shown) == 2
    assert "hvc:0x3" in shown[1]
    with pytest.raises(CommandError, match="does not keep it"):
        ask(machine, "exits last hvc va=1")


def test_json_lines_are_the_events(tmp_path: Path) -> None:
    machine = type1()
    path = tmp_path / "trace.jsonl"
    said = ask(machine, f"exits export {path}")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert events == machine.core.trace(1 << 20)
    assert said == [f"{len(events):,} events in {path} (jsonl)"]
    ask(machine, f"exits export {path} wfx.wfi vm=2")
    assert {json.loads(line)["name"] for line in path.read_text().splitlines()} == {"wfx.wfi"}


def test_ftrace_text_is_kvms(tmp_path: Path) -> None:
    machine = type1()
    path = tmp_path / "trace.txt"
    ask(machine, f"exits export {path}")
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    shape = re.compile(r" *(\S+)-\d+ +\[(\d{3})\] \.{5} (\d+\.\d{9}): (kvm_entry|kvm_exit|gdbhv_virtual): .+")
    matched = [shape.fullmatch(line) for line in lines]
    assert all(matched)
    assert len(matched) == len(machine.core.trace(1 << 20))
    assert any("TRAP: HSR_EC: 0x0016 (HVC64), PC: 0x" in line for line in lines)


def test_trace_cmd_reads_the_file(tmp_path: Path) -> None:
    machine = type1(None)
    path = tmp_path / "trace.dat"
    ask(machine, f"exits export {path}")
    said = subprocess.run(("trace-cmd", "report", "-t", str(path)), capture_output=True, text=True, check=True)
    assert said.stderr == ""
    cpus, *lines = said.stdout.splitlines()
    kept = machine.core.trace(1 << 20)
    assert cpus == "cpus=2"
    assert len(lines) == len(kept) > 4096 // 128, "more than a page for each CPU"
    shape = re.compile(r" *(\S+)-(\d+) +\[(\d{3})\] +(\d+)\.(\d{9}): (kvm_entry|kvm_exit|gdbhv_virtual): +(.+)")
    told = sorted((int(m[4]) * 10**9 + int(m[5]), int(m[3]), m[6], m[7]) for m in map(shape.fullmatch, lines) if m)
    words = {"entry": "kvm_entry", "exit": "kvm_exit"}
    assert [row[:3] for row in told] == sorted((e["now"], e["cpu"], words.get(e["what"], "gdbhv_virtual")) for e in kept)
    for e in kept:
        assert any(row[0] == e["now"] and f"PC: 0x{e['pc']:016x}" in row[3] for row in told)
    exits = [row[3] for row in told if row[2] == "kvm_exit"]
    assert any(text.startswith("TRAP: HSR_EC: 0x0016 (HVC64), PC: 0x") and "gdbhv: hvc" in text for text in exits)


def test_trace_cmd_reads_long_pauses(tmp_path: Path) -> None:
    """Of more nanoseconds than a record has bits for."""
    path, machine = tmp_path / "trace.dat", type1()
    kept = [{**e, "now": e["now"] + n * 3_000_000_000} for n, e in enumerate(machine.core.trace(20))]
    path.write_bytes(trace_dat(kept, lambda vm, vmid: f"vm{vm}"))
    said = subprocess.run(("trace-cmd", "report", "-t", str(path)), capture_output=True, text=True, check=True)
    times = [int(s) * 10**9 + int(ns) for s, ns in re.findall(r" (\d+)\.(\d{9}): ", said.stdout)]
    assert times == [e["now"] for e in kept]


def test_perfettos_slices_nest_and_its_arrows_arrive(tmp_path: Path) -> None:
    machine = type1(None)
    path = tmp_path / "trace.json"
    ask(machine, f"exits export {path}")
    events = json.loads(path.read_text())["traceEvents"]
    kept = machine.core.trace(1 << 20)
    tracks = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M"}
    assert {e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"} >= {"CPU 0", "CPU 1"}
    slices = defaultdict(list)
    for e in events:
        if e["ph"] == "X":
            slices[e["pid"], e["tid"]].append(e)
    assert set(slices) <= tracks
    for row in slices.values():
        row.sort(key=lambda e: (e["ts"], e["dur"]))
        for one, other in pairwise(row):
            assert one["ts"] + one["dur"] <= other["ts"] + 1e-6, (one, other)
    guest = [e for row in slices.values() for e in row if e["name"] == "guest"]
    assert abs(len(guest) - sum(e["what"] == "exit" for e in kept)) <= 2  # of each CPU the oldest may have lost its entry
    starts, ends = ({e["id"]: e for e in events if e["ph"] == ph} for ph in "sf")
    assert starts
    assert set(starts) == set(ends)
    assert all(starts[n]["ts"] <= ends[n]["ts"] for n in starts)
    assert len(starts) <= sum(e["what"] == "virtual" for e in kept)


def test_a_ring_keeps_the_last(tmp_path: Path) -> None:
    machine = ping(handler=1, guest=0)
    machine.core.trace_size = 4
    machine.run_all(100)
    events = machine.core.trace(100)
    assert [e["seq"] for e in events] == list(range(machine.core.trace_total - 4, machine.core.trace_total))
    with pytest.raises(CommandError, match="which format"):
        ask(machine, f"exits export {tmp_path / 'trace.bin'}")
    with pytest.raises(CommandError, match="No such file"):
        ask(machine, f"exits export {tmp_path / 'no' / 'trace.json'}")


# ---- what would happen, and what happens for ever


def test_a_trial_changes_nothing() -> None:
    machine, other = type1(1_000_003), type1(1_000_003)
    events = machine.core.trace(1 << 20)
    for cpu in (0, 1):
        for word in (WFI, HVC, ERET, 0xD5181000, 0xF9000000):  # ..., msr sctlr_el1, x0; str x0, [x0]
            machine.core.trial(cpu, word, True)
    assert machine.core.trace(1 << 20) == events
    for one in (machine, other):
        one.run_all(1_000_000)
    assert machine.core.trace(1 << 20) == other.core.trace(1 << 20)
    assert (machine.core.insns, machine.core.now) == (other.core.insns, other.core.now)
    assert machine.core.exit_accounts() == other.core.exit_accounts()


def test_what_stops_an_instruction_first() -> None:
    machine = ping(handler=1, guest=1)
    core = machine.core
    core.write_register(0, "cpsr", 0x3C5)
    core.write_register(0, "pc", GUEST)
    assert (core.trial(0, WFI)["target"], core.trial(0, WFI)["waits"]) == (None, True)
    core.write_register(0, "HCR_EL2", 1 << 31 | 1 << 13)  # TWI
    trial = core.trial(0, WFI)
    assert trial["exit"] is not None
    assert (trial["target"], trial["exit"]["name"], trial["cause"]) == (2, "wfx.wfi", ["HCR_EL2.TWI"])
    core.write_register(0, "cpsr", 0x3C0)  # EL0: SCTLR_EL1.nTWI comes first
    core.write_register(0, "SCTLR_EL1", 0)
    trial = core.trial(0, WFI)
    assert (trial["target"], trial["exit"], trial["cause"]) == (1, None, ["SCTLR_EL1.nTWI"])
    assert "by SCTLR_EL1.nTWI, and that check comes before any trap to EL2" in ask(machine, "why wfi")[0]


def test_a_vector_that_faults_is_noticed_hosted() -> None:
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "type1.elf", memory=256 << 20))  # it owns EL2, and has none here
    told: list[str] = []
    target.looping.tell = told.append
    registry.bind(target)
    target.looping.stops = True
    stop = target.run_all(1_000_000)
    assert (stop.kind, told) == (StopKind.LOOP, [stop.text])
    assert "CPU 0 has taken the same exception 1,000 times: instruction abort of stage 2" in stop.text
    assert "the exception vector is there (VBAR_EL1 is 0x0) and faults itself" in stop.text
    assert stop.text.replace("1,000", "N") == re.sub(r"\d,\d+ times", "N times", ask(target, "doctor")[0])
    assert target.run_all(10_000).kind is StopKind.BUDGET  # it is told once
    assert len(told) == 1


def test_a_vector_that_faults_is_noticed_bare() -> None:
    machine = Machine(memory=64 << 20)
    machine.start([(RAM, words(0xD4200000))], RAM, 0)  # brk #0, and VBAR_EL2 leads nowhere
    machine.core.write_register(0, "VBAR_EL2", 0x7000_0000)
    registry.bind(machine)
    machine.looping.stops = True
    stop = machine.run_all(100_000)
    assert stop.kind is StopKind.LOOP
    assert "at 0x70000200 in EL2" in stop.text
    assert "VBAR_EL2 is 0x70000000" in stop.text


def test_a_trap_that_is_not_skipped_is_noticed() -> None:
    """The hypervisor returns to the instruction that it traps."""
    machine = ping(handler=30, guest=0)
    machine.core.write_register(0, "HCR_EL2", 1 << 31 | 1 << 19)  # TSC
    machine.core.write_pa(GUEST, words(0xD4000003))  # smc #0, trapped; ELR_EL2 is its own address
    machine.looping.stops = True
    registry.bind(machine)
    stop = machine.run_all(1_000_000)
    assert stop.kind is StopKind.LOOP
    assert stop.text.endswith("and what provokes the exception is still there (HCR_EL2.TSC)")
    assert sum(machine.core.insns) < 40_000


def test_hypercalls_at_one_place_are_no_loop() -> None:
    machine = ping(handler=0, guest=0)
    machine.core.write_pa(GUEST + 4, words(0x17FFFFFF))  # b .-4
    machine.looping.stops = True
    assert machine.run_all(100_000).kind is StopKind.BUDGET
    assert machine.core.exits > 10_000


# ---- catchpoints that do not match


def test_of_a_thousand_catchpoints_few_are_asked() -> None:
    machine = ping(handler=0, guest=0)
    machine.core.write_pa(GUEST + 4, words(0x17FFFFFF))  # b .-4
    for n in range(499):
        ask(machine, f"vmexit catch hvc pc={GUEST + 4096 * (n + 1):#x}")
        ask(machine, f"vmexit catch hvc:{n + 4:#x}")
    machine.run_all(100)
    assert machine.core.exits > 20
    ask(machine, "vmexit delete 1")
    ask(machine, f"vmexit catch hvc pc={GUEST - 4:#x}-{GUEST + 4:#x}")
    ask(machine, f"vmexit catch hvc pc={GUEST:#x}-{GUEST + 0x10000:#x}")
    assert machine.run_all(1000).kind is StopKind.EXIT
    hits = [line.split()[:2] for line in ask(machine, "vmexit list")[1:]]
    assert [number for number, count in hits if count != "0"] == ["999", "1000"]
