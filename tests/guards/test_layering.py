"""Layers: which module may import which. Models never format, views never fetch, handlers never compute.

The table is the truth, and it is exact: an import that it does not have fails, and so does an entry that no import needs.
A unit is a file or a folder of gdbhv/. Imports for type checking count.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import _core, tables
from gdbhv.exits import exitspec
from gdbhv.monitor import helps

PACKAGE = ROOT / "gdbhv"

# unit: what it imports, the lowest layer first
LAYERS = {
    "errors": "",
    "tables": "_core errors",
    "exits": "_core errors tables",
    "files": "errors",
    "config": "_core errors",
    "drives": "config errors files",
    "image": "_core errors files",
    "console": "errors files",
    "views": "_core exits tables",
    "pages": "_core errors",
    "pace": "_core",
    "dropped": "",
    "translation": "_core errors tables",
    "snapshot": "_core drives errors files",
    "stepping": "",
    "target": "_core drives exits snapshot stepping tables translation",
    "queries": "_core errors tables target translation views",
    "catching": "_core exits tables target",
    "inputs": "_core errors target",
    "history": "console errors exits inputs pace snapshot target",
    "board": "_core config console errors files image inputs pace snapshot target",
    "machine": "_core board catching console drives errors exits inputs pace pages snapshot stepping tables target "
    "translation",
    "hv": "_core board catching config console drives dropped errors exits inputs pace pages snapshot stepping tables "
    "target translation",
    "boot": "_core board config console drives errors hv image machine snapshot tables",
    "building": "errors exits tables views",
    "dumps": "_core boot config errors machine",
    "reporting": "errors exits queries target views",
    "recording": "_core boot config console errors files history hv inputs machine target",
    "monitor": "_core errors exits files history hv queries recording snapshot tables target translation views",
    "rsp": "errors exits files history target",
    "client": "errors",
    "testing": "boot client config console errors exits hv machine monitor recording target",
    "gdbside": "",
    "cli": "_core board boot building client config console drives dumps errors exits files history hv image machine "
    "monitor recording reporting rsp snapshot tables target views",
    "__main__": "cli",
    "__init__": "boot client config console errors exits history hv machine recording snapshot target",
}

# What a unit may import of others' libraries; whoever is not named: the standard library only.
LIBRARIES = {
    "hv": {"msgspec"},
    "inputs": {"msgspec"},
    "recording": {"msgspec"},
    "image": {"construct", "elftools", "fdt"},
    "snapshot": {"construct"},
    "dumps": {"elftools"},
    "reporting": {"plotly"},
    "views": {"capstone"},
    "client": {"pygdbmi"},
    "gdbside": {"gdb"},
    "testing": {"pytest"},
}


def unit_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p.relative_to(PACKAGE).parts[0] != "core"]


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports; ``from gdbhv import x`` is gdbhv.x."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            whole = node.module == "gdbhv"
            found |= {f"gdbhv.{alias.name}" for alias in node.names} if whole else {str(node.module)}
    return found


def test_imports_are_those_of_the_table() -> None:
    actual: dict[str, set[str]] = {unit_of(path): set() for path in modules()}
    for path in modules():
        unit = unit_of(path)
        actual[unit] |= {name.split(".")[1] for name in imported(path) if name.startswith("gdbhv.")} - {unit}
    wanted = {unit: set(row.split()) for unit, row in LAYERS.items()}
    assert actual == wanted


def test_the_table_has_no_cycle() -> None:
    done = {"_core"}
    for unit, row in LAYERS.items():
        assert set(row.split()) <= done, f"{unit} imports what comes after it"
        done.add(unit)


def test_libraries_are_imported_where_the_table_says() -> None:
    for path in modules():
        others = {name.split(".")[0] for name in imported(path)} - {"gdbhv", "__future__"} - sys.stdlib_module_names
        assert others <= LIBRARIES.get(unit_of(path), set()), path


def test_views_are_pure() -> None:
    """They get data: of the native module they know the shapes only, under TYPE_CHECKING."""
    for path in (PACKAGE / "views").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            assert not (isinstance(node, ast.ImportFrom) and node.module == "gdbhv._core"), path


def test_files_are_short() -> None:
    """Some 400 lines; the entry goes when the file is shorter again."""
    longer = {"client/session.py": 570, "cli/options.py": 440, "inputs.py": 450}
    lines = {str(p.relative_to(PACKAGE)): len(p.read_text().splitlines()) for p in modules()}
    too_long = {name: n for name, n in lines.items() if n > 430}
    assert all(n <= longer.get(name, 0) for name, n in too_long.items()), too_long
    assert set(longer) <= set(too_long), "an allowance that is not needed any more"


@pytest.mark.parametrize("row", _core.exit_classes(), ids=lambda row: row["name"])
def test_each_exit_class_can_be_named_and_is_explained(row: _core.ExitClass) -> None:
    assert exitspec.parse(row["name"]).classes == {row["number"]}
    assert row["what"]
    assert row["kvm"]
    assert 0x1000 <= row["number"] < 0x1200


def test_aliases_lead_to_classes() -> None:
    assert set(exitspec.ALIASES.values()) <= set(tables.exit_classes())


def test_the_readmes_exit_specifications_and_filters_are_right() -> None:
    text = (ROOT / "README.md").read_text().partition("<!-- /commands -->")[2].partition("\n## ")[0]
    quoted = " ".join(text.split()).split("`")[1::2]
    filters = {word for span in quoted if span.endswith("=") for word in span.split()}
    specs = [span for span in quoted if not span.endswith("=")]
    assert filters == {f"{name}=" for name in (*exitspec.FILTERS, exitspec.VM)}
    assert len(specs) >= 5
    for spec in specs:
        exitspec.parse(spec)
    section = (ROOT / "README.md").read_text().partition("## Catchpoints")[2].partition("\n## ")[0]
    blocks = section.split("```")[1::2]
    longer = [re.split(r"\s{2,}", line)[0] for block in blocks for line in block.strip().splitlines()]
    assert len(longer) >= 10
    for spec in longer:
        exitspec.parse(spec)


def test_the_readme_has_the_table_of_commands() -> None:
    """Between ``<!-- commands -->`` and ``<!-- /commands -->`` stands what gdbhv.monitor.helps.reference() says."""
    text = (ROOT / "README.md").read_text()
    assert text.count("<!-- commands -->") == text.count("<!-- /commands -->") == 1, "README.md lacks its markers"
    section = text.partition("<!-- commands -->")[2].partition("<!-- /commands -->")[0]
    wanted = "\n".join(helps.reference())
    assert section.strip() == wanted, f"README.md's command reference is old; it should be:\n{wanted}"
