"""Hosts that are dropped: their RAM is given back, though a host, its VMs and their vCPUs know each other.

Only Python's garbage collector frees such a circle, and it counts objects: it does not see that a few of them have a
gigabyte of RAM. So it is called when the targets that were dropped had that much, before the next host is made.
"""

from __future__ import annotations

import gc
import weakref

MOST = 1 << 30  # bytes of RAM, of hosts that wait to be freed


class _Waiting:
    """How much RAM the hosts have that were dropped since the last collection."""

    ram = 0

    def add(self, ram: int) -> None:
        self.ram += ram


_waiting = _Waiting()


def follow(target: object, ram: int) -> None:
    """Have the host of ``target``, with ``ram`` bytes of RAM, count as dropped with it."""
    weakref.finalize(target, _waiting.add, ram).atexit = False


def make_room() -> None:
    """Free the hosts that were dropped, if they are large."""
    if _waiting.ram >= MOST:
        _waiting.ram = 0
        gc.collect()
