"""README.md, typed: its shell lines into a real shell, its gdb lines into a real gdb, its programs into Python.

What it shows is compared line by line with what comes; a line ``...`` stands for any number of lines, and three dots in a
line for anything. A command of the text (`in backquotes`) is typed too, and must not fail. So a new sample is tested by
being there.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import ROOT
from e2e.debugged import GDBS
from gdbhv.client.launch import Started
from monitor.transcript import matches

# Examples for who works on gdbhv are tests/guards/test_handbook.py's.
README = (ROOT / "README.md").read_text().partition("### To add one of a kind")[0]
PROMPTS = ("$ ", "(gdb) ")
SESSION_PORT = "1234"
IMAGE = "guests/prebuilt/exit_zoo.elf"

# Not typed, with the reason.
ELSEWHERE = {
    "scripts/test": "this is part of it",
}


@dataclass
class Sample:
    """A prompt, what is typed there, and the lines that are shown after it."""

    prompt: str
    typed: str
    shown: list[str] = field(default_factory=list)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.S | re.M)


def samples(block: str) -> list[Sample]:
    found: list[Sample] = []
    for line in block.splitlines():
        prompt = next((p for p in PROMPTS if line.startswith(p)), None)
        if prompt is not None:
            found.append(Sample(prompt, re.sub(r"\s{2,}#.*", "", line.removeprefix(prompt))))
        else:
            found[-1].shown.append(line)
    return found


SHELL = [s for b in blocks("console") for s in samples(b) if s.prompt == "$ "]
GDB = [s for b in blocks("console") for s in samples(b) if s.prompt == "(gdb) "]
SERVER = next(s for s in SHELL if "--gdb" in s.typed)
PROSE = re.sub(r"^```.*?^```$", "", README.partition("<!-- commands -->")[0], flags=re.S | re.M)
MORE = re.sub(r"^```.*?^```$", "", README.partition("<!-- /commands -->")[2].partition("\n## What")[0], flags=re.S | re.M)
SPANS = [" ".join(span.split()) for text in (PROSE, MORE) for span in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text)]


def test_the_comparison_itself() -> None:
    assert matches(["a", "...", "z"], ["a", "b", "c", "z"])
    assert matches(["a", "..."], ["a"])
    assert matches(["x=... ns"], ["x=17 ns"])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["a", "..."], ["b"])
    assert not matches([], ["a"])
    assert len(GDB) >= 8
    assert len(SHELL) >= 7


def environment(**more: str) -> dict[str, str]:
    """A shell with the virtual environment's commands at hand, as ``. .venv/bin/activate`` makes it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path} | more


def free_port() -> str:
    """A port below those that systems give to whoever asks for any: nobody else gets it before it is used."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)


def moved(text: str, port: str) -> str:
    return re.sub(rf"\b{SESSION_PORT}\b", port, text)


def linked(folder: Path) -> Path:
    """Return ``folder`` with a link to all that is in the tree: what is written by name stays out of the tree."""
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)
    return folder


@contextmanager
def server(command: str) -> Iterator[tuple[str, list[str]]]:
    """Type the line that starts a server, at a port that is free; yields the port and what it said first."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            ["bash", "-c", f"exec {moved(command, port)}"],
            cwd=linked(Path(folder)),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        started = None
        try:
            started = Started(process)
            yield port, [started.ready]
        finally:
            process.kill()
            if started is not None:
                started.wait()  # or its readers would read from what is closed


