"""The escape key of a terminal: a key after Ctrl-A is for gdbhv, all others are for the guest."""

from __future__ import annotations

from collections.abc import Callable

ESCAPE = 0x01  # Ctrl-A
HELP = (
    "Ctrl-A x ends the run; Ctrl-A c sends Ctrl-C to the guest, Ctrl-A Ctrl-A sends Ctrl-A; Ctrl-A h shows this; "
    "Ctrl-C without Ctrl-A ends the run too"
)


class Keys:
    """Splits what is typed.

    :param end: called for Ctrl-A x.
    :param say: called with a line for the person.
    """

    def __init__(self, end: Callable[[], None], say: Callable[[str], None]) -> None:
        self._end, self._say = end, say
        self._escaped = False

    def __call__(self, data: bytes) -> bytes:
        """Return what goes to the guest."""
        guest = bytearray()
        for byte in data:
            if not self._escaped:
                self._escaped = byte == ESCAPE
                if not self._escaped:
                    guest.append(byte)
                continue
            self._escaped = False
            match byte:
                case 0x01 | 0x61:  # Ctrl-A, or a without Ctrl
                    guest.append(ESCAPE)
                case 0x63 | 0x03:  # c
                    guest.append(0x03)
                case 0x78 | 0x18:  # x
                    self._end()
                case _:
                    self._say(HELP)
        return bytes(guest)
