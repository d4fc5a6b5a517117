"""A CPU that takes the same exception again and again: a vector that faults, an abort that nobody repairs, an interrupt that
nobody takes away. The machine finds it (``Machine.take_loop``); here is what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.records import Repeated


@dataclass
class Looping:
    """What is done about a CPU that takes the same exception again and again: it is told once, and the run may stop."""

    stops: bool = False
    describe: Callable[[Repeated], str] = lambda found: f"CPU {found['cpu']} takes an exception at {found['pc']:#x} for ever"
    tell: Callable[[str], None] = lambda text: None

    def noticed(self, found: Repeated) -> str | None:
        """Tell what ``Machine.take_loop`` has found; return it if the run is to stop."""
        text = self.describe(found)
        self.tell(text)
        return text if self.stops else None
