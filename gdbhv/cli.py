"""The command line: ``gdbhv run`` and ``gdbhv gdb``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        return int(number, 0) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: bytes, or a number with K, M or G (512M)") from None


def number(text: str) -> int:
    """Parse a number in C's notation; 1e9 is one too."""
    try:
        return int(float(text)) if "e" in text.lower() and not text.lower().startswith("0x") else int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def placed_file(text: str) -> tuple[str, int]:
    """Parse FILE@ADDR."""
    path, at, address = text.rpartition("@")
    if not at or not path:
        raise argparse.ArgumentTypeError(f"{text!r}: FILE@ADDR is needed, e.g. initrd.img@0x48000000")
    return path, number(address)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
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
    run.add_argument("--smp", type=int, default=1, metavar="N", help="CPUs, and vCPUs of each VM, 1 to 8 (default: 1)")
    run.add_argument("--vms", type=int, default=1, metavar="N", help="with --el 1: run the image as N VMs (default: 1)")
    run.add_argument("--memory", type=size, default=1 << 30, metavar="SIZE", help="memory of each VM (default: 1G)")
    run.add_argument("--initrd", metavar="FILE", help="initial RAM disk")
    run.add_argument("--append", default="", metavar="S", help="kernel command line")
    run.add_argument("--dtb", metavar="FILE", help="device tree, instead of the board's own")
    run.add_argument(
        "--cpu", default="max", metavar="NAME", choices=[n for n, _ in _core.profiles()], help="CPU profile: %(choices)s"
    )
    run.add_argument(
        "--load", type=placed_file, action="append", default=[], metavar="FILE@ADDR", help="more bytes; repeats"
    )
    run.add_argument("--entry", type=number, metavar="ADDR", help="first instruction, instead of the image's")
    run.add_argument("--x0", type=number, metavar="VALUE", help="x0 at entry, instead of the device tree's address")
    run.add_argument("--gdb", metavar="ADDR", help="serve gdb at [HOST:]PORT, unix:PATH or stdio")
    run.add_argument("--wait", action="store_true", help="with --gdb: stand at the first instruction until gdb attaches")
    run.add_argument("--console", metavar="WHERE", help="the guest's terminal: stdio or FILE (default: stdio)")
    run.add_argument("--max-insns", type=number, metavar="N", help="stop after N instructions (1e9)")
    run.add_argument(
        "--stats", choices=("text", "json"), help="what to say at the end: a table of exits too, or one JSON object"
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
    except (GdbhvError, client.GdbError, OSError) as e:
        print(f"gdbhv: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gdbhv: interrupted", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    """``gdbhv run``."""
    if options.image is None and not options.load and not (options.el == 2 and options.wait):
        print(
            "gdbhv run: an IMAGE is needed (it may be left out with --el 2 --wait, to be loaded through gdb)",
            file=sys.stderr,
        )
        return 2
    if options.wait and not options.gdb:
        print("gdbhv run: --wait needs --gdb, or nobody will ever start the machine", file=sys.stderr)
        return 2
    config = boot.BootConfig(
        **{
            k: getattr(options, k)
            for k in ("image", "smp", "memory", "initrd", "append", "dtb", "cpu", "load", "entry", "x0")
        }
    )
    where = options.console or ("stdio" if options.gdb != "stdio" else "/dev/null")
    console = open_console(where, typed=(sys.stdin is not None and sys.stdin.isatty()) or options.console == "stdio")
    target: HostTarget | Machine
    if options.el == 1:
        target = boot.hosted(config, console, vms=options.vms)
    else:
        target = boot.bare(config, console)
    started = time.perf_counter()
    stop = serve(options, target) if options.gdb else run_to_end(target, options.max_insns)
    seconds = time.perf_counter() - started
    return report(options, target, stop, seconds)


def run_to_end(target: HostTarget | Machine, max_insns: int | None) -> Stop | None:
    """Run without a debugger until the machine ends; Ctrl-C ends it too."""
    machine = core(target)
    limit = None if max_insns is None else machine.now + max_insns
    try:
        while True:
            left = CHUNK if limit is None else min(CHUNK, limit - machine.now)
            before = machine.now
            stop = target.run_all(left)
            tell_undefined(target)
            if stop.kind is StopKind.BUDGET:
                if limit is not None and machine.now >= limit:
                    return stop
                if machine.now == before:  # everybody waits: for input, or for ever
                    stop = target.run_all()
                    if stop.kind is StopKind.BUDGET:
                        continue
                    return stop
                continue
            if stop.kind is StopKind.POWEROFF and target.processes():
                continue  # other VMs go on
            return stop
    except KeyboardInterrupt:
        return Stop(StopKind.INTERRUPT, next((t.id for p in target.processes() for t in p.threads), None) or _nobody())


def _nobody() -> Any:
    from gdbhv.target import ThreadId

    return ThreadId(1, 1)


def serve(options: argparse.Namespace, target: HostTarget | Machine) -> Stop | None:
    """Run with a gdb server until the machine ends."""
    from gdbhv.monitor import registry
    from gdbhv.rsp.server import Server

    server: Server = Server(
        target,
        options.gdb,
        registers=_core.registers(options.cpu),
        monitor=registry.bind(target),
        exec_file=lambda pid: exec_file(options.image),
        held=options.wait,
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
    """Say which instructions the guest executed that are not implemented, each encoding once."""
    from gdbhv.views.disasm import disassemble

    for pc, word in core(target).undefined_seen():
        text = disassemble(word, pc)
        print(f"gdbhv: {pc:#x}: {word:#010x} {text} is not implemented: undefined to the guest", file=sys.stderr)


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
        from gdbhv.views.exits import stats_table

        for line in stats_table(counts):
            print(line, file=sys.stderr)
    mips = insns / seconds / 1e6 if seconds else 0
    print(
        f"gdbhv: {what}{': ' + text if text else ''} after {insns:,} instructions ({seconds:.2f} s, {mips:.0f} MIPS)",
        file=sys.stderr,
    )
    return status
