"""Hosted guests that are stopped at random places, for the tests of what can be saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from conftest import ROOT
from gdbhv import boot
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import StopKind
from guest_manifest import Case, cases
from hv.guest_runs import DEVICES, MEMORY

LIMIT = 3_000_000  # instructions: the longest guests are looked at so far


@dataclass(frozen=True)
class Setup:
    """VMs with what they run, on a number of CPUs."""

    name: str
    configs: tuple[boot.BootConfig, ...]
    cpus: int
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


@dataclass
class Hosted:
    """A host of a setup: its target, and the consoles of its VMs."""

    target: HostTarget
    consoles: list[bytearray] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return self.target.host

    def outcome(self) -> tuple[object, ...]:
        """All that must be the same after a run that is the same."""
        m = self.host.machine
        registers = [[m.gprs(cpu), m.vregs(cpu), m.read_register(cpu, "pc")] for cpu in range(m.cpus)]
        return list(map(bytes, self.consoles)), m.insns, m.now, m.exits, m.exit_counts(), registers


def make(setup: Setup) -> Hosted:
    """A new host with the VMs of a setup, at their first instructions."""
    host = Host(cpus=setup.cpus, memory=len(setup.configs) * MEMORY, cpu=setup.configs[0].cpu)
    made = Hosted(HostTarget(host))
    for config in setup.configs:
        made.consoles.append(bytearray())
        vm = boot.add_vm(host, config, made.consoles[-1].extend)
        for device in setup.devices:
            ipa, kind, intid = DEVICES[device]
            vm.add_device(ipa, kind(), intid)
    return made


def run(made: Hosted, stops: list[int], look: Callable[[], object]) -> None:
    """Run to the end, or to :data:`LIMIT`; stop after each number of instructions in ``stops``, and call ``look``."""
    machine = made.host.machine
    for at in [*sorted(stops), LIMIT]:
        while made.target.processes() and (left := at - sum(machine.insns)) > 0:
            before = sum(machine.insns)
            if made.target.run_all(left).kind is StopKind.BUDGET and sum(machine.insns) == before:
                return  # everybody waits, for ever
        if at < LIMIT:
            look()


def of_manifest(case: Case, cpus: int) -> Setup:
    """A case of guests/manifest.toml."""
    configs = [
        boot.BootConfig(image=case.elf, smp=case.vcpus, memory=MEMORY, append=case.bootargs(name), name=name, cpu="max")
        for name in case.vms
    ]
    return Setup(f"{case}-{cpus}-cpus", tuple(configs), cpus, tuple(case.devices))


def of_programs(smp: int, cpus: int, vms: int = 1) -> list[Setup]:
    """The system programs for EL1, each on as many vCPUs."""
    return [
        Setup(
            f"{elf.stem}-{vms}x{smp}-on-{cpus}",
            tuple(boot.BootConfig(image=elf, smp=smp, memory=MEMORY, name=f"vm{n}", cpu="max") for n in range(vms)),
            cpus,
        )
        for elf in sorted((ROOT / "guests" / "prebuilt").glob("el1_*.elf"))
    ]


SETUPS = [
    *(of_manifest(case, cpus) for case in cases() for cpus in sorted({1, case.vcpus * len(case.vms)})),
    *of_programs(1, 1),
    *of_programs(2, 2)[::2],
    *of_programs(2, 1)[1::2],
    *of_programs(4, 2)[::3],
    *of_programs(2, 2, vms=2)[1::5],
]
