"""The guest's terminal: where its UART's output goes, and where typed input comes from.

``stream.py``: the console itself; ``keys.py``: Ctrl-A at a terminal; ``places.py``: what ``--console`` can name.
"""

from gdbhv.console.places import open_console
from gdbhv.console.stream import Console, Typed

__all__ = ["Console", "Typed", "open_console"]
