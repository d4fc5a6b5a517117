#!/usr/bin/env python3
"""A tour of the type-1 hypervisor in guests/type1/: each kind of exit, the first time that it happens, as gdbhv shows it.

Attaches stock gdb to the machine, whose EL2 the hypervisor owns, and stops at its vectors, before it has done anything about
the exit. What is printed is the same every time.

    scripts/sessions/type1_tour.py            three vCPUs on one CPU
    scripts/sessions/type1_tour.py --smp 2    on two: vCPUs move, and CPUs interrupt each other
"""

from __future__ import annotations

import argparse
import itertools
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from gdbhv import GdbError, GdbhvError, GdbSession, GdbStop, GdbUnexpectedStop, launch

IMAGE = Path(__file__).resolve().parents[2] / "guests" / "prebuilt" / "type1.elf"
VMS = {1: "alpha", 2: "beta"}  # by VMID
VCPU = "((struct vcpu *) $tpidr_el2)"  # whose registers the CPU has: start.S


@dataclass
class Lesson:
    """A kind of exit: ``exit`` as `monitor vmexit catch` takes it, what there is to say, and commands that show more."""

    exit: str
    words: str
    show: tuple[str, ...] = ()


LESSONS = [
    Lesson(
        "iabt.trans.l1",
        "its first instruction. Stage 2 is empty: the page is put there, and the guest tries again.",
        ("sysreg VTTBR_EL2.VMID", "s2 dump"),
    ),
    Lesson(
        "iabt.trans.s1ptw",
        "the MMU is on. Its table is memory too, and not there yet: it is the walk of stage 1 that faults.",
        ("walk --el 1 --fetch $far_el2",),
    ),
    Lesson(
        "dabt.trans.w.noisv", "its stack. The syndrome of an STP does not tell the instruction (ISV); memory needs none."
    ),
    Lesson(
        "dabt.trans.w ipa=0x09000000",
        "the UART is no memory and stays unmapped. The syndrome tells the store: the hypervisor does it.",
        ("vmexit last",),
    ),
    Lesson("irq.spi33", "the board's UART has sent the line. The guest will get its own interrupt 33."),
    Lesson("irq.ppi27", "the guest's timer. The guest gets an interrupt of its own, and handles it without us:"),
    Lesson("irq.ppi26", "the timer of EL2. The slice is over, and the next vCPU has its turn."),
    Lesson("wfx.wfi", "nothing to do until an interrupt. Another vCPU has the CPU meanwhile."),
    Lesson("hvc nr=0x84000000", "PSCI. The hypervisor is its guests' firmware."),
    Lesson("hvc nr=0xc4000003", "PSCI. It starts its second vCPU."),
    Lesson("hvc nr=0xc6000000", "a call of the hypervisor's own. It rings the other guest's bell."),
    Lesson("sysreg.read", "what a guest knows of its processor is what it is told.", ("sysreg HCR_EL2",)),
    Lesson("sysreg.write", "an interrupt for another vCPU. Only the hypervisor knows where that is."),
    Lesson("irq.sgi0", "one CPU interrupts the other. There is something for its vCPU."),
    Lesson("dabt.trans.w ipa=0x0b000000", "nothing is there. The guest gets an external abort, as from a bus:"),
    Lesson("dabt.perm.w", "the program is mapped into both guests, and read-only. The same answer:"),
]


