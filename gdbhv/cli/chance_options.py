"""The options of chaos by seed, and of ``gdbhv hunt``."""

from __future__ import annotations

import argparse
import os
from typing import Any

from gdbhv import _core
from gdbhv.cli.kinds import chaos, few, number

EXAMPLES = """\
PROFILE is "usual", or some of these with + between them, each with =N or without:
KINDS

examples:
  gdbhv hunt --forbid "was given to" -- guests/prebuilt/tickets.elf --smp 2
  gdbhv hunt --seeds 50 --jobs 2 --expect "selftest ok" -- Image --initrd initramfs.cpio.gz --append console=ttyAMA0 --smp 2
  gdbhv hunt --profile turns=100+exclusives --seconds 60 -- my-test --chaos {chaos} --bundle {bundle}
                                                                 a command that runs gdbhv itself, or a script of yours
"""
NAMES = ", ".join(name for name, *_ in _core.chaos_kinds())


def add_to_run(run: argparse.ArgumentParser) -> None:
    """Add what ``gdbhv run`` has of it."""
    run.add_argument(
        "--chaos",
        type=chaos,
        metavar="SEED[:PROFILE]",
        help="let a seed decide what the architecture leaves open: when turns of CPUs end, when interrupts are taken ...; "
        f"the same seed is the same run; PROFILE: usual, or of {NAMES} some with + between them (turns=100+tlb)",
    )


def _kinds() -> str:
    """Return what a profile is made of, a line each."""
    rows = _core.chaos_kinds()
    usual = {True: "", False: " (not in usual)"}
    return "\n".join(f"  {name + f'={n}':<18} {text}{usual[is_usual]}" for name, is_usual, n, _, text in rows)


def add(commands: Any) -> None:
    """Add the parser of ``gdbhv hunt``."""
    hunt = commands.add_parser(
        "hunt",
        help="run something with many seeds of chaos until one fails",
        description="Run something with many seeds of chaos, and keep a bundle of a run that fails: by its exit status (a "
        "hang too), or by what it prints.",
        epilog=EXAMPLES.replace("KINDS", _kinds()),
        usage="%(prog)s [-h] [OPTION ...] -- ARGUMENT ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hunt.add_argument("--seeds", type=number, default=1000, metavar="N", help="how many (default: 1000)")
    hunt.add_argument("--first", type=number, default=1, metavar="SEED", help="the first one (default: 1)")
    hunt.add_argument("--profile", type=_profile, metavar="PROFILE", help="what the seeds decide (default: usual)")
    hunt.add_argument(
        "--expect", action="append", default=[], metavar="TEXT", help="it fails if it does not print TEXT; repeats"
    )
    hunt.add_argument("--forbid", action="append", default=[], metavar="TEXT", help="it fails if it prints TEXT; repeats")
    hunt.add_argument("--seconds", type=float, metavar="S", help="it fails if it takes longer")
    hunt.add_argument("--most", type=number, default=1, metavar="N", help="stop after so many that fail (default: 1)")
    jobs = len(os.sched_getaffinity(0))
    hunt.add_argument(
        "--jobs", type=few, default=min(jobs, 8), metavar="N", help="at a time (default: one for each processor)"
    )
    hunt.add_argument("-o", "--output", default=".", metavar="DIR", help="where bundles are kept (default: here)")
    hunt.add_argument(
        "words",
        nargs="+",
        metavar="ARGUMENT",
        help="behind --: arguments of `gdbhv run`; or a command, in which {chaos} is replaced, and {bundle} by a file",
    )


def _profile(text: str) -> str:
    chaos(f"0:{text}")
    return text
