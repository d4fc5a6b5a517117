"""What a report tells: plain numbers of a target that has run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gdbhv.errors import GdbhvError
from gdbhv.exits.accounting import Account, grouped
from gdbhv.exits.lives import Life, latencies, lives
from gdbhv.exits.records import TraceEvent, VmRecord
from gdbhv.queries import layouts
from gdbhv.target import Target
from gdbhv.views import descend
from gdbhv.views.gic import interrupt_name

TRACED = 1 << 18
"""Events of the trace that a run with a report keeps."""
BINS = 120  # of the timeline
MOST_DESCRIPTORS = 1 << 18


@dataclass
class VmReport:
    """One VM: its exits by kind, when they came, its mappings, and its virtual interrupts."""

    name: str
    vmid: int
    vcpus: int
    exits: dict[str, Account]  # by kind
    timeline: dict[str, list[int]]  # by class: exits in each bin of Report.bins
    ranges: list[descend.Range]
    unmapped: str | None  # why there are no ranges
    interrupts: list[tuple[str, str, str, list[int]]]  # interrupt, first step, second step, nanoseconds


@dataclass
class Report:
    """A run."""

    title: str
    hosted: bool
    instructions: list[int]  # by CPU
    virtual_ns: int
    exits: int
    traced: int  # events that the timeline and the interrupts come from
    events: int  # that there were
    bins: list[float] = field(default_factory=list)  # where they begin, in virtual milliseconds
    vms: list[VmReport] = field(default_factory=list)


def collect(target: Target, title: str) -> Report:
    """Return what there is to tell of a target as it stands, also when its guests are off."""
    core = target.core
    events = core.trace(core.trace_size)
    report = Report(title, target.hosted, list(core.insns), core.now, core.exits, len(events), core.trace_total)
    first = events[0]["now"] if events else 0
    step = max(1, -(-(core.now - first + 1) // BINS))
    report.bins = [(first + n * step) / 1e6 for n in range(BINS)]
    accounts, found = grouped(core.exit_accounts(), "exit"), lives(events)
    for vm in target.vms():
        number = vm.vmid if target.hosted else vm.number
        own = [e for e in events if e["what"] == "exit" and e["vm"] == number]
        ranges, why = _ranges(target, vm)
        report.vms.append(
            VmReport(
                name=vm.name,
                vmid=vm.vmid,
                vcpus=len(vm.vcpus),
                exits=_exits(accounts, None if target.hosted else vm.number, vm.vmid),
                timeline=_timeline(own, first, step),
                ranges=ranges,
                unmapped=why,
                interrupts=_interrupts([life for life in found if life.vm == number]),
            )
        )
    return report


def _exits(accounts: dict[tuple[int, int, str], Account], number: int | None, vmid: int) -> dict[str, Account]:
    own = {name: a for (vm, of, name), a in accounts.items() if (of == vmid if number is None else vm == number)}
    return dict(sorted(own.items(), key=lambda item: -item[1].count))


def _timeline(events: list[TraceEvent], first: int, step: int) -> dict[str, list[int]]:
    counts = Counter((e["class"], (e["now"] - first) // step) for e in events)
    classes = [name for name, _ in Counter(e["class"] for e in events).most_common()]
    return {name: [counts[name, n] for n in range(BINS)] for name in classes}


def _ranges(target: Target, vm: VmRecord) -> tuple[list[descend.Range], str | None]:
    """Return the mappings of a VM; if there are none, or too many descriptors to look at, why."""
    ranges: list[descend.Range] = []
    try:
        g = layouts.stage2(target.stage2(target.thread_of_vm(vm.number)))
        for n, e in enumerate(descend.entries(g, target.core.read_pa)):
            if n == MOST_DESCRIPTORS:
                return ranges, f"only the first {MOST_DESCRIPTORS:,} descriptors were looked at"
            if not e.table:
                descend.extend(ranges, e, g)
    except (GdbhvError, ValueError, IndexError) as e:
        return ranges, str(e)
    return ranges, None if ranges else "nothing is mapped"


def _interrupts(found: list[Life]) -> list[tuple[str, str, str, list[int]]]:
    rows = []
    for intid in sorted({life.intid for life in found}):
        own = [life for life in found if life.intid == intid]
        rows += [(interrupt_name(intid), *row) for row in latencies(own)]
    return rows
