"""What was measured, and how it is shown: a table, Markdown, or JSON."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.rows import Benchmark, Sample

PEERS = ("QEMU", "icount")
NAMES = ("gdbhv", *PEERS)


@dataclass
class Result:
    """What the subjects reached in one benchmark, turn by turn; an error's text instead where one failed."""

    benchmark: Benchmark
    samples: dict[str, list[Sample]]
    errors: dict[str, str]

    def values(self, subject: str, *, wall: bool = False) -> list[float]:
        """Return the values of a subject; ``wall``: by the time on the wall, where the row goes by processor time."""
        return [s.wall if wall and s.wall is not None else s.value for s in self.samples.get(subject, [])]

    def median(self, subject: str, *, wall: bool = False) -> float | None:
        values = self.values(subject, wall=wall)
        return statistics.median(values) if values else None

    def ratio(self, peer: str, *, wall: bool = False) -> float | None:
        """Return gdbhv's median by the peer's."""
        ours, theirs = self.median("gdbhv", wall=wall), self.median(peer, wall=wall)
        return ours / theirs if ours is not None and theirs else None


def geometric_mean(results: Sequence[Result], peer: str, *, wall: bool = False) -> float | None:
    """Return that of the ratios of the rows that are speeds of guests."""
    ratios = [ratio for r in results if r.benchmark.guest_speed and (ratio := r.ratio(peer, wall=wall))]
    return statistics.geometric_mean(ratios) if ratios else None


def number(value: float) -> str:
    return f"{value:{',.0f' if value >= 100 else '.3g'}}"


def cell(result: Result, name: str, wall: bool) -> str:
    """Return the median and the range."""
    if name in result.errors:
        return "failed"
    values = result.values(name, wall=wall)
    if not values:
        return "-"
    spread = f" ({number(min(values))}..{number(max(values))})" if len(values) > 1 else ""
    return f"{number(statistics.median(values))} {result.benchmark.unit}{spread}"


def ratio_cell(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


HEADINGS = ("", "benchmark", *NAMES, *(f"/ {peer}" for peer in PEERS), "aim")


def lines(results: Sequence[Result], wall: bool) -> list[tuple[str, ...]]:
    """Return the cells of each line; the last has the geometric means, where a row is a speed of a guest."""
    shown = [
        (
            *(r.benchmark.name, r.benchmark.title),
            *(cell(r, name, wall) for name in NAMES),
            *(ratio_cell(r.ratio(peer, wall=wall)) for peer in PEERS),
            r.benchmark.aim,
        )
        for r in results
    ]
    means = [geometric_mean(results, peer, wall=wall) for peer in PEERS]
    if any(means):
        shown.append(("", "geometric mean of the guests' speeds", "", "", "", *map(ratio_cell, means), "1.5, 2.5"))
    return shown


def table(results: Sequence[Result], *, wall: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"medians (ranges) by {'time on the wall' if wall else 'processor time'}"
    shown = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        left = heading in ("", "benchmark", "aim")
        shown.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for line in lines(results, wall):
        shown.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 180).print(shown)


def markdown(results: Sequence[Result], *, wall: bool) -> str:
    """Return the table as the README has it: without names and aims, and without the ranges."""
    rows = [HEADINGS[1:-1], ("---", *["---:"] * (len(HEADINGS) - 3))]
    rows += [(line[1], *(c.partition(" (")[0] for c in line[2:-1])) for line in lines(results, wall)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(results: Sequence[Result]) -> str:
    rows = [
        {
            "name": r.benchmark.name,
            "group": r.benchmark.group,
            "title": r.benchmark.title,
            "unit": r.benchmark.unit,
            "values": {name: r.values(name) for name in r.samples},
            "wall": {name: r.values(name, wall=True) for name in r.samples},
            "median": {name: r.median(name) for name in r.samples},
            "ratio": {peer: r.ratio(peer) for peer in PEERS},
            "wall_ratio": {peer: r.ratio(peer, wall=True) for peer in PEERS},
            "errors": r.errors,
        }
        for r in results
    ]
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "geometric_mean": {peer: geometric_mean(results, peer) for peer in PEERS},
        "wall_geometric_mean": {peer: geometric_mean(results, peer, wall=True) for peer in PEERS},
        "rows": rows,
    }
    return json.dumps(document, indent=2)
