"""The command line of a gdb for a person, attached to a server as it starts (``gdbhv gdb``)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gdbhv.client.stops import GdbMissing

GDB = "gdb-multiarch"
GDB_SIDE = Path(__file__).parents[1] / "gdbside" / "gdbhv.py"  # commands for interactive use, sourced once gdb is attached
CONDITIONS = GDB_SIDE.with_name("conditions.py")  # the part that scripts use too

# GDB sends the server the selected thread only when it fetches something of it, and `monitor` fetches nothing: after
# `info threads` the command would be about the last one of the list.  And it does not expect `monitor` to change anything.
_HOOK = """
define hook-monitor
python gdb.execute("maintenance flush register-cache", to_string=True); gdb.selected_thread() and gdb.parse_and_eval("$pc")
end
define hookpost-monitor
python gdb.execute("maintenance flush register-cache", to_string=True); gdb.execute("maintenance flush dcache")
end
"""


def gdb_target(address: str) -> str:
    """Return a server's address as gdb's `target` command takes it: PORT, HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        return address[5:]
    return f"127.0.0.1:{address}" if address.isdigit() else address


def gdb_arguments(
    address: str, program: str | None = None, own: Sequence[str] = (), commands: Sequence[str] = (), gdb: str = GDB
) -> list[str]:
    """Return the command line of a gdb that attaches to ``address`` as it starts.

    :param own: options of gdb's, as they are; it does what ``-x`` and ``-ex`` say in their order, once it is attached.
    :param commands: typed at the end.
    :raises GdbMissing: there is no such gdb.
    """
    path = shutil.which(gdb)
    if path is None:
        raise GdbMissing(gdb)
    arguments = [path, "-q", "-nx", "-iex", "set confirm off", "-iex", "set pagination off"]
    arguments += ["-iex", "set architecture aarch64"]  # a second VM's process is added without its description
    arguments += ["-iex", "set sysroot"]  # files are on this machine: gdb need not ask for them, and warn that it gets none
    arguments += ["-iex", f"python gdb.execute({_HOOK!r})"]
    arguments += ["-ex", f"target extended-remote {gdb_target(address)}"]
    if GDB_SIDE.is_file():
        arguments += ["-ex", f"source {GDB_SIDE}"]
    arguments += own
    for command in commands:
        arguments += ["-ex", command]
    return arguments if program is None else [*arguments, program]


def exec_gdb(address: str, program: str | None = None, own: Sequence[str] = (), commands: Sequence[str] = ()) -> NoReturn:
    """Replace this process by gdb-multiarch, attached to ``address``, for interactive use. Does not return.

    :raises GdbMissing: gdb-multiarch is not installed.
    """
    arguments = gdb_arguments(address, program, own, commands)
    os.execv(arguments[0], arguments)
