"""The options of chaos by seed."""

from __future__ import annotations

import argparse

from gdbhv import _core
from gdbhv.cli.kinds import chaos

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
