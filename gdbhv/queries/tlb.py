"""What TLBs hold, with what the tables say now beside it.

A translation that the tables do not give any more is what a missing TLBI leaves behind. Each entry is compared with a walk
by registers with which it can be found: those of a CPU, or those that a vCPU has left. Entries of an address space that no
registers select now (another process's ASID) cannot be compared, which is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gdbhv.errors import GdbhvError
from gdbhv.translation import Access, Translation

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.target import Target

PAGE = 0x1000
SAME = "the same"
UNKNOWN = "no registers select them now"
Key = tuple[str, bool, bool, int, int]


@dataclass(frozen=True)
class Cached:
    """A translation of both stages in the TLB of ``cpu``; ``tables``: what they say now.

    ``stale`` is None where the tables cannot be asked.
    """

    cpu: int
    held: _core.Held
    tables: str
    stale: bool | None

    @property
    def who(self) -> str:
        """Whose accesses find it."""
        if self.held["user"]:
            return "EL0"
        higher = "EL1" if self.held["regime"] == "EL1&0" else "EL2"
        return higher + (" PAN" if self.held["pan"] else "")

    @property
    def allowed(self) -> str:
        """What it is known to allow: accesses that have been made."""
        h = self.held
        return "".join(c if on else "-" for c, on in (("r", h["read"]), ("w", h["write"]), ("x", h["fetch"])))

    @property
    def shared(self) -> bool:
        """Whether its leaf is global."""
        return bool(dict(self.held)["global"])

    @property
    def age(self) -> str:
        """Since when its context has not been in use."""
        idle = self.held["idle"]
        return "in use" if self.held["now"] else f"{idle:,} switch{'es' * (idle != 1)} ago"

    def has(self, va: int) -> bool:
        """Whether it translates an address."""
        return self.held["va"] <= va < self.held["va"] + self.held["size"]

    def words(self) -> str:
        """Say in one line what it is, and what the tables say."""
        h = self.held
        last = h["va"] + h["size"] - 1
        what = f"{h['va']:#x}-{last:#x} -> PA {h['pa']:#x}, {self.allowed} at {self.who}"
        return f"the TLB of cpu{self.cpu} still has {what}; the tables: {self.tables}"


@dataclass(frozen=True)
class CachedStage2:
    """The end of a stage 2 walk in the TLB of ``cpu``; the rest as in :class:`Cached`."""

    cpu: int
    held: _core.HeldStage2
    tables: str
    stale: bool | None

    def words(self) -> str:
        """Say in one line what it is, and what the tables say."""
        h = self.held
        what = f"IPA {h['ipa']:#x} -> PA {h['pa']:#x}, by descriptor {h['descriptor']:#x}, for walks of stage 1"
        return f"the TLB of cpu{self.cpu} still has {what}; the tables: {self.tables}"


class Tables:
    """The translations that registers select now: on CPUs, and of vCPUs as they have left."""

    def __init__(self, target: Target) -> None:
        machine = target.core
        self._views: dict[tuple[int | None, Key], Translation] = {}
        self._stage2: dict[int, Translation] = {}
        gone = set() if target.hosted else {vm.number for vm in target.vms() if vm.replaced is not None}
        threads = [t for p in target.processes() if p.pid not in gone for t in p.threads]
        views = []
        for thread in threads:
            try:
                views.append(target.translation(thread.id, 1))
            except GdbhvError:
                continue  # nothing is known of it yet
        for cpu in range(machine.cpus):
            views.append(Translation(machine, cpu, 1, f"cpu{cpu}", machine.controls(cpu)))
            if not target.hosted and "HCR_EL2" in target.registers:
                self._add(Translation(machine, cpu, 2, f"cpu{cpu}"), cpu)
        for view in views:
            self._add(view, None)
            if view.regime["stage2"] and view.vmid is not None:
                self._stage2[view.vmid] = view

    def _add(self, view: Translation, cpu: int | None) -> None:
        r = view.regime
        self._views[cpu, (r["name"], r["stage1"], r["stage2"], r["vmid"] or 0, r["asid"] or 0)] = view

    def answer(self, cpu: int, h: _core.Held) -> tuple[str, bool | None]:
        """Say what the tables have instead of an entry, and whether it differs."""
        own = None if h["regime"] == "EL1&0" else cpu
        view = self._views.get((own, (h["regime"], h["stage1"], h["stage2"], h["vmid"], h["asid"])))
        if view is None:
            return UNKNOWN, None
        el = 0 if h["user"] else 1 if h["regime"] == "EL1&0" else 2
        view = replace(view, el=el, pan=h["pan"])
        if view.regime["name"] != h["regime"]:
            return UNKNOWN, None  # a host's process, and HCR_EL2.TGE is 0
        access: Access = "fetch" if h["fetch"] else "write" if h["write"] else "read"
        for offset in sorted({0, h["size"] - PAGE}):
            walk = view.walk((h["va"] + offset) & (1 << 64) - 1, access)
            if "pa" not in walk:
                return f"stage {walk['stage']} {walk['words']}{' on the walk of stage 1' * walk['s1ptw']}", True
            if walk["pa"] != h["pa"] + offset:
                return f"PA {walk['pa'] - offset:#x}", True
            may = (("read", h["read"], walk["read"]), ("write", h["write"], walk["write"]))
            lost = [what for what, had, has in (*may, ("execute", h["fetch"], walk["execute"])) if had and not has]
            if lost:
                return f"no permission to {' and '.join(lost)}", True
        return SAME, False

    def answer_stage2(self, h: _core.HeldStage2) -> tuple[str, bool | None]:
        """Say the same of an end of a stage 2 walk."""
        view = self._stage2.get(h["vmid"])
        if view is None:
            return UNKNOWN, None
        walk = view.walk_ipa(h["ipa"])
        now = walk["steps"][-1]["value"] if walk["steps"] else 0
        if "pa" not in walk:
            return f"stage 2 {walk['words']}", True
        if walk["pa"] != h["pa"] or now != h["descriptor"]:
            return f"PA {walk['pa']:#x}, by descriptor {now:#x}", True
        return SAME, False


def held(target: Target, cpus: Sequence[int], address: int | None = None) -> Iterator[Cached]:
    """Yield what the TLBs of some CPUs hold of both stages, by CPU and address; if ``address`` is there, for that one."""
    tables = Tables(target)
    for cpu in cpus:
        rows = target.core.tlb(cpu) if address is None else target.core.tlb(cpu, address, address)
        for h in sorted(rows, key=lambda h: (h["regime"], h["vmid"], h["asid"], h["va"], h["fetch"])):
            yield Cached(cpu, h, *tables.answer(cpu, h))


def held_stage2(target: Target, cpus: Sequence[int]) -> Iterator[CachedStage2]:
    """Yield what they hold of stage 2 alone."""
    tables = Tables(target)
    for cpu in cpus:
        for h in sorted(target.core.tlb_stage2(cpu), key=lambda h: (h["vmid"], h["ipa"], h["table"])):
            yield CachedStage2(cpu, h, *tables.answer_stage2(h))


def still(target: Target, by: Translation, low: int, high: int | None = None) -> list[Cached]:
    """Return entries for VAs ``low`` to ``high`` (default: that one) of a view that are not what its tables say."""
    tables: Tables | None = None
    r, found = by.regime, []
    last = low if high is None else high
    key = (r["name"], r["stage1"], r["stage2"], r["vmid"] or 0, r["asid"] or 0)
    cpus = range(target.core.cpus) if r["name"] == "EL1&0" else [by.cpu]
    for cpu in cpus:
        for h in target.core.tlb(cpu, low, last):
            if (h["regime"], h["stage1"], h["stage2"], h["vmid"], h["asid"]) == key:
                tables = tables or Tables(target)
                if (c := Cached(cpu, h, *tables.answer(cpu, h))).stale:
                    found.append(c)
    return found


def still_stage2(target: Target, vmid: int, low: int, high: int | None = None) -> list[CachedStage2]:
    """Return entries of stage 2 alone for IPAs ``low`` to ``high`` (default: that one) that are not what its tables say."""
    tables = Tables(target)
    last = low if high is None else high
    return [
        c
        for cpu in range(target.core.cpus)
        for h in target.core.tlb_stage2(cpu)
        if h["vmid"] == vmid and h["ipa"] <= last and low < h["ipa"] + PAGE
        if (c := CachedStage2(cpu, h, *tables.answer_stage2(h))).stale
    ]
