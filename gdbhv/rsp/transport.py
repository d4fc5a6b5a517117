"""Where a debugger connects, and how bytes get there: TCP on loopback, a Unix socket, or stdio."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import dataclass

from gdbhv.errors import GdbhvError
from gdbhv.files import claim_socket

_CHUNK = 1 << 16


class AddressError(GdbhvError, ValueError):
    """A listening address that is none: ``address``."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}; write [HOST:]PORT, unix:PATH or stdio")
        self.address = address


@dataclass(frozen=True)
class Address:
    """Where a debugger connects: ``kind`` is "tcp", "unix" or "stdio"."""

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse ``[HOST:]PORT``, ``unix:PATH`` or ``stdio``. Without a host it is 127.0.0.1.

        :raises AddressError: none of the three.
        """
        if text == "stdio":
            return cls("stdio")
        if text.startswith("unix:"):
            if not text[5:]:
                raise AddressError(text, "the path is missing")
            return cls("unix", path=text[5:])
        host, found, port_text = text.rpartition(":")
        if not port_text.isascii() or not port_text.isdigit() or int(port_text) > 0xFFFF:
            raise AddressError(text, "the port is no number up to 65535")
        if found and not host:
            raise AddressError(text, "the host is missing (0.0.0.0 for all interfaces, by name only)")
        return cls("tcp", host.strip("[]") or "127.0.0.1", int(port_text))

    def __str__(self) -> str:
        if self.kind == "tcp":
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"unix:{self.path}" if self.kind == "unix" else "stdio"

    @property
    def wide(self) -> bool:
        """Tell whether other machines may reach it."""
        return self.kind == "tcp" and not (self.host.startswith("127.") or self.host in ("localhost", "::1"))


def listen(address: Address) -> tuple[socket.socket, Address]:
    """Listen on a TCP or Unix address; return the socket and the address with its real port.

    A Unix socket that a process left behind is taken over; nothing else that is at its path.

    :raises OSError: it is in use, or not allowed.
    """
    family = socket.AF_UNIX if address.kind == "unix" else socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        if address.kind == "unix":
            claim_socket(address.path)
            listener.bind(address.path)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
            address = Address("tcp", address.host, listener.getsockname()[1])
        listener.listen(64)
        listener.setblocking(False)
        stack.pop_all()  # it stays open
    return listener, address


def accept(listener: socket.socket) -> Stream | None:
    """Return the next client, or None if it has gone already."""
    try:
        sock, _ = listener.accept()
    except OSError:
        return None
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Stream(sock.fileno(), sock.fileno(), sock)


def release_socket(path: str, ours: os.stat_result | None) -> None:
    """Remove a Unix socket's file, unless somebody has put another one there in the meantime."""
    with contextlib.suppress(FileNotFoundError):
        if ours is not None and os.path.samestat(ours, os.lstat(path)):
            os.unlink(path)


class Stream:
    """A client's connection: two file descriptors, the same one for a socket. Nothing here waits for the client.

    Descriptors that are not ours (stdio) stay as they are: the mode "non-blocking" belongs to the open file, which a shell
    or a terminal shares, so they are asked first whether they are ready.
    """

    def __init__(self, reader: int, writer: int, sock: socket.socket | None = None) -> None:
        self.reader, self.writer, self._sock = reader, writer, sock
        self._unsent = bytearray()
        if sock is not None:
            sock.setblocking(False)

    @property
    def unsent(self) -> int:
        """Bytes that wait until the client reads."""
        return len(self._unsent)

    def receive(self) -> bytes | None:
        """Return what has come, b"" at the end, None if there is nothing."""
        try:
            if self._sock is None and not select.select((self.reader,), (), (), 0)[0]:
                return None
            return os.read(self.reader, _CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self, data: bytes) -> bool:
        """Send, as far as the client reads; the rest waits for :meth:`flush`. Return False if the client is gone."""
        self._unsent += data
        return self.flush()

    def flush(self) -> bool:
        """Send what waits, as far as the client reads. Return False if the client is gone."""
        done = 0
        try:
            while done < len(self._unsent):
                if self._sock is not None:
                    done += self._sock.send(self._unsent[done : done + _CHUNK])
                elif select.select((), (self.writer,), (), 0)[1]:  # then so much is taken without waiting
                    done += os.write(self.writer, self._unsent[done : done + select.PIPE_BUF])
                else:
                    break
        except BlockingIOError:
            pass
        except OSError:
            return False
        finally:
            del self._unsent[:done]
        return True

    def drain(self, seconds: float) -> None:
        """Give the client some time to read the rest."""
        deadline = time.monotonic() + seconds
        while self.flush() and self._unsent and (left := deadline - time.monotonic()) > 0:
            select.select((), (self.writer,), (), left)

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
