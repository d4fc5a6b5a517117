"""Recordings of runs, and running them again.

``file.py``: the format; ``recorder.py`` and ``player.py``: making one, and following it; ``witness.py``: what both compare;
``bundles.py``: a run in one file, to hand over.
"""

from gdbhv.recording.bundles import Bundle, bundle
from gdbhv.recording.file import Recording
from gdbhv.recording.player import Outcome, Replay, replay
from gdbhv.recording.recorder import Recorder, record

__all__ = ["Bundle", "Outcome", "Recorder", "Recording", "Replay", "bundle", "record", "replay"]
