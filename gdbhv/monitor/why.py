"""``why``: why the last exit was taken, whether something would exit, and the reasons that gdb does not show.

What gdb makes of a refused packet (seen with gdb 13.1 and 18.1):

* registers (P, G, g; p of one that there is not), a `monitor` command: the reason is shown;
* a step or a continue (vCont): the reason is shown as a warning, and the thread has stopped where it was;
* a hardware breakpoint (Z1): gdb 18 shows it, gdb 13 says "You may have requested too many";
* a watchpoint (Z2 to Z4): "You may have requested too many hardware breakpoints/watchpoints", whatever the reason is;
* memory (m, M, X) and a software breakpoint (Z0): "Cannot access memory at address ...", whatever the reason is.

A register that cannot be read (p) is `<unavailable>`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.monitor import addresses
from gdbhv.monitor.exits import last_record
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.queries.trapping import INSTRUCTIONS
from gdbhv.target import Space
from gdbhv.translation import Access
from gdbhv.views.disasm import disassemble
from gdbhv.views.why import why_access, why_exit, why_trial

# Instructions by name, with an operand of 0 and x0 (Arm ARM C6.2)
INSNS = {"fp" if " " in name else name: word for name, word in INSTRUCTIONS.items()}
MSR, MRS = 0xD5000000, 0xD5200000  # with op0 to op2 in bits 20 to 5, and x0


@command(
    "why",
    Arg("words", "an instruction (wfi, insn:0xd508871f), a system register, or an address", nargs="*"),
    JSON,
    help="why the thread exited, whether something would exit; and why gdb was refused what it asked for",
    more=lambda: [
        "Without words: the last exit in sentences, and what gdb was refused last, where it does not say so itself.",
        f"Instructions: {', '.join(INSNS)}, mrs REG, msr REG, and any other by its word: insn:0xd508871f.",
        "The machine itself executes the instruction at the thread's PC, and undoes it: what it says is what would happen.",
        "An address is one that is read, written or executed: `monitor why $sp`, `monitor why ipa:0x9000000`.",
    ],
)
def why(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Explain something that has happened, or would."""
    if args.words:
        yield from _would(context, " ".join(args.words), as_json=args.json)
        return
    refused = list(context.target.refused)
    if args.json:
        yield from to_json(refused)
        return
    said = []
    if context.selected is not None and "HCR_EL2" in context.target.registers:
        record = last_record(context)
        if record is not None:
            said = list(why_exit(record, str(context.thread)))
    yield from said
    yield from refused or ([] if said else ["nothing was refused"])


def _would(context: Context, text: str, *, as_json: bool) -> Iterator[str]:
    words = _words(text)
    if words:
        trials = [(disassemble(word, 0), _try(context, word)) for word in words]
        if as_json:
            yield from to_json([{"insn": insn, **trial} for insn, trial in trials])
        else:
            yield from (why_trial(insn, trial) for insn, trial in trials)
        return
    space, address = addresses.parse(context, text)
    if space is Space.PA:
        raise CommandError("a PA is not translated: an address of the guest's is needed, or ipa:ADDRESS")
    by = context.target.stage2(context.thread) if space is Space.IPA else context.target.translation(context.thread)
    accesses: tuple[Access, ...] = ("read", "write", "fetch")
    walks = {a: (by.walk_ipa if space is Space.IPA else by.walk)(address, a, checked=True) for a in accesses}
    if as_json:
        yield from to_json(walks)
    else:
        for access, walk in walks.items():
            yield why_access(f"a {access} of {space.value.upper()} {address:#x} in EL{by.el}", walk)


def _words(text: str) -> list[int]:
    """Return the instructions that ``text`` names, for a register MRS and MSR; none if it is an address."""
    name = text.strip()
    if match := re.fullmatch(r"insn:(\w+)", name):
        try:
            word = int(match[1], 0)
        except ValueError:
            word = -1
        if not 0 <= word < 1 << 32:
            raise CommandError(f"{name!r}: the word of an instruction is needed, e.g. insn:0xd503207f")
        return [word]
    if name.lower() in INSNS:
        return [INSNS[name.lower()]]
    registers = tables.registers()
    verb, _, rest = name.partition(" ")
    operation = verb.upper(), rest.strip().upper().split(",")[0]
    if operation[0] in ("MRS", "MSR"):
        if operation[1] not in registers:
            raise CommandError(f"no system register {operation[1]!r}; `monitor sysreg --group el1` lists those of EL1")
        return [(MRS if operation[0] == "MRS" else MSR) | registers[operation[1]].encoding << 5]
    if name.upper() in registers:
        code = registers[name.upper()].encoding << 5
        row = registers[name.upper()]
        return [*([MRS | code] if row.read is not None else []), *([MSR | code] if row.write is not None else [])]
    return []


def _try(context: Context, word: int) -> Any:
    target, thread = context.target, context.thread
    cpu = target.cpu_of(thread)
    if cpu is None:
        raise CommandError(f"{thread} is on no CPU now: an instruction is tried where a vCPU executes")
    try:
        return target.core.trial(cpu, word, True)
    except RuntimeError as e:
        raise CommandError(str(e)) from None
