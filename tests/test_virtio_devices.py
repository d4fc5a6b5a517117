"""An entropy device and a console in the virtio slots of a machine: where they are, snapshots, resets, replays, options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import boot
from gdbhv.config import BootConfig, Drive
from gdbhv.console import Console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.vm import Vm
from gdbhv.machine.machine import Machine
from gdbhv.target import Space, StopKind, ThreadId
from oracle import virtio
from oracle.virtio import DATA, FIRST, SLOT, USED, WRITE, describe, offer, read, start, until

CPU = ThreadId(1, 1)
DRAW = [
    *start(1 << 32),
    *describe(0, DATA, 16, WRITE),
    *offer(0, 0),
    until(USED + 2, 1, 2),
    read(DATA, 8),
    read(DATA + 8, 8),
]
DRAW_AGAIN = [*describe(1, DATA, 8, WRITE), *offer(1, 1), until(USED + 2, 2, 2), read(DATA, 8)]
READ_BOTH = [*start(1 << 32), *describe(0, DATA, 4, WRITE), *offer(0, 0), until(USED + 2, 1, 2), read(DATA), read(USED + 8)]


def guest(folder: Path, steps: list[virtio.Step], **others: object) -> BootConfig:
    """The guest that takes steps, as raw bytes from the beginning of RAM on."""
    data = bytearray()
    for address, piece in virtio.steps_of(steps):
        data[address - boot.RAM :] = bytes(max(0, address - boot.RAM - len(data)))
        data[address - boot.RAM :] = piece
    path = folder / "guest.bin"
    path.write_bytes(data)
    return BootConfig(path, load_address=boot.RAM, entry=virtio.ENTRY, memory=128 << 20, **others)  # type: ignore[arg-type]


def results(machine: Machine, steps: list[virtio.Step], *last: int) -> list[int]:
    return [int.from_bytes(machine.core.read_pa(virtio.RESULTS + 8 * (len(steps) - n), 8), "little") for n in last]


def test_what_is_where(tmp_path: Path) -> None:
    (disk := tmp_path / "disk.img").write_bytes(bytes(512))
    machine = boot.bare(guest(tmp_path, [], drive=[Drive(str(disk))], rng=1, virtio_console=True), el2=False)
    found = [machine.read_memory(CPU, FIRST - n * SLOT + 8, 4, Space.PA)[0] for n in range(4)]
    assert found == [2, 4, 3, 0]


def test_numbers_follow_from_the_seed(tmp_path: Path) -> None:
    steps = [*DRAW, *DRAW_AGAIN]
    drawn = []
    for seed in (5, 5, 6):
        machine = boot.bare(guest(tmp_path, steps, rng=seed), el2=False)
        way = machine.snapshot("way") if seed == 5 else None
        assert machine.run_all().kind is StopKind.POWEROFF
        drawn.append(results(machine, steps, 1, len(DRAW_AGAIN) + 1, len(DRAW_AGAIN) + 2))
        if way is not None:
            way.write(tmp_path / "way.snap")
            there = boot.resumed(tmp_path / "way.snap")
            there.run_all()
            assert results(there, steps, 1) == drawn[-1][:1]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({*drawn[0]}) == 3, "each is another one"


def test_a_vm_draws_the_same_numbers_as_a_machine(tmp_path: Path) -> None:
    steps = [*DRAW, *DRAW_AGAIN]
    machine = boot.bare(guest(tmp_path, steps, rng=5), el2=False)
    machine.run_all()
    wanted = results(machine, steps, 1, len(DRAW_AGAIN) + 1, len(DRAW_AGAIN) + 2)
    target = boot.hosted(guest(tmp_path, steps, rng=5))
    vm = target.host.vms[0]

    def drawn(vm: Vm) -> list[int]:
        ago = (1, len(DRAW_AGAIN) + 1, len(DRAW_AGAIN) + 2)
        return [int.from_bytes(vm.read(virtio.RESULTS + 8 * (len(steps) - n), 8), "little") for n in ago]

    target.snapshot("way").write(tmp_path / "way.snap")
    for _ in range(2):
        assert target.run_all().kind is StopKind.POWEROFF
        assert drawn(vm) == wanted
        target.reset(1)
    there = boot.resumed(tmp_path / "way.snap")
    assert isinstance(there, HostTarget)
    assert there.run_all().kind is StopKind.POWEROFF
    assert drawn(there.host.vms[0]) == wanted


def test_what_is_typed_goes_to_the_console(tmp_path: Path) -> None:
    console = Console()
    machine = boot.bare(guest(tmp_path, READ_BOTH, virtio_console=True), console, el2=False)
    assert not machine.core.listens
    machine.run_all(3000)
    assert machine.core.listens
    before = machine.snapshot("listening")
    console.type(b"ab")
    assert machine.run_all().kind is StopKind.POWEROFF
    assert results(machine, READ_BOTH, 1, 2) == [2, int.from_bytes(b"ab", "little")]
    before.restore()
    console.type(b"xy")
    machine.run_all()
    assert results(machine, READ_BOTH, 2) == [int.from_bytes(b"xy", "little")]


def test_what_is_typed_early_waits_also_for_a_reset(tmp_path: Path) -> None:
    console = Console()
    machine = boot.bare(guest(tmp_path, READ_BOTH, virtio_console=True), console, el2=False)
    console.type(b"ab")
    machine.run_all(10)
    machine.reset()
    machine.run_all()
    assert results(machine, READ_BOTH, 2) == [int.from_bytes(b"ab", "little")]


def test_a_vm_has_the_console_too(tmp_path: Path) -> None:
    """What is typed goes there, also early and over a reset, and from a snapshot on."""
    console = Console()
    target = boot.hosted(guest(tmp_path, READ_BOTH, virtio_console=True), console)

    def taken(target: HostTarget) -> bytes:
        data = target.host.vms[0].read(virtio.RESULTS + 8 * (len(READ_BOTH) - 2), 8)
        return data.rstrip(b"\0")

    console.type(b"ab")
    target.run_all(10)
    target.reset(1)
    assert target.run_all().kind is StopKind.POWEROFF
    assert taken(target) == b"ab"
    target.reset(1)
    target.run_all(3000)
    target.snapshot("listening").write(tmp_path / "listening.snap")
    console.type(b"xy")
    assert target.run_all().kind is StopKind.POWEROFF
    assert taken(target) == b"xy"
    other = Console()
    there = boot.resumed(tmp_path / "listening.snap", other)
    assert isinstance(there, HostTarget)
    other.type(b"z")
    assert there.run_all().kind is StopKind.POWEROFF
    assert taken(there) == b"z"


def test_a_machine_with_other_devices_is_another_one(tmp_path: Path) -> None:
    one = boot.bare(guest(tmp_path, DRAW, rng=5), el2=False)
    one.snapshot("one").write(tmp_path / "one.snap")
    from gdbhv import snapshot

    for others in ({"rng": 6}, {}, {"rng": 5, "virtio_console": True}):
        other = boot.bare(guest(tmp_path, DRAW, **others), el2=False)
        with pytest.raises(StateError, match="of another machine"):
            snapshot.load(other, tmp_path / "one.snap")
    with pytest.raises(GdbhvError, match="--pcie is for machines of the image's own"):
        boot.hosted(BootConfig(pcie=True))


def test_on_the_command_line(tmp_path: Path) -> None:
    config = guest(tmp_path, READ_BOTH)
    machine = ("--memory", "128M", "--load-address", "0x40000000", "--entry", "0x40200000", "--virtio-console")
    recording = str(tmp_path / "typed.rec")

    def run(*arguments: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "gdbhv", "run", *arguments]
        return subprocess.run(command, capture_output=True, input=typed, timeout=60, check=False)

    done = run(str(config.image), "--bare", *machine, "--record", recording, typed=b"ab")
    assert done.returncode == 0, done.stderr
    done = run("--replay", recording)
    assert (done.returncode, b"the same" in done.stderr) == (0, True), done.stderr
    assert run(str(config.image), *machine, typed=b"ab").returncode == 0
    assert run(str(config.image), *machine, "--pcie").returncode == 2
