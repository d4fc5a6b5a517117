"""``inject``: make something happen from outside, to see what the guest and its hypervisor do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.exits.answering import abort_syndrome
from gdbhv.monitor import addresses
from gdbhv.monitor.memory import integer
from gdbhv.monitor.registry import Arg, Context, command

IDS = tables.iss_field("serror", "IDS").mask


@command(
    "inject serror",
    Arg(
        "syndrome", "ESR_ELx.ISS, e.g. 0xc11: AET uer, DFSC 0x11 (default: an uncontainable error)", nargs="?", type=integer
    ),
    Arg("--cpu", "on this CPU, from 0 (default: the thread's)", type=integer),
    Arg("--virtual", "for the thread's guest instead, a virtual one", flag=True),
    help="make an SError pending on a CPU, or for a guest",
)
def inject_serror(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Report an error of the machine's memory: HCR_EL2.AMO and TGE route it, PSTATE.A masks it, ESB defers it."""
    if args.virtual:
        syndrome = IDS if args.syndrome is None else args.syndrome
        context.target.inject_virtual_serror(context.thread, syndrome)
        yield f"a virtual SError is pending for thread {context.thread}, syndrome {syndrome:#x}"
        return
    cpu = args.cpu if args.cpu is not None else _cpu(context)
    context.target.inject_serror(cpu, args.syndrome)
    yield f"an SError is pending on CPU {cpu}, syndrome {context.core.serror(cpu):#x}"


@command("inject power-button", help="press the power button of the machine, or of the thread's VM, for 100 ms")
def inject_power_button(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Do what QEMU's system_powerdown does: pin 3 of the PL061 is high (SPI 7), which the device tree calls KEY_POWER."""
    name = context.target.press_power_button(context.thread.pid)
    yield f"the power button of {name} is pressed: pin 3 of the PL061 is high for 100 ms of virtual time"


@command(
    "inject abort",
    Arg("address", "FAR_EL1 (default: what the exit has, else the PC)", nargs="?"),
    Arg("--fetch", "an instruction abort", flag=True),
    Arg("--write", "of a write", flag=True),
    help="have the thread's guest take an external abort at EL1, also in place of its exit",
)
def inject_abort(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Do what hypervisors do where nothing answers: a synchronous external abort, FSC 0x10."""
    thread = context.thread
    if args.address is not None:
        far = addresses.parse(context, args.address)[1]
    else:
        record = context.target.last_exit(thread)
        pc = context.target.read_register(thread, "pc")
        far = record["far"] if record is not None and record["far"] is not None else pc
    context.target.inject_exception(thread, abort_syndrome(fetch=args.fetch, write=args.write), far)
    yield f"thread {thread} takes {'an instruction' if args.fetch else 'a data'} abort at EL1, FAR_EL1 {far:#x}"


@command(
    "inject interrupt",
    Arg("intid", "its INTID; one below 32 is the thread's CPU's", type=integer),
    help="make an interrupt pending, of the VM that gdbhv hosts, else of the machine",
)
def inject_interrupt(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Set its latch, as a write to ISPENDR does: whether it is taken, enables and priorities decide."""
    context.target.inject_interrupt(context.thread, args.intid)
    yield f"interrupt {args.intid} is pending"


@command(
    "answer",
    Arg("value", "what a load, the read of a register or a call gives; without it the instruction does nothing", nargs="?"),
    help="answer the thread's exit in place of its hypervisor, which never sees it",
    about="VM exits",
    more=lambda: [
        "At an exit that a catchpoint has stopped: the guest goes on behind the instruction.",
        "vmexit catch dabt.r ipa=0x9000018 do run answer 0x90     each such read gives that, without a stop",
    ],
)
def answer(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Write the result and skip the instruction."""
    value = None if args.value is None else addresses.parse(context, args.value)[1]
    context.target.answer(context.thread, value)
    yield f"answered{'' if value is None else f' with {value:#x}'}: the guest goes on behind the instruction"


def _cpu(context: Context) -> int:
    cpu = context.target.cpu_of(context.thread)
    if cpu is None:
        raise CommandError("the vCPU is on no CPU now: say which one with --cpu")
    return cpu
