"""Files that a guest starts from, changed at random: an error of gdbhv, in one sentence, or a guest that starts; and a
guest may be given any device tree at all.
"""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

import pytest

from conftest import ROOT
from fuzz.machines import dice, rounds, value
from gdbhv import _core, boot, image
from gdbhv.boot import BootConfig
from gdbhv.errors import GdbhvError
from gdbhv.target import StopKind

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"
LINUX = image.ARM64_IMAGE


def kernel() -> bytes:
    """A header of an arm64 Image and an endless loop behind it."""
    header = LINUX.build(
        {
            "code0": 0x14000010,
            "code1": 0,
            "text_offset": 0,
            "image_size": 0x10000,
            "flags": 0xA,
            "res": bytes(24),
            "pe_offset": 0,
        }
    )
    return header + struct.pack("<I", 0x14000000) * 64


def changed(rng: random.Random, data: bytes) -> bytes:
    """Bits, bytes and words overwritten; pieces removed, doubled, moved; the end cut off or garbage behind it."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        at = rng.randrange(len(out) or 1) if rng.getrandbits(1) else rng.randrange(min(len(out), 0x80) or 1)
        kind = rng.randrange(7)
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif kind < 4:
            size = rng.choice((1, 2, 4, 8))
            out[at : at + size] = (value(rng) & (1 << 8 * size) - 1).to_bytes(size, rng.choice(("little", "big")))
        elif kind == 4:
            del out[at : at + rng.randrange(64)]
        elif kind == 5:
            out[at:at] = out[: rng.randrange(64)] or b"\0"
        else:
            del out[rng.choice((at, len(out) - 1)) :]
    return bytes(out)


@pytest.mark.parametrize("kind", ["elf", "arm64", "gzip", "packed", "raw"])
@pytest.mark.parametrize("el2", [False, True])
def test_images(kind: str, el2: bool, tmp_path: Path) -> None:
    rng = dice(f"images {kind} {el2}")
    whole = {"elf": HELLO.read_bytes(), "arm64": kernel(), "gzip": gzip.compress(kernel()), "raw": rng.randbytes(999)}
    path, started = tmp_path / "image", 0
    for _ in rounds(60):
        if kind == "packed":  # what is inside is broken
            path.write_bytes(gzip.compress(changed(rng, whole["arm64"]), 1))
        else:
            path.write_bytes(changed(rng, whole[kind]))
        config = BootConfig(image=path, memory=16 << 20)
        if kind == "raw":
            config = BootConfig(load=[(str(path), 0x40200000)], entry=0x40200000, memory=16 << 20)
        started += starts(config, el2)
    assert started or kind == "gzip"


def starts(config: BootConfig, el2: bool) -> bool:
    """Whether it can be loaded; then it runs a little."""
    try:
        target = boot.bare(config) if el2 else boot.hosted(config)
    except GdbhvError as error:
        if not str(error) or "\n" in str(error):
            pytest.fail(f"an error of gdbhv is one sentence, not {str(error)!r}")
        return False
    stop = target.run_all(3000)
    assert isinstance(stop.kind, StopKind)
    return True


def test_ram_disks_and_command_lines(tmp_path: Path) -> None:
    rng = dice("initrd")
    (tmp_path / "image").write_bytes(kernel())
    for _ in rounds(30):
        (tmp_path / "initrd").write_bytes(rng.randbytes(rng.choice((0, 1, 4096, 1 << 20, 17 << 20))))
        append = "".join(
            chr(rng.choice((32, 65, 0xE9, 0x1F600, rng.randrange(1, 0xD800)))) for _ in range(rng.choice((0, 5, 3000)))
        )
        memory = rng.choice((1 << 20, 2 << 20, 16 << 20, 16 << 20))
        starts(
            BootConfig(image=tmp_path / "image", initrd=tmp_path / "initrd", append=append, memory=memory),
            bool(rng.getrandbits(1)),
        )


@pytest.mark.parametrize("el2", [False, True])
def test_device_trees(el2: bool, tmp_path: Path) -> None:
    """A tree that can be read is given to the guest as it is, patched; one that cannot is refused with a reason."""
    rng = dice(f"trees {el2}")
    tree = _core.device_tree(cpus=2, memory=16 << 20, bootargs="quiet")
    path, started = tmp_path / "tree.dtb", 0
    for _ in rounds(120):
        path.write_bytes(changed(rng, tree) if rng.random() < 0.7 else nudged(rng, tree))
        append = rng.choice(("", "console=ttyAMA0"))
        started += starts(BootConfig(image=HELLO, dtb=path, append=append, memory=16 << 20, smp=2), el2)
    assert started > 5


def nudged(rng: random.Random, tree: bytes) -> bytes:
    """Only a few bytes of values: most of these trees can be read."""
    out = bytearray(tree)
    for _ in range(3):
        out[rng.randrange(0x40, len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)
