"""The type-1 hypervisor of guests/type1/: its console and its exits are those of guests/manifest.toml, here and on QEMU.

Three judges: the manifest, the hypervisor's own counters, and a live QEMU. The list of exits is complete: what a guest
handles alone is proved by its absence.
"""

from __future__ import annotations

import bisect
import itertools
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from gdbhv import _core, image, tables
from gdbhv.exits import exitspec
from guest_manifest import GUESTS, PREBUILT, manifest
from oracle.qemu import executable
from system.test_system import BOARD, BUDGET, MEMORY, PROFILES

TYPE1 = next(h for h in manifest()["hypervisor"] if h["name"] == "type1")
ELF = PREBUILT / "type1.elf"
CLASSES = [row["number"] for row in tables.exit_classes().values()]
INTERRUPTS = 64  # the place in struct vm's exits[] behind those of ESR_EL2.EC
VMS = 2
EL2 = 0x8  # PSTATE.M[3:2]
KINDS = {
    *("iabt.trans.l1.x", "iabt.trans.l3.s1ptw.x"),
    *("dabt.trans.l3.r.isv", "dabt.trans.l3.r.noisv", "dabt.trans.l3.w.noisv", "dabt.trans.l1.w.isv", "dabt.perm.l3.w.isv"),
    *("sysreg.read:ID_AA64PFR0_EL1", "sysreg.write:ICC_SGI1R_EL1", "hvc:0x0", "wfx.wfi"),
    *("irq.ppi26", "irq.ppi27", "irq.spi33"),
}
BETWEEN_CPUS = {"irq.sgi0"}

each_cpu = pytest.mark.parametrize("cpu", PROFILES)
each_number_of_cpus = pytest.mark.parametrize("cpus", [1, 2])


class Program:
    """The ELF: functions by address, and what a debugger knows of its structures."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            elf = ELFFile(file)
            symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
            self.address = {s.name: s["st_value"] for s in symbols}
            self._starts = sorted((s["st_value"], s.name) for s in symbols if s["st_info"]["type"] == "STT_FUNC")
            self._structs = {
                die.attributes["DW_AT_name"].value.decode(): die
                for unit in elf.get_dwarf_info().iter_CUs()
                for die in unit.iter_DIEs()
                if die.tag == "DW_TAG_structure_type" and "DW_AT_byte_size" in die.attributes
            }
            self.size = {name: die.attributes["DW_AT_byte_size"].value for name, die in self._structs.items()}
            self.offset = {
                (name, member.attributes["DW_AT_name"].value.decode()): member.attributes["DW_AT_data_member_location"].value
                for name, die in self._structs.items()
                for member in die.iter_children()
                if "DW_AT_name" in member.attributes
            }

    def function(self, pc: int) -> str:
        return self._starts[bisect.bisect_right(self._starts, (pc, "\x7f")) - 1][1]


PROGRAM = Program(ELF)


@dataclass
class Run:
    """What came of a run: the console, all exits, and the machine."""

    machine: Any
    console: str = ""
    records: list[Any] = field(default_factory=list)
    together: list[list[tuple[int, int]]] = field(default_factory=list)
    """At each exit: which vCPUs (see `vcpu`) are in a guest, and as the last one that which has just left it."""

    def read(self, what: str, index: int, struct: str, member: str, n: int = 0) -> int:
        """Return a word of the hypervisor's memory: ``what[index].member[n]``."""
        address = PROGRAM.address[what] + index * PROGRAM.size[struct] + PROGRAM.offset[struct, member] + 8 * n
        return int.from_bytes(self.machine.read_pa(address, 8), "little")


def vcpu(machine: Any, cpu: int) -> tuple[int, int]:
    """Return which vCPU a CPU has, as the processor knows it: VMID, and Aff0 of the MPIDR_EL1 that it reads."""
    return machine.read_register(cpu, "VTTBR_EL2") >> 48, machine.read_register(cpu, "VMPIDR_EL2") & 0xFF


def run(cpu: str, cpus: int, *, catching: bool = False, every: int | None = None, gic: int = 3) -> Run:
    """Run it to its end.

    :param catching: stop at every exit, and keep its record.
    :param every: stop, and go on, after so many instructions.
    """
    machine = _core.Machine(cpus=cpus, memory=MEMORY, cpu=cpu, hosted=False, gic=gic)
    loaded = image.load(ELF)
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    machine.catch_exits(CLASSES if catching else [])
    done = Run(machine)
    while True:
        stop = machine.run(BUDGET, insns=every and sum(machine.insns) + every)
        if stop["kind"] == "caught":
            done.records.append(machine.exit_record(stop["cpu"]))
            others = [n for n in range(cpus) if n != stop["cpu"] and machine.read_register(n, "cpsr") & 0xC < EL2]
            done.together.append([vcpu(machine, n) for n in (*others, stop["cpu"])])
        elif stop["kind"] != "budget" or machine.now >= BUDGET:
            break
    done.console = machine.take_output().decode("ascii")
    assert stop["kind"] == "poweroff", f"{stop['kind']} after:\n{done.console}"
    return done


