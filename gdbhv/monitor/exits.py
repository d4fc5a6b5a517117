"""``vmexit``: catch, list, delete and explain VM exits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.exits import exitspec
from gdbhv.hv import hypercall
from gdbhv.monitor import looping
from gdbhv.monitor.possible import doubts, refuse_impossible
from gdbhv.monitor.registry import JSON, KEEP, KEPT, Arg, Context, command, to_json
from gdbhv.target import Target, ThreadId
from gdbhv.views.exits import exit_line, explain
from gdbhv.views.syndrome import iss_fields
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord
    from gdbhv.monitor.catchpoints import Catchpoint


_WHICH: list[tuple[str, str]] = [
    ("entry", "the entry after such an exit"),
    ("latency>N", f"the same, if it comes late: {exitspec.TIMES['latency']}"),
    ("away>N", f"the same: {exitspec.TIMES['away']}"),
    ("after N", "not the first N"),
    ("every=N", "each Nth of those that are left"),
    ("once", "only the first, and the catchpoint is gone"),
    ("if CONDITION", "those for which it is not 0"),
]


def vmid_name(target: Target, vmid: int) -> str:
    """Return the name of the VM with a VMID: the bare machine's VMs have none."""
    return target.vmid_name(vmid) or f"VMID {vmid}"


def numbered(target: Target) -> Callable[[int], str | None]:
    """Return what says the name of a VM of a hypervisor in the machine, by its number; None: it is none."""
    names = {} if target.hosted else {vm.number: f"{vm.name} (VMID {vm.vmid})" for vm in target.vms()}
    return names.get


def install(target: Target) -> None:
    """Have stops at exits, and exceptions without end, described in one line."""

    def describe(thread: ThreadId, record: ExitRecord) -> str:
        said = line(target, thread, record)
        return said if target.hosted else f"{said}; now at EL2's vector, the guest is in `monitor frame guest`"

    target.describe = describe
    target.looping.describe = partial(looping.describe, target)


def line(target: Target, thread: ThreadId, record: ExitRecord) -> str:
    """Return one exit in one line, with the names of what the target knows."""
    call = hypercall.text(record["args"]) if record["class"] in exitspec.CALLS else None
    return exit_line(record, lambda ipa: target.place(thread.pid, ipa), call)


