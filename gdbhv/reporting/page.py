"""A report as one HTML page: plotly's figures, and its script in the page, so that nothing is fetched when it is opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from gdbhv.errors import GdbhvError
from gdbhv.views.attributes import rwx, size
from gdbhv.views.exits import named

if TYPE_CHECKING:
    from gdbhv.reporting.collect import Report, VmReport

# Okabe and Ito's colours, which are told apart with all kinds of colour vision, on white and on black.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8AF29", "#888888")
CLASSES = len(COLOURS) - 1  # of exits that have a colour of their own
TOP = 15  # kinds of exits in a picture
MOST_RANGES = 40
PERMISSIONS = {"rwx": 5, "rw-": 0, "r-x": 2, "r--": 4}  # by colour

STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --back: #ffffff; --line: #c8c8c8; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e6e6; --back: #141414; --line: #484848; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back);
       max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.25rem; border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
h3 { font-size: 1rem; }
table { border-collapse: collapse; font-size: 0.87rem; }
th, td { padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.picture { margin: 0.5rem 0 1rem; overflow-x: auto; }
@media print {
  :root { --text: #000000; --back: #ffffff; --line: #bbbbbb; }
  body { max-width: none; margin: 0; }
  h2 { break-before: page; }
  h2:first-of-type { break-before: auto; }
  h3 { break-after: avoid; }
  .picture, table { break-inside: avoid; }
}
"""

# Figures take the page's colours: as it is shown, and on paper.
SCRIPT = """
function colours(paper) {
  const dark = !paper && matchMedia('(prefers-color-scheme: dark)').matches;
  const text = dark ? '#e6e6e6' : '#1a1a1a', line = dark ? '#484848' : '#d0d0d0';
  return Promise.all([...document.querySelectorAll('.js-plotly-plot')].map(p => {
    const change = {'font.color': text};
    for (const axis of Object.keys(p.layout).filter(k => /^[xy]axis/.test(k))) {
      change[axis + '.gridcolor'] = line; change[axis + '.zerolinecolor'] = line; change[axis + '.linecolor'] = line;
    }
    return Plotly.relayout(p, change);
  }));
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours(false));
addEventListener('beforeprint', () => colours(true));
addEventListener('afterprint', () => colours(false));
colours(false).then(() => { document.body.dataset.drawn = 'yes'; });
"""


def check() -> None:
    """Find out whether pages can be made. :raises gdbhv.errors.GdbhvError: plotly is not installed."""
    if importlib.util.find_spec("plotly") is None:
        raise GdbhvError("a report needs plotly: pip install 'gdbhv[report]'")


def html(report: Report) -> str:
    """Return the page. :raises gdbhv.errors.GdbhvError: plotly is not installed."""
    check()
    from plotly.offline import get_plotlyjs

    body = "\n".join((*_head(report), *(line for vm in report.vms for line in _vm(report, vm))))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(report.title)}</title>\n'
        f"<style>{STYLE}</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    kind = "hosted: gdbhv is the hypervisor" if report.hosted else "bare: the image owns the machine"
    yield f"<h1>{escape(report.title)}</h1>"
    cpus = ", ".join(f"{n:,}" for n in report.instructions)
    yield f"<p>A run on gdbhv ({kind}): {sum(report.instructions):,} instructions (by CPU: {cpus}), "
    yield f"{report.virtual_ns / 1e6:,.3f} ms of virtual time, {report.exits:,} exits.</p>"
    rows = [(vm.name, vm.vmid, vm.vcpus, f"{sum(a.count for a in vm.exits.values()):,}") for vm in report.vms]
    yield _table(("VM", "VMID", "vCPUs", "exits"), rows, "lrrr")
    if not report.vms:
        yield "<p>No VM has run.</p>"


def _vm(report: Report, vm: VmReport) -> Iterator[str]:
    yield f"<h2>{escape(vm.name)}</h2>"
    yield "<h3>Exits over time</h3>"
    if vm.timeline:
        part = "" if report.traced == report.events else f": the last {report.traced:,} of {report.events:,} events"
        yield _picture(_timeline(report, vm), f"Exits of {vm.name} by class, in parts of virtual time{part}")
    else:
        yield "<p>The trace has none.</p>"
    yield "<h3>Top exits</h3>"
    yield _picture(_top(report, vm), f"Top exits of {vm.name}")
    own = () if report.hosted else ("hypervisor's instructions, p50", "p99", "in all")
    yield _table(("exit", "count", *own), list(_exit_rows(report, vm)), "lrrrr"[: 2 + len(own)])
    yield "<h3>Virtual interrupts</h3>"
    if vm.interrupts:
        yield _picture(_interrupts(vm), f"Virtual interrupts of {vm.name}: nanoseconds from one step to the next")
        yield _table(("interrupt", "from", "to", "count", "p50 ns", "max ns"), list(_interrupt_rows(vm)), "lllrrr")
    else:
        yield "<p>The trace has none.</p>"
    yield "<h3>Stage 2</h3>"
    if vm.ranges:
        yield _picture(_stage2(vm), f"Stage 2 of {vm.name}: ranges by IPA, size and permissions")
        yield _table(("IPA", "PA", "size", "permissions", "memory"), list(_range_rows(vm)), "llrll")
    if vm.unmapped is not None:
        yield f"<p>{escape(vm.unmapped)}</p>"


