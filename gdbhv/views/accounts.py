"""The accounts of exits as text, in the layout of ``perf kvm stat``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv.views.exits import named
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv.exits.accounting import Account, Groups

UNITS = {
    "host": "instructions of the hypervisor, from exit to entry",
    "guest": "instructions of the guest, from entry to exit",
    "away": "virtual nanoseconds until the vCPU was entered again",
    "nested": "instructions of the hypervisor for exits of the hypervisor at EL1 that handled it",
}
HEAD = ("samples", "samples%", "time%", "min", "p50", "p95", "p99", "max", "total")


def accounts_table(
    groups: Groups, by: str, time: str, vm_name: Callable[[int, int], str], most: int | None = None, apart: bool = False
) -> list[str]:
    """Return the groups, those that took most time first, and the sum.

    :param by: what the groups are called.
    :param time: which time: a key of :data:`UNITS`.
    :param vm_name: the name of a VM by its number and VMID.
    :param most: groups at most.
    :param apart: whether groups of different VMs are told apart.
    """
    if not groups:
        return [f"no exits by {by} yet"]
    samples = sum(a.count for a in groups.values())
    total = sum(_of(a, time) for a in groups.values())
    order = sorted(groups.items(), key=lambda item: (-_of(item[1], time), -item[1].count, item[0]))
    rows = []
    for (vm, vmid, name), account in order[:most]:
        spread = getattr(account, time)
        whose = [vm_name(vm, vmid)] if apart else []
        times = (spread.min, *(spread.percentile(p) for p in (50, 95, 99)), spread.max, spread.total)
        share = f"{100 * account.count / samples:.1f}%", f"{100 * spread.total / total:.1f}%" if total else "-"
        numbers = [f"{n:,}" for n in times] if spread.count else ["-"] * len(times)
        rows.append([*([named(name)] if by != "vm" else []), *whose, f"{account.count:,}", *share, *numbers])
    head = ([by] if by != "vm" else []) + (["vm"] if apart else [])
    left = f"; {len(order) - len(rows):,} more groups" if len(rows) < len(order) else ""
    lines = table((*head, *HEAD), rows, " " * len(head) + "r" * len(HEAD))
    return [*lines, f"{samples:,} exits, {total:,} {UNITS[time]}{left}"]


def _of(account: Account, time: str) -> int:
    total: int = getattr(account, time).total
    return total
