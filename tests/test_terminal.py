"""What a person does at a terminal: keys, Ctrl-C, signals, a terminal that goes away."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from started import ENVIRONMENT, SEND, SPIN, command, gdbhv, words


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
