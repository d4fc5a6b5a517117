"""The command line: ``gdbhv run``, ``gdb``, ``cpus``, ``snapshot`` ... Options, the run and its end have a file each."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from gdbhv.cli.ending import KILLED, STATUS
from gdbhv.cli.examples import GDB_EXAMPLES, RUN_EXAMPLES, SNAPSHOT_EXAMPLES
from gdbhv.cli.options import named, parser, usage_error
from gdbhv.cli.running import run
from gdbhv.cli.saying import STDERR, StderrHandler, say
from gdbhv.cli.signals import Ended, die, ending_signals_raise
from gdbhv.client.stops import GdbError
from gdbhv.errors import ConfigError, GdbhvError
from gdbhv.target import StopKind

__all__ = ["GDB_EXAMPLES", "KILLED", "RUN_EXAMPLES", "SNAPSHOT_EXAMPLES", "STATUS", "main", "parser", "usage_error"]

INTERRUPTED = STATUS[StopKind.INTERRUPT][0]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    logging.basicConfig(format="gdbhv: %(message)s", level=logging.INFO, handlers=[StderrHandler()])
    logging.raiseExceptions = False  # no traceback if nobody reads stderr any more
    options = parser().parse_args(argv)
    if options.command == "qemu":
        from gdbhv.cli import qemu

        if not options.words or options.words[0] in ("-h", "--help"):
            print(options.explained, end="")
            return 0 if options.words else 2
        try:
            options = parser().parse_args(["run", *qemu.run_arguments(options.words)])
        except GdbhvError as e:
            say(str(e))
            return 2
    status = _main(options)
    if status != INTERRUPTED:
        try:
            STDERR.drain()
        except KeyboardInterrupt:
            return INTERRUPTED
    return status


def _main(options: argparse.Namespace) -> int:
    try:
        with ending_signals_raise():
            # What `run` does not need is imported where it is used, so that a run begins sooner.
            if options.command == "gdb":
                from gdbhv.cli.attaching import attach

                attach(options)
            if options.command == "cpus":
                from gdbhv.cli import cpus

                return cpus.show(options)
            if options.command == "snapshot":
                from gdbhv.cli import snapshots

                return snapshots.info(options)
            if options.command == "bundle":
                from gdbhv.cli import bundling

                return bundling.run(options)
            if options.command == "hunt":
                from gdbhv.cli import hunting

                return hunting.hunt(options)
            if options.command in ("s2", "dump"):
                from gdbhv.cli import tabling

                return tabling.run(options)
            return run(options)
    except ConfigError as e:
        say(named(e, options))
        return 1
    except (GdbhvError, GdbError) as e:
        say(str(e))
        return 1
    except BrokenPipeError:  # nobody reads stdout any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as e:
        say(f"{e.filename or getattr(options, 'gdb', None) or ''}: {e.strerror or e}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except Ended as e:
        return die(e.number)
