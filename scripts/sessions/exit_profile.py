#!/usr/bin/env python3
"""How expensive is what your guest does to its hypervisor? Exits by kind, between two places in the guest.

Attaches stock gdb, runs to a function, clears the counts, runs to a second one, and prints the exits between them: what
`perf kvm stat` shows, exact and repeatable, for any stretch of code.

    scripts/sessions/exit_profile.py guests/prebuilt/exit_zoo.elf --start zoo_wfi --end zoo_fresh_table
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile

from gdbhv import GdbSession


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("--start", required=True, help="function where the profile begins")
    parser.add_argument("--end", required=True, help="function where it ends")
    parser.add_argument("--smp", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gdbhv-") as folder:
        address = f"unix:{folder}/gdb"
        run = ["run", options.elf, "--smp", options.smp, "--gdb", address, "--wait", "--console", f"{folder}/console"]
        server = subprocess.Popen([sys.executable, "-m", "gdbhv", *run], stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            if "waiting for gdb" not in (line := server.stderr.readline()):
                print(line, server.stderr.read(), file=sys.stderr)
                return 1
            with GdbSession(address, options.elf) as gdb:
                profile(gdb, options.start, options.end)
        finally:
            server.kill()
            server.wait()
    return 0


def profile(gdb: GdbSession, start: str, end: str) -> None:
    """Print the exits between two functions."""
    gdb.break_at(start)
    gdb.break_at(end)
    if gdb.cont().ended:
        raise SystemExit(f"the guest ended before it came to {start}")
    gdb.monitor("vmexit stats --clear")
    if gdb.cont().ended:
        raise SystemExit(f"the guest ended before it came to {end}")
    found = gdb.monitor_json("vmexit stats --json")
    print(f"from {start} to {end}: {found['exits']} exits")
    for row in sorted(found["counts"], key=lambda r: -r["count"]):
        print(f"{row['count']:8}  {row['name']}")


if __name__ == "__main__":
    sys.exit(main())
