"""`gdbhv run --gdb` as a person starts it, and what happens at its port. Oracle: the contract of ``gdbhv/rsp/server.py``."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.debugged import PREBUILT
from gdbhv.client.launch import Started, started
from gdbhv.client.session import GdbSession
from gdbhv.rsp.framing import frame

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "gdbhv", "run"]
HELLO = str(PREBUILT / "hello.elf")


def run(*arguments: str) -> contextlib.AbstractContextManager[Started]:
    """Start `gdbhv run`."""
    return started(("run", *arguments), cwd=ROOT, stdout=subprocess.PIPE)


def test_from_attach_to_exit_status():
    with run(HELLO, "--gdb", "0", "--wait") as server:
        with GdbSession(server.address) as gdb:
            gdb.break_at("main")  # the symbols are those of the ELF that the server named
            assert gdb.cont().frame.function == "main"
            gdb.execute("delete")
            assert gdb.cont().ended
        assert server.wait(timeout=30) == 0
        assert "hello from EL1" in server.out


def test_quitting_gdb_lets_the_guest_run_to_its_end():
    with run(HELLO, "--gdb", "0", "--wait") as server:
        with GdbSession(server.address):
            pass
        assert server.wait(timeout=30) == 0
        assert "hello from EL1" in server.out


def test_kill_is_another_status():
    with run(HELLO, "--gdb", "0", "--wait") as server:
        with GdbSession(server.address) as gdb:
            gdb.execute("kill")
        assert server.wait(timeout=30) != 0


def test_ctrl_c_at_the_server_is_clean():
    with run(HELLO, "--gdb", "0", "--wait") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 130
        assert "Traceback" not in "\n".join(server.err)


def test_noise_and_killed_clients_leave_the_machine_intact(seed):
    rng = random.Random(seed)
    pieces = [
        b"$g#67",
        b"$vCont;c#a8",
        b"$vCont;s:1#23",
        b"$Z0,40200000,4#",
        b"\x03",
        b"$m40200000,40",
        b"+",
        b"-",
        b"$qRcmd,",
    ]
    with run(HELLO, "--gdb", "0", "--wait") as server:
        host, _, port = server.address.rpartition(":")
        with GdbSession(server.address) as gdb:
            gdb.write_memory(0x41000000, (0x14000000).to_bytes(4, "little"))  # b .: whatever resumes, stays here
            start = gdb.read_register("pc")
            gdb.write_register("pc", 0x41000000)
            gdb.execute("set remotetimeout 1")
            gdb._process.kill()  # no goodbye
        for _ in range(40):
            sock = socket.create_connection((host, int(port)), 10)
            if rng.random() < 0.5:
                sock.sendall(rng.randbytes(rng.randrange(1, 2000)))
            else:
                sock.sendall(b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 20))))
            if rng.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not end
            sock.close()
        assert server.process.poll() is None
        with GdbSession(server.address) as gdb:
            assert gdb.read_register("pc") == 0x41000000
            gdb.write_register("pc", start)
            assert gdb.cont().ended
        assert server.wait(timeout=30) == 0
        assert "hello from EL1" in server.out
        assert "Traceback" not in "\n".join(server.err)


def test_a_second_client_is_told():
    with run(HELLO, "--gdb", "0", "--wait") as server, GdbSession(server.address):
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as second:
            second.settimeout(10)
            second.sendall(frame(b"qSupported"))
            assert b"another debugger controls this machine" in second.recv(1000)


def test_a_unix_socket(tmp_path):
    with run(HELLO, "--gdb", f"unix:{tmp_path / 'gdb'}", "--wait") as server:
        with GdbSession(server.address) as gdb:
            assert gdb.cont().ended
        assert server.wait(timeout=30) == 0


def test_stdio():
    """`target remote |`: the protocol has stdin and stdout for itself."""
    with GdbSession(program=HELLO) as gdb:
        gdb.execute("set remotetimeout 30")  # of a packet's answer: the test is about what is said, on a busy machine too
        command = " ".join([f"cd {ROOT};", *COMMAND, HELLO, "--gdb", "stdio", "--wait"])
        gdb.execute(f"target remote | {command}")
        gdb.break_at("main")
        assert gdb.cont().frame.function == "main"


@pytest.mark.parametrize("address", ["nonsense", "unix:", "1:2:3:x"])
def test_an_address_that_is_none_is_one_sentence(address):
    done = subprocess.run(
        [*COMMAND, HELLO, "--gdb", address], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode not in (0, None)
    assert "HOST:]PORT" in done.stderr
    assert "Traceback" not in done.stderr
