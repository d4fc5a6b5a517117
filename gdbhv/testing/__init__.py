"""Tests of hypervisors and guests with pytest: its plugin, which is there wherever gdbhv is installed.

``plugin.py``: fixtures, marker, options; ``running.py``: what a test does with a machine; ``counting.py``: what it expects
of exits; ``golden.py``: files of exits to compare with.
"""
