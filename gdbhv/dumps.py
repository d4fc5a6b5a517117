"""Dumps of memory: raw bytes, or an ELF core (QEMU's ``dump-guest-memory``), and the values of registers that go with them.

A dump becomes a machine that does not run, so that every view works on it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from gdbhv import _core, boot
from gdbhv.config import BootConfig
from gdbhv.errors import CommandError
from gdbhv.machine.machine import Machine

PRSTATUS = struct.Struct("<112x31QQQQ")  # Linux, arch/arm64: elf_prstatus up to pr_reg: x0 to x30, sp, pc, pstate
MOST_CPUS = 8


@dataclass
class Dump:
    """Pieces of memory by physical address, and the registers of each CPU by name."""

    pieces: list[tuple[int, bytes]]
    cpus: list[dict[str, int]] = field(default_factory=list)

    def read(self, address: int, length: int) -> bytes:
        """Return memory. :raises IndexError: some of it is not in the dump."""
        for start, data in self.pieces:
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        raise IndexError(f"{length} bytes at {address:#x} are not in the dump")


def load(path: str | Path, base: int = _core.RAM_BASE) -> Dump:
    """Read a dump; ``base``: the address of raw bytes.

    :raises OSError: it cannot be read.
    :raises gdbhv.errors.CommandError: it is a broken ELF file, or one of another kind.
    """
    with Path(path).open("rb") as f:
        if f.read(4) != b"\x7fELF":
            f.seek(0)
            return Dump([(base, f.read())])
        try:
            elf = ELFFile(f)
            if elf["e_machine"] != "EM_AARCH64" or elf["e_type"] != "ET_CORE":
                raise CommandError(f"{path} is no ELF core of AArch64, but {elf['e_machine']} {elf['e_type']}")
            dump = Dump([])
            for segment in elf.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    dump.pieces.append((segment["p_paddr"], segment.data()))
                elif isinstance(segment, NoteSegment):
                    dump.cpus += [_prstatus(n["n_descdata"]) for n in segment.iter_notes() if n["n_type"] == "NT_PRSTATUS"]
        except (ELFError, struct.error, KeyError) as e:
            raise CommandError(f"{path}: a broken ELF core: {e}") from None
    return dump


def _prstatus(data: bytes | str) -> dict[str, int]:
    raw = data.encode("latin-1") if isinstance(data, str) else data
    *x, sp, pc, pstate = PRSTATUS.unpack(raw[: PRSTATUS.size])
    return {**{f"x{n}": value for n, value in enumerate(x)}, "cpsr": pstate, "pc": pc, "sp": sp}


def registers(text: str) -> dict[str, int]:
    """Read values of registers: ``NAME VALUE`` or ``NAME=VALUE`` in each line, or one JSON object.

    :raises gdbhv.errors.CommandError: a line is malformed.
    """
    if text.lstrip().startswith("{"):
        try:
            found: Mapping[str, Any] = json.loads(text)
            return {name: int(v, 0) if isinstance(v, str) else int(v) for name, v in found.items()}
        except (ValueError, TypeError) as e:
            raise CommandError(f"the registers are no JSON object of numbers: {e}") from None
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace("=", " ").split()
        if not words:
            continue
        try:
            name, value = words
            values[name] = int(value, 0)
        except ValueError:
            raise CommandError(f"line {number}: {line.strip()!r} is no register with its value: NAME VALUE") from None
    return values


def machine(dump: Dump, values: Mapping[str, int], cpu: str = "max") -> tuple[Machine, list[str]]:
    """Make a machine of a dump; ``values`` are CPU 0's, or of the CPU in ``cpu1:NAME``. Return it, and what was left out.

    :raises gdbhv.errors.CommandError: nothing of the dump is in RAM, which begins at 0x40000000.
    """
    inside = [(at, data) for at, data in dump.pieces if at >= _core.RAM_BASE]
    if not inside:
        raise CommandError(
            f"nothing of this dump is at {_core.RAM_BASE:#x} or above, where RAM is; --base says where raw bytes are"
        )
    size = max(at + len(data) for at, data in inside) - _core.RAM_BASE
    memory = max(16 << 20, -(-size >> 20) << 20)
    made = boot.bare(BootConfig(memory=memory, smp=max(1, min(len(dump.cpus), MOST_CPUS)), cpu=cpu))
    for at, data in inside:
        made.core.write_pa(at, data)
    refused = [f"{len(data):,} bytes at {at:#x}: no RAM is there" for at, data in dump.pieces if at < _core.RAM_BASE]
    wanted = [(n, name, value) for n, row in enumerate(dump.cpus[:MOST_CPUS]) for name, value in row.items()]
    for name, value in values.items():
        whose, colon, own = name.rpartition(":")
        number = whose.removeprefix("cpu") if colon else "0"
        if not number.isdecimal() or int(number) >= made.core.cpus:
            raise CommandError(f"{name}: there are cpu0 to cpu{made.core.cpus - 1}")
        wanted.append((int(number), own, value))
    order = {"HCR_EL2": 0, "cpsr": 1}  # those that others depend on come first
    for n, name, value in sorted(wanted, key=lambda w: order.get(w[1], 2)):
        try:
            made.core.write_register(n, name, value)
            now = made.core.read_register(n, name)
            if now != value:
                refused.append(f"{name} of cpu{n} took {now:#x} of {value:#x}")
        except (KeyError, ValueError, OverflowError) as e:
            refused.append(f"{name} of cpu{n}: {e.args[0] if e.args else e}")
    return made, refused
