"""The guest's terminal: where its UART's output goes, and where typed input comes from.

``stream.py``: the console itself; ``keys.py``: Ctrl-A at a terminal; ``places.py``: what ``--console`` can name;
``sink.py``: writing to whoever reads slowly.
"""

from gdbhv.console.places import open_console
from gdbhv.console.sink import Sink
from gdbhv.console.stream import Console, Typed, await_readers

__all__ = ["Console", "Sink", "Typed", "await_readers", "open_console"]
