"""``s2``: the stage 2 tables of the thread's VM, whoever built them."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from dataclasses import asdict
from typing import Any

from gdbhv import _core
from gdbhv.errors import CommandError
from gdbhv.exitspec import span
from gdbhv.monitor.registry import JSON, VMID, Arg, Context, command, to_json
from gdbhv.tables import device_at, field
from gdbhv.target import ThreadId
from gdbhv.translation import Translation
from gdbhv.views import stage2

FWB = field("HCR_EL2.FWB").mask
MOST = 200_000  # descriptors that are looked at: 780 MiB in pages of 4 KiB
LINES = 10_000  # ranges, or descriptors of the tree, that are shown
PIECE = 500  # descriptors between two looks at what the debugger wants


@command(
    "s2 dump",
    Arg("range", "IPAs, LO-HI, LO+SIZE or one address; default all", nargs="?"),
    Arg("--tree", "show every table and leaf", flag=True),
    VMID,
    JSON,
    help="dump the stage 2 tables of the thread's VM",
    about="stage 2",
)
def dump(context: Context, args: argparse.Namespace) -> Iterator[str | None]:
    """Show mappings, merged where they continue each other, or the tree of tables; of very many the beginning."""
    target, machine = context.target, context.core
    by = context.stage2(args)
    assert by.controls is not None
    assert by.vmid is not None
    vmid = by.vmid
    on = by.regime["stage2"]
    try:
        low, high = (0, None) if args.range is None else span(args.range)
        geometry = _geometry(by)
        found = _Found(geometry, tree=args.tree)
        for e in stage2.entries(geometry, machine.read_pa, low, high):
            if not found.take(e):
                break
            if found.seen % PIECE == 0:
                yield None
        if not on and not found.seen:
            raise ValueError("nothing is mapped")  # VTTBR_EL2 = 0 is an address with memory: flash
    except (ValueError, IndexError) as e:
        if not on:
            raise CommandError(by.no_stage2() + "; and VTTBR_EL2 and VTCR_EL2 hold no tables") from None
        raise CommandError(f"VMID {by.vmid}: {e}{by.noted}") from None

    def name(ipa: int, pa: int) -> str:
        place = target.place(vmid, ipa)
        return _at(machine, pa) if place is None else "" if place == "nothing there" else place.partition("+")[0]

    of = "" if context.only is None else f" of {by.place}"
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
        if found.next is not None:
            head["next"] = found.next
        if args.tree:
            yield from to_json({**head, "entries": [asdict(e) for e in found.entries]})
            return
        yield from to_json({**head, "ranges": [{**r, "what": name(r["ipa"], r["pa"])} for r in found.ranges]})
        return
    yield (
        f"VMID {by.vmid}{of}, tables at {geometry.root:#x}, {geometry.ipa_bits}-bit IPA, "
        f"{1 << geometry.granule >> 10} KiB granule, from level {geometry.start}"
        f"{'' if on else ' (HCR_EL2.VM = 0: not in use)'}{by.noted}"
    )
    if args.tree:
        yield from (stage2.tree_line(e, geometry) for e in found.entries)
    else:
        yield from stage2.dump(found.ranges, name)
    yield f"leaves: {found.leaves}, mapping {found.mapped >> 10:,} KiB; tables below the first: {found.tables}"
    if found.next is not None:
        rest = f"{found.next:#x}-{high or (1 << geometry.ipa_bits) - 1:#x}"
        options = (" --tree" if args.tree else "") + ("" if args.vmid is None else f" --vmid {args.vmid}")
        yield f"cut after {found.seen:,} descriptors; the rest: s2 dump {rest}{options}"
    if not args.tree:
        for base, size, device in target.emulated(vmid):
            yield f"not mapped, emulated: {base:#012x}-{base + size - 1:#012x} {device}"


def _geometry(by: Translation) -> stage2.Geometry:
    """Return how the tables of a translation are laid out. :raises ValueError: they cannot be."""
    assert by.controls is not None
    mmfr0 = by.machine.read_register(by.cpu, "ID_AA64MMFR0_EL1")
    hcr = FWB if by.regime["fwb"] else 0
    return stage2.Geometry.of(by.controls.vttbr, by.controls.vtcr, mmfr0, hcr, xnx=by.xnx, ttst=by.ttst)


def mapped(context: Context, thread: ThreadId) -> Generator[None, None, int | None]:
    """Return how many bytes the stage 2 of a thread's VM maps; None: its tables are none, or of very many descriptors."""
    memory = 0
    try:
        for seen, e in enumerate(stage2.entries(_geometry(context.target.stage2(thread)), context.core.read_pa), 1):
            if seen == MOST:
                return None
            if seen % PIECE == 0:
                yield None
            memory += 0 if e.table else e.size
    except (ValueError, IndexError):
        return None
    return memory


class _Found:
    """What is shown of the tables, as their descriptors come; ``next`` is the IPA at which it was cut."""

    def __init__(self, geometry: stage2.Geometry, *, tree: bool) -> None:
        self._geometry, self._tree = geometry, tree
        self.seen = self.leaves = self.tables = self.mapped = 0
        self.entries: list[stage2.Entry] = []
        self.ranges: list[dict[str, Any]] = []
        self.next: int | None = None

    def take(self, e: stage2.Entry) -> bool:
        """Take a descriptor; return False if it is one too many."""
        if self.seen == MOST or len(self.entries) == LINES or len(self.ranges) > LINES:
            self.next = e.ipa
            return False
        self.seen += 1
        if self._tree:
            self.entries.append(e)
        elif not e.table:
            stage2.extend(self.ranges, e, self._geometry)
        if e.table:
            self.tables += 1
        else:
            self.leaves += 1
            self.mapped += e.size
        return True


def _at(machine: _core.Machine, pa: int) -> str:
    """Return what the machine has at a PA."""
    base, size = machine.ram
    if base <= pa < base + size:
        return "memory"
    found = device_at(pa, machine.gic()["version"])
    return found[0] if found else "nothing there"
