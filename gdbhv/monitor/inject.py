"""``inject``: make something happen from outside, to see what the guest and its hypervisor do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
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
    """Report an error of the machine's memory: HCR_EL2.AMO and TGE route it, PSTATE.A masks it, ESB defers it."""
    cpu = args.cpu if args.cpu is not None else _cpu(context)
    context.target.inject_serror(cpu, args.syndrome)
    yield f"an SError is pending on CPU {cpu}, syndrome {context.core.serror(cpu):#x}"


@command("inject power-button", help="press the power button of the machine, or of the thread's VM, for 100 ms")
def inject_power_button(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Do what QEMU's system_powerdown does: pin 3 of the PL061 is high (SPI 7), which the device tree calls KEY_POWER."""
    name = context.target.press_power_button(context.thread.pid)
    yield f"the power button of {name} is pressed: pin 3 of the PL061 is high for 100 ms of virtual time"


def _cpu(context: Context) -> int:
    cpu = context.target.cpu_of(context.thread)
    if cpu is None:
        raise CommandError("the vCPU is on no CPU now: say which one with --cpu")
    return cpu
