"""The interrupt controller as lines of text: of the machine (``_core.Machine.gic``), and of a hosted VM (the same keys)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gdbhv.tables import decode
from gdbhv.views.table import table

STATES = ("inactive", "pending", "active", "active+pending")


def interrupt_name(intid: int) -> str:
    """Return what an INTID is called: sgi3, ppi27, spi33, lpi8192."""
    for end, kind in ((16, "sgi"), (32, "ppi"), (1020, "spi")):
        if intid < end:
            return f"{kind}{intid}"
    return f"lpi{intid}" if intid >= 8192 else f"intid{intid}"


def state(irq: dict[str, Any]) -> str:
    """Inactive, pending, active, active+pending."""
    return STATES[irq["pending"] + 2 * irq["active"]]


def target(irq: dict[str, Any], version: int = 3) -> str:
    """Return the CPU that an interrupt is for, or the CPUs: GICv2 has a mask of them."""
    if irq["route"] is None:
        return "nobody" if irq["cpu"] is None else f"cpu{irq['cpu']}"
    if version == 2:
        return " ".join(f"cpu{n}" for n in range(8) if irq["route"] >> n & 1) or "nobody"
    if irq["route"] >> 31 & 1:
        return "1 of N"
    return f"cpu{irq['route']}" if irq["route"] < 0x100 else f"{irq['route']:#x}"


def interrupts(irqs: Iterable[dict[str, Any]], version: int = 3) -> list[str]:
    """Return a table of interrupts."""
    rows = [
        (
            interrupt_name(i["intid"]) + (f" ({i['device']})" if i["device"] else ""),
            target(i, version),
            state(i),
            "on" if i["enabled"] else "off",
            f"{i['priority']:#04x}",
            i["group"],
            "edge" if i["edge"] else "level, high" if i["line"] else "level, low",
        )
        for i in irqs
    ]
    return table(("interrupt", "for", "state", "is", "priority", "group", "trigger"), rows)


def interfaces(cpus: list[dict[str, Any]]) -> Iterator[str]:
    """Show the CPU interfaces: what each lets through, what it works on, what waits in list registers and as LPIs."""
    for n, c in enumerate(cpus):
        groups = " ".join(str(g) for g, on in enumerate(c["groups"]) if on) or "none"
        running = "idle" if c["running"] == 0xFF else f"{c['running']:#04x}"
        yield f"cpu{n}: groups {groups}, mask {c['mask']:#04x}, running {running}, EOImode {c['eoi_mode']}"
        if c.get("vmid") is not None and any(lr >> 62 for lr in c["lists"]):
            yield f"  list registers, of VMID {c['vmid']} (VTTBR_EL2):"
        if c.get("vmid") is not None and not any(lr >> 62 for lr in c["lists"]):
            yield "  list registers: all inactive"
        for k, lr in enumerate(c["lists"]):
            f = decode("ICH_LR0_EL2", lr)
            if f["State"]:
                hw = f", physical {interrupt_name(f['pINTID'])}" if f["HW"] else ""
                priority = f"priority {f['Priority']:#04x}, group {f['Group']}"
                yield f"  LR{k}: {interrupt_name(f['vINTID'])} {STATES[f['State']]}, {priority}{hw}"
        if c.get("lpis_enabled"):
            tables = f"{c['propbaser'] & 0xFFFFFFFFFF000:#x}, pending table {c['pendbaser'] & 0xFFFFFFFFF0000:#x}"
            yield f"  LPIs: on, configuration {tables}"
            for intid, config in c["lpis"]:
                said = "not known" if config is None else f"{'on' if config & 1 else 'off'}, priority {config & 0xFC:#04x}"
                yield f"  lpi{intid} pending, {said}"


def its(document: dict[str, Any]) -> Iterator[str]:
    """Show the ITS: its queue, its errors, and what its tables map."""
    d = document
    on = "on" if d["enabled"] else "off"
    where = f"queue {d['cbaser'] & 0xFFFFFFFFFF000:#x}, read {d['creadr']:#x}, written {d['cwriter']:#x}"
    done = f"; {d['commands']} commands done, {d['errors']} in error" if "commands" in d else ""
    yield f"ITS: {on}, {where}{', stalled' if d['stalled'] else ''}{done}"
    if d.get("last_error"):
        name, code, address, what = d["last_error"]
        yield f"  last error: {name} ({code:#04x}) at {address:#x}: {what}"
    to = dict(d["collections"])
    if to:
        yield "  collections: " + ", ".join(f"{icid} -> cpu{cpu}" for icid, cpu in to.items())
    for device in d["devices"]:
        table_ = "" if device["itt"] is None else f", translation table {device['itt']:#x}"
        yield f"  device {device['id']:#x}: {device['bits']} bits of EventID{table_}"
        for event, intid, icid in device["events"]:
            goes = f"cpu{to[icid]}" if icid in to else "nobody"
            yield f"    event {event} -> lpi{intid}, collection {icid} -> {goes}"
    if d.get("unread"):
        yield f"  {d['unread']:,} entries of these tables were not looked at: they claim more than {1 << 20:,}"
