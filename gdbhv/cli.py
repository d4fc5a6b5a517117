"""The command line: ``gdbhv run`` and ``gdbhv gdb``."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gdbhv import _core, boot, client
from gdbhv.console import open_console
from gdbhv.errors import GdbhvError
from gdbhv.hv.target import HostTarget
from gdbhv.machine import Machine
from gdbhv.target import Stop, StopKind

if TYPE_CHECKING:
    from gdbhv.rsp.server import Server

# Exit statuses of `gdbhv run`; the names are in --stats json too.
STATUS = {
    StopKind.POWEROFF: (0, "poweroff", "the guest powered off"),
    StopKind.RESET: (3, "reset", "the guest asked for a reset"),
    StopKind.CRASH: (4, "stuck", "nothing can go on"),
    StopKind.BUDGET: (5, "max-insns", "the number of instructions asked for is reached"),
    StopKind.INTERRUPT: (130, "interrupted", "interrupted"),
}
KILLED = (6, "killed", "a debugger ended it")
CHUNK = 20_000_000

RUN_EXAMPLES = (
    """\
examples:
  gdbhv run Image --initrd initramfs.cpio.gz --append console=ttyAMA0
                                       Linux as a guest of gdbhv's hypervisor
  gdbhv run guests/prebuilt/exit_zoo.elf --gdb 1234 --wait
                                       stopped at its first instruction, for: gdbhv gdb 1234
  gdbhv run xen --el 2 --dtb xen.dtb --load Image@0x48000000 --memory 1G
                                       a hypervisor of its own
  gdbhv run Image --bare --smp 4       a kernel alone, on a machine without EL2
  gdbhv run --el 2 --wait --gdb 1234   an empty machine at reset in EL2: `load` your program with gdb

exit status: """
    + ", ".join(f"{n} {name}" for n, name, _ in [*STATUS.values(), KILLED])
    + ", 1 error, 2 wrong usage"
)

GDB_EXAMPLES = """\
examples:
  gdbhv gdb 1234 vmlinux               attach, with symbols
  gdbhv gdb unix:/run/gdbhv.sock       over a Unix socket
"""


def size(text: str) -> int:
    """Parse a size: bytes, or with K, M or G."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    try:
        value = int(number, 0) * unit
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: bytes, or a number with K, M or G (512M)")
    return value


def number(text: str) -> int:
    """Parse a number of 64 bits in C's notation; 1e9 is one too."""
    try:
        value = int(float(text)) if "e" in text.lower() and not text.lower().startswith("0x") else int(text, 0)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is out of range: 0 to 2^64 - 1")
    return value


def few(text: str) -> int:
    """Parse a number of CPUs or VMs."""
    if not text.isdecimal() or not 1 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 8 is possible")
    return int(text)


