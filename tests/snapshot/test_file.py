"""The file of a snapshot: nothing but a whole and right one is read, and writing leaves a whole one or what was there."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import _core, boot, files, image
from gdbhv.errors import ImageError, StateError
from gdbhv.snapshot import snapfile, snapshot
from scripts.sessions.adder_device import AdderDevice
from snapshot.targets import Run, bare, hosted

HEADER = snapfile.PREFIX.sizeof()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = hosted("exit_zoo").make()
    run.to(2000)
    file = tmp_path_factory.mktemp("snapshot") / "zoo.snap"
    run.target.snapshot("zoo").write(file)
    return file


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(StateError) as caught:
        boot.resumed(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def checked(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def with_header(data: bytes, **changes: object) -> bytes:
    """The same file with another header, and a right checksum."""
    size = snapfile.PREFIX.parse(data).header_size
    header = json.loads(data[HEADER : HEADER + size]) | changes
    text = json.dumps(header).encode()
    prefix = snapfile.PREFIX.build({"format": snapfile.FORMAT, "header_size": len(text)})
    return checked(prefix + text + data[HEADER + size : -snapfile.CHECKSUM])


def test_a_header_is_read_without_a_machine(path: Path) -> None:
    content = snapfile.read(path)
    assert content.name == "zoo"
    assert content.shape == snapfile.Shape(True, 1, 64 << 20, "max")
    (guest,) = content.guests
    zoo = hosted("exit_zoo").configs[0].image
    assert (guest.name, guest.vcpus, guest.memory) == ("vm1", 1, ((0x40000000, 64 << 20, True),))
    assert (guest.image, guest.sha256) == (str(zoo), hashlib.sha256(Path(str(zoo)).read_bytes()).hexdigest())
    assert sum(content.instructions) == 2000
    data = path.read_bytes()
    header = json.loads(data[HEADER : HEADER + snapfile.PREFIX.parse(data).header_size])
    sections = header.pop("sections")
    assert header == json.loads(json.dumps(content.summary()))
    assert [s["name"] for s in sections] == ["machine", "host", "starts"]


def test_two_snapshots_of_the_same_are_the_same_file(path: Path, tmp_path: Path) -> None:
    run = hosted("exit_zoo").make()
    run.to(2000)
    run.target.snapshot("zoo").write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_an_image_of_two_vms_is_kept_once(path: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(random.Random(1).randbytes(1 << 20))
    configs = [boot.BootConfig(image=big, memory=64 << 20, name=name) for name in "ab"]
    boot.hosted(configs).snapshot().write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_size < 3.5 * (1 << 20)  # twice in RAM, once for a reset


def test_every_cut_and_flipped_bit_is_noticed(path: Path, tmp_path: Path, seed: int) -> None:
    data, rng = path.read_bytes(), random.Random(seed)
    assert refusal(tmp_path / "x", b"") == "empty: it was not written to its end; `monitor snapshot write` makes one"
    for cut in (16, HEADER, HEADER + 10, len(data) // 2, len(data) - 1, *(rng.randrange(16, len(data)) for _ in range(20))):
        assert refusal(tmp_path / "x", data[:cut]).startswith("damaged or cut off: its checksum is wrong; copy it again")
    for _ in range(100):
        at = rng.randrange(16, len(data))
        bad = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        assert refusal(tmp_path / "x", bad).startswith("damaged or cut off")
    assert refusal(tmp_path / "x", data + b"\0").startswith("damaged or cut off")
    assert refusal(tmp_path / "x", data.replace(b"\r\n", b"\n", 1)).startswith("no snapshot of gdbhv")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    for data in (b"\x7fELF" + bytes(100), b"hello", bytes(1000)):
        assert refusal(tmp_path / "x", data) == "no snapshot of gdbhv; `monitor snapshot write` makes one"
    with pytest.raises(StateError, match="No such file"):
        boot.resumed(tmp_path / "nowhere")
    with pytest.raises(StateError, match="Is a directory"):
        boot.resumed(tmp_path)


def test_another_format_is_refused_by_its_version(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    for number in (0, snapfile.FORMAT + 1):
        body = data[:16] + number.to_bytes(4, "little") + data[20 : -snapfile.CHECKSUM]
        here = _core.__version__
        assert refusal(tmp_path / "x", checked(body)) == (
            f"written by gdbhv {here} in format {number}, and gdbhv {here} reads format {snapfile.FORMAT}; "
            f"use gdbhv {here} for it, or make another"
        )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sections": []}, "sections are missing, or too long"),
        ({"sections": [{"name": n, "bytes": 1 << 40, "raw": 1} for n in ("machine", "host", "starts")]}, "too long"),
        ({"guests": []}, "not every guest has a start"),
        ({"machine": {}}, "missing .* required positional arguments"),
        ({"machine": {"hosted": True, "cpus": 1, "memory": 64 << 20, "profile": "z80"}}, "no such machine can be made"),
        ({"machine": {"hosted": True, "cpus": 900, "memory": 64 << 20, "profile": "max"}}, "no such machine can be made"),
        ({"machine": {"hosted": True, "cpus": 2, "memory": 64 << 20, "profile": "max"}}, "it is of a machine with 1 CPU"),
        ({"machine": {"hosted": True, "cpus": 1, "memory": "x", "profile": "max"}}, "TypeError"),
        ({"name": None, "virtual_ns": "now"}, "ValueError"),
    ],
)
def test_a_right_checksum_makes_no_wrong_file_right(
    path: Path, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    assert re.search(why, refusal(tmp_path / "x", with_header(path.read_bytes(), **changes)))


def test_sizes_are_checked_before_memory_is_taken(path: Path, tmp_path: Path) -> None:
    """A section that says that it is 100 GiB unpacked, or unpacks to more than it says."""
    data = path.read_bytes()
    header = json.loads(data[HEADER : HEADER + snapfile.PREFIX.parse(data).header_size])
    sections = header["sections"]
    for section, raw in (("host", 100 << 30), ("starts", 100 << 30), ("host", 10)):
        changed = [{**s, "raw": raw} if s["name"] == section else s for s in sections]
        assert f"section {section}" in refusal(tmp_path / "x", with_header(data, sections=changed))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 8 << 20  # KiB


def test_a_damaged_state_with_a_right_checksum_changes_nothing(path: Path, seed: int) -> None:
    """Both halves are damaged at random; a target that refuses is as it was."""
    rng = random.Random(seed)
    content = snapfile.read(path)
    target = hosted("exit_zoo").make()
    target.to(500)
    before = target.whole()
    good = hosted("exit_zoo").make()
    snapshot.put(good.target, content, "FILE")
    for n in range(60):
        half = "machine" if n % 2 else "host"
        bad = bytearray(getattr(content, half))
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        try:
            snapshot.put(target.target, snapfile.Content(**{**vars(content), half: bytes(bad)}), "FILE")
        except StateError as e:  # both halves have a checksum of their own
            refused = str(e)
        else:  # compressed data can say the same in two ways: a match in a row of zeros has many distances
            assert half == "machine"
            before, refused = good.whole(), "FILE: "
        assert refused.startswith("FILE: ")
        assert target.whole() == before


# --- writing


def test_what_stands_there_stays_until_the_file_is_whole(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "it"
    place.write_bytes(b"old")
    made = hosted("exit_zoo").make().target.snapshot()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=f"No space left on device: '{place}'"):
            made.write(place)
    assert (place.read_bytes(), os.listdir(tmp_path)) == (b"old", ["it"])
    made.write(place)
    assert os.listdir(tmp_path) == ["it"]
    assert place.stat().st_mode & 0o777 == 0o666 & ~_umask()
    made.write(place)  # one snapshot after another
    boot.resumed(place)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_only_ordinary_files_are_replaced(tmp_path: Path) -> None:
    made = bare("hello").make().target.snapshot()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "image").write_bytes(b"\x7fELF" + bytes(60))
    for name, why in (
        ("fifo", "a FIFO, which no file can replace"),
        (".", "a directory, which no file can replace"),
        ("image", "an ELF file and no output of an earlier run, so it stays"),
        ("no/where", "No such file or directory"),
    ):
        with pytest.raises(OSError, match=why):
            made.write(tmp_path / name)
    with pytest.raises(OSError, match="a character device"):
        made.write("/dev/null")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    made.write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes().startswith(files.SNAPSHOT)


def test_a_snapshot_is_no_image_and_no_place_for_output(path: Path) -> None:
    with pytest.raises(ImageError, match=r"a snapshot: `gdbhv run --snapshot .*zoo.snap` starts from it"):
        image.load(path)
    with pytest.raises(OSError, match="a snapshot and no output of an earlier run, so it stays"):
        files.open_output(str(path))


def test_it_is_read_from_a_pipe(path: Path) -> None:
    program = "import sys; from gdbhv import boot; print(boot.resumed(sys.argv[1]).run_all().kind.value)"
    command = f"{sys.executable} -c '{program}' <(cat {path})"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("poweroff\n", "")


def test_a_device_of_a_user_needs_its_host(tmp_path: Path) -> None:
    def with_adder() -> Run:
        run = hosted("mmio_device").make()
        run.target.host.vms[0].add_device(0x0A004000, AdderDevice(), 80)  # type: ignore[union-attr]
        return run

    first, second = with_adder(), with_adder()
    first.to(2000)
    first.target.snapshot().write(tmp_path / "x")
    with pytest.raises(StateError, match=r"vm1 has a device adder at 0xa004000, which is not of the board: make the host"):
        boot.resumed(tmp_path / "x")
    snapshot.load(second.target, tmp_path / "x")
    first.to()
    second.to()
    assert first.whole() == second.whole()
