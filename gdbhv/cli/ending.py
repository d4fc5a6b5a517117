"""How a run ends: the exit status, and the messages about it."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gdbhv.cli.saying import say
from gdbhv.errors import MemoryError_
from gdbhv.tables import exception_level
from gdbhv.target import Stop, StopKind, Target, ThreadId

if TYPE_CHECKING:
    from gdbhv.exits.records import Compiled
    from gdbhv.recording import Outcome

# Exit statuses of `gdbhv run`; the names are in --stats json too.
STATUS = {
    StopKind.POWEROFF: (0, "poweroff", "the guest powered off"),
    StopKind.RESET: (3, "reset", "the guest asked for a reset"),
    StopKind.CRASH: (4, "stuck", "nothing can go on"),
    StopKind.BUDGET: (5, "max-insns", "the number of instructions asked for is reached"),
    StopKind.INTERRUPT: (130, "interrupted", "interrupted"),
}
HANGS = (StopKind.CRASH, StopKind.BUDGET)  # ends that are explained
BRANCH_TO_ITSELF = bytes((0, 0, 0, 0x14))
VECTORS, FROM_EL1 = 0x800, 0x200  # alignment of VBAR_EL1; offset of synchronous exceptions from EL1 (Arm ARM D1.3.1)
MISTAKES = 8  # --check has found some
DIFFERS = (7, "differs", "a replay differs from its recording")
KILLED = (6, "killed", "a debugger ended it")

# Instructions that are deliberately absent, and what to use instead.
ABSENT = {
    0xD45E0000: "hlt #0xf000 is a semihosting call: with --semihosting it is served (--el 2 or --bare)",
}


def tell_undefined(target: Target) -> None:
    """Report what the guest used that is not implemented, each thing once."""
    from gdbhv.views.disasm import disassemble

    for pc, word in target.core.undefined_seen():
        insn = disassemble(word, pc)
        without_el2 = "HCR_EL2" not in target.registers and re.search(r"_el2\b", insn)
        why = "is for EL2, and this machine has none (--el 2)" if without_el2 else "is not implemented"
        text = ABSENT.get(word) or f"{insn} {why}"
        say(f"{pc:#x}: {word:#010x} {text}: undefined to the guest")
    for text in target.take_unserved():
        say(text)


def tell_mistakes(target: Target, told: int) -> int:
    """Say what ``--check`` has found, from number ``told`` on; return how many that were."""
    if target.core.tlb_check is None:
        return 0
    from gdbhv.monitor.tlbcheck import findings

    found = findings(target, told)
    for text in found:
        say(text)
    return len(found)


def tell_reset(target: Target, stop: Stop) -> None:
    """Report that a guest was reset at its own request."""
    name = next(p.name for p in target.processes() if p.pid == stop.thread.pid)
    insns = sum(target.core.insns)
    say(f"{name}: the guest asked for a reset after {insns:,} instructions, and begins again")


def early_hang(options: argparse.Namespace, target: Target, stop: Stop | None) -> list[str]:
    """Give hints for an image that hangs before it has printed anything."""
    if not target.silent or stop is None or stop.kind is StopKind.POWEROFF:
        return []
    if options.el == 1 and options.snapshot is None and (line := no_vectors(target)):
        return [line]
    if target.hosted or options.cpu != "max":
        return []
    machine = target.core
    pc, level = machine.read_register(0, "pc"), exception_level(machine.read_register(0, "cpsr"))
    try:
        loops = target.read_memory(ThreadId(1, 1), pc, 4) == BRANCH_TO_ITSELF
    except MemoryError_:
        loops = True  # there is nothing to execute
    esr = machine.read_register(0, f"ESR_EL{max(level, 1)}")
    if not (loops or esr or machine.power(0) in ("wfi", "wfe")):
        return []
    syndrome = f", ESR_EL{max(level, 1)} {esr:#x}" if esr else ""
    where = f"the image has printed nothing, and CPU 0 is at {pc:#x} in EL{level}{syndrome}"
    return [
        f"{where}. If it does not know a CPU like max (52 bits of PA): --cpu cortex-a57 (44 bits); `gdbhv cpus` compares"
    ]


def no_vectors(target: Target) -> str | None:
    """Report a first vCPU that takes exceptions at EL1 where there is no code, as code for EL2 does at EL1."""
    thread = ThreadId(1, 1)
    pc, level = target.read_register(thread, "pc"), exception_level(target.read_register(thread, "cpsr"))
    if level != 1 or pc % VECTORS != FROM_EL1:
        return None
    try:
        if target.read_memory(thread, pc, 4) != bytes(4):
            return None
    except MemoryError_:
        pass  # no instruction is there
    where = f"the image has printed nothing, and takes exceptions at {pc:#x} in EL1, where no code is"
    return f"{where}. If it owns EL2, as a hypervisor does: --el 2"


def duration(seconds: float, insns: int | None) -> str:
    """Return how long a run took, and its speed if that is meaningful.

    :param insns: instructions executed; None if executing them took only a part of the time.
    """
    mips = 0 if insns is None or not seconds else insns / seconds / 1e6
    return f"{seconds:.2f} s, {mips:.0f} MIPS" if mips >= 1 else f"{seconds:.2f} s"


def compiled_line(compiled: Compiled, insns: int) -> str:
    """Return a line of what compiling has cost, and which share of all instructions was executed so."""
    share = 100 * compiled["executed"] / insns if insns else 0
    cost = f"{compiled['blocks']:,} blocks of {compiled['instructions']:,} instructions in {compiled['seconds']:.2f} s"
    return f"compiled: {cost}, {compiled['bytes'] / 1024:,.0f} KiB; {share:.1f}% of the instructions were executed so"


def exit_status(target: Target, stop: Stop | None, outcome: Outcome | None = None) -> int:
    """Return the exit status of a run, or of a replay with its outcome."""
    machine = target.core
    if machine.tlb_check is not None and machine.tlb_check["alarms"]:
        return MISTAKES
    if outcome is not None and outcome.same is not None:
        return 0 if outcome.same else DIFFERS[0]
    if stop is not None and stop.kind is StopKind.POWEROFF:
        return stop.code
    return KILLED[0] if stop is None else STATUS[stop.kind][0]


def report(
    options: argparse.Namespace,
    target: Target,
    stop: Stop | None,
    seconds: float,
    begun: int | None,
    outcome: Outcome | None = None,
) -> int:
    """Say why the run ended and after how many instructions; return the exit status.

    :param begun: instructions that had been executed when the run began; None if the run also waited for a person or for
        time to pass, so that its speed means nothing.
    :param outcome: of a replay.
    """
    _, name, what = KILLED if stop is None else STATUS[stop.kind]
    if outcome is not None and outcome.same is not None:
        _, name, what = (0, "the same", "") if outcome.same else DIFFERS
    status = exit_status(target, stop, outcome)
    machine = target.core
    insns = sum(machine.insns)
    if outcome is not None:
        stop = None if stop is None else replace(stop, text=outcome.text)
    text = stop.text if stop is not None and stop.text not in ("", name) else ""
    counts, further = machine.exit_counts(), machine.further_exits
    if options.stats == "json":
        from gdbhv.views.exits import stats_document

        document = {
            "end": name,
            "status": status,
            "text": text or what,
            "instructions": insns,
            "instructions_by_cpu": machine.insns,
            "virtual_ns": machine.now,
            "seconds": round(seconds, 3),
            "compiled": machine.compiled(),
            **stats_document(counts, further),
            **({} if machine.tlb_check is None else {"tlb_check": machine.tlb_check}),
        }
        print(json.dumps(document))
        return status
    if options.stats == "text":
        from gdbhv.monitor.exits import numbered, vmid_name
        from gdbhv.views.exits import stats_table

        for line in stats_table(counts, further, lambda vmid: vmid_name(target, vmid), numbered(target)):
            say(line, "")
        say(compiled_line(machine.compiled(), insns), "")
    took = duration(seconds, None if begun is None else insns - begun)
    if outcome is not None:
        say(f"{outcome.text} ({took})")
        return status
    for line in early_hang(options, target, stop):
        say(line)
    if stop is not None and stop.kind in HANGS:
        from gdbhv.monitor.doctor import lines

        for line in lines(target):
            say(line)
    if machine.tlb_check is not None:
        from gdbhv.monitor.tlbcheck import summary

        say(summary(target))
    say(f"{what}{': ' + text if text else ''} after {insns:,} instructions ({took})")
    return status
