"""Targets of every kind, run to a number of instructions and looked at as a whole, for the tests of snapshots."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from conftest import ROOT
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import StopKind

PREBUILT = ROOT / "guests" / "prebuilt"
MEMORY = 64 << 20
LIMIT = 20_000_000  # instructions: the longest guests are looked at so far

Consoles = dict[str, Console]
AnyTarget = HostTarget | Machine


@dataclass(frozen=True)
class Setup:
    """What runs: configurations of VMs, or of one bare machine."""

    name: str
    configs: tuple[boot.BootConfig, ...]
    el2: bool | None = None  # of a bare machine; None: hosted
    limit: int = LIMIT

    def __str__(self) -> str:
        return self.name

    def make(self) -> Run:
        """A new machine at its first instruction."""
        consoles = {c.name or "machine": Console() for c in self.configs}
        if self.el2 is None:
            return Run(boot.hosted(self.configs, consoles=consoles), consoles, self.limit)
        return Run(boot.bare(self.configs[0], consoles["machine"], el2=self.el2), consoles, self.limit)


@dataclass
class Run:
    """A target, and the consoles of its guests by name."""

    target: AnyTarget
    consoles: Consoles
    limit: int = LIMIT

    @property
    def insns(self) -> int:
        return sum(self.target.core.insns)

    def to(self, insns: int | None = None) -> None:
        """Run until so many instructions have been executed since power-on, or to the end."""
        until = self.limit if insns is None else insns
        while self.target.processes() and (left := until - self.insns) > 0:
            before = self.insns
            stop = self.target.run_all(left)
            if stop.kind is StopKind.RESET:
                self.target.reset(stop.thread.pid)
            elif stop.kind is StopKind.BUDGET and self.insns == before:
                return  # everybody waits, for ever

    def text(self) -> dict[str, bytes]:
        return {name: bytes(console.text) for name, console in self.consoles.items()}

    def whole(self) -> tuple[object, ...]:
        """Everything that is saved: two targets are the same if this is."""
        beside = self.target.save_beside()
        core = self.target.core
        one = core.snapshot()
        data = core.export_snapshot(one)
        core.forget_snapshot(one)
        return core.insns, core.now, core.exits, core.exit_counts(), beside.state, data


def resumed(path: Path, names: Consoles, limit: int = LIMIT) -> Run:
    """A new target from a file."""
    consoles = {name: Console() for name in names}
    if "machine" in names:
        return Run(boot.resumed(path, consoles["machine"]), consoles, limit)
    return Run(boot.resumed(path, consoles=consoles), consoles, limit)


def hosted(guest: str, *, vcpus: int = 1, vms: int = 1, append: str = "") -> Setup:
    config = boot.BootConfig(image=PREBUILT / f"{guest}.elf", smp=vcpus, memory=MEMORY, append=append)
    return Setup(f"{guest}-{vms}x{vcpus}", tuple(replace(config, name=f"vm{n + 1}") for n in range(vms)))


def bare(guest: str, *, cpus: int = 1, gic: int = 3, el2: bool = True, cpu: str = "max") -> Setup:
    config = boot.BootConfig(image=PREBUILT / f"{guest}.elf", smp=cpus, memory=MEMORY, gic=gic, cpu=cpu)
    return Setup(f"{guest}-bare{cpus}", (config,), el2)


def system_programs() -> list[Setup]:
    tables = {p.stem: tomllib.loads(p.read_text()) for p in sorted((ROOT / "guests" / "system").glob("*.toml"))}
    return [bare(f"system_{name}", cpus=t.get("cpus", 1), gic=t.get("gic", 3)) for name, t in tables.items()]


def el1_programs() -> list[Setup]:
    names = sorted(elf.stem for elf in PREBUILT.glob("el1_*.elf"))
    return [hosted(name, vcpus=1 + n % 2, vms=1 if n % 5 else 2) for n, name in enumerate(names)]


SMALL: list[Setup] = [
    hosted("exit_zoo"),
    hosted("hello", vms=3),
    hosted("two_vcpus", vcpus=2),
    hosted("wrong_store"),
    hosted("self_debug"),
    hosted("loops", append="alu=1000"),
    bare("type1", cpus=2),
    bare("type1"),
    bare("hello", el2=False),
    replace(bare("exit_zoo", cpu="cortex-a57"), limit=200_000),  # it waits for ever for a hypervisor
]
