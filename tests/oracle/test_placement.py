"""Where the image, the RAM disk and the device tree go, against what a live QEMU `virt` does with the same files."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv.boot import MIB, BootConfig, layout

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"


def arm64_image(text_offset: int, image_size: int) -> bytes:
    """An arm64 Image (Linux, Documentation/arm64/booting.rst)."""
    head = struct.pack("<IIQQQ24sII", 0x14000010, 0, text_offset, image_size, 10, b"", 0x644D5241, 0)
    return head.ljust(0x1000, b"\x1f")


IMAGES = {
    "raw": b"\x1f\x20\x03\xd5" * 0x400,
    "Image": arm64_image(0, 0x1801000),
    "Image at an offset": arm64_image(0x80000, 0x5000),
    "Image at a small offset": arm64_image(0xFFC, 0x5000),
    "Image without a size": arm64_image(0x300000, 0),
    "large Image": arm64_image(0x1000, 0x9000123),
}
MEMORY = (64, 128, 129, 256, 512, 1024, 4096)


def on_qemu(image: Path, initrd: Path | None, memory: int) -> dict[str, int]:
    """Addresses by "image", "initrd", "dtb"."""
    command = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-m", str(memory), "-S", "-display", "none"]
    command += ["-nic", "none", "-serial", "none", "-monitor", "stdio", "-kernel", str(image)]
    command += ["-initrd", str(initrd)] if initrd else []
    told = subprocess.run(command, input="info roms\nquit\n", capture_output=True, text=True, timeout=60, check=True).stdout
    found: dict[str, int] = {}
    for address, name in re.findall(r'addr=(\w+) .*name="(.*)"', told):
        found.setdefault(Path(name.split(" ELF ")[0]).name, int(address, 16))
    return found


def here(image: Path, initrd: Path | None, memory: int) -> dict[str, int]:
    plan = layout(BootConfig(image=image, initrd=initrd, memory=memory * MIB), psci="smc")
    names = [image.name] * (len(plan.pieces) - 1 - (initrd is not None)) + (["initrd"] if initrd else []) + ["dtb"]
    found: dict[str, int] = {}
    for name, (address, _) in zip(names, plan.pieces, strict=True):
        found.setdefault(name, address)
    assert plan.x0 == found["dtb"]
    return found


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("disk", [0, 5_000_000])
def test_kernels(kind: str, disk: int, tmp_path: Path) -> None:
    (image := tmp_path / "kernel").write_bytes(IMAGES[kind])
    (initrd := tmp_path / "initrd").write_bytes(bytes(disk))
    for memory in MEMORY if kind != "large Image" else MEMORY[3:]:
        theirs = on_qemu(image, initrd if disk else None, memory)
        theirs.pop("bootloader")
        assert here(image, initrd if disk else None, memory) == theirs, memory


def test_an_elf() -> None:
    for memory in (64, 1024):
        assert here(HELLO, None, memory) == on_qemu(HELLO, None, memory), memory
