"""Files that users name: what may be read, what may be overwritten, and what is said of the rest.

Oracle: the contract in ``gdbhv/files.py``.
"""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import boot, files, image
from gdbhv.console import open_console
from gdbhv.errors import GdbhvError, ImageError
from gdbhv.rsp.transport import Address, listen

MIB = 1 << 20
HELLO = Path(__file__).resolve().parent.parent / "guests" / "prebuilt" / "hello.elf"


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """One of each kind, by its name."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 1 << 40)
    (tmp_path / "text").write_bytes(b"precious\n")
    names = ("fifo", "socket", "sparse", "text", "nothing")
    return {"": "", "directory": str(tmp_path), "zero": "/dev/zero", **{name: str(tmp_path / name) for name in names}}


REFUSED = {
    "": "this is empty",
    "directory": "Is a directory",
    "zero": "a character device: a regular file is needed",
    "fifo": "a FIFO: a regular file is needed",
    "socket": "a socket: a regular file is needed",
    "sparse": "longer than the machine's memory, 65,536 KiB: a machine with more memory takes it",
    "nothing": "No such file",
}


@pytest.mark.parametrize("place", REFUSED)
@pytest.mark.parametrize("option", ["image", "initrd", "load", "dtb"])
def test_what_cannot_be_read_is_said_before_it_is_read(option: str, place: str, places: dict[str, str]) -> None:
    path = places[place]
    config = boot.BootConfig(image=HELLO, memory=64 * MIB)
    setattr(config, option, [(path, 0x41000000)] if option == "load" else path)
    reason = REFUSED[place] if option != "dtb" or place != "sparse" else "longer than a device tree"
    with pytest.raises(ImageError, match=reason):
        boot.layout(config, psci="hvc")


def test_a_file_as_long_as_memory_allows(tmp_path: Path) -> None:
    (path := tmp_path / "raw").write_bytes(bytes(MIB))
    assert len(image.read_raw(path, MIB)) == MIB
    with pytest.raises(ImageError, match=r"memory, 1,023 KiB"):
        image.read_raw(path, MIB - 1024)
    with pytest.raises(ImageError, match="memory, 64 KiB"):
        image.load(path, limit=65536)


def test_a_gzip_file_is_unpacked_as_far_as_memory_goes(tmp_path: Path) -> None:
    subprocess.run(f"head -c 300M /dev/zero | gzip -1 > {tmp_path}/bomb", shell=True, check=True)
    with pytest.raises(ImageError, match="longer than the machine's memory"):
        image.load(tmp_path / "bomb", limit=MIB)


def test_an_elf_may_be_longer_than_memory_but_not_what_is_loaded(tmp_path: Path) -> None:
    (path := tmp_path / "elf").write_bytes(HELLO.read_bytes() + bytes(2 * MIB))
    assert image.load(path, limit=MIB).kind == "elf"
    with pytest.raises(ImageError, match="segments are longer than the machine's memory"):
        image.load(HELLO, limit=16)


def test_a_pipe_of_the_shell_may_be_read() -> None:
    code = "from gdbhv import image; import sys; print(len(image.read_raw(sys.argv[1])))"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" <(echo 12345)'],
        capture_output=True,
        env={"PYTHONPATH": str(HELLO.parents[2]), "PATH": os.environ["PATH"]},
        check=True,
    )
    assert done.stdout == b"6\n"


NO_PLACE = {
    "": "this is empty",
    "directory": "Is a directory",
    "fifo": "a FIFO that nobody reads: start its reader first",
    "socket": "No such device|a socket",
    "elf": "an ELF file and no output of an earlier run, so it stays",
    "gzip": "a gzip file and no output",
    "input": "the same file as .*input, which is read",
    "link": "the same file as .*input, which is read",
    "mem": "a character device, where no output belongs",
}


@pytest.mark.parametrize("place", NO_PLACE)
def test_what_is_no_place_for_output_stays_as_it_is(place: str, places: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elf").write_bytes(HELLO.read_bytes())
    (tmp_path / "gzip").write_bytes(b"\x1f\x8b precious")
    (tmp_path / "input").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "input")
    path = "/dev/urandom" if place == "mem" else places.get(place, str(tmp_path / place))
    before = Path(path).read_bytes() if place in ("elf", "gzip", "input", "link") else None
    with pytest.raises(GdbhvError, match=f"--console .*({NO_PLACE[place]})"):
        open_console(path, inputs=[tmp_path / "input", None])
    assert before is None or Path(path).read_bytes() == before


def test_an_old_output_a_terminal_a_fifo_with_a_reader_and_dev_null_are_places(places: dict[str, str]) -> None:
    reader = os.open(places["fifo"], os.O_RDONLY | os.O_NONBLOCK)
    controller, terminal = pty.openpty()
    try:
        for path in (places["text"], places["nothing"], os.ttyname(terminal), places["fifo"], os.devnull):
            with open_console(path) as console:
                console.write(b"hello")
        assert Path(places["text"]).read_bytes() == Path(places["nothing"]).read_bytes() == b"hello"
        assert os.read(controller, 10) == os.read(reader, 10) == b"hello"
    finally:
        for descriptor in (reader, controller, terminal):
            os.close(descriptor)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("text", "a regular file is there, and stays"),
        ("directory", "a directory is there"),
        ("fifo", "a FIFO is there"),
        ("link", "a symbolic link is there"),
        ("listening", "in use: another process listens there"),
        ("datagram", "in use: another process listens there"),
    ],
)
def test_only_a_socket_that_nobody_answers_on_is_removed(
    place: str, reason: str, places: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        stream.bind(str(tmp_path / "listening"))
        stream.listen()
        datagram.bind(str(tmp_path / "datagram"))
        path = places.get(place, str(tmp_path / place))
        before = os.lstat(path)
        with pytest.raises(OSError, match=reason):
            listen(Address("unix", path=path))
        assert os.path.samestat(before, os.lstat(path))
    listener, _ = listen(Address("unix", path=places["socket"]))
    listener.close()


def test_kinds_have_names() -> None:
    assert files.kind(os.stat("/dev/null").st_mode) == "a character device"
    assert files.kind(os.stat("/").st_mode) == "a directory"
