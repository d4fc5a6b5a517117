"""Driving stock gdb: ``session.py`` by script (:class:`gdbhv.GdbSession`), ``gdbline.py`` for a person.

``launch.py``: a machine and a gdb on it; ``stops.py``: what a session answers with; ``reversing.py``: going back. Nothing is
imported here: the command line needs the names of :mod:`gdbhv.client.stops` long before it needs pygdbmi.
"""
