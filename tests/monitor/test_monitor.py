"""Monitor commands: what is typed and what comes back (transcripts in *.txt), and what holds for the whole table."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.history import History
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import helps, registry
from gdbhv.target import Action, StopKind, Target
from monitor.transcript import replay, steps

HERE = Path(__file__).parent
ZOO = ROOT / "guests" / "prebuilt" / "exit_zoo.elf"
LDR = 0x58000040


def hosted(vms: int = 1) -> HostTarget:
    return boot.hosted(boot.BootConfig(image=ZOO, memory=64 << 20), vms=vms)


def bare(*, el2: bool = True) -> Machine:
    machine = boot.bare(boot.BootConfig(), el2=el2)
    machine.core.write_pa(0x40000000, LDR.to_bytes(4, "little"))
    return machine


def interrupted() -> Machine:
    """An SPI pending, an LPI pending, one mapped to a collection that is not, a list register, a wrong command."""
    core = (machine := bare()).core
    gicd, gits, gicr = 0x08000000, 0x08080000, 0x080A0000
    queue, devices, collections, config, pending, itt = (0x40010000 + 0x10000 * n for n in range(6))
    core.write_pa(config + 1, b"\xa1")
    commands = ((8 | 7 << 32, 3, itt | 1 << 63), (9, 0, 1 << 63), (10 | 7 << 32, 5 | 8193 << 32, 0))
    commands += ((3 | 7 << 32, 5, 0), (10 | 7 << 32, 6 | 8194 << 32, 2), (3 | 9 << 32, 0, 0))
    for n, words in enumerate(commands):
        core.write_pa(queue + 32 * n, b"".join(w.to_bytes(8, "little") for w in words))
    for address, size, value in (
        (gicr + 0x70, 8, config | 15), (gicr + 0x78, 8, pending), (gicr, 4, 1), (gits + 0x100, 8, devices | 1 << 63),
        (gits + 0x108, 8, collections | 1 << 63), (gits + 0x80, 8, queue | 1 << 63), (gits, 4, 1),
        (gits + 0x88, 8, 32 * len(commands)), (gicd, 4, 2), (gicd + 0x84, 4, 2), (gicd + 0x104, 4, 6), (gicd + 0x204, 4, 2),
        (gicd + 0x304, 4, 8), (gicd + 0x421, 1, 0x80),
    ):  # fmt: skip
        core.bus_write(0, address, size, value)
    core.write_register(0, "ICH_LR1_EL2", 7 << 60 | 0xA0 << 48 | 27 << 32 | 27)
    return machine


def old() -> Machine:
    """A GICv2: an SPI for two CPUs is pending, and a list register in use."""
    core = (machine := boot.bare(boot.BootConfig(gic=2, smp=2))).core
    gicd, gicc, gich = 0x08000000, 0x08010000, 0x08030000
    for address, size, value in (
        (gicd, 4, 1), (gicc, 4, 1), (gicc + 4, 4, 0xF0), (gicd + 0x104, 4, 2), (gicd + 0x821, 1, 3), (gicd + 0x421, 1, 0x80),
        (gicd + 0x204, 4, 2), (gich + 0x100, 4, 1 << 28 | 0x14 << 23 | 33), (gicd + 0xF00, 4, 2 << 16 | 5),
    ):  # fmt: skip
        core.bus_write(0, address, size, value)
    for n, word in enumerate((0xB9400020, 0xB9000020)):  # LDR W0, [X1]; STR W0, [X1]: GICC_HPPIR
        core.write_pa(0x40000000 + 4 * n, word.to_bytes(4, "little"))
    core.write_register(0, "x1", gicc + 0x18)
    return machine


def visited(host: int = 1 << 34 | 1 << 31 | 1 << 27, root: int | None = None) -> Machine:
    """A guest (VMID 7, FWB) has made a hypercall, and its hypervisor has put HCR_EL2 and VTTBR_EL2 of its own."""
    core = (machine := bare()).core
    registry.bind(machine)
    words = {
        0x40000000: 0xD69F03E0,  # ERET
        0x40000100: 0xA9BF7BFD,  # STP X29, X30, [SP, #-16]!
        0x40000104: 0x910003FD,  # MOV X29, SP
        0x40000108: 0xD40000A2,  # HVC #5
        0x40000C00: 0x14000000,  # B .
    }
    for at, word in words.items():
        core.write_pa(at, word.to_bytes(4, "little"))
    tables = {0x40002000: 0x40004003, 0x40002008: 0x400007D9, 0x40004240: 0x090004C5, 0x40010108: 0x40000444}
    for at, double in tables.items():
        core.write_pa(at, double.to_bytes(8, "little"))
    state = {
        "ELR_EL2": 0x40000100, "SPSR_EL2": 0x3C5, "HCR_EL2": 1 << 46 | 1 << 34 | 1 << 31 | 1, "VTCR_EL2": 0x80023558,
        "VTTBR_EL2": 7 << 48 | 0x40002000, "VBAR_EL2": 0x40000800, "SP_EL1": 0x40010000, "x29": 0x40010100,
        "x30": 0x40000333,
    }  # fmt: skip
    for register, value in state.items():
        core.write_register(0, register, value)
    ask(machine, "vmexit catch hvc:5 vmid=7")
    assert machine.run_all().kind is StopKind.EXIT
    core.write_register(0, "HCR_EL2", host)
    if root is not None:
        core.write_register(0, "VTTBR_EL2", root)
    return machine


MACHINES: dict[str, Callable[[], Target]] = {
    "bare": bare,
    "alone": lambda: bare(el2=False),
    "gic": interrupted,
    "gicv2": old,
    "vhe": visited,
    "nvhe": lambda: visited(1 << 31, 0),
    "reset": lambda: hosted(2),
    "snapshot": lambda: hosted(2),
}


NEED_A_THREAD = {"frame guest", "inject power-button", "owner", "s1 dump", "s2 dump", "s2 mark", "sysreg", "vcpus"}
NEED_A_THREAD |= {"gic why", "timers", "vmexit last", "walk", "x", "answer", "inject abort", "inject interrupt", "traps"}


def ask(target: HostTarget | Machine, command: str, pid: int = 1) -> list[str]:
    thread = next(p for p in target.processes() if p.pid == pid).threads[0].id
    follower = target.door.follower
    kept = follower if isinstance(follower, History) else History(target)
    return list(registry.run(command, registry.Context(target, thread, kept=kept)))


def looped() -> Machine:
    """Stage 2 tables that contain themselves: each descriptor is a table of them all, and at level 3 a page of its own."""
    core = (machine := bare()).core
    for n in range(512):
        core.write_pa(0x40002000 + 8 * n, (0x400027C3 | n % 2 << 7).to_bytes(8, "little"))
    state = {"HCR_EL2": 1 << 31 | 1, "VTCR_EL2": 0x80023558, "VTTBR_EL2": 7 << 48 | 0x40002000, "cpsr": 0x3C5}
    for register, value in state.items():
        core.write_register(0, register, value)
    return machine


def test_tables_that_contain_themselves_are_cut_and_the_rest_can_be_seen() -> None:
    machine = looped()
    lines = ask(machine, "s2 dump")
    assert None in lines, "it lets go in between"
    said = [line for line in lines if line and not line.startswith("wrong: ")]
    assert said[-2:] == [
        "leaves: 10001 x 4K, mapping 40,004 KiB (rwx); tables below the first: 21",
        "cut after 10,022 descriptors; the rest: s2 dump 0x2711000-0xffffffffff",
    ]
    assert lines.count("wrong: 1 more") == 1
    assert "a loop: 0x40002000 is the table of level 1 on the way to it" in "".join(line or "" for line in lines)
    again = ask(machine, "s2 dump 0x2711000-0xffffffffff")
    assert str(again[-1]).startswith("cut after 10,0")
    assert next(line for line in again if line and line.startswith("0x")).startswith("0x0002711000-0x0002711fff")
    tree = ask(machine, "s2 dump --tree 0x2711000-0xffffffffff --vmid 7")
    assert str(tree[-1]).endswith("-0xffffffffff --tree --vmid 7")
    assert json.loads(str(ask(machine, "s2 dump --json")[-1]))["next"] == 0x2711000


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda p: p.stem)
def test_transcript(path: Path) -> None:
    target = MACHINES.get(path.stem, hosted)()
    replay(target, path, History(target) if path.stem == "history" else None)


def test_help_without_el2_lists_all_but_what_is_about_it() -> None:
    said = list(registry.bind(machine := bare(el2=False))("help", machine.processes()[0].threads[0].id))
    listed = {name for name in registry.load() if any(re.match(rf"{name}  ", line) for line in said)}
    assert listed == {name for name, command in registry.load().items() if not command.about}


def test_each_command_is_in_a_transcript() -> None:
    typed = " ".join(f"{step.text} " for path in HERE.glob("*.txt") for step in steps(path))
    assert [name for name in registry.load() if f"$ {name} " not in typed] == ["commands", "exits export"]


def test_catchpoints_end_with_their_session_unless_kept() -> None:
    target = hosted()
    run = registry.bind(target)
    thread = target.processes()[0].threads[0].id
    for line in ("vmexit catch hvc", "vmexit catch --keep dabt", "vmexit catch wfx"):
        assert list(run(line, thread))
    run.left()
    assert list(run("vmexit list", thread)) == ["number  hits  exits", "     2     0  dabt (kept)"]
    assert len(target.catchers) == 1


@pytest.mark.parametrize("make", [hosted, bare])
def test_what_needs_no_cpu_works_with_all_off(make: type) -> None:
    """Nothing raises but what says, in words, that nobody is there to be looked at."""
    target = make()
    target.end(1)
    off = f"{target.off_text}: `run` or `monitor reset` starts again"
    arguments = {"walk": "0", "x": "pa:0x40000000", "sysreg": "VBAR_EL1", "inject serror": "--cpu 0", "watch": "list"}
    arguments |= {"owner": "0", "s2 watch": "0", "gic why": "27", "inject interrupt": "40"}
    arguments |= {"vmexit catch": "hvc", "vmexit delete": "all", "step interrupts": ""}
    needs = set()
    for name in registry.load():
        try:
            list(registry.run(f"{name} {arguments.get(name, '')}", registry.Context(target, None)))
        except CommandError as e:
            if str(e) == off:
                needs.add(name)
        if name == "reset":
            target.end(1)  # it has begun again
    assert needs == NEED_A_THREAD | {"gic" if make is hosted else "s2 watch"}


def test_commands_tells_programs_the_whole_table() -> None:
    (line,) = ask(bare(), "commands --json")
    rows = json.loads(line)
    assert [r["name"] for r in rows] == list(registry.load())
    assert all(r["help"] and r["usage"].startswith(r["name"]) for r in rows)
    assert ask(bare(), "commands") == [r["usage"] for r in rows]


def test_each_command_that_reports_has_json() -> None:
    silent = {
        "answer",
        "bundle",
        "exits export",
        "help",
        "inject abort",
        "inject interrupt",
        "inject power-button",
        "inject serror",
        "reset",
        "snapshot delete",
        "snapshot restore",
        "snapshot write",
        "step interrupts",
        "stop-on loop",
        "version",
        "vm name",
        "vmexit catch",
        "vmexit delete",
    }
    assert {name for name, c in registry.load().items() if "--json" not in [a.name for a in c.args]} == silent


@pytest.mark.parametrize("name", [n for n, c in registry.load().items() if "--json" in [a.name for a in c.args]])
@pytest.mark.parametrize("make", [hosted, bare])
def test_json_is_one_document(name: str, make: type) -> None:
    target = make()
    arguments = {"sysreg": "TTBR*", "walk": "0x40200000", "x": "pa:0x44200000", "owner": "pa:0x44200000", "s2 watch": "0"}
    arguments |= {"gic why": "27", "goto": "0", "mark": "m", "last-write": "x0", "history switch": "main"}
    arguments["last-change s2"] = "ipa:0x40200000"
    never = ("s2 watch", "history fork")
    refused = ("vmexit last", "s2 dump", "s2 mark", "s2 diff", "s2 audit", "frame guest", "last-change s2")
    if name == "s2 diff" and isinstance(target, HostTarget):
        run = registry.bind(target)
        said = [list(run(line, target.processes()[0].threads[0].id)) for line in ("s2 mark", "s2 diff --json")]
        assert json.loads(str(said[1][-1]))["changes"] == []
        return
    if (isinstance(target, Machine) and name in refused) or name in never:
        with pytest.raises(GdbhvError):
            ask(target, f"{name} --json")
        return
    if name == "vmexit last":
        target.run_all(100)
    (line,) = [line for line in ask(target, f"{name} {arguments.get(name, '')} --json") if line is not None]
    assert json.loads(line) is not None


def test_the_reference_has_a_row_for_each_command() -> None:
    lines = helps.reference()
    assert len(lines) == 2 + len(registry.load())
    assert all(line.count("|") - line.count("\\|") == 3 for line in lines)


def test_two_vms_have_their_own_stage_2_and_their_own_last_exit() -> None:
    target = hosted(vms=2)
    registry.bind(target)
    ask(target, "vmexit catch hvc vm=vm2")
    stop = target.run_all()
    assert (stop.kind, stop.thread.pid) == (StopKind.EXIT, 2)
    assert ask(target, "vmexit last", 2)[0].startswith("hvc:0x0; ")
    assert "VMID 1" in "".join(ask(target, "vmexit last", 1))
    first, second = ask(target, "s2 dump", 1)[0], ask(target, "s2 dump", 2)[0]
    assert first.startswith("VMID 1, tables at")
    assert second.startswith("VMID 2, tables at")
    stats = ask(target, "vmexit stats")
    assert any(" vm1 " in line for line in stats)
    assert any(" vm2 " in line for line in stats)


def test_an_exit_of_each_name_is_caught_by_it() -> None:
    """Whatever exit_zoo causes: its name, typed as a specification, is understood and catches just that exit."""
    target = hosted()
    target.run_all()
    names = [row["name"] for row in target.machine.exit_counts()]
    assert len(names) >= 20
    for name in names:
        again = hosted()
        registry.bind(again)
        assert ask(again, f"vmexit catch {name}") == [f"catchpoint 1: {name}"]
        stop = again.run_all()
        assert stop.exit is not None
        assert stop.exit["name"] == name
        assert stop.text.startswith(f"{name}; ")


def test_every_counts_its_hits() -> None:
    target = hosted()
    run = registry.bind(target)
    thread = target.processes()[0].threads[0].id
    for spec in ("hvc", "hvc:0x0", "nr=0x84000000"):
        list(run(f"vmexit catch {spec}", thread))
    target.run_all()
    assert [row["hits"] for row in json.loads(next(run("vmexit list --json", thread)))] == [1, 1, 1]


def test_a_bug_in_a_command_is_an_error_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Target, *arguments: object) -> int:
        raise ZeroDivisionError("a bug")

    target = bare()
    monkeypatch.setattr(Machine, "read_register", broken)
    with pytest.raises(CommandError, match=r"sysreg failed \(ZeroDivisionError: a bug\): this is an error of gdbhv itself"):
        list(registry.run("sysreg HCR_EL2", registry.Context(target, registry.ThreadId(1, 1))))
    assert "monitor sysreg HCR_EL2 failed" in caplog.text


def test_exits_of_a_bare_machine_are_caught_and_counted_by_vmid() -> None:
    """A hypervisor of one ERET, a guest of one HVC, and a vector that waits for ever."""
    machine = bare()
    registry.bind(machine)
    for at, word in ((0x40000000, 0xD69F03E0), (0x40000100, 0xD40000A2), (0x40000C00, 0x14000000)):
        machine.core.write_pa(at, word.to_bytes(4, "little"))
    state = {"ELR_EL2": 0x40000100, "SPSR_EL2": 0x3C5, "HCR_EL2": 1 << 31, "VTTBR_EL2": 7 << 48, "VBAR_EL2": 0x40000800}
    for register, value in state.items():
        machine.core.write_register(0, register, value)
    ask(machine, "vmexit catch hvc:5 vmid=7")
    stop = machine.run_all()
    assert stop.text == (
        "hvc:0x5; hvc #5 at 0x40000100 (EL1); 0x0(0x0, 0x0, 0x0); now at EL2's vector, the guest is in `monitor frame guest`"
    )
    assert machine.read_register(stop.thread, "pc") == 0x40000C00
    assert ask(machine, "vmexit stats")[1].split() == ["1", "100.0%", "VMID", "7", "0x1016", "hvc:0x5"]
    assert ask(machine, "vmexit last")[1].endswith("VMID 7; class hvc, 0x1016")


def test_an_lpi_that_interrupts_a_guest_is_an_exit_of_its_name() -> None:
    core = (machine := interrupted()).core
    registry.bind(machine)
    for at, word in ((0x40000000, 0xD69F03E0), (0x40000100, 0x14000000)):  # ERET; a guest that spins
        core.write_pa(at, word.to_bytes(4, "little"))
    state = {"ELR_EL2": 0x40000100, "SPSR_EL2": 5, "HCR_EL2": 1 << 31 | 1 << 4, "ICC_PMR_EL1": 0xFF, "ICC_IGRPEN1_EL1": 1}
    for register, value in state.items():
        core.write_register(0, register, value)
    core.bus_write(0, 0x08000184, 4, 6)  # no SPIs
    ask(machine, "vmexit catch irq.lpi8193")
    assert machine.run_all().text.startswith("irq.lpi8193; ")


def test_a_table_outside_ram_is_named() -> None:
    machine = bare()
    root = 0x40002000
    machine.core.write_pa(root, (0x10001000 | 3).to_bytes(8, "little"))
    for register, value in (("VTTBR_EL2", root), ("VTCR_EL2", 0x80023558), ("HCR_EL2", 1)):
        machine.core.write_register(0, register, value)
    assert "table at 0x10001000, which is not RAM" in "\n".join(ask(machine, "s2 dump --tree"))


def test_random_words_are_errors_or_answers(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """No command line crashes: an answer, or one sentence."""
    rng = random.Random(seed)
    target = hosted()
    target.run_all(3000)
    words = [w for name in registry.load() for w in name.split()] + [
        a.name for c in registry.load().values() for a in c.args
    ]
    words += [
        "0",
        "-1",
        "0x40200000",
        "ipa:0x40200000",
        "pa:",
        "*",
        "=",
        "HCR_EL2",
        "HCR_EL2=",
        "el=",
        "--",
        "",
        "\u00e9",
        "99999999999999999999",
    ]
    for _ in range(300):
        line = " ".join(rng.choice(words) for _ in range(rng.randrange(5)))
        with contextlib.suppress(GdbhvError):
            assert all(isinstance(text, str) for text in ask(target, line))
    assert "failed" not in caplog.text


def test_a_bare_cpus_gic_registers_are_those_that_mrs_reaches() -> None:
    """At EL1 by HCR_EL2.FMO and IMO; at EL2 the physical ones. Oracle: MRS itself."""
    machine = boot.bare(boot.BootConfig(memory=64 << 20))
    core, thread = machine.core, machine.processes()[0].threads[0].id
    registers = {
        "PMR": (4, 6, 0), "RPR": (12, 11, 3), "CTLR": (12, 12, 4), "HPPIR0": (12, 8, 2), "HPPIR1": (12, 12, 2),
        "BPR0": (12, 8, 3), "BPR1": (12, 12, 3), "IGRPEN0": (12, 12, 6), "IGRPEN1": (12, 12, 7), "AP0R0": (12, 8, 4),
        "AP1R0": (12, 9, 0), "SRE": (12, 12, 5),
    }  # fmt: skip
    core.write_register(0, "cpsr", 0x3C9)
    for name, value in {"PMR": 0xF0, "IGRPEN0": 1, "IGRPEN1": 0, "BPR0": 5, "BPR1": 6}.items():
        core.write_register(0, f"ICC_{name}_EL1", value)
    core.write_register(0, "ICH_VMCR_EL2", 0x50 << 24 | 4 << 21 | 3 << 18 | 2)
    core.write_register(0, "ICH_HCR_EL2", 1)
    core.write_register(0, "ICH_LR0_EL2", 1 << 62 | 1 << 60 | 0x20 << 48 | 40)
    seen = set()
    for el, hcr in [(el, 1 << 31 | routes << 3) for el in (1, 2) for routes in range(4)]:
        core.write_register(0, "cpsr", 0x3C5 if el == 1 else 0x3C9)
        core.write_register(0, "HCR_EL2", hcr)
        for name, (crn, crm, op2) in registers.items():
            core.write_pa(0x40000000, (0xD5380000 | crn << 12 | crm << 8 | op2 << 5).to_bytes(4, "little"))
            core.write_register(0, "pc", 0x40000000)
            shown = machine.read_register(thread, f"ICC_{name}_EL1")
            by = core.virtual_by(0, f"ICC_{name}_EL1")
            machine.run([Action(thread, step=True)])
            assert core.read_register(0, "pc") == 0x40000004
            assert core.read_register(0, "x0") == shown, (el, hex(hcr), name)
            seen.add((el, by))
    assert seen == {(2, None), (1, None), (1, "HCR_EL2.FMO"), (1, "HCR_EL2.IMO"), (1, "HCR_EL2.FMO, IMO")}
    assert core.read_register(0, "ICC_PMR_EL1") == 0xF0
    core.write_register(0, "cpsr", 0x3C5)
    assert ask(machine, "sysreg ICC_PMR_EL1") == [
        "ICC_PMR_EL1        0x0000000000000050  Priority=0x50  virtual (HCR_EL2.FMO, IMO)"
    ]
    assert ask(machine, "gic")[2:4] == [
        "  list registers, of VMID 0 (VTTBR_EL2):",
        "  LR0: spi40 pending, priority 0x20, group 1",
    ]
