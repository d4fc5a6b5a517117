#!/usr/bin/env python3
"""Fetch the real Linux guest: Debian's unmodified arm64 kernel, and a small initramfs with Debian's static busybox.

    scripts/fetch_guests.py                 kernel and initramfs into .kit/ (30 MB of download)
    scripts/fetch_guests.py --dbg           the kernel's symbols too, for gdb (260 MB more)
    scripts/fetch_guests.py --xen           Xen too, and a device tree for two guests of it (1 MB more)
    scripts/fetch_guests.py --kvm           a RAM disk too in which KVM runs the kernel as a guest (31 MB more)
    scripts/fetch_guests.py --disk          a RAM disk too that has the kernel's drivers for virtio (30 MB more)
    scripts/fetch_guests.py --firmware      U-Boot and EDK2 too (4 MB more)
    scripts/fetch_guests.py --out ~/kit     somewhere else ($GDBHV_KIT does the same)

What is there already is left alone; --refresh looks for newer packages. Nothing is installed and no root is needed: apt is
only asked, with lists and a cache of its own, for packages of another architecture, from the sources this machine uses.

    Image               the kernel, raw arm64 Image
    Image.vmlinux       the same as ELF with symbols (--dbg)
    initramfs.cpio.gz   busybox and guests/linux/init; the same bytes for the same packages
    xen                 the hypervisor, raw (--xen)
    xen.dtb             two guests without dom0: two CPUs, 1 GiB; kernel at 0x50000000, RAM disk at 0x53000000
    initramfs-kvm.cpio  qemu-system-aarch64, its libraries, the kernel, the RAM disk, and guests/linux/init-kvm (--kvm)
    initramfs-virtio.cpio.gz  busybox, the kernel's virtio modules, and guests/linux/init-virtio (--disk)
    u-boot.bin          U-Boot for QEMU's virt, a flash image (--firmware)
    QEMU_EFI.fd         EDK2 for it (--firmware)
    PACKAGES            names, versions and SHA-256 sums of the packages that these came from

Boot it:  gdbhv run .kit/Image --initrd .kit/initramfs.cpio.gz --append console=ttyAMA0
          gdbhv run .kit/xen --el 2 --smp 2 --dtb .kit/xen.dtb --load .kit/Image@0x50000000
              --load .kit/initramfs.cpio.gz@0x53000000
          gdbhv run .kit/Image --bare --initrd .kit/initramfs-virtio.cpio.gz --append console=ttyAMA0 --drive FILE
          gdbhv run .kit/Image --el 2 --initrd .kit/initramfs-kvm.cpio --append console=ttyAMA0
          gdbhv run --el 2 --flash .kit/u-boot.bin --ns-per-insn 20
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # scripts.kit, gdbhv
DISK = "initramfs-virtio.cpio.gz"
META_PACKAGE = "linux-image-cloud-arm64"
XEN_META_PACKAGE = "xen-system-arm64"
FIRMWARE = {
    "u-boot.bin": ("u-boot-qemu", "usr/lib/u-boot/qemu_arm64/u-boot.bin"),
    "QEMU_EFI.fd": ("qemu-efi-aarch64", "usr/share/qemu-efi-aarch64/QEMU_EFI.fd"),
}
"""File: the package and the path in it that it comes from."""
APPLETS = (
    "sh cat cp cttyhack cut date dd devmem dmesg echo expr false grep head hexdump kill ln ls md5sum "
    "mkdir mknod mount mv nproc poweroff printf ps reboot rm sed seq setsid sha256sum sleep sort stty "
    "sync tail taskset test time top true umount uname uniq usleep vi wc xxd yes"
).split()
DISK_APPLETS = "chmod cmp httpd ifconfig insmod mkfifo nc ping readlink route udhcpc wget".split()
MODULES = (
    "virtio_ring virtio virtio_mmio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci "
    "failover net_failover virtio_net virtio_blk virtio-rng virtio_console"
).split()
"""The kernel's drivers for what is in the board's virtio slots, in an order in which they can be loaded."""


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
            raise FetchError(f"{meta} depends on nothing that looks like {pattern}")
        return found[1]

    def installed_with(self, package: str) -> list[str]:
        """Return the packages that an installation of ``package`` on an empty machine would bring, with itself."""
        self.update()
        said = self.command("apt-get", "-s", "--no-install-recommends", "install", package, quiet=True)
        return sorted(set(re.findall(r"^Inst (\S+)", said, re.MULTILINE)))

    @contextlib.contextmanager
    def download(self, *packages: str) -> Iterator[list[Path]]:
        """Download packages, and write down which they were."""
        self.update()
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            self.command("apt-get", "-q", "download", *packages, folder=Path(name))
            debs = sorted(Path(name).glob("*.deb"))
            with self.packages.open("a") as log:
                for deb in debs:
                    log.write(f"{deb.name} {hashlib.sha256(deb.read_bytes()).hexdigest()}\n")
            yield debs

    def extract(self, package: str, member: str) -> bytes:
        """Download ``package`` and return the one file in it whose path matches the shell pattern ``member``."""
        say(f"fetching {package}")
        with self.download(package) as (deb,):
            return unpack(deb, member)


@contextlib.contextmanager
def opened(deb: Path) -> Iterator[tarfile.TarFile]:
    """Open the files of a package, to be read in order."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            yield archive


