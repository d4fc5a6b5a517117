"""The README's "To add one of a kind": rows that it shows are in their files, and the command that it adds works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

SECTION = (ROOT / "README.md").read_text().partition("### To add one of a kind\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```\w+\n(?://|#) (\S+)\n(.*?)^```", SECTION, re.S | re.M)
NEW = "gdbhv/monitor/hello.py"

# Shows the new command's help and its lines, in a process where its folder is a part of the package gdbhv.monitor.
TRY = """
import sys
import gdbhv.monitor
gdbhv.monitor.__path__.append(sys.argv[1])
from gdbhv.machine.machine import Machine
from gdbhv.monitor.registry import bind
run = bind(Machine(memory=1 << 20))
print(*run("help hello", None), *run("hel" + "lo", None), *run("hello --json", None), sep="\\n")
"""


def test_every_kind_has_an_example_but_guests() -> None:
    kinds = re.findall(r"^\*\*(.*?)\*\*", SECTION, re.M)
    assert len(kinds) == len(BLOCKS) + 1, "an example's first line names its file"
    assert kinds[-1] == "A guest"


def test_rows_are_in_their_files() -> None:
    for path, text in BLOCKS:
        assert path == NEW or text in (ROOT / path).read_text(), f"{path} does not have:\n{text}"


def test_files_are_there() -> None:
    for path in re.findall(r"`((?:gdbhv|guests|tests)/[\w/.]*)`", SECTION):
        assert (ROOT / path).exists(), path


def test_the_command_is_a_command(tmp_path: Path) -> None:
    """In one file, which nothing else names."""
    assert not (ROOT / NEW).exists()
    (tmp_path / "hello.py").write_text(dict(BLOCKS)[NEW])
    done = subprocess.run([sys.executable, "-c", TRY, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "hello [--json]: greet the VMs by name"
    assert lines[-2:] == ["hello, machine", '["machine"]']
