#!/usr/bin/env python3
"""A tour of the type-1 hypervisor in guests/type1/: each kind of exit, the first time that it happens, as gdbhv shows it.

Attaches stock gdb to the machine, whose EL2 the hypervisor owns, and stops at its vectors, before it has done anything about
the exit. What is printed is the same every time. It is read with guests/type1/ beside it, which says what to read first.

    scripts/sessions/type1_tour.py            three vCPUs on one CPU
    scripts/sessions/type1_tour.py --smp 2    on two: vCPUs move, and CPUs interrupt each other
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from gdbhv import GdbError, GdbhvError, GdbSession, GdbStop, GdbUnexpectedStop, launch

IMAGE = Path(__file__).resolve().parents[2] / "guests" / "prebuilt" / "type1.elf"
NAMES = {1: "alpha", 2: "beta"}  # of the VMs, by VMID: type1.c
VCPU = "((struct vcpu *) $tpidr_el2)"  # whose registers the CPU has: start.S
EL0_ALIAS = 1 << 30  # the bit of an address by which EL0 has the program: guest.S
WIDTH = 116


@dataclass
class Lesson:
    """A kind of exit: ``exit`` as `monitor vmexit catch` takes it, which function of the hypervisor's handles it, what there
    is to say, and monitor commands that show more; {vm} is the VM's name.
    """

    exit: str
    handler: str
    words: str
    show: tuple[str, ...] = ()


LESSONS = [
    Lesson(
        "iabt.trans.l1",
        "stage2_memory",
        "The guest's first instruction. Stage 2 is empty: a page is put there, and the guest tries again.",
        ("sysreg VTTBR_EL2.VMID", "s2 dump vm:{vm}"),
    ),
    Lesson(
        "iabt.trans.s1ptw",
        "stage2_memory",
        "The guest has switched its MMU on. Its table is memory too, and not there yet: the walk of stage 1 faults.",
        ("walk --el 1 --fetch $far_el2", "s2 dump vm:{vm}"),
    ),
    Lesson(
        "dabt.trans.w.noisv",
        "stage2_memory",
        "Its stack. The syndrome of an STP does not tell the instruction (ISV = 0); memory on demand needs none.",
    ),
    Lesson(
        "dabt.trans.w ipa=0x09000000",
        "uart_access",
        "The UART is no memory and stays unmapped. The syndrome tells the store: the hypervisor does it.",
        ("vmexit last", "walk --el 1 $far_el2"),
    ),
    Lesson(
        "irq.spi33",
        "uart_interrupt",
        "The board's UART has sent the line. The guest gets interrupt 33 from its own, by a list register; "
        "the one exit of its handler is a store to that UART:",
    ),
    Lesson(
        "irq.ppi27",
        "vgic_post",
        "The guest's timer. The guest gets an interrupt of its own, and handles it without the hypervisor:",
    ),
    Lesson(
        "irq.ppi26",
        "vcpu_choose",
        "The timer of EL2. The slice is over, and the next vCPU has its turn. Who is where:",
        ("vms", "vcpus"),
    ),
    Lesson(
        "wfx.wfi", "synchronous", "Nothing to do until an interrupt: the vCPU idles, and another one has the CPU meanwhile."
    ),
    Lesson("hvc nr=0x84000000", "hypercall", "PSCI_VERSION. The hypervisor is its guests' firmware."),
    Lesson("hvc nr=0xc4000003", "vcpu_on", "CPU_ON, of PSCI. The guest starts its second vCPU."),
    Lesson("hvc nr=0xc6000000", "hypercall", "A call of the hypervisor's own. It rings the other guest's bell."),
    Lesson(
        "sysreg.read",
        "system_register",
        "What a guest knows of its processor is what it is told. HCR_EL2 says which accesses come here:",
        ("sysreg HCR_EL2",),
    ),
    Lesson("sysreg.write", "system_register", "An interrupt for another vCPU. Only the hypervisor knows where that is:"),
    Lesson("irq.sgi0", "gic_interrupts", "One CPU interrupts the other: there is something for its vCPU."),
    Lesson(
        "dabt.trans.w ipa=0x0b000000",
        "inject_abort",
        "Nothing is there. The guest gets an external abort, as from a bus:",
    ),
    Lesson("dabt.perm.w", "inject_abort", "The program is mapped into both guests, and read-only. The same answer:"),
    Lesson("hvc nr=0x84000008", "system_off", "SYSTEM_OFF, of PSCI. This VM is off; with the last one the board is."),
]


class Tour:
    """A run from the first instruction to the end; ``turns`` has which vCPU got which CPU, in order."""

    def __init__(self, gdb: GdbSession) -> None:
        self.gdb = gdb
        for lesson in LESSONS:
            gdb.catch_exit(lesson.exit)
        points = gdb.monitor_json("vmexit list --json")
        self.awaited = {point["number"]: lesson for point, lesson in zip(points, LESSONS, strict=True)}
        self.steps = itertools.count(1)
        self.turns: list[str] = []
        gdb.monitor("break-in any")  # the guests' functions are in the hypervisor's ELF, and so in its process
        self.enter = gdb.break_at("enter")  # vcpu.c: a vCPU gets a CPU
        self.at_el1 = gdb.break_at("*guest_synchronous")  # guest.c: an exception that EL1 handles

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
            cpu = self.cpu()
            self.turns.append(f"{NAMES[vmid]}.{number} cpu{cpu}{'*' if before not in (-1, cpu) else ''}")
        return stop

    def expect(self, point: int) -> None:
        """Go on to a breakpoint. :raises gdbhv.GdbUnexpectedStop: something else comes first."""
        if (stop := self.next_stop()).breakpoint != point:
            raise GdbUnexpectedStop(f"breakpoint {point}", stop)

    def explain(self) -> None:
        """Explain the exit that the CPU stands at, and await it no more."""
        number = next(p["number"] for p in self.gdb.monitor_json("vmexit list --json") if p["hits"])
        lesson = self.awaited.pop(number)
        self.gdb.monitor(f"vmexit delete {number}")
        record = self.gdb.monitor_json("vmexit last --json")
        self.head(f"Exit {record['name']} of {self.vcpu()} in {self.function(record['pc'])}", lesson.words)
        if "vmexit last" not in lesson.show:
            print(f"   {self.gdb.monitor('vmexit last').splitlines()[0]}")
        found = self.gdb.execute(f"info functions ^{lesson.handler}$")
        file, line = re.findall(r"^File (.*):\n(\d+):", found, re.MULTILINE)[0]
        print(f"   handled by {lesson.handler}(), {file}:{line}")
        self.name_vms()
        for command in lesson.show:
            self.show(command.format(vm=NAMES[record["vmid"]]))
        if lesson.exit in ("irq.spi33", "irq.ppi27"):
            self.own_interrupt()
        if lesson.exit == "sysreg.write":
            self.as_processes()

    def name_vms(self) -> None:
        """Name those of the VMs that gdbhv has found which have no name yet."""
        for vm in self.gdb.monitor_json("vms --json"):
            if vm["name"] not in NAMES.values():
                self.show(f"vm name {vm['number']} {NAMES[vm['vmid']]}")

    def own_interrupt(self) -> None:
        """Show the guest's list registers at its handler and behind it, and that no exit came between."""
        handler = self.gdb.break_at("*guest_interrupt")
        self.expect(handler)
        before = self.list_registers()
        exits = self.until_return()
        print(f"   guest_interrupt() of {self.vcpu()} begins with {before},")
        print(f"   and ends with {self.list_registers()}; exits between: {exits}")
        self.gdb.delete(handler)

    def handled_at_el1(self) -> None:
        """Say what EL1 handles, and whether the hypervisor had a hand in it."""
        syndrome = self.gdb.monitor("sysreg ESR_EL1").splitlines()[0].split("  ")[-1].strip()
        elr = self.gdb.read_register("elr_el1")
        if self.gdb.monitor_json("vmexit last --json")["pc"] == elr:
            print(f"   ESR_EL1 {syndrome}: the guest's EL1 handles what was injected")
        else:
            function, exits = self.function(elr), self.until_return()
            kind = syndrome.partition("EC=")[2]
            self.head(
                f"No exit: {kind} of {self.vcpu()} in {function}",
                "From the guest to the guest's EL1, which handles it alone:",
            )
            print(f"   ESR_EL1 {syndrome}; exits meanwhile: {exits}")

    def until_return(self) -> int:
        """Go on from a handler's first instruction until it returns; return how often the vCPU exited meanwhile."""
        before = self.exits()
        after = self.gdb.break_at(self.gdb.read_register("x30"))
        self.expect(after)
        self.gdb.delete(after)
        return self.exits() - before

    def as_processes(self) -> None:
        """Make the VMs processes of gdb's, look at their threads, the vCPUs, and let them go again."""
        thread = self.cpu() + 1
        print("   To gdb each VM is a process, and each vCPU a thread, whether a CPU has it or not:")
        numbers = [vm["number"] for vm in self.gdb.monitor_json("vms --json")]
        for number in numbers:
            for command in ("clone-inferior 1", f"inferior {number}", f"attach {number}"):
                self.gdb.execute(command)
                self.type(command, "")
        self.type("info threads", self.gdb.execute("info threads"))
        self.gdb.execute("thread 2.1")
        self.type("thread 2.1", "")
        self.type("backtrace", self.gdb.execute("backtrace"))
        others = " ".join(map(str, numbers))
        for command in ("inferior 1", f"detach inferiors {others}", f"remove-inferiors {others}", f"thread {thread}"):
            self.gdb.execute(command)

    def sum_up(self) -> None:
        """Print the turns, both stage 2s, and how many exits of each kind there were."""
        self.head("Whose turn it was, on which CPU", "With a star: the vCPU has moved from another one.")
        print(textwrap.fill(", ".join(self.turns), WIDTH, initial_indent="   ", subsequent_indent="   "))
        self.show("vms")
        self.head("Stage 2 of both", "The program is at one PA in both guests, and their data at different ones.")
        for name in NAMES.values():
            self.show(f"s2 dump vm:{name}")
        self.head(
            "All exits", "None is for an SVC, a fault of stage 1, an undefined instruction, or the end of an interrupt."
        )
        self.show("vmexit stats")

    def head(self, what: str, words: str) -> None:
        """Begin a step."""
        print(f"\n{next(self.steps)}. {what}")
        print(textwrap.fill(words, WIDTH, initial_indent="   ", subsequent_indent="   "))

    def show(self, command: str) -> None:
        """Type a monitor command and print its answer."""
        self.type(f"monitor {command}", self.gdb.monitor(command))

    def type(self, command: str, answer: str) -> None:
        """Print a command and what gdb answered."""
        print(f"   (gdb) {command}")
        if answer.strip():
            print(textwrap.indent(answer.strip("\n"), "     "))

    def vcpu(self) -> str:
        """Return the vCPU whose registers the CPU has."""
        vmid, number = self.gdb.read_register("vttbr_el2") >> 48, self.gdb.read_register("vmpidr_el2") & 0xFF
        return f"{NAMES[vmid]}.{number}"

    def cpu(self) -> int:
        """Return the number of the CPU that has stopped: gdb's threads count from 1."""
        return int(self.gdb.evaluate("$_thread")) - 1

    def exits(self) -> int:
        """Return how often the vCPU on this CPU has exited so far."""
        vcpus = [vcpu for vm in self.gdb.monitor_json("vms --json") for vcpu in vm["vcpus"]]
        return int(next(vcpu["exits"] for vcpu in vcpus if vcpu["cpu"] == self.cpu()))

    def function(self, pc: int) -> str:
        """Return the name of a guest's function."""
        return self.gdb.execute(f"info symbol {pc & ~EL0_ALIAS:#x}").split()[0] + "()"

    def list_registers(self) -> str:
        """Return the interrupts in list registers of the selected CPU."""
        _, _, rest = self.gdb.monitor("gic").partition(f"cpu{self.cpu()}: ")
        rows = itertools.takewhile(lambda row: row.startswith("  "), rest.splitlines()[1:])
        return "; ".join(row.strip() for row in rows if row.startswith("  LR")) or "none"


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
