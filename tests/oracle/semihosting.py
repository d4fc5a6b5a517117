"""Lists of semihosting calls for semihosting.S, with what they point to; and what they do on any machine."""

from __future__ import annotations

import functools
import os
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from gdbhv import boot
from gdbhv.config import RAM, BootConfig
from gdbhv.console import Console
from gdbhv.machine.machine import Machine
from oracle import listing

ENTRY, CALLS, RESULTS, DATA = 0x4020_0000, 0x4021_0000, 0x4022_0000, 0x4023_0000
EXIT, EXITED = 0x18, 0x20026


@functools.cache
def program() -> bytes:
    """Return the assembled guest. Needs Debian's gcc-aarch64-linux-gnu."""
    return listing.assemble(Path(__file__).with_name("semihosting.S"), ENTRY)[0]


@dataclass
class Calls:
    """Calls in order. Places in memory are handed out as they are needed."""

    calls: list[tuple[int, int, int]] = field(default_factory=list)
    memory: bytearray = field(default_factory=bytearray)

    def place(self, data: bytes) -> int:
        """Put bytes into memory; return where, a multiple of 8."""
        self.memory += bytes(-len(self.memory) % 8)
        self.memory += data
        return DATA + len(self.memory) - len(data)

    def words(self, *words: int) -> int:
        return self.place(struct.pack(f"<{len(words)}Q", *(w & (1 << 64) - 1 for w in words)))

    def call(self, number: int, *words: int, result: int = 0) -> None:
        """Add a call with a block of arguments."""
        self.direct(number, self.words(*words) if words else 0, result)

    def direct(self, number: int, x1: int, result: int = 0) -> None:
        """Add a call whose X1 is this."""
        self.calls.append((number, x1, result))

    def handle(self) -> int:
        """Return where a handle is to be stored: the first argument of a block, whose others :meth:`using` has."""
        return self.words(0, 0, 0, 0)

    def open(self, name: str, mode: int, *blocks: int) -> None:
        """Open a file; its handle goes to each of the blocks."""
        at = self.place(name.encode() + b"\0")
        self.call(1, at, mode, len(name), result=blocks[0] if blocks else 0)

    def exit(self, status: int = 0, reason: int = EXITED) -> Calls:
        self.call(EXIT, reason, status)
        return self

    def pieces(self) -> list[tuple[int, bytes]]:
        calls = b"".join(struct.pack("<3Q", *call) for call in self.calls)
        return [(ENTRY, program()), (CALLS, calls), (DATA, bytes(self.memory))]

    def image(self) -> bytes:
        """Return all of it from the beginning of RAM on."""
        whole = bytearray()
        for address, data in self.pieces():
            whole[address - RAM :] = bytes(max(0, address - RAM - len(whole)))
            whole[address - RAM :] = data
        return bytes(whole)


@dataclass
class Outcome:
    """What a list of calls did."""

    status: int
    results: list[int]
    memory: bytes
    printed: bytes


def on_qemu(calls: Calls, folder: Path, typed: bytes = b"") -> Outcome:
    """Run it on QEMU, with files in a folder."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(listing.RAM_SIZE)
        file.seek(0)
        file.write(calls.image())
        file.flush()
        command = ["qemu-system-aarch64", "-M", "virt,memory-backend=ram", "-cpu", "cortex-a57", "-nodefaults", "-display"]
        command += ["none", "-object", f"memory-backend-file,id=ram,size={listing.RAM_SIZE},mem-path={file.name},share=on"]
        command += ["-m", f"{listing.RAM_SIZE >> 20}", "-device", f"loader,addr={ENTRY:#x},cpu-num=0"]
        command += ["-chardev", "stdio,id=c,signal=off", "-semihosting-config", "enable=on,target=native,chardev=c"]
        done = subprocess.run(command, cwd=folder, input=typed, capture_output=True, timeout=60, check=False)
        ram = Path(file.name).read_bytes()
        return _outcome(done.returncode, ram, calls, done.stdout + done.stderr)


def machine(calls: Calls, folder: Path | None, console: Console | None = None) -> Machine:
    """Return gdbhv's machine with it, ready to run."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(calls.image())
        file.flush()
        config = BootConfig(file.name, load_address=RAM, entry=ENTRY, memory=listing.RAM_SIZE, cpu="cortex-a57")
        config.semihosting = "" if folder is None else str(folder)
        return boot.bare(config, console or Console(), el2=False)


def on_gdbhv(calls: Calls, folder: Path | None) -> Outcome:
    """Run it on gdbhv's bare machine."""
    console = Console()
    made = machine(calls, folder, console)
    stop = made.run_all()
    return _outcome(stop.code, made.core.read_pa(RAM, 4 << 20), calls, bytes(console.text))


def _outcome(status: int, ram: bytes, calls: Calls, printed: bytes) -> Outcome:
    results = struct.unpack_from(f"<{len(calls.calls) - 1}Q", ram, RESULTS - RAM)
    at = DATA - RAM
    return Outcome(status, list(results), ram[at : at + len(calls.memory)], printed)


def listed(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}
