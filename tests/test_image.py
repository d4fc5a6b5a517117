"""Files of guests: whatever is wrong with one, an ImageError says it, and nothing else is ever raised.

Sources: ELF-64 specification; Linux, Documentation/arm64/booting.rst; Devicetree Specification v0.4, chapter 5.
"""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import _core, boot, image
from gdbhv.errors import GdbhvError, ImageError

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"
RAM = 0x40000000


def arm64_image(size: int = 0x1000, text_offset: int = 0, image_size: int | None = None, flags: int = 10) -> bytes:
    """An arm64 Image as booting.rst has it, without a PE header."""
    length = size if image_size is None else image_size
    return struct.pack("<IIQQQ24sII", 0x14000010, 0, text_offset, length, flags, b"", 0x644D5241, 0).ljust(size, b"\x1f")


def efi_image(raw: int = 0x200) -> bytes:
    """An arm64 Image that is a PE file too, with one section at 0x100."""
    head = bytearray(arm64_image(0x40, image_size=0x10000))
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 60, 0x40)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0xAA64, 1, 0, 0, 0, 8, 0) + bytes(8)
    section = struct.pack("<8sIIIIIIHHI", b".text", raw, 0x100, raw, 0x100, 0, 0, 0, 0, 0)
    return (bytes(head) + coff + section).ljust(0x100, b"\0") + bytes(raw)


def test_an_elf_goes_to_its_physical_addresses() -> None:
    loaded = image.load(HELLO)
    assert (loaded.kind, loaded.entry, loaded.base) == ("elf", 0x40200000, 0x40200000)
    assert loaded.end > loaded.base


@pytest.mark.parametrize(
    ("text_offset", "at", "start"),
    [(0, None, 0x40200000), (0x80000, None, 0x40080000), (0, 0x40000000, 0x40000000), (0x1000, 0x48001000, 0x48001000)],
)
def test_an_arm64_image_goes_behind_a_boundary_of_2_mib(
    tmp_path: Path, text_offset: int, at: int | None, start: int
) -> None:
    (path := tmp_path / "Image").write_bytes(arm64_image(text_offset=text_offset))
    loaded = image.load(path, RAM, at)
    assert (loaded.kind, loaded.entry, loaded.segments[0][0], loaded.size) == ("arm64", start, start, 0x1000)


def test_an_image_that_cannot_be_put_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="an ELF goes to the addresses that it is linked for"):
        image.load(HELLO, at=RAM)
    (path := tmp_path / "Image").write_bytes(arm64_image(text_offset=0x80000))
    with pytest.raises(ImageError, match="cannot be at 0x40200000: it goes 0x80000 behind a multiple of 2 MiB"):
        image.load(path, at=0x40200000)


@pytest.mark.parametrize("data", [arm64_image(), efi_image(), HELLO.read_bytes(), b"raw"], ids="arm64 efi elf raw".split())
def test_gzip_is_unpacked(tmp_path: Path, data: bytes) -> None:
    (plain := tmp_path / "plain").write_bytes(data)
    (packed := tmp_path / "packed").write_bytes(gzip.compress(data))
    assert image.load(packed).segments == image.load(plain).segments


def test_raw_bytes(tmp_path: Path) -> None:
    (path := tmp_path / "raw").write_bytes(b"\x1f\x20\x03\xd5")
    assert image.load(path).segments == [(0x40080000, b"\x1f\x20\x03\xd5")]
    assert image.load(path, at=0x41000000).entry == 0x41000000


BROKEN = [
    (b"", "empty"),
    (arm64_image()[:62], "cut off in the header"),
    (arm64_image(flags=1), "big-endian"),
    (arm64_image(image_size=0x800), "4096 bytes, but its header says 2048"),
    (arm64_image(image_size=1 << 40), "impossible sizes"),
    (arm64_image(text_offset=1 << 60), "impossible sizes"),
    (efi_image()[:-1], "cut off: 767 bytes are there"),
    (efi_image()[:0x42], "cut off: 66 bytes are there"),
    (gzip.compress(b"x" * 100)[:-9], "does not unpack"),
    (gzip.compress(b"x" * 100)[:12], "does not unpack"),
    (b"\x1f\x8b" + b"x" * 20, "does not unpack"),
    (b"\xfd7zXZ\0\0\4", "packed as xz, of which only gzip is unpacked here"),
    (b"\x28\xb5\x2f\xfd....", "packed as zstd"),
    (b"MZ\0\0zimg....", "packed as EFI zboot"),
    (HELLO.read_bytes()[:18] + b"\x3e\x00" + HELLO.read_bytes()[20:], "an ELF for EM_X86_64"),
    (HELLO.read_bytes()[:-1], "an ELF that is cut off"),
    (b"\x7fELF", "broken ELF"),
]


