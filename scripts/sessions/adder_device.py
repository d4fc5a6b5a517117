#!/usr/bin/env python3
"""A device, a hypercall and an exit handler of your own. For whoever extends the hypervisor, in a few lines each.

Runs the guest mmio_device, which drives the device, on a hypervisor that counts the kinds of data aborts, and prints what
the guest prints.

    scripts/sessions/adder_device.py
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gdbhv import boot
from gdbhv.hv.exits import data_abort
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import MmioDevice
from gdbhv.hv.vcpu import Vcpu
from gdbhv.target import StopKind

GUEST = Path(__file__).resolve().parents[2] / "guests" / "prebuilt" / "mmio_device.elf"
MEMORY = 128 << 20


@dataclass
class AdderState:
    """What the adder keeps: declared so, it is saved with the VM (see ``MmioDevice``)."""

    a: int = 0
    b: int = 0
    raised: int = 0  # the level of the interrupt line
    rings: int = 0


class AdderDevice(MmioDevice):
    """An adder with a doorbell that interrupts; the opening comment of guests/mmio_device has the registers."""

    name = "adder"
    ID, A, B, SUM, DOORBELL, STATUS, ACK, RINGS = range(0x00, 0x20, 4)

    def __init__(self) -> None:
        super().__init__()
        self.state = AdderState()

    def read(self, offset: int, size: int) -> int:
        """Return a register."""
        s = self.state
        values = {self.ID: 0x41444431, self.A: s.a, self.B: s.b, self.SUM: s.a + s.b & 0xFFFFFFFF}
        values |= {self.STATUS: s.raised, self.RINGS: s.rings}
        return values.get(offset, 0)

    peek = read  # for debuggers: no read has an effect

    def write(self, offset: int, size: int, value: int) -> None:
        """Write a register; the doorbell raises the interrupt line, and ACK lowers it."""
        s = self.state
        if offset == self.A:
            s.a = value
        elif offset == self.B:
            s.b = value
        elif offset in (self.DOORBELL, self.ACK):
            s.raised = int(offset == self.DOORBELL)
            s.rings += s.raised
            self.set_irq(bool(s.raised))


def main() -> int:
    """Run the guest."""
    host = Host(cpus=1, memory=MEMORY)
    vm = boot.add_vm(host, boot.BootConfig(image=GUEST, memory=MEMORY), lambda text: print(text.decode(), end=""))
    vm.add_device(0x0A004000, AdderDevice(), intid=80)

    @vm.hypercall(0xC6000001)  # an SMCCC number of the range for hypervisors' own calls
    def twice(vcpu: Vcpu) -> int:
        return 2 * vcpu.x(1)

    counted = Counter[str]()

    def count(vcpu, record):  # type: ignore[no-untyped-def]
        counted[record["name"]] += 1
        data_abort(vcpu, record)

    host.handlers["dabt"] = count
    stop = HostTarget(host).run_all()
    print(f"{stop.kind.value}; {dict(counted)}")
    return 0 if stop.kind is StopKind.POWEROFF else 1


if __name__ == "__main__":
    sys.exit(main())
