"""How single steps treat interrupts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stepping:
    """How single steps treat the interrupts of the thread that is stepped.

    ``interrupts`` False leaves them pending until the thread runs on; each one that is held back is reported once.
    """

    interrupts: bool = True
    _told: set[Any] = field(default_factory=set)

    def text(self, thread: Any, held: str | None) -> str:
        """Return what to say at the end of a step in which an interrupt of kind ``held`` ("IRQ") was held back."""
        if held is None:
            self._told.discard(thread)
            return ""
        if thread in self._told:
            return ""
        self._told.add(thread)
        return f"{held} held back while stepping: it is taken when the thread runs on, or after `monitor step interrupts on`"
