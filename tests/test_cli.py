"""``gdbhv run`` as a person or a script starts it: a process, its exit status, and what it says."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import _core, boot, cli
from gdbhv.cli import kinds
from gdbhv.cli.attaching import await_listener
from gdbhv.monitor import registry
from gdbhv.records import ExitCount, ExitCounts
from gdbhv.rsp.transport import Address

PREBUILT = ROOT / "guests" / "prebuilt"
HELLO, ZOO = str(PREBUILT / "hello.elf"), str(PREBUILT / "exit_zoo.elf")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
# b . ; and for ever
SPIN = (0x14000000).to_bytes(4, "little")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "gdbhv", *map(str, arguments)]


def gdbhv(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), input=stdin, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )


@pytest.fixture
def spin(tmp_path: Path) -> Path:
    """A guest that never ends."""
    (path := tmp_path / "spin.bin").write_bytes(SPIN)
    return path


def test_a_guest_runs_and_powers_off() -> None:
    done = gdbhv("run", HELLO)
    assert (done.returncode, done.stdout) == (0, "hello from EL1\n")
    assert done.stderr.startswith("gdbhv: the guest powered off after ")
    assert done.stderr.count("\n") == 1


def test_a_guest_without_a_hypervisor() -> None:
    done = gdbhv("run", "--bare", ZOO, "--stats", "text")
    assert done.returncode == 0
    assert done.stdout.endswith("zoo ok\n")
    assert "no exits yet" in done.stderr


def test_the_same_twice() -> None:
    first, second = (json.loads(gdbhv("run", ZOO, "--console", os.devnull, "--stats", "json").stdout) for _ in range(2))
    for run in (first, second):
        run.pop("seconds")
    assert first == second


def test_stats_json() -> None:
    done = gdbhv("run", ZOO, "--console", os.devnull, "--stats", "json", "--smp", "2")
    stats = json.loads(done.stdout)
    keys = "end status text instructions instructions_by_cpu virtual_ns seconds exits further counts".split()
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
    assert "hlt #0xf000 is a semihosting call, and there is no semihosting here" in done.stderr


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


WRONG_USAGE = [
    (["cpus", "cortex"], "'cortex' is no CPU: cortex-a53, cortex-a57"),
    (["run"], "an IMAGE is needed"),
    (["run", "--el", "2"], "an IMAGE is needed"),
    (["run", HELLO, "--wait"], "--wait needs --gdb"),
    (["run", HELLO, "--gdb", ""], "--gdb needs an address"),
    (["run", HELLO, "-v"], "they need --gdb"),
    (["run", HELLO, "--rsp-log", "x"], "they need --gdb"),
    (["run", "--el", "2", "--wait"], "--wait needs --gdb"),
    (["run", HELLO, "--el", "3"], "invalid choice: 3"),
    (["run", HELLO, "--smp", "9"], "'9': 1 to 8 is possible"),
    (["run", HELLO, "--smp", "0"], "'0': 1 to 8 is possible"),
    (["run", HELLO, "--vms", "x"], "'x': 1 to 8 is possible"),
    (["run", HELLO, "--ns-per-insn", "1001"], "'1001': 1 to 1000 nanoseconds are possible"),
    (["run", HELLO, "--vms", "2", "--el", "2"], "--vms needs gdbhv"),
    (["run", HELLO, "--vms", "2", "--bare"], "--vms needs gdbhv"),
    (["run", HELLO, "--gic", "2"], "a hosted VM has a GICv3"),
    (["run", HELLO, "--memory", "lots"], "'lots' is no size"),
    (["run", HELLO, "--memory", "-5"], "'-5' is no size"),
    (["run", HELLO, "--max-insns", "-5"], "-5 is out of range"),
    (["run", HELLO, "--max-insns", "ten"], "'ten' is no number"),
    (["run", HELLO, "--max-insns", "1e999"], "'1e999' is no number"),
    (["run", HELLO, "--entry", "0x10000000000000000"], "out of range"),
    (["run", HELLO, "--load", "x"], "FILE@ADDR is needed"),
    (["run", HELLO, "--cpu", "foo"], "choose from"),
    (["run", HELLO, "--stats", "xml"], "choose from"),
    (["run", HELLO, "--gdb", "1234", "--max-insns", "5"], "--max-insns is for runs without --gdb"),
    (["run", HELLO, "--gdb", "stdio", "--console", "stdio"], "cannot both have stdio"),
    (["run", HELLO, "--vm", HELLO], "--vm is instead of IMAGE"),
    (["run", "--vm", HELLO, "--el", "2"], "--vm is instead of IMAGE"),
    (["run", "--vm", f"{HELLO},colour=red"], "'colour=red': IMAGE is followed by initrd=, append="),
    (["run", "--vm", ",smp=2"], "an IMAGE comes first"),
    (["run", "--vm", f"{HELLO},smp=9"], "'9': 1 to 8 is possible"),
    (["run", HELLO, "--console", "a", "--console", "b"], "--console twice"),
    (["run", HELLO, "--bare", "--console", "vm1=a"], "is for the VMs of gdbhv's own hypervisor"),
    (["run", HELLO, "--frobnicate"], "unrecognized arguments: --frobnicate"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    ([], "required: COMMAND"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USAGE, ids=[" ".join(a[-2:]) or "nothing" for a, _ in WRONG_USAGE])
def test_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(arguments)
    except SystemExit as e:
        status = int(str(e.code))
    said = capsys.readouterr().err
    assert status == 2
    assert message in said
    assert said.count("\n") == 1


ERRORS = [
    (["nothing"], "nothing: No such file or directory"),
    (["/"], "/: Is a directory"),
    ([HELLO, "--dtb", HELLO], "not a device tree blob"),
    ([HELLO, "--initrd", "nothing"], "nothing: No such file"),
    ([HELLO, "--load", "nothing@0x48000000"], "nothing: No such file"),
    ([HELLO, "--load", f"{HELLO}@0x40200000"], "overlap at 0x40200000"),
    ([HELLO, "--memory", "1M"], "it needs a machine with more memory"),
    ([""], "'': a file's name is needed, and this is empty"),
    (["/dev/zero"], "/dev/zero: a character device: a regular file is needed"),
    ([HELLO, "--initrd", "/dev/zero"], "/dev/zero: a character device"),
    (
        [HELLO, "--load", f"{HELLO}@0x1000"],
        "is not all in RAM, which is 0x40000000 to 0x7fffffff; put it, or link it, above",
    ),
    ([HELLO, "--append", os.fsdecode(b"ok \xff\xfe")], "--append: the command line of a kernel is UTF-8 text, and byte 3"),
    ([HELLO, "--console", ""], "--console '': a file's name is needed"),
    ([HELLO, "--console", HELLO], "the same file as"),
    ([HELLO, "--gdb", f"unix:{HELLO}"], "a regular file is there, and stays"),
    ([HELLO, "--memory", "1"], "--memory: 1 bytes are not whole 4 KiB pages (4,096 bytes are)"),
    ([HELLO, "--memory", "999999999999G"], "at most 255 GiB"),
    ([HELLO, "--memory", "5000"], "whole 4 KiB pages"),
    ([HELLO, "--memory", "300G"], "at most 255 GiB"),
    (["--vm", f"{HELLO},memory=1"], "--vm: memory: 1 bytes are not whole 4 KiB pages"),
    (["--load", f"{HELLO}@0x40200000", "--load-address", "0x40000000"], "--load-address: it is for an image"),
    ([HELLO, "--entry", "0x10"], "--entry: the first instruction cannot be at 0x10"),
    ([HELLO, "--console", "/nonexistent/log"], "--console /nonexistent/log: No such file"),
    ([HELLO, "--console", "vm7=/dev/null"], "no VM is called so; there are vm1"),
    (["--vm", f"{HELLO},name=a", "--vm", f"{HELLO},name=a"], "two VMs cannot have the same name: a, a"),
    ([HELLO, "--gdb", "port"], "write [HOST:]PORT, unix:PATH or stdio"),
    ([HELLO, "--gdb", "99999"], "the port is no number up to 65535"),
    ([HELLO, "--gdb", "unix:/nonexistent/socket"], "unix:/nonexistent/socket: No such file"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[" ".join(a[-2:]) for a, _ in ERRORS])
def test_an_error_is_one_line_and_status_1(arguments: list[str], message: str) -> None:
    done = gdbhv("run", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.startswith("gdbhv: ")
    assert done.stderr.count("\n") == 1


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = gdbhv("run", HELLO, "--gdb", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "in use" in done.stderr


# x1 = the UART; send a character
SEND = (0xD2A12001, 0x528007C0, 0xB9000020)  # mov x1, #0x9000000; mov w0, #'>'; str w0, [x1]


def words(*numbers: int) -> bytes:
    return b"".join(n.to_bytes(4, "little") for n in numbers)


@pytest.mark.parametrize("el", ["1", "2"])
def test_ctrl_c_ends_with_130_and_says_how_far_it_came(tmp_path: Path, el: str) -> None:
    (path := tmp_path / "busy.bin").write_bytes(words(*SEND) + SPIN)
    run = command("run", path, "--el", el, "--stats", "json")
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == ">"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    stats = json.loads(out)
    assert (process.returncode, stats["end"], err) == (130, "interrupted", "")
    assert stats["instructions"] >= 3


def test_a_terminal_passes_keys_to_the_guest_and_is_given_back(tmp_path: Path) -> None:
    """A guest that echoes one character in upper case, when UARTFR says that there is one."""
    echo = (0xB9401820, 0x3727FFE0, 0xB9400020, 0x51008000, 0xB9000020)  # wait; ldr w0, [x1]; sub w0, w0, #32; str
    system_off = (0xD2800100, 0xF2B08000, 0xD4000002)
    (path := tmp_path / "echo.bin").write_bytes(words(*SEND, *echo, *system_off))
    controller, terminal = pty.openpty()
    try:
        with subprocess.Popen(
            ["setsid", "--ctty", *command("run", path)],  # the terminal is the one that controls it
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process:
            assert os.read(controller, 1) == b">"
            os.write(controller, b"q")
            _, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        assert os.read(controller, 100) == b"Q"
        assert termios.tcgetattr(terminal)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize("el", ["1", "2"])
def test_a_piped_stdin_is_typed_and_its_end_is_no_end(tmp_path: Path, el: str) -> None:
    """The guest polls for two characters, echoes them in upper case, and switches off; the input was there before."""
    echo = (0xB9401820, 0x3727FFE0, 0xB9400020, 0x51008000, 0xB9000020)  # wait; ldr w0, [x1]; sub w0, w0, #32; str
    system_off = (0xD2800100, 0xF2B08000, 0xD4000002 if el == "1" else 0xD4000003)
    (path := tmp_path / "echo.bin").write_bytes(words(*SEND, *echo, *echo, *system_off))
    runs = [gdbhv("run", path, "--el", el, "--stats", "json", stdin="ab") for _ in range(2)]
    for run in runs:
        assert (run.returncode, run.stdout.partition("{")[0]) == (0, ">AB\n")
    first, second = (json.loads("{" + run.stdout.partition("{")[2]) for run in runs)
    assert (first["instructions"], first["virtual_ns"]) == (second["instructions"], second["virtual_ns"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("debugged", [False, True])
@pytest.mark.parametrize("controlling", [True, False])
def test_a_signal_that_ends_the_run_gives_the_terminal_back(
    tmp_path: Path, number: signal.Signals, debugged: bool, controlling: bool
) -> None:
    """Whether or not the terminal is the one that controls the process; and the process dies of that signal."""
    (path := tmp_path / "busy.bin").write_bytes(words(*SEND) + SPIN)
    run = command("run", path, "--memory", "16M", *(["--gdb", "0"] if debugged else []))
    controller, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    try:
        with subprocess.Popen(
            ["setsid", *(["--ctty"] if controlling else []), "sh", "-c", 'ulimit -c 0; exec "$@"', "sh", *run],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process:
            assert os.read(controller, 1) == b">"
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO
            process.send_signal(number)
            _, err = process.communicate(timeout=50)
        assert process.returncode == -number, err
        assert b"Traceback" not in err
        assert termios.tcgetattr(terminal) == before
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize("name", ["HUP", "INT"])
def test_a_signal_that_is_ignored_stays_so(tmp_path: Path, name: str) -> None:
    """As nohup has it, and a script's `&`."""
    (path := tmp_path / "busy.bin").write_bytes(words(*SEND) + SPIN)
    shell = ["sh", "-c", f"trap '' {name}; exec {' '.join(command('run', path))}"]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(1) == b">"
            process.send_signal(getattr(signal, f"SIG{name}"))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM


