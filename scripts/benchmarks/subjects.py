"""What is compared: gdbhv and QEMU as processes that run the same image, timed from outside."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Time:
    """Seconds that something took: on the wall, and of processor time."""

    wall: float
    cpu: float

    def __sub__(self, other: Time) -> Time:
        return Time(self.wall - other.wall, self.cpu - other.cpu)


class Subject:
    """A simulator: how to call it. ``gdb`` is the path of a Unix socket to listen on, stopped at the first instruction."""

    name = ""

    def bare(self, image: Path, gdb: Path | None = None, cpus: int = 1) -> list[str]:
        """Return the command that runs an ELF at EL2 of a machine with nothing else, console on standard output."""
        raise NotImplementedError

    def linux(self, kernel: Path, initrd: Path, append: str, cpu: str) -> list[str]:
        """Return the command that boots Linux at EL1, console on standard output."""
        raise NotImplementedError


class Qemu(Subject):
    """QEMU as it comes, but for pointer authentication by its quick algorithm, and for several CPUs on one thread.

    A thread for each CPU is what QEMU does by itself, and is several times slower where CPUs contend for a word.
    """

    name = "QEMU"
    accelerator: Sequence[str] = ("-accel", "tcg,thread=single")
    cpus: Mapping[str, str] = {"max": "max,pauth-impdef=on"}

    def _command(self, board: str, cpu: str, memory: int) -> list[str]:
        command = ["qemu-system-aarch64", "-M", board, "-cpu", self.cpus.get(cpu, cpu), "-m", str(memory)]
        return [*command, *self.accelerator, "-nodefaults", "-display", "none", "-serial", "stdio"]

    def bare(self, image: Path, gdb: Path | None = None, cpus: int = 1) -> list[str]:
        command = [*self._command("virt,gic-version=3,virtualization=on", "max", 256), "-smp", str(cpus)]
        return [*command, "-kernel", str(image), *(["-S", "-gdb", f"unix:{gdb},server=on,wait=off"] if gdb else [])]

    def linux(self, kernel: Path, initrd: Path, append: str, cpu: str) -> list[str]:
        command = [*self._command("virt,gic-version=3", cpu, 512), "-kernel", str(kernel)]
        return [*command, "-initrd", str(initrd), "-append", append]


class Icount(Qemu):
    """QEMU with counted instructions and no waiting in idle: the peer of a deterministic machine."""

    name = "icount"
    accelerator = ("-icount", "shift=0,sleep=off")


class Gdbhv(Subject):
    """This tree's gdbhv, with the interpreter that runs the benchmark."""

    name = "gdbhv"

    def _command(self, image: Path, cpu: str, memory: int) -> list[str]:
        return [sys.executable, "-m", "gdbhv", "run", str(image), "--cpu", cpu, "--memory", f"{memory}M"]

    def bare(self, image: Path, gdb: Path | None = None, cpus: int = 1) -> list[str]:
        command = [*self._command(image, "max", 256), "--el", "2", "--smp", str(cpus)]
        return command + (["--wait", "--gdb", f"unix:{gdb}"] if gdb else [])

    def linux(self, kernel: Path, initrd: Path, append: str, cpu: str) -> list[str]:
        return [*self._command(kernel, cpu, 512), "--initrd", str(initrd), "--append", append]


def environment() -> dict[str, str]:
    """Return that of the subjects: this tree's modules, and compiled once, as where gdbhv is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT)}


def time_process(command: Sequence[str], marker: bytes | None = None, says: bytes = b"", limit: float = 600) -> Time:
    """Run ``command`` to its end and return what it took; with ``marker``, until its output has that.

    :param says: what the output must have at the end.

    :raises RuntimeError: it failed, or did not print what it must; the message has the end of its output.
    """
    start = time.monotonic()
    output = bytearray()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    ) as process:
        assert process.stdout is not None
        waiting = selectors.DefaultSelector()
        waiting.register(process.stdout, selectors.EVENT_READ)
        taken = None
        while True:
            if not waiting.select(max(0.0, start + limit - time.monotonic())):
                process.kill()
                raise RuntimeError(f"{' '.join(command)}: not finished after {limit} s: {_tail(output)}")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            output += data
            if marker and taken is None and marker in output:
                taken = Time(time.monotonic() - start, cpu_seconds(process.pid))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or (marker and taken is None) or says not in output:
        raise RuntimeError(f"{' '.join(command)}: status {process.returncode}: {_tail(output)}")
    return taken or Time(time.monotonic() - start, usage.ru_utime + usage.ru_stime)


def _tail(output: bytes) -> str:
    return output[-400:].decode(errors="replace").strip()


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used so far (proc(5), fields utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
