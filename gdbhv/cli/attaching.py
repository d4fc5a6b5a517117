"""``gdbhv gdb``: start a gdb for interactive use, attached to a server that listens."""

from __future__ import annotations

import argparse
import shlex
import socket
import time

from gdbhv.cli.saying import say
from gdbhv.client import session as client
from gdbhv.errors import GdbhvError
from gdbhv.rsp.transport import Address

PATIENCE = 2.0  # seconds: `gdbhv run` may have been started at the same time
_AGAIN = 0.05
_ANSWER = 5.0  # for a distant host


def attach(options: argparse.Namespace) -> None:
    """Replace this process by gdb. Does not return.

    :raises gdbhv.errors.GdbhvError: nobody listens at the address; the message says how to start a server there.
    """
    arguments = (options.address, options.program, options.own)
    line = shlex.join(client.gdb_arguments(*arguments))
    await_listener(Address.parse(options.address))
    say(line)
    client.exec_gdb(*arguments)


def await_listener(address: Address, patience: float = PATIENCE) -> None:
    """Return once somebody listens. (gdb itself tries for 15 seconds, and then continues unattached.)

    :raises gdbhv.errors.GdbhvError: nobody does.
    """
    if address.kind == "stdio":
        raise GdbhvError("stdio is for a gdb that starts the machine itself: target remote | gdbhv run IMAGE --gdb stdio")
    until = time.monotonic() + patience
    while True:
        try:
            _connect(address).close()
            return
        except socket.gaierror as error:
            raise GdbhvError(f"{address.host}: {error.strerror}; it is no host's name or address") from None
        except OSError as error:
            if time.monotonic() >= until:
                raise GdbhvError(
                    f"nobody listens at {address} ({error.strerror or error}):"
                    f" `gdbhv run IMAGE --gdb {_short(address)}` starts a machine that does"
                ) from None
        time.sleep(_AGAIN)


def _connect(address: Address) -> socket.socket:
    if address.kind == "tcp":
        return socket.create_connection((address.host, address.port), _ANSWER)
    found = socket.socket(socket.AF_UNIX)
    try:
        found.settimeout(_ANSWER)
        found.connect(address.path)
    except OSError:
        found.close()
        raise
    return found


def _short(address: Address) -> str:
    return str(address.port) if address.kind == "tcp" and address.host == "127.0.0.1" else str(address)
