"""``frame guest``: where a guest is, while its hypervisor has the CPU.

At an exit the CPU is at EL2's vector: PC, SP and memory are the hypervisor's, and a debugger that unwinds from there
mistakes the guest's link register for the hypervisor's. This command shows the guest's own frame at the exit, and its
callers by frame pointers (AAPCS64, "The Frame Pointer"), read as the guest reads them: through its own two stages.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gdbhv.errors import CommandError, MemoryError_
from gdbhv.monitor.registry import JSON, Context, command, to_json
from gdbhv.tables import exception_level, mode_name
from gdbhv.target import Space
from gdbhv.translation import PAN, Translation

MOST = 64  # frames
REGISTERS = [*(f"x{n}" for n in range(31)), "sp", "pc", "cpsr"]


@dataclass(frozen=True)
class Frame:
    """A guest's registers, and the translation of its addresses; ``when`` says of which moment they are."""

    registers: dict[str, int]
    by: Translation
    when: str


@command("frame guest", JSON, help="show the guest's frame and its callers, also while its hypervisor has the CPU")
def guest(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show registers as of the last exit, or now if the guest has the CPU; callers by frame pointers, and what ends them."""
    frame = of(context)
    r = frame.registers
    callers, end = chain(context, frame)
    if args.json:
        rows = [{"fp": fp, "pc": pc} for fp, pc in callers]
        yield from to_json({"registers": r, "when": frame.when, "callers": rows, "end": end, "context": frame.by.document()})
        return
    yield f"guest at {mode_name(r['cpsr'])}, {frame.when}; {frame.by.words()}"
    yield f"#0  pc {r['pc']:#018x}  sp {r['sp']:#018x}  lr {r['x30']:#018x}"
    for n, (fp, pc) in enumerate(callers, 1):
        yield f"#{n:<2} pc {pc:#018x}  fp {fp:#018x}"
    yield f"({end})"
    names = [f"x{n}" for n in range(31)]
    yield from ("  ".join(f"{name:<3} {r[name]:#018x}" for name in names[i : i + 4]) for i in range(0, len(names), 4))


def of(context: Context) -> Frame:
    """Find the guest of the thread. :raises gdbhv.errors.CommandError: there is none."""
    target, thread = context.target, context.thread
    if not target.at_hypervisor(thread):
        values = {name: target.read_register(thread, name) for name in REGISTERS}
        return Frame(values, target.translation(thread), "now")
    cpu = thread.tid - 1
    left, record = target.core.left(cpu), target.core.exit_record(cpu)
    if left is None or record is None:
        raise CommandError(f"the hypervisor has {thread}, and no guest has run on it yet")
    spsr = record["spsr"]
    el = exception_level(spsr)
    sp = left["sp_el1"] if el == 1 and spsr & 1 else left["sp_el0"]
    values = {**{f"x{n}": x for n, x in enumerate(left["x"])}, "sp": sp, "pc": left["pc"], "cpsr": spsr}
    by = Translation(target.core, cpu, el, f"cpu{cpu}", left["controls"], bool(spsr & PAN))
    ago = target.core.now - record["now"]
    return Frame(values, by, f"as of the last exit of cpu{cpu} ({record['name']}), {ago} ns ago")


def chain(context: Context, frame: Frame) -> tuple[list[tuple[int, int]], str]:
    """Follow the frame records: pairs of frame pointer and return address, and why there are no more."""
    found: list[tuple[int, int]] = []
    fp = frame.registers["x29"]
    while len(found) < MOST:
        if fp == 0:
            return found, "the frame pointer is 0: the end"
        if fp % 8:
            return found, f"the frame pointer {fp:#x} is not a multiple of 8"
        try:
            record = context.target.read_memory(context.thread, fp, 16, Space.VA, frame.by)
        except MemoryError_ as e:
            return found, f"the frame record cannot be read: {e}"
        if len(record) < 16:
            return found, f"the frame record at {fp:#x} is cut off"
        following, lr = struct.unpack("<QQ", record)
        if lr == 0:
            return found, "the return address is 0: the end"
        found.append((following, lr))
        if 0 < following <= fp:
            return found, f"the frame pointer {following:#x} does not go up"
        fp = following
    return found, f"more than {MOST} frames"
