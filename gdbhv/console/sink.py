"""Output to streams whose reader may be slow: nothing here blocks unless asked to.

A pipe whose reader has paused (``gdbhv run ... | less``) takes 64 KiB and then blocks the writer, and with it Ctrl-C and the
gdb server. So a write goes as far as there is room, and the rest is kept. The owner decides what happens when much is kept:
a console pauses its machine, messages are counted and dropped.

The descriptors stay in blocking mode, since the mode belongs to the open file, which a shell shares: they are polled first.
"""

from __future__ import annotations

import os
import select
import stat
from typing import BinaryIO

LIMIT = 1 << 16
"""The number of kept bytes beyond which a sink is full."""


class Sink:
    """Writes to a binary stream. A stream that never blocks (a file, memory) is written at once, and is never full."""

    def __init__(self, output: BinaryIO) -> None:
        self.output = output
        self._unsent = bytearray()
        self._descriptor = _slow(output)
        if self._descriptor is not None:
            output.flush()  # what follows bypasses its buffer

    @property
    def full(self) -> bool:
        """Whether much is kept already. More can still be put."""
        return len(self._unsent) > LIMIT

    @property
    def empty(self) -> bool:
        """Whether all has been written."""
        return not self._unsent

    def put(self, data: bytes) -> None:
        """Write, as far as there is room. :raises OSError: it cannot be written."""
        if self._descriptor is None:
            self.output.write(data)
            self.output.flush()
            return
        self._unsent += data
        self.flush()

    def flush(self, seconds: float | None = 0) -> bool:
        """Write as much of what is kept as there is room for, waiting up to ``seconds`` for room (None: without limit).

        :returns: whether something was written.
        :raises OSError: it cannot be written.
        """
        to, done = self._descriptor, 0
        if to is None:
            return False
        try:
            while done < len(self._unsent) and select.select((), (to,), (), 0 if done else seconds)[1]:
                done += os.write(to, self._unsent[done : done + select.PIPE_BUF])  # this much is certain to fit
        except BlockingIOError:  # somebody else has made it non-blocking
            pass
        finally:
            del self._unsent[:done]
        return done > 0

    def drain(self) -> None:
        """Wait until all has been written, without a time limit; a signal's exception ends it. :raises OSError: see put."""
        while self._unsent:
            self.flush(None)


def _slow(output: BinaryIO) -> int | None:
    """Return the descriptor of a stream whose writes may have to wait for a reader; None if they never do."""
    try:
        descriptor = output.fileno()
        return None if stat.S_ISREG(os.fstat(descriptor).st_mode) else descriptor
    except (OSError, ValueError):
        return None
