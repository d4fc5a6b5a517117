"""``gdbhv s2 build``, ``gdbhv s2 check`` and ``gdbhv dump``: tables and dumps without a run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from gdbhv import building, dumps
from gdbhv.cli.saying import say
from gdbhv.cli.table_options import GRANULES
from gdbhv.errors import CommandError
from gdbhv.monitor import dumping, registry
from gdbhv.target import ThreadId
from gdbhv.views import stage2


def run(options: argparse.Namespace) -> int:
    """Do one of them; return the exit status."""
    if options.command == "dump":
        return _dump(options)
    return {"build": _build, "check": _check}[options.topic](options)


def _build(options: argparse.Namespace) -> int:
    text = sys.stdin.read() if options.spec == "-" else Path(options.spec).read_text(errors="replace")
    made = building.build(building.parse(text), options.at, GRANULES[options.granule], options.ipa_bits, options.pa_bits)
    data = building.as_c(made).encode() if options.format == "c" else made.data
    if options.output:
        Path(options.output).write_bytes(data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    say(f"{len(made.data):,} bytes for {made.root:#x}: VTTBR_EL2 = {made.vttbr:#x}, VTCR_EL2 = {made.vtcr:#x}")
    return 0


def _check(options: argparse.Namespace) -> int:
    memory = dumps.load(options.file, options.base)
    try:
        g = stage2.Geometry.of(options.vttbr, options.vtcr)
        found = dumping.Found(g, options, 0, g.last)
        for _ in found.look(memory.read):
            pass
    except (ValueError, IndexError) as e:
        raise CommandError(f"{options.file}: {e}") from None
    if options.json:
        print(json.dumps({"root": g.root, "granule": 1 << g.granule, **found.document(lambda ipa, pa: "")}))
    else:
        print(f"tables at {g.root:#x}, {g.ipa_bits}-bit IPA, {1 << g.granule >> 10} KiB granule, from level {g.start}")
        print("\n".join(found.lines(lambda ipa, pa: "")))
    return 1 if found.faulty else 0


def _dump(options: argparse.Namespace) -> int:
    text = Path(options.registers).read_text(errors="replace") if options.registers else ""
    machine, refused = dumps.machine(dumps.load(options.file, options.base), dumps.registers(text), options.cpu)
    for line in refused:
        say(line)
    run_one = registry.bind(machine)
    for command in options.commands or ["vcpus"]:
        for said in run_one(command, ThreadId(1, 1)):
            if said is not None:
                print(said)
    return 0
