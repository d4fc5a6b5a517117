"""Bundles: a run that is handed over is the same elsewhere, and what is no bundle is refused in a sentence."""

from __future__ import annotations

import os
import random
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from gdbhv import boot, recording
from gdbhv.console import Console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.history import History, Position
from gdbhv.history.timeline import order
from gdbhv.recording import file
from gdbhv.recording.bundles import Point, is_bundle
from history.test_history import seen
from recording.test_recording import CASES, Case, debug
from started import PREBUILT, gdbhv

TICKETS = str(PREBUILT / "tickets.elf")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_session_is_bundled_anywhere_in_its_past(
    case: Case, tmp_path: Path, seed: int, cases: Callable[[int], int]
) -> None:
    rng, path = random.Random(f"{seed} {case}"), tmp_path / "run.bundle"
    for _ in range(cases(1)):
        setup = case.setup()
        target = setup.make(Console())
        history = History(target, every=20_000)
        history.origin = partial(file.header, setup, reboots=True)
        places: list[Position] = []

        def note(places: list[Position] = places, history: History = history) -> None:
            places.append(history.here)

        debug(target, rng, seen=note)
        target.catchers.clear()
        history.mark("mine", places[0])
        for place in (rng.choice(places), history.present):
            history.go(place)
            recording.bundle(path, history, points=[Point(1, 0, 0x1000, 4, "host")], catchpoints=["hvc"])
            with recording.Bundle(path) as read, read.recording() as again:
                playing = recording.Replay(again, Console())
                followed = History(playing.target, every=20_000)
                outcome = playing.run()
                assert outcome.same, outcome.text
                assert (followed.here, seen(playing.target)) == (place, seen(target))
                read.put(followed)
                assert ("mine" in followed.timeline.marks) == (order(places[0]) <= order(place))
                assert [str(p) for p in read.manifest.debugger.points] == ["break *0x1000"]
                if followed.timeline.marks and not history.past:
                    followed.go(followed.timeline.marks["mine"].at)
                    history.go(places[0])
                    assert seen(playing.target) == seen(target)
                    history.go(history.present)


def test_a_bundle_is_opened_in_another_folder(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    image = here / "tickets.elf"
    shutil.copy(TICKETS, image)
    one, two, no = (here / f"{name}.bundle" for name in ("one", "two", "no"))
    then = gdbhv("run", image, "--smp", "2", "--chaos", "3", "--bundle-on-exit-status", f"{one}:any")
    gdbhv("run", image, "--smp", "2", "--chaos", "3", "--bundle-on-exit-status", f"{two}:any,", "--copy-images")
    gdbhv("run", image, "--smp", "2", "--chaos", "3", "--bundle-on-exit-status", f"{two}:3,0", "--copy-images")
    assert gdbhv("run", image, "--smp", "2", "--bundle-on-exit-status", no).returncode == 0
    assert not no.exists(), "its exit status is 0"
    again = here / "again.bundle"
    gdbhv("run", image, "--smp", "2", "--chaos", "3", "--bundle-on-exit-status", f"{again}:any")
    assert again.read_bytes() == one.read_bytes(), "the same run is the same bundle"
    shutil.move(one, there)
    shutil.move(two, there)
    image.rename(tmp_path / "elsewhere.elf")
    with_copy = gdbhv("run", "--replay", there / "two.bundle")
    assert (with_copy.returncode, with_copy.stdout) == (0, then.stdout)
    assert "the same" in with_copy.stderr
    missing = gdbhv("run", "--replay", there / "one.bundle")
    assert missing.returncode == 1
    assert "name it on the command line" in missing.stderr
    assert gdbhv("run", "--replay", there / "one.bundle", tmp_path / "elsewhere.elf").stdout == then.stdout
    shutil.move(tmp_path / "elsewhere.elf", there / "tickets.elf")
    assert gdbhv("run", "--replay", there / "one.bundle").stdout == then.stdout


def test_a_bundle_is_made_of_a_recording(tmp_path: Path) -> None:
    made, path = tmp_path / "run.rec", tmp_path / "run.bundle"
    then = gdbhv("run", TICKETS, "--smp", "2", "--record", made, "--bundle-on-exit-status", f"{tmp_path / 'both'}:any")
    with zipfile.ZipFile(tmp_path / "both") as one:
        assert one.read("recording") == made.read_bytes()
    assert gdbhv("bundle", "make", path, "--from", made).returncode == 0
    assert gdbhv("run", "--replay", path).stdout == then.stdout
    assert "a bundle already" in gdbhv("bundle", "make", made, "--from", path).stderr
    assert gdbhv("bundle", "info", "--json", path).stdout.startswith('{"version":1,')


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.bundle"
    setup = Case("two_vcpus", 2).setup()
    target = setup.make(Console())
    history = History(target)
    history.origin = partial(file.header, setup, reboots=True)
    target.run_all(20_000)
    recording.bundle(path, history, copy_images=True)
    return path


def refusal(path: Path) -> str | None:
    try:
        with recording.Bundle(path) as read, read.recording() as again:
            assert recording.Replay(again, Console()).run().same
    except GdbhvError as e:
        return str(e)
    return None


def test_what_is_damaged_is_refused(good: Path, tmp_path: Path, seed: int, cases: Callable[[int], int]) -> None:
    whole, rng, bad = good.read_bytes(), random.Random(seed), tmp_path / "bad.bundle"
    for _ in range(cases(60)):
        data = bytearray(whole)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        bad.write_bytes(data)
        if (why := refusal(bad)) is not None:
            assert "\n" not in why


@pytest.mark.parametrize("more", [1, 1 << 16, 1 << 20])
def test_a_directory_that_says_other_places_is_refused(good: Path, tmp_path: Path, more: int) -> None:
    data, bad = bytearray(good.read_bytes()), tmp_path / "bad.bundle"
    at = data.rindex(b"PK\5\6") + 16  # the end of the directory: the place where it begins
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + more).to_bytes(4, "little")
    bad.write_bytes(data)
    assert "a damaged bundle" in (refusal(bad) or "")


