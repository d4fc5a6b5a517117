"""Oracle: Debian's qemu-system-aarch64 runs a batch of cases (see batch.py) and says what they do."""

from __future__ import annotations

import mmap
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from oracle import batch

QEMU = "qemu-system-aarch64"


def executable() -> str:
    """Return QEMU's name.

    :raises FileNotFoundError: it is not installed: what compares with QEMU fails then, and is not skipped.
    """
    if shutil.which(QEMU) is None:
        raise FileNotFoundError(f"{QEMU} is not installed; scripts/setup installs it (Debian's package qemu-system-arm)")
    return QEMU


def run(cases: Sequence[batch.Case], cpu: str = "max", timeout: float = 60) -> list[batch.Outcome]:
    """Return what each case leaves on QEMU's ``cpu``. Guest memory is a file, so that nothing goes through a port.

    :raises TimeoutError: the guest did not finish: a case ran into an endless loop.
    """
    executable()
    result: list[batch.Outcome] = []
    for start in range(0, len(cases), batch.MAX_CASES):
        result += _run_batch(cases[start : start + batch.MAX_CASES], cpu, timeout)
    return result


def _run_batch(cases: Sequence[batch.Case], cpu: str, timeout: float) -> list[batch.Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ram"
        with path.open("w+b") as file:
            file.truncate(batch.RAM_SIZE)
            for address, data in batch.image(cases):
                file.seek(address - batch.RAM)
                file.write(data)
            file.flush()
            command = [QEMU, "-M", "virt,gic-version=3,virtualization=on,memory-backend=ram", "-cpu", cpu]
            command += ["-object", f"memory-backend-file,id=ram,size={batch.RAM_SIZE},mem-path={path},share=on"]
            command += ["-m", f"{batch.RAM_SIZE >> 20}", "-nodefaults", "-display", "none"]
            command += ["-device", f"loader,addr={batch.ENTRY:#x},cpu-num=0"]
            try:
                done = subprocess.run(command, timeout=timeout, capture_output=True, text=True, check=False)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"{QEMU} did not finish {len(cases)} cases in {timeout} s") from error
            if done.returncode != 0:
                raise RuntimeError(f"{QEMU} failed: {done.stderr.strip()}")
            with mmap.mmap(file.fileno(), 0) as ram:
                offset = batch.OUT - batch.RAM
                return batch.outcomes(ram[offset : offset + len(cases) * batch.RECORD_SIZE], cases)
