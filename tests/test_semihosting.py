"""Semihosting: what of the user's files a guest reaches, typing, snapshots, recordings, debuggers, and the command line.

Oracle: Arm, "Semihosting for AArch32 and AArch64"; tests/oracle/test_semihosting.py compares with QEMU.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import boot
from gdbhv.config import RAM, BootConfig
from gdbhv.console import Console
from gdbhv.errors import ConfigError, StateError
from gdbhv.target import Action, Space, StopKind, ThreadId
from oracle import listing, semihosting
from oracle.semihosting import DATA, ENTRY, Calls, listed, machine, on_gdbhv

CPU = ThreadId(1, 1)
FAILED = (1 << 64) - 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    (made / "inner").mkdir(parents=True)
    (made / "old.txt").write_bytes(b"an old file")
    (tmp_path / "secret.txt").write_bytes(b"nothing for guests")
    (made / "link.txt").symlink_to(tmp_path / "secret.txt")
    (made / "way-out").symlink_to(tmp_path)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "inner/../../secret.txt",
        "link.txt",
        "way-out/secret.txt",
        "/etc/passwd",
        "",
        ".",
        "..",
        "inner",
        "x/",
    ],
)
def test_a_guest_stays_in_the_folder(folder: Path, name: str) -> None:
    before = listed(folder.parent.joinpath("files", "inner"))
    calls = Calls()
    for mode in (0, 2, 4, 6, 8):
        calls.open(name, mode)
    at = calls.place(name.encode() + b"\0")
    calls.call(14, at, len(name))
    calls.call(15, calls.place(b"old.txt\0"), 7, at, len(name))
    results = on_gdbhv(calls.exit(), folder).results
    removed = name == "link.txt"  # the link itself is in the folder
    assert results[:5] == [FAILED] * 5
    assert results[5] == (0 if removed else FAILED)
    assert (folder.parent / "secret.txt").read_bytes() == b"nothing for guests"
    assert listed(folder / "inner") == before


def test_without_a_folder_there_are_no_files() -> None:
    calls = Calls()
    calls.open("old.txt", 0)
    calls.direct(0x13, 0)
    calls.open(":tt", 4)
    assert on_gdbhv(calls.exit(), None).results == [FAILED, 13, 2]  # EACCES


def test_a_file_is_appended_to(folder: Path) -> None:
    calls = Calls()
    append = calls.words(0, calls.place(b" and more"), 9)
    calls.open("old.txt", 8, append)
    calls.direct(5, append)
    assert on_gdbhv(calls.exit(), folder).results[1] == 0
    assert (folder / "old.txt").read_bytes() == b"an old file and more"


def test_time_is_virtual_and_the_line_is_told() -> None:
    calls = Calls()
    elapsed = calls.words(0)
    block = calls.words(calls.place(bytes(64)), 64)
    calls.direct(0x10, 0)
    calls.direct(0x11, 0)
    calls.direct(0x30, elapsed)
    calls.direct(0x15, block)
    calls.call(0x16, calls.words(1, 1, 1, 1))
    calls.direct(0x12, block)
    runs = [on_gdbhv(calls.exit(), None) for _ in range(2)]
    assert runs[0].results == [0, 1767225600, 0, 0, 0, FAILED]
    assert 0 < int.from_bytes(runs[0].memory[elapsed - DATA :][:8], "little") < 100
    assert runs[0].memory[: elapsed - DATA + 8] == runs[1].memory[: elapsed - DATA + 8], "the same twice"


def test_what_is_typed_is_read_and_waited_for() -> None:
    calls = Calls()
    read = calls.words(0, calls.place(bytes(8)), 3)
    calls.open(":tt", 0, read)
    calls.direct(7, 0)
    calls.direct(6, read)
    calls.direct(7, 0)
    console = Console()
    console.interactive = True
    made = machine(calls.exit(), None, console)
    assert made.run_all(1000).kind is StopKind.BUDGET
    count = sum(made.core.insns)
    assert made.run_all(1000).kind is StopKind.BUDGET
    assert sum(made.core.insns) == count, "nothing executes meanwhile"
    console.type(b"ab")
    assert made.run_all(1000).kind is StopKind.BUDGET
    console.type(b"c")
    console.interactive = False
    assert made.run_all().kind is StopKind.POWEROFF
    results = [int.from_bytes(made.core.read_pa(semihosting.RESULTS + 8 * n, 8), "little") for n in range(4)]
    assert results == [1, ord("a"), 2, ord("c")]


def test_nobody_types() -> None:
    calls = Calls()
    read = calls.words(0, calls.place(bytes(8)), 3)
    calls.open(":tt", 0, read)
    calls.direct(6, read)
    calls.direct(7, 0)
    assert on_gdbhv(calls.exit(), None).results == [1, 3, FAILED]


@pytest.fixture
def reader(folder: Path) -> Calls:
    """Reads old.txt in two calls, and writes to a new file."""
    calls = Calls()
    reads = [calls.words(0, calls.place(bytes(8)), 5) for _ in range(2)]
    write = calls.words(0, calls.place(b"new"), 3)
    calls.open("old.txt", 0, reads[0])
    calls.direct(6, reads[0])
    calls.open("new.txt", 6, write)
    calls.direct(5, write)
    calls.direct(5, write)
    calls.direct(6, calls.words(5, DATA + 0x1000, 6))
    return calls.exit(3)


def test_a_snapshot_goes_on_where_its_files_were(reader: Calls, folder: Path, tmp_path: Path) -> None:
    made = machine(reader, folder)
    made.run_all(20)
    path = tmp_path / "way.snap"
    before = made.snapshot("way")
    before.write(path)
    assert made.run_all().code == 3
    rest = made.core.read_pa(DATA + 0x1000, 6)
    assert (rest, (folder / "new.txt").read_bytes()) == (b"d file", b"newnew")
    before.restore()
    assert made.run_all().code == 3
    assert made.core.read_pa(DATA + 0x1000, 6) == rest
    with pytest.raises(StateError, match="its guest uses semihosting: --semihosting, with the same folder"):
        boot.resumed(path)
    host = boot.semihosting_of(BootConfig(semihosting=str(folder)))
    there = boot.resumed(path, semihosting=host)
    assert there.run_all().code == 3
    (folder / "old.txt").unlink()
    with pytest.raises(StateError, match=r"old\.txt, which the guest had open, cannot be opened again"):
        boot.resumed(path, semihosting=boot.semihosting_of(BootConfig(semihosting=str(folder))))


def test_a_debugger_steps_over_a_call(reader: Calls, folder: Path) -> None:
    made = machine(reader, folder)
    calls = 0
    for _ in range(8):
        before = made.read_register(CPU, "pc")
        stop = made.run([Action(CPU, step=True)])
        assert stop.kind is StopKind.STEP
        assert made.read_register(CPU, "pc") == before + 4
        calls += before == ENTRY + 20
    assert (calls, sum(made.core.insns)) == (1, 8)
    assert made.read_memory(CPU, semihosting.RESULTS, 8, Space.PA) == (5).to_bytes(8, "little")
    made.semihosting.close()  # type: ignore[union-attr]


def test_at_el0_the_instruction_is_undefined() -> None:
    made = machine(Calls().exit(), None)
    made.write_register(CPU, "cpsr", 0x3C0)
    made.write_register(CPU, "VBAR_EL1", RAM + 0x10_0000)
    made.run_all(6)
    assert made.read_register(CPU, "ESR_EL1") >> 26 == 0


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        boot.bare(BootConfig(semihosting=str(tmp_path / "nowhere")))
    with pytest.raises(ConfigError, match="a hosted VM has none"):
        boot.hosted(BootConfig(semihosting=""))


# --- on the command line


def run(*arguments: object, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gdbhv", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, input=typed, timeout=60, check=False)


@pytest.fixture
def image(reader: Calls, tmp_path: Path) -> Path:
    path = tmp_path / "reader.bin"
    path.write_bytes(reader.image())
    return path


MACHINE = ("--bare", "--memory", listing.RAM_SIZE, "--load-address", "0x40000000", "--entry", "0x40200000")


def test_the_status_is_the_guests(image: Path, folder: Path) -> None:
    done = run(*MACHINE, f"--semihosting={folder}", image)
    assert (done.returncode, b"with status 3" in done.stderr) == (3, True)
    assert (folder / "new.txt").read_bytes() == b"newnew"
    assert run(*MACHINE, "--semihosting", image).returncode == 3, "what follows the option is no folder"
    assert run("--semihosting", image).returncode == 2


def test_a_replay_needs_no_files(image: Path, folder: Path, tmp_path: Path) -> None:
    recording = tmp_path / "files.rec"
    assert run(*MACHINE, f"--semihosting={folder}", image, "--record", recording).returncode == 3
    shutil.rmtree(folder)
    done = run("--replay", recording)
    assert (done.returncode, b"the same" in done.stderr) == (0, True), done.stderr
    assert not folder.exists()


def test_typing_is_recorded(tmp_path: Path) -> None:
    calls = Calls()
    for _ in range(6):
        calls.direct(7, 0)
    path = tmp_path / "typed.bin"
    path.write_bytes(calls.exit().image())
    recording = tmp_path / "typed.rec"
    done = run(*MACHINE, "--semihosting", path, "--record", recording, typed=b"abc")
    assert done.returncode == 0, done.stderr
    done = run("--replay", recording)
    assert (done.returncode, b"the same" in done.stderr) == (0, True), done.stderr
