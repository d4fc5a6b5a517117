"""``gdbhv`` as a person or a script starts it: a process, and small guests for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

PREBUILT = ROOT / "guests" / "prebuilt"
HELLO, ZOO, TYPE1 = (str(PREBUILT / f"{name}.elf") for name in ("hello", "exit_zoo", "type1"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
# b . ; and for ever
SPIN = (0x14000000).to_bytes(4, "little")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "gdbhv", *map(str, arguments)]


def gdbhv(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), input=stdin, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )


# x1 = the UART; send a character
SEND = (0xD2A12001, 0x528007C0, 0xB9000020)  # mov x1, #0x9000000; mov w0, #'>'; str w0, [x1]


def words(*numbers: int) -> bytes:
    return b"".join(n.to_bytes(4, "little") for n in numbers)
