"""The outside of a machine's network: ports of 127.0.0.1 that lead to the guest's.

The network itself (a gateway, DHCP, the connections) is the machine's, and as deterministic as the rest of it. Here is what
stands outside: sockets, which threads read. What comes from them enters by the door (:class:`gdbhv.inputs.Network`) when the
machine looks, and what the guest sends is passed on then.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import struct
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gdbhv.board.datagrams import Datagrams
from gdbhv.config import HOST, Forward
from gdbhv.errors import GdbhvError
from gdbhv.inputs import Door, Network
from gdbhv.pace import Pace

log = logging.getLogger("gdbhv.board.network")

AHEAD = 1 << 16  # bytes of a client's that the guest has not acknowledged; it waits with more
PATIENCE = 5  # seconds after which a client that reads nothing is let go

Told = tuple[int, str, bytes]  # client, what, data: as `_core.Machine.net_take` has it


class End(Protocol):
    """The machine's side: `_core.Machine`, or a VM's device."""

    def net_take(self) -> list[Told]:
        """Return what the guest has done since the last call."""

    def net_waiting(self, client: int) -> int | None:
        """Return how much of a client's the guest has not acknowledged; None: there is no such connection."""


@dataclass(eq=False)
class _Client:
    """A connection that was accepted."""

    socket: socket.socket
    port: int
    number: int | None = None  # once the machine knows it
    inbox: bytearray = field(default_factory=bytearray)
    over: str = ""  # "end" or "abort": nothing more comes from it
    told: bool = False  # the machine knows that
    ended: bool = False  # nothing more comes from the guest


class Forwards:
    """Ports of the host's that lead to one guest's. It listens as long as it is open.

    :raises gdbhv.errors.GdbhvError: a port is taken, or not this user's.
    """

    def __init__(self, forwards: Sequence[Forward]) -> None:
        self._changed = threading.Condition()
        self._clients: list[_Client] = []
        self._orphans: set[int] = set()  # connections of the guest's with nobody outside
        self._blocked = False  # a client waits until the guest has acknowledged what there is
        self._wake: Callable[[], None] = lambda: None
        self._listeners: list[socket.socket] = []
        self._datagrams = Datagrams()
        for host, guest, udp in forwards:
            listener = socket.socket(type=socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
            self._listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, host))
                if not udp:
                    listener.listen()
            except OSError as e:
                self.close()
                raise GdbhvError(f"--net: hostfwd: port {host} of {HOST}: {e.strerror}") from None
            if udp:
                self._start(self._datagrams.read, listener, guest, self._arrived)
            else:
                self._start(self._accept, listener, guest)

    def __enter__(self) -> Forwards:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ports(self) -> list[int]:
        """The host's ports, in the order of the forwards."""
        return [listener.getsockname()[1] for listener in self._listeners]

    def listen(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when something has come."""
        self._wake = wake
        wake()

    def close(self) -> None:
        """Close everything."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):  # what has not begun to listen
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._changed:
            for client in [*self._clients]:
                self._drop(client)

    def _start(self, what: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=what, args=arguments, name="network", daemon=True).start()

    # --- threads

    def _arrived(self) -> None:
        self._wake()

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # closed
                return
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE, 0))
            client = _Client(accepted, port)
            with self._changed:
                self._clients.append(client)
            self._wake()
            self._start(self._read, client)

    def _read(self, client: _Client) -> None:
        over = ""
        while not over:
            try:
                data = client.socket.recv(AHEAD)
                over = "" if data else "end"
            except OSError:
                data, over = b"", "abort"
            with self._changed:
                client.inbox += data
                client.over = client.over or over
                self._wake()
                self._changed.wait_for(lambda: len(client.inbox) < AHEAD or client not in self._clients)

    # --- the machine's thread

    def due(self, pid: int, waiting: Callable[[int], int | None]) -> list[Network]:
        """Return what the guest ``pid`` is to be given now.

        :param waiting: how much of a client's it has not acknowledged; None: there is no such connection.
        """
        found: list[Network] = []
        with self._changed:
            gone = self._orphans - {c.number for c in self._clients}
            found += [Network(vm=pid, client=n, event="abort") for n in sorted(gone) if waiting(n) is not None]
            self._orphans.clear()
            self._blocked = False
            for client in [*self._clients]:
                found += self._of(client, pid, waiting)
            self._changed.notify_all()
        return found + self._datagrams.due(pid, waiting)

    def _of(self, client: _Client, pid: int, waiting: Callable[[int], int | None]) -> list[Network]:
        found = []
        if client.number is None:
            taken = {c.number for c in self._clients}
            client.number = next(n for n in itertools.count(1) if n not in taken and waiting(n) is None)
            found.append(Network(vm=pid, client=client.number, event="open", port=client.port))
        if client.inbox:
            room = max(0, AHEAD - (waiting(client.number) or 0))
            if piece := bytes(client.inbox[:room]):
                found.append(Network(vm=pid, client=client.number, event="data", data=piece.hex()))
                del client.inbox[:room]
            self._blocked |= bool(client.inbox)
        if client.over and not client.told and (not client.inbox or client.over == "abort"):
            client.told = True
            found.append(Network(vm=pid, client=client.number, event=client.over))
            if client.over == "abort" or client.ended:
                self._drop(client)
        return found

    def hear(self, told: Sequence[Told]) -> None:
        """Pass on what the guest has done."""
        for number, what, data in told:
            if what == "datagram":
                self._datagrams.answer(number, data)
                continue
            with self._changed:
                client = next((c for c in self._clients if c.number == number), None)
            if client is None:
                if what != "abort":
                    self._orphans.add(number)
            elif what == "data":
                self._send(client, data)
            elif what == "end":
                client.ended = True
                with contextlib.suppress(OSError):
                    client.socket.shutdown(socket.SHUT_WR)
                if client.told:
                    self._drop(client)
            else:
                # A reset, as the guest gave it.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._drop(client)
        if self._blocked or self._orphans:
            self._wake()

    def _send(self, client: _Client, data: bytes) -> None:
        try:
            client.socket.sendall(data)
        except OSError as e:
            if isinstance(e, BlockingIOError):
                log.warning(
                    "a client of the guest's port %d has read nothing for %d s, and is let go", client.port, PATIENCE
                )
            if client.number is not None:
                self._orphans.add(client.number)
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        with self._changed:
            if client in self._clients:
                self._clients.remove(client)
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_RD)  # its thread ends
        client.socket.close()

    def drop_all(self) -> None:
        """Let go of all clients: the guest that they spoke to is no more."""
        self._datagrams.forget()
        with self._changed:
            for client in [*self._clients]:
                if client.number is not None:
                    self._drop(client)


