"""Semihosting calls, against a live QEMU: results, memory, files, what is printed, the exit status.

Not compared: whether the console is a terminal (to QEMU it is none here), and files to append to, whose ends QEMU 7.2 does
not look for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oracle import semihosting
from oracle.semihosting import Calls, listed

NOWHERE = 0x1000_0000_0000


def _console(c: Calls) -> None:
    c.direct(4, c.place(b"a text\n\0"))
    for letter in b"xyz\n":
        c.direct(3, c.place(bytes([letter])))
    block = c.words(0, c.place(b"by handle\n"), 10)
    c.open(":tt", 4, block)
    c.direct(5, block)
    c.direct(2, block)


def _files(c: Calls) -> None:
    write, length, close = c.words(0, c.place(b"0123456789"), 10), c.words(0), c.words(0)
    for block in (write, length, close):  # the same handle each time: nothing is closed between
        c.open("new.txt", 6, block)
    c.direct(5, write)
    c.direct(12, length)
    c.direct(2, close)
    c.direct(2, close)
    reads = [c.words(0, c.place(bytes(16)), n) for n in (4, 16, 0)]
    seek, other = c.words(0, 3), c.words(0)
    c.open("old.txt", 0, reads[0])
    c.direct(6, reads[0])
    c.direct(6, reads[0])
    c.open("old.txt", 0, reads[1])
    c.direct(6, reads[1])
    c.direct(6, reads[1])
    c.open("old.txt", 1, seek)
    c.direct(10, seek)
    c.open("old.txt", 1, other)
    c.direct(9, other)


def _wrong(c: Calls) -> None:
    c.open("missing.txt", 0)
    c.direct(0x13, 0)
    c.open("old.txt", 12)
    c.direct(2, c.words(77))
    c.direct(0x13, 0)
    c.direct(5, c.words(77, c.place(b"x"), 1))
    c.direct(6, c.words(77, c.place(b"x"), 1))
    c.direct(10, c.words(77, 0))
    c.direct(12, c.words(77))
    name = c.place(b"missing.txt\0")
    c.call(14, name, 11)
    c.call(15, name, 11, c.place(b"to.txt\0"), 6)


def _names(c: Calls) -> None:
    old, new = c.place(b"old.txt\0"), c.place(b"new.txt\0")
    c.call(15, old, 7, new, 7)
    c.open("new.txt", 0)
    c.call(14, new, 7)
    c.call(14, new, 7)


def _rest(c: Calls) -> None:
    c.call(8, -1)
    c.call(8, 5)
    c.direct(0x31, 0)
    features = c.words(0, c.place(bytes(16)), 5)
    c.open(":semihosting-features", 0, features)
    c.direct(6, features)


LISTS: dict[str, Callable[[Calls], None]] = {
    "the console": _console,
    "files": _files,
    "what is wrong": _wrong,
    "names": _names,
    "the rest": _rest,
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "ours", tmp_path / "theirs"
    for folder in made:
        folder.mkdir()
        (folder / "old.txt").write_bytes(b"an old file")
    return made


@pytest.mark.parametrize("name", LISTS)
def test_as_on_qemu(name: str, folders: tuple[Path, Path]) -> None:
    calls = Calls()
    LISTS[name](calls)
    calls.exit(7)
    ours, theirs = semihosting.on_gdbhv(calls, folders[0]), semihosting.on_qemu(calls, folders[1])
    opened = [n for n, call in enumerate(calls.calls[:-1]) if call[0] == 1 and not theirs.results[n] >> 63]
    for n in opened:  # handles are the host's to choose
        assert ours.results[n] >> 63 == 0
        ours.results[n] = theirs.results[n] = 0
        if not calls.calls[n][2]:
            continue
        at = calls.calls[n][2] - semihosting.DATA
        ours.memory, theirs.memory = (m[:at] + bytes(8) + m[at + 8 :] for m in (ours.memory, theirs.memory))
    for n, call in enumerate(calls.calls[:-1]):
        if call[0] in (3, 4):  # they return nothing
            ours.results[n] = theirs.results[n] = 0
    assert ours == theirs
    assert listed(folders[0]) == listed(folders[1])


@pytest.mark.parametrize(("reason", "status"), [(0x20026, 0), (0x20026, 42), (0x20023, 0)])
def test_the_exit_status(reason: int, status: int, folders: tuple[Path, Path]) -> None:
    calls = Calls().exit(status, reason)
    ours = semihosting.on_gdbhv(calls, None)
    assert ours.status == semihosting.on_qemu(calls, folders[1]).status
