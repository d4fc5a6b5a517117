"""What a user of KVM needs besides a kernel: Debian's qemu-system-aarch64, and the shared libraries that it asks for."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

PACKAGE = "qemu-system-arm"
PROGRAM = "qemu-system-aarch64"
LOADER = "ld-linux-aarch64.so.1"
LIBRARIES = r"(lib|zlib).*"
"""Packages that shared libraries are in, by name (Debian Policy 8.1)."""


def interesting(name: str) -> bool:
    """Whether a file of a package is the program or a shared library."""
    path = PurePosixPath(name)
    return path.name == PROGRAM or (path.parent.name in ("lib", "aarch64-linux-gnu") and ".so" in path.name)


class Files:
    """Programs and libraries from packages, by their names without folders."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}
        self._links: dict[str, str] = {}

    def add(self, archive: tarfile.TarFile) -> None:
        """Take what is interesting in a package."""
        for entry in archive:
            name = PurePosixPath(entry.name).name
            target = PurePosixPath(entry.linkname).name
            if entry.issym() and interesting(entry.name) and target != name:  # else it is in another folder
                self._links[name] = target
            elif entry.isfile() and interesting(entry.name) and (file := archive.extractfile(entry)) is not None:
                self._data[name] = file.read()

    def read(self, name: str) -> bytes:
        """Return a file, or what a link of this name leads to. :raises KeyError: there is none."""
        while name in self._links:
            name = self._links[name]
        return self._data[name]

    def needed(self) -> dict[str, bytes]:
        """Return the program and all that it needs, and these need, by name. :raises KeyError: one is not there."""
        found = {LOADER: self.read(LOADER)}
        waiting = [PROGRAM]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.read(name)
                waiting += libraries(found[name])
        return found


def libraries(elf: bytes) -> Iterator[str]:
    """Yield the libraries that an ELF file asks for, by name."""
    dynamic = ELFFile(io.BytesIO(elf)).get_section_by_name(".dynamic")
    if isinstance(dynamic, DynamicSection):
        yield from (tag.needed for tag in dynamic.iter_tags("DT_NEEDED"))


def wanted(packages: list[str]) -> list[str]:
    """Return those of the packages, installed with PACKAGE, that files come from."""
    return [name for name in packages if name == PACKAGE or re.fullmatch(LIBRARIES, name)]
