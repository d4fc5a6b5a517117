#!/usr/bin/env python3
"""The demonstration behind scripts/demo: everything here is what a script of your own would do.

It starts the prebuilt guest exit_zoo under gdbhv's hypervisor, attaches stock gdb-multiarch through
gdbhv.GdbSession, breaks on three
classes of VM exits, walks an address through both stages, dumps stage 2, steps, and lets the guest finish.

    scripts/demo.py    with the interpreter of .venv; scripts/demo sets everything up first
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gdbhv.client.launch import started
from gdbhv.client.session import GdbSession
from gdbhv.client.stops import GdbStop, GdbUnexpectedStop

ROOT = Path(__file__).resolve().parent.parent
GUEST = ROOT / "guests" / "prebuilt" / "exit_zoo.elf"

console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print what happens next."""
    console.print()
    console.print(Text(text, style="bold cyan"))


def command(text: str) -> None:
    """Print a command as it would be typed."""
    console.print(Text(f"(gdb) {text}", style="green"))


def lines(text: str, most: int = 40) -> None:
    """Print what a command answered."""
    rows = text.rstrip().splitlines()
    for row in rows[:most]:
        console.print(Text(f"  {row}"))
    if len(rows) > most:
        console.print(f"  ... {len(rows) - most} more lines")


def monitor(session: GdbSession, text: str) -> None:
    """Type a monitor command and print its answer."""
    command(f"monitor {text}")
    lines(session.monitor(text))


def stopped(stop: GdbStop) -> None:
    """Print a stop: the server's line about the exit, and where the guest is."""
    for row in stop.text.splitlines():
        if ";" in row:
            console.print(Text(f"  {row}", style="yellow"))
    if stop.frame is not None:
        f = stop.frame
        console.print(Text(f"  stopped ({stop.reason}) at {f.pc:#x} in {f.function or '??'} {f.file or ''}:{f.line or ''}"))


def main() -> int:
    """Run the demonstration and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gdbhv-demo-") as folder:
        address = f"unix:{folder}/gdb"
        log = Path(folder) / "console"
        say(f"1. A guest of gdbhv's hypervisor, stopped at its first instruction: {GUEST.relative_to(ROOT)}")
        run = ["run", str(GUEST.relative_to(ROOT)), "--memory", "256M", "--gdb", address, "--wait", "--console", str(log)]
        console.print(Text(f"$ gdbhv {' '.join(run)} &".replace(folder, "..."), style="green"))
        with started(run, cwd=ROOT) as server:
            tour(address)
            server.wait(timeout=30)
        say("8. What the guest printed, and how it ended")
        lines(log.read_text(), 8)
        lines(server.err[-1])
        seconds = time.perf_counter() - begun
        console.print(f"\nThe whole tour took {seconds:.1f} s; {Path(__file__).relative_to(ROOT)} is the script.")
        return server.process.returncode


def tour(address: str) -> None:
    """What a debugging session looks like."""
    say("2. Stock gdb-multiarch attaches, by script (pygdbmi)")
    with GdbSession(address, str(GUEST)) as session:
        command("info threads")
        for t in session.threads():
            console.print(f"  {t.number}  {t.target_id}  {t.name}  ({t.details})")
        say("3. Break on three classes of VM exits; each stop comes before the hypervisor's handler")
        for spec in ("hvc nr=0x84000000", "sysreg dir=w reg=ACTLR_EL1", "dabt.trans.s1ptw"):
            monitor(session, f"vmexit catch {spec}")
        for kind in ("hvc", "sysreg.write:ACTLR_EL1"):
            command("continue")
            stopped(session.cont(on=kind))
        monitor(session, "vmexit delete 1")
        command("continue")
        stopped(session.cont(on="dabt.trans"))
        monitor(session, "vmexit last")
        say("4. That address through both stages: the stage 1 table lies in memory that stage 2 does not map yet")
        monitor(session, "walk 0xc0000000")
        say("5. Stage 2, as it is now; step one instruction (the hypervisor maps the page); and walk again")
        monitor(session, "s2 dump")
        command("stepi")
        stopped(session.step_instruction())
        monitor(session, "walk 0xc0000000")
        say("6. System registers by name, with their fields: why did that exit?")
        monitor(session, "sysreg HCR_EL2")
        monitor(session, "sysreg VTCR_EL2")
        command("backtrace")
        for f in session.backtrace():
            console.print(f"  #{f.level}  {f.pc:#x} in {f.function} at {f.file}:{f.line}")
        say("7. Let the guest finish; every exit was counted")
        monitor(session, "vmexit delete all")
        monitor(session, "vmexit stats")
        command("continue")
        stop = session.cont()
        if not stop.ended:
            raise GdbUnexpectedStop("the guest's end", stop)
        console.print(f"  the guest ended: {stop.reason}, code {stop.exit_code or 0}")


if __name__ == "__main__":
    sys.exit(main())
