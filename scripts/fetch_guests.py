#!/usr/bin/env python3
"""Fetch the real Linux guest: Debian's unmodified arm64 kernel, and a small initramfs with Debian's static busybox.

    scripts/fetch_guests.py                 kernel and initramfs into .kit/ (30 MB of download)
    scripts/fetch_guests.py --dbg           the kernel's symbols too, for gdb (260 MB more)
    scripts/fetch_guests.py --out ~/kit     somewhere else ($GDBHV_KIT does the same)

What is there already is left alone; --refresh looks for newer packages. Nothing is installed and no root is needed: apt is
only asked, with lists and a cache of its own, for packages of another architecture, from the sources this machine uses.

    Image               the kernel, raw arm64 Image
    Image.vmlinux       the same as ELF with symbols (--dbg)
    initramfs.cpio.gz   busybox and guests/linux/init; the same bytes for the same packages
    PACKAGES            names, versions and SHA-256 sums of the packages that these came from

Boot it:  gdbhv run .kit/Image --initrd .kit/initramfs.cpio.gz --append console=ttyAMA0
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
META_PACKAGE = "linux-image-cloud-arm64"
APPLETS = (
    "sh cat cp cttyhack cut date dd devmem dmesg echo expr false grep head hexdump kill ln ls md5sum "
    "mkdir mknod mount mv nproc poweroff printf ps reboot rm sed seq setsid sha256sum sleep sort stty "
    "sync tail taskset test time top true umount uname uniq usleep vi wc xxd yes"
).split()


class FetchError(Exception):
    """Something could not be fetched; the message says what, and what to do."""


def say(text: str) -> None:
    print(f"fetch_guests: {text}", file=sys.stderr, flush=True)


class Apt:
    """Debian's archive for arm64, read through apt with a private state in ``folder``."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.folder = folder
        self.packages = packages
        self.updated = False
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        self.options = [
            f"-o{key}={value}"
            for key, value in {
                "APT::Architecture": "arm64",
                "APT::Architectures": "arm64",
                "APT::Sandbox::User": "",
                "Dir::State::Lists": folder / "lists",
                "Dir::State::status": folder / "status",
                "Dir::Cache": folder / "cache",
                "Acquire::Languages": "none",
                "Acquire::Retries": 3,
                "Acquire::http::Timeout": 30,
                "Acquire::https::Timeout": 30,
                "Debug::NoLocking": "true",
            }.items()
        ]

    def command(self, tool: str, *arguments: str, folder: Path | None = None, quiet: bool = False) -> str:
        """Run an apt tool and return its output; its progress goes to our standard error unless ``quiet``."""
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} is missing: the guests are Debian packages and are fetched on a Debian machine")
        call = [tool, *self.options, *arguments]
        stdout = subprocess.PIPE if quiet else sys.stderr.fileno()
        done = subprocess.run(call, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise FetchError(f"{tool} {arguments[-1]} failed: {reason}\nIs there a network, and Debian in /etc/apt?")
        return done.stdout or ""

    def update(self) -> None:
        if not self.updated:
            say("reading the lists of Debian's arm64 packages")
            try:
                self.command("apt-get", "-q", "update")
            except FetchError as error:
                say(str(error).splitlines()[0] + " (going on: another source may have what is needed)")
            self.updated = True

    def newest_dependency(self, meta: str, pattern: str) -> str:
        """Return the first dependency of a meta package that matches the regular expression ``pattern``."""
        self.update()
        found = re.search(rf"^Depends:.*?\b({pattern})", self.command("apt-cache", "show", meta, quiet=True), re.MULTILINE)
        if found is None:
            raise FetchError(f"{meta} depends on nothing that looks like a kernel")
        return found[1]

    def extract(self, package: str, member: str) -> bytes:
        """Download ``package`` and return the one file in it whose path matches the shell pattern ``member``."""
        self.update()
        say(f"fetching {package}")
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            self.command("apt-get", "-q", "download", package, folder=Path(name))
            (deb,) = Path(name).glob("*.deb")
            with self.packages.open("a") as log:
                log.write(f"{deb.name} {hashlib.sha256(deb.read_bytes()).hexdigest()}\n")
            return unpack(deb, member)


def unpack(deb: Path, member: str) -> bytes:
    """Return the one regular file in ``deb`` whose path (without the leading ``./``) matches ``member``."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            content = None
            for entry in archive:
                if entry.isfile() and fnmatch.fnmatch(entry.name.removeprefix("./"), member):
                    file = archive.extractfile(entry)
                    assert file is not None
                    content = file.read()
    if content is None:
        raise FetchError(f"{deb.name} has no {member}")
    return content


# ---------------------------------------------------------------------------------------------------- initramfs


@dataclass(frozen=True)
class Node:
    """One entry of a cpio archive. ``mode`` has the type's bits; ``device`` is (major, minor) of a character device."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def cpio(nodes: Iterable[Node]) -> bytes:
    """Return a newc archive (see the kernel's driver-api/early-userspace/buffer-format), owned by root, dated 1970."""
    out = io.BytesIO()
    for number, node in enumerate([*nodes, Node("TRAILER!!!", 0)], start=1):
        name = node.name.encode() + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (number, node.mode, 0, 0, 1, 0, len(node.data), 0, 0, *node.device, len(name), 0)
        out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        out.write(b"\0" * (-out.tell() % 4) + node.data)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


def initramfs(busybox: bytes, init: bytes) -> bytes:
    nodes = [Node(name, 0o040755) for name in ("bin", "dev", "proc", "sys", "tmp")]
    nodes += [
        Node("dev/console", 0o020600, device=(5, 1)),
        Node("init", 0o100755, init),
        Node("bin/busybox", 0o100755, busybox),
    ]
    nodes += [Node(f"bin/{applet}", 0o120777, b"busybox") for applet in APPLETS]
    return gzip.compress(cpio(nodes), compresslevel=9, mtime=0)


# ---------------------------------------------------------------------------------------------------- the artefacts


def write(path: Path, data: bytes) -> None:
    """Write in one step: a file that exists is whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)
    say(f"{path}: {len(data)} bytes")


def kernel_image(vmlinuz: bytes) -> bytes:
    """Return the raw Image of Debian's vmlinuz, which is one or a gzip of one (Documentation/arm64/booting.rst)."""
    image = gzip.decompress(vmlinuz) if vmlinuz[:2] == b"\x1f\x8b" else vmlinuz
    if image[56:60] != b"ARM\x64":
        raise FetchError("Debian's kernel is no arm64 Image any more; gdbhv has to learn its new format")
    return image


def fetch(out: Path, symbols: bool, refresh: bool) -> None:
    """Bring ``out`` up to date."""
    paths = {name: out / name for name in ("Image", "Image.package", "Image.vmlinux", "initramfs.cpio.gz")}
    init = ROOT / "guests" / "linux" / "init"
    need_kernel = refresh or not (paths["Image"].exists() and paths["Image.package"].exists())
    need_initramfs = refresh or not paths["initramfs.cpio.gz"].exists()
    need_symbols = symbols and (need_kernel or not paths["Image.vmlinux"].exists())
    if not (need_kernel or need_initramfs or need_symbols):
        say(f"{out} is complete")
        return
    out.mkdir(parents=True, exist_ok=True)
    apt = Apt(out.resolve() / ".apt", out / "PACKAGES")
    if need_kernel:
        package = apt.newest_dependency(META_PACKAGE, r"linux-image-[0-9][^ ,|]*")
        write(paths["Image"], kernel_image(apt.extract(package, "boot/vmlinuz-*")))
        write(paths["Image.package"], package.encode() + b"\n")
        paths["Image.vmlinux"].unlink(missing_ok=True)
    if need_initramfs:
        write(paths["initramfs.cpio.gz"], initramfs(apt.extract("busybox-static", "*bin/busybox"), init.read_bytes()))
    if need_symbols:
        package = paths["Image.package"].read_text().strip()
        write(paths["Image.vmlinux"], apt.extract(f"{package}-dbg", "usr/lib/debug/boot/vmlinux-*"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("GDBHV_KIT") or ROOT / ".kit")
    parser.add_argument("--out", type=Path, default=default, help="where to (default: $GDBHV_KIT, or .kit in the clone)")
    parser.add_argument("--dbg", action="store_true", help="fetch the kernel's symbols too")
    parser.add_argument("--refresh", action="store_true", help="look for newer packages")
    options = parser.parse_args()
    try:
        fetch(options.out, options.dbg, options.refresh)
    except (FetchError, OSError, tarfile.TarError) as error:
        print(f"fetch_guests.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fetch_guests.py: interrupted; what is complete stays, the rest will be fetched again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
