"""Files that say which exits a run has had: written once, looked at, and compared with from then on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from gdbhv.exits.records import TraceEvent


def line(event: TraceEvent) -> str:
    """Return the line of an event. Neither time nor addresses of code are in it, so that a rebuilt guest has the same."""
    value = "" if event["value"] is None else f" {event['value']:#x}"
    return f"cpu{event['cpu']} vm{event['vm']} vcpu{event['vcpu']} {event['what']} {event['name']}{value}"


def compare(path: Path, lines: Sequence[str], *, update: bool) -> str | None:
    """Compare lines with those of a file, and return the difference, None without one.

    :param update: write the file instead.
    """
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{one}\n" for one in lines))
        return None
    if not path.exists():
        return f"{path}: there is no such file; `pytest --gdbhv-update` writes it"
    before = path.read_text().splitlines()
    if before == list(lines):
        return None
    diff = list(difflib.unified_diff(before, lines, str(path), "this run", lineterm="", n=2))
    shown = diff[:60] + ([f"... and {len(diff) - 60} lines more"] if len(diff) > 60 else [])
    return "\n".join(["the exits are others (`pytest --gdbhv-update` writes the file anew):", *shown])
