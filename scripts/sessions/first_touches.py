#!/usr/bin/env python3
"""Which guest code touches which memory first? A session for whoever tunes demand paging in a hypervisor.

Attaches stock gdb to a guest, stops at every stage 2 translation fault on memory (not on devices), and prints the
function that touched it, the IPA, and how stage 2 mapped it afterwards. Needs no client script in gdb.

    scripts/sessions/first_touches.py guests/prebuilt/exit_zoo.elf
    scripts/sessions/first_touches.py Image --append console=ttyAMA0 --most 20
"""

from __future__ import annotations

import argparse
import sys

from gdbhv import GdbError, GdbhvError, GdbSession, GdbUnexpectedStop, launch

RAM = "0x40000000-0xffffffff"


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--append", default="", help="kernel command line")
    parser.add_argument("--most", type=int, default=50, help="stop after so many faults (default: 50)")
    options = parser.parse_args()
    try:
        with launch(options.image, "--append", options.append) as gdb:
            watch(gdb, options.most)
    except (GdbError, GdbhvError) as error:
        print(f"first_touches.py: {error}", file=sys.stderr)
        return 1
    return 0


def watch(gdb: GdbSession, most: int) -> None:
    """Print a line for each first touch."""
    gdb.catch_exit(f"dabt.trans ipa={RAM}")
    gdb.catch_exit(f"iabt.trans ipa={RAM}")
    stop = gdb.cont()
    for n in range(1, most + 1):
        if stop.ended:
            print(f"the guest ended ({stop.reason})")
            return
        if not stop.is_exit("?abt.trans"):
            raise GdbUnexpectedStop("a fault of stage 2", stop)
        fault = gdb.monitor_json("vmexit last --json")
        where = stop.frame.function if stop.frame and stop.frame.function else hex(stop.pc)
        stop = gdb.step_instruction()  # the hypervisor handles the fault, and the access is made, or faults once more
        mapped = gdb.monitor_json(f"s2 dump {fault['ipa']:#x} --json")["ranges"]
        leaf = f"{mapped[0]['leaf'] >> 10} KiB leaf at PA {mapped[0]['pa']:#x}" if mapped else "not mapped"
        print(f"{n:3}  {fault['name']:32} IPA {fault['ipa']:#x}  {where:24} {leaf}")
        if n < most and stop.reason == "end-stepping-range":
            stop = gdb.cont()


if __name__ == "__main__":
    sys.exit(main())
