"""``why``: the reasons that gdb does not show.

What gdb makes of a refused packet (seen with gdb 13.1 and 18.1):

* a register's write (P, G) and a `monitor` command: the reason is shown;
* a hardware breakpoint (Z1): gdb 18 shows it, gdb 13 says "You may have requested too many";
* a watchpoint (Z2 to Z4): "You may have requested too many hardware breakpoints/watchpoints", whatever the reason is;
* memory (m, M, X) and a software breakpoint (Z0): "Cannot access memory at address ...", whatever the reason is.

A register that cannot be read (p) is `<unavailable>`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.monitor.registry import JSON, Context, command, to_json


@command("why", JSON, help="why gdb was refused what it asked for last, where it does not say so itself")
def why(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Print the last ones in their order: gdb asks for more than was typed, as memory beyond the last frame of a stack."""
    refused = list(context.target.refused)
    if args.json:
        yield from to_json(refused)
    else:
        yield from refused or ["nothing was refused"]
