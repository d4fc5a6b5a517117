"""Files that a guest starts from: ELF, the arm64 ``Image`` of Linux and Xen (gzip too), raw bytes, device trees."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import fdt
from construct import Bytes, Computed, Const, ConstructError, Int16ul, Int32ub, Int32ul, Int64ul, Padding, Struct, this

from gdbhv import _core, files
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
    "pe_offset" / Int32ul,
)

# PE/COFF specification, "COFF File Header" and "Section Table": a kernel with an EFI stub is a PE file too.
PE_SECTION = Struct(
    Padding(16), "raw_size" / Int32ul, "raw_offset" / Int32ul, Padding(16), "end" / Computed(this.raw_size + this.raw_offset)
)
PE_HEADER = Struct(
    "magic" / Const(b"PE\0\0"),
    Padding(2),
    "count" / Int16ul,
    Padding(12),
    "optional_size" / Int16ul,
    Padding(2),
    "optional" / Bytes(this.optional_size),
    "sections" / PE_SECTION[this.count],
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

PACKED = {
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x04\x22\x4d\x18": "lz4",
}

MAX_IMAGE = 1 << 30
MAX_DTB = 64 << 20  # of a file whose tree need not be all of it
MAX_TREE = 2 << 20  # Documentation/arm64/booting.rst of Linux, "Setup the device tree"
ALIGN = 2 << 20
SYMBOLS = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC")
RAW_OFFSET = 0x80000  # where QEMU's `virt` puts raw bytes, and a kernel whose header does not say how large it is
MAX_PE_HEADER = 1 << 22  # more than 65,535 sections need
RESERVED = 0x1000  # a kernel whose text_offset is less goes to the second 2 MiB of RAM there


@dataclass
class Image:
    """What to put where: ``segments`` are (address, bytes), ``size`` what the image needs from its first address on."""

    path: str
    kind: str  # "elf", "arm64", "raw"
    segments: list[tuple[int, bytes]]
    entry: int
    size: int
    data: bytes = field(default=b"", repr=False)  # the file, unpacked if it is gzip

    @cached_property
    def sha256(self) -> str:
        """Digest of :attr:`data`. Snapshots and recordings ask for it."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def base(self) -> int:
        """The lowest address."""
        return min((a for a, _ in self.segments), default=self.entry)

    @property
    def end(self) -> int:
        """The first address behind the image."""
        return max([self.base + self.size, *(a + len(d) for a, d in self.segments)])

    @cached_property
    def symbols(self) -> dict[str, int]:
        """The addresses of its symbols by name, global ones first; none if it is no ELF, or a stripped one."""
        if self.kind != "elf":
            return {}
        from elftools.elf.elffile import ELFFile  # only for an ELF: 15 ms
        from elftools.elf.sections import SymbolTableSection

        table = ELFFile(io.BytesIO(read_file(self.path))).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return {}
        known = [s for s in table.iter_symbols() if s["st_shndx"] != "SHN_UNDEF" and s["st_info"]["type"] in SYMBOLS]
        known.sort(key=lambda s: s["st_info"]["bind"] == "STB_GLOBAL")
        return {s.name: s["st_value"] for s in known if s.name and not s.name.startswith("$")}


def read_raw(path: str | Path, limit: int = MAX_IMAGE) -> bytes:
    """Return a file's bytes as they are.

    :raises gdbhv.errors.ImageError: it cannot be read, or is longer than ``limit``, the machine's memory.
    """
    limit = min(limit, MAX_IMAGE)
    return files.read(path, limit, _too_long(limit))


def read_file(path: str | Path, limit: int = MAX_IMAGE, reason: str = "") -> bytes:
    """Return a file's bytes, unpacked if it is gzip.

    An ELF may be longer than ``limit``: it has more in it than what is loaded.

    :raises gdbhv.errors.ImageError: it cannot be read, is cut off, or is longer than ``limit``, the machine's memory unless
        ``reason`` says what else.
    """
    with files.open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if file.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _read_bounded(unpacked, str(path), limit, 0, reason)
            return _read_bounded(file, str(path), limit, size, reason)
        except (gzip.BadGzipFile, EOFError, zlib.error) as e:
            raise ImageError(str(path), f"a gzip file that does not unpack ({e}); is it cut off?") from None
        except OSError as e:
            raise ImageError(str(path), e.strerror or str(e)) from None