@pytest.mark.parametrize(("data", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_what_is_wrong_is_said(tmp_path: Path, data: bytes, message: str) -> None:
    (path := tmp_path / "image").write_bytes(data)
    with pytest.raises(ImageError, match=message) as e:
        image.load(path)
    assert e.value.path == str(path)
    assert "\n" not in str(e.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        image.load(tmp_path / "nothing")
    with pytest.raises(ImageError, match="Is a directory"):
        image.load(tmp_path)


def test_an_object_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(HELLO.read_bytes())
    struct.pack_into("<H", data, 56, 0)  # e_phnum
    (path := tmp_path / "a.o").write_bytes(data)
    with pytest.raises(ImageError, match="without anything to load"):
        image.load(path)


def test_segments_of_impossible_sizes(tmp_path: Path) -> None:
    data = bytearray(HELLO.read_bytes())
    (offset,) = struct.unpack_from("<Q", data, 32)  # e_phoff
    for at in range(offset, offset + 56 * 4, 56):
        if struct.unpack_from("<I", data, at)[0] == 1:
            struct.pack_into("<Q", data, at + 40, 1 << 44)  # p_memsz
    (path := tmp_path / "a.elf").write_bytes(data)
    with pytest.raises(ImageError, match="impossible sizes"):
        image.load(path)


def test_a_vmlinux_says_what_to_run_instead(tmp_path: Path) -> None:
    data = bytearray(HELLO.read_bytes())
    (offset,) = struct.unpack_from("<Q", data, 32)  # e_phoff
    for at in range(offset, offset + 56 * struct.unpack_from("<H", data, 56)[0], 56):
        struct.pack_into("<Q", data, at + 24, 0xFFFF800008000000)  # p_paddr
    (path := tmp_path / "vmlinux").write_bytes(data)
    with pytest.raises(ImageError, match=r"a vmlinux\? Run its Image"):
        image.load(path)


def only_image_errors(path: Path, data: bytes, load: Callable[[Path], object]) -> None:
    path.write_bytes(data)
    with contextlib.suppress(ImageError):
        load(path)


@pytest.mark.parametrize("name", ["elf", "arm64", "efi", "dtb", "gzip"])
def test_cut_anywhere(tmp_path: Path, name: str) -> None:
    data = {
        "elf": HELLO.read_bytes(),
        "arm64": arm64_image(),
        "efi": efi_image(),
        "dtb": _core.device_tree(cpus=1, memory=1 << 30),
        "gzip": gzip.compress(arm64_image()),
    }[name]
    load = image.load_dtb if name == "dtb" else image.load
    # Every cut of what is parsed, and some of the rest.
    for cut in {*range(min(len(data), 0x200)), *range(0x200, len(data), max(1, len(data) // 200)), len(data) - 1}:
        only_image_errors(tmp_path / "file", data[:cut], load)
        # What is shorter is raw bytes; a cut of a plain Image cannot be seen.
        if cut >= {"elf": 4, "efi": 64, "dtb": 0, "gzip": 2}.get(name, len(data)):
            with pytest.raises(ImageError):
                load(tmp_path / "file")


@pytest.mark.parametrize("name", ["elf", "arm64", "efi", "dtb", "bytes"])
def test_random_changes(tmp_path: Path, name: str, seed: int, cases: Callable[[int], int]) -> None:
    rng = random.Random(seed)
    tree = _core.device_tree(cpus=2, memory=1 << 30, bootargs="quiet")
    whole = {"elf": HELLO.read_bytes(), "arm64": arm64_image(), "efi": efi_image(), "dtb": tree, "bytes": rng.randbytes(512)}
    data = whole[name]
    magic = {"elf": 20, "arm64": 0, "efi": 0, "dtb": 4, "bytes": 0}[name]  # what must stay for the rest to be looked at

    def load(path: Path) -> None:
        if name == "dtb":
            tree = image.load_dtb(path)
            image.patch_dtb(tree, str(path), append="console=ttyAMA0", initrd=(RAM, RAM + 1))
        else:
            image.load(path)

    for _ in range(cases(100)):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 2, 8, 64))):
            changed[rng.randrange(magic, min(len(data), rng.choice((64, 4096, 1 << 20))))] = rng.choice(
                (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
            )
        only_image_errors(tmp_path / "file", bytes(changed), load)


def test_a_device_tree_that_is_none(tmp_path: Path) -> None:
    (path := tmp_path / "x.dtb").write_bytes(b"/dts-v1/; / { };")
    with pytest.raises(ImageError, match="not a device tree blob"):
        image.load_dtb(path)


def test_a_device_tree_gets_the_command_line_and_the_ram_disk(tmp_path: Path) -> None:
    tree = image.patch_dtb(_core.device_tree(cpus=1, memory=1 << 30), "x", append="quiet", initrd=(RAM, RAM + 0x123))
    (path := tmp_path / "x.dtb").write_bytes(tree)
    assert image.load_dtb(path) == tree
    assert b"quiet\0" in tree
    assert struct.pack(">QQ", RAM, RAM + 0x123)[:8] in tree


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"memory": 1 << 20},
            "is not all in RAM, which is 0x40000000 to 0x400fffff; it needs a machine with more memory",
        ),
        ({"load": [(str(HELLO), 0x40200000)]}, "overlap at 0x40200000; load one of them elsewhere"),
        ({"load": [("nothing", 0x48000000)]}, "nothing: No such file"),
        ({"initrd": "nothing"}, "nothing: No such file"),
        ({"dtb": HELLO}, "not a device tree blob"),
        ({"entry": 0x10}, "the first instruction cannot be at 0x10"),
        ({"entry": 0x40200002}, "it is a multiple of 4"),
        ({"smp": 9}, "1 to 8"),
        ({"cpu": "cortex-a710"}, "cortex-a57"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, object], message: str) -> None:
    for make in (boot.hosted, boot.bare):
        with pytest.raises(GdbhvError, match=message):
            make(boot.BootConfig(**{"image": HELLO, "memory": 64 << 20, **changes}))  # type: ignore[arg-type]
