"""What :class:`gdbhv.client.session.GdbSession` answers with: stops, frames, threads and breakpoints; and what it raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


class GdbError(Exception):
    """GDB refused a command: ``command``, and its words as the message."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(f"{command}: {message}" if command else message)
        self.command = command


class GdbMissing(GdbError, FileNotFoundError):
    """There is no gdb for AArch64 on this machine."""

    def __init__(self, gdb: str) -> None:
        super().__init__("", f"{gdb} is not installed; on Debian and Ubuntu: apt-get install gdb-multiarch")


class GdbTimeout(GdbError, TimeoutError):
    """GDB did not answer, or the guest did not stop, in time: ``seconds``."""

    def __init__(self, command: str, seconds: float, awaited: str) -> None:
        super().__init__(command, f"no {awaited} within {seconds:g} s")
        self.seconds = seconds


class GdbUnexpectedStop(GdbError):
    """The guest stopped, or ended, elsewhere than a script expected: ``stop``."""

    def __init__(self, expected: str, stop: GdbStop) -> None:
        super().__init__("", f"expected {expected}, but {stop}")
        self.stop = stop


class GdbLost(GdbError, ConnectionError):
    """The gdb process or its server has ended by itself; the message has the last words."""


@dataclass(frozen=True)
class Frame:
    """A stack frame: ``pc``, the function's name and the source line where they are known."""

    level: int
    pc: int
    function: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f" in {self.function}" if self.function else ""
        return f"{self.pc:#x}{where}{f' at {self.file}:{self.line}' if self.file else ''}"


class GdbBreakpoint(int):
    """The number of a breakpoint, and where it is: ``what`` was asked for, and one frame for each of its ``locations``.

    A name that is inlined, or that several files use, is at several places.
    """

    what: str
    locations: tuple[Frame, ...]

    def __new__(cls, number: int, what: str, locations: tuple[Frame, ...]) -> GdbBreakpoint:
        """Make one of gdb's answer."""
        new = super().__new__(cls, number)
        new.what, new.locations = what, locations
        return new

    @property
    def words(self) -> str:
        """The breakpoint for people; as a string it is its number, as gdb's commands take it."""
        return f"breakpoint {self} ({self.what})"

    @property
    def only(self) -> GdbBreakpoint:
        """The breakpoint itself, if it is at one place.

        :raises GdbError: it is at several, with each of them.
        """
        if len(self.locations) > 1:
            places = "; ".join(f"*{frame}" for frame in self.locations)
            raise GdbError("", f"{self.what} is at {len(self.locations)} places: name one of them by its address: {places}")
        return self


@dataclass(frozen=True)
class GdbThread:
    """A vCPU as gdb lists it: gdb's ``number``, the server's id ("Thread 1.2"), its name and what it is doing."""

    number: int
    target_id: str
    name: str | None
    details: str | None
    state: str
    frame: Frame | None


