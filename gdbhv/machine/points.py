"""The scope of breakpoints and watchpoints of a bare machine: a VM, the hypervisor's side, or any software.

Those of a VM's process apply to that VM only, at EL1 and EL0, by the value of VTTBR_EL2. Those of the machine's process
apply, unless :attr:`Points.mode` says otherwise, to the side on which their thread was when they were set: a VM, or all that
is not a VM ("host": EL2, and a host at EL1). One that was set before any VM had run applies to everybody, until the
hypervisor's side reaches it.

GDB removes all points at each stop, and inserts them again when it resumes. So the scope of each is remembered until the
machine runs without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdbhv.catching import change_point
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.target import ThreadId

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.exits.records import Scope
    from gdbhv.machine.vms import Vms

MACHINE = 1  # its process
Row = tuple[int, int, int, int]  # process, kind (of a Z packet), address, length


class Points:
    """The points that are inserted, with their scopes."""

    def __init__(self, core: _core.Machine, vms: Vms) -> None:
        self._core, self._vms = core, vms
        self.mode = "auto"
        self._inserted: dict[Row, Scope | None] = {}
        self._decided: dict[Row, Scope | None] = {}
        self._passed: int | None = None
        self._open: set[Row] = set()  # those that were set before any VM had run

    def insert(self, row: Row, thread: ThreadId | None, conditions: Sequence[bytes] = ()) -> None:
        """Insert a point; ``thread`` decides the scope of a new one.

        :raises gdbhv.errors.GdbhvError: it is for a VM that has not run.
        """
        scope = self._scope(row, thread)
        if row in self._inserted and self._inserted[row] != scope:
            self.remove(row)
        _, kind, address, length = row
        change_point(self._core, kind, address, length, there=True, scope=scope, conditions=conditions)
        self._inserted[row] = scope

    def remove(self, row: Row) -> None:
        """Remove it, if it is inserted."""
        if row not in self._inserted:
            return
        scope = self._inserted.pop(row)
        _, kind, address, length = row
        change_point(self._core, kind, address, length, there=False, scope=scope)

    def runs(self, *, step: bool) -> None:
        """Forget the scopes of points that are not inserted as a run begins; but GDB steps over a breakpoint without it."""
        if not step:
            self._decided = {row: scope for row, scope in self._decided.items() if row in self._inserted}
            self._open &= self._decided.keys()

    def hit(self, address: int, *, in_vm: bool) -> None:
        """Note a stop: if it is not in a VM, points there that still apply to everybody become the host's."""
        for row in [row for row in self._open if row[2] == address and not in_vm]:
            self._open.discard(row)
            self._decided[row] = "host"

    def has(self, pid: int, address: int) -> bool:
        """Whether a process has a point at an address."""
        return any(row[0] == pid and row[2] <= address < row[2] + row[3] for row in self._inserted)

    def set_mode(self, text: str) -> None:
        """Choose the scope of the machine's points. :raises gdbhv.errors.CommandError: there is no such scope."""
        if text.startswith("vm:"):
            text = f"vm:{self._vms.find(text[3:]).number}"
        elif text not in ("auto", "host", "el2", "any"):
            raise CommandError(f"{text!r}: auto, host, el2, any or vm:N (a VM's number or name) is possible")
        self.mode = text

    def table(self) -> list[tuple[Row, str, bool]]:
        """Return the points of the machine's process, their scope, and whether other software was the last to reach them."""
        passed = self._core.take_passed()
        self._passed = self._passed if passed is None else passed
        return [(row, self._words(self._given(row)), row[1] < 2 and row[2] == self._passed) for row in self._decided]

    def _words(self, scope: Scope | None) -> str:
        if isinstance(scope, tuple):
            vm = next((vm for vm in self._vms.all() if (vm.root, vm.vmid) == scope), None)
            return f"a VM with VMID {scope[1]}" if vm is None else f"vm:{vm.number} ({vm.name})"
        return scope or "any"

    def _scope(self, row: Row, thread: ThreadId | None) -> Scope | None:
        if row[0] != MACHINE:
            return self._key(row[0])
        if row not in self._decided:
            here = None if thread is None or thread.pid != MACHINE else self._vms.at(thread.tid - 1)
            inside = here is not None and self._vms.cpu(here) is not None
            if here is not None and inside:
                self._decided[row] = self._key(here.pid)
            elif self._vms.all():
                self._decided[row] = "host"
            else:
                self._decided[row] = None
                self._open.add(row)
        return self._given(row)

    def _given(self, row: Row) -> Scope | None:
        if self.mode == "auto":
            return self._decided[row]
        if self.mode.startswith("vm:"):
            return self._key(int(self.mode[3:]))
        return "host" if self.mode == "host" else "el2" if self.mode == "el2" else None

    def _key(self, number: int) -> tuple[int, int]:
        for vm in self._vms.all():
            if vm.number == number:
                return vm.root, vm.vmid
        raise GdbhvError(f"VM {number} has not run: there are no tables to know it by")
