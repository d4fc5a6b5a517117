"""The trace of exits, entries and virtual interrupts: as lines, and in the formats of other tools.

Perfetto: the "Trace Event Format" of Chrome, which ui.perfetto.dev opens. ftrace: the text of Linux's tracefs, with the
events that KVM has for arm64 (``arch/arm64/kvm/trace_arm.h``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gdbhv import tables
from gdbhv.exits import smccc
from gdbhv.exits.lives import lives
from gdbhv.views.exits import named
from gdbhv.views.gic import interrupt_name
from gdbhv.views.lives import misr_text
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv.exits.records import TraceEvent

VmName = Callable[[int, int], str]
Event = dict[str, Any]  # of Chrome's format

INTERRUPTS = ("irq", "fiq")
HOSTS = ("listed", "unlisted", "maintenance")  # what a hypervisor does or is told
LISTS = ("listed", "unlisted", "acknowledged", "ended")  # what happens in list registers
MACHINE = 0  # the process of CPUs' tracks: VMs are numbered from 1


def trace_table(events: Sequence[TraceEvent], vm_name: VmName) -> list[str]:
    """Return the events, a line each, with the instructions of the CPU since its event before."""
    if not events:
        return ["nothing has happened between a hypervisor and a guest yet"]
    last: dict[int, int] = {}
    rows = []
    for e in events:
        before = last.get(e["cpu"])
        last[e["cpu"]] = e["insns"]
        took = "" if before is None else f"+{e['insns'] - before:,}"
        whose = f"{vm_name(e['vm'], e['vmid'])}/vcpu{e['vcpu']}" if e["vm"] else f"EL{e['el']}"
        cause = ", by " + ", ".join(e["cause"]) if e["cause"] else ""
        rows.append((e["seq"], e["now"], e["cpu"], took, whose, f"{e['pc']:#x}", f"{named(e['name'])}{_value(e)}{cause}"))
    return table(("event", "ns", "cpu", "insns", "whose", "pc", "what"), rows, "rrrr")


def _value(e: TraceEvent) -> str:
    if e["value"] is None:
        return ""
    if e["what"] == "maintenance":
        return f" {misr_text(e['value'])}"
    if e["what"] in LISTS:
        return f" LR{e['value']}"
    head, _, immediate = e["name"].partition(":")
    if head in ("hvc", "smc"):
        return f" {smccc.name(e['value'], int(immediate or '0', 0))}"
    return f" IPA {e['value']:#x}"


def json_lines(events: Sequence[TraceEvent]) -> Iterator[str]:
    """Return each event as a JSON document."""
    return (json.dumps(e) for e in events)


def ftrace(events: Sequence[TraceEvent], vm_name: VmName, total: int) -> Iterator[str]:
    """Return the text that tracefs would have of it.

    :param total: events so far, of which these are the last.
    """
    cpus = max((e["cpu"] for e in events), default=0) + 1
    yield from ("# tracer: nop", "#", f"# entries-in-buffer/entries-written: {len(events)}/{total}   #P:{cpus}", "#")
    yield "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION"
    yield "#              | |         |   |||||     |         |"
    for e in events:
        task = task_name(e, vm_name)
        time = f"{e['now'] // 10**9}.{e['now'] % 10**9:09d}"
        yield f"{task:>16}-{thread_number(e):<7} [{e['cpu']:03d}] ..... {time}: {_ftrace_event(e)}"


def _ftrace_event(e: TraceEvent) -> str:
    pc = f"PC: {e['pc']:#018x}"
    if e["what"] == "entry":
        return f"kvm_entry: {pc}"
    if e["what"] != "exit":
        return f"gdbhv_virtual: {e['name']}, {pc}"
    kind, ec, name = exit_words(e)
    return f"kvm_exit: {kind}: HSR_EC: {ec:#06x} ({name}), {pc}, gdbhv: {e['name']}"


def exit_words(e: TraceEvent) -> tuple[str, int, str]:
    """Return of an exit what KVM's kvm_exit has: IRQ or TRAP, the exception class and KVM's name of it."""
    name = tables.exit_classes()[e["class"]]["kvm"]
    return ("IRQ", 0, name) if e["class"] in INTERRUPTS else ("TRAP", tables.exception_class(e["class"]), name)


def task_name(e: TraceEvent, vm_name: VmName) -> str:
    """Return the name of a vCPU as one of a task."""
    return f"{vm_name(e['vm'], e['vmid'])}/{e['vcpu']}".replace(" ", "_") if e["vm"] else "host"


def thread_number(e: TraceEvent) -> int:
    """Return the number of a vCPU as one of a task."""
    return 1000 * e["vm"] + e["vcpu"] + 1


def chrome(events: Sequence[TraceEvent], vm_name: VmName) -> dict[str, Any]:
    """Return a document of Chrome's format: a track for each vCPU and each CPU, with what they executed.

    Arrows go from where a hypervisor puts a virtual interrupt into a list register to where the guest takes it; each such
    interrupt has a slice from there to its end.
    """
    out: list[Event] = []
    tracks: set[tuple[int, int]] = set()
    last: dict[int, tuple[TraceEvent, Event | None]] = {}  # by CPU: its last exit or entry, and the hypervisor's last slice
    away: dict[tuple[int, int], TraceEvent] = {}  # by vCPU: the exit that it waits after
    put: dict[tuple[int, int | None], int] = {}  # by CPU and INTID: when it was put into a list register
    flows = 0

    def track(pid: int, tid: int, process: str, thread: str) -> tuple[int, int]:
        if (pid, tid) not in tracks:
            tracks.add((pid, tid))
            out.append({"ph": "M", "name": "process_name", "pid": pid, "tid": tid, "args": {"name": process}})
            out.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": thread}})
        return pid, tid

    def slice_(where: tuple[int, int], name: str, begin: int, end: int, args: dict[str, Any]) -> Event:
        event = {"ph": "X", "name": name, "cat": "gdbhv", "ts": begin / 1000, "dur": (end - begin) / 1000, "args": args}
        out.append({**event, "pid": where[0], "tid": where[1]})
        return out[-1]

    for e in events:
        who = f"{vm_name(e['vm'], e['vmid'])}" if e["vm"] else "without a VM"
        cpu = track(MACHINE, e["cpu"] + 1, "machine", f"CPU {e['cpu']}")
        vcpu = track(e["vm"] or 1 << 16, e["vcpu"] + 1, who, f"{who} vcpu{e['vcpu']}")
        before, host = last.get(e["cpu"], (None, None))
        insns = {} if before is None else {"instructions": e["insns"] - before["insns"]}
        if e["what"] == "virtual":
            instant = {"ph": "i", "s": "t", "name": e["name"], "cat": "virtual", "pid": vcpu[0], "tid": vcpu[1]}
            out.append({**instant, "ts": e["now"] / 1000, "args": {"pc": f"{e['pc']:#x}"}})
            if host is not None and before is not None:  # the hypervisor's last turn on the CPU has put it there
                flow = {"name": e["name"], "cat": "virtual", "id": flows}
                flows += 1
                begin = put.pop((e["cpu"], e["intid"]), before["now"])
                out.append({**flow, "ph": "s", "pid": host["pid"], "tid": host["tid"], "ts": begin / 1000})
                out.append({**flow, "ph": "f", "bp": "e", "pid": vcpu[0], "tid": vcpu[1], "ts": e["now"] / 1000})
            continue
        if e["what"] not in ("exit", "entry"):
            where = cpu if e["what"] in HOSTS else vcpu
            instant = {"ph": "i", "s": "t", "name": e["name"], "cat": "virtual", "pid": where[0], "tid": where[1]}
            out.append({**instant, "ts": e["now"] / 1000, "args": {"what": _value(e).strip()}})
            if e["what"] == "listed":
                put[e["cpu"], e["intid"]] = e["now"]
            continue
        if e["what"] == "exit":
            if before is not None and before["what"] == "entry":
                slice_(cpu, f"{who} vcpu{e['vcpu']}", before["now"], e["now"], insns)
                slice_(
                    vcpu, "guest", before["now"], e["now"], {**insns, "from": f"{before['pc']:#x}", "to": f"{e['pc']:#x}"}
                )
            away[vcpu] = e
        else:
            if before is not None and before["what"] == "exit":
                host = slice_(cpu, before["name"], before["now"], e["now"], {**_args(before), **insns})
            left = away.pop(vcpu, None)
            if left is not None:
                slice_(vcpu, left["name"], left["now"], e["now"], _args(left))
        last[e["cpu"]] = (e, host)
    out += _lives(events)
    return {"displayTimeUnit": "ns", "traceEvents": out}


def _lives(events: Sequence[TraceEvent]) -> Iterator[Event]:
    """Return a slice for each virtual interrupt of which begin and end are known, on tracks of their VM."""
    for n, life in enumerate(lives(events)):
        begin, end = life.begin, life.steps.get("ended")
        if begin is None or end is None:
            continue
        one = {"cat": "life", "id": n, "name": interrupt_name(life.intid), "pid": life.vm or 1 << 16, "tid": life.vcpu + 1}
        steps = {name: f"+{step.ns - begin.ns} ns" for name, step in life.steps.items()}
        yield {**one, "ph": "b", "ts": begin.ns / 1000, "args": {**steps, "list register": life.register}}
        yield {**one, "ph": "e", "ts": end.ns / 1000}


def _args(e: TraceEvent) -> dict[str, Any]:
    value = {} if e["value"] is None else {"what": _value(e).strip()}
    return {"exit": e["seq"], "pc": f"{e['pc']:#x}", "cause": ", ".join(e["cause"]), **value}
