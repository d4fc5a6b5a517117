"""``inject``: make something go wrong, to see what the guest and its hypervisor do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
from gdbhv.hv.target import HostTarget
from gdbhv.monitor.memory import integer
from gdbhv.monitor.registry import Arg, Context, command


@command(
    "inject serror",
    Arg(
        "syndrome", "ESR_ELx.ISS, e.g. 0xc11: AET uer, DFSC 0x11 (default: an uncontainable error)", nargs="?", type=integer
    ),
    Arg("--cpu", "on this CPU, from 0 (default: the thread's)", type=integer),
    help="make a physical SError pending on a CPU",
)
def inject_serror(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """An error of the machine's memory: HCR_EL2.AMO and TGE route it, PSTATE.A masks it, ESB defers it."""
    cpu = args.cpu if args.cpu is not None else _cpu(context)
    try:
        context.core.inject_serror(cpu, args.syndrome)
    except (ValueError, IndexError, OverflowError) as e:
        raise CommandError(str(e)) from None
    yield f"an SError is pending on CPU {cpu}, syndrome {context.core.serror(cpu):#x}"


def _cpu(context: Context) -> int:
    if not isinstance(context.target, HostTarget):
        return context.thread.tid - 1
    cpu = context.target.vcpu(context.thread).cpu
    if cpu is None:
        raise CommandError("the vCPU is on no CPU now: say which one with --cpu")
    return cpu
