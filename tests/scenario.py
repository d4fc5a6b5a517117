"""Scenarios of the kit: what is loaded where, what the console must show, and what is typed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import Kit
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.machine import Machine
from gdbhv.target import Stop, StopKind

STEP = 2_000_000  # instructions between two looks at the console


@dataclass
class Scenario:
    """``key=value`` lines: ``load`` and the steps (``marker``, ``send``, ``key``) repeat, in order."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    load: list[tuple[str, int]] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, kit: Kit, name: str) -> Scenario:
        """Read one; a test whose scenario the kit lacks is skipped."""
        path = kit.folder / "scenarios" / f"{name}.conf"
        if not path.exists():
            pytest.skip(f"{path} is not there: the kit of scripts/fetch_guests.py has no such scenario")
        made = cls(kit.folder)
        for line in path.read_text().splitlines():
            key, _, value = line.partition("=")
            if key == "load":
                address, _, file = value.partition(" ")
                made.load.append((str(kit.folder / file), int(address, 0)))
            elif key in ("marker", "send", "key"):
                made.steps.append((key, value))
            else:
                made.values[key] = value
        return made

    def config(self, **others: object) -> boot.BootConfig:
        """Return what to boot."""
        v = self.values
        flash = [(str(self.folder / v["flash0"]), False)] if "flash0" in v else []
        fields = {"smp": int(v["cpus"]), "memory": int(v["mem"]) << 20, "entry": int(v["entry"], 0), "x0": int(v["x0"], 0)}
        return boot.BootConfig(**{**fields, "load": self.load, "flash": flash, **others})  # type: ignore[arg-type]

    def play(self, config: boot.BootConfig, most: int) -> tuple[Machine, Stop]:
        """Run it on a bare machine: all markers come, in order, within ``most`` instructions."""
        console = Console()
        target = boot.bare(config, console, el2=self.values["el"] == "2")
        steps, at = list(self.steps), 0
        while True:
            stop = target.run_all(STEP)
            while steps:
                kind, text = steps[0]
                if kind == "marker":
                    found = console.text.find(text.encode(), at)
                    if found < 0:
                        break
                    at = found + len(text)
                else:
                    typed = text.encode().decode("unicode_escape").encode("latin-1")
                    console.type(typed + b"\n" * (kind == "send"))
                steps.pop(0)
            over = stop.kind is not StopKind.BUDGET
            if over or (not steps and self.values["end"] == "stop"):
                assert not steps, (stop, steps, console.text[-3000:].decode(errors="replace"))
                return target, stop
            assert sum(target.core.insns) < most, (steps, console.text[-3000:].decode(errors="replace"))