def unpack(deb: Path, member: str) -> bytes:
    """Return the one regular file in ``deb`` whose path (without the leading ``./``) matches ``member``."""
    content = None
    with opened(deb) as archive:
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


def initramfs(busybox: bytes, init: bytes, more: Iterable[Node] = ()) -> bytes:
    """Return a RAM disk: ``init``, busybox with links for its applets, and ``more``."""
    nodes = [Node(name, 0o040755) for name in ("bin", "dev", "proc", "sys", "tmp")]
    nodes += [
        Node("dev/console", 0o020600, device=(5, 1)),
        Node("init", 0o100755, init),
        Node("bin/busybox", 0o100755, busybox),
    ]
    nodes += [Node(f"bin/{applet}", 0o120777, b"busybox") for applet in APPLETS]
    return cpio([*nodes, *more])


def disk_initramfs(apt: Apt, busybox: bytes, package: str) -> bytes:
    """Return a RAM disk with modules of the kernel ``package``."""
    say(f"fetching {package} for its modules")
    found = {}
    with apt.download(package) as (deb,), opened(deb) as archive:
        for entry in archive:
            name = Path(entry.name).stem
            if entry.name.endswith(".ko") and name in MODULES and (file := archive.extractfile(entry)) is not None:
                found[name] = file.read()
    if missing := set(MODULES) - set(found):
        raise FetchError(f"{package} has no module {min(missing)}")
    nodes = [Node(name, 0o040755) for name in ("lib", "mnt")]
    nodes += [Node(f"bin/{applet}", 0o120777, b"busybox") for applet in DISK_APPLETS]
    nodes += [Node(f"lib/{name}.ko", 0o100644, found[name]) for name in MODULES]
    return initramfs(busybox, (ROOT / "guests" / "linux" / "init-virtio").read_bytes(), nodes)


def kvm_initramfs(apt: Apt, busybox: bytes, image: bytes, disk: bytes) -> bytes:
    """Return a RAM disk in which KVM runs ``image`` with ``disk``. Unpacking it would be most of a boot."""
    from scripts.kit import kvm

    packages = kvm.wanted(apt.installed_with(kvm.PACKAGE))
    say(f"fetching {kvm.PACKAGE} and {len(packages) - 1} packages of libraries")
    files = kvm.Files()
    with apt.download(*packages) as debs:
        for deb in debs:
            with opened(deb) as archive:
                files.add(archive)
    try:
        needed = files.needed()
    except KeyError as e:
        raise FetchError(f"no package that {kvm.PACKAGE} depends on has {e.args[0]}") from None
    nodes = [Node(name, 0o040755) for name in ("guest", "lib")]
    nodes += [Node("guest/Image", 0o100644, image), Node("guest/initramfs.cpio.gz", 0o100644, disk)]
    nodes += [Node(f"{'bin' if name == kvm.PROGRAM else 'lib'}/{name}", 0o100755, needed[name]) for name in sorted(needed)]
    return initramfs(busybox, (ROOT / "guests" / "linux" / "init-kvm").read_bytes(), nodes)


# ---------------------------------------------------------------------------------------------------- the artefacts


def write(path: Path, data: bytes) -> None:
    """Write in one step: a file that exists is whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)
    say(f"{path}: {len(data)} bytes")


def kernel_image(vmlinuz: bytes, what: str = "kernel") -> bytes:
    """Return the raw Image of Debian's vmlinuz, which is one or a gzip of one (Documentation/arm64/booting.rst)."""
    image = gzip.decompress(vmlinuz) if vmlinuz[:2] == b"\x1f\x8b" else vmlinuz
    if image[56:60] != b"ARM\x64":
        raise FetchError(f"Debian's {what} is no arm64 Image any more; gdbhv has to learn its new format")
    return image