def rows(vmid: int) -> list[tuple[str, str, str]]:
    """Return the manifest's exits of a VM: how many, the function, the specification."""
    lines = [line.split(maxsplit=2) for line in TYPE1["exits"][f"vmid{vmid}"].splitlines()]
    return [(count, function, spec) for count, function, spec in lines]


def test_it_is_read_in_an_evening() -> None:
    """1,500 lines at most, all of it, comments too."""
    assert sum(len(path.read_text().splitlines()) for path in (GUESTS / "type1").iterdir()) <= 1500


@each_number_of_cpus
@each_cpu
def test_console(cpu: str, cpus: int) -> None:
    done = run(cpu, cpus)
    assert done.console == TYPE1["console"]
    pieces = run(cpu, cpus, every=997)
    assert (pieces.console, pieces.machine.insns) == (done.console, done.machine.insns)


def test_a_board_that_it_cannot_use_is_named() -> None:
    assert run("max", 1, gic=2).console.splitlines()[1].startswith("type1: no GICv3 here: -M virt,gic-version=3 for QEMU")


@each_number_of_cpus
@each_cpu
def test_console_on_qemu(cpu: str, cpus: int) -> None:
    command = [executable(), "-M", "virt,virtualization=on,gic-version=3", *BOARD, "-cpu", cpu, "-smp", str(cpus)]
    command += ["-serial", "stdio", "-kernel", str(ELF)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == TYPE1["console"]


@each_number_of_cpus
@each_cpu
def test_each_exit_is_the_manifests(cpu: str, cpus: int) -> None:
    """SVC, faults of stage 1, undefined instructions and virtual interrupts are EL1's own (Arm ARM D1.3): no row has one."""
    done = run(cpu, cpus, catching=True)
    assert done.console == TYPE1["console"]
    for vmid in range(1, VMS + 1):
        left = [r for r in done.records if r["vmid"] == vmid and r["class"] != "irq"]
        for count, function, spec in rows(vmid):
            wanted = exitspec.parse(spec)
            found = [r for r in left if PROGRAM.function(r["pc"]) == function and wanted.matches(r)]
            assert count == "*" or len(found) == int(count), f"VMID {vmid}: {function} {spec}"
            left = [r for r in left if r not in found]
        assert [(PROGRAM.function(r["pc"]), r["name"]) for r in left] == [], f"VMID {vmid}: more than listed"


def test_what_a_guest_does_alone_is_in_no_row() -> None:
    alone = {name for name in PROGRAM.address if name.startswith("own_")}
    assert alone == {"own_system_call", "own_undefined", "own_fault", "own_timer"}
    alone |= {"user_add", "user_program", "guest_vectors", "save_call_restore", "guest_synchronous"}
    assert alone <= PROGRAM.address.keys()
    assert alone.isdisjoint(function for vmid in range(1, VMS + 1) for _, function, _ in rows(vmid))


@each_number_of_cpus
@each_cpu
def test_the_hypervisor_counts_the_same(cpu: str, cpus: int) -> None:
    """Its own counters, by ESR_EL2.EC and for interrupts, at every VM's end."""
    done = run(cpu, cpus)
    seen: Counter[tuple[int, int]] = Counter()
    for row in done.machine.exit_counts():
        number = row["number"] - 0x1000
        seen[row["vmid"], number if number < INTERRUPTS else INTERRUPTS] += row["count"]
    own = {(vm + 1, ec): done.read("vms", vm, "vm", "exits", ec) for vm in range(VMS) for ec in range(INTERRUPTS + 1)}
    assert {key: count for key, count in own.items() if count} == dict(seen)


@each_number_of_cpus
@each_cpu
def test_the_machine_counts_each_kind(cpu: str, cpus: int) -> None:
    """`monitor vmexit stats` and the records say the same; and what a guest handles alone has no class among them."""
    done = run(cpu, cpus, catching=True)
    counts = {(row["vmid"], row["name"]): row["count"] for row in done.machine.exit_counts()}
    assert counts == Counter((record["vmid"], record["name"]) for record in done.records)
    assert {name for _, name in counts} == KINDS | (BETWEEN_CPUS if cpus == 2 else set())


@each_cpu
def test_vcpus_move_between_two_cpus(cpu: str) -> None:
    """And are never on two. A turn ends by an exit: from exits alone the hypervisor's own count of moves follows."""
    for cpus, moving in ((1, False), (2, True)):
        done = run(cpu, cpus, catching=True)
        assert all(len(set(vcpus)) == len(vcpus) for vcpus in done.together)
        assert max(map(len, done.together)) == cpus
        for n, which in enumerate([(1, 0), (2, 0), (2, 1)]):
            places = [r["cpu"] for r, vcpus in zip(done.records, done.together, strict=True) if vcpus[-1] == which]
            moves = sum(before != after for before, after in itertools.pairwise(places))
            assert done.read("vcpus", n, "vcpu", "moves") == moves
            assert bool(moves) == moving, which
            assert done.read("vcpus", n, "vcpu", "turns") >= max(2, moves + 1), "time slices"


@each_number_of_cpus
def test_two_runs_are_the_same(cpus: int) -> None:
    first, second = (run("max", cpus, catching=True) for _ in range(2))
    assert first.machine.insns == second.machine.insns
    assert first.records == second.records