@dataclass(frozen=True)
class GdbStop:
    """Why and where the guest stopped.

    ``reason`` is MI's word: "breakpoint-hit", "watchpoint-trigger", "end-stepping-range", "signal-received", "syscall-entry"
    (an exit), "syscall-return" (an entry), "exited-normally", "exited".  ``breakpoint`` is the number of a breakpoint or
    watchpoint, ``location`` which of its places it is (from 1); ``exit_number`` is the number of the exit's class; ``text``
    is what was printed on the way, the server's line about the exit first.  ``guest_pc`` is where the guest was at an exit.
    """

    reason: str
    thread: int | None = None
    frame: Frame | None = None
    signal: str | None = None
    breakpoint: int | None = None
    location: int | None = None
    exit_number: int | None = None
    exit_code: int | None = None
    text: str = ""
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def pc(self) -> int:
        """The address where it stopped.

        :raises GdbError: the guest has ended.
        """
        if self.frame is None:
            raise GdbError("", f"the guest is gone ({self.reason}), so there is no pc")
        return self.frame.pc

    @property
    def guest_pc(self) -> int | None:
        """The address of the guest's instruction that exited, if the guest stopped for an exit.

        On a bare machine ``pc`` is EL2's vector then; hosted, both are the same.
        """
        found = re.search(r"^[a-z]\S*; .*?\bat 0x([0-9a-f]+) \(EL[012]\)", self.text, re.MULTILINE)
        return int(found[1], 16) if found and self.exit else None

    @property
    def ended(self) -> bool:
        """Tell whether the VM has switched itself off."""
        return self.reason.startswith("exited")

    @property
    def exit(self) -> str | None:
        """The exit's name, with its sub-reasons ("dabt.trans.l3.w.isv"), if the guest stopped for one."""
        if self.reason not in ("signal-received", "syscall-entry"):
            return None
        found = re.search(r"^([a-z]\S*); ", self.text, re.MULTILINE)
        return found[1] if found else None

    def is_exit(self, kind: str) -> bool:
        """Tell whether it is an exit of this class, with these sub-reasons: "dabt.trans", "sysreg.write:*", "*"."""
        name = self.exit
        return name is not None and any(fnmatchcase(name, kind + rest) for rest in ("", ".*", ":*"))

    def __str__(self) -> str:
        if self.ended:
            return f"the guest ended ({self.reason}{f', code {self.exit_code}' if self.exit_code else ''})"
        why = self.exit or self.reason
        if self.breakpoint is not None:
            why += f" {self.breakpoint}{f'.{self.location}' if self.location else ''}"
        return f"it stopped for {why}{f' at {self.frame}' if self.frame else ''}"


def stop_of(
    payload: dict[str, Any], frame: Frame | None, places: list[int], breakpoint_number: int | None, text: str
) -> GdbStop:
    """Return what a ``*stopped`` record says.

    :param places: addresses of the breakpoint.
    :param text: what was printed on the way.
    """
    number = payload.get("syscall-number")
    return GdbStop(
        reason=str(payload.get("reason", "unknown")),
        thread=int(payload["thread-id"]) if str(payload.get("thread-id", "")).isdigit() else None,
        frame=frame,
        signal=payload.get("signal-name"),
        breakpoint=breakpoint_number,
        location=places.index(frame.pc) + 1 if frame is not None and frame.pc in places else None,
        exit_number=None if number is None else int(number),
        exit_code=_exit_code(payload),
        text=text,
        raw=payload,
    )


def _exit_code(payload: dict[str, Any]) -> int | None:
    if payload.get("reason") == "exited-normally":
        return 0
    return int(payload["exit-code"], 8) if "exit-code" in payload else None


def watchpoints_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the watchpoints that a record of MI names."""
    return [payload[key] for key in ("wpt", "hw-rwpt", "hw-awpt") if key in payload]


def frame_of(row: dict[str, Any] | None) -> Frame | None:
    """Return a frame of MI's; None: there is none in it."""
    if not row or "addr" not in row:
        return None
    address = row["addr"]
    return Frame(
        level=int(row.get("level", 0)),
        pc=int(address, 16) if address.startswith("0x") else 0,
        function=row.get("func") if row.get("func") != "??" else None,
        file=row.get("fullname", row.get("file")),
        line=int(row["line"]) if "line" in row else None,
    )


# What gdb says where it does not pass the server's reason on (gdbhv/monitor/why.py says which gdb does when).
_UNTOLD = re.compile(
    r"Cannot access memory at address 0x(?P<address>[0-9a-f]+)|Could not insert hardware|Unable to read memory"
)


def lacks_reason(said: str) -> bool:
    """Tell whether gdb has kept the server's reason to itself."""
    return _UNTOLD.search(said) is not None


def with_reason(said: str, refused: Sequence[str]) -> str:
    """Add the last of the server's reasons that is about the same address, if gdb names one."""
    found = _UNTOLD.search(said)
    address = None if found is None or found["address"] is None else int(found["address"], 16)
    numbers = [[int(number, 16) for number in re.findall(r"\b0x([0-9a-f]+)", why)] for why in refused]
    fitting = [why for why, its in zip(refused, numbers, strict=True) if address is None or address in its]
    return f"{said} ({fitting[-1]})" if fitting else said
