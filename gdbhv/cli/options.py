"""The options of each command, their help, and which of them go together."""

from __future__ import annotations

import argparse
import functools
from typing import Any, NoReturn

from gdbhv import _core
from gdbhv.cli import bundle_options, chance_options, table_options
from gdbhv.cli.examples import CPUS_EXAMPLES, GDB_EXAMPLES, QEMU_EXAMPLES, RUN_EXAMPLES, SNAPSHOT_EXAMPLES
from gdbhv.cli.kinds import (
    ABSENT,
    VM_KEYS,
    absent,
    console,
    drive,
    few,
    flash,
    moment,
    net,
    number,
    placed_file,
    profile,
    size,
    speed,
    vm,
)
from gdbhv.config import PLACED_FILES, SINGLE_FILES, Drive
from gdbhv.errors import ConfigError


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; {self.prog} --help explains\n")


class _GivenParser(_Parser):
    """A namespace that knows which options were given: their names are in ``given``."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See argparse."""
        if args is not None:  # that option takes its folder only after "="
            args = ["--semihosting=" if word == "--semihosting" else word for word in args]
        defaults = {a.dest: a.default for a in self._actions if a.default is not argparse.SUPPRESS}
        found, rest = super().parse_known_args(args, argparse.Namespace(**dict.fromkeys(defaults)))
        found.given = {name for name in defaults if getattr(found, name) not in (None, [])}
        for name, default in defaults.items():
            if name not in found.given:
                setattr(found, name, default)
        return found, rest


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="gdbhv", description="A GDB remote stub for simulated AArch64 machines, for people who work on hypervisors."
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_GivenParser)

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
    run.add_argument(
        "--vm",
        type=vm,
        action="append",
        default=[],
        metavar="IMAGE[,KEY=VALUE...]",
        help="instead of IMAGE, and for each VM: what it runs; keys are " + ", ".join(VM_KEYS) + "; else as the options say",
    )
    run.add_argument("--memory", type=size, default=1 << 30, metavar="SIZE", help="memory of each VM (default: 1G)")
    run.add_argument("--initrd", metavar="FILE", help="initial RAM disk")
    run.add_argument("--append", default="", metavar="S", help="kernel command line")
    run.add_argument(
        "--kernel", metavar="FILE", help="IMAGE is a firmware: it finds FILE in fw_cfg, and --initrd and --append with it"
    )
    run.add_argument(
        "--flash",
        type=flash,
        action="append",
        default=[],
        metavar="FILE[,rw]",
        help="with --el 2 or --bare: what the first bank of flash (64 MiB at 0) holds, again for the second (at 0x4000000); "
        "without IMAGE the first instruction is at 0; rw: what is written is kept in FILE",
    )
    run.add_argument(
        "--drive",
        type=drive,
        action="append",
        default=[],
        metavar="FILE[,rw|ro][,format=F]",
        help="a disk (virtio-blk; F is raw, the default, or qcow2), again for more; what is written is gone when the run "
        "ends, or with rw kept in FILE",
    )
    run.add_argument(
        "--net",
        type=net,
        metavar="user[,hostfwd=tcp|udp::PORT-:PORT][,mac=MAC]",
        help="a network of the guest's own (virtio-net): a gateway with DHCP, and nobody else; hostfwd, which repeats: "
        "connections to the first port, of 127.0.0.1, reach the second, of the guest",
    )
    run.add_argument(
        "--pcie",
        action="store_true",
        help="with --el 2 or --bare: PCIe (ECAM, MSI-X), and virtio devices on it instead of in the virtio-mmio slots",
    )
    run.add_argument(
        "--rng",
        type=number,
        metavar="SEED",
        help="an entropy device (virtio-rng) whose numbers follow from SEED",
    )
    run.add_argument(
        "--virtio-console",
        action="store_true",
        help="a console on virtio too (Linux: console=hvc0); what is typed goes there",
    )
    run.add_argument(
        "--semihosting",
        nargs="?",
        const="",
        metavar="DIR",
        help="with --el 2 or --bare: serve HLT #0xF000 at EL1 and above (Arm semihosting); files are those below DIR, and "
        "without =DIR there are none; the guest's exit status is the run's",
    )
    for option, why in ABSENT.items():
        run.add_argument(option, type=functools.partial(absent, why), help=argparse.SUPPRESS)
    run.add_argument("--dtb", metavar="FILE", help="device tree, instead of the board's own")
    run.add_argument(
        "--cpu",
        default="max",
        metavar="NAME",
        choices=[n for n, _ in _core.profiles()],
        help="CPU: %(choices)s (default: max; `gdbhv cpus` compares them)",
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
    run.add_argument(
        "--load-address",
        type=number,
        metavar="ADDR",
        help="where the first byte of IMAGE goes, if it is no ELF (default: 512 KiB into RAM, or as an arm64 Image says)",
    )
    run.add_argument("--entry", type=number, metavar="ADDR", help="first instruction, instead of the image's")
    run.add_argument(
        "--ns-per-insn",
        type=speed,
        default=1,
        metavar="N",
        help="virtual time of an instruction: 1 to 1000 ns; 100 makes busy waits take a hundredth (default: 1)",
    )
    chance_options.add_to_run(run)
    run.add_argument("--x0", type=number, metavar="VALUE", help="x0 at entry, instead of the device tree's address")
    run.add_argument("--gdb", metavar="ADDR", help="serve gdb at [HOST:]PORT, unix:PATH or stdio")
    run.add_argument("--wait", action="store_true", help="with --gdb: stand at the first instruction until gdb attaches")
    run.add_argument(
        "--history",
        type=size,
        default=512 << 20,
        metavar="SIZE",
        help="with --gdb: memory for what the machine has done, so that gdb can go back to it (default: 512M)",
    )
    run.add_argument(
        "--no-history",
        action="store_const",
        const=0,
        default=512 << 20,
        dest="history",
        help="with --gdb: keep nothing of it",
    )
    run.add_argument("-v", "--verbose", action="store_true", help="with --gdb: show each packet on stderr")
    run.add_argument("--rsp-log", metavar="FILE", help="with --gdb: write each packet to FILE")
    run.add_argument(
        "--console",
        type=console,
        action="append",
        default=[],
        metavar="[VM=]WHERE",
        help="the guests' terminal, or a VM's own: stdio, pty, unix:PATH or FILE; repeats (default: stdio; Ctrl-C ends the "
        "run, Ctrl-A h lists the keys)",
    )
    run.add_argument(
        "--realtime",
        action=argparse.BooleanOptionalAction,
        help="a second in which every vCPU waits takes a second, instead of none (default: if the console is a terminal)",
    )
    run.add_argument(
        "--no-reboot",
        action="store_true",
        help="a guest that asks for a reset ends the run (status 3) instead of beginning again",
    )
    run.add_argument(
        "--snapshot",
        metavar="FILE",
        help="instead of IMAGE: start from a snapshot; what the machine is and runs is in FILE",
    )
    run.add_argument(
        "--snapshot-at",
        type=moment,
        action="append",
        default=[],
        metavar="N:FILE",
        help="write a snapshot to FILE after N instructions, and go on; repeats",
    )
    bundle_options.add_to_run(run)
    run.add_argument(
        "--record", metavar="FILE", help="note in FILE what comes from outside (typing, a debugger's writes), and when"
    )
    run.add_argument(
        "--replay",
        metavar="FILE",
        help="run again what was recorded in FILE, and say where it first differs; images that have moved may be named",
    )
    run.add_argument(
        "--compile-after",
        type=number,
        metavar="N",
        help="compile a block of code once it was entered N times; 0: interpret all (default: 40; the run is the same)",
    )
    run.add_argument(
        "--check",
        choices=("tlb",),
        help="tlb: say where break-before-make, TLBI, DSB or ISB is missing, with the instructions (exit status 8); slower",
    )
    run.add_argument(
        "--report", metavar="FILE", help="at the end: write a page (HTML) with pictures of the run; needs gdbhv[report]"
    )
    run.add_argument(
        "--perf-map",
        action="store_true",
        help="tell Linux's perf in /tmp/perf-PID.map which guest code compiled code is, by the symbols of an ELF: the "
        "image, or IMAGE.vmlinux or IMAGE.elf beside it",
    )
    run.add_argument("--max-insns", type=number, metavar="N", help="stop after N instructions (1e9)")
    run.add_argument(
        "--stats", choices=("text", "json"), help="at the end: a table of exits too, or all as JSON, the last line of stdout"
    )

    gdb = commands.add_parser(
        "gdb",
        help="start gdb-multiarch attached to a running `gdbhv run --gdb`",
        description="Start gdb-multiarch attached to a running `gdbhv run --gdb`, with gdbhv's commands for gdb.",
        epilog=GDB_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    gdb.add_argument("address", metavar="ADDR", help="[HOST:]PORT or unix:PATH")
    gdb.add_argument("program", nargs="?", metavar="ELF", help="file with symbols; without it gdb takes the one that runs")
    for options, metavar, what in ((("-x", "--command"), "FILE", "a script"), (("-ex",), "COMMAND", "a command")):
        gdb.add_argument(
            *options,
            action="extend",
            type=functools.partial(_own, options[0]),
            default=[],
            metavar=metavar,
            dest="own",
            help=f"{what} of gdb's, run once it is attached, in the order given; repeats",
        )

    qemu = commands.add_parser(
        "qemu",
        help="run a command line of qemu-system-aarch64 -M virt",
        description="Run a command line of qemu-system-aarch64 -M virt, or name what of it cannot be served.",
        epilog=QEMU_EXAMPLES,
        usage="%(prog)s [-h] [-v] [OPTION ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prefix_chars="\0",  # words that begin with - are QEMU's options
        add_help=False,
    )
    qemu.add_argument(
        "words", nargs="*", metavar="OPTION", help="what qemu-system-aarch64 would get, with that word or without"
    )
    qemu.set_defaults(explained=qemu.format_help())

    snapshot = commands.add_parser(
        "snapshot",
        help="look at snapshots in files",
        epilog=SNAPSHOT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    topics = snapshot.add_subparsers(dest="topic", required=True, metavar="TOPIC")
    info = topics.add_parser(
        "info",
        help="say what a snapshot is of",
        epilog=SNAPSHOT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    info.add_argument("file", metavar="FILE", help="a snapshot")
    info.add_argument("--json", action="store_true", help="one JSON document")

    cpus = commands.add_parser(
        "cpus",
        help="compare the CPUs that `gdbhv run --cpu` can name",
        epilog=CPUS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cpus.add_argument("names", nargs="*", type=profile, metavar="NAME", help="a CPU of `gdbhv run --cpu` (default: all)")
    cpus.add_argument("--json", action="store_true", help="one JSON document, with the identification registers")
    bundle_options.add(commands)
    chance_options.add(commands)
    table_options.add(commands)
    return top


def named(error: ConfigError, options: argparse.Namespace) -> str:
    """Return an error's text with the machine's parameter replaced by the name of its option."""
    key = error.parameter.replace("_", "-")
    return f"--{key}: {error.reason}" if not getattr(options, "vm", None) else f"--vm: {key}: {error.reason}"


def _own(option: str, value: str) -> tuple[str, str]:
    return option, value


class _Version(argparse.Action):
    """Print the version. It is looked up only when asked for, since that takes longer than all other options together."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("gdbhv")
        except PackageNotFoundError:
            found = _core.__version__
        parser.exit(message=f"gdbhv {found}\n")


def drives(options: argparse.Namespace) -> list[Drive]:
    """Return all disks, of all VMs."""
    return [*options.drive, *(one for fields in options.vm for one in fields.get("drive", []))]


def usage_error(options: argparse.Namespace) -> str | None:
    """Return what is wrong with a combination of valid options; None if nothing is."""
    if options.replay is not None:
        return _wrong_replay(options)
    bare = options.bare or options.el == 2
    if options.vm and (options.image is not None or bare or options.vms != 1):
        return "--vm is instead of IMAGE and --vms, and for gdbhv's own hypervisor (no --el 2, no --bare)"
    if options.flash and not bare:
        return "--flash is for a machine of the image's own (--el 2 or --bare): a hosted VM has no flash"
    if options.semihosting is not None and not bare:
        return "--semihosting is for a machine of the image's own (--el 2 or --bare): a hosted VM has none"
    if options.pcie and not bare:
        return "--pcie is for a machine of the image's own (--el 2 or --bare)"
    if options.net is not None and options.net.forwards and (options.vms > 1 or len(options.vm) > 1):
        return "--net: hostfwd= leads to one guest, and there are several VMs: leave it out, or run one VM"
    if len(options.flash) > 2:
        return "--flash: there are two banks"
    follows = "--record" if options.record is not None else bundle_options.given(options)
    if follows and any(keeps for _, keeps in options.flash):
        return f"{follows}: a file that the run changes (--flash FILE,rw) is another one in the replay; leave ,rw out"
    if follows and any(d.keeps for d in drives(options)):
        return f"{follows}: a file that the run changes (--drive FILE,rw) is another one in the replay; leave rw out"
    something = options.load or options.vm or options.snapshot or options.flash
    if options.image is None and not (something or (bare and options.wait)):
        return "an IMAGE is needed, or --vm, --flash, --snapshot or --replay; with --el 2 --gdb --wait gdb may load it"
    if follows and options.snapshot is not None:
        return f"{follows} follows a run from its beginning, and --snapshot begins in the middle of one: choose one of them"
    if options.copy_images and not follows:
        return "--copy-images is about what is in bundles: --on-hang, --bundle-on-exit-status"
    if options.gdb == "":
        return "--gdb needs an address: [HOST:]PORT, unix:PATH or stdio"
    if options.wait and not options.gdb:
        return "--wait needs --gdb, or nobody will ever start the machine"
    if not options.gdb and (options.verbose or options.rsp_log is not None):
        return "-v and --rsp-log show what a debugger and gdbhv say to each other: they need --gdb"
    if not options.gdb and "history" in options.given:
        return "--history and --no-history are about what a debugger can go back to: they need --gdb"
    if options.gdb and options.max_insns is not None:
        return "--max-insns is for runs without --gdb: a debugger decides when it stops"
    if options.gdb and options.snapshot_at:
        return "--snapshot-at is for runs without --gdb: with it, `monitor snapshot write`"
    if options.gdb == "stdio" and any(where == "stdio" for _, where in options.console):
        return "gdb and the console cannot both have stdio: --console FILE"
    if options.gdb == "stdio" and options.stats == "json":
        return "--stats json prints on stdout, which --gdb stdio needs"
    if bare and options.vms != 1:
        return "--vms needs gdbhv's hypervisor: with --el 2 the image itself makes the VMs, with --bare there are none"
    names = [name for name, _ in options.console]
    if len(set(names)) < len(names):
        return "--console twice for the same: give each VM its own with --console VM=WHERE"
    if bare and any(names):
        return "--console VM=WHERE is for the VMs of gdbhv's own hypervisor"
    if options.gic == 2 and not bare:
        return "--gic 2 is for a machine of the image's own (--el 2 or --bare): a hosted VM has a GICv3"
    return None


_OF_A_REPLAY = {
    *SINGLE_FILES,
    *PLACED_FILES,
    "vm",
    "gdb",
    "wait",
    "verbose",
    "rsp_log",
    "console",
    "stats",
    "replay",
    "compile_after",
    "history",
    "perf_map",
}


def _wrong_replay(options: argparse.Namespace) -> str | None:
    """Return what cannot be combined with ``--replay``; None if nothing is given that cannot."""
    others = sorted(options.given - _OF_A_REPLAY)
    if others:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        return f"--replay FILE has what the machine is and what happens in it: without {named}"
    if options.wait and not options.gdb:
        return "--wait needs --gdb, or nobody will ever start the machine"
    if options.gdb == "stdio" and (options.stats == "json" or any(where == "stdio" for _, where in options.console)):
        return "--gdb stdio needs stdout for itself"
    return None
