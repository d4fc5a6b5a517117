"""The guest's terminal: what it keeps, where it goes, and what is typed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gdbhv.console import Console, open_console, places
from gdbhv.console.keys import HELP, Keys
from gdbhv.console.places import Pty, Socket
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


KEYS = [  # typed; to the guest; ends; lines for the person
    (b"ls\r\x03", b"ls\r\x03", 0, 0),
    (b"\x01x", b"", 1, 0),
    (b"a\x01cb", b"a\x03b", 0, 0),
    (b"\x01\x01x", b"\x01x", 0, 0),
    (b"\x01a", b"\x01", 0, 0),
    (b"\x01h.\x01?.", b"..", 0, 2),
]


@pytest.mark.parametrize(("typed", "guest", "ends", "lines"), KEYS)
def test_what_follows_ctrl_a_is_not_the_guests(typed: bytes, guest: bytes, ends: int, lines: int) -> None:
    """In one piece or byte by byte."""
    for pieces in ([typed], [bytes([b]) for b in typed]):
        ended: list[None] = []
        said: list[str] = []
        keys = Keys(lambda ended=ended: ended.append(None), said.append)  # type: ignore[misc]
        assert b"".join(keys(p) for p in pieces) == guest
        assert (len(ended), said) == (ends, [HELP] * lines)


def wait_for_input(console: Console) -> bytes:
    for _ in iter(lambda: console.pending, True):
        pass
    return console.take_input(17, 5)


def test_a_terminal_of_its_own() -> None:
    with open_console("pty") as console:
        assert isinstance(console, Pty)
        assert console.personal
        with open(console.path, "r+b", buffering=0) as terminal:
            console.write(b"hello\r\n")
            assert terminal.read(7) == b"hello\r\n"
            terminal.write(b"ls\r")
            assert wait_for_input(console) == b"ls\r"
            assert [(t.now, t.insns, t.data) for t in console.entered] == [(17, 5, b"ls\r")]
        console.write(b"x" * 1_000_000)  # nobody reads, and nobody waits


def test_a_socket_has_one_client_after_the_other(tmp_path: Path) -> None:
    path = str(tmp_path / "console")
    with open_console(f"unix:{path}") as console:
        assert isinstance(console, Socket)
        console.write(b"before")
        for text in (b"one", b"two"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                assert client.recv(6, socket.MSG_WAITALL) == b"before"
                client.sendall(text)
                assert wait_for_input(console) == text
                console.write(b"now")
                assert client.recv(3, socket.MSG_WAITALL) == b"now"
            for _ in iter(lambda: console._client, None):
                pass
            console.write(b"before")
    assert not os.path.exists(path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(GdbhvError, match="stays"):
        open_console(f"unix:{tmp_path / 'file'}")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_socket_whose_client_does_not_read_is_let_go_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(places, "PATIENCE", 0.01)
    path = str(tmp_path / "console")
    with open_console(f"unix:{path}") as console, socket.socket(socket.AF_UNIX) as client:
        assert isinstance(console, Socket)
        client.connect(path)
        while console._client is None:
            pass
        while console._client is not None:  # more than the socket takes
            console.write(b"x" * 100_000)
    assert caplog.messages == ["the console: the client has read nothing for 0 s, and is let go"]


def test_what_never_ends_is_read_as_far_as_the_guest_follows() -> None:
    """``yes | gdbhv run ...`` with a guest that reads nothing at first: memory is bounded, and nothing is lost."""
    with open("/dev/zero", "rb") as endless, Console() as console:
        console.read_from(endless.fileno())
        most = Console.AHEAD + 4096
        for taken in range(1, 4):
            while len(console._input) <= Console.AHEAD:
                pass
            assert len(console.take_input()) <= most
            console.waiting = 0
            assert taken * Console.AHEAD < sum(len(t.data) for t in console.entered) <= taken * most
        console.waiting = most
        console.take_input()
        while len(console._input) > 4096:
            console.take_input()
        assert len(console._input) <= 4096, "what is in the UART counts"


def test_lines_of_several_have_their_names() -> None:
    console = Console()
    a, b = console.named("a"), console.named("b")
    for byte in b"one\r\n\r\nt":
        a(bytes([byte]))
    b(b"x\ny")
    a(b"wo\n")
    assert console.text == b"a| one\r\n\r\na| t\nb| x\nb| y\na| wo\n"


def test_what_is_gathered_is_passed_on_by_lines() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as end, open(writer, "wb", buffering=0) as output:
        console = Console(output)
        console.gathers = True
        for byte in b"one\ntw":
            console.write(bytes([byte]))
        assert (end.read(100), console.text, console.held) == (b"one\n", b"one\ntw", 2)
        console.pass_on()
        assert (end.read(100), console.held) == (b"tw", 0)
        console.write(b"x" * Console.MOST_GATHERED)
        assert len(end.read(2 * Console.MOST_GATHERED)) == Console.MOST_GATHERED
