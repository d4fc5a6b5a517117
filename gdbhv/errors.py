"""The errors that gdbhv raises. Each carries its data, and each message says what to do next.

Faults of a guest are never errors: they are the guest's own business (see ``gdbhv.target.Stop`` and the exit record).
"""

from __future__ import annotations


class GdbhvError(Exception):
    """The base of all errors of gdbhv that a user can do something about."""


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
    """A device's register that a debugger cannot see, since reading it has an effect; the message names both."""


class RegisterError(GdbhvError, KeyError):
    """A register that does not exist or refuses the access; ``register`` is its name, even if a number was asked for."""

    def __init__(self, register: str, reason: str) -> None:
        super().__init__(f"{register}: {reason}")
        self.register = register

    def __str__(self) -> str:
        return str(self.args[0])


class StateError(GdbhvError):
    """State that cannot be saved, or saved state that cannot be loaded; nothing has changed then."""


class PacketError(GdbhvError):
    """A packet that cannot be served: ``packet`` is its text, and the message goes to GDB where GDB accepts one."""

    def __init__(self, packet: str, reason: str) -> None:
        super().__init__(reason)
        self.packet = packet


NOT_A_FAULT = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""The exceptions that a catch-all handler must let pass. Such a handler catches BaseException because a panic of the native
module is one, and must not end a debugger's session."""


class CommandError(GdbhvError):
    """A monitor command with wrong arguments; the message has the usage or the nearest known name."""
