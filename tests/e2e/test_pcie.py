"""PCIe as Debian's kernel finds it: a bridge, a disk, random numbers and a network, with messages for interrupts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from conftest import Kit
from gdbhv import boot
from gdbhv.config import BootConfig, Drive, Net
from gdbhv.console import Console
from gdbhv.target import StopKind

FOUND = [
    "0000:00:00.0 0x1b36 0x0008 0x060000",
    "0000:00:01.0 0x1af4 0x1042 0x010000",
    "0000:00:02.0 0x1af4 0x1044 0x00ff00",
    "0000:00:03.0 0x1af4 0x1041 0x020000",
]
"""Bridge, disk, entropy, network: vendor, device, class."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("el2", "gic", "messages"), [(False, 3, "ITS-MSI"), (True, 3, "ITS-MSI"), (False, 2, "MSI")])
def test_linux_uses_virtio_on_pcie(kit: Kit, tmp_path: Path, el2: bool, gic: int, messages: str) -> None:
    (disk := tmp_path / "disk.img").write_bytes(bytes(n * n % 251 for n in range(1 << 20)))
    console, line = Console(), "console=ttyAMA0 gdbhv.random"
    config = BootConfig(kit.image, initrd=kit.disk, append=line, memory=256 << 20, gic=gic, pcie=True, rng=7, net=Net())
    config.drive = [Drive(str(disk))]
    target = boot.bare(config, console, el2=el2)
    assert target.run_all(900_000_000).kind is StopKind.BUDGET
    way = target.snapshot("way")
    way.write(tmp_path / "way.snap")
    assert target.run_all().kind is StopKind.POWEROFF
    said = re.findall(r"GDBHV-GUEST: (.*)\r", bytes(console.text).decode())
    assert [s.removeprefix("pci: ") for s in said if s.startswith("pci: ")] == FOUND
    assert f"vda: 2048 sectors, read-only 0, at 0000:00:01.0, {hashlib.sha256(disk.read_bytes()).hexdigest()}" in said
    assert {"vda: written", "ping: 3 packets received", "done"} <= {*said}
    drawn = next(s for s in said if s.startswith("random: "))
    told = [s.removeprefix("interrupts: ") for s in said if s.startswith("interrupts: ")]
    assert {t.split(":")[0] for t in told} == {messages}
    assert {t.split(":")[1] for t in told} >= {"virtio0-req", "virtio1-input", "virtio2-input", "virtio2-output"}
    insns = target.core.insns
    there = boot.resumed(tmp_path / "way.snap")
    assert there.run_all().kind is StopKind.POWEROFF
    assert there.core.insns == insns
    assert re.fullmatch("random: [0-9a-f]{32}", drawn)
