"""``gdbhv cpus``: which CPUs ``--cpu`` can name, and how they differ."""

from __future__ import annotations

import argparse
import json

from gdbhv import _core
from gdbhv.views import cpus


def show(options: argparse.Namespace) -> int:
    """Print the named profiles, or all of them; return the exit status."""
    features = dict(_core.profiles())
    chosen = options.names or list(features)
    reset = {name: {r["name"]: r["reset"] for r in _core.registers(name)} for name in chosen}
    documents = [cpus.document(name, features[name], reset[name]) for name in chosen]
    if options.json:
        print(json.dumps(documents))
    else:
        print("\n".join(cpus.compare(documents)))
    return 0
