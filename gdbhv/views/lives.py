"""The lives of virtual interrupts as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from gdbhv.tables import decode
from gdbhv.views.exits import named
from gdbhv.views.gic import interrupt_name
from gdbhv.views.table import table

if TYPE_CHECKING:
    from gdbhv.exits.lives import Life

STEPS = ("taken", "acknowledged", "ended")


def misr_text(misr: int) -> str:
    """Return which conditions assert the maintenance interrupt: ``EOI, U``."""
    return ", ".join(name for name, value in decode("ICH_MISR_EL2", misr).items() if value) or "none"


def lives_table(lives: Sequence[Life], vm_name: Callable[[int, int], str]) -> list[str]:
    """Return a line for each life: when it began, and how long each step took after the one before."""
    rows = []
    for life in lives:
        begin = life.begin
        assert begin is not None
        whose = f"{vm_name(life.vm, life.vmid)}/vcpu{life.vcpu}" if life.vm else f"VMID {life.vmid}"
        listed = life.took("pended", "listed")
        register = "" if life.register is None else f"LR{life.register}"
        more = f" ({life.listings} times)" if life.listings > 1 else ""
        notes = [] if life.state == "ended" else [life.state]
        notes += [f"maintenance: {misr_text(life.maintenance)}"] if life.maintenance is not None else []
        after = "" if life.after is None else named(life.after)
        rows.append(
            (
                interrupt_name(life.intid),
                whose,
                f"{begin.ns:,}",
                after,
                ("" if listed is None else f"+{listed:,} ") + register + more,
                *_steps(life),
                "; ".join(notes),
            )
        )
    return table(("interrupt", "of", "began at", "after", "listed", *STEPS, ""), rows, "llr")


def _steps(life: Life) -> list[str]:
    """Return the time that each step took since the last one that is known, with the instructions where it was one CPU's."""
    texts, before = [], "listed" if "listed" in life.steps else "pended"
    for name in STEPS:
        took, insns = life.took(before, name), life.executed(before, name)
        texts.append("" if took is None else f"+{took:,}" + ("" if insns in (None, took) else f" ({insns:,})"))
        before = name if name in life.steps else before
    return texts


def latency_table(rows: Iterable[tuple[str, str, str, Sequence[int]]]) -> list[str]:
    """Return distributions of nanoseconds: interrupt, first step, second step, sorted values."""
    lines = []
    for name, first, then, values in rows:
        at = [values[max(0, -(-len(values) * percent // 100) - 1)] for percent in (50, 95, 99)]
        numbers = (len(values), values[0], *at, values[-1])
        lines.append((name, f"{first} to {then}", *(f"{n:,}" for n in numbers)))
    return table(("interrupt", "ns from", "count", "min", "p50", "p95", "p99", "max"), lines, "llrrrrrr")
