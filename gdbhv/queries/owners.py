"""Who sees a page of physical memory: all address spaces of a machine, with what they map.

Address spaces are those that registers select now, or selected when a vCPU exited: a process whose TTBR0 is in no register
is not among them. Long work yields None now and then, so that it can be interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdbhv.errors import CommandError, GdbhvError
from gdbhv.queries import layouts
from gdbhv.tables import exception_level
from gdbhv.translation import Translation
from gdbhv.views import descend
from gdbhv.views.descend import Layout, Range, Read

if TYPE_CHECKING:
    from gdbhv.target import Target

MOST = 200_000  # descriptors that are read of one address space
PIECE = 500
PAGE = 0x1000


@dataclass
class Space:
    """One address space: a VM's IPAs, or the VAs of a regime. ``output`` is what its tables give: "PA" or "IPA"."""

    name: str
    by: Translation
    kind: str  # "IPA" or "VA"
    output: str
    layout: Layout
    read: Read
    vm: int | None = None
    asid: int | None = None
    ranges: list[Range] = field(default_factory=list)
    tables: set[int] = field(default_factory=set)  # pages that hold its tables
    whole: bool = True  # whether all of it has been read

    def look(self) -> Iterator[None]:
        """Fill in the ranges."""
        g = self.layout
        pages = range(g.root & -PAGE, g.root + 8 * g.entries, PAGE)
        self.tables.update(pages)
        try:
            for n, e in enumerate(descend.entries(g, self.read, g.first)):
                if n == MOST:
                    self.whole = False
                    return
                if n % PIECE == PIECE - 1:
                    yield None
                if e.table:
                    self.tables.update(range(e.output, e.output + (1 << g.granule), PAGE))
                else:
                    descend.extend(self.ranges, e, g)
        except IndexError:
            self.whole = False

    def at(self, output: int) -> Iterator[tuple[int, Range]]:
        """Yield the input addresses of an output address, with the ranges that they are in."""
        for r in self.ranges:
            if r.pa <= output < r.pa + r.size:
                yield r.ipa + output - r.pa, r

    def permission(self, r: Range) -> str:
        """Return the permissions of a range in letters."""
        return self.layout.permission(r.attributes)


def stage2_spaces(target: Target) -> Iterator[Space | None]:
    """Yield the VMs with their stage 2, whose ranges are there then."""
    for name, number, by in _vms(target):
        try:
            layout = layouts.stage2(by)
        except ValueError:
            continue  # registers with these values map nothing
        space = Space(name, by, "IPA", "PA", layout, by.machine.read_pa, number)
        yield from space.look()
        yield space


def stage1_spaces(target: Target, vm: int | None = None) -> Iterator[Space | None]:
    """Yield the address spaces of stage 1: of one VM's vCPUs, or of what runs without stage 2: EL2, and hosts at EL1."""
    seen = set()
    for name, by in _stage1(target, vm):
        r = by.regime
        output = "IPA" if r["stage2"] else "PA"
        for n, layout in layouts.stage1(by):
            if isinstance(layout, str) or (key := (r["name"], n, layout.root, r["vmid"])) in seen:
                continue
            seen.add(key)
            asid = r["asid"]
            space = Space(f"{name}, TTBR{n}", by, "VA", output, layout, layouts.reader(by), vm, asid)
            yield from space.look()
            yield space


def _vms(target: Target) -> Iterator[tuple[str, int, Translation]]:
    for vm in target.vms():
        if vm.replaced is None:
            try:
                yield vm.name, vm.number, target.stage2(target.thread_of_vm(vm.number))
            except CommandError:
                continue


def _stage1(target: Target, vm: int | None) -> Iterator[tuple[str, Translation]]:
    if vm is not None:
        pid = target.thread_of_vm(vm).pid
        threads = [t for p in target.processes() if p.pid == pid for t in p.threads]
        for thread in threads:
            try:
                by = target.translation(thread.id, 1)
            except GdbhvError:
                continue  # it has not run yet
            if by.regime["stage1"]:
                yield f"{by.place}, {_asid(by)}", by
        return
    if target.hosted:
        return
    machine = target.core
    for cpu in range(machine.cpus):
        if machine.power(cpu) == "off":
            continue
        controls = machine.controls(cpu)
        host = Translation(machine, cpu, 1, f"cpu{cpu}", controls)
        if host.regime["stage1"] and not host.regime["stage2"] and exception_level(machine.read_register(cpu, "cpsr")) < 2:
            yield f"EL1 {_asid(host)}", host
        if "HCR_EL2" in target.registers:
            el2 = Translation(machine, cpu, 2, f"cpu{cpu}")
            if el2.regime["stage1"]:
                yield "EL2", el2


def _asid(by: Translation) -> str:
    return f"ASID {by.regime['asid']}"
