"""guests/manifest.toml as objects, for the tests that run guests."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GUESTS = ROOT / "guests"
PREBUILT = GUESTS / "prebuilt"


@dataclass(frozen=True)
class ExpectedExit:
    """One line of [guest.case.exits]: the function that the exit's PC is in, and an exit specification."""

    function: str
    spec: str
    optional: bool


@dataclass(frozen=True)
class Case:
    """One way to run a guest; the manifest's opening comment says what each member means."""

    guest: str
    name: str
    vcpus: int
    vms: tuple[str, ...]
    devices: tuple[str, ...]
    places: tuple[str, ...] | None
    exits: tuple[tuple[ExpectedExit, ...], ...]
    races: bool
    _bootargs: str
    _console: str
    _alone: dict[str, str]

    @property
    def elf(self) -> Path:
        return PREBUILT / f"{self.guest}.elf"

    def bootargs(self, vm: str) -> str:
        return self._bootargs.replace("{vm}", vm)

    def console(self, vm: str) -> list[str]:
        """Return the lines that the VM prints under a hypervisor."""
        return self._console.replace("{vm}", vm).splitlines()

    def console_alone(self, vm: str) -> list[str]:
        """Return the lines that the guest prints on a board without a hypervisor."""
        return [self._alone.get(line, line) for line in self.console(vm)]

    @property
    def differences_alone(self) -> set[str]:
        return set(self._alone)

    def __str__(self) -> str:
        return f"{self.guest}-{self.name}".replace(" ", "-")


def manifest() -> dict[str, Any]:
    return tomllib.loads((GUESTS / "manifest.toml").read_text())


def cases() -> list[Case]:
    """Return all cases of all guests, in the manifest's order."""
    return [_case(guest["name"], case) for guest in manifest()["guest"] for case in guest["case"]]


def _case(guest: str, table: dict[str, Any]) -> Case:
    vcpus = table.get("vcpus", 1)
    exits = table["exits"]
    return Case(
        guest=guest,
        name=table["name"],
        vcpus=vcpus,
        vms=tuple(table.get("vms", ["vm"])),
        devices=tuple(table.get("devices", [])),
        places=tuple(table["places"]) if "places" in table else None,
        exits=tuple(_exits(exits[f"vcpu{number}"]) for number in range(vcpus)),
        races=table.get("races", False),
        _bootargs=table.get("bootargs", ""),
        _console=table["console"],
        _alone=table.get("alone", {}),
    )


def _exits(text: str) -> tuple[ExpectedExit, ...]:
    exits = []
    for line in text.splitlines():
        words = line.split()
        optional = words[0] == "?"
        function, *spec = words[optional:]
        exits.append(ExpectedExit(function, " ".join(spec), optional))
    return tuple(exits)
