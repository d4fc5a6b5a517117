#!/usr/bin/env python3
"""Check the tree: format, lint, types, stub, Rust tests, Python tests. What a change must pass before it is committed.

    scripts/check.py                     everything, in the order of --list
    scripts/check.py --only lint,types   some steps (repeat the option, or separate by commas)
    scripts/check.py --fix               let the formatters and the linter mend what they can first

The tools come from the environment of the interpreter that runs this; `scripts/setup` makes one: .venv/bin/python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "gdbhv/core/Cargo.toml"


@dataclass(frozen=True)
class Step:
    """A check: its name, what it proves, its command, and the command that mends (if there is one)."""

    name: str
    purpose: str
    command: tuple[str, ...]
    fix: tuple[str, ...] | None = None


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def cargo(command: str, *arguments: str) -> tuple[str, ...]:
    return ("cargo", command, "--manifest-path", MANIFEST, *arguments)


STEPS = (
    Step("format", "Python is formatted", python("ruff", "format", "--check", "."), python("ruff", "format", ".")),
    Step("lint", "ruff has no complaint", python("ruff", "check", "."), python("ruff", "check", "--fix", ".")),
    Step("rustfmt", "Rust is formatted", cargo("fmt", "--all", "--check"), cargo("fmt", "--all")),
    Step("clippy", "clippy has no complaint", cargo("clippy", "--workspace", "--all-targets", "--", "-D", "warnings")),
    Step(
        "rustdoc",
        "links in Rust's documentation lead somewhere",
        cargo("doc", "--workspace", "--no-deps", "--document-private-items", "-q"),
    ),
    Step("types", "mypy --strict accepts the package", python("mypy")),
    Step("build", "the native module builds", ("scripts/build",)),
    Step("stub", "_core.pyi tells what _core has", python("mypy.stubtest", "gdbhv._core")),
    Step("rust-tests", "the crates' own tests pass", cargo("test", "--workspace", "--quiet")),
    Step("tests", "pytest passes", python("pytest", "-q")),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="STEP[,STEP]", help="run only these steps")
    parser.add_argument("--list", action="store_true", help="list the steps and their commands")
    parser.add_argument("--fix", action="store_true", help="mend first, where a tool can")
    return parser.parse_args(arguments)


def chosen(only: list[str] | None) -> list[Step]:
    """Return the steps to run, in their fixed order. Exits with the known names at an unknown one."""
    if not only:
        return list(STEPS)
    wanted = [name for group in only for name in group.split(",") if name]
    unknown = set(wanted) - {step.name for step in STEPS}
    if unknown:
        known = ", ".join(step.name for step in STEPS)
        sys.exit(f"check.py: no step named {', '.join(sorted(unknown))}; there are: {known}")
    return [step for step in STEPS if step.name in wanted]


def run(command: Sequence[str]) -> bool:
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
    except FileNotFoundError as error:
        print(f"check.py: {error.filename} is not installed; scripts/setup says what is needed", file=sys.stderr)
        return False


def main() -> int:
    options = parse()
    steps = chosen(options.only)
    if options.list:
        for step in steps:
            print(f"{step.name:12}{step.purpose:36}{' '.join(step.command).replace(sys.executable, 'python')}")
        return 0
    results = []
    for step in steps:
        print(f"== {step.name}: {' '.join(step.command)}", flush=True)
        start = time.monotonic()
        fixed = not options.fix or step.fix is None or run(step.fix)
        results.append((step, fixed and run(step.command), time.monotonic() - start))
    print("== summary")
    for step, passed, seconds in results:
        print(f"{'ok    ' if passed else 'FAILED'} {step.name:12}{seconds:7.1f} s")
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
