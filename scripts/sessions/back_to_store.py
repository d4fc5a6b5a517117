#!/usr/bin/env python3
"""Who overwrote it? From a guest's panic back to the store that did the damage, with nothing recorded before.

The program `overrun` dies of a branch to an address that is text. Its handler knows where it was going, and not why. This
session runs it until it panics, and asks who wrote last where the address came from.

    scripts/sessions/back_to_store.py guests/prebuilt/overrun.elf

With a program of your own: the function that panics, and the expression whose memory is wrong.

    scripts/sessions/back_to_store.py my.elf --panic panic --memory 'devices[2].work'
"""

from __future__ import annotations

import argparse
import sys

from gdbhv import GdbError, GdbhvError, GdbSession, launch


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("--panic", default="el1_sync", help="function that is called too late (default: el1_sync)")
    parser.add_argument("--memory", default="devices[2].work", help="what has a wrong value (default: devices[2].work)")
    options = parser.parse_args()
    try:
        with launch(options.elf) as gdb:
            back_to_store(gdb, options.panic, options.memory)
    except (GdbError, GdbhvError) as error:
        print(f"back_to_store.py: {error}", file=sys.stderr)
        return 1
    return 0


def back_to_store(gdb: GdbSession, panic: str, memory: str) -> None:
    """Print the way from the panic to the store."""
    gdb.cont(at=gdb.break_at(panic))
    print(f"panic in {panic}, after {gdb.when():,} instructions; {memory} is {gdb.evaluate(memory)}")
    address, size = (int(gdb.evaluate(f"(long) {what}"), 0) for what in (f"&{memory}", f"sizeof({memory})"))
    writer = gdb.last_write(f"{address:#x}", size)
    if writer is None:
        raise GdbhvError(f"nothing that was executed has written {memory}: it was loaded so")
    print(f"{memory} was last written {writer['before']:,} instructions before, after {gdb.when():,}:")
    print(f"  {writer['text']}")
    for frame in gdb.backtrace():
        print(f"  {frame}")
    print(f"there {memory} is {gdb.evaluate(memory)} before the store")


if __name__ == "__main__":
    sys.exit(main())
