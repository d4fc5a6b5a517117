"""What a debugger is shown of a VM's interrupt controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdbhv.hv.vits import FIRST_LPI

if TYPE_CHECKING:
    from gdbhv.hv.vgic import Vgic


def document(vgic: Vgic) -> dict[str, Any]:
    """Return the state as ``_core.Machine.gic`` returns the machine's, LPIs among the interrupts, no CPU interfaces."""
    lpis = [vgic.lpis.irqs[n] for n in sorted(vgic.lpis.irqs)]
    names = {device.intid: device.name for _, device in vgic.vm.devices if device.intid is not None}
    irqs = [vgic.seen(i) for i in [*(i for bank in vgic.private for i in bank), *vgic.shared, *lpis]]
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
            }
            for i in irqs
        ],
        "cpus": [],
        "its": vgic.its.document(),
    }