class Tour:
    """A run from the first instruction to the end; ``turns`` has which vCPU got which CPU, in order."""

    def __init__(self, gdb: GdbSession) -> None:
        self.gdb = gdb
        for lesson in LESSONS:
            gdb.catch_exit(lesson.exit)
        points = gdb.monitor_json("vmexit list --json")
        self.awaited = {point["number"]: lesson for point, lesson in zip(points, LESSONS, strict=True)}
        self.seen = 0  # the exit that was explained last
        self.turns: list[str] = []
        gdb.monitor("break-in any")  # the guests' functions are in the hypervisor's ELF, and so in its process
        self.enter = gdb.break_at("enter")  # vcpu.c: a vCPU gets a CPU
        self.at_el1 = gdb.break_at("guest_synchronous")  # guest.c: an exception that EL1 handles

    def run(self) -> None:
        """Explain what comes, until alpha, the last, is off."""
        off = self.gdb.break_at("system_off", condition="vm->vmid == 1")
        while (stop := self.next_stop()).breakpoint != off:
            if stop.breakpoint == self.at_el1:
                self.handled_at_el1()
            elif stop.is_exit("*"):
                self.explain()
            else:
                raise GdbUnexpectedStop("an exit", stop)
        self.sum_up()

    def next_stop(self) -> GdbStop:
        """Go on, note whose turn it is, and return the next stop for anything else."""
        while (stop := self.gdb.cont()).breakpoint == self.enter:
            vmid, number, before = (int(self.gdb.evaluate(f"v->{m}")) for m in ("vm->vmid", "number", "last_cpu"))
            cpu = self.gdb.read_register("mpidr_el1") & 0xFF
            self.turns.append(f"{VMS[vmid]}.{number} cpu{cpu}{'*' if before not in (-1, cpu) else ''}")
        return stop

    def explain(self) -> None:
        """Explain the exit that the CPU stands at, and await it no more."""
        number = next(p["number"] for p in self.gdb.monitor_json("vmexit list --json") if p["hits"])
        lesson = self.awaited.pop(number)
        self.gdb.monitor(f"vmexit delete {number}")
        record = self.gdb.monitor_json("vmexit last --json")
        self.seen = record["seq"]
        place = self.gdb.execute(f"info symbol {record['pc']:#x}").split()[0]
        print("\n" + textwrap.fill(f"* {record['name']} of {self.vcpu()} in {place}(): {lesson.words}", 110))
        if "vmexit last" not in lesson.show:
            print(f"  {self.gdb.monitor('vmexit last').splitlines()[0]}")
        for command in lesson.show:
            self.show(command)
        if lesson.exit == "irq.ppi27":
            self.own_interrupt()

    def own_interrupt(self) -> None:
        """Show the guest's list registers at its handler and behind it, and that no exit came between."""
        handler = self.gdb.break_at("*guest_interrupt")
        self.expect(handler)
        before = self.list_registers()
        after = self.gdb.break_at(self.gdb.read_register("x30"))
        self.expect(after)
        exits = self.gdb.monitor_json("vmexit last --json")["seq"] - self.seen
        print(f"  guest_interrupt() begins with {before}, and ends with {self.list_registers()}; exits between: {exits}")
        self.gdb.delete(handler)
        self.gdb.delete(after)

    def expect(self, point: int) -> None:
        """Go on to a breakpoint. :raises gdbhv.GdbUnexpectedStop: something else comes first."""
        if (stop := self.next_stop()).breakpoint != point:
            raise GdbUnexpectedStop(f"breakpoint {point}", stop)

    def list_registers(self) -> str:
        """Return the interrupts in list registers of the selected CPU."""
        cpu = self.gdb.read_register("mpidr_el1") & 0xFF
        _, _, rest = self.gdb.monitor("gic").partition(f"cpu{cpu}: ")
        rows = rest.splitlines()[1:]
        found = [row.strip() for row in itertools.takewhile(lambda row: row.startswith("  "), rows) if row[:4] == "  LR"]
        return "; ".join(found) or "none"

    def handled_at_el1(self) -> None:
        """Say what EL1 handles, and whether the hypervisor had a hand in it."""
        syndrome = self.gdb.monitor("sysreg ESR_EL1").split("  ")[-1].strip()
        last = self.gdb.monitor_json("vmexit last --json")
        injected = last["pc"] == self.gdb.read_register("elr_el1")
        print(f"  EL1 handles {'what was injected' if injected else 'alone'}: ESR_EL1 {syndrome}")

    def vcpu(self) -> str:
        """Return the vCPU whose registers the CPU has."""
        vmid, number = (int(self.gdb.evaluate(f"{VCPU}->{member}")) for member in ("vm->vmid", "number"))
        return f"{VMS[vmid]}.{number}"

    def show(self, command: str) -> None:
        """Type a monitor command and print its answer."""
        print(f"  (gdb) monitor {command}")
        print(textwrap.indent(self.gdb.monitor(command).rstrip(), "    "))

    def sum_up(self) -> None:
        """Print the turns, both stage 2s, and how many exits of each kind there were."""
        print("\nWhose turn it was, on which CPU (*: the vCPU has moved):")
        print(textwrap.fill(", ".join(self.turns), 110, initial_indent="  ", subsequent_indent="  "))
        print("\nThe program is at one PA in both guests, and their data at different ones:")
        for vmid in VMS:
            self.show(f"s2 dump --vmid {vmid}")
        print("\nAll exits: none for an SVC, a fault of stage 1, an undefined instruction, or the end of an interrupt.")
        self.show("vmexit stats")


def main() -> int:
    """Run the session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smp", default="1", choices=("1", "2"), help="CPUs (default: 1)")
    options = parser.parse_args()
    try:
        with launch(IMAGE, "--el", "2", "--smp", options.smp) as gdb:
            Tour(gdb).run()
    except (GdbError, GdbhvError) as error:
        print(f"type1_tour.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