def placed_file(text: str) -> tuple[str, int]:
    """Parse FILE@ADDR."""
    path, at, address = text.rpartition("@")
    if not at or not path:
        raise argparse.ArgumentTypeError(f"{text!r}: FILE@ADDR is needed, e.g. initrd.img@0x48000000")
    return path, number(address)


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; {self.prog} --help explains\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="gdbhv", description="A GDB remote stub for simulated AArch64 machines, for people who work on hypervisors."
    )
    top.add_argument("--version", action="version", version=f"gdbhv {_version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="run an image, hosted or bare",
        description="Run an image: an ELF, an arm64 Image (gzip too), or raw bytes.",
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("image", nargs="?", metavar="IMAGE", help="may be left out with --el 2 --wait")
    run.add_argument(
        "--el", type=int, choices=(1, 2), default=1, help="1: a guest of gdbhv's hypervisor; 2: owns EL2 (default: 1)"
    )
    run.add_argument("--bare", action="store_true", help="with --el 1: no hypervisor below, on a machine without EL2")
    run.add_argument("--smp", type=few, default=1, metavar="N", help="CPUs, and vCPUs of each VM, 1 to 8 (default: 1)")
    run.add_argument("--vms", type=few, default=1, metavar="N", help="with --el 1: run the image as 1 to 8 VMs (default: 1)")
    run.add_argument("--memory", type=size, default=1 << 30, metavar="SIZE", help="memory of each VM (default: 1G)")
    run.add_argument("--initrd", metavar="FILE", help="initial RAM disk")
    run.add_argument("--append", default="", metavar="S", help="kernel command line")
    run.add_argument("--dtb", metavar="FILE", help="device tree, instead of the board's own")
    run.add_argument(
        "--cpu", default="max", metavar="NAME", choices=[n for n, _ in _core.profiles()], help="CPU profile: %(choices)s"
    )
    run.add_argument(
        "--gic",
        type=int,
        choices=(2, 3),
        default=3,
        help="with --el 2 or --bare: version of the interrupt controller (default: 3)",
    )
    run.add_argument(
        "--load", type=placed_file, action="append", default=[], metavar="FILE@ADDR", help="more bytes; repeats"
    )
    run.add_argument("--entry", type=number, metavar="ADDR", help="first instruction, instead of the image's")
    run.add_argument("--x0", type=number, metavar="VALUE", help="x0 at entry, instead of the device tree's address")
    run.add_argument("--gdb", metavar="ADDR", help="serve gdb at [HOST:]PORT, unix:PATH or stdio")
    run.add_argument("--wait", action="store_true", help="with --gdb: stand at the first instruction until gdb attaches")
    run.add_argument(
        "--console", metavar="WHERE", help="the guest's terminal: stdio or FILE (default: stdio; Ctrl-C ends the run)"
    )
    run.add_argument("--max-insns", type=number, metavar="N", help="stop after N instructions (1e9)")
    run.add_argument(
        "--stats", choices=("text", "json"), help="at the end: a table of exits too, or all as JSON, the last line of stdout"
    )

    gdb = commands.add_parser(
        "gdb",
        help="start gdb-multiarch attached to a running `gdbhv run --gdb`",
        epilog=GDB_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    gdb.add_argument("address", metavar="ADDR", help="[HOST:]PORT or unix:PATH")
    gdb.add_argument("program", nargs="?", metavar="ELF", help="file with symbols; without it gdb takes the one that runs")
    gdb.add_argument(
        "-x", "--command", action="append", default=[], metavar="FILE", dest="scripts", help="gdb script; repeats"
    )
    gdb.add_argument("-ex", action="append", default=[], metavar="COMMAND", dest="commands", help="gdb command; repeats")
    return top


def _version() -> str:
    try:
        return version("gdbhv")
    except PackageNotFoundError:
        return _core.__version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    logging.basicConfig(format="gdbhv: %(message)s", level=logging.INFO, stream=sys.stderr)
    options = parser().parse_args(argv)
    try:
        if options.command == "gdb":
            client.exec_gdb(options.address, options.program, options.scripts, options.commands)
        return run(options)
    except (GdbhvError, client.GdbError) as e:
        print(f"gdbhv: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"gdbhv: {e.filename or getattr(options, 'gdb', None) or ''}: {e.strerror or e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gdbhv: interrupted", file=sys.stderr)
        return 130


def usage_error(options: argparse.Namespace) -> str | None:
    """Return what is wrong with options that are each right."""
    bare = options.bare or options.el == 2
    if options.image is None and not options.load and not (bare and options.wait):
        return "an IMAGE is needed (it may be left out with --el 2 --wait, to be loaded through gdb)"
    if options.wait and not options.gdb:
        return "--wait needs --gdb, or nobody will ever start the machine"
    if options.gdb and options.max_insns is not None:
        return "--max-insns is for runs without --gdb: a debugger decides when it stops"
    if options.gdb == "stdio" and options.console == "stdio":
        return "gdb and the console cannot both have stdio: --console FILE"
    if options.gdb == "stdio" and options.stats == "json":
        return "--stats json prints on stdout, which --gdb stdio needs"
    if bare and options.vms != 1:
        return "--vms needs gdbhv's hypervisor: with --el 2 the image itself makes the VMs, with --bare there are none"
    if options.gic == 2 and not bare:
        return "--gic 2 is for a machine of the image's own (--el 2 or --bare): a hosted VM has a GICv3"
    return None


def run(options: argparse.Namespace) -> int:
    """``gdbhv run``."""
    wrong = usage_error(options)
    if wrong is not None:
        print(f"gdbhv run: error: {wrong}", file=sys.stderr)
        return 2
    config = boot.BootConfig(
        **{
            k: getattr(options, k)
            for k in ("image", "smp", "memory", "initrd", "append", "dtb", "cpu", "gic", "load", "entry", "x0")
        }
    )
    where = options.console or ("stdio" if options.gdb != "stdio" else os.devnull)
    with open_console(where, typed=options.console == "stdio" or (sys.stdin is not None and sys.stdin.isatty())) as console:
        target: HostTarget | Machine
        if options.bare or options.el == 2:
            target = boot.bare(config, console, el2=options.el == 2)
        else:
            target = boot.hosted(config, console, vms=options.vms)
        started = time.perf_counter()
        stop = serve(options, target) if options.gdb else run_to_end(target, options.max_insns)
        seconds = time.perf_counter() - started
    return report(options, target, stop, seconds)


@contextlib.contextmanager
def ctrl_c_interrupts(target: HostTarget | Machine) -> Iterator[None]:
    """Have Ctrl-C stop the machine between two instructions, instead of raising in the middle of what Python does.

    Python's own handler would wait until the native module comes back; the wake-up descriptor is written at once.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def pass_on() -> None:
        while reader.recv(1):
            target.interrupt()

    thread = threading.Thread(target=pass_on, name="Ctrl-C", daemon=True)
    thread.start()
    handler = signal.signal(signal.SIGINT, lambda number, frame: None)
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGINT, handler)
        writer.close()
        thread.join()
        reader.close()


def run_to_end(target: HostTarget | Machine, max_insns: int | None) -> Stop:
    """Run without a debugger until the machine ends, after ``max_insns`` instructions, or until Ctrl-C."""
    machine = core(target)
    end = None if max_insns is None else sum(machine.insns) + max_insns
    with ctrl_c_interrupts(target):
        while True:
            before = sum(machine.insns)
            stop = target.run_all(CHUNK if end is None else min(CHUNK, end - before))
            if stop.kind is StopKind.BUDGET and sum(machine.insns) == before != end:
                stop = target.run_all()  # everybody waits: for input, or for ever
            tell_undefined(target)
            if stop.kind is StopKind.BUDGET and sum(machine.insns) != end:
                continue
            if stop.kind is StopKind.POWEROFF and target.processes():
                continue  # other VMs go on
            return stop


def serve(options: argparse.Namespace, target: HostTarget | Machine) -> Stop | None:
    """Run with a gdb server until the machine ends."""
    from gdbhv.monitor import registry
    from gdbhv.rsp.server import Server

    server: Server = Server(
        target,
        options.gdb,
        registers=_core.registers(options.cpu, el2=options.el == 2 or not options.bare, gic=options.gic),
        monitor=registry.bind(target),
        exec_file=lambda pid: exec_file(options.image),
        held=options.wait,
        on_stop=lambda: tell_undefined(target),
    )
    if options.gdb != "stdio":
        hint = f"gdbhv gdb {server.address}"
        print(f"gdbhv: waiting for gdb at {server.address}; attach with: {hint}", file=sys.stderr)
    stop = server.serve()
    tell_undefined(target)
    return stop


def exec_file(image: str | None) -> str | None:
    """The ELF to hand to gdb: the image itself, or a ``.vmlinux`` beside it."""
    if image is None:
        return None
    for candidate in (Path(image), Path(f"{image}.vmlinux"), Path(image).with_suffix(".elf")):
        if candidate.is_file():
            with candidate.open("rb") as f:
                if f.read(4) == b"\x7fELF":
                    return str(candidate.resolve())
    return None


def core(target: HostTarget | Machine) -> _core.Machine:
    """Return the machine model behind a target."""
    return target.machine if isinstance(target, HostTarget) else target.core


def tell_undefined(target: HostTarget | Machine) -> None:
    """Say what the guest asked for that is not implemented, each thing once."""
    from gdbhv.views.disasm import disassemble

    for pc, word in core(target).undefined_seen():
        text = disassemble(word, pc)
        print(f"gdbhv: {pc:#x}: {word:#010x} {text} is not implemented: undefined to the guest", file=sys.stderr)
    for vm in target.host.vms if isinstance(target, HostTarget) else ():
        for pc, name in vm.take_unserved():
            print(f"gdbhv: {vm.name}: {pc:#x}: {name} is not emulated: undefined to the guest", file=sys.stderr)


def report(options: argparse.Namespace, target: HostTarget | Machine, stop: Stop | None, seconds: float) -> int:
    """Say why the run ended and after how many instructions; return the exit status."""
    status, name, what = KILLED if stop is None else STATUS[stop.kind]
    machine = core(target)
    insns = sum(machine.insns)
    text = stop.text if stop is not None and stop.text not in ("", name) else ""
    counts = machine.exit_counts()
    if options.stats == "json":
        document = {
            "end": name,
            "status": status,
            "text": text or what,
            "instructions": insns,
            "instructions_by_cpu": machine.insns,
            "virtual_ns": machine.now,
            "seconds": round(seconds, 3),
            "exits": sum(n for *_, n in counts),
            "exits_by_name": [{"vmid": v, "number": c, "name": n, "count": k} for v, c, n, k in counts],
        }
        print(json.dumps(document))
        return status
    if options.stats == "text":
        from gdbhv.monitor.exits import vmid_name
        from gdbhv.views.exits import stats_table

        for line in stats_table(counts, lambda vmid: vmid_name(target, vmid)):
            print(line, file=sys.stderr)
    mips = insns / seconds / 1e6 if seconds else 0
    print(
        f"gdbhv: {what}{': ' + text if text else ''} after {insns:,} instructions ({seconds:.2f} s, {mips:.0f} MIPS)",
        file=sys.stderr,
    )
    return status
