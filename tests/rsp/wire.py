"""A raw client of the protocol over a socket, and a server of the fake target in a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from gdbhv.rsp.framing import Framer, frame
from gdbhv.rsp.server import Server
from rsp.fake import ROWS, FakeTarget
from rsp.transcript import monitor


class Wire:
    """Speaks packets over a socket; answers are awaited for at most ten seconds."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framer = Framer(1 << 20)
        self._packets: list[bytes] = []

    @classmethod
    def connect(cls, server: Server) -> Wire:
        address = server.address
        sock = socket.socket(socket.AF_UNIX if address.kind == "unix" else socket.AF_INET)
        server.wires.append(sock)
        sock.connect(address.path if address.kind == "unix" else (address.host, address.port))
        return cls(sock)

    def send(self, payload: bytes) -> None:
        self.sock.sendall(frame(payload))

    def receive(self) -> bytes:
        while not self._packets:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError("the server closed the connection")
            self._packets += [event for event in self._framer.feed(data) if isinstance(event, bytes)]
        return self._packets.pop(0)

    def ask(self, payload: bytes) -> bytes:
        self.send(payload)
        return self.receive()

    def hello(self) -> Wire:
        self.ask(b"qSupported:multiprocess+;swbreak+;hwbreak+")
        assert self.ask(b"QStartNoAckMode") == b"OK"
        return self

    def close(self) -> None:
        self.sock.close()


@contextlib.contextmanager
def serving(target: FakeTarget | None = None, address: str = "0", **options) -> Iterator[Server]:
    """Serve a target in a thread; ``server.ended`` is an Event, ``server.end`` what serve() returned."""
    server = Server(target or FakeTarget(), address, **{"registers": ROWS, "monitor": monitor, **options})
    server.ended = threading.Event()
    server.end = None
    server.wires = []  # closed with the server

    def serve() -> None:
        try:
            server.end = server.serve()
        finally:
            server.ended.set()

    thread = threading.Thread(target=serve, name="server")
    thread.start()
    try:
        yield server
    finally:
        server.close()
        for sock in server.wires:
            sock.close()
        thread.join(10)
        assert not thread.is_alive(), "serve() does not end"
