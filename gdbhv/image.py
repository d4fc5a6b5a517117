"""Files that a guest starts from: ELF, the arm64 ``Image`` of Linux and Xen (gzip too), raw bytes, device trees."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import fdt
from construct import Bytes, Const, ConstructError, Int32ub, Int32ul, Int64ul, Struct
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from gdbhv.errors import ImageError

# Documentation/arm64/booting.rst of Linux, "Call the kernel image"
ARM64_IMAGE = Struct(
    "code0" / Int32ul,
    "code1" / Int32ul,
    "text_offset" / Int64ul,
    "image_size" / Int64ul,
    "flags" / Int64ul,
    "res" / Bytes(24),
    "magic" / Const(b"ARM\x64"),
    "res5" / Int32ul,
)

# Devicetree Specification v0.4, 5.2 "Header"
FDT_HEADER = Struct(
    "magic" / Const(0xD00DFEED, Int32ub),
    "totalsize" / Int32ub,
    "off_dt_struct" / Int32ub,
    "off_dt_strings" / Int32ub,
    "off_mem_rsvmap" / Int32ub,
    "version" / Int32ub,
    "last_comp_version" / Int32ub,
    "boot_cpuid_phys" / Int32ub,
    "size_dt_strings" / Int32ub,
    "size_dt_struct" / Int32ub,
)

MAX_IMAGE = 1 << 30
ALIGN = 2 << 20


@dataclass
class Image:
    """What to put where: ``segments`` are (address, bytes), ``size`` what the image needs from its first address on."""

    path: str
    kind: str  # "elf", "arm64", "raw"
    segments: list[tuple[int, bytes]]
    entry: int
    size: int
    symbols: dict[str, int] = field(default_factory=dict)

    @property
    def base(self) -> int:
        """The lowest address."""
        return min((a for a, _ in self.segments), default=self.entry)

    @property
    def end(self) -> int:
        """The first address behind the image."""
        return max([self.base + self.size, *(a + len(d) for a, d in self.segments)])


def read_raw(path: str | Path) -> bytes:
    """Return a file's bytes as they are. :raises gdbhv.errors.ImageError: it cannot be read, or is too large."""
    try:
        if Path(path).stat().st_size > MAX_IMAGE:
            raise ImageError(str(path), f"more than {MAX_IMAGE >> 30} GiB")
        return Path(path).read_bytes()
    except OSError as e:
        raise ImageError(str(path), e.strerror or str(e)) from None


def read_file(path: str | Path) -> bytes:
    """Return a file's bytes, unpacked if it is gzip. :raises gdbhv.errors.ImageError: it cannot be read, or is cut off."""
    data = read_raw(path)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as f:
                data = f.read(MAX_IMAGE + 1)
        except (OSError, EOFError, zlib.error) as e:
            raise ImageError(str(path), f"a gzip file that does not unpack ({e}); is it cut off?") from None
    if len(data) > MAX_IMAGE:
        raise ImageError(str(path), f"more than {MAX_IMAGE >> 30} GiB")
    return data


def load(path: str | Path, ram: int = 0x40000000, at: int | None = None) -> Image:
    """Read an image. ELF segments go to their physical addresses, an arm64 ``Image`` to a 2 MiB boundary (plus its
    ``text_offset``) behind
    the first 2 MiB of RAM, raw bytes to ``at`` (default: 512 KiB into RAM).

    :param ram: where RAM begins.
    :raises gdbhv.errors.ImageError: the file is unreadable, cut off, empty, or for another machine.
    """
    data = read_file(path)
    if not data:
        raise ImageError(str(path), "empty")
    if data[:4] == b"\x7fELF":
        return _elf(str(path), data)
    if data[56:60] == b"ARM\x64":
        return _arm64(str(path), data, ram if at is None else at)
    start = ram + 0x80000 if at is None else at
    return Image(str(path), "raw", [(start, data)], start, len(data))


