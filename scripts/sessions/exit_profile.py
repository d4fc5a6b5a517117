#!/usr/bin/env python3
"""How expensive is what your guest does to its hypervisor? Exits by kind, between two places in the guest.

Attaches stock gdb, runs to a function, clears the counts, runs on to a second one, and prints the exits between them: what
`perf kvm stat` shows, exact and repeatable, for any stretch of code. A function that is inlined at several places is named
by one of its addresses: --start '*0x40201750'.

    scripts/sessions/exit_profile.py guests/prebuilt/exit_zoo.elf --start zoo_wfi --end zoo_fresh_table
"""

from __future__ import annotations

import argparse
import sys

from gdbhv import GdbError, GdbhvError, GdbSession, launch


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("--start", required=True, help="function (or file:line, or *ADDRESS) where the profile begins")
    parser.add_argument("--end", required=True, help="where it ends")
    parser.add_argument("--smp", default="1")
    options = parser.parse_args()
    try:
        with launch(options.elf, "--smp", options.smp) as gdb:
            profile(gdb, options.start, options.end)
    except (GdbError, GdbhvError) as error:
        print(f"exit_profile.py: {error}", file=sys.stderr)
        return 1
    return 0


def profile(gdb: GdbSession, start: str, end: str) -> None:
    """Print the exits between two functions."""
    first, last = gdb.break_at(start).only, gdb.break_at(end).only
    gdb.delete(last)
    gdb.cont(at=first)  # whatever else stops it is an error, and not a profile
    gdb.monitor("vmexit stats --clear")
    gdb.delete(first)
    gdb.cont(at=gdb.break_at(end))
    found = gdb.monitor_json("vmexit stats --json")
    print(f"from {start} to {end}: {found['exits'] or 'no'} exits")
    for row in sorted(found["counts"], key=lambda r: -r["count"]):
        print(f"{row['count']:8}  {row['name']}")


if __name__ == "__main__":
    sys.exit(main())
