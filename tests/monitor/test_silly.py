"""Every monitor command with words that make no sense, on every kind of machine: lines or a sentence, never a bug."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.errors import GdbhvError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry

ZOO, TYPE1 = (ROOT / "guests" / "prebuilt" / f"{name}.elf" for name in ("exit_zoo", "type1"))
VALUES = (
    "''",
    "0",
    "-1",
    "1e9",
    "0x10000000000000000",
    "99999999999999999999999999999999",
    "0-0xffffffffffffffff",
    "ipa:0-0xffffffffffffffff",
    "pa:",
    "va:-1",
    "$pc",
    "$",
    "$nothing+1",
    "HCR_EL2",
    "HCR_EL2=x",
    "HCR_EL2.VM=99",
    "SCTLR_EL1.M=-1",
    "=1",
    "*",
    "[",
    "dabt.trans.w",
    "hvc:-1",
    "irq.ppi99999",
    "cpu=9999999999999999999",
    "pc=1-0",
    "vm:2",
    "vm:",
    "vm:99999999999999999999",
    "ipa:2:0x40000000",
    "ipa:3:",
    "2",
    "any",
    "all",
    "list",
    "delete",
    "on",
    "halt",
    "init",
    "\u00e4\u20ac\U0001f600",
    "\udcff",
    "a\0b",
    "x" * 5000,
    "--json",
    "--",
    "-",
    "'",
)
MOST_LINES = 500  # of one answer that are looked at


def ended(target: HostTarget | Machine) -> HostTarget | Machine:
    target.end(1)
    return target


def with_vms() -> Machine:
    """A hypervisor whose VMs have run: some of their vCPUs execute, one has been put aside."""
    machine = boot.bare(boot.BootConfig(image=TYPE1, smp=2, memory=64 << 20))
    machine.run_all(375_000)
    assert len(machine.vms()) == 2
    return machine


MACHINES: dict[str, Callable[[], HostTarget | Machine]] = {
    "hosted": lambda: boot.hosted(boot.BootConfig(image=ZOO, memory=16 << 20)),
    "two VMs": lambda: boot.hosted(boot.BootConfig(image=ZOO, memory=16 << 20), vms=2),
    "hosted, ended": lambda: ended(boot.hosted(boot.BootConfig(image=ZOO, memory=16 << 20))),
    "bare": lambda: boot.bare(boot.BootConfig(memory=16 << 20)),
    "bare, with VMs": with_vms,
    "no EL2": lambda: boot.bare(boot.BootConfig(memory=16 << 20), el2=False),
    "GICv2": lambda: boot.bare(boot.BootConfig(memory=16 << 20, gic=2)),
    "bare, ended": lambda: ended(boot.bare(boot.BootConfig(memory=16 << 20))),
}


def lines(command: registry.Command) -> Iterator[str]:
    """The command with nothing, with each value, with each of its options and each value, and with two values."""
    yield command.name
    yield from (f"{command.name} {value}" for value in VALUES)
    for arg in command.args:
        if arg.name.startswith("-"):
            yield f"{command.name} {arg.name}"
            yield from () if arg.flag else (f"{command.name} {arg.name} {value} 0" for value in VALUES)
    yield from (f"{command.name} {one} {two}" for one, two in itertools.pairwise(VALUES))


@pytest.mark.parametrize("kind", MACHINES)
def test_it_says_something_or_why_not(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)  # `snapshot write` writes
    caplog.set_level(logging.ERROR)
    for command in registry.load().values():
        target = MACHINES[kind]()
        run = registry.bind(target)
        for line in lines(command):
            threads = [thread.id for process in target.processes() for thread in process.threads]
            said = ""
            try:
                for text in itertools.islice(run(line, threads[0] if threads else None), MOST_LINES):
                    assert text is None or isinstance(text, str)
            except GdbhvError as error:
                said = str(error) or "nothing: error of gdbhv itself"
            assert "error of gdbhv itself" not in said, f"{kind}: {line!r:.200}: {said}"
            assert len(said) < 2 * len(line) + 2000
    assert not caplog.records
