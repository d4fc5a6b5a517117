"""The options of ``gdbhv s2 build``, ``gdbhv s2 check`` and ``gdbhv dump``."""

from __future__ import annotations

import argparse
from typing import Any

from gdbhv import _core
from gdbhv.cli.kinds import number, profile

EXAMPLES = """\
examples:
  gdbhv s2 build ranges.txt --at 0x41000000 -o tables.bin     from lines such as: 0x40000000+64M 0x80000000 rwx normal
  gdbhv s2 build ranges.txt --at 0x41000000 --format c        as C source
  gdbhv s2 check tables.bin --base 0x41000000 --vttbr 0x41000000 --vtcr 0x80023598
  gdbhv dump memory.core --registers registers.txt -c "s2 dump" -c "walk 0xffff800008000000"
                                                              monitor commands on a dump of memory
"""
GRANULES = {"4K": 12, "16K": 14, "64K": 16}


def add(commands: Any) -> None:
    """Add the parsers of these commands."""
    style = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    topics = commands.add_parser("s2", help="make and check stage 2 tables", **style)
    topics = topics.add_subparsers(dest="topic", required=True, metavar="TOPIC")
    build = topics.add_parser("build", help="make tables from a list of ranges", **style)
    build.add_argument("spec", metavar="SPEC", help="a line for each range: IPA+SIZE PA PERM MEMORY; - is stdin")
    build.add_argument("--at", type=number, required=True, metavar="PA", help="where the tables will be")
    build.add_argument("--granule", choices=GRANULES, default="4K")
    build.add_argument("--ipa-bits", type=number, metavar="N", help="default: what the ranges need, 32 at least")
    build.add_argument("--pa-bits", type=number, default=40, metavar="N", help="default: 40")
    build.add_argument("--format", choices=("blob", "c"), default="blob")
    build.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    check = topics.add_parser("check", help="dump tables in a dump of memory, and say what is wrong with them", **style)
    check.add_argument("file", metavar="FILE", help="raw bytes, or an ELF core")
    check.add_argument("--vttbr", type=number, required=True, metavar="VALUE", help="VTTBR_EL2")
    check.add_argument("--vtcr", type=number, required=True, metavar="VALUE", help="VTCR_EL2")
    for name in ("tree", "raw", "holes"):
        check.add_argument(f"--{name}", action="store_true", help="as of `monitor s2 dump`")
    check.add_argument("--json", action="store_true", help="one JSON document")
    dump = commands.add_parser("dump", help="use monitor commands on a dump of memory", **style)
    dump.add_argument("file", metavar="FILE", help="raw bytes, or an ELF core (QEMU's dump-guest-memory)")
    dump.add_argument(
        "-c",
        dest="commands",
        action="append",
        metavar="COMMAND",
        help='a monitor command, such as "s2 dump"; -c again for another (default: vcpus)',
    )
    dump.add_argument("--registers", metavar="FILE", help="values, NAME VALUE in each line (cpu1:NAME for others) or JSON")
    dump.add_argument("--cpu", type=profile, default="max", metavar="NAME", help="a CPU of `gdbhv run --cpu`")
    for p in (check, dump):
        p.add_argument(
            "--base", type=number, default=_core.RAM_BASE, metavar="PA", help="of raw bytes (default: 0x40000000)"
        )
