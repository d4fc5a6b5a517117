"""Recordings: what is done to a machine from outside while it runs, and stops, is the same again in another process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import msgspec
import pytest

from conftest import ROOT, Kit
from gdbhv import _core, boot, recording
from gdbhv.config import Forward, Net
from gdbhv.console import Console
from gdbhv.errors import GdbhvError, StateError
from gdbhv.exits.catches import Catcher
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.recording import file
from gdbhv.target import Action, Space, StopKind
from snapshot.test_points import KVM, XEN, Guest

PREBUILT = ROOT / "guests" / "prebuilt"
ALL = [row["number"] for row in _core.exit_classes()]
LIMIT = 400  # things done in a run


@dataclass(frozen=True)
class Case:
    guest: str
    smp: int
    vms: int = 1  # 0: bare
    ns: int = 1  # for each instruction
    chaos: str | None = None

    def setup(self, image: Path | None = None) -> boot.Setup:
        path = image or PREBUILT / f"{self.guest}.elf"
        config = boot.BootConfig(image=path, smp=self.smp, memory=64 << 20, ns_per_insn=self.ns, chaos=self.chaos)
        return boot.Setup([config] * max(self.vms, 1), hosted=self.vms > 0)

    def __str__(self) -> str:
        return (
            f"{self.guest}-{self.smp}-{self.vms}" + (f"-{self.ns}ns" if self.ns != 1 else "") + "-chaos" * bool(self.chaos)
        )


CASES = [
    *(Case(guest, smp, vms) for guest in ("el1_interrupts", "el1_smp") for smp, vms in ((1, 1), (2, 2), (4, 1))),
    *(Case(guest, 4, vms, 100) for guest, vms in (("el1_interrupts", 1), ("system_interrupts", 0))),
    Case("two_vcpus", 2),
    Case("two_vcpus", 2, 2, chaos="3:usual"),
    Case("system_interrupts", 2, 0, chaos="4"),
    Case("exit_zoo", 1, 2),
    *(Case(guest, smp, 0) for guest in ("type1", "system_interrupts", "system_gic_virtual") for smp in (1, 2, 4)),
]


def debug(
    target: HostTarget | Machine, rng: random.Random, *, resets: bool = True, seen: Callable[[], None] = lambda: None
) -> None:
    """Do what a debugger does, at random places: stops that change nothing, and what changes the machine.

    :param seen: called at each place, when all that is done there is done.
    """
    console = target.console
    assert console is not None
    for _ in range(LIMIT):
        processes = [process for process in target.processes() if not process.found]
        if not processes:
            if not resets or rng.random() < 0.5:
                return
            target.reset()
            continue
        threads = [t.id for process in processes for t in process.threads]
        alive = [t.id for process in processes for t in process.threads if t.alive] or threads
        one = rng.choice(alive)
        catching = rng.random() < 0.3
        target.catchers.clear()
        if catching:
            target.catchers["all"] = Catcher(lambda t, r: True, frozenset(ALL))
        target.stepping.interrupts = rng.random() < 0.9
        match rng.randrange(12):
            case 0:
                console.type(rng.choice([b"x", b"ls -l\r", b"\xc3\xa9\n"]))
            case 1:
                target.write_register(one, rng.choice(["x20", "x27", "v3", "TPIDR_EL0"]), rng.getrandbits(60))
            case 2:
                target.write_memory(one, 0x4300_0000 + rng.randrange(4096), rng.randbytes(9), Space.PA)
            case 3 if rng.random() < 0.1:
                target.inject_serror(rng.randrange(target.core.cpus))
            case 4 if rng.random() < 0.2:
                target.press_power_button(one.pid)
            case 5 if rng.random() < 0.1 and resets:
                target.reset(one.pid)
                continue
            case 6 if rng.random() < 0.1 and len(processes) > 1:
                target.end(one.pid)
                continue
            case 7:
                target.clear_exit_counts()
        moving = [one] if rng.random() < 0.15 else threads
        step = one if rng.random() < 0.4 else None
        seen()
        stop = target.run([Action(t, step=t == step) for t in moving], rng.choice([0, 1, 50, 1000, 30_000]))
        if stop.kind is StopKind.RESET:
            target.reboot(stop.thread.pid)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_debugged_run_is_replayed_without_a_debugger(
    case: Case, tmp_path: Path, seed: int, cases: Callable[[int], int]
) -> None:
    path, rng = tmp_path / "run.rec", random.Random(f"{seed} {case}")
    for _ in range(cases(1)):
        then, now = Console(), Console()
        with recording.record(case.setup(), path, then, every=20_000) as recorder:
            debug(recorder.target, rng)
            counts = recorder.target.core.insns
        with recording.Recording(path) as read:
            playing = recording.Replay(read, now)
            outcome = playing.run()
        assert outcome.same, outcome.text
        assert playing.target.core.insns == counts
        assert now.text == then.text


def run(*arguments: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gdbhv", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, **more)  # type: ignore[call-overload, no-any-return]


def test_a_run_is_replayed_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "run.rec"
    then = run(PREBUILT / "two_vcpus.elf", "--smp", "2", "--vms", "2", "--record", path)
    now = run("--replay", path)
    assert (then.returncode, now.returncode) == (0, 0)
    assert now.stdout == then.stdout != ""
    insns = then.stderr.partition(" instructions")[0].split()[-1]
    assert f"replayed {insns} instructions: the same" in now.stderr


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def recorded(tmp_path: Path, image: Path | None = None) -> Path:
    """A recording of a run in which a debugger writes twice."""
    path, case = tmp_path / "run.rec", Case("two_vcpus", 2)
    with recording.record(case.setup(image), path, every=10_000) as recorder:
        target = recorder.target
        thread = target.processes()[0].threads[0].id
        target.run_all(15_000)
        target.write_register(thread, "TPIDR_EL0", 0x1234)
        target.run_all(100)
        target.write_register(thread, "TPIDR_EL0", 0x5678)
        while target.processes():
            target.run_all()
    return path


def test_a_recording_is_text_that_says_what_came_in(tmp_path: Path) -> None:
    rows = lines(recorded(tmp_path))
    assert [row["what"] for row in rows][:5] == ["recording", "checkpoint", "register", "register", "checkpoint"]
    assert rows[2] == {"what": "register", "thread": "p1.1", "register": "TPIDR_EL0", "value": "0x1234", "at": rows[2]["at"]}
    assert rows[2]["at"][0] == 15_000  # type: ignore[index]
    assert rows[-1]["what"] == "end"


def test_an_input_that_was_edited_is_found(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    rows = lines(path)
    rows[3] |= {"register": "pc", "value": "0x40200000"}
    rewrite(path, rows)
    outcome = recording.replay(path)
    assert outcome.same is False
    assert outcome.text.startswith("the replay differs after instruction 15,100, up to which it was the same: ")
    done = run("--replay", path)
    assert done.returncode == 7
    assert outcome.text in done.stderr


def test_a_checkpoint_says_what_differs(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    rows = lines(path)
    found = rows[4]["found"]
    assert isinstance(found, dict)
    found["registers"][1] = "0" * 16
    rewrite(path, rows)
    outcome = recording.replay(path)
    assert outcome.same is False
    assert ": the registers of CPU 1, at instruction 20,000 (" in outcome.text


def test_a_recording_that_was_cut_off_is_replayed_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = recorded(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b'{"what":"end"') + 9])
    outcome = recording.replay(path)
    assert outcome.same
    assert outcome.text == "replayed 50,000 instructions: the same, to where the recording was cut off"
    assert "the last line is cut off, and left out" in caplog.text


Damage = Callable[[Path], str]


def another_version(path: Path) -> str:
    rows = lines(path)
    rows[0]["version"] = 99
    rewrite(path, rows)
    return "recorded by another gdbhv, in version 99 of the format; this one reads 1"


def foreign(path: Path) -> str:
    path.write_bytes(b"\x7fELF\x02\x01\x01\0" * 100)
    return "no recording of `gdbhv run --record`"


def damaged(path: Path) -> str:
    rows = lines(path)
    rows[2]["what"] = "registers"
    rewrite(path, rows)
    return "run.rec:3: no line of a recording: Invalid value 'registers' - at `$.what`"


def changed_image(path: Path) -> str:
    image = path.parent / "guest.elf"
    image.write_bytes(image.read_bytes() + b"\0")
    return "guest.elf: not the file that was recorded: "


def missing_image(path: Path) -> str:
    (path.parent / "guest.elf").unlink()
    return "guest.elf: No such file or directory; if it is elsewhere now, name it on the command line as it was named then"


@pytest.mark.parametrize("damage", [another_version, foreign, damaged, changed_image, missing_image])
def test_what_cannot_be_replayed_is_one_sentence(damage: Damage, tmp_path: Path) -> None:
    image = tmp_path / "guest.elf"
    image.write_bytes((PREBUILT / "two_vcpus.elf").read_bytes())
    path = recorded(tmp_path, image)
    why = damage(path)
    done = run("--replay", path)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_image_that_has_moved_is_named(tmp_path: Path) -> None:
    image, moved = tmp_path / "guest.elf", tmp_path / "moved.elf"
    image.write_bytes((PREBUILT / "two_vcpus.elf").read_bytes())
    path = recorded(tmp_path, image)
    image.rename(moved)
    assert run("--replay", path).returncode == 1
    assert run("--replay", path, moved).returncode == 0


@pytest.mark.parametrize(
    "option", [("--smp", "2"), ("--record", "other"), ("--el", "2"), ("--max-insns", "9"), ("--snapshot-at", "1:x")]
)
def test_a_replay_has_its_options_from_the_recording(option: tuple[str, str]) -> None:
    done = run("--replay", "any.rec", *option)
    assert done.returncode == 2
    assert f"--replay FILE has what the machine is and what happens in it: without {option[0]}" in done.stderr


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[recording.Replay]:
    with recording.Recording(recorded(tmp_path)) as read:
        yield recording.Replay(read)


def test_a_replay_takes_nothing_from_outside(playing: recording.Replay) -> None:
    target = playing.target
    thread = target.processes()[0].threads[0].id
    target.run_all(20_000)
    before = target.snapshot()
    for change in (
        lambda: target.write_register(thread, "x0", 1),
        lambda: target.write_memory(thread, 0x4000_0000, b"1", Space.PA),
        target.reset,
        lambda: target.inject_serror(0),
    ):
        with pytest.raises(GdbhvError, match="a replay takes nothing from outside"):
            change()
    with pytest.raises(StateError, match="no snapshot can be restored in a replay"):
        before.restore()
    assert target.console is not None
    target.console.type(b"not heard")
    for _ in range(20):
        target.run([Action(thread, step=True)])
    assert playing.run().same


def test_a_replay_that_a_debugger_kills_is_left(playing: recording.Replay) -> None:
    playing.target.run_all(20_000)
    playing.target.end(1)
    outcome = playing.outcome()
    assert outcome.same is None
    assert outcome.text.startswith("replayed 20,000 of ")


def test_a_recording_does_not_begin_with_a_snapshot(tmp_path: Path) -> None:
    snapshot = tmp_path / "zoo.snap"
    assert run(PREBUILT / "exit_zoo.elf", "--snapshot-at", f"2000:{snapshot}").returncode == 0
    done = run("--record", tmp_path / "any.rec", "--snapshot", snapshot)
    assert done.returncode == 2
    assert "--record follows a run from its beginning" in done.stderr


def test_no_snapshot_is_restored_while_recording(tmp_path: Path) -> None:
    with recording.record(Case("two_vcpus", 2).setup(), tmp_path / "run.rec") as recorder:
        before = recorder.target.snapshot()
        with pytest.raises(StateError, match="no snapshot can be restored in a recording"):
            before.restore()


def test_a_recording_has_all_that_boots_a_vm(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_bytes(b"")
    name, usual = str(path), boot.BootConfig()
    config = boot.BootConfig(image=path, initrd=name, kernel=name, dtb=name, load=[(name, 1)], flash=[(name, True)])
    config.drive = [boot.Drive(name, True, "qcow2", True)]
    config = replace(config, smp=2, memory=64 << 20, append="x", cpu="cortex-a57", load_address=3, entry=4, x0=5)
    config = replace(config, name="n", gic=2, ns_per_insn=7, semihosting="folder", rng=3, virtio_console=True, pcie=True)
    config.chaos = "1"
    config.net = Net("52:54:00:00:00:01", (Forward(1, 2),))
    assert all(getattr(config, f.name) != getattr(usual, f.name) for f in fields(config)), "a new field is to be tried here"
    for made in (config, usual):
        written = msgspec.json.encode(file.header(boot.Setup([made]), reboots=True))
        header = msgspec.json.decode(written, type=file.Header)
        assert header.configs() == [replace(made, image=made.image and name)]
        assert [f.path for f in header.files] == ([name] if made is config else [])
    assert header.vms == [{}], "what is as usual is not written"


def test_memory_alone_that_differs_is_found_at_the_next_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run.rec"
    with recording.record(Case("two_vcpus", 2).setup(), path, every=10_000) as recorder:
        target = recorder.target
        target.run_all(15_000)
        target.write_memory(target.processes()[0].threads[0].id, 0x4300_0000, b"read by nobody", Space.PA)
        while target.processes():
            target.run_all()
    assert recording.replay(path).same
    rows = lines(path)
    (written,) = (row for row in rows if row["what"] == "memory")
    rewrite(path, [row for row in rows if row is not written])
    outcome = recording.replay(path)
    assert outcome.text.startswith("the replay differs after instruction 10,000, up to which it was the same: memory, at")


def test_snapshots_of_a_recorded_run_change_nothing_and_go_on_as_it_does(tmp_path: Path) -> None:
    path, snapshot = tmp_path / "run.rec", tmp_path / "zoo.snap"
    then = run(PREBUILT / "exit_zoo.elf", "--record", path, "--snapshot-at", f"3000:{snapshot}")
    now, later = run("--replay", path), run("--snapshot", snapshot)
    assert (then.returncode, now.returncode, later.returncode) == (0, 0, 0)
    assert now.stdout == then.stdout
    assert later.stdout != ""
    assert then.stdout.endswith(later.stdout)


@pytest.mark.slow
def test_linux_at_el2_with_a_debugger(kit: Kit, tmp_path: Path) -> None:
    """Two CPUs, each instruction 10 ns: checkpoints on the way, writes, and characters that are typed."""
    config = boot.BootConfig(
        image=kit.image, initrd=kit.initramfs, smp=2, memory=192 << 20, append="console=ttyAMA0", ns_per_insn=10
    )
    path, then, now = tmp_path / "run.rec", Console(), Console()
    with recording.record(boot.Setup([config], hosted=False), path, then, every=10_000_000) as recorder:
        target = recorder.target
        for n in range(6):
            target.run_all(40_000_000)
            thread = target.processes()[0].threads[n % 2].id
            target.write_register(thread, "TPIDRRO_EL0", n)
            then.type(b"x\n")
            target.run([Action(thread, step=True)])
    with recording.Recording(path) as read:
        outcome = recording.Replay(read, now).run()
    assert outcome.same, outcome.text
    assert now.text == then.text != b""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("guest", [XEN, KVM], ids=lambda guest: guest.name)
def test_a_hypervisor_and_its_guests_with_a_debugger(guest: Guest, kit: Kit, tmp_path: Path) -> None:
    """Xen with two domUs, KVM with a guest: a debugger stops their vCPUs, writes their registers, and types meanwhile."""
    setup, path, then, now = boot.Setup([guest.config(kit)], hosted=False), tmp_path / "run.rec", Console(), Console()
    written = set()
    with recording.record(setup, path, then) as recorder:
        target = recorder.target
        target.run_all(guest.first)
        for n in range(8):
            target.run_all(7_000_000)
            running = [t.id for p in target.processes() if p.found for t in p.threads if "running" in t.extra]
            for thread in running:
                target.write_register(thread, "TPIDRRO_EL0", n)
                target.run([Action(thread, step=True)])
            written |= {thread.pid for thread in running}
            then.type(b"x\n")
    assert len(written) == len(guest.vmids)
    with recording.Recording(path) as read:
        outcome = recording.Replay(read, now).run()
    assert outcome.same, outcome.text
    assert now.text == then.text != b""


@pytest.mark.slow
def test_linux_with_four_vcpus_and_typing(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "boot.rec"
    options = [kit.image, "--initrd", kit.initramfs, "--smp", "4", "--memory", "512M"]
    then = run(*options, "--append", "console=ttyAMA0 gdbhv.shell", "--record", path, input="echo $((6*7))\npoweroff -f\n")
    assert then.returncode == 0
    assert "\n42\n" in then.stdout.replace("\r", "")
    assert path.stat().st_size < 20_000
    now = run("--replay", path)
    assert now.returncode == 0, now.stderr
    assert now.stdout == then.stdout
    assert now.stderr.splitlines()[-1].startswith("gdbhv: replayed ")
