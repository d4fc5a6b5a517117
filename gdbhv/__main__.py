"""``gdbhv`` and ``python -m gdbhv``: a Ctrl-C during the imports ends the command as any other does."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return the exit status."""
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # by gdbhv/entry/scripts/gdbhv
            signal.signal(signal.SIGINT, signal.default_int_handler)
        from gdbhv.cli import main as command_line

        return command_line()
    except (KeyboardInterrupt, RuntimeError) as e:  # Python 3.11 wraps what is raised while a class is made
        if not isinstance(e, KeyboardInterrupt) and not isinstance(e.__cause__, KeyboardInterrupt):
            raise
        print("gdbhv: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
