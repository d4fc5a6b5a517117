"""Replays ``*.rsp`` transcripts against a session without a socket.

One line is one thing::

    # a comment                   : vms 1                       (options, before the first packet)
    > payload                     a packet to the stub, framed here
    < payload                     the next packet from it; `...` stands for anything
    >> bytes   << bytes           raw: what is on the wire, acknowledgements included
    = expression                  true of `target` and `session` now

Backslash escapes (``\\x03``) work in all of them.  A run ends when an answer is looked for, so that ``>> \\x03`` after a
resume comes while it runs.  What is sent and not looked for is an error.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import gdbhv.rsp.packets  # noqa: F401
from gdbhv.errors import CommandError
from gdbhv.rsp.framing import Framer, frame
from gdbhv.rsp.session import Session
from gdbhv.rsp.shared import Shared
from gdbhv.rsp.tdesc import Description
from gdbhv.target import Stop, StopKind, ThreadId
from rsp.fake import ROWS, FakeTarget

DESCRIPTION = Description(ROWS)


def monitor(line: str, thread: ThreadId):
    """A monitor with four commands: echo, count N, think (without end), and anything else fails."""
    name, _, rest = line.partition(" ")
    if name == "echo":
        yield f"{thread}: {rest}"
    elif name == "count":
        yield from (str(n) for n in range(int(rest)))
    elif name == "think":
        yield from itertools.repeat(None)
    else:
        raise CommandError(f"no command '{name}': try `monitor help`")


def make_shared(vms: int = 2) -> Shared:
    return Shared(FakeTarget(vms), DESCRIPTION, monitor, lambda pid: f"/guests/vm{pid}.elf")


class Replay:
    """A session with the owner's part played here."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.session = Session(shared)
        self.raw = b""  # not looked at yet
        self._reader = Framer()
        self.packets: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.session.receive(data)
        self._collect()

    def work(self) -> None:
        """Do the session's jobs to their end."""
        session = self.session
        while session.busy:
            if session.run is not None:
                try:
                    stop = session.target.run(session.run.actions)
                except ZeroDivisionError as error:
                    stop = Stop(StopKind.CRASH, ThreadId(1, 1), text=f"ZeroDivisionError: {error}")
                session.stopped(stop)
            else:
                session.pump()
        self._collect()

    def next_packet(self) -> bytes | None:
        if not self.packets:
            self.work()
        return self.packets.pop(0) if self.packets else None

    def _collect(self) -> None:
        out = self.session.take_output()
        self.raw += out
        self.packets += [event for event in self._reader.feed(out) if isinstance(event, bytes)]


def unescape(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def play(path: Path) -> None:
    """Replay one file.

    :raises AssertionError: with the line's number.
    """
    replay: Replay | None = None
    options: dict[str, int] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}: {line}"
        kind, _, rest = line.partition(" ")
        if kind == ":":
            name, value = rest.split()
            options[name] = int(value)
            continue
        if not kind or kind.startswith("#"):
            continue
        if replay is None:
            replay = Replay(make_shared(**options))
        match kind:
            case ">" | ">>":
                assert not replay.packets or kind == ">>", f"{where}\n  before it, unexpected: {replay.packets}"
                if kind == ">":
                    replay.work()
                    assert not replay.packets, f"{where}\n  before it, unexpected: {replay.packets}"
                    replay.raw = b""
                    replay.send(frame(unescape(rest)))
                else:
                    replay.raw = b""
                    replay.send(unescape(rest))
            case "<":
                got = replay.next_packet()
                pattern = re.escape(unescape(rest)).replace(rb"\.\.\.", rb".*")
                assert got is not None, f"{where}\n  nothing came"
                assert re.fullmatch(pattern, got, re.DOTALL), f"{where}\n  got {got!r}"
            case "<<":
                assert replay.raw == unescape(rest), f"{where}\n  got {replay.raw!r}"
                replay.raw = b""
                replay.packets.clear()
            case "=":
                names = {"target": replay.shared.target, "session": replay.session, "T": ThreadId, "shared": replay.shared}
                assert eval(rest, names), f"{where}\n  is not so"
            case _:
                raise AssertionError(f"{where}\n  no such line")
    assert replay is not None
    replay.work()
    assert not replay.packets, f"{path.name}: at its end, unexpected: {replay.packets}"
