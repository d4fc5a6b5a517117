"""Snapshots of machines: in memory (``snapshot.py``) and in files (``snapfile.py``)."""

from gdbhv.snapshot.snapshot import LONGEST_NAME, MOST, Beside, Keeper, Snapshot, load, put, take

__all__ = ["LONGEST_NAME", "MOST", "Beside", "Keeper", "Snapshot", "load", "put", "take"]
