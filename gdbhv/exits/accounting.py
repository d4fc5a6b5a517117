"""Exits in exact time: how long guests ran before their exits, and how long their hypervisor took.

The machine keeps a row for each place that exits (:class:`gdbhv.exits.records.ExitAccount`); here rows become groups by
class, register, page and so on. Three times are kept for each exit:

* ``host``: instructions that the CPU executed in the hypervisor until it entered something again. (Hosted there are
  none: the hypervisor is gdbhv.)
* ``guest``: instructions that the guest had executed since its entry.
* ``away``: virtual nanoseconds until the vCPU was entered again, including the time that it waited.
* ``nested``: instructions of the hypervisor meanwhile for exits of the hypervisor at EL1 that handled it (HCR_EL2.NV).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdbhv import tables
from gdbhv._core import Machine
from gdbhv.exits import smccc

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitAccount, SpreadRecord

TIMES = ("host", "guest", "away", "nested")
PERCENTILES = (50, 95, 99)
ERROR = 1 / 32  # the largest relative error of a percentile; below 32, and at minimum and maximum, it is exact


@dataclass
class Spread:
    """A distribution of values: exact in count, total and ends; percentiles by log-linear buckets, to 3.1 %."""

    count: int = 0
    total: int = 0
    min: int = 0
    max: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, other: SpreadRecord) -> None:
        """Add the values of a row."""
        if not other["count"]:
            return
        self.min = min(self.min, other["min"]) if self.count else other["min"]
        self.max = max(self.max, other["max"])
        self.count += other["count"]
        self.total += other["total"]
        for bucket, n in other["buckets"]:
            self.buckets[bucket] = self.buckets.get(bucket, 0) + n

    def take(self, other: Spread) -> None:
        """Subtract an earlier state. Minimum and maximum are then the bounds of buckets where the exact ones are unknown."""
        self.count -= other.count
        self.total -= other.total
        for bucket, n in other.buckets.items():
            self.buckets[bucket] -= n
        self.buckets = {bucket: n for bucket, n in self.buckets.items() if n}
        if not self.buckets:
            self.min = self.max = 0
        elif other.count:
            self.min = max(self.min, Machine.spread_bounds(min(self.buckets))[0])
            self.max = min(self.max, Machine.spread_bounds(max(self.buckets))[1])

    @property
    def mean(self) -> float:
        """The average; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """Return the least value that so many of a hundred do not exceed (nearest rank); 0 of nothing."""
        rank = max(1, -(-self.count * percent // 100))
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                low, high = Machine.spread_bounds(bucket)
                return max(self.min, min(self.max, (low + high) // 2))
        return 0

    def document(self) -> dict[str, float]:
        """Return it as a JSON document."""
        percentiles = {f"p{p}": self.percentile(p) for p in PERCENTILES}
        return {"count": self.count, "min": self.min, **percentiles, "max": self.max, "total": self.total}


@dataclass
class Account:
    """The exits of a group: how many, and the distributions of their times."""

    count: int = 0
    host: Spread = field(default_factory=Spread)
    guest: Spread = field(default_factory=Spread)
    away: Spread = field(default_factory=Spread)
    nested: Spread = field(default_factory=Spread)

    def add(self, row: ExitAccount) -> None:
        """Add the exits of a place."""
        self.count += row["count"]
        self.host.add(row["host"])
        self.guest.add(row["guest"])
        self.away.add(row["away"])
        self.nested.add(row["nested"])

    def take(self, other: Account) -> None:
        """Subtract an earlier state."""
        self.count -= other.count
        self.host.take(other.host)
        self.guest.take(other.guest)
        self.away.take(other.away)
        self.nested.take(other.nested)

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {"count": self.count, **{key: getattr(self, key).document() for key in TIMES}}


def register_of(row: ExitAccount) -> str | None:
    """Return the system register or instruction of a row, with the direction; None if the exit has none."""
    head, _, name = row["name"].partition(":")
    return f"{name} {head.partition('.')[2] or 'executed'}" if row["class"] == "sysreg" else None


def call_of(row: ExitAccount) -> str | None:
    """Return the name of the hypercall of a row; None if it is not a hypercall."""
    if row["call"] is None:
        return None
    return smccc.name(row["call"], int(row["name"].partition(":")[2] or "0", 0))


def _hex(value: int | None) -> str | None:
    return None if value is None else f"{value:#x}"


GROUPS: dict[str, tuple[str, Callable[[ExitAccount], str | None]]] = {
    "exit": ("class and sub-reasons", lambda row: row["name"]),
    "class": ("class", lambda row: row["class"]),
    "kvm": ("class as KVM's tracepoints and perf call it", lambda row: tables.exit_classes()[row["class"]]["kvm"]),
    "reg": ("system register or instruction", register_of),
    "call": ("hypercall, by SMCCC's function", call_of),
    "page": ("IPA page of 4 KiB", lambda row: _hex(row["page"])),
    "pc": ("address of the instruction", lambda row: _hex(row["pc"])),
    "vm": ("VM", lambda row: ""),
    "vcpu": ("VM and vCPU", lambda row: f"vcpu{row['vcpu']}"),
}
APART = ("exit", "vm", "vcpu")  # groups of which each VM has its own

Key = tuple[int, int, str]  # number of the VM and VMID (0 where VMs are not distinguished), and the name of the group
Groups = dict[Key, Account]


def grouped(rows: Iterable[ExitAccount], by: str) -> Groups:
    """Return the exits by group, one of :data:`GROUPS`; those that have none are left out."""
    groups: Groups = {}
    name_of = GROUPS[by][1]
    for row in rows:
        name = name_of(row)
        if name is not None:
            vm, vmid = (row["vm"], row["vmid"]) if by in APART else (0, 0)
            groups.setdefault((vm, vmid, name), Account()).add(row)
    return groups


def went_on(now: Sequence[ExitAccount], before: Sequence[ExitAccount]) -> bool:
    """Whether ``now`` came after ``before``: counts go on at a reset, and are others once a snapshot was restored."""

    def places(rows: Sequence[ExitAccount]) -> list[tuple[object, ...]]:
        return [(row["vm"], row["vmid"], row["vcpu"], row["name"], row["call"], row["pc"], row["page"]) for row in rows]

    rows = now[: len(before)]  # places stay in the order in which they came
    return places(rows) == places(before) and all(r["count"] >= b["count"] for r, b in zip(rows, before, strict=True))


def difference(now: Sequence[ExitAccount], before: Sequence[ExitAccount], by: str) -> Groups:
    """Return the exits between two states of the accounts, by group."""
    groups = grouped(now, by)
    for key, earlier in grouped(before, by).items():
        groups[key].take(earlier)
    return {key: account for key, account in groups.items() if account.count}
