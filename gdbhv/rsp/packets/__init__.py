"""The handlers, one file for each topic of GDB's manual. Importing this package fills ``gdbhv.rsp.registry``."""

from gdbhv.rsp.packets import base, breakpoints, catch, memory, monitor, process, registers, resume, threads, xfer

__all__ = ["base", "breakpoints", "catch", "memory", "monitor", "process", "registers", "resume", "threads", "xfer"]