def _elf(path: str, data: bytes) -> Image:
    try:
        elf = ELFFile(io.BytesIO(data))
        if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
            raise ImageError(
                path, f"an ELF for {elf['e_machine']} ({elf.elfclass} bits); a little-endian AArch64 one is needed"
            )
        segments = []
        end = 0
        for s in elf.iter_segments("PT_LOAD"):
            if s["p_offset"] + s["p_filesz"] > len(data):
                raise ImageError(path, "cut off: a segment reaches beyond the end of the file")
            if s["p_memsz"] == 0:
                continue
            if s["p_memsz"] > MAX_IMAGE or s["p_memsz"] < s["p_filesz"]:
                raise ImageError(path, f"a segment of {s['p_memsz']:#x} bytes")
            segments.append((s["p_paddr"], s.data() + bytes(s["p_memsz"] - s["p_filesz"])))
            end = max(end, s["p_paddr"] + s["p_memsz"])
        if not segments:
            raise ImageError(path, "an ELF without anything to load (an object file?)")
        entry = elf["e_entry"]
        for s in elf.iter_segments("PT_LOAD"):
            if s["p_vaddr"] <= entry < s["p_vaddr"] + s["p_memsz"]:
                entry += s["p_paddr"] - s["p_vaddr"]
                break
        table = elf.get_section_by_name(".symtab")
        symbols = {}
        if isinstance(table, SymbolTableSection):
            symbols = {s.name: s["st_value"] for s in table.iter_symbols() if s.name}
    except (ELFError, ConstructError, ValueError, OverflowError) as e:
        if isinstance(e, ImageError):
            raise
        raise ImageError(path, f"a broken ELF ({e}); is it cut off?") from None
    base = min(a for a, _ in segments)
    return Image(path, "elf", segments, entry, end - base, symbols)


def _arm64(path: str, data: bytes, base: int) -> Image:
    try:
        header = ARM64_IMAGE.parse(data)
    except ConstructError as e:
        raise ImageError(path, f"a broken arm64 Image header ({e})") from None
    if header.flags & 1:
        raise ImageError(path, "a big-endian kernel; only little-endian ones run here")
    if header.image_size and len(data) > header.image_size:
        raise ImageError(path, f"{len(data)} bytes, but its header says {header.image_size}")
    if header.image_size > MAX_IMAGE or header.text_offset > MAX_IMAGE:
        raise ImageError(path, "a header with impossible sizes")
    start = -(-base // ALIGN) * ALIGN
    if start == base:
        start += ALIGN  # the device tree goes to the beginning of RAM
    start += header.text_offset
    return Image(path, "arm64", [(start, data)], start, header.image_size or len(data))


def load_dtb(path: str | Path) -> bytes:
    """Read a device tree blob and check that it is one.

    :raises gdbhv.errors.ImageError: it is none, or it is cut off.
    """
    data = read_file(path)
    try:
        header = FDT_HEADER.parse(data)
    except ConstructError:
        raise ImageError(
            str(path), "not a device tree blob (its first bytes are not d0 0d fe ed); dtc -O dtb makes one"
        ) from None
    parts = (header.off_dt_struct + header.size_dt_struct, header.off_dt_strings + header.size_dt_strings)
    if header.totalsize > len(data) or max(parts) > header.totalsize:
        raise ImageError(
            str(path), f"a device tree that is cut off: {header.totalsize} bytes, of which {len(data)} are there"
        )
    if header.totalsize > 2 << 20:
        raise ImageError(str(path), "a device tree of more than 2 MiB, which no kernel accepts")
    return data[: header.totalsize]


def patch_dtb(tree: bytes, path: str, *, append: str = "", initrd: tuple[int, int] | None = None) -> bytes:
    """Return a device tree with ``/chosen`` saying the command line and where the initial RAM disk is; unchanged
    if neither is given.

    :raises gdbhv.errors.ImageError: the tree cannot be parsed.
    """
    if not append and initrd is None:
        return tree
    try:
        dt = fdt.parse_dtb(tree)
        chosen = fdt.Node("chosen")
        if dt.exist_node("/chosen"):
            chosen = dt.get_node("/chosen")
        else:
            dt.root.append(chosen)
        if append:
            chosen.set_property("bootargs", append)
        if initrd is not None:
            for name, address in zip(("linux,initrd-start", "linux,initrd-end"), initrd, strict=True):
                chosen.set_property(name, [address >> 32, address & 0xFFFFFFFF])
        return bytes(dt.to_dtb(version=17))
    except Exception as e:  # the library raises whatever a broken tree makes it stumble over
        raise ImageError(path, f"a device tree that cannot be parsed ({type(e).__name__}: {e})") from None