@contextlib.contextmanager
def at_a_terminal(folder: Path, *options: str, before: str = "") -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A guest that has sent ``>`` and executes for ever, at a terminal that does not control it; the terminal's other end.

    :param before: what the shell does that starts it.
    """
    (path := folder / "busy.bin").write_bytes(words(*SEND) + SPIN)
    run = ["sh", "-c", f'{before} exec "$@"', "sh", *command("run", path, "--memory", "16M", *options)]
    controller, terminal = pty.openpty()
    with open(terminal, "r+b", buffering=0) as ours:
        process = subprocess.Popen(run, stdin=ours, stdout=ours, stderr=subprocess.PIPE, env=ENVIRONMENT)
    with process:
        try:
            assert os.read(controller, 1) == b">"
            yield process, controller
        finally:
            process.kill()


@pytest.mark.parametrize("options", [(), ("--gdb", "0"), ("--realtime",)], ids=["alone", "debugged", "realtime"])
def test_a_terminal_that_goes_away_ends_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whether or not it is the one that controls the process: a guest that nobody can stop would execute for ever."""
    with at_a_terminal(tmp_path, *options) as (process, controller):
        os.close(controller)
        _, err = process.communicate(timeout=50)
    assert process.returncode == -signal.SIGHUP
    assert b"Traceback" not in err


