"""A device tree for Xen without dom0: guests that Xen starts itself, from a kernel and a RAM disk in memory.

Source: Xen's docs/misc/arm/device-tree/booting.txt.
"""

from __future__ import annotations

from dataclasses import dataclass

import fdt

from gdbhv import _core

MEMORY = 1 << 30  # of the machine
KERNEL_AT, DISK_AT = 0x50000000, 0x53000000
GUEST_MEMORY = 160 << 10  # KiB
XEN_LINE = "console=dtuart dtuart=/pl011@9000000 bootscrub=0"
GUEST_LINE = "console=ttyAMA0 cryptomgr.notests=1 gdbhv.name={}"


@dataclass(frozen=True)
class Module:
    """Something in memory that guests are made of."""

    kind: str  # "kernel" or "ramdisk"
    address: int
    size: int


def tree(kernel: bytes, disk: bytes, *, cpus: int = 2, guests: int = 2) -> bytes:
    """Return the tree of a machine of ``MEMORY`` whose guests share what is at ``KERNEL_AT`` and ``DISK_AT``."""
    dt = fdt.parse_dtb(_core.device_tree(cpus=cpus, memory=MEMORY, psci="smc"))
    chosen = dt.get_node("/chosen")
    chosen.set_property("xen,xen-bootargs", XEN_LINE)
    modules = (Module("kernel", KERNEL_AT, len(kernel)), Module("ramdisk", DISK_AT, len(disk)))
    for number in range(1, guests + 1):
        chosen.append(_guest(f"domU{number}", modules))
    return bytes(dt.to_dtb(version=17))


def _guest(name: str, modules: tuple[Module, ...]) -> fdt.Node:
    node = fdt.Node(name)
    node.set_property("compatible", "xen,domain")
    node.set_property("#address-cells", 2)
    node.set_property("#size-cells", 2)
    node.set_property("memory", [0, GUEST_MEMORY])
    node.set_property("cpus", 1)
    node.append(fdt.PropBytes("vpl011"))
    for module in modules:
        row = fdt.Node(f"module@{module.address:x}")
        row.set_property("compatible", [f"multiboot,{module.kind}", "multiboot,module"])
        row.set_property("reg", [0, module.address, 0, module.size])
        if module.kind == "kernel":
            row.set_property("bootargs", GUEST_LINE.format(name))
        node.append(row)
    return node
