"""Datagrams from outside to a guest's ports, and its answers to who sent them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable

from gdbhv.inputs import Network

log = logging.getLogger("gdbhv.board.network")

LONGEST = 1472  # bytes that a packet has room for: an MTU of 1500, less the headers of IPv4 and UDP
FIRST = 1 << 31  # the first number of who sends datagrams: those of connections are below
MOST = 64  # senders that are remembered, as many as the machine's gateway does; the first gives way to the next
WAITING = 256  # datagrams that wait for the guest; more are lost, as UDP may

Peer = tuple[socket.socket, tuple[str, int], int]  # the host's port, who sends, the guest's port


class Datagrams:
    """Who has sent some, and what has not reached the guest yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._come: deque[tuple[Peer, bytes]] = deque(maxlen=WAITING)
        self._peers: dict[Peer, int] = {}
        self._told = False

    def read(self, port: socket.socket, guest: int, wake: Callable[[], None]) -> None:
        """Take what comes to a port of the host's, until it is closed.

        What is too long for a packet is lost, which is said once.
        """
        while True:
            try:
                data, sender = port.recvfrom(1 << 16)
            except OSError:  # closed
                return
            if not sender:  # shut down
                return
            if len(data) <= LONGEST:
                with self._lock:
                    self._come.append(((port, sender, guest), data))
                wake()
            elif not self._told:
                self._told = True
                log.warning("datagrams of more than %d bytes do not reach the guest's port %d", LONGEST, guest)

    def due(self, pid: int, waiting: Callable[[int], int | None]) -> list[Network]:
        """Return what the guest ``pid`` is to be given now.

        :param waiting: it is not None where the machine knows a sender's number.
        """
        found = []
        with self._lock:
            while self._come:
                peer, data = self._come.popleft()
                number = self._number(peer, waiting)
                found.append(Network(vm=pid, client=number, event="datagram", port=peer[2], data=data.hex()))
        return found

    def _number(self, peer: Peer, waiting: Callable[[int], int | None]) -> int:
        number = self._peers.get(peer)
        if number is None:
            if len(self._peers) == MOST:
                del self._peers[next(iter(self._peers))]
            # Not that of somebody whom a snapshot knows: a late answer would go to the wrong one.
            taken = {*self._peers.values()}
            number = next(n for n in itertools.count(FIRST) if n not in taken and waiting(n) is None)
            self._peers[peer] = number
        return number

    def answer(self, number: int, data: bytes) -> None:
        """Pass on what the guest has answered; if nobody is there, it is lost."""
        with self._lock:
            peer = next((p for p, n in self._peers.items() if n == number), None)
        if peer is not None:
            with contextlib.suppress(OSError):  # nobody takes it, as UDP may
                peer[0].sendto(data, socket.MSG_DONTWAIT, peer[1])

    def forget(self) -> None:
        """Forget who has sent what: the guest is no more."""
        with self._lock:
            self._come.clear()
            self._peers.clear()
