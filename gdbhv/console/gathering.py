"""What guests send byte by byte, passed on in larger pieces: passing one byte on costs more than the exit that sent it."""

from __future__ import annotations

from collections.abc import Sequence

from gdbhv.console.stream import Console

CHUNK = 20_000_000  # nanoseconds of virtual time after which the beginning of a line is passed on at the latest
LOOKS = 4  # exits in a row that send nothing, after which it is passed on too
FOREVER = (1 << 64) - 1


class Gathering:
    """The consoles of a host's VMs; while it is entered, they gather what is written (:attr:`Console.gathers`)."""

    def __init__(self, consoles: Sequence[Console]) -> None:
        self.consoles = consoles
        self._held, self._looks = 0, 0  # bytes that were held at the last exit, and for how many exits

    def __enter__(self) -> None:
        for console in self.consoles:
            console.gathers = True

    def __exit__(self, *_: object) -> None:
        for console in self.consoles:
            console.gathers = False
        self.pass_on()

    def pass_on(self) -> None:
        """Pass on what guests have sent."""
        for console in self.consoles:
            console.pass_on()

    def until(self, now: int) -> int:
        """Return when what guests have sent is to be passed on, in virtual time; at once, if they only look at devices."""
        held = sum([console.held for console in self.consoles])
        self._looks = self._looks + 1 if held == self._held else 0
        self._held = held
        if self._looks >= LOOKS:
            self.pass_on()
            held = 0
        return now + CHUNK if held else FOREVER
