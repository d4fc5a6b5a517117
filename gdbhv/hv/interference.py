"""What the hypervisor does when somebody interferes with its guests: see :class:`gdbhv.inputs.Outside`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.errors import GdbhvError
from gdbhv.exits.answering import outcome

if TYPE_CHECKING:
    from gdbhv.hv.host import Host
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.target import ThreadId


class Interference:
    """The part of :class:`gdbhv.hv.hosttarget.HostTarget` that answers exits, and makes exceptions and interrupts."""

    host: Host

    def vcpu(self, thread: ThreadId) -> Vcpu:
        """Return the vCPU that is ``thread``."""
        raise NotImplementedError

    def put_answer(self, thread: ThreadId, value: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        v, pending = self.vcpu(thread), self.host.pending
        if pending is None or pending[0] is not v:
            raise GdbhvError(f"{v.name} does not stand at an exit that is still to be handled")
        found = outcome(pending[1], value)
        if found.register is not None:
            v.set_x(found.register, found.value)
        if found.skip:
            v.skip()
        else:
            v.completed += 1
        self.host.handling = None

    def put_exception(self, thread: ThreadId, esr: int, far: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        v, host = self.vcpu(thread), self.host
        if v.cpu is not None and host.scheduler.in_guest[v.cpu]:
            host.machine.inject_exception(v.cpu, esr, far)
            return
        v.inject(esr, far)
        if host.pending is not None and host.pending[0] is v:
            host.handling = None

    def put_interrupt(self, thread: ThreadId, intid: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        v = self.vcpu(thread)
        vgic = v.vm.vgic
        if not 0 <= intid < 32 + len(vgic.shared):
            raise GdbhvError(f"{v.vm.name} has no interrupt {intid}: they are 0 to {31 + len(vgic.shared)}")
        irq = vgic.irq(intid, v)
        irq.latch = True
        vgic.changed(irq)
        self.host.scheduler.resume()

    def put_virtual_serror(self, thread: ThreadId, syndrome: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self.vcpu(thread).inject_serror(syndrome)
        self.host.scheduler.resume()