def fetch(
    out: Path,
    symbols: bool = False,
    refresh: bool = False,
    xen: bool = False,
    kvm: bool = False,
    disk: bool = False,
    firmware: bool = False,
) -> None:
    """Bring ``out`` up to date."""
    names = ("Image", "Image.package", "Image.vmlinux", "initramfs.cpio.gz", "xen", "xen.dtb", "initramfs-kvm.cpio", DISK)
    paths = {name: out / name for name in names}
    init = ROOT / "guests" / "linux" / "init"
    need_kernel = refresh or not (paths["Image"].exists() and paths["Image.package"].exists())
    need_initramfs = refresh or not paths["initramfs.cpio.gz"].exists()
    need_symbols = symbols and (need_kernel or not paths["Image.vmlinux"].exists())
    new = need_kernel or need_initramfs
    need_xen = xen and (refresh or not paths["xen"].exists())
    need_tree = xen and (new or not paths["xen.dtb"].exists())
    need_kvm = kvm and (new or not paths["initramfs-kvm.cpio"].exists())
    need_disk = disk and (new or not paths[DISK].exists())
    need_firmware = [name for name in FIRMWARE if firmware and (refresh or not (out / name).exists())]
    needed = (new, need_symbols, need_xen, need_tree, need_kvm, need_disk, need_firmware)
    if not any(needed):
        say(f"{out} is complete")
        return
    out.mkdir(parents=True, exist_ok=True)
    apt = Apt(out.resolve() / ".apt", out / "PACKAGES")
    busybox = apt.extract("busybox-static", "*bin/busybox") if need_initramfs or need_kvm or need_disk else b""
    if need_kernel:
        package = apt.newest_dependency(META_PACKAGE, r"linux-image-[0-9][^ ,|]*")
        write(paths["Image"], kernel_image(apt.extract(package, "boot/vmlinuz-*")))
        write(paths["Image.package"], package.encode() + b"\n")
        paths["Image.vmlinux"].unlink(missing_ok=True)
    if need_initramfs:
        write(paths["initramfs.cpio.gz"], gzip.compress(initramfs(busybox, init.read_bytes()), compresslevel=9, mtime=0))
    if need_disk:
        made = disk_initramfs(apt, busybox, paths["Image.package"].read_text().strip())
        write(paths[DISK], gzip.compress(made, compresslevel=9, mtime=0))
    if need_symbols:
        package = paths["Image.package"].read_text().strip()
        write(paths["Image.vmlinux"], apt.extract(f"{package}-dbg", "usr/lib/debug/boot/vmlinux-*"))
    if need_xen:
        package = apt.newest_dependency(XEN_META_PACKAGE, r"xen-hypervisor-[0-9][^ ,|]*")
        write(paths["xen"], kernel_image(apt.extract(package, "boot/xen-*-arm64"), "Xen"))
    for name in need_firmware:
        write(out / name, apt.extract(*FIRMWARE[name]))
    guest = (paths["Image"].read_bytes(), paths["initramfs.cpio.gz"].read_bytes()) if need_tree or need_kvm else (b"", b"")
    if need_tree:
        from scripts.kit import xen as of_xen

        write(paths["xen.dtb"], of_xen.tree(*guest))
    if need_kvm:
        write(paths["initramfs-kvm.cpio"], kvm_initramfs(apt, busybox, *guest))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("GDBHV_KIT") or ROOT / ".kit")
    parser.add_argument("--out", type=Path, default=default, help="where to (default: $GDBHV_KIT, or .kit in the clone)")
    parser.add_argument("--dbg", action="store_true", help="fetch the kernel's symbols too")
    parser.add_argument("--xen", action="store_true", help="fetch Xen too, and make a device tree for two guests of it")
    parser.add_argument("--kvm", action="store_true", help="make a RAM disk too in which KVM has a guest")
    parser.add_argument("--disk", action="store_true", help="make a RAM disk too with drivers for virtio")
    parser.add_argument("--firmware", action="store_true", help="fetch U-Boot and EDK2 too")
    parser.add_argument("--refresh", action="store_true", help="look for newer packages")
    options = parser.parse_args()
    try:
        fetch(options.out, options.dbg, options.refresh, options.xen, options.kvm, options.disk, options.firmware)
    except ImportError as error:
        print(f"fetch_guests.py: --xen and --kvm need what gdbhv needs ({error}): scripts/setup, and then", file=sys.stderr)
        print("    .venv/bin/python scripts/fetch_guests.py ...", file=sys.stderr)
        return 1
    except (FetchError, OSError, tarfile.TarError) as error:
        print(f"fetch_guests.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fetch_guests.py: interrupted; what is complete stays, the rest will be fetched again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
