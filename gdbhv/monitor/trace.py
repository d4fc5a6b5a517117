"""``exits last`` and ``exits export``: what happened last between hypervisors and guests."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from gdbhv import files
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.exits import exitspec
from gdbhv.exits.records import ExitRecord, TraceEvent
from gdbhv.monitor.accounts import vm_names
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views import tracedat
from gdbhv.views.trace import chrome, ftrace, json_lines, trace_table

USUAL = 20  # events
UNKNOWN = ("va", "nv")  # filters that need more than the trace keeps
FORMATS = {".jsonl": "jsonl", ".json": "perfetto", ".txt": "ftrace", ".ftrace": "ftrace", ".dat": "trace-cmd"}
MAGIC = {"jsonl": b'{"seq"', "perfetto": b'{"displayTimeUnit"', "ftrace": b"# tracer", "trace-cmd": tracedat.MAGIC}


def events(context: Context, spec: Sequence[str]) -> list[TraceEvent]:
    """Return the events that are kept, of the VM that the command is for; with a specification only exits that match it.

    :raises gdbhv.errors.CommandError: the specification is malformed, or needs what is not kept.
    """
    kept = context.core.trace(context.core.trace_size)
    if context.only is not None:
        kept = [e for e in kept if e["vm"] == context.only.number]
    if not spec:
        return kept
    meant = exitspec.parse(" ".join(spec))
    if meant.condition or meant.entry or meant.once or meant.after or meant.every > 1 or meant.action != "stop":
        raise CommandError("only a class and filters choose among what is kept: the rest is for `monitor vmexit catch`")
    for key, _ in meant.filters:
        if key in UNKNOWN:
            raise CommandError(f"{key}=: the trace does not keep it; `monitor vmexit catch` knows it")
    vm = None if meant.vm is None else context.vm(meant.vm).number
    known = [e for e in kept if e["what"] == "exit" and vm in (None, e["vm"])]
    return [e for e in known if meant.matches(_record(e), meant.vm or "")]


def _record(e: TraceEvent) -> ExitRecord:
    """Return what a specification asks of an exit's record."""
    call = e["name"].partition(":")[0] in exitspec.CALLS
    number = e["name"].rpartition(".")[2].lstrip("abcdefghijklmnopqrstuvwxyz")
    record: dict[str, Any] = {**e, "args": [e["value"] or 0, 0, 0, 0], "ipa": None if call else e["value"]}
    record["intid"] = int(number) if e["class"] in ("irq", "fiq") and number.isdecimal() else None
    return cast("ExitRecord", record)


@command(
    "exits last",
    Arg("words", "how many (default: 20), and a specification as `vmexit catch` takes it", nargs="*"),
    JSON,
    help="show the last exits, entries and virtual interrupts",
    about="VM exits",
    more=lambda: [
        "The last 8,192 events are kept, always. `insns`: instructions of the CPU since its event before in the list.",
        "With a specification only exits are shown, and those that it means: exits last 50 dabt.*.w cpu=1.",
    ],
)
def last(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Show the newest one last."""
    words = list(args.words)
    count = int(words.pop(0)) if words and words[0].isdecimal() else USUAL
    shown = events(context, words)[-count:] if count else []
    if args.json:
        yield from to_json(shown)
    else:
        yield from trace_table(shown, vm_names(context.target))


@command(
    "exits export",
    Arg(
        "file",
        "where to, on the server's machine: .json (Perfetto), .jsonl (JSON lines), .txt (ftrace's text), .dat (trace-cmd)",
    ),
    Arg("words", "a specification, as `vmexit catch` takes it", nargs="*"),
    Arg("--format", "another format than the file's name says", choices=tuple(MAGIC)),
    help="write the trace of exits to a file, for Perfetto and other tools",
    about="VM exits",
    more=lambda: [
        "ui.perfetto.dev opens the file: a track for each vCPU and each CPU, arrows to virtual interrupts.",
        "`trace-cmd report` opens a .dat.",
        "A specification is for all formats but Perfetto: Perfetto's slices need all events.",
    ],
)
def export(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Write the whole file, or leave what stands there."""
    form = args.format or FORMATS.get(Path(args.file).suffix)
    if form is None:
        raise CommandError(f"{args.file}: which format? Its name may end in {', '.join(FORMATS)}; or say --format")
    if form == "perfetto" and args.words:
        raise CommandError(
            "a specification leaves exits without their entries: JSON lines and ftrace take one, Perfetto does not"
        )
    shown = events(context, args.words)
    names = vm_names(context.target)
    if form == "perfetto":
        data = json.dumps(chrome(shown, names)).encode()
    elif form == "trace-cmd":
        data = tracedat.trace_dat(shown, names)
    else:
        lines = json_lines(shown) if form == "jsonl" else ftrace(shown, names, context.core.trace_total)
        data = "".join(f"{line}\n" for line in lines).encode()
    try:
        with files.replaced(args.file, MAGIC[form]) as out:
            out.write(data)
    except OSError as e:
        raise CommandError(f"{args.file}: {e.strerror or e}") from None
    except GdbhvError as e:
        raise CommandError(str(e)) from None
    yield f"{len(shown):,} events in {args.file} ({form})"
