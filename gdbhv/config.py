"""What a machine or a VM is to be: the fields that ``gdbhv run`` has options for, and what they cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

from gdbhv import _core
from gdbhv.errors import ConfigError

RAM = _core.RAM_BASE
PAGE = 4096
MAX_MEMORY = 255 << 30
FLASH = next(row["size"] for row in _core.board() if row["name"] == "flash")
"""Bytes of both banks of flash, which are from address 0 on."""


class Drive(NamedTuple):
    """A disk: the file that it begins as, ``raw`` or ``qcow2``, and whether what the guest writes is to be kept in it."""

    path: str
    keeps: bool = False
    format: str = "raw"
    read_only: bool = False


HOST = "127.0.0.1"
"""Where forwarded ports of the host's are."""
GUEST_ADDRESS = "10.0.2.15"
"""Where they lead to."""
MAC = "52:54:00:12:34:56"


class Forward(NamedTuple):
    """A port of the host's, at :data:`HOST`, and the guest's that it leads to: of TCP, or of UDP."""

    host: int
    guest: int
    udp: bool = False


class Net(NamedTuple):
    """A network of the guest's own: its hardware address, and who reaches it from outside."""

    mac: str = MAC
    forwards: tuple[Forward, ...] = ()

    @property
    def address(self) -> bytes:
        """The hardware address as bytes."""
        return bytes.fromhex(self.mac.replace(":", ""))


A_FILE, FILES_FIRST = {"file": "it"}, {"file": "the first of each"}
"""What a field of a :class:`BootConfig` names."""


@dataclass
class BootConfig:
    """What to boot and where; the fields are the options of ``gdbhv run``."""

    image: str | Path | None = field(default=None, metadata=A_FILE)
    smp: int = 1
    memory: int = 1 << 30
    initrd: str | Path | None = field(default=None, metadata=A_FILE)
    append: str = ""
    kernel: str | Path | None = field(default=None, metadata=A_FILE)
    dtb: str | Path | None = field(default=None, metadata=A_FILE)
    cpu: str = "max"
    load: list[tuple[str, int]] = field(default_factory=list, metadata=FILES_FIRST)
    load_address: int | None = None
    entry: int | None = None
    x0: int | None = None
    name: str | None = None
    gic: int = 3
    ns_per_insn: int = 1
    chaos: str | None = None
    """A seed decides what the architecture leaves open: SEED or SEED:PROFILE (``_core.chaos``)."""
    flash: list[tuple[str, bool]] = field(default_factory=list, metadata=FILES_FIRST)
    """What the banks hold: files, and whether what the guest writes is to be kept (:func:`gdbhv.board.firmware.keep`)."""
    semihosting: str | None = None
    """The guest's semihosting calls are served: the folder that its files are below; "": it has none. None: they are not."""
    rng: int | None = None
    """There is an entropy device, and this is its seed."""
    virtio_console: bool = False
    """There is a virtio console, and what is typed goes there."""
    pcie: bool = False
    """There is PCIe, and virtio devices are there instead of in the slots."""
    net: Net | None = None
    """There is a network (:mod:`gdbhv.board.network`)."""
    drive: list[Drive] = field(default_factory=list, metadata=FILES_FIRST)
    """Disks (:mod:`gdbhv.drives`)."""

    def files(self) -> list[str]:
        """Return the files that the machine is made from."""
        single = [getattr(self, name) for name in SINGLE_FILES]
        placed = [each[0] for name in PLACED_FILES for each in getattr(self, name)]
        return [str(path) for path in [*single, *placed] if path is not None]

    def check(self, vms: int = 1) -> None:
        """Check what does not depend on any file. ``vms``: how many there are of this size.

        :raises gdbhv.errors.ConfigError: no machine is like this.
        """
        self._check_memory(vms)
        self._check_text()
        if self.chaos is not None:
            try:
                _core.chaos(self.chaos)
            except ValueError as e:
                raise ConfigError("chaos", str(e)) from None
        for name in ("smp", "entry", "x0", "load_address", "gic", "ns_per_insn"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1 << 64:
                raise ConfigError(name, f"{value} is out of range: 0 to 2^64 - 1")
        if self.load_address is not None and self.image is None:
            raise ConfigError("load_address", "it is for an image, and there is none")
        in_flash = self.entry is not None and bool(self.flash) and self.entry < FLASH
        in_ram = self.entry is not None and RAM <= self.entry < RAM + self.memory
        if self.entry is not None and (not (in_flash or in_ram) or self.entry % 4):
            ram = f"RAM, which is {RAM:#x} to {RAM + self.memory - 1:#x}"
            raise ConfigError("entry", f"the first instruction cannot be at {self.entry:#x}: it is a multiple of 4 in {ram}")

    def _check_memory(self, vms: int) -> None:
        if self.memory <= 0 or self.memory % PAGE:
            whole = -(-max(self.memory, 1) // PAGE) * PAGE
            raise ConfigError("memory", f"{self.memory:,} bytes are not whole 4 KiB pages ({whole:,} bytes are)")
        if vms * self.memory > MAX_MEMORY:
            each = f"{vms} VMs of {self.memory >> 20:,} MiB" if vms > 1 else f"{self.memory >> 20:,} MiB"
            raise ConfigError("memory", f"{each} are too much: at most {MAX_MEMORY >> 30} GiB of RAM are possible")

    def _check_text(self) -> None:
        try:
            encoded = self.append.encode()
        except UnicodeEncodeError as e:
            reason = f"the command line of a kernel is UTF-8 text, and byte {e.start} of this is none"
            raise ConfigError("append", reason) from None
        if b"\0" in encoded:
            raise ConfigError("append", "a kernel's command line ends at its first NUL, and this has one in it")


SINGLE_FILES = tuple(f.name for f in fields(BootConfig) if f.metadata == A_FILE)
PLACED_FILES = tuple(f.name for f in fields(BootConfig) if f.metadata == FILES_FIRST)
"""The fields that name files: one, and a list of tuples that begin with one."""
