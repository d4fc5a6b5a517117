"""scripts/fetch_guests.py without a network: what it packs, and what it refuses."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import fdt
import pytest

from scripts.kit import kvm, xen

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
    found = members(first)
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


@pytest.mark.parametrize("name", ["init", "init-virtio", "init-kvm"])
def test_init_is_a_posix_script(name: str) -> None:
    assert shutil.which("dash"), "dash is not installed: it is Debian's /bin/sh"
    assert subprocess.run(["dash", "-n", str(ROOT / "guests" / "linux" / name)], check=False).returncode == 0


def package(files: dict[str, bytes], links: dict[str, str]) -> tarfile.TarFile:
    """What a package has in it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    data.seek(0)
    return tarfile.open(fileobj=data)


def test_of_packages_the_libraries_are_taken_that_are_needed() -> None:
    program, lib = "usr/bin/qemu-system-aarch64", "usr/lib/aarch64-linux-gnu"
    python = Path(sys.executable).resolve().read_bytes()  # an ELF with libraries of its own
    needed = [*kvm.libraries(python)]
    assert "libc.so.6" in needed
    alone = (ROOT / "guests" / "prebuilt" / "hello.elf").read_bytes()
    real = {f"{lib}/{name}.real": alone for name in needed}
    links = {f"./{lib}/{name}": f"{name}.real" for name in needed}
    files = kvm.Files()
    files.add(package({program: python, "usr/share/doc/lib.so": b"", **real}, links))
    files.add(package({f"{lib}/{kvm.LOADER}": alone}, {f"lib/{kvm.LOADER}": f"aarch64-linux-gnu/{kvm.LOADER}"}))
    found = files.needed()
    assert set(found) == {kvm.LOADER, kvm.PROGRAM, *needed}
    assert found[kvm.PROGRAM] == python
    with pytest.raises(KeyError, match=kvm.LOADER):
        kvm.Files().needed()
    assert kvm.wanted(["adduser", "libc6", "qemu-system-arm", "qemu-system-data", "zlib1g"]) == [
        "libc6",
        "qemu-system-arm",
        "zlib1g",
    ]


def test_the_tree_for_xen_names_what_is_in_memory() -> None:
    tree = fdt.parse_dtb(xen.tree(b"kernel", b"disk", cpus=2, guests=3))
    guests = [node for node in tree.get_node("/chosen").nodes if node.get_property("compatible").value == "xen,domain"]
    assert [node.name for node in guests] == ["domU1", "domU2", "domU3"]
    for node in guests:
        assert [list(module.get_property("reg")) for module in node.nodes] == [
            [0, xen.KERNEL_AT, 0, 6],
            [0, xen.DISK_AT, 0, 4],
        ]


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" + bytes(60)])
def test_a_kernel_that_is_none_is_refused(fetch_guests: ModuleType, data: bytes) -> None:
    with pytest.raises(fetch_guests.FetchError, match="no arm64 Image"):
        fetch_guests.kernel_image(data)


def test_a_whole_kit_is_left_alone(fetch_guests: ModuleType, tmp_path: Path) -> None:
    names = ["Image", "Image.package", "initramfs-kvm.cpio", "initramfs.cpio.gz", "xen", "xen.dtb"]
    for name in names:
        (tmp_path / name).write_bytes(b"there")
    assert fetch_guests.fetch(tmp_path, xen=True, kvm=True) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_what_the_readme_names_is_fetched(fetch_guests: ModuleType) -> None:
    named = set(re.findall(r"\.kit/([\w.-]*\w)", (ROOT / "README.md").read_text()))
    made = set(re.findall(r"^    ([\w.-]+) {2,}", fetch_guests.__doc__, flags=re.MULTILINE))
    assert set(fetch_guests.FIRMWARE) <= named <= made