class Wire:
    """The outer end of a network, with somebody there or not.

    :param end: the machine's side.
    """

    def __init__(self, end: End) -> None:
        self._end = end
        self._forwards: Forwards | None = None
        self._muted = False

    def mute(self, muted: bool) -> None:
        """Pass on nothing from here on (it was passed on when it happened first); or what the guest does from here on."""
        self.hear()
        self._muted = muted

    def connect(self, forwards: Forwards, wake: Callable[[], None]) -> None:
        """Let clients of these ports reach the guest; ``wake`` is called when something has come."""
        self._forwards = forwards
        forwards.listen(wake)

    @property
    def awaited(self) -> bool:
        """Whether something may come."""
        return self._forwards is not None

    def hear(self) -> None:
        """Pass on what the guest has done; without anybody there, or in the past, it is forgotten."""
        told = self._end.net_take()
        if told and self._forwards is not None and not self._muted:
            self._forwards.hear(told)

    def attend(self, door: Door, pid: int) -> None:
        """Pass on what the guest ``pid`` has done, and let in what has come, unless nothing may."""
        if door.closed:  # a replay, or what was long ago: who is outside now has heard it, or is somebody else
            self._end.net_take()
            return
        self.hear()
        if self._forwards is not None:
            for what in self._forwards.due(pid, self._end.net_waiting):
                door.enter(what)

    def reset(self) -> None:
        """Let go of everybody: the guest was switched off and on, or is another one now."""
        self._end.net_take()
        if self._forwards is not None:
            self._forwards.drop_all()


class Networked:
    """The methods of a target whose guests have networks."""

    door: Door
    pace: Pace

    def wires(self) -> Mapping[int, Wire]:
        """Return the networks, by the number of the machine or the VM."""
        raise NotImplementedError

    def connect(self, forwards: Forwards, pid: int = 1) -> None:
        """Let clients of these ports reach a guest. :raises gdbhv.errors.GdbhvError: it has no network."""
        wire = self.wires().get(pid)
        if wire is None:
            raise GdbhvError("there is no network to reach: --net user")
        wire.connect(forwards, self.pace.wake)

    @property
    def clients_awaited(self) -> bool:
        """Whether something may come from outside."""
        return any(wire.awaited for wire in self.wires().values())

    def attend_networks(self) -> None:
        """Pass on what guests have done, and let in what has come, unless nothing may."""
        for pid, wire in self.wires().items():
            wire.attend(self.door, pid)

    def drop_clients(self, pids: Collection[int] | None = None) -> None:
        """Let go of everybody outside, of some guests or of all (None); not in the past: they speak to the present."""
        for pid, wire in self.wires().items():
            if (pids is None or pid in pids) and not self.door.closed:
                wire.reset()

    def mute_networks(self, muted: bool) -> None:
        """Pass on nothing from here on, or what guests do from here on."""
        for wire in self.wires().values():
            wire.mute(muted)
