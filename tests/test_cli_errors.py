"""``gdbhv`` with wrong words: one line that names the cause, and an exit status."""

from __future__ import annotations

import os
import socket

import pytest

from gdbhv import cli
from started import HELLO, gdbhv

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
    ([HELLO, "--console", "unix:"], "--console unix:: the path is missing; write unix:PATH"),
    ([HELLO, "--console", "pty:1"], "--console pty:1: pty takes nothing behind it; a file of that name is ./pty:1"),
    ([HELLO, "--console", "vm1=stdio:"], "--console stdio:: stdio takes nothing behind it"),
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
