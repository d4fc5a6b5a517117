"""What the harnesses of lists share: a guest assembled from one file, and a run on QEMU whose memory is read afterwards."""

from __future__ import annotations

import mmap
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

RAM, RAM_SIZE = 0x4000_0000, 160 << 20
INSTRUCTIONS = ("-icount", "shift=0,sleep=off")
"""QEMU's clock counts instructions, and not the host's time."""


def assemble(source: Path, entry: int) -> tuple[bytes, dict[str, int]]:
    """Return the guest assembled for address ``entry``, and where its symbols are. Needs Debian's gcc-aarch64-linux-gnu."""
    compiler, objcopy, nm = (f"aarch64-linux-gnu-{tool}" for tool in ("gcc", "objcopy", "nm"))
    if shutil.which(compiler) is None:
        raise FileNotFoundError(f"{compiler} is not installed; scripts/setup installs it")
    with tempfile.TemporaryDirectory() as folder:
        elf, raw = f"{folder}/guest.elf", f"{folder}/guest.bin"
        options = ["-nostdlib", "-static", f"-Wl,-Ttext={entry:#x}", "-Wl,--build-id=none"]
        subprocess.run([compiler, *options, str(source), "-o", elf], check=True)
        subprocess.run([objcopy, "-O", "binary", elf, raw], check=True)
        lines = subprocess.run([nm, elf], check=True, capture_output=True, text=True).stdout.splitlines()
        return Path(raw).read_bytes(), {name: int(value, 16) for value, _, name in map(str.split, lines)}


def on_qemu(
    image: Sequence[tuple[int, bytes]],
    entry: int,
    results: int,
    size: int,
    cpu: str,
    *,
    clock: Sequence[str] = INSTRUCTIONS,
    gic: int = 3,
    el2: bool = True,
    cpus: int = 1,
    devices: Sequence[str] = (),
    timeout: float = 100,
) -> bytes:
    """Run a guest at EL2 until it switches the machine off or resets it; return ``size`` bytes of memory at ``results``.

    :param el2: False leaves EL2 out of the machine: the guest begins at EL1.
    :param devices: further arguments.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(RAM_SIZE)
        for address, data in image:
            file.seek(address - RAM)
            file.write(data)
        file.flush()
        command = [
            "qemu-system-aarch64",
            "-M",
            f"virt,gic-version={gic},virtualization={'on' if el2 else 'off'},memory-backend=ram",
            "-cpu",
            cpu,
        ]
        command += ["-object", f"memory-backend-file,id=ram,size={RAM_SIZE},mem-path={file.name},share=on"]
        command += ["-m", f"{RAM_SIZE >> 20}", "-smp", f"{cpus}", "-no-reboot", "-nodefaults", "-display", "none", *clock]
        command += ["-device", f"loader,addr={entry:#x},cpu-num=0", *devices]
        done = subprocess.run(command, timeout=timeout, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"qemu-system-aarch64 failed: {done.stderr.strip()}")
        with mmap.mmap(file.fileno(), 0) as ram:
            return ram[results - RAM : results - RAM + size]
