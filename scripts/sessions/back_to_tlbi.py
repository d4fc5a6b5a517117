#!/usr/bin/env python3
"""Which TLBI was missing? From a guest's panic over a stale mapping back to the change of stage 2 that forgot it.

The hypervisor `stale` moves pages of its guest, and in one place forgets the TLBI. The guest panics long after. This session
runs it until then, finds what the TLB has beside the tables, goes back to the last TLBI, which was for another page, and
then to who changed the descriptor. What the machine itself says of it, since it checks how tables are changed, is the same.

    scripts/sessions/back_to_tlbi.py guests/prebuilt/stale.elf

With a hypervisor of your own: the guest's function that panics, the expression for the IPA, and the hypervisor's function
that invalidates.

    scripts/sessions/back_to_tlbi.py my.elf --panic panic --ipa where --tlbi invalidate
"""

from __future__ import annotations

import argparse
import sys

from gdbhv import GdbError, GdbhvError, GdbSession, launch


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("--panic", default="panic", help="the guest's function that is called too late (default: panic)")
    parser.add_argument("--ipa", default="where", help="expression for the IPA whose mapping is in doubt (default: where)")
    parser.add_argument("--tlbi", default="invalidate", help="the hypervisor's function with the TLBI (default: invalidate)")
    options = parser.parse_args()
    try:
        with launch(options.elf, "--el", "2", "--check", "tlb") as gdb:
            back_to_tlbi(gdb, options.panic, options.ipa, options.tlbi)
    except (GdbError, GdbhvError) as error:
        print(f"back_to_tlbi.py: {error}", file=sys.stderr)
        return 1
    return 0


def back_to_tlbi(gdb: GdbSession, panic: str, expression: str, tlbi: str) -> None:
    """Print the way from the panic to the change without a TLBI."""
    gdb.cont(at=gdb.break_at(panic))
    ipa = int(gdb.evaluate(f"(long) {expression}"), 0)
    print(f"panic after {gdb.when():,} instructions; of IPA {ipa:#x} the TLB has:")
    print_lines(gdb.monitor(f"tlb {ipa:#x} --stale"))

    said = gdb.monitor("tlb check")  # what it has found so far; it begins anew where the machine goes back

    gdb.monitor("break-in el2")  # the hypervisor's breakpoint, though the guest has the CPU
    gdb.break_at(tlbi)
    gdb.reverse_continue()
    print(f"the last TLBI before, after {gdb.when():,} instructions:")
    print_lines(gdb.execute("frame"))
    gdb.goto("now")

    writer = gdb.last_change(f"ipa:{ipa:#x}")
    if writer is None:
        raise GdbhvError(f"no instruction has changed what maps IPA {ipa:#x}: the TLB is right")
    print(f"the mapping was changed last {writer['before']:,} instructions before the panic, after {gdb.when():,}:")
    print_lines(writer["text"])
    print_lines(str(gdb.backtrace()[0]))
    print("by the hypervisor, for this exit of its guest:")
    print_lines(gdb.back_to_exit().splitlines()[0])
    print("and the machine, which was checked meanwhile, says:")
    print_lines(said)


def print_lines(text: str) -> None:
    """Print text that is somebody else's, indented."""
    for line in text.splitlines():
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