def _read_bounded(file: io.BufferedReader | gzip.GzipFile, path: str, limit: int, size: int, reason: str) -> bytes:
    limit = MAX_IMAGE if file.peek(4)[:4] == b"\x7fELF" else min(limit, MAX_IMAGE)
    data = b"" if size > limit else file.read(limit + 1)
    if max(size, len(data)) > limit:
        raise ImageError(path, reason or _too_long(limit))
    return data


def _too_long(limit: int) -> str:
    if limit >= MAX_IMAGE:
        return f"more than {MAX_IMAGE >> 30} GiB"
    return f"longer than the machine's memory, {limit >> 10:,} KiB: a machine with more memory takes it"


def load(path: str | Path, ram: int = _core.RAM_BASE, at: int | None = None, limit: int = MAX_IMAGE) -> Image:
    """Read an image.

    Without ``at`` it goes where QEMU's ``virt`` puts it: ELF segments at their physical addresses; an arm64 ``Image`` at its
    ``text_offset`` from the beginning of RAM, or from 2 MiB on if that is less than 4 KiB; raw bytes 512 KiB into RAM.

    :param ram: where RAM begins, a multiple of 2 MiB.
    :param at: the address of the first byte; not for an ELF, and for an arm64 ``Image`` its ``text_offset`` from a boundary
        of 2 MiB.
    :param limit: bytes that the machine has.
    :raises gdbhv.errors.ImageError: the file is unreadable, too long, cut off, empty, packed in a way that is not known
        here, or for another machine.
    """
    data = read_file(path, limit)
    return replace(_image(str(path), data, ram, at, limit), data=data)


def _image(path: str, data: bytes, ram: int, at: int | None, limit: int) -> Image:
    if not data:
        raise ImageError(path, "empty")
    if data.startswith(files.SNAPSHOT):
        raise ImageError(path, f"a snapshot: `gdbhv run --snapshot {path}` starts from it")
    if data[:4] == b"\x7fELF":
        if at is not None:
            raise ImageError(path, "an ELF goes to the addresses that it is linked for, and cannot be put elsewhere")
        return _elf(path, data, limit)
    if data[56:60] == b"ARM\x64":
        return _arm64(path, data, ram, at)
    packed = next((name for magic, name in PACKED.items() if data.startswith(magic)), None)
    if data[4:8] == b"zimg":
        packed = "EFI zboot"
    if packed:
        raise ImageError(path, f"packed as {packed}, of which only gzip is unpacked here; unpack it first")
    start = ram + RAW_OFFSET if at is None else at
    return Image(path, "raw", [(start, data)], start, len(data))


def _elf(path: str, data: bytes, limit: int) -> Image:
    try:
        return _elf_image(path, data, limit)
    except ImageError:
        raise
    except Exception as e:  # pyelftools raises whatever a broken file makes it stumble over
        raise ImageError(path, f"a broken ELF ({type(e).__name__}: {e}); is it cut off?") from None


def _elf_image(path: str, data: bytes, limit: int) -> Image:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(data))
    if elf["e_machine"] != "EM_AARCH64" or elf.elfclass != 64 or not elf.little_endian:
        raise ImageError(path, f"an ELF for {elf['e_machine']} ({elf.elfclass} bits); a little-endian AArch64 one is needed")
    loaded = [s for s in elf.iter_segments("PT_LOAD") if s["p_memsz"]]
    if not loaded:
        raise ImageError(path, "an ELF without anything to load (an object file?)")
    if sum(s["p_memsz"] for s in loaded) > MAX_IMAGE or any(s["p_memsz"] < s["p_filesz"] for s in loaded):
        raise ImageError(path, f"an ELF with segments of impossible sizes (more than {MAX_IMAGE >> 30} GiB, or less than 0)")
    if sum(s["p_memsz"] for s in loaded) > limit:
        raise ImageError(path, f"an ELF whose segments are {_too_long(limit)}")
    sections_end = elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"]
    if sections_end > len(data) or any(s["p_offset"] + s["p_filesz"] > len(data) for s in loaded):
        raise ImageError(path, "an ELF that is cut off: its headers tell of more than is there")
    if any(s["p_paddr"] >= 1 << 52 for s in loaded):
        where = max(s["p_paddr"] for s in loaded)
        raise ImageError(
            path, f"linked for no physical address ({where:#x}); a vmlinux? Run its Image, and give this to gdb"
        )
    segments = [(s["p_paddr"], s.data() + bytes(s["p_memsz"] - s["p_filesz"])) for s in loaded]
    entry = elf["e_entry"]
    entry += next((s["p_paddr"] - s["p_vaddr"] for s in loaded if 0 <= entry - s["p_vaddr"] < s["p_memsz"]), 0)
    base = min(a for a, _ in segments)
    return Image(path, "elf", segments, entry, max(a + len(d) for a, d in segments) - base)


