"""``watch``: stop at accesses by IPA or PA, whatever the virtual address: memory under every alias, and devices."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Literal

from gdbhv import _core
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.monitor import addresses
from gdbhv.monitor.catchpoints import ACCESSES, Watch, Watches, refuse_more
from gdbhv.monitor.registry import JSON, KEEP, KEPT, VMID, Arg, Context, command, to_json
from gdbhv.target import Space, Stop, StopKind, Target, ThreadId
from gdbhv.views.disasm import disassemble
from gdbhv.views.table import table

ADDRESS_BITS = 52  # FEAT_LPA
_RANGE = re.compile(r"(ipa|pa):([^-]+)(?:-(.+))?")
_SPACES = {StopKind.WATCH_IPA: "ipa", StopKind.WATCH_PA: "pa"}


@command(
    "watch",
    Arg("what", "ipa:FIRST-LAST or pa:FIRST-LAST (of bytes; without LAST 4 of them); or list, or delete", nargs="?"),
    Arg("how", "r, w or rw (default: rw); for delete: a number, or all", nargs="?"),
    VMID,
    KEEP,
    JSON,
    help="stop at accesses to memory and devices by IPA or PA",
    more=lambda: [
        "watch ipa:0x9000000-0x9000fff w   stop before the VM of the thread writes there, by whatever virtual address",
        "watch pa:0x40000000 r             stop before anybody reads it",
        "watch list, watch delete 1        see them, take one away",
        "gdb's own `watch`, `rwatch` and `awatch` are by virtual address. What the MMU does to tables is no access.",
    ],
)
def watch(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Set, list or delete."""
    if args.what in (None, "list"):
        yield from _list(context.watches, json=args.json)
    elif args.what == "delete":
        yield from _delete(context, args.how)
    else:
        yield _set(context, args, args.how or "rw")


def _set(context: Context, args: argparse.Namespace, access: str) -> str:
    what = str(args.what)
    match = _RANGE.fullmatch(what)
    if match is None:
        raise CommandError(
            f"{what!r} is no range: ipa:FIRST-LAST or pa:FIRST-LAST (gdb's own `watch` takes virtual addresses)"
        )
    if access not in ACCESSES:
        raise CommandError(f"{access!r} is no kind of access: {', '.join(ACCESSES)}")
    _, first = addresses.parse(context, match[2])
    last = addresses.parse(context, match[3])[1] if match[3] else first + 3
    if last < first:
        raise CommandError(f"{what}: the last byte is before the first")
    if last >> ADDRESS_BITS:
        raise CommandError(f"{what}: the last byte is at {last:#x}, and an IPA or PA has {ADDRESS_BITS} bits")
    space: Literal["ipa", "pa"] = "ipa" if match[1] == "ipa" else "pa"
    vmid = None
    if space == "pa":
        _check_reachable(context, first, last)
    else:
        vm = context.stage2(args)
        if not vm.regime["stage2"]:
            raise CommandError(vm.no_stage2())
        vmid = vm.vmid
    row = add(context, space, first, last, access, vmid=vmid, keep=args.keep)
    return f"watch {row.number}: {row}{_of(row)}"


def add(
    context: Context,
    space: Literal["ipa", "pa"],
    first: int,
    last: int,
    access: str,
    *,
    vmid: int | None = None,
    keep: bool = False,
) -> Watch:
    """Watch bytes ``first`` to ``last``. :raises gdbhv.errors.CommandError: there are too many watches already."""
    refuse_more(len(context.watches.rows), "watches; `monitor watch delete`")
    row = Watch(next(context.watches.numbers), space, first, last, access, vmid, keep)
    row.insert(context.core)
    context.watches.rows[row.number] = row
    context.target.describe_watch = lambda stop, write: _describe(context.target, context.watches, stop, write=write)
    return row


def _check_reachable(context: Context, first: int, last: int) -> None:
    """Refuse a range that no access can reach. :raises gdbhv.errors.CommandError: it is such a range."""
    base, size = context.core.ram
    there = [(base, size)]
    hosted = context.target.hosted
    if not hosted:  # a hosted VM's devices are not devices of the machine
        there += [(row["base"], row["size"]) for row in _core.board(context.core.gic()["version"])]
    if not any(first < start + length and start <= last for start, length in there):
        why = "hosted VMs have their devices at IPAs: say ipa:" if hosted else "neither memory nor a device is there"
        raise CommandError(f"pa:{first:#x}-{last:#x} is never accessed: {why}")


def _of(row: Watch) -> str:
    return ("" if row.vmid is None else f" of VMID {row.vmid}") + (KEPT if row.keep else "")


def _list(watches: Watches, *, json: bool) -> Iterator[str]:
    rows = watches.rows.values()
    if json:
        keys = ("number", "space", "first", "last", "access", "vmid", "keep", "hits")
        yield from to_json([{key: getattr(row, key) for key in keys} for row in rows])
    elif not rows:
        yield "nothing is watched; `monitor watch pa:FIRST-LAST rw` sets a watch"
    else:
        yield from table(("number", "hits", "what"), [(row.number, row.hits, f"{row}{_of(row)}") for row in rows], "rr")


def _delete(context: Context, which: str | None) -> Iterator[str]:
    rows = context.watches.rows
    numbers = list(rows) if which == "all" else [int(which)] if which is not None and which.isdecimal() else []
    if which != "all" and (not numbers or numbers[0] not in rows):
        raise CommandError(f"no watch {which!r}; there are {', '.join(map(str, rows)) or 'none'}")
    context.watches.delete(context.core, numbers)
    yield f"deleted {len(numbers)}"


def _describe(target: Target, watches: Watches, stop: Stop, *, write: bool) -> str:
    """Return one line about a stop; the rows that it fits count it."""
    space, at = _SPACES[stop.kind], stop.address or 0
    hit = [
        row
        for row in watches.rows.values()
        if row.space == space and row.first <= at <= row.last and ACCESSES[row.access][write]
    ]
    for row in hit:
        row.hits += 1
    numbers = ", ".join(str(row.number) for row in hit)
    verb = "write to" if write else "read of"
    return f"watch {numbers}: {verb} {space.upper()} {at:#x}{_place(target, stop, at)}; {instruction(target, stop.thread)}"


def _place(target: Target, stop: Stop, at: int) -> str:
    """Return what is at an address: " (pl011+0x24)"; nothing for memory."""
    found = target.device_at(stop.thread.pid, at, Space(_SPACES[stop.kind]))
    return f" ({found[0]}+{found[1]:#x})" if found else ""


def instruction(target: Target, thread: ThreadId) -> str:
    """Return what a thread executes next, and where."""
    pc = target.read_register(thread, "pc")
    try:
        word = int.from_bytes(target.read_memory(thread, pc, 4, Space.VA), "little")
    except GdbhvError:
        return f"at {pc:#x}"
    return f"{disassemble(word, pc)} at {pc:#x}"
