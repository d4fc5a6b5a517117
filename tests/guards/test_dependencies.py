"""What the package imports is what pyproject.toml declares, no less and no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DISTRIBUTION = {"elftools": "pyelftools"}  # import name to distribution, where they differ
GDB = "gdb"  # GDB's own module, inside GDB
PYTEST = "pytest"  # whose plugin is imported by it alone


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_imports_are_declared_and_declarations_are_used() -> None:
    # The scripts that the README names run with the package's dependencies alone.
    files = [*(ROOT / "gdbhv").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
    used = set().union(*(imported(path) for path in files if "target" not in path.parts))
    third_party = used - set(sys.stdlib_module_names) - {"gdbhv", "benchmarks", "scripts", GDB, PYTEST}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["report"]]
    assert {DISTRIBUTION.get(name, name) for name in third_party} == {re.split(r"[<>=~ ]", each)[0] for each in declared}
