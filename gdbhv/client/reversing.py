"""What :class:`gdbhv.client.session.GdbSession` has for going back."""

from __future__ import annotations

import json
from typing import Any

from gdbhv.client.stops import GdbStop

FLUSH = ("maintenance flush register-cache", "maintenance flush dcache", "info threads")


class Reversing:
    """The methods of a session that go back in what the machine has done."""

    def execute(self, command: str, timeout: float | None = None) -> str:
        """See :class:`gdbhv.client.session.GdbSession`."""
        raise NotImplementedError

    def monitor(self, command: str, timeout: float | None = None) -> str:
        """See :class:`gdbhv.client.session.GdbSession`."""
        raise NotImplementedError

    def monitor_json(self, command: str, timeout: float | None = None) -> Any:
        """See :class:`gdbhv.client.session.GdbSession`."""
        raise NotImplementedError

    def _resume(self, command: str, timeout: float | None) -> GdbStop:
        raise NotImplementedError

    def reverse_continue(self, timeout: float | None = None) -> GdbStop:
        """Go back to the last breakpoint, watchpoint or catchpoint, or to where the past begins, which its text says."""
        return self._resume("-exec-continue --reverse", timeout)

    def reverse_step_instruction(self, timeout: float | None = None) -> GdbStop:
        """Go back by one instruction of the selected vCPU."""
        return self._resume("-exec-step-instruction --reverse", timeout)

    def reverse_step(self, timeout: float | None = None) -> GdbStop:
        """Go back to the beginning of the source line before, into calls."""
        return self._resume("-exec-step --reverse", timeout)

    def reverse_next(self, timeout: float | None = None) -> GdbStop:
        """Go back to the beginning of the source line before, over calls."""
        return self._resume("-exec-next --reverse", timeout)

    def reverse_finish(self, timeout: float | None = None) -> GdbStop:
        """Go back to the call of the selected frame's function."""
        return self._resume("-exec-finish --reverse", timeout)

    def when(self) -> int:
        """Return how many instructions all CPUs together have executed where the machine is now."""
        return int(self.monitor_json("when")["instructions"])

    def goto(self, place: str | int, timeout: float | None = None) -> str:
        """Go to a place: a number of instructions, "+N", "-N", "exit:N", "mark:NAME", "start" or "now".

        :returns: what the server says of it.
        """
        return self._travel(f"goto {place}", timeout)

    def back_to_exit(self, spec: str = "*", timeout: float | None = None) -> str:
        """Go back to the last VM exit of a class, as :meth:`gdbhv.client.session.GdbSession.catch_exit` takes it.

        :returns: the exit in a line, and where the machine is.
        """
        return self._travel(f"back exit {spec}", timeout)

    def back_to_entry(self, timeout: float | None = None) -> str:
        """Go back to where a guest was last entered after an exit."""
        return self._travel("back entry", timeout)

    def last_write(self, what: str, length: int = 8, timeout: float | None = None) -> dict[str, Any] | None:
        """Go back to before the last write of memory ("pa:0x40000000", "ipa:2:0x40000000", a VA) or of a register.

        :param length: bytes of memory.
        :returns: who wrote: "thread", "pc", "text" (the instruction), "before" (instructions from there to here); None if
            nobody has in what is kept of the past.
        """
        document = json.loads(self._travel(f"last-write --json {what} {length}", timeout).splitlines()[-1])
        writer: dict[str, Any] | None = document["writer"]
        return writer

    def last_change(self, ipa: str, timeout: float | None = None) -> dict[str, Any] | None:
        """Go back to before the last write of a descriptor of stage 2 that maps an IPA ("ipa:0x40000000").

        :returns: who wrote, as :meth:`last_write` has it.
        """
        document = json.loads(self._travel(f"last-change s2 --json {ipa}", timeout).splitlines()[-1])
        writer: dict[str, Any] | None = document["writer"]
        return writer

    def _travel(self, command: str, timeout: float | None) -> str:
        said = self.monitor(command, timeout)
        for forget in FLUSH:
            self.execute(forget)
        return "".join(
            line for line in said.splitlines(keepends=True) if not line.startswith("gdb shows what it knew before")
        )
