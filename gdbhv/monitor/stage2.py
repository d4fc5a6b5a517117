"""``s2``: the stage 2 tables of the thread's VM, whoever built them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice

from gdbhv import _core
from gdbhv.errors import CommandError
from gdbhv.exitspec import span
from gdbhv.hv.target import HostTarget
from gdbhv.monitor.registry import JSON, VMID, Arg, Context, command, to_json
from gdbhv.views import stage2

FWB = 1 << 46  # of HCR_EL2
MOST = 200_000  # descriptors: 780 MiB in pages of 4 KiB


@command(
    "s2 dump",
    Arg("range", "IPAs, LO-HI, LO+SIZE or one address; default all", nargs="?"),
    Arg("--tree", "show every table and leaf", flag=True),
    VMID,
    JSON,
    help="dump the stage 2 tables of the thread's VM",
    about="stage 2",
)
def dump(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Mappings merged where they continue each other, or the tree of tables."""
    target, machine = context.target, context.core
    vm = None
    by = context.stage2(args)
    assert by.controls is not None
    assert by.vmid is not None
    if isinstance(target, HostTarget):
        vm = target.vm(by.vmid)
    on = by.regime["stage2"]
    try:
        low, high = (0, None) if args.range is None else span(args.range)
        mmfr0 = machine.read_register(by.cpu, "ID_AA64MMFR0_EL1")
        hcr = FWB if by.regime["fwb"] else 0
        geometry = stage2.Geometry.of(by.controls.vttbr, by.controls.vtcr, mmfr0, hcr, xnx=by.xnx, ttst=by.ttst)
        found = list(islice(stage2.entries(geometry, machine.read_pa, low, high), MOST + 1))
    except (ValueError, IndexError) as e:
        if not on:
            raise CommandError(by.no_stage2() + "; and VTTBR_EL2 and VTCR_EL2 hold no tables") from None
        raise CommandError(f"VMID {by.vmid}: {e}{by.noted}") from None
    if len(found) > MOST:
        raise CommandError(f"more than {MOST:,} descriptors: give a RANGE (or do the tables contain themselves?)")
    leaves = [e for e in found if not e.table]

    def name(ipa: int, pa: int) -> str:
        if vm is None:
            return _at(machine, pa)
        device = vm.device(ipa)
        return device[0].name if device else "memory" if vm.slot(ipa) else ""

    ranges = stage2.merged(leaves, geometry)
    if args.json:
        g = geometry
        head = {
            "vmid": by.vmid,
            "root": g.root,
            "granule": 1 << g.granule,
            "ipa_bits": g.ipa_bits,
            "start_level": g.start,
            "enabled": on,
            "context": by.document(),
        }
        if args.tree:
            yield from to_json({**head, "entries": [asdict(e) for e in found]})
            return
        yield from to_json({**head, "ranges": [{**r, "what": name(r["ipa"], r["pa"])} for r in ranges]})
        return
    yield (
        f"VMID {by.vmid}, tables at {geometry.root:#x}, {geometry.ipa_bits}-bit IPA, "
        f"{1 << geometry.granule >> 10} KiB granule, from level {geometry.start}"
        f"{'' if on else ' (HCR_EL2.VM = 0: not in use)'}{by.noted}"
    )
    yield from stage2.tree(found, geometry) if args.tree else stage2.dump(ranges, name)
    total, tables = sum(e.size for e in leaves), sum(e.table for e in found)
    yield f"leaves: {len(leaves)}, mapping {total >> 10:,} KiB; tables below the first: {tables}"
    if vm is not None and not args.tree:
        for base, device in vm.devices:
            yield f"not mapped, emulated: {base:#012x}-{base + device.size - 1:#012x} {device.name}"


def _at(machine: _core.Machine, pa: int) -> str:
    """What the machine has at a PA."""
    base, size = machine.ram
    if base <= pa < base + size:
        return "memory"
    rows = _core.board(machine.gic()["version"])
    return next((r["name"] for r in rows if r["base"] <= pa < r["base"] + r["size"]), "nothing there")
