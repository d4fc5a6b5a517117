"""What a guest or a client can make grow has a bound, and what is beyond it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gdbhv import boot
from gdbhv.console import Console
from gdbhv.errors import CommandError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.vm import MOST_NOTES
from gdbhv.monitor import catchpoints, registry
from gdbhv.target import Action, StopKind

KINDS = 4096  # that are counted apart
CALLS = 6000  # HVC immediates


def target_with(path: Path, *words: int) -> HostTarget:
    path.write_bytes(b"".join(word.to_bytes(4, "little") for word in words))
    return boot.hosted(boot.BootConfig(image=path, memory=64 << 20))


def ask(target: HostTarget, command: str) -> list[str]:
    thread = target.processes()[0].threads[0].id
    return [line for line in registry.run(command, registry.Context(target, thread)) if line is not None]


def test_kinds_of_exits(tmp_path: Path) -> None:
    calls = [word for n in range(CALLS) for word in (0x12800000, 0xD4000002 | n << 5)]  # w0 = -1; hvc #n
    target = target_with(tmp_path / "calls.bin", *calls, 0xD4000002, 0x14000000)
    thread = target.processes()[0].threads[0].id
    assert target.run([Action(thread)], 2 * CALLS).kind is StopKind.BUDGET
    core, document = target.core, json.loads(ask(target, "vmexit stats --json")[0])
    assert len(core.exit_counts()) == len(document["counts"]) == KINDS
    assert document["exits"] == core.exits == sum(row["count"] for row in core.exit_counts()) + core.further_exits
    assert (
        document["further"] == core.further_exits == core.exits - KINDS - sum(row["count"] - 1 for row in core.exit_counts())
    )
    assert document["further"] >= CALLS - KINDS
    lines = ask(target, "vmexit stats --clear")
    assert [line.split()[-2:] for line in lines[-2:]] == [["further", "kinds"], ["further", "ones"]]
    assert (core.exit_counts(), core.further_exits) == ([], 0)


@pytest.mark.parametrize("hosted", [True, False])
def test_what_is_typed_ahead_of_the_guest(tmp_path: Path, hosted: bool) -> None:
    """The console is told how much the UART holds, and reads no more of an endless pipe."""
    (tmp_path / "spin.bin").write_bytes((0x14000000).to_bytes(4, "little"))
    console, config = Console(), boot.BootConfig(image=tmp_path / "spin.bin", memory=64 << 20)
    target = boot.hosted(config, console) if hosted else boot.bare(config, console)
    console.type(b"x" * 100_000)
    for _ in range(2):
        assert target.run_all(1000).kind is StopKind.BUDGET
    assert console.waiting == 100_000


def test_notes_of_what_is_not_served(tmp_path: Path) -> None:
    (vm,) = target_with(tmp_path / "nothing.bin", 0x14000000).host.vms
    for n in range(3 * MOST_NOTES):
        vm.note(f"ITS command {n}", None)
    told = vm.take_unserved()
    assert len(told) == MOST_NOTES + 1
    assert told[-1] == "more of its requests were not served than are told"
    assert vm.take_unserved() == []


@pytest.mark.parametrize("command", ["vmexit catch hvc", "watch pa:0x40000000-0x40000003 w"])
def test_catchpoints_and_watches(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchpoints, "MOST", 5)
    target = target_with(tmp_path / "nothing.bin", 0x14000000)
    run = registry.bind(target)
    thread = target.processes()[0].threads[0].id
    for _ in range(5):
        assert list(run(command, thread))
    with pytest.raises(CommandError, match=r"there are 5 .*; `monitor (vmexit|watch) delete` makes room"):
        list(run(command, thread))
