"""History: what a machine has done, so that a debugger can go back to it.

history = gdbhv.History(target)
target.run_all()
history.go_to_instruction(1_000_000)
stop = gdbhv.Backward(history).step(thread)
stop = gdbhv.Backward(history).run()  # to the last breakpoint, watchpoint or catchpoint before
history.go(history.present)

A run follows from how it began and from its inputs (:mod:`gdbhv.inputs`). So its past is the list of those, and snapshots at
even distances: to go back is to restore one, and to run again from there. In the past the machine is as it was, can be
looked at, stepped and run, forward and back, and prints nothing twice; nothing comes in from outside. A change there begins
another run, a *fork*, and the one that it leaves is kept, too.
"""

from gdbhv.history.backward import Backward
from gdbhv.history.history import History, Interrupted
from gdbhv.history.keeping import EVERY, MEMORY, Kept
from gdbhv.history.timeline import Checkpoint, Mark, Position, Timeline, order
from gdbhv.history.writers import Writers

__all__ = [
    "EVERY",
    "MEMORY",
    "Backward",
    "Checkpoint",
    "History",
    "Interrupted",
    "Kept",
    "Mark",
    "Position",
    "Timeline",
    "Writers",
    "order",
]