@command(
    "vmexit catch",
    Arg("spec", "exit class and filters: dabt.trans.w ipa=0x9000000-0x9000fff", nargs="+", free=("if", "do")),
    KEEP,
    help="stop at VM exits, or log, count or act on them",
    about="VM exits",
    words=exitspec.completions,
    more=lambda: [
        *table(("class", "number", "KVM", "what"), [_row(c) for c in tables.exit_classes().values()]),
        *table(("never here", "EC", "KVM", "what, and why not"), [_absent(a) for a in tables.exit_absent().values()]),
        *table(("before it", "no exits, and not counted as such"), [(f"{o[0]}.", o[1]) for o in tables.exit_origins()]),
        *table(("filter", "what it compares"), [(f"{k}=", v) for k, v in _filters()]),
        *table(("then", "which of them"), _WHICH),
        *table(("do", "what happens"), list(exitspec.ACTIONS.items())),
        *table(("in conditions", "of the exit"), tables.exit_fields()),
        "Also iss.FIELD, registers ($x0, $ESR_EL1, $HCR_EL2.TWI), memory by VA (u8 to u64), ipa_u32, pa_u32, symbols, and",
        "C's operators, on numbers of 64 bits without a sign: dabt if u32($x0 + 8) == 7 && iss.WnR",
        "A class may have sub-reasons and an argument (dabt.perm.w, sysreg.write:SCTLR_EL1, hvc:0x0), and shell patterns.",
        "gdb's own `catch syscall NUMBER` stops at a class too, as an event that its scripts understand.",
    ],
)
def catch(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Stop before the handler of every exit that the specification matches."""
    target = context.target
    symbols = target.symbols(context.selected)[0] if context.selected is not None else {}
    spec = exitspec.parse(" ".join(args.spec), symbols)
    vm = None if spec.vm is None else context.vm(spec.vm).number
    refuse_impossible(target, spec)
    point = context.catchpoints.add(spec, keep=args.keep)
    key = "vmexit", point.number
    target.catchers[key] = spec.catcher(vm, point.number)
    point.since = target.catchers.since(key)
    yield f"catchpoint {point.number}: {spec.text}{KEPT if args.keep else ''}"
    yield from doubts(target, spec)


def _filters() -> list[tuple[str, str]]:
    return [*exitspec.FILTERS.items(), (exitspec.VM, "name or number of the VM (`monitor vms`)")]


def _absent(a: Any) -> tuple[str, str, str, str]:
    return a["name"], f"{a['ec']:#04x}", a["kvm"], f"{a['what']}: {a['why']}"


def _row(c: Any) -> tuple[str, str, str, str]:
    return c["name"], f"{c['number']:#x}", c["kvm"], c["what"]


@command("vmexit list", JSON, help="the catchpoints, and how often each was hit", about="VM exits")
def list_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """List the catchpoints set by `vmexit catch`."""
    rows = [(p, *_counts(context, p.number)) for p in context.catchpoints.rows.values()]
    if args.json:
        yield from to_json(
            [
                {"number": p.number, "spec": p.spec.text, "hits": hits, "failed": failed, "keep": p.keep}
                for p, hits, failed in rows
            ]
        )
    elif not rows:
        yield "no catchpoints; `monitor vmexit catch SPEC` sets one"
    else:
        shown = [(p.number, hits, f"{p.spec.text}{KEPT * p.keep}{_without(n)}{_since(context, p)}") for p, hits, n in rows]
        yield from table(("number", "hits", "exits"), shown, "rr")


def _counts(context: Context, number: int) -> tuple[int, int]:
    """Return how often a catchpoint was hit, and how often its condition had no value. One that is over is let go of."""
    if ("vmexit", number) not in context.target.catchers:
        return 1, 0  # `once`
    return context.target.catchers.counts(("vmexit", number))


def _since(context: Context, point: Catchpoint) -> str:
    """Return since when a catchpoint counts, if it is not since it was set: in the past before that."""
    key = ("vmexit", point.number)
    since = context.target.catchers.since(key) if key in context.target.catchers else point.since
    return "" if since == point.since else f" (counted from instruction {since:,} on: it was set later)"


def _without(failed: int) -> str:
    return f" ({failed:,} times the condition had no value)" if failed else ""


@command(
    "vmexit delete", Arg("number", "number of a catchpoint, or all"), help="delete a catchpoint, or all", about="VM exits"
)
def delete(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Delete by number."""
    points = context.catchpoints.rows
    wanted = list(points) if args.number == "all" else [int(args.number)] if args.number.isdecimal() else []
    if not points:
        raise CommandError("there are no catchpoints; `monitor vmexit catch SPEC` sets one")
    if args.number != "all" and (not wanted or wanted[0] not in points):
        raise CommandError(f"no catchpoint {args.number!r}; there are {', '.join(map(str, points))}")
    for number in wanted:
        del points[number]
        context.target.catchers.pop(("vmexit", number), None)
    yield f"deleted {len(wanted)}"


@command("vmexit last", JSON, help="explain the last exit of the thread", about="VM exits")
def last(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show the record of the last exit, with ESR_EL2 decoded."""
    record = last_record(context)
    if record is None:
        raise CommandError(f"thread {context.thread} has had no exit yet")
    if args.json:
        yield from to_json({**record, "syndrome": tables.decode("ESR_EL2", record["esr"]), "iss": iss_fields(record)})
        return
    yield line(context.target, context.thread, record)
    yield from explain(record)


def last_record(context: Context) -> ExitRecord | None:
    """Return the last exit of the selected vCPU, or CPU."""
    return context.target.last_exit(context.thread)
