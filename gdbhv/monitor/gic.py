"""``gic``: interrupts, CPU interfaces and the ITS."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.tables import interrupt_device
from gdbhv.views import gic as views

ALL = Arg("--all", "every interrupt, not only those that are enabled, pending or active", flag=True)
MACHINE = Arg("--machine", "the interrupt controller of gdbhv's hypervisor instead of the VM's", flag=True)


@command("gic", ALL, MACHINE, JSON, help="show the interrupt controller: interrupts, CPU interfaces, LPIs and the ITS")
def gic(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show the VM's interrupt controller where there is a host side, else the machine's."""
    target = context.target
    own = args.machine or not target.hosted
    document, of = (context.core.gic(), "the machine") if own else target.gic(context.thread)
    if own:
        pcie = context.core.has_pcie()
        for i in document["interrupts"]:
            i["device"] = interrupt_device(i["intid"], pcie)
    if own and "HCR_EL2" in target.registers:
        for n, cpu in enumerate(document["cpus"]):
            cpu["vmid"] = context.core.regime(n, 1, context.core.controls(n))["vmid"]
    shown = document["interrupts"]
    if not args.all:
        always = 16 if document["version"] == 2 else 0  # SGIs of a GICv2 are always enabled
        shown = [i for i in shown if (i["enabled"] and i["intid"] >= always) or i["pending"] or i["active"]]
    if args.json:
        yield from to_json({**document, "of": of, "interrupts": shown})
        return
    enabled = " ".join(str(g) for g in (0, 1) if document["ctlr"] >> g & 1) or "none"
    yield f"GICv{document['version']} of {of}, Distributor: groups {enabled}"
    yield from views.interfaces(document["cpus"])
    if shown:
        yield from views.interrupts(shown, document["version"])
    if document["its"] is not None:
        yield from views.its(document["its"])
