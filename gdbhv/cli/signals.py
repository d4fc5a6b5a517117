"""Signals: Ctrl-C stops the machine between two instructions; one that ends the process first restores the terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator

from gdbhv.target import Target

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Ended(SystemExit):
    """A signal that ends the process has arrived: ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def die(number: int) -> int:
    """Die of a signal, so that the parent process sees it; return the status if the signal is blocked."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise :class:`Ended` at a signal that ends the process, unless it is ignored (nohup).

    Where signals cannot be handled, in a thread, nothing changes.
    """

    def end(number: int, frame: object) -> None:
        raise Ended(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.signal(n, end) for n in ENDING if signal.getsignal(n) == signal.SIG_DFL}
    try:
        yield
    except RuntimeError as e:  # Python 3.11 makes one of any exception in the creation of a class, in an import
        if isinstance(e.__cause__, (KeyboardInterrupt, Ended)):
            raise e.__cause__ from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def signals_wake(descriptor: int) -> Iterator[None]:
    """Have signals write a byte to ``descriptor``: otherwise one that comes just before a select() would not end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


@contextlib.contextmanager
def signals_interrupt(target: Target) -> Iterator[None]:
    """Have Ctrl-C, and a signal that ends the process, stop the machine between two instructions, instead of raising in the
    middle of what Python does.

    Python's own handler would wait until the native module comes back; the wake-up descriptor is written at once.

    :raises Ended: it was a signal that ends the process.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    came: list[int] = []
    heard = {n for n in (signal.SIGINT, *ENDING) if callable(signal.getsignal(n))}

    def pass_on() -> None:
        while number := reader.recv(1):
            if number[0] in heard:
                target.interrupt()

    thread = threading.Thread(target=pass_on, name="signals", daemon=True)
    thread.start()
    handlers = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in heard}
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        writer.close()
        thread.join()
        reader.close()
    if ending := [number for number in came if number in ENDING]:
        raise Ended(ending[0])
