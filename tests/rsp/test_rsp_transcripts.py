"""Every packet in a transcript, every transcript without a socket. Oracle: GDB's manual and what GDB 13.1 was seen to do."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from gdbhv.rsp.framing import frame
from gdbhv.rsp.registry import find, packets
from rsp.transcript import Replay, make_shared, play, unescape

FILES = sorted(Path(__file__).parent.glob("*.rsp"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path, caplog):
    play(path)
    assert "internal error" not in caplog.text


def test_each_packet_occurs():
    seen = set()
    for path in FILES:
        for line in path.read_text().splitlines():
            if line.startswith("> ") and (row := find(unescape(line[2:]))) is not None:
                seen.add(row.prefix)
    assert seen == {row.prefix for row in packets()}


ALPHABET = [row.prefix for row in packets()] + [
    b",",
    b":",
    b";",
    b"-1",
    b"p1.1",
    b"40080000",
    b"4",
    b"0",
    b"ff",
    b"}",
    b"#",
    b"\x03",
]


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_never_raise(seed, caplog):
    """Noise, and packets put together from real pieces: the session answers, and the machine stays as whole as it was."""
    rng = random.Random(seed)
    caplog.set_level(logging.ERROR)
    for _ in range(60):
        replay = Replay(make_shared())
        for _ in range(40):
            if rng.random() < 0.3:
                data = rng.randbytes(rng.randrange(60))
            else:
                data = b"".join(rng.choice(ALPHABET) for _ in range(rng.randrange(1, 6)))
                data = frame(data) if rng.random() < 0.8 else data
            replay.send(data)
            for _ in range(100):
                if not replay.session.busy:
                    break
                if replay.session.run is not None:
                    replay.session.target.interrupt()
                    replay.session.stopped(replay.session.target.run(replay.session.run.actions, 1000))
                else:
                    replay.session.pump()
            if replay.session.outcome is not None or not replay.session.threads:
                break
        assert [record for record in caplog.records if "internal error" in record.message] == [], f"seed {seed}"


def test_answers_do_not_pile_up():
    """A thousand requests for 128 KiB each in one go: a quarter of a gigabyte, a few MiB at a time."""
    session = Replay(make_shared()).session
    session.receive(frame(b"m40080000,20000") * 1000)
    total, peak = 0, 0
    while out := session.take_output():
        total, peak = total + len(out), max(peak, len(out))
        session.advance()
    assert total > 1000 * 0x40000
    assert peak < 1 << 21
