"""The guest's terminal: what it keeps, where it goes, and what is typed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gdbhv.console import Console, open_console
from gdbhv.errors import GdbhvError


def test_text_is_kept_within_bounds() -> None:
    console = Console()
    for _ in range(40):
        console.write(b"x" * (Console.KEEP // 8))
    console.write(b"end")
    assert console.text.endswith(b"xend")
    assert len(console.text) <= 2 * Console.KEEP


def test_what_is_typed_waits_until_it_is_taken() -> None:
    console, told = Console(), []
    console.on_input = lambda: told.append(console.pending)
    assert console.take_input() == b""
    console.type(b"a")
    console.type(b"b")
    assert (told, console.take_input(), console.pending) == ([True, True], b"ab", False)


def test_a_descriptor_is_typed_until_it_ends() -> None:
    reader, writer = os.pipe()
    console = Console()
    with open(reader, "rb"), open(writer, "wb", buffering=0) as keyboard:
        console.read_from(reader)
        assert console.interactive
        keyboard.write(b"ls\r")
        keyboard.close()
        for _ in iter(lambda: console.interactive, False):  # the thread ends with the descriptor
            pass
    assert console.take_input() == b"ls\r"


def test_a_reader_that_goes_away_does_not_stop_the_guest() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as broken:
        console = Console(broken)
        console.write(b"one")
        console.write(b"two")
    assert console.text == b"onetwo"


def test_a_disk_that_is_full_is_said() -> None:
    with open_console("/dev/full") as console, pytest.raises(GdbhvError, match="No space left"):
        console.write(b"hello")


def test_a_file(tmp_path: Path) -> None:
    with open_console(str(tmp_path / "log")) as console:
        console.write(b"hello\n")
        assert (tmp_path / "log").read_bytes() == b"hello\n"
    with pytest.raises(GdbhvError, match=r"--console .*nowhere/log: No such file"):
        open_console(str(tmp_path / "nowhere" / "log"))
