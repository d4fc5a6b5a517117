"""The board as firmware finds it: a kernel in fw_cfg, and the content of its flash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gdbhv import _core, files, image
from gdbhv.config import FLASH
from gdbhv.errors import GdbhvError

# Items of fw_cfg (QEMU's specification, "Selector keys" and include/standard-headers/linux/qemu_fw_cfg.h).
KERNEL_SIZE, KERNEL_DATA, INITRD_SIZE, INITRD_DATA, CMDLINE_SIZE, CMDLINE_DATA = 0x08, 0x11, 0x0B, 0x12, 0x14, 0x15

BANKS = 2
BANK = FLASH // BANKS


def items(kernel: str | Path | None, initrd: str | Path | None, append: str, limit: int) -> dict[int, bytes]:
    """Return the items of fw_cfg for an image that is a firmware, by key: the kernel to boot, its RAM disk and command line.

    :param limit: the largest size of a file, in bytes.
    :raises gdbhv.errors.ImageError: a file is unusable.
    """
    if kernel is None:
        return {}
    disk = b"" if initrd is None else image.read_raw(initrd, limit)
    line = append.encode() + b"\0"
    sized = (
        (KERNEL_SIZE, KERNEL_DATA, image.read_raw(kernel, limit)),
        (INITRD_SIZE, INITRD_DATA, disk),
        (CMDLINE_SIZE, CMDLINE_DATA, line),
    )
    return {k: v for size, key, data in sized for k, v in ((size, len(data).to_bytes(4, "little")), (key, data))}


def banks(flash: Sequence[tuple[str, bool]]) -> list[tuple[str, int, bytes]]:
    """Return the content of the banks of flash: name, address, bytes from its beginning.

    :param flash: files, and whether the guest's writes are kept in them.
    :raises gdbhv.errors.GdbhvError: there are more files than banks, or one does not fit.
    """
    if len(flash) > BANKS:
        raise GdbhvError(f"--flash: there are {BANKS} banks, and {len(flash)} files")
    return [(path, number * BANK, image.read_raw(path, BANK)) for number, (path, _) in enumerate(flash)]


def keep(core: _core.Machine, flash: Sequence[tuple[str, bool]]) -> list[str]:
    """Write the present content of flash into the files that keep it; return those that have changed.

    A file keeps its size, unless the guest has written beyond it.

    :raises OSError: a file cannot be replaced.
    """
    changed = []
    for (path, address, before), (_, keeps) in zip(banks(flash), flash, strict=True):
        if not keeps:
            continue
        now = core.read_pa(address, BANK)
        now = now[: max(len(before), len(now.rstrip(b"\0")))]
        if now != before:
            with files.replaced(path, b"") as file:
                file.write(now)
            changed.append(path)
    return changed
