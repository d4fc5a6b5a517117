"""``gdbhv run`` and its endings: exit status, and what is said."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import _core, boot, cli
from gdbhv.cli import kinds
from gdbhv.cli.ending import duration
from gdbhv.exits.records import ExitCount, ExitCounts
from gdbhv.monitor import registry
from started import ENVIRONMENT, HELLO, SEND, SPIN, TYPE1, ZOO, command, gdbhv, words


def test_a_guest_runs_and_powers_off() -> None:
    done = gdbhv("run", HELLO)
    assert (done.returncode, done.stdout) == (0, "hello from EL1\n")
    assert done.stderr.startswith("gdbhv: the guest powered off after ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("gic", ["2", "3"])
def test_a_guest_at_el2_powers_off_by_smc(gic: str) -> None:
    """An HVC there is an exception to EL2 itself, on gdbhv and on QEMU."""
    done = gdbhv("run", HELLO, "--el", "2", "--gic", gic)
    assert (done.returncode, done.stdout) == (0, "hello from EL2\n")


def test_a_guest_without_a_hypervisor() -> None:
    done = gdbhv("run", "--bare", ZOO, "--stats", "text")
    assert done.returncode == 0
    assert done.stdout.endswith("zoo ok\n")
    assert "no exits yet" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "insns", "text"),
    [
        (0.02, 250, "0.02 s"),  # no speed can be told from so few
        (0.0, 1000, "0.00 s"),
        (2.0, 500_000_000, "2.00 s, 250 MIPS"),
        (2.0, None, "2.00 s"),
    ],
)
def test_a_speed_is_told_where_there_is_one(seconds: float, insns: int | None, text: str) -> None:
    assert duration(seconds, insns) == text


def test_the_same_twice() -> None:
    first, second = (json.loads(gdbhv("run", ZOO, "--console", os.devnull, "--stats", "json").stdout) for _ in range(2))
    for run in (first, second):
        for measured in (run, run["compiled"]):
            measured.pop("seconds")
    assert first == second


def test_stats_json() -> None:
    done = gdbhv("run", ZOO, "--console", os.devnull, "--stats", "json", "--smp", "2")
    stats = json.loads(done.stdout)
    keys = "end status text instructions instructions_by_cpu virtual_ns seconds compiled exits further counts".split()
    assert list(stats) == keys
    assert (stats["end"], stats["status"], done.returncode) == ("poweroff", 0, 0)
    assert stats["instructions"] == sum(stats["instructions_by_cpu"]) <= stats["virtual_ns"]
    assert len(stats["instructions_by_cpu"]) == 2
    assert stats["exits"] == sum(row["count"] for row in stats["counts"])
    # The same table has the same schema: here, in `monitor vmexit stats --json` and in the library.
    assert {frozenset(row) for row in stats["counts"]} == {frozenset(ExitCount.__annotations__)}
    target = boot.hosted(boot.BootConfig(image=ZOO, smp=2))
    target.run_all()
    (line,) = registry.bind(target)("vmexit stats --json", None)
    assert json.loads(line) == {key: stats[key] for key in ExitCounts.__annotations__}
    assert json.loads(line)["counts"] == target.machine.exit_counts()
    assert {"vm": 1, "vmid": 1, "number": 0x1016, "name": "hvc:0x2a", "count": 1} in stats["counts"]


def test_stats_text() -> None:
    done = gdbhv("run", HELLO, "--stats", "text")
    assert done.stdout == "hello from EL1\n"
    assert "vm1  0x1016  hvc:0x0" in done.stderr
    assert "exits of" in done.stderr
    assert re.search(
        r"^compiled: \d+ blocks of \d+ instructions in [\d.]+ s, \d+ KiB; [\d.]+% of the instructions", done.stderr, re.M
    )


@pytest.mark.parametrize("n", [0, 1, 1000, 60001])
def test_max_insns_is_exact_whatever_idles(n: int) -> None:
    done = gdbhv("run", ZOO, "--max-insns", str(n), "--console", os.devnull, "--stats", "json")
    stats = json.loads(done.stdout)
    assert (done.returncode, stats["end"], stats["instructions"]) == (5, "max-insns", n)


def test_numbers_with_exponents_and_sizes(spin: Path) -> None:
    done = gdbhv("run", spin, "--max-insns", "1e6", "--memory", "64M")
    assert done.returncode == 5
    assert "after 1,000,000 instructions" in done.stderr


def test_a_machine_where_nothing_will_happen(tmp_path: Path) -> None:
    (path := tmp_path / "wait.bin").write_bytes((0xD503207F).to_bytes(4, "little") + SPIN)  # wfi
    for el in ("1", "2"):
        done = gdbhv("run", path, "--el", el)
        assert done.returncode == 4
        assert "no interrupt is to come" in done.stderr


def test_without_standard_streams() -> None:
    """As a service has it: no input, no output."""
    shell = " ".join(["exec", *command("run", HELLO), "<&-", ">&-"])
    done = subprocess.run(["sh", "-c", shell], stderr=subprocess.PIPE, text=True, timeout=60, env=ENVIRONMENT, check=False)
    assert (done.returncode, "powered off" in done.stderr) == (0, True)


def test_a_full_disk_and_a_reader_that_goes_away() -> None:
    command_line = " ".join(command("run", ZOO))
    not_emulated = "sysreg.read:S3_7_C11_C3_5 is not emulated: undefined to the guest"  # what the zoo reads on purpose
    for redirection, status, messages in (
        (">/dev/full", 1, ["cannot be written: No space left"]),
        ("| true", 0, [not_emulated, "powered off"]),
    ):
        shell = ["bash", "-o", "pipefail", "-c", f"{command_line} {redirection}"]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) == (status, len(messages)), done.stderr
        assert all(message in line for message, line in zip(messages, lines, strict=True)), done.stderr


def test_more_memory_than_there_is() -> None:
    """The address space is bounded here, so that it holds for every computer."""
    shell = f"ulimit -v 4000000; exec {' '.join(command('run', HELLO, '--memory', '60G'))}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "MiB of RAM are more than this computer can give" in done.stderr


def test_lines_of_several_vms_are_named() -> None:
    done = gdbhv("run", HELLO, "--vms", "3", "--memory", "64M")
    assert (done.returncode, done.stdout) == (0, "".join(f"vm{n}| hello from EL1\n" for n in (1, 2, 3)))


def test_a_vm_with_a_console_of_its_own(tmp_path: Path) -> None:
    done = gdbhv("run", HELLO, "--vms", "2", "--memory", "64M", "--console", f"vm1={tmp_path / 'log'}")
    assert (done.returncode, done.stdout) == (0, "hello from EL1\n")
    assert (tmp_path / "log").read_text() == "hello from EL1\n"


def test_a_vm_has_its_own_place_and_x0(tmp_path: Path) -> None:
    """Raw bytes at 0x48000000: SYSTEM_OFF if x0 and the word that was loaded are 7, else BRK."""
    words = (
        0xF1001C1F,  # CMP X0, #7
        0x54000101,  # B.NE to the BRK
        0x58000141,  # LDR X1, =0x48100000
        0xB9400021,  # LDR W1, [X1]
        0xF1001C3F,  # CMP X1, #7
        0x54000081,  # B.NE to the BRK
        0x52800100,  # MOVZ W0, #8
        0x72B08000,  # MOVK W0, #0x8400, LSL #16
        0xD4000002,  # HVC #0
        *(0xD4200000, 0x14000000, 0, 0x48100000, 0),
    )
    (tmp_path / "raw").write_bytes(struct.pack(f"<{len(words)}I", *words))
    (tmp_path / "seven").write_bytes(struct.pack("<I", 7))
    one = f"{tmp_path}/raw,load-address=0x48000000,x0=7,load={tmp_path}/seven@0x48100000"
    done = gdbhv("run", "--vm", one, "--vm", HELLO, "--max-insns", "1e6")
    assert (done.returncode, done.stdout) == (0, "vm2| hello from EL1\n"), done.stderr
    assert kinds.vm("a,load=b@1,load=c@0x2,kernel=d") == {"image": "a", "load": [("b", 1), ("c", 2)], "kernel": "d"}


def test_each_vm_has_its_own_image_and_name() -> None:
    one, two = f"{HELLO},name=left,memory=64M", f"{ZOO},name=right,memory=128M,smp=2,append=a,,b"
    done = gdbhv("run", "--vm", one, "--vm", two, "--stats", "text")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert "left| hello from EL1" in lines
    assert "right| zoo ok" in lines
    assert all(line.startswith(("left| ", "right| ")) for line in lines)


def test_the_end_is_said_on_a_line_of_its_own(tmp_path: Path) -> None:
    """The guest's last line has no end: where both go to the same place, one is made; elsewhere its output is as it is."""
    system_off = (0xD2800100, 0xF2B08000, 0xD4000002)
    (path := tmp_path / "half.bin").write_bytes(words(*SEND, *system_off))
    command_line = command("run", path)
    together = subprocess.run(
        command_line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert together.stdout.startswith(">\ngdbhv: the guest powered off")
    assert gdbhv("run", path).stdout == ">"
    (path := tmp_path / "spin.bin").write_bytes(words(*SEND) + SPIN)
    with subprocess.Popen(
        command("run", path, "--gdb", "0"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline() + process.stdout.read(1)
            process.send_signal(signal.SIGINT)
            said += process.communicate(timeout=50)[0]
        finally:
            process.kill()
    assert said.splitlines()[1:] == [">", "gdbhv: interrupted"]
    (path := tmp_path / "half.bin").write_bytes(words(*SEND, *system_off))
    assert [line[0] for line in gdbhv("run", path, "--stats", "json").stdout.splitlines()] == [">", "{"]
    own = ("--vm", f"{path},name=own", "--console", "own=stdio", "--console", os.devnull)
    assert [line[0] for line in gdbhv("run", *own, "--stats", "json").stdout.splitlines()] == [">", "{"]


def test_the_console_in_a_file(tmp_path: Path) -> None:
    done = gdbhv("run", HELLO, "--console", tmp_path / "log")
    assert done.stdout == ""
    assert (tmp_path / "log").read_bytes() == b"hello from EL1\n"


def test_more_files_and_another_entry(tmp_path: Path, spin: Path) -> None:
    done = gdbhv("run", "--load", f"{spin}@0x40001000", "--entry", "0x40001000", "--x0", "7", "--max-insns", "10")
    assert (done.returncode, "after 10 instructions" in done.stderr) == (5, True)
    done = gdbhv("run", HELLO, "--load", f"{spin}@0x41000000", "--entry", "0x41000000", "--max-insns", "10")
    assert done.returncode == 5


RESET = (0x52800120, 0x72B08000, 0xD4000002)  # MOV W0, #0x84000009; HVC #0: PSCI SYSTEM_RESET


@pytest.mark.parametrize("options", [[], ["--bare"]])
def test_a_guest_that_resets_begins_again(tmp_path: Path, options: list[str]) -> None:
    (path := tmp_path / "reset.bin").write_bytes(b"".join(w.to_bytes(4, "little") for w in RESET))
    done = gdbhv("run", path, *options, "--no-reboot")
    assert done.returncode == 3
    assert done.stderr.startswith("gdbhv: the guest asked for a reset after ")
    done = gdbhv("run", path, *options, "--max-insns", "100")
    again = [line for line in done.stderr.splitlines() if line.endswith("and begins again")]
    assert (done.returncode, len(again)) == (5, 100 // (3 if options else 4))  # hosted, the first one faults for its page


def test_semihosting_is_named(tmp_path: Path) -> None:
    (path := tmp_path / "semihosting.bin").write_bytes((0xD45E0000).to_bytes(4, "little"))
    done = gdbhv("run", path, "--max-insns", "10")
    assert "hlt #0xf000 is a semihosting call: with --semihosting it is served" in done.stderr


def test_instructions_that_are_not_implemented_are_told_once_each(tmp_path: Path) -> None:
    # An unallocated word twice, and another; the vectors at 0 are nothing, so the guest faults for ever.
    word = (0x00FFFFFF).to_bytes(4, "little")
    (path := tmp_path / "odd.bin").write_bytes(word + word)
    done = gdbhv("run", path, "--max-insns", "100", "--console", os.devnull)
    told = [line for line in done.stderr.splitlines() if "not implemented" in line]
    assert told == ["gdbhv: 0x40080000: 0x00ffffff .inst 0x00ffffff is not implemented: undefined to the guest"]


def test_cpus_are_compared() -> None:
    done = gdbhv("cpus")
    assert done.stdout.split("\n")[0].split() == [name for name, _ in _core.profiles()]
    (document,) = json.loads(gdbhv("cpus", "--json", "cortex-a53").stdout)
    assert (document["name"], document["pa_bits"]) == ("cortex-a53", 40)


HANGS = [
    (0x14000000, "is at 0x40080000 in EL2. If"),
    (0xD503207F, "is at 0x40080004 in EL2. If"),  # WFI
    (0xD4200000, "in EL2, ESR_EL2 0x"),  # BRK, and no vectors
]


@pytest.mark.parametrize(("word", "text"), HANGS)
def test_an_image_that_hangs_on_max_before_it_prints_is_told_of_other_cpus(tmp_path: Path, word: int, text: str) -> None:
    (path := tmp_path / "hang.bin").write_bytes(struct.pack("<I", word))
    said = {
        cpu: gdbhv("run", path, "--el", "2", "--cpu", cpu, "--max-insns", "1000").stderr for cpu in ("max", "cortex-a72")
    }
    assert f"has printed nothing, and CPU 0 {text}" in re.sub(r"is at 0x\w+ (in EL2, ESR)", r"\1", said["max"])
    assert "--cpu cortex-a57 (44 bits)" in said["max"]
    assert "--cpu cortex-a57" not in said["cortex-a72"]


@pytest.mark.parametrize("options", [[], ["--bare"], ["--cpu", "cortex-a57"]])
def test_a_hypervisor_that_is_started_at_el1_is_told_of_el2(options: list[str]) -> None:
    """And not the same image with --el 2."""
    done = gdbhv("run", TYPE1, "--max-insns", "1000", *options)
    assert "printed nothing, and takes exceptions at 0x200 in EL1, where no code is. If it owns EL2" in done.stderr
    assert "cortex-a57 (44 bits)" not in done.stderr
    why = "msr mair_el2, x1 is for EL2, and this machine has none (--el 2): undefined to the guest"
    assert (why in done.stderr) == ("--bare" in options)
    assert "not implemented" not in done.stderr
    assert "--el 2" not in gdbhv("run", TYPE1, "--el", "2", "--max-insns", "100").stderr


@pytest.mark.parametrize("module", ["gdbhv.cli", "gdbhv._core", "gdbhv.boot", "gdbhv.hv.host", "gdbhv.cli.running"])
def test_ctrl_c_while_it_is_imported(module: str) -> None:
    code = f"""
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}: raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from gdbhv.__main__ import main
sys.argv = ["gdbhv", "run", "nothing"]
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (130, "gdbhv: interrupted\n")


@pytest.mark.parametrize(("module", "said"), [("gdbhv", ""), ("gdbhv.__main__", ""), ("gdbhv.cli", "gdbhv: interrupted\n")])
def test_ctrl_c_before_anything_is_imported(module: str, said: str) -> None:
    """By the script that is installed, the first thing of ours that runs."""
    code = f"""
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["gdbhv", "run", "nothing"]
runpy.run_path({str(ROOT / "gdbhv" / "entry" / "scripts" / "gdbhv")!r}, run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (130 if said else -signal.SIGINT, said)


@pytest.mark.parametrize("module", ["gdbhv.snapshot.snapfile", "gdbhv.rsp.server"])
def test_ctrl_c_while_a_class_is_made(module: str) -> None:
    """Python 3.11 makes a RuntimeError of what an attribute's ``__set_name__`` raises."""
    code = f"""
import sys
class Attribute:
    def __set_name__(self, owner, name): raise KeyboardInterrupt
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            type("Made", (), {{"one": Attribute()}})
sys.meta_path.insert(0, Interrupt())
from gdbhv.__main__ import main
sys.argv = ["gdbhv", "run", {HELLO!r}, "--gdb", "0", "--console", "/dev/null"]
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (130, "gdbhv: interrupted\n")


def test_a_stderr_that_nobody_reads_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command("run", ZOO), stdout=subprocess.PIPE, stderr=writer, timeout=60, env=ENVIRONMENT, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"zoo ok")


def test_help_has_examples_that_parse(capsys: pytest.CaptureFixture[str]) -> None:
    for topic, examples in (("run", cli.RUN_EXAMPLES), ("gdb", cli.GDB_EXAMPLES), ("snapshot", cli.SNAPSHOT_EXAMPLES)):
        with pytest.raises(SystemExit):
            cli.main([topic, "--help"])
        assert "examples:" in capsys.readouterr().out
        lines = [line.split("   ")[0] for line in examples.splitlines() if line.startswith("  gdbhv ")]
        assert lines
        for line in lines:
            options = cli.parser().parse_args(shlex.split(line)[1:])
            assert options.command == topic
            assert topic != "run" or cli.usage_error(options) is None


def test_each_exit_status_is_one_of_its_own_and_in_the_help() -> None:
    rows = [*cli.STATUS.values(), cli.KILLED]
    assert len({number for number, _, _ in rows}) == len(rows)
    assert all(f"{number} {name}" in cli.RUN_EXAMPLES for number, name, _ in rows)
