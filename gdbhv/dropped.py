"""Free the RAM of hosts that are no longer used, although a host, its VMs and their vCPUs refer to each other.

Only Python's garbage collector frees such a cycle, and it counts objects: it does not know that a few of them hold a
gigabyte of RAM. So it is called before the next host is made if the unused targets hold that much.
"""

from __future__ import annotations

import gc
import weakref

MOST = 1 << 30  # bytes of RAM, of hosts that wait to be freed


class _Waiting:
    """Counts the RAM of the hosts that became unused since the last collection."""

    ram = 0

    def add(self, ram: int) -> None:
        self.ram += ram


_waiting = _Waiting()


def follow(target: object, ram: int) -> None:
    """Count the host of ``target``, with ``ram`` bytes of RAM, as unused once ``target`` is freed."""
    weakref.finalize(target, _waiting.add, ram).atexit = False


def make_room() -> None:
    """Free the unused hosts, if they are large."""
    if _waiting.ram >= MOST:
        _waiting.ram = 0
        gc.collect()
