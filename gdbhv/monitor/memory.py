"""``x``: memory by IPA or PA, where gdb's own ``x`` knows virtual addresses only."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.errors import CommandError
from gdbhv.monitor.registry import JSON, Arg, Context, address, command, to_json
from gdbhv.target import Space


def integer(text: str) -> int:
    """Parse a number in C's notation."""
    return int(text, 0)


@command(
    "x",
    Arg("address", "ipa:ADDRESS, pa:ADDRESS or a VA"),
    Arg("length", "bytes (default 64)", nargs="?", type=integer),
    JSON,
    help="show memory by IPA or PA",
)
def examine(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Hexadecimal and text, 16 bytes a line."""
    kind, colon, rest = args.address.partition(":")
    spaces = {s.value: s for s in Space}
    if colon and kind not in spaces:
        raise CommandError(f"{kind!r} is no address space: {', '.join(spaces)}")
    space = spaces[kind] if colon else Space.VA
    start = address(rest if colon else kind)
    length = 64 if args.length is None else args.length
    if not 0 < length <= 1 << 20:
        raise CommandError(f"{length} bytes: 1 to {1 << 20}")
    data = context.target.read_memory(context.thread, start, length, space)
    if args.json:
        yield from to_json({"address": start, "space": space.value, "data": data.hex()})
        return
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        yield f"{start + at:#018x}  {row[:8].hex(' ')}  {row[8:].hex(' '):<23}  {text}"
    if len(data) < length:
        yield f"the memory ends at {start + len(data):#x}"
