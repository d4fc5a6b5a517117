"""What runs inside GDB: :mod:`gdbhv.gdbside.gdbhv` is sourced by GDB and never imported here."""
