"""Disks in the virtio slots: reads and writes, snapshots, resets, recordings, files that keep, files that are none."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gdbhv import boot, drives
from gdbhv.config import BootConfig, Drive
from gdbhv.errors import GdbhvError, ImageError, StateError
from gdbhv.machine.machine import Machine
from gdbhv.target import Space, StopKind, ThreadId
from oracle import virtio
from oracle.virtio import DATA, FIRST, request, start

CPU = ThreadId(1, 1)
SIZE = 128 << 20
SECTORS = 64
CONTENT = bytes(at % 251 for at in range(512 * SECTORS))
WRITTEN = struct.pack("<Q", 0x1122_3344_5566_7788) * 64
PROGRAM = [*start(1 << 32), *(virtio.write(DATA + 0x1000 + 8 * n, 0x1122_3344_5566_7788, 8) for n in range(64))]
STEPS = [*PROGRAM, *request(1, 5, 512, 0)]
"""Writes sector 5, and switches the machine off."""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """The guest that takes STEPS, as raw bytes from the beginning of RAM on."""
    path = tmp_path / "guest.bin"
    data = bytearray()
    for address, piece in virtio.steps_of(STEPS):
        data[address - boot.RAM :] = bytes(max(0, address - boot.RAM - len(data)))
        data[address - boot.RAM :] = piece
    path.write_bytes(data)
    return path


def config(guest: Path, *disks: Drive) -> BootConfig:
    return BootConfig(image=guest, load_address=boot.RAM, entry=virtio.ENTRY, memory=SIZE, drive=list(disks))


def sector(machine: Machine, number: int) -> bytes:
    return machine.core.drive_read(31, 512 * number, 512)


def test_a_guest_writes_to_the_machine_and_not_to_the_file(guest: Path, disk: Path) -> None:
    machine = boot.bare(config(guest, Drive(str(disk))), el2=False)
    before = machine.snapshot("before")
    assert machine.run_all().kind is StopKind.POWEROFF
    assert (sector(machine, 5), sector(machine, 6)) == (WRITTEN, CONTENT[6 * 512 : 7 * 512])
    assert disk.read_bytes() == CONTENT
    count = sum(machine.core.insns)
    before.restore()
    assert sector(machine, 5) == CONTENT[5 * 512 : 6 * 512]
    assert machine.run_all().kind is StopKind.POWEROFF
    assert (sector(machine, 5), sum(machine.core.insns)) == (WRITTEN, count)


def test_a_reset_leaves_what_was_written(guest: Path, disk: Path) -> None:
    machine = boot.bare(config(guest, Drive(str(disk))), el2=False)
    machine.run_all()
    machine.reset()
    assert sector(machine, 5) == WRITTEN
    status = machine.read_memory(CPU, FIRST + 0x70, 4, Space.PA)
    assert (status, machine.read_memory(CPU, FIRST + 8, 4, Space.PA)) == (bytes(4), b"\2\0\0\0")
    assert machine.run_all().kind is StopKind.POWEROFF


@pytest.mark.parametrize("hosted", [False, True])
def test_a_snapshots_file_has_what_was_written_and_names_the_disk(
    guest: Path, disk: Path, tmp_path: Path, *, hosted: bool
) -> None:
    make: Callable[[BootConfig], Machine] = boot.hosted if hosted else lambda c: boot.bare(c, el2=False)  # type: ignore[assignment]
    target = make(config(guest, Drive(str(disk))))
    target.run_all()
    path = tmp_path / "after.snap"
    target.snapshot("after").write(path)
    (slots, _), *_ = boot.resumed(path).disks()
    assert slots.drive_read(31, 5 * 512, 512) == WRITTEN
    elsewhere = tmp_path / "moved.img"
    disk.rename(elsewhere)
    with pytest.raises(StateError, match=r"disk\.img: No such file or directory; .* elsewhere now: --drive FILE"):
        boot.resumed(path)
    (slots, _), *_ = boot.resumed(path, drive=[Drive(str(elsewhere))]).disks()
    assert slots.drive_read(31, 5 * 512, 512) == WRITTEN
    elsewhere.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(StateError, match="not the disk that the snapshot was made with"):
        boot.resumed(path, drive=[Drive(str(elsewhere))])
    disk.write_bytes(CONTENT)
    os.utime(disk, ns=(1, 1))
    with pytest.raises(StateError, match="has changed while the machine ran"):
        target.snapshots["after"].write(path)


def test_a_hosted_vm_that_wrote_too_much_for_a_file(
    guest: Path, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = boot.hosted(config(guest, Drive(str(disk))))
    target.run_all()
    monkeypatch.setattr("gdbhv.snapshot.snapfile.MOST_HOST", 1 << 14)
    with pytest.raises(StateError, match="wrote to their disks is too much for a file"):
        target.snapshot("much").write(tmp_path / "much.snap")
    assert not (tmp_path / "much.snap").exists()


def test_a_hosted_vm_has_the_same_disks(guest: Path, disk: Path) -> None:
    target = boot.hosted(config(guest, Drive(str(disk))))
    assert target.run_all().kind is StopKind.POWEROFF
    ((slots, (plugged,)),) = target.disks()
    assert (plugged.slot, slots.drive_read(31, 5 * 512, 512)) == (31, WRITTEN)
    vm = target.host.vms[0]
    results = struct.unpack(f"<{len(STEPS)}Q", vm.read(virtio.RESULTS, 8 * len(STEPS)))
    assert list(results) == virtio.on_gdbhv(STEPS, [disk])
    vm.power_on()
    assert slots.drive_read(31, 5 * 512, 512) == WRITTEN


def test_a_disk_is_read_when_it_is_needed_and_an_error_is_told(guest: Path, disk: Path) -> None:
    machine = boot.bare(config(guest, Drive(str(disk))), el2=False)
    os.truncate(disk, 512)
    assert machine.run_all().kind is StopKind.POWEROFF
    assert machine.read_memory(CPU, DATA + 16, 1, Space.PA) == b"\1"
    (said,) = machine.take_unserved()
    assert "slot 31: it cannot be read" in said
    assert not machine.take_unserved()


def qcow2(clusters: dict[int, bytes], size: int, backing: bytes = b"") -> bytes:
    """Make an image of so many bytes: 64 KiB clusters by number; b"" is of zeros."""
    bits, one = 16, 1 << 16
    name_at = 112 if backing else 0
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, name_at, len(backing), bits, size, 0, 1, 3 * one, one, 1, 0, 0)
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104) + struct.pack(">II", 0, 0) + backing
    data = {n: content for n, content in clusters.items() if content}
    table = [0] * (one // 8)
    for place, number in enumerate(data, 5):
        table[number] = 1 << 63 | place * one
    for number, content in clusters.items():
        table[number] = table[number] if content else 1
    parts = [header, struct.pack(">Q", 2 * one), struct.pack(f">{5 + len(data)}H", *[1] * (5 + len(data)))]
    parts += [struct.pack(">Q", 1 << 63 | 4 * one), struct.pack(f">{len(table)}Q", *table), *data.values()]
    return b"".join(part.ljust(one, b"\0") for part in parts)


def test_a_qcow2_is_read(guest: Path, tmp_path: Path) -> None:
    one = 1 << 16
    clusters = {0: CONTENT, 2: bytes(range(256)) * 256, 3: b"", 5: b"the last"}
    path = tmp_path / "disk.qcow2"
    path.write_bytes(qcow2(clusters, 6 * one))
    machine = boot.bare(config(guest, Drive(str(path), format="qcow2")), el2=False)
    assert machine.core.drive_size(31) == 6 * one
    for number in range(6):
        expected = clusters.get(number, b"").ljust(one, b"\0")
        assert machine.core.drive_read(31, number * one, one) == expected, number
    before = path.read_bytes()
    assert machine.run_all().kind is StopKind.POWEROFF
    assert sector(machine, 5) == WRITTEN
    assert path.read_bytes() == before


def test_a_qcow2_that_needs_another_file_is_refused(guest: Path, tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(qcow2({}, 1 << 20, backing=b"/etc/passwd"))
    with pytest.raises(ImageError, match="a qcow2 image that needs another file"):
        boot.bare(config(guest, Drive(str(path), format="qcow2")), el2=False)


# --- on the command line


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gdbhv", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


MACHINE = ("--memory", "128M", "--load-address", "0x40000000", "--entry", "0x40200000")


def test_a_file_keeps_what_is_written_if_it_is_said(guest: Path, disk: Path) -> None:
    for how in ("--bare", "--el=1"):
        disk.write_bytes(CONTENT)
        assert run(guest, how, *MACHINE, "--drive", disk).returncode == 0
        assert disk.read_bytes() == CONTENT
        done = run(guest, how, *MACHINE, "--drive", f"{disk},rw")
        assert done.returncode == 0, done.stderr
        assert "has what the guest wrote to it" in done.stderr
        assert disk.read_bytes() == CONTENT[: 5 * 512] + WRITTEN + CONTENT[6 * 512 :]
    again = run(guest, "--bare", *MACHINE, "--drive", f"{disk},ro")
    assert again.returncode == 0
    assert "wrote" not in again.stderr


def test_a_replay_has_the_same_disk(guest: Path, disk: Path, tmp_path: Path) -> None:
    recording = tmp_path / "disk.rec"
    assert run(guest, "--bare", *MACHINE, "--drive", disk, "--record", recording).returncode == 0
    done = run("--replay", recording)
    assert (done.returncode, "the same" in done.stderr) == (0, True), done.stderr
    disk.write_bytes(bytes(len(CONTENT)))
    done = run("--replay", recording)
    assert (done.returncode, "not the file that was recorded" in done.stderr) == (1, True)


def test_a_snapshot_goes_on_with_the_disk_and_may_keep_it(guest: Path, disk: Path, tmp_path: Path) -> None:
    snap = tmp_path / "way.snap"
    assert run(guest, "--bare", *MACHINE, "--drive", disk, "--snapshot-at", f"50:{snap}").returncode == 0
    done = run("--snapshot", snap, "--drive", f"{disk},rw")
    assert done.returncode == 0, done.stderr
    assert disk.read_bytes()[5 * 512 : 6 * 512] == WRITTEN
    assert run("--snapshot", snap, "--drive", disk, "--drive", disk).returncode == 1


@pytest.fixture
def strange(tmp_path: Path, disk: Path) -> dict[str, str]:
    odd, empty, packed, fifo = (tmp_path / name for name in ("odd.img", "empty.img", "packed.qcow2", "fifo"))
    odd.write_bytes(bytes(1000))
    empty.touch()
    packed.write_bytes(b"QFI\xfb" + bytes(508))
    os.mkfifo(fifo)
    names = {"odd": odd, "empty": empty, "packed": packed, "fifo": fifo, "folder": tmp_path, "disk": disk}
    return {name: str(path) for name, path in names.items()} | {"missing": "/nowhere/disk.img"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{missing}", "No such file"),
        ("{folder}", "Is a directory"),
        ("{fifo}", "a FIFO: a regular file is needed"),
        ("{odd}", "1,000 bytes are not whole sectors of 512; `truncate -s %512 FILE`"),
        ("{empty}", "it is empty: a disk has a sector at least"),
        ("{packed}", "it begins as a qcow2 image: say format=qcow2"),
        ("{packed},format=qcow2", "packed.qcow2: "),
        ("{disk},format=qcow2", "no qcow2 image"),
        ("{disk},format=vmdk", "rw or ro, and by format=raw or format=qcow2"),
        ("{disk},rw,ro", "contradict"),
        (",rw", "a FILE comes first"),
        ("{packed},rw,format=qcow2", "rw is for raw files"),
    ],
)
def test_what_is_no_disk(guest: Path, strange: dict[str, str], given: str, said: str) -> None:
    done = run(guest, "--bare", *MACHINE, "--drive", given.format(**strange))
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_each_vm_has_its_own(guest: Path, disk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(CONTENT)
    made = [f"{guest},name={name},drive={path},,rw" for name, path in (("a", disk), ("b", other))]
    more = ["--memory", "128M", "--load-address", "0x40000000", "--entry", "0x40200000"]
    done = run(*(word for vm in made for word in ("--vm", vm)), *more)
    assert done.returncode == 0, done.stderr
    assert disk.read_bytes() == other.read_bytes() == CONTENT[: 5 * 512] + WRITTEN + CONTENT[6 * 512 :]


@pytest.mark.parametrize("option", ["--netdev", "--nic", "--device", "--virtfs", "--smmu"])
def test_what_there_is_not_is_said(guest: Path, option: str) -> None:
    done = run(guest, option, "user")
    assert (done.returncode, "there " in done.stderr) == (2, True)


def test_there_are_32_slots(guest: Path, disk: Path) -> None:
    machine = boot.bare(config(guest, *[Drive(str(disk))] * 32), el2=False)
    assert machine.core.drive_size(0) == len(CONTENT)
    with pytest.raises(GdbhvError, match="33 disks, and there are 32"):
        boot.bare(config(guest, *[Drive(str(disk))] * 33), el2=False)


def test_two_runs_do_not_write_to_one_file(disk: Path) -> None:
    with drives.claimed([Drive(str(disk)), Drive(str(disk))]), pytest.raises(ImageError, match="another run has it"):
        drives.claimed([Drive(str(disk), keeps=True)]).__enter__()


def test_what_a_run_changes_is_not_recorded(guest: Path, disk: Path) -> None:
    done = run(guest, "--bare", *MACHINE, "--drive", f"{disk},rw", "--record", "/tmp/never.rec")
    assert (done.returncode, "leave rw out" in done.stderr) == (2, True)