def rewritten(good: Path, to: Path, **changed: object) -> Path:
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "bundle.json":
                data = msgspec.json.encode(msgspec.json.decode(data) | changed)
            new.writestr(name, data)
    return to


def test_what_is_another_thing_is_refused(good: Path, tmp_path: Path) -> None:
    assert is_bundle(good)
    assert not is_bundle(TICKETS)
    refused = {
        "of another gdbhv, in version 9 of the format": {"version": 9},
        "damaged bundle": {"version": "1"},
        "another checksum": {"members": {"recording": "0" * 64, "images/0-two_vcpus.elf": "0" * 64}},
        "a checksum is missing": {"members": {}},
        "is missing": {"images": {"a": "b"}},
    }
    for why, changed in refused.items():
        path = rewritten(good, tmp_path / "changed.bundle", **changed)
        with pytest.raises(GdbhvError, match=why), recording.Bundle(path) as read:
            read.recording()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("x", "y")
    done = gdbhv("run", "--replay", tmp_path / "other.zip")
    assert (done.returncode, "no bundle of gdbhv's" in done.stderr) == (1, True)


def test_a_run_whose_beginning_is_not_known_is_no_bundle(tmp_path: Path) -> None:
    target = Case("two_vcpus", 2).setup().make(Console())
    history = History(target)
    with pytest.raises(StateError, match=r"history\.origin"):
        recording.bundle(tmp_path / "x", history)
    setup = Case("two_vcpus", 2).setup()
    history.origin = partial(file.header, setup, reboots=True)
    made = target.snapshot()
    target.run_all(1000)
    made.restore()
    with pytest.raises(StateError, match="went on from a snapshot"):
        recording.bundle(tmp_path / "x", history)
    assert not os.listdir(tmp_path)


def test_an_image_that_has_changed_since_is_not_copied(tmp_path: Path) -> None:
    image = tmp_path / "two.elf"
    shutil.copy(PREBUILT / "two_vcpus.elf", image)
    setup = boot.Setup([boot.BootConfig(image=image, smp=2, memory=64 << 20)], hosted=True)
    history = History(setup.make(Console()))
    header = file.header(setup, reboots=True)
    history.origin = lambda: header
    with image.open("ab") as out:
        out.write(b"x")
    with pytest.raises(GdbhvError, match="changed since"):
        recording.bundle(tmp_path / "x", history, copy_images=True)
    assert os.listdir(tmp_path) == ["two.elf"]
