"""``s2``: the stage 2 tables of the thread's VM, whoever built them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice

from gdbhv.errors import CommandError
from gdbhv.exitspec import span
from gdbhv.hv.target import HostTarget
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views import stage2

MOST = 200_000  # descriptors: 780 MiB in pages of 4 KiB


@command(
    "s2 dump",
    Arg("range", "IPAs, LO-HI, LO+SIZE or one address; default all", nargs="?"),
    Arg("--tree", "show every table and leaf", flag=True),
    JSON,
    help="dump the stage 2 tables of the thread's VM",
)
def dump(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Mappings merged where they continue each other, or the tree of tables."""
    target, thread = context.target, context.thread
    if isinstance(target, HostTarget):
        machine = target.machine
        vm = target.vm(thread.pid)
        vttbr, vtcr = vm.vttbr, machine.read_register(vm.vcpus[0].home, "VTCR_EL2")
        hcr = machine.read_register(vm.vcpus[0].home, "HCR_EL2")
        mmfr0 = machine.read_register(vm.vcpus[0].home, "ID_AA64MMFR0_EL1")
    else:
        machine, vm = target.core, None
        if not target.el2:
            raise CommandError("this machine has no EL2, and so no stage 2")
        names = ("VTTBR_EL2", "VTCR_EL2", "HCR_EL2", "ID_AA64MMFR0_EL1")
        vttbr, vtcr, hcr, mmfr0 = (target.read_register(thread, r) for r in names)
    try:
        geometry = stage2.Geometry.of(vttbr, vtcr, mmfr0, hcr)
        low, high = (0, None) if args.range is None else span(args.range)
        found = list(islice(stage2.entries(geometry, machine.read_pa, low, high), MOST + 1))
    except (ValueError, IndexError) as e:
        if not hcr & 1:
            raise CommandError("stage 2 is off (HCR_EL2.VM = 0), and VTTBR_EL2 and VTCR_EL2 hold no tables") from None
        raise CommandError(str(e)) from None
    if len(found) > MOST:
        raise CommandError(f"more than {MOST:,} descriptors: give a RANGE (or do the tables contain themselves?)")
    leaves = [e for e in found if not e.table]

    def name(ipa: int) -> str:
        if vm is None:
            return ""
        device = vm.device(ipa)
        return device[0].name if device else "memory" if vm.slot(ipa) else ""

    ranges = stage2.merged(leaves, geometry)
    if args.json:
        g = geometry
        head = {
            "vmid": vttbr >> 48,
            "root": g.root,
            "granule": 1 << g.granule,
            "ipa_bits": g.ipa_bits,
            "start_level": g.start,
        }
        if args.tree:
            yield from to_json({**head, "enabled": bool(hcr & 1), "entries": [asdict(e) for e in found]})
            return
        yield from to_json({**head, "enabled": bool(hcr & 1), "ranges": [{**r, "what": name(r["ipa"])} for r in ranges]})
        return
    on = "" if hcr & 1 else " (HCR_EL2.VM = 0: not in use)"
    yield (
        f"VMID {vttbr >> 48}, tables at {geometry.root:#x}, {geometry.ipa_bits}-bit IPA, "
        f"{1 << geometry.granule >> 10} KiB granule, from level {geometry.start}{on}"
    )
    yield from stage2.tree(found, geometry) if args.tree else stage2.dump(ranges, name)
    total, tables = sum(e.size for e in leaves), sum(e.table for e in found)
    yield f"leaves: {len(leaves)}, mapping {total >> 10:,} KiB; tables below the first: {tables}"
    if vm is not None and not args.tree:
        for base, device in vm.devices:
            yield f"not mapped, emulated: {base:#012x}-{base + device.size - 1:#012x} {device.name}"
