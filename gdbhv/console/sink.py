"""Where text goes that somebody may read slowly, or not for an hour: nothing here waits unless it is asked to.

A pipe whose reader has paused (``gdbhv run ... | less``) takes 64 KiB and then blocks whoever writes, and with that Ctrl-C
and the gdb server. So a write goes as far as there is room, and the rest is kept. What happens when much is kept is the
owner's business: a console has its machine stand still, messages are counted instead.

The descriptors stay in blocking mode, which belongs to the open file that a shell shares: they are asked for room first.
"""

from __future__ import annotations

import os
import select
import stat
from typing import BinaryIO

LIMIT = 1 << 16
"""Bytes that are kept, beyond which a sink is full."""


class Sink:
    """Writes to a binary stream. One that never blocks (a file, memory) is written at once, and never full."""

    def __init__(self, output: BinaryIO) -> None:
        self.output = output
        self._unsent = bytearray()
        self._descriptor = _slow(output)
        if self._descriptor is not None:
            output.flush()  # what follows passes by its buffer

    @property
    def full(self) -> bool:
        """Whether much is kept. What is put now is kept as well."""
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
        """Write what is kept as far as there is room, once some comes within ``seconds`` (None: at any time).

        :returns: whether something was written.
        :raises OSError: it cannot be written.
        """
        to, done = self._descriptor, 0
        if to is None:
            return False
        try:
            while done < len(self._unsent) and select.select((), (to,), (), 0 if done else seconds)[1]:
                done += os.write(to, self._unsent[done : done + select.PIPE_BUF])  # for so much there is room
        except BlockingIOError:  # somebody else has made it non-blocking
            pass
        finally:
            del self._unsent[:done]
        return done > 0

    def drain(self) -> None:
        """Wait until all has been read, which may take for ever: a signal's exception ends it. :raises OSError: see put."""
        while self._unsent:
            self.flush(None)


def _slow(output: BinaryIO) -> int | None:
    """Return the descriptor of a stream whose writes may have to wait for a reader; None: they never have."""
    try:
        descriptor = output.fileno()
        return None if stat.S_ISREG(os.fstat(descriptor).st_mode) else descriptor
    except (OSError, ValueError):
        return None
