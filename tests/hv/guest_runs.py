"""Run a case of guests/manifest.toml under the hypervisor, through the Python library, and note every exit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from elftools.elf.elffile import ELFFile

from gdbhv import boot
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.vcpu import Vcpu
from gdbhv.target import Action, Stop, StopKind
from guest_manifest import Case, ExpectedExit
from scripts.sessions.adder_device import AdderDevice

MEMORY = 128 << 20  # of each VM
BUDGET = 200_000_000  # instructions: no guest needs a tenth of it
RAM_ON_DEMAND = range(0x40000000, 0x42000000)


DEVICES = {"AdderDevice": (0x0A004000, AdderDevice, 80)}


@dataclass
class SeenExit:
    """An exit and the function that its PC is in ("?" if in none)."""

    function: str
    record: dict[str, Any]

    def __str__(self) -> str:
        ipa = self.record["ipa"]
        return f"{self.function:24}{self.record['name']}" + (f" ipa={ipa:#010x}" if ipa is not None else "")


@dataclass
class Run:
    """What came of a run: by VM name the console, and by VM name and vCPU the exits in order."""

    consoles: dict[str, bytearray] = field(default_factory=dict)
    exits: dict[tuple[str, int], list[SeenExit]] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    instructions: int = 0

    def lines(self, vm: str) -> list[str]:
        return self.consoles[vm].decode("ascii").splitlines()


class Functions:
    """Which function of a guest an address is in."""

    def __init__(self, case: Case) -> None:
        with case.elf.open("rb") as file:
            symbols = list(ELFFile(file).get_section_by_name(".symtab").iter_symbols())
        self._ranges = [
            (symbol["st_value"], symbol["st_value"] + symbol["st_size"], symbol.name)
            for symbol in symbols
            if symbol["st_info"]["type"] == "STT_FUNC"
        ]
        self._addresses = {symbol["st_value"]: symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_ABS"}

    def at(self, pc: int) -> str:
        return next((name for start, end, name in self._ranges if start <= pc < end), self._addresses.get(pc, "?"))


def run(
    case: Case,
    *,
    cpus: int,
    cpu: str = "max",
    block_mappings: bool = True,
    watch: Callable[[Host], object] | None = None,
    every: int = BUDGET,
    look: Callable[[HostTarget], object] | None = None,
) -> Run:
    """Run the VMs of ``case`` on a machine with ``cpus`` CPUs until all have ended, or something else stops them.

    :param watch: called with the host at the end.
    :param every: instructions after which it is stopped, ``look`` called, and gone on.
    """
    host = Host(cpus=cpus, memory=len(case.vms) * MEMORY, cpu=cpu, block_mappings=block_mappings)
    functions, result = Functions(case), Run()
    for name in case.vms:
        console = result.consoles[name] = bytearray()
        config = boot.BootConfig(
            image=case.elf, smp=case.vcpus, memory=MEMORY, append=case.bootargs(name), name=name, cpu=cpu
        )
        vm = boot.add_vm(host, config, console.extend)
        for device in case.devices:
            ipa, make, intid = DEVICES[device]
            vm.add_device(ipa, make(), intid)
        result.exits |= {(name, vcpu): [] for vcpu in range(case.vcpus)}

    def note(vcpu: Vcpu, record: Any) -> None:
        result.exits[vcpu.vm.name, vcpu.index].append(SeenExit(functions.at(record["pc"]), dict(record)))

    host.on_exit.append(note)
    target = HostTarget(host)
    while processes := target.processes():
        stop = target.run([Action(thread.id) for process in processes for thread in process.threads], every)
        if look is not None and stop.kind is StopKind.BUDGET:
            look(target)
            continue
        result.stops.append(stop)
        if stop.kind is not StopKind.POWEROFF:
            break
    result.instructions = sum(host.machine.insns)
    if watch is not None:
        watch(host)
    return result


def matches(expected: ExpectedExit, seen: SeenExit) -> bool:
    """Whether an exit is the one that a line of the manifest describes."""
    pattern, *filters = expected.spec.split()
    wanted, _, argument = pattern.partition(":")
    name, _, actual = seen.record["name"].partition(":")
    first, *rest = wanted.split(".")
    parts = name.split(".")
    return (
        seen.function == expected.function
        and parts[0] == first
        and set(rest) <= set(parts[1:])
        and argument in ("", actual)
        and all(seen.record["ipa"] == int(value, 0) for key, value in (f.split("=") for f in filters) if key == "ipa")
    )


def is_memory_fill(seen: SeenExit) -> bool:
    """Whether the exit is only the first touch of a part of RAM."""
    return ".trans." in seen.record["name"] and seen.record["ipa"] in RAM_ON_DEMAND
