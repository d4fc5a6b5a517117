"""``x``: memory by IPA or PA, where gdb's own ``x`` knows virtual addresses only."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
from gdbhv.monitor import addresses
from gdbhv.monitor.registry import EL, JSON, VMID, Arg, Context, command, to_json
from gdbhv.queries import tlb
from gdbhv.target import Space


def integer(text: str) -> int:
    """Parse a number in C notation."""
    return int(text, 0)


@command(
    "x",
    Arg("address", f"VA, ipa:ADDRESS or pa:ADDRESS: {addresses.HELP}"),
    Arg("length", "bytes (default 64)", nargs="?", type=integer),
    EL,
    VMID,
    JSON,
    help="show memory by IPA or PA, or by VA of another EL or VM",
)
def examine(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Hexadecimal and text, 16 bytes a line."""
    space, start = addresses.parse(context, args.address)
    length = 64 if args.length is None else args.length
    if not 0 < length <= 1 << 20:
        raise CommandError(f"{length} bytes: 1 to {1 << 20}")
    if space is not Space.VA and args.el is not None:
        raise CommandError("--el is about a VA")
    if space is Space.PA and args.vmid is not None:
        raise CommandError("--vmid is about a VA or an IPA")
    by = context.stage2(args) if space is Space.IPA else None if space is Space.PA else context.translation(args)
    data = context.target.read_memory(context.thread, start, length, space, by)
    if args.json:
        whose = None if by is None else by.document()
        yield from to_json({"address": start, "space": space.value, "data": data.hex(), "context": whose})
        return
    slots = context.target.hosted and space is Space.IPA
    if by is None:
        yield f"PA {start:#x} of the machine"
    elif slots:
        yield f"IPA {start:#x} of {by.place.split()[0]}, VMID {by.vmid}, mapped in stage 2 yet or not"
    elif space is Space.IPA:
        yield f"IPA {start:#x} of {by.place}, VMID {by.vmid}, stage 2{by.noted}"
    else:
        yield f"VA {start:#x} at EL{by.el} of {by.words()}"
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        yield f"{start + at:#018x}  {row[:8].hex(' ')}  {row[8:].hex(' '):<23}  {text}"
    last = start + length - 1
    if space is Space.VA and by is not None:
        yield from (c.words() for c in tlb.still(context.target, by, start, last))
    if space is Space.IPA and by is not None and by.vmid is not None:
        yield from (c.words() for c in tlb.still_stage2(context.target, by.vmid, start, last))
    if len(data) < length:
        yield f"the memory ends at {start + len(data):#x}"
