"""What a bare machine does when somebody interferes: see :class:`gdbhv.inputs.Outside`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbhv.errors import GdbhvError
from gdbhv.exits.answering import outcome

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.target import ThreadId


class Interference:
    """The part of :class:`gdbhv.machine.machine.Machine` that answers exits, and makes exceptions and interrupts."""

    core: _core.Machine

    def cpu_of(self, thread: ThreadId) -> int | None:
        """See :class:`gdbhv.target.Target`."""
        raise NotImplementedError

    def put_answer(self, thread: ThreadId, value: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        cpu = self._on_cpu(thread)
        record = self.core.exit_record(cpu)
        if record is None or not self.core.at_exit(cpu):
            raise GdbhvError(f"CPU {cpu} does not stand at an exit that its hypervisor has still to handle")
        found = outcome(record, value)
        if found.register is not None:
            self.core.set_x(cpu, found.register, found.value)
        self.core.go_back(cpu, found.skip)

    def put_exception(self, thread: ThreadId, esr: int, far: int | None) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        cpu = self._on_cpu(thread)
        if self.core.at_exit(cpu):
            self.core.go_back(cpu, skip=False)
        try:
            self.core.inject_exception(cpu, esr, far)
        except RuntimeError as e:
            raise GdbhvError(str(e)) from None

    def put_interrupt(self, thread: ThreadId, intid: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        if not 0 <= intid < 1 << 32 or not self.core.pend(self._on_cpu(thread), intid):
            raise GdbhvError(f"the machine's interrupt controller has no interrupt {intid} that can be made pending")

    def put_virtual_serror(self, thread: ThreadId, syndrome: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        raise GdbhvError("a virtual SError is its hypervisor's: set $HCR_EL2.VSE = 1 makes one pending, with $VSESR_EL2")

    def _on_cpu(self, thread: ThreadId) -> int:
        cpu = self.cpu_of(thread)
        if cpu is None:
            raise GdbhvError(f"thread {thread} is on no CPU now: its hypervisor has it")
        return cpu
