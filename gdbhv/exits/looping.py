"""The reaction to a CPU that takes the same exception again and again: a vector that faults, an abort whose cause stays, an
interrupt that nobody clears. The machine detects it (``Machine.take_loop``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.exits.records import Repeated


@dataclass
class Looping:
    """The reaction to a CPU that takes the same exception again and again: one message, and the run may stop."""

    stops: bool = False
    describe: Callable[[Repeated], str] = lambda found: f"CPU {found['cpu']} takes an exception at {found['pc']:#x} for ever"
    tell: Callable[[str], None] = lambda text: None

    def noticed(self, found: Repeated) -> str | None:
        """Report what ``Machine.take_loop`` has found; return it if the run is to stop."""
        text = self.describe(found)
        self.tell(text)
        return text if self.stops else None