def _timeline(report: Report, vm: VmReport) -> Any:
    from plotly import graph_objects as go

    names = list(vm.timeline)
    shown = {name: vm.timeline[name] for name in names[:CLASSES]}
    if names[CLASSES:]:
        shown["others"] = [sum(column) for column in zip(*(vm.timeline[n] for n in names[CLASSES:]), strict=True)]
    width = report.bins[1] - report.bins[0]
    bars = [
        go.Bar(x=report.bins, y=counts, name=name, marker_color=COLOURS[n], width=width, offset=0)
        for n, (name, counts) in enumerate(shown.items())
    ]
    return _figure(bars, "virtual time, ms", "exits", height=320, barmode="stack", bargap=0)


def _top(report: Report, vm: VmReport) -> Any:
    from plotly import graph_objects as go

    top = list(vm.exits.items())[:TOP][::-1]
    labels = [named(name) for name, _ in top]
    counts = go.Bar(
        y=labels,
        x=[a.count for _, a in top],
        orientation="h",
        name="exits",
        marker_color=COLOURS[0],
        texttemplate="%{x:,}",
        textposition="outside",
        cliponaxis=False,
    )
    return _figure([counts], "exits", "", height=90 + 24 * len(top), xtype="log")


def _interrupts(vm: VmReport) -> Any:
    from plotly import graph_objects as go

    steps = list(dict.fromkeys(f"{first} to {then}" for _, first, then, _ in vm.interrupts))
    names = list(dict.fromkeys(name for name, *_ in vm.interrupts))
    boxes = []
    for n, name in enumerate(names):
        own = {f"{first} to {then}": values for of, first, then, values in vm.interrupts if of == name}
        x = [max(ns, 1) for step in steps for ns in own.get(step, [])]
        y = [step for step in steps for _ in own.get(step, [])]
        colour = COLOURS[n % len(COLOURS)]
        boxes.append(go.Box(x=x, y=y, name=name, orientation="h", marker_color=colour, boxpoints="outliers"))
    height = 120 + 26 * len(steps) * max(1, len(names))
    return _figure(boxes, "virtual ns (0 is shown as 1)", "", height=height, xtype="log", boxmode="group")


def _stage2(vm: VmReport) -> Any:
    from plotly import graph_objects as go

    shown = vm.ranges[:MOST_RANGES][::-1]
    bars = []
    for permission in dict.fromkeys(_permission(r.attributes) for r in shown):
        own = [r for r in shown if _permission(r.attributes) == permission]
        bars.append(
            go.Bar(
                y=[f"{r.ipa:#x}" for r in own],
                x=[r.size for r in own],
                orientation="h",
                name=permission,
                marker_color=COLOURS[PERMISSIONS.get(permission, 7)],
                text=[size(r.size) for r in own],
                textposition="outside",
                cliponaxis=False,
                hovertext=[f"IPA {r.ipa:#x} to PA {r.pa:#x}, {size(r.size)}, {r.attributes['memory']}" for r in own],
                hoverinfo="text",
            )
        )
    order = [f"{r.ipa:#x}" for r in shown]
    figure = _figure(bars, "bytes", "first IPA", height=110 + 22 * len(shown), xtype="log", barmode="overlay")
    figure.update_yaxes(categoryorder="array", categoryarray=order, type="category")
    return figure


def _permission(attributes: dict[str, object]) -> str:
    return rwx(attributes)[:3]


def _figure(traces: Sequence[Any], x: str, y: str, *, height: int, xtype: str = "linear", **layout: Any) -> Any:
    from plotly import graph_objects as go

    figure = go.Figure(list(traces))
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 10, "r": 60, "t": 30, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        showlegend=len(figure.data) > 1,
        **layout,
    )
    figure.update_xaxes(title=x, type=xtype, automargin=True, showgrid=True, dtick=1 if xtype == "log" else None)
    figure.update_yaxes(title=y, automargin=True)
    return figure


def _picture(figure: Any, text: str) -> str:
    inner = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True})
    return f'<div class="picture" role="img" aria-label="{escape(text, quote=True)}">{inner}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], align: str) -> str:
    if not rows:
        return ""
    classes = ["" if a == "l" else ' class="n"' for a in align]
    top = "".join(f"<th{c}>{escape(h)}</th>" for h, c in zip(head, classes, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{c}>{escape(str(v))}</td>" for v, c in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _exit_rows(report: Report, vm: VmReport) -> Iterator[tuple[str, ...]]:
    for name, a in list(vm.exits.items())[:TOP]:
        h = a.host
        times = () if report.hosted else (f"{h.percentile(50):,}", f"{h.percentile(99):,}", f"{h.total:,}")
        yield (named(name), f"{a.count:,}", *times)


def _interrupt_rows(vm: VmReport) -> Iterator[tuple[str, ...]]:
    for name, first, then, values in vm.interrupts:
        middle = values[(len(values) - 1) // 2]
        yield (name, first, then, f"{len(values):,}", f"{middle:,}", f"{values[-1]:,}")


def _range_rows(vm: VmReport) -> Iterator[tuple[str, ...]]:
    for r in vm.ranges[:MOST_RANGES]:
        yield (
            f"{r.ipa:#x}-{r.ipa + r.size - 1:#x}",
            f"{r.pa:#x}",
            size(r.size),
            rwx(r.attributes),
            str(r.attributes["memory"]),
        )
    if len(vm.ranges) > MOST_RANGES:
        yield (f"and {len(vm.ranges) - MOST_RANGES:,} more ranges", "", "", "", "")
