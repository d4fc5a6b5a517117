"""A real machine with a guest, its server in a thread, and a gdb-multiarch attached to it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gdbhv import _core, boot
from gdbhv.client.session import GdbSession
from gdbhv.console import Console
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.rsp.server import Server
from rsp.wire import serving

NEWEST = Path(sys.executable).with_name("gdb")  # of the package gdb-for-pwndbg
GDBS = ("gdb-multiarch", str(NEWEST))
"""Debian's gdb, and the newest: what gdb makes of our answers is true of both."""

PREBUILT = Path(__file__).resolve().parents[2] / "guests" / "prebuilt"
HVC, SYSREG, DATA_ABORT = 0x1016, 0x1018, 0x1024


class Debugged:
    """What a test holds: ``gdb``, the ``target`` behind it, the ``server`` and what the guests have printed."""

    def __init__(self, gdb: GdbSession, target: HostTarget | Machine, server: Server, console: Console) -> None:
        self.gdb, self.target, self.server, self._console = gdb, target, server, console

    @property
    def console(self) -> str:
        return self._console.text.decode()

    def wait_for(self, text: str, seconds: float = 300) -> None:
        """Return when the guests, which run, have printed ``text``."""
        deadline = time.monotonic() + seconds
        while text not in self.console:
            assert time.monotonic() < deadline, f"{text!r} has not come; the console ends with {self.console[-300:]!r}"
            time.sleep(0.02)


@contextlib.contextmanager
def debugged(
    config: boot.BootConfig, program: Path | None = None, *, vms: int = 1, timeout: float = 60, gdb: str = GDBS[0]
) -> Iterator[Debugged]:
    """Boot ``config``, stopped at its first instruction, and attach gdb. Without ``vms`` the machine is bare."""
    console = Console()
    target = boot.hosted(config, console, vms=vms) if vms else boot.bare(config, console)
    elf = str(program) if program else None
    options = {"registers": _core.registers(), "monitor": registry.bind(target), "exec_file": lambda pid: elf}
    with serving(target, **options) as server, GdbSession(str(server.address), elf, timeout=timeout, gdb=gdb) as session:
        yield Debugged(session, target, server, console)


def guest(name: str, *, vcpus: int = 1, vms: int = 1, gdb: str = GDBS[0]) -> contextlib.AbstractContextManager[Debugged]:
    """Debug a guest of ``guests/``."""
    elf = PREBUILT / f"{name}.elf"
    return debugged(boot.BootConfig(image=elf, smp=vcpus, memory=64 << 20), elf, vms=vms, gdb=gdb)
