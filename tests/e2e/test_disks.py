"""Disks, for what others wrote: Debian's kernel (bare, hosted, at EL2) and U-Boot; and what is in the files afterwards."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Kit
from e2e.test_firmware import PROMPT
from gdbhv import boot, drives
from gdbhv.config import BootConfig, Drive
from gdbhv.console import Console
from gdbhv.target import StopKind
from scenario import play

FILES = {"a.txt": b"".join(b"%d\n" % n for n in range(50000)), "b.bin": bytes(n * n % 257 % 256 for n in range(300_000))}
NUMBERS = b"".join(b"%d\n" % n for n in range(1, 20001))
"""What /init writes."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def ext4(tmp_path: Path) -> Path:
    """A disk of 16 MiB with an ext4 that has FILES."""
    tool = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin")
    assert tool is not None, "mkfs.ext4 is missing: Debian's e2fsprogs has it"
    folder, path = tmp_path / "files", tmp_path / "ext4.img"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    with path.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run([tool, "-q", "-d", str(folder), str(path)], check=True)
    return path


@pytest.fixture
def third(tmp_path: Path) -> Path:
    path = tmp_path / "third.img"
    path.write_bytes(bytes(n % 241 for n in range(3 * 512)))
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw.img"
    path.write_bytes(bytes(n % 253 for n in range(1 << 20)))
    return path


MACHINES: dict[str, Callable[..., object]] = {
    "bare": lambda config, console: boot.bare(config, console, el2=False),
    "el2": boot.bare,
    "hosted": boot.hosted,
}


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("machine", MACHINES)
def test_linux_reads_and_writes(kit: Kit, ext4: Path, raw: Path, third: Path, machine: str) -> None:
    before = raw.read_bytes()
    given = [Drive(str(ext4), keeps=True), Drive(str(raw), keeps=True), Drive(str(third), read_only=True)]
    console = Console()
    config = BootConfig(kit.image, initrd=kit.disk, append="console=ttyAMA0", memory=512 << 20, drive=given)
    with drives.claimed(given) as files:
        target = MACHINES[machine](config, console)
        stop = target.run_all()  # type: ignore[attr-defined]
        ((slots, disks),) = target.disks()  # type: ignore[attr-defined]
        sums = [sha256(path.read_bytes()) for path in (ext4, raw, third)]
        assert drives.keep(slots, list(zip(disks, files, strict=True))) == [str(ext4), str(raw)]
    said = re.findall(r"GDBHV-GUEST: ((?:vd|done|wrong).*)\r", bytes(console.text).decode())
    assert stop.kind is StopKind.POWEROFF, console.text[-2000:]
    by_slot = dict(zip(("a003e00", "a003c00", "a003a00"), sums, strict=True))
    names = {slot: line[:3] for line in said for slot in by_slot if f"at {slot}." in line}
    sectors = [path.stat().st_size // 512 for path in (ext4, raw, third)]
    assert set(said) == {
        *(
            f"{names[slot]}: {size} sectors, read-only {int(slot == 'a003a00')}, at {slot}.virtio_mmio, {digest}"
            for (slot, digest), size in zip(by_slot.items(), sectors, strict=True)
        ),
        *(f"{names['a003e00']}: {name} {sha256(data)}" for name, data in FILES.items()),
        f"{names['a003e00']}: written",
        f"{names['a003c00']}: written",
        "done",
    }
    assert raw.read_bytes() == before[: -(64 << 10)] + NUMBERS[: 64 << 10]
    debugfs = [shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin") or "debugfs", "-R", "cat /written", str(ext4)]
    assert subprocess.run(debugfs, capture_output=True, check=True).stdout == NUMBERS


@pytest.mark.slow
def test_linux_draws_the_same_numbers_each_time_and_talks_on_the_other_console(kit: Kit) -> None:
    drawn = []
    for seed, hosted in ((7, False), (7, True), (8, False)):
        console = Console()
        line = "console=ttyAMA0 gdbhv.hvc gdbhv.random"
        config = BootConfig(kit.image, initrd=kit.disk, append=line, memory=512 << 20, rng=seed, virtio_console=True)
        target = boot.hosted(config, console) if hosted else boot.bare(config, console, el2=False)
        while b"GDBHV-GUEST: type a line" not in console.text:
            assert target.run_all(20_000_000).kind is StopKind.BUDGET
        console.type(b"some words\n")
        stop = target.run_all()
        said = bytes(console.text).decode()
        assert stop.kind is StopKind.POWEROFF, said[-2000:]
        assert "GDBHV-GUEST: typed: some words" in said
        drawn += re.findall(r"random: ([0-9a-f]{32})\b", said)
    assert len(drawn) == 3
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.slow
def test_u_boot_loads_from_a_disk(kit: Kit, ext4: Path) -> None:
    steps = [*PROMPT, ">virtio scan\n", "=>", ">load virtio 0 0x42000000 b.bin\n", "300000 bytes read", "=>"]
    steps += [">crc32 0x42000000 $filesize\n", f"==> {zlib.crc32(FILES['b.bin']):08x}", "=>", ">poweroff\n", "poweroff ..."]
    flash = [(str(kit.u_boot), False)]
    config = BootConfig(memory=512 << 20, ns_per_insn=20, flash=flash, drive=[Drive(str(ext4))])
    assert play(config, steps, 400_000_000, el2=False) is StopKind.POWEROFF
