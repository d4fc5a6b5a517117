"""Suspicious mappings in the stage 2 tables of all VMs.

Findings are about physical memory: pages that VMs share, that are writable and executable, or that belong to the hypervisor
and can be reached by a guest; and pages that are mapped with mismatched memory attributes (Arm ARM B2.8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from gdbhv.errors import MemoryError_
from gdbhv.queries.owners import PAGE, Space, stage1_spaces, stage2_spaces
from gdbhv.tables import device_at, exception_level
from gdbhv.translation import Translation

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.target import Target
    from gdbhv.views.descend import Range

KINDS = {
    "shared": "memory that several VMs see",
    "twice": "memory that a VM sees at several IPAs",
    "writable-executable": "memory that a VM may write and execute",
    "hypervisor": "memory of the hypervisor's that a VM sees",
    "tables": "translation tables that a VM sees: its own stage 2, another's, or EL2's",
    "device-cacheable": "a device that stage 2 maps cacheable",
    "memory-as-device": "memory that stage 2 maps as a device",
    "nowhere": "mapped, and there is neither memory nor a device",
    "mismatched": "memory that is mapped with attributes that do not agree",
}


@dataclass(frozen=True)
class Finding:
    """A finding about ``size`` bytes of physical memory at ``pa``: who maps them, where, and with which attributes."""

    kind: str
    pa: int
    size: int
    who: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """A range of physical memory as one address space maps it."""

    low: int
    high: int  # the first byte after it
    space: Space
    range: Range

    def words(self, pa: int) -> str:
        a = self.range.attributes
        at = self.range.ipa + pa - self.range.pa
        perm = self.space.permission(self.range)
        return f"{self.space.name} at {self.space.kind} {at:#x} {perm} {a['memory']}, {a['shareability']}"


def audit(target: Target) -> Iterator[Finding | None]:
    """Yield the findings in the VMs' stage 2, sorted by kind and address; None at times, so that it can be interrupted."""
    vms: list[Space] = []
    for s in stage2_spaces(target):
        if s is None:
            yield None
        else:
            vms.append(s)
    own: list[Space] = []
    for s in stage1_spaces(target):
        if s is None:
            yield None
        elif s.name.startswith("EL2"):
            own.append(s)
    pieces = [_Piece(r.pa, r.pa + r.size, s, r) for s in vms for r in s.ranges]
    yield from _single(target.core, pieces)
    yield from _together(pieces, [_Piece(r.pa, r.pa + r.size, s, r) for s in own for r in s.ranges])
    tables = {page: s for s in (*vms, *own) for page in s.tables}
    yield from _reached("tables", pieces, [(page, f"tables of {s.name}") for page, s in sorted(tables.items())])
    if not target.hosted:
        yield from _reached("hypervisor", pieces, sorted(_hypervisor(target)))


def _single(machine: _core.Machine, pieces: Sequence[_Piece]) -> Iterator[Finding]:
    """Check each range by itself."""
    base, size = machine.ram
    gic = machine.gic()["version"]
    for p in pieces:
        a = p.range.attributes
        memory = str(a["memory"])
        who = (p.words(p.low),)
        if a["write"] and a["execute"] != "-":
            yield Finding("writable-executable", p.low, p.high - p.low, who)
        in_ram = p.low < base + size and p.high > base
        device = device_at(p.low, gic)
        if in_ram and memory.startswith("Device"):
            yield Finding("memory-as-device", p.low, p.high - p.low, who)
        if not in_ram and device is None:
            yield Finding("nowhere", p.low, p.high - p.low, who)
        if not in_ram and device is not None and not memory.startswith("Device") and "NC" not in memory:
            yield Finding("device-cacheable", p.low, p.high - p.low, (f"{who[0]}: {device[0]}",))


def _together(pieces: Sequence[_Piece], own: Sequence[_Piece]) -> Iterator[Finding]:
    """Check ranges that overlap; ``own``: EL2's own mappings, whose attributes alone are compared."""
    points = sorted({p for piece in (*pieces, *own) for p in (piece.low, piece.high)})
    starts: dict[int, list[_Piece]] = {}
    for piece in (*pieces, *own):
        starts.setdefault(piece.low, []).append(piece)
    active: list[_Piece] = []
    found: list[Finding] = []
    for low, high in pairwise(points):
        active = [p for p in active if p.high > low] + starts.get(low, [])
        guests = [p for p in active if p.space.kind == "IPA"]
        if not guests or len(active) < 2:
            continue
        who = tuple(p.words(low) for p in guests)
        if len({p.space.vm for p in guests}) > 1:
            found.append(Finding("shared", low, high - low, who))
        if len(guests) > len({p.space.vm for p in guests}):
            found.append(Finding("twice", low, high - low, who))
        kinds = {(str(p.range.attributes["memory"]), p.range.attributes["shareability"]) for p in active}
        if len(kinds) > 1:
            found.append(Finding("mismatched", low, high - low, tuple(p.words(low) for p in active)))
    yield from sorted(found, key=lambda f: (list(KINDS).index(f.kind), f.pa))


def _reached(kind: str, pieces: Sequence[_Piece], pages: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    """Find the given pages, each with a description, in the mappings of VMs."""
    ordered = sorted(pieces, key=lambda p: p.low)
    at = 0
    active: list[_Piece] = []
    for page, what in pages:
        while at < len(ordered) and ordered[at].low <= page:
            active.append(ordered[at])
            at += 1
        active = [p for p in active if p.high > page]
        for p in active:
            yield Finding(kind, page, PAGE, (p.words(page), what))


def _hypervisor(target: Target) -> Iterator[tuple[int, str]]:
    """Yield pages that certainly are the hypervisor's: its vectors, and the code and stacks that CPUs at EL2 use now."""
    machine = target.core
    if "HCR_EL2" not in target.registers:
        return
    for cpu in range(machine.cpus):
        el2 = Translation(machine, cpu, 2, f"cpu{cpu}")
        inside = exception_level(machine.read_register(cpu, "cpsr")) == 2
        for name in ("VBAR_EL2", *(("pc", "sp") if inside else ())):
            value = machine.read_register(cpu, name)
            try:
                pa = el2.physical(value - 1 if name == "sp" and value else value)
            except MemoryError_:
                continue  # not set yet
            base, size = machine.ram
            if value and base <= pa < base + size:
                yield pa & -PAGE, f"{name} of cpu{cpu} is {value:#x}"
