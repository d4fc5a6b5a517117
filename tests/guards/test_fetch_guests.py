"""scripts/fetch_guests.py without a network: what it packs, and what it refuses."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def fetch_guests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_guests", ROOT / "scripts" / "fetch_guests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def members(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Return the entries of a newc archive by name: mode and content."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        at += (110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, archive[at : at + size])
        at += (size + 3) // 4 * 4


def test_initramfs(fetch_guests: ModuleType) -> None:
    first = fetch_guests.initramfs(b"busybox of 21 bytes..", b"#!/bin/sh\n")
    assert first == fetch_guests.initramfs(b"busybox of 21 bytes..", b"#!/bin/sh\n")
    found = members(gzip.decompress(first))
    assert found["init"] == (0o100755, b"#!/bin/sh\n")
    assert found["bin/busybox"] == (0o100755, b"busybox of 21 bytes..")
    assert found["bin/sh"] == (0o120777, b"busybox")
    assert found["dev/console"][0] == 0o020600


def test_init_uses_only_what_is_packed(fetch_guests: ModuleType) -> None:
    """Every command of /init is an applet that the archive has a link for, or the shell's own."""
    init = (ROOT / "guests" / "linux" / "init").read_text()
    wanted = {
        "mount",
        "cat",
        "uname",
        "seq",
        "sha256sum",
        "sort",
        "head",
        "cut",
        "usleep",
        "nproc",
        "setsid",
        "cttyhack",
        "sleep",
    }
    assert {name for name in wanted if name in init} == wanted
    assert wanted | {"poweroff", "sh"} <= set(fetch_guests.APPLETS)


def test_init_is_a_posix_script() -> None:
    assert shutil.which("dash"), "dash is not installed: it is Debian's /bin/sh"
    assert subprocess.run(["dash", "-n", str(ROOT / "guests" / "linux" / "init")], check=False).returncode == 0


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" + bytes(60)])
def test_a_kernel_that_is_none_is_refused(fetch_guests: ModuleType, data: bytes) -> None:
    with pytest.raises(fetch_guests.FetchError, match="no arm64 Image"):
        fetch_guests.kernel_image(data)


def test_a_whole_kit_is_left_alone(fetch_guests: ModuleType, tmp_path: Path) -> None:
    for name in ("Image", "Image.package", "initramfs.cpio.gz"):
        (tmp_path / name).write_bytes(b"there")
    assert fetch_guests.fetch(tmp_path, symbols=False, refresh=False) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Image", "Image.package", "initramfs.cpio.gz"]
