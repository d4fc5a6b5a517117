"""``owner``: who sees a page of physical memory."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gdbhv.errors import GdbhvError
from gdbhv.monitor import addresses, dumping
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.queries import owners, tlb
from gdbhv.target import Space

LINES = 200  # of each address space


@command(
    "owner",
    Arg("address", f"pa:ADDRESS, ipa:ADDRESS or VA of the thread: {addresses.HELP}"),
    JSON,
    help="show who sees a page of physical memory: each VM and EL2, by IPA and VA",
)
def owner(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Search all tables that registers select, or selected at the last exit of a vCPU, and the TLBs."""
    space, where = addresses.parse(context, args.address)
    if space is Space.PA:
        pa = where
    elif space is Space.IPA:
        pa = context.target.stage2(context.thread).physical_ipa(where)
    else:
        pa = context.target.translation(context.thread).physical(where)
    rows: list[dict[str, Any]] = []
    cut: list[str] = []
    tables: list[str] = []
    if not args.json:
        yield f"PA {pa:#x}, {dumping.at(context.core, pa)}"
    for s in owners.stage2_spaces(context.target):
        if s is None:
            yield None
            continue
        _note(s, pa, tables, cut)
        inner = []
        for ipa, r in s.at(pa):
            memory = f"{r.attributes['memory']}, {r.attributes['shareability']}"
            rows.append({"vm": s.vm, "name": s.name, "ipa": ipa, "permission": s.permission(r), "memory": memory})
            inner.append(ipa)
            if not args.json:
                yield f"{s.name} (VMID {s.by.vmid}): IPA {ipa:#x}, {s.permission(r)} {memory}"
        if inner:
            flat = _flat(context, s.vm)
            rows += [{"vm": s.vm, "name": name, "va": ipa, "asid": None, "mmu": "off"} for name in flat for ipa in inner]
            if not args.json:
                yield from (f"  {name}, MMU off: VA {ipa:#x}" for name in flat for ipa in inner)
            yield from _stage1(context, rows, inner, s.vm, args)
    yield from _stage1(context, rows, [pa], None, args)
    held = []
    for n, c in enumerate(tlb.held(context.target, range(context.core.cpus))):
        if n % owners.PIECE == owners.PIECE - 1:
            yield None
        if c.stale and c.held["pa"] <= pa < c.held["pa"] + c.held["size"]:
            held.append(c)
    if args.json:
        stale = [{"cpu": c.cpu, "held": c.held, "tables": c.tables} for c in held]
        yield from to_json({"pa": pa, "seen": rows, "tables_of": tables, "tlb": stale, "not_all_looked_at": cut})
        return
    yield from (c.words() for c in held)
    yield from (f"the page holds tables of {name}" for name in tables)
    if not rows:
        yield "nobody sees it"
    yield from (
        f"only the first {owners.MOST:,} descriptors of {name} were looked at, or some are not in memory" for name in cut
    )


def _flat(context: Context, vm: int | None) -> list[str]:
    """Return the vCPUs of a VM whose stage 1 is off: VAs are IPAs to them."""
    pid = None if vm is None else context.target.thread_of_vm(vm).pid
    found = []
    for thread in (t for p in context.target.processes() if p.pid == pid for t in p.threads):
        try:
            by = context.target.translation(thread.id, 1)
        except GdbhvError:
            continue  # it has not run yet
        if not by.regime["stage1"]:
            found.append(by.place)
    return found


def _note(s: owners.Space, pa: int, tables: list[str], cut: list[str]) -> None:
    if pa & -owners.PAGE in s.tables and s.output == "PA":
        tables.append(f"{s.name}, stage 2" if s.kind == "IPA" else s.name)
    if not s.whole:
        cut.append(s.name)


def _stage1(
    context: Context, rows: list[dict[str, Any]], outputs: list[int], vm: int | None, args: argparse.Namespace
) -> Iterator[str | None]:
    """Look for addresses in the tables of stage 1."""
    for s in owners.stage1_spaces(context.target, vm):
        if s is None:
            yield None
            continue
        found = [(va, r) for output in outputs for va, r in s.at(output)]
        for va, r in found:
            memory = f"{r.attributes['memory']}, {r.attributes['shareability']}"
            row = {"vm": vm, "name": s.name, "va": va, "asid": s.asid, "permission": s.permission(r), "memory": memory}
            rows.append(row)
        if not args.json:
            indent = "  " if vm is not None else ""
            yield from (
                f"{indent}{s.name}: VA {va:#x}, {s.permission(r)} {r.attributes['memory']}" for va, r in found[:LINES]
            )
            if len(found) > LINES:
                yield f"{indent}{s.name}: {len(found) - LINES:,} more VAs"
