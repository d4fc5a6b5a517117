"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Tests send Ctrl-C to what they start. A script's `&` has ignored it for the whole suite, and what is ignored is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Kit:
    """The real Linux guest, as ``scripts/fetch_guests.py`` lays it out; what is missing is fetched when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def image(self) -> Path:
        """Debian's arm64 kernel as a raw Image."""
        return self._have("Image")

    @property
    def initramfs(self) -> Path:
        """The initramfs whose /init prints ``GDBHV-GUEST: boot ok`` and ``GDBHV-GUEST: selftest ok`` and powers off."""
        return self._have("initramfs.cpio.gz")

    @property
    def vmlinux(self) -> Path:
        """The same kernel with symbols. A large download: ask for it only where gdb needs it."""
        return self._have("Image.vmlinux", "--dbg")

    @property
    def xen(self) -> Path:
        """Xen, which boots two guests of this kernel with ``xen_tree``."""
        return self._have("xen", "--xen")

    @property
    def xen_tree(self) -> Path:
        """The device tree for it."""
        return self._have("xen.dtb", "--xen")

    @property
    def disk(self) -> Path:
        """The RAM disk with drivers for virtio, whose /init says of each disk what it holds, and writes to it."""
        return self._have("initramfs-virtio.cpio.gz", "--disk")

    @property
    def kvm(self) -> Path:
        """The RAM disk whose /init runs this kernel as a guest of KVM, and prints what that prints."""
        return self._have("initramfs-kvm.cpio", "--kvm")

    @property
    def u_boot(self) -> Path:
        """U-Boot for QEMU's virt, to be put into flash."""
        return self._have("u-boot.bin", "--firmware")

    @property
    def edk2(self) -> Path:
        """EDK2 for the same."""
        return self._have("QEMU_EFI.fd", "--firmware")

    def _have(self, name: str, *options: str) -> Path:
        path = self.folder / name
        if path.exists():
            return path
        if os.environ.get("GDBHV_OFFLINE") == "1":
            pytest.skip(f"GDBHV_OFFLINE=1 and {path} is not there")
        command = [sys.executable, str(ROOT / "scripts" / "fetch_guests.py"), "--out", str(self.folder), *options]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:  # another process of these tests may be fetching it
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode != 0 or not path.exists():
            pytest.fail(f"{name} could not be fetched; GDBHV_OFFLINE=1 skips what needs it\n{done.stderr}", pytrace=False)
        return path


@pytest.fixture(scope="session")
def kit() -> Kit:
    """Return the guests in $GDBHV_KIT, or else in .kit/ of the clone; they are fetched where they are missing."""
    folder = Kit(Path(os.environ.get("GDBHV_KIT") or ROOT / ".kit"))
    _ = folder.image, folder.initramfs
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gdbhv")
    group.addoption("--seed", type=int, default=None, help="seed of the random tests (default: a new one, printed)")
    group.addoption("--cases", type=int, default=None, help="random cases for each random test (default: each test's own)")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)


def pytest_report_header(config: pytest.Config) -> str:
    return f"random tests: --seed {config.option.seed}"


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """Return the seed of this run; the header shows it, and ``--seed`` sets it."""
    return int(pytestconfig.option.seed)


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> Callable[[int], int]:
    """Return a function from a test's own number of random cases to the number to run (``--cases``)."""
    return lambda default: default if pytestconfig.option.cases is None else pytestconfig.option.cases


@pytest.fixture
def spin(tmp_path: Path) -> Path:
    """A guest that never ends: B to itself."""
    (path := tmp_path / "spin.bin").write_bytes((0x14000000).to_bytes(4, "little"))
    return path
