"""The errors that gdbhv raises. Each carries its data, and each message says what to do next.

Faults of a guest are never errors: they are the guest's own business (see ``gdbhv.target.Stop`` and the exit record).
"""

from __future__ import annotations


class GdbhvError(Exception):
    """Any error of gdbhv that is the user's to mend."""


class ImageError(GdbhvError, ValueError):
    """A file that cannot be loaded: ``path`` and what is wrong with it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class ConfigError(GdbhvError, ValueError):
    """A machine that cannot be made: the wrong ``parameter``, and the ``reason``. A command line names its option."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter, self.reason = parameter, reason


class MemoryError_(GdbhvError, LookupError):
    """An address that cannot be read or written: ``address`` is the first bad one."""

    def __init__(self, address: int, reason: str) -> None:
        super().__init__(f"0x{address:x}: {reason}")
        self.address = address


class PeekError(GdbhvError):
    """A device's register that a debugger does not see, since a read of it has an effect: its name, and what."""


class RegisterError(GdbhvError, KeyError):
    """A register that does not exist or refuses the access: ``register`` is its name, however it was asked for."""

    def __init__(self, register: str, reason: str) -> None:
        super().__init__(f"{register}: {reason}")
        self.register = register

    def __str__(self) -> str:
        return str(self.args[0])


class StateError(GdbhvError):
    """What cannot be saved, or was saved and cannot be loaded; nothing has changed then."""


class PacketError(GdbhvError):
    """A packet that cannot be served: ``packet`` is its text, and the message goes to GDB where GDB accepts one."""

    def __init__(self, packet: str, reason: str) -> None:
        super().__init__(reason)
        self.packet = packet


NOT_A_FAULT = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""The exceptions that a handler of every exception must let pass. It catches BaseException for the sake of a panic of the
native module, which is one and is no reason to lose a debugger's session."""


class CommandError(GdbhvError):
    """A monitor command with wrong words; the message has the usage or the nearest known name."""
