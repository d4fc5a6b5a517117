"""``vm``: the VMs, those of gdbhv or those that a hypervisor in the machine has entered, and what they are called."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from gdbhv.exits.records import VmRecord
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.monitor.stage2 import mapped
from gdbhv.views.table import table


@command("vms", JSON, help="list the VMs that have run, whosever they are", about="stage 2")
def vms(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Yield a line for each: tables, VMID, vCPUs, exits, memory that stage 2 maps now, where or when it was last."""
    rows = []
    for vm in context.target.vms():
        memory = yield from mapped(context, context.target.thread_of_vm(vm.number))
        rows.append((vm, memory))
    if args.json:
        yield from to_json([{**asdict(vm), "exits": vm.exits, "ago": vm.ago, "mapped": memory} for vm, memory in rows])
        return
    if rows:
        cells = [
            (
                vm.number,
                vm.name,
                vm.vmid,
                f"{vm.root:#x}",
                vm.ipa_bits,
                len(vm.vcpus),
                f"{vm.exits:,}",
                _size(memory),
                _where(vm),
            )
            for vm, memory in rows
        ]
        yield from table(("vm", "name", "VMID", "root", "IPA", "vCPUs", "exits", "mapped", "where"), cells, "r rrrrrr")
    else:
        yield "no VM has run yet: none was entered with stage 2 on"
    if hosts := context.core.hosts():
        yield f"host: EL1 without stage 2, on {', '.join(f'cpu{n}' for n in hosts)}"
    if further := context.core.further_entries:
        yield f"{further:,} entries of further VMs or vCPUs, which are not told apart: 64 VMs of 64 vCPUs are"


@command(
    "vm name",
    Arg("number", "the VM's number, or the name that it has"),
    Arg("name", "what to call it from now on"),
    help="give a VM a name, which every command takes in place of its number",
    about="stage 2",
)
def name(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Name it."""
    found = context.vm(args.number)
    context.target.name_vm(found.number, args.name)
    yield f"VM {found.number}, VMID {found.vmid}, is {args.name}"


def _size(memory: int | None) -> str:
    if memory is None:
        return "?"
    return f"{memory >> 20:,} MiB" if memory >= 100 << 20 else f"{memory >> 10:,} KiB"


def _where(vm: VmRecord) -> str:
    running = [f"{v.name} on cpu{v.cpu}" for v in vm.vcpus if v.running]
    handled = [f"{v.name} at EL2 on cpu{v.cpu}" for v in vm.vcpus if not v.running and v.cpu is not None]
    words = running + handled
    if not words:
        words = ["not now"] if vm.ago is None else [f"{vm.ago:,} instructions ago"]
    gone = [] if vm.replaced is None else [f"gone: VM {vm.replaced} has run since with its {vm.shared}"]
    return ", ".join(words + gone)
