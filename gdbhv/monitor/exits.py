"""``vmexit``: catch, list, delete, count and explain VM exits."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from gdbhv import exitspec, tables
from gdbhv.errors import CommandError
from gdbhv.hv import hypercall
from gdbhv.hv.target import HostTarget
from gdbhv.machine import Catcher
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.target import ThreadId
from gdbhv.views.exits import exit_line, stats_table
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv._core import ExitRecord
    from gdbhv.monitor.registry import DebugTarget


@dataclass
class Catchpoint:
    """A row of ``vmexit list``."""

    number: int
    spec: exitspec.ExitSpec
    hits: int = 0


@dataclass
class Catchpoints:
    """The catchpoints of one target that monitor commands have set."""

    rows: dict[int, Catchpoint] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


_CATCHPOINTS: dict[int, Catchpoints] = {}


def catchpoints(target: DebugTarget) -> Catchpoints:
    """Return the catchpoints of a target."""
    return _CATCHPOINTS.setdefault(id(target), Catchpoints())


def vm_name(target: DebugTarget, pid: int) -> str:
    """Return the name of a VM."""
    if isinstance(target, HostTarget):
        return target.vm(pid).name if 1 <= pid <= len(target.host.vms) else str(pid)
    return "machine" if pid == target.PID else f"VMID {pid}"


def install(target: DebugTarget) -> None:
    """Have stops at exits described in one line."""

    def describe(thread: ThreadId, record: ExitRecord) -> str:
        return line(target, thread, record)

    target.describe = describe


def line(target: DebugTarget, thread: ThreadId | None, record: ExitRecord) -> str:
    """Return one exit in one line, with the names of what the target knows."""

    def place(ipa: int) -> str | None:
        if not isinstance(target, HostTarget) or thread is None:
            return None
        vm = target.vm(thread.pid)
        found = vm.device(ipa)
        if found is not None:
            return f"{found[0].name}+{found[1]:#x}"
        return "memory" if vm.slot(ipa) else "nothing there"

    call = hypercall.name_of(record["args"][0] & 0xFFFFFFFF) if record["number"] in (0x1016, 0x1017) else None
    return exit_line(record, place, call)


@command(
    "vmexit catch",
    Arg("spec", "exit class and filters: dabt.trans.w ipa=0x9000000-0x9000fff", nargs="+"),
    help="stop at VM exits",
)
def catch(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Stop before the handler of every exit that the specification matches."""
    spec = exitspec.parse(" ".join(args.spec))
    target, points = context.target, catchpoints(context.target)
    point = Catchpoint(next(points.numbers), spec)

    def wants(thread: ThreadId, record: ExitRecord) -> bool:
        hit = spec.matches(record, vm_name(target, thread.pid), thread.pid)
        point.hits += hit
        return hit

    points.rows[point.number] = point
    target.catchers["vmexit", point.number] = Catcher(wants, spec.classes)
    yield f"catchpoint {point.number}: {spec.text}"


@command("vmexit list", JSON, help="the catchpoints, and how often each was hit")
def list_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """The catchpoints set by `vmexit catch`."""
    rows = catchpoints(context.target).rows.values()
    if args.json:
        yield from to_json([{"number": p.number, "spec": p.spec.text, "hits": p.hits} for p in rows])
    elif not rows:
        yield "no catchpoints; `monitor vmexit catch SPEC` sets one"
    else:
        yield from table(("number", "hits", "exits"), [(p.number, p.hits, p.spec.text) for p in rows], "rr")


@command("vmexit delete", Arg("number", "number of a catchpoint, or all"), help="delete a catchpoint, or all")
def delete(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Delete by number."""
    points = catchpoints(context.target).rows
    wanted = list(points) if args.number == "all" else [int(args.number)] if args.number.isdigit() else []
    if args.number != "all" and (not wanted or wanted[0] not in points):
        raise CommandError(f"no catchpoint {args.number!r}; there are {', '.join(map(str, points)) or 'none'}")
    for number in wanted:
        del points[number]
        context.target.catchers.pop(("vmexit", number), None)
    yield f"deleted {len(wanted)}"


@command(
    "vmexit stats",
    Arg("--clear", "forget the counts afterwards", flag=True),
    JSON,
    help="count the exits so far, by kind and VM",
)
def stats(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """How many exits of each kind there were."""
    machine = context.target.machine if isinstance(context.target, HostTarget) else context.target.core
    counts = machine.exit_counts()
    if args.json:
        keys = ("vmid", "number", "name", "count")
        yield from to_json({"exits": sum(c[3] for c in counts), "counts": [dict(zip(keys, c, strict=True)) for c in counts]})
    else:
        yield from stats_table(counts, lambda vmid: vm_name(context.target, vmid))
    if args.clear:
        machine.clear_exit_counts()


@command("vmexit last", JSON, help="explain the last exit of the thread")
def last(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """The record of the last exit, with ESR_EL2 decoded."""
    record = last_record(context)
    if record is None:
        raise CommandError("no exit yet")
    document: dict[str, Any] = {**record, "syndrome": tables.decode("ESR_EL2", record["esr"])}
    if args.json:
        yield from to_json(document)
        return
    yield line(context.target, context.thread, record)
    where = f"on CPU {record['cpu']}, VMID {record['vmid']}"
    yield f"number {record['seq']}, class {record['number']:#x} ({record['class']}), at {record['now']} ns {where}"
    fields = " ".join(f"{k}={v:#x}" for k, v in document["syndrome"].items())
    yield f"ESR_EL2 {record['esr']:#018x}  {fields}"
    if record["far"] is not None:
        yield f"FAR_EL2 {record['far']:#x}"
    if record["ipa"] is not None:
        yield f"IPA {record['ipa']:#x}  HPFAR_EL2 {'has it' if record['hpfar_valid'] else 'is not valid for this fault'}"
    yield f"SPSR_EL2 {record['spsr']:#x}"


def last_record(context: Context) -> ExitRecord | None:
    """Return the last exit of the selected thread."""
    if isinstance(context.target, HostTarget):
        return context.target.vcpu(context.thread).last_exit
    return context.target.core.exit_record(context.thread.tid - 1)
