"""The GDB remote serial protocol: what stock gdb-multiarch speaks to a :class:`gdbhv.target.Target`.

Read in this order: ``framing`` (bytes to packets), ``registry`` (the table of packets), ``session`` (one debugger),
``packets/`` (a file for each topic), ``tdesc`` and ``stop`` (what a machine looks like to GDB), ``server`` (the only I/O).
"""