def _arm64(path: str, data: bytes, ram: int, at: int | None) -> Image:
    try:
        header = ARM64_IMAGE.parse(data)
    except ConstructError:
        raise ImageError(path, "cut off in the header of an arm64 Image") from None
    if header.flags & 1:
        raise ImageError(path, "a big-endian kernel; only little-endian ones run here")
    if header.image_size > MAX_IMAGE or header.text_offset > MAX_IMAGE:
        raise ImageError(path, "an arm64 Image whose header has impossible sizes")
    if header.image_size and len(data) > header.image_size:
        raise ImageError(path, f"{len(data)} bytes, but its header says {header.image_size}")
    if data[:2] == b"MZ":
        _check_pe(path, data, header.pe_offset)
    offset = header.text_offset if header.image_size else RAW_OFFSET
    if at is None:
        at = ram + offset + (ALIGN if offset < RESERVED else 0)
    elif (at - offset) % ALIGN:
        raise ImageError(path, f"an arm64 Image cannot be at {at:#x}: it goes {offset:#x} behind a multiple of 2 MiB")
    return Image(path, "arm64", [(at, data)], at, header.image_size or len(data))


def _check_pe(path: str, data: bytes, offset: int) -> None:
    """Refuse a kernel that is cut off: the arm64 header counts .bss too, but the PE header has the sizes in the file."""
    try:
        end = max((s.end for s in PE_HEADER.parse(data[offset : offset + MAX_PE_HEADER]).sections), default=0)
    except ConstructError:
        end = len(data) + 1 if offset + 4 > len(data) or data[offset : offset + 4] == b"PE\0\0" else 0
    if end > len(data):
        raise ImageError(path, f"an arm64 Image that is cut off: {len(data)} bytes are there, and its sections need more")


def load_dtb(path: str | Path) -> bytes:
    """Read a device tree blob and check that it is one.

    :raises gdbhv.errors.ImageError: it is none, or it is cut off or broken.
    """
    data = read_file(path, MAX_DTB, f"longer than a device tree may be ({MAX_DTB >> 20} MiB)")
    try:
        header = FDT_HEADER.parse(data)
    except ConstructError:
        raise ImageError(
            str(path), "not a device tree blob (it does not begin with d0 0d fe ed and a header); dtc -O dtb makes one"
        ) from None
    parts = (header.off_dt_struct + header.size_dt_struct, header.off_dt_strings + header.size_dt_strings)
    if header.totalsize > len(data) or max(parts) > header.totalsize:
        raise ImageError(
            str(path), f"a device tree that is cut off: {header.totalsize} bytes, of which {len(data)} are there"
        )
    if header.totalsize > MAX_TREE:
        raise ImageError(str(path), "a device tree of more than 2 MiB, which no kernel accepts")
    tree = data[: header.totalsize]
    _parse_dtb(tree, str(path))
    return tree


def _parse_dtb(tree: bytes, path: str) -> fdt.FDT:
    try:
        return fdt.parse_dtb(tree)
    except Exception as e:  # the library raises whatever a broken tree makes it stumble over
        raise ImageError(path, f"a device tree that cannot be parsed ({type(e).__name__}: {e})") from None


def patch_dtb(tree: bytes, path: str, *, append: str = "", initrd: tuple[int, int] | None = None) -> bytes:
    """Return a device tree with ``/chosen`` saying the command line and where the initial RAM disk is; unchanged
    if neither is given.

    :raises gdbhv.errors.ImageError: the tree cannot be parsed, or cannot be written again.
    """
    if not append and initrd is None:
        return tree
    dt = _parse_dtb(tree, path)
    try:
        if not dt.exist_node("/chosen"):
            dt.root.append(fdt.Node("chosen"))
        chosen = dt.get_node("/chosen")
        if append:
            chosen.set_property("bootargs", append)
        if initrd is not None:
            for name, address in zip(("linux,initrd-start", "linux,initrd-end"), initrd, strict=True):
                chosen.set_property(name, [address >> 32, address & 0xFFFFFFFF])
        return bytes(dt.to_dtb(version=17))
    except Exception as e:  # as above
        raise ImageError(path, f"a device tree that cannot be changed ({type(e).__name__}: {e})") from None
