"""Write lines for tests/isa/*.vec: random cases of the rows named, with QEMU's outcomes.

PYTHONPATH=.:tests python -m oracle.record --group addsub --count 3 >> tests/isa/addsub.vec
PYTHONPATH=.:tests python -m oracle.record --row LDP --count 10 --cpu neoverse-n1

Read what you keep: a line is a statement about the architecture, and QEMU is only the witness.
"""

from __future__ import annotations

import argparse
import random

from gdbhv import _core
from oracle import generate, qemu, vectors

ABORTS = (0x20, 0x21, 0x22, 0x24, 0x25, 0x26)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", help="rows of this group")
    parser.add_argument("--row", help="rows whose name begins so")
    parser.add_argument("--count", type=int, default=2, help="lines for each row (default: %(default)s)")
    parser.add_argument("--cpu", default="max", help="QEMU's -cpu (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--aborts", action="store_true", help="cases that end in an abort too")
    options = parser.parse_args()
    rows = [
        row
        for row in _core.instructions()
        if row["kind"] != "undefined" and options.group in (None, row["group"]) and row["name"].startswith(options.row or "")
    ]
    if not rows:
        parser.error("no row matches")
    rng = random.Random(options.seed)
    cases = []
    for row in rows:
        cases += [vectors.simplify(generate.case(rng, row["pattern"], 0, row["name"])) for _ in range(options.count)]
    # One by one: a line's case is alone in its batch, and nothing it could land on is another case.
    for case in cases:
        (outcome,) = qemu.run([case], options.cpu)
        if options.aborts or outcome.ec not in ABORTS:
            print(vectors.to_line(case, outcome))


if __name__ == "__main__":
    main()