def test_ctrl_a_x_ends_it_though_ctrl_c_is_ignored(tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, before="trap '' INT;") as (process, controller):
        os.write(controller, b"\x01x")
        _, err = process.communicate(timeout=50)
        os.close(controller)
    assert process.returncode == -signal.SIGTERM, err


@pytest.mark.parametrize("module", ["gdbhv.cli", "gdbhv._core", "gdbhv.boot", "pygdbmi.IoManager", "gdbhv.cli.running"])
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


def test_stdio_is_left_as_it_was() -> None:
    """The mode "non-blocking" belongs to the open file, which others share."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen(
            command("run", HELLO, "--gdb", "stdio", "--wait"),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process,
    ):
        ours.sendall(b"$qC#b4")
        assert ours.recv(1) == b"+"
        assert os.get_blocking(theirs.fileno())
        process.kill()
        process.communicate()
        assert os.get_blocking(theirs.fileno())


def test_the_packets_on_stderr_and_in_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = gdbhv("run", HELLO, "--gdb", "stdio", "--wait", "-v", "--rsp-log", log, stdin="+$qC#b4$m40200000,4#53-\x03$k#6b")
    lines = log.read_text().splitlines()
    assert lines[:2] == ["> qC", "< QC1"]
    assert [line for line in lines if line.startswith(">")] == ["> qC", "> m40200000,4", "> (-)", ">> \\x03", "> k"]
    shown = [line for line in done.stderr.splitlines() if line.startswith(("gdbhv: <", "gdbhv: >"))]
    assert shown == [f"gdbhv: {line}" for line in lines]
    assert gdbhv("run", HELLO, "--gdb", "stdio", "--rsp-log", HELLO).stderr.startswith(f"gdbhv: --rsp-log {HELLO}: the same")


def test_gdb_says_what_it_runs(tmp_path: Path) -> None:
    fake = tmp_path / "gdb-multiarch"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        run = command("gdb", port, "x.elf", "-ex", "echo one", "-x", "two", "--command", "three")
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, env=environment, check=False)
    arguments = done.stdout.splitlines()
    assert arguments[-7:] == ["-ex", "echo one", "-x", "two", "-x", "three", "x.elf"]
    assert arguments.index(f"target extended-remote 127.0.0.1:{port}") < arguments.index("echo one"), "once it is attached"
    assert done.stderr.startswith(f"gdbhv: {fake} -q -nx -iex 'set confirm off'")
    assert done.stderr.endswith("-ex 'echo one' -x two -x three x.elf\n")


def test_gdb_without_a_server(tmp_path: Path) -> None:
    """It says who is not there, and does not leave a gdb behind that is attached to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    nobody = tmp_path / "nobody"
    for address, text in (
        (port, f"nobody listens at 127.0.0.1:{port} (Connection refused): `gdbhv run IMAGE --gdb {port}` starts a machine"),
        (
            f"unix:{nobody}",
            f"nobody listens at unix:{nobody} (No such file or directory): `gdbhv run IMAGE --gdb unix:{nobody}`",
        ),
        ("stdio", "stdio is for a gdb that starts the machine itself: target remote | gdbhv run IMAGE --gdb stdio"),
        ("here", "here: the port is no number up to 65535; write [HOST:]PORT"),
    ):
        done = gdbhv("gdb", address)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(f"gdbhv: {text}")


def test_gdb_waits_for_a_machine_that_is_being_started(tmp_path: Path) -> None:
    place = Address.parse(f"unix:{tmp_path / 'gdb'}")
    with socket.socket(socket.AF_UNIX) as listener:
        late = threading.Timer(0.1, lambda: (listener.bind(place.path), listener.listen()))
        late.start()
        await_listener(place, patience=60)
        late.join()


def test_a_stderr_that_nobody_reads_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command("run", ZOO), stdout=subprocess.PIPE, stderr=writer, timeout=60, env=ENVIRONMENT, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"zoo ok")


def test_gdb_over_stdio() -> None:
    """A debugger that kills the machine with its first packets."""
    done = gdbhv("run", HELLO, "--gdb", "stdio", "--wait", stdin="+$?#3f$k#6b")
    assert done.returncode == 6
    assert "$T05" in done.stdout
    assert done.stderr.startswith("gdbhv: a debugger ended it after 0 instructions")


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
