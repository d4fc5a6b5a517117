"""A debugger's view of a VM's interrupt controller: what the guest would find in it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from gdbhv.hv.irq import Irq
from gdbhv.hv.list_registers import EOI_COUNT, LR_INTID, load, unload
from gdbhv.hv.urgency import place
from gdbhv.hv.vits import FIRST_LPI

if TYPE_CHECKING:
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vgic import Vgic


def seen(vgic: Vgic, irq: Irq) -> Irq:
    """Return a copy of ``irq`` as the hypervisor will have it before its vCPU executes again.

    What the guest did in its list registers will be read back (``Vgic.sync``), and a passed-through line that has risen
    meanwhile will interrupt the hypervisor first (``Vgic.fired``).
    """
    holder, owner = (None if n is None else vgic.vm.vcpus[n] for n in (irq.holder, irq.owner))
    copy = replace(irq)
    if irq.lr is not None and holder is not None and holder.cpu is not None:
        unload(copy, vgic.machine.read_register(holder.cpu, vgic.list_registers[irq.lr]))
        owner = holder
    elif irq.active and holder is not None and irq in _ended(vgic, holder):
        copy.active = False
    if irq.physical is not None and owner is not None and (irq.lr is not None or not copy.active):
        copy.level = copy.active or vgic.high(owner, irq.intid)
    return copy


def _ended(vgic: Vgic, vcpu: Vcpu) -> list[Irq]:
    """Return the interrupts in no list register that the guest of ``vcpu`` has deactivated since it was entered."""
    used = vgic.used[vcpu.index]
    if vcpu.cpu is None or not used:
        return []
    count = EOI_COUNT.of(vgic.machine.read_register(vcpu.cpu, vgic.control))
    return vgic.outside(vcpu, used)[:count] if count else []


def due(vgic: Vgic, vcpu: Vcpu) -> list[int]:
    """Return what the list registers will hold when ``vcpu`` executes next.

    Only the few interrupts that will differ from the hypervisor's present state are sorted in anew, since a guest may have
    thousands of LPIs pending and the rest is sorted already.
    """
    differ = {*vgic.used[vcpu.index], *_ended(vgic, vcpu), *vgic.passed(vcpu)}
    rest = (replace(irq) for irq in vgic.lists[vcpu.index] if irq not in differ)
    in_order: Iterator[Irq] = heapq.merge(sorted((seen(vgic, irq) for irq in differ), key=place), rest, key=place)
    return [load(irq, vgic.deliverable(irq)) for irq in vgic.choose(in_order)[0]]


def held(vgic: Vgic, vcpu: Vcpu, intid: int) -> tuple[int, int] | None:
    """Return the list register, and its value, that an interrupt will be in when ``vcpu`` executes next; None: in none."""
    values = enumerate(due(vgic, vcpu))
    return next(((n, value) for n, value in values if LR_INTID.of(value) == intid), None)


def document(vgic: Vgic) -> dict[str, Any]:
    """Return the state in the form of ``_core.Machine.gic``, LPIs among the interrupts, without CPU interfaces."""
    lpis = [vgic.lpis.irqs[n] for n in sorted(vgic.lpis.irqs)]
    names = {device.intid: device.name for _, device in vgic.vm.devices if device.intid is not None}
    irqs = [seen(vgic, i) for i in [*(i for bank in vgic.private for i in bank), *vgic.shared, *lpis]]
    return {
        "version": 3,
        "ctlr": vgic.enabled,
        "interrupts": [
            {
                "intid": i.intid,
                "device": names.get(i.intid),
                "cpu": i.home if i.owner is None else i.owner,
                "enabled": i.enabled,
                "pending": i.pending,
                "active": i.active,
                "line": i.level,
                "edge": i.edge,
                "group": int(i.group1),
                "priority": i.priority,
                "route": i.route if i.owner is None and i.intid < FIRST_LPI else None,
                "holder": i.holder,
            }
            for i in irqs
        ],
        "cpus": [],
        "its": vgic.its.document(),
    }