class Gdb:
    """A gdb as ``gdbhv gdb`` starts it, at which somebody types."""

    def __init__(self, port: str, gdb: str, folder: Path) -> None:
        found = shutil.which(gdb)
        assert found is not None, f"{gdb} is missing"
        (folder / "gdb-multiarch").symlink_to(found)
        path = environment()["PATH"]
        self.process = subprocess.Popen(
            ["gdbhv", "gdb", port, "-ex", "set width 0"],
            cwd=ROOT,
            env=environment(PATH=f"{folder}:{path}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._answer()

    def _answer(self) -> list[str]:
        assert self.process.stdout is not None
        text = bytearray()
        while not (text.endswith(b"(gdb) ") and (len(text) == 6 or text[-7:-6] == b"\n")):
            byte = self.process.stdout.read(1)
            assert byte, f"gdb has ended: {text.decode()}"
            text += byte
        return text[:-6].decode().splitlines()

    def type(self, command: str) -> list[str]:
        """Return the lines that come after a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        return self._answer()

    def __enter__(self) -> Gdb:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.mark.parametrize("gdb", GDBS, ids=["debian", "newest"])
def test_the_session(gdb: str, tmp_path: Path) -> None:
    with server(SERVER.typed) as (port, said):
        assert matches([moved(line, port) for line in SERVER.shown], said), said
        with Gdb(port, gdb, tmp_path) as session:
            for sample in GDB:
                came = session.type(sample.typed)
                shown = sample.shown or ["...", ""][: bool(came)]
                assert matches(shown, came), "\n".join([f"(gdb) {sample.typed}", *came])


def shell_lines() -> list[str]:
    spans = [s for s in SPANS if s.startswith(("gdbhv run ", "gdbhv gdb ", "gdbhv qemu -"))]
    return [*(s.typed for s in SHELL if s is not SERVER), *(s for s in spans if SESSION_PORT not in s and " IMAGE" not in s)]


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in shell_lines() if line not in ELSEWHERE])
def test_a_line_of_a_shell(line: str, request: pytest.FixtureRequest) -> None:
    """Each ends by itself, and well; none of them shows what it prints."""
    if ".kit/" in line or "fetch" in line:
        assert request.getfixturevalue("kit").image.exists()
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert done.stdout


def test_what_is_not_typed_exists() -> None:
    for line in ELSEWHERE:
        assert os.access(ROOT / line, os.X_OK)
        assert line in [s.typed for s in SHELL]


# Commands of the text, typed in a session that stands at an exit of a hosted guest.
GDB_WORDS = (
    "p ",
    "p/",
    "x/",
    "set ",
    "watch ",
    "break ",
    "catch ",
    "monitor ",
    "info ",
    "frame ",
    "backtrace",
    "gdbhv walk",
)
MONITOR_WORDS = ("walk ", "x ", "s2 dump", "dump")
PLACES = {"break f ": "break main ", "help COMMAND": "help walk"}  # what stands for a name of the user's
REFUSED = {  # and the reason: what the text says of machines of another kind
    "monitor vmexit catch": "the following arguments are required",
    "monitor s2 dump --vmid 3": "no VM has VMID 3",
    "monitor vm name 2 domU1": "no VM '2'",
    "monitor walk vm:2 $pc": "no VM '2'",
    "monitor s2 dump vm:domU1": "no VM 'domU1'",
    "monitor x ipa:2:0x40000000": "no VM '2'",
    "monitor break-in any": "each breakpoint is of the VM",
    "frame guest": "guest",
    "monitor goto": "the following arguments are required",
    "monitor history fork": "this is the present",
    "monitor bundle FILE": "went on from a snapshot",
}


def gdb_commands() -> list[str]:
    found = [s for s in SPANS if s.startswith(GDB_WORDS)]
    found += [f"monitor {s}" for s in SPANS if s.startswith(MONITOR_WORDS) and not s.startswith("x/")]
    return sorted(found, key=lambda command: "reset" in command)  # what comes after that would find nothing


def test_commands_of_the_text_work(tmp_path: Path) -> None:
    failures = []
    with server(SERVER.typed) as (port, _), Gdb(port, GDBS[0], tmp_path) as session:
        session.type("monitor vmexit catch sysreg dir=w reg=ACTLR_EL1")
        session.type("continue")
        for command in gdb_commands():
            typed = command
            for place, value in PLACES.items():
                typed = typed.replace(place, value)
            came = session.type(f"python gdb.execute({typed!r}); print('typed')")
            if (came[-1:] == ["typed"]) == (command in REFUSED) or REFUSED.get(command, "") not in "\n".join(came):
                failures.append("\n".join([f"(gdb) {typed}", *came]))
    assert not failures, "\n".join(failures)
    assert set(REFUSED) <= set(gdb_commands()), "an exception that is not needed any more"
    assert len(gdb_commands()) >= 12


PROGRAMS = [b for b in blocks("python") if "def test_" not in b]
TESTS = [b for b in blocks("python") if "def test_" in b]


@pytest.mark.parametrize("tests", TESTS, ids=["in tests"])
def test_tests(tests: str, tmp_path: Path) -> None:
    (linked(tmp_path) / "test_sample.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", tmp_path, tmp_path / "test_sample.py"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=["by script", "as a library"])
def test_a_program(program: str) -> None:
    with server(SERVER.typed) as (port, _):
        done = subprocess.run(
            [sys.executable, "-c", moved(program, port)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
