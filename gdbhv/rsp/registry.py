"""The table of packets: ``@packet`` adds a handler, :func:`find` looks one up, :func:`advertised` lists the features.

A row is a prefix as GDB's manual writes it, up to and with the separator that ends the packet's name.  A prefix without
such a separator is the whole packet, except for the one-letter packets, which are followed directly by their arguments; the
longest prefix that matches wins.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.rsp.session import Session

Stream = Generator[bytes | None, None, None]
"""Payloads in turn, ``O`` packets and the answer; None while work takes long and there is no output yet.

After each of them a Ctrl-C may raise a GdbhvError there; the answer is then what is yielded next, or else the error."""

Reply = bytes | Stream | None
"""A payload (escaped if binary), several in turn, or None if the answer is the stop to come."""

Handler = Callable[["Session", bytes], Reply]
"""Called with the session and what follows the prefix, still escaped; raises GdbhvError to refuse."""


@dataclass(frozen=True)
class Packet:
    """One row. ``features`` go into qSupported's answer; ``text_errors``: GDB 13 takes ``E.text`` here without having
    advertised error-message+ (it passes the answer through ``packet_ok``, or prints it)."""

    prefix: bytes
    handler: Handler
    features: tuple[str, ...]
    text_errors: bool


_PACKETS: dict[bytes, Packet] = {}
_BY_FIRST: dict[int, list[Packet]] = {}
_SEPARATORS = b":;,="


def packet(*prefixes: str, features: str = "", text_errors: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler for ``prefixes``; ``features`` is what qSupported says of it, separated by ``;``."""

    def register(handler: Handler) -> Handler:
        for text in prefixes:
            prefix = text.encode()
            if prefix in _PACKETS:
                raise ValueError(f"packet {text} is registered twice")
            row = Packet(prefix, handler, tuple(f for f in features.split(";") if f), text_errors)
            _PACKETS[prefix] = row
            rows = _BY_FIRST.setdefault(prefix[0], [])
            rows.append(row)
            rows.sort(key=lambda r: -len(r.prefix))
        return handler

    return register


def find(payload: bytes) -> Packet | None:
    """Return the row that serves ``payload``; None if the packet is unknown, which is answered with an empty one."""
    if not payload:
        return None
    for row in _BY_FIRST.get(payload[0], ()):
        prefix = row.prefix
        if payload.startswith(prefix) and (len(payload) == len(prefix) or len(prefix) == 1 or prefix[-1] in _SEPARATORS):
            return row
    return None


def packets() -> tuple[Packet, ...]:
    """Return all rows, by prefix."""
    return tuple(_PACKETS[prefix] for prefix in sorted(_PACKETS))


def advertised() -> list[str]:
    """Return the features of all rows, each once."""
    return sorted({feature for row in _PACKETS.values() for feature in row.features})
