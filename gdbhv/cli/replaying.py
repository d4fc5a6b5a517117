"""``gdbhv run --replay``: run a recording again, with or without a debugger that watches."""

from __future__ import annotations

import argparse
import contextlib
import time

from gdbhv.cli.ending import report, tell_undefined
from gdbhv.cli.running import choose_tier, map_code, open_consoles, serve
from gdbhv.cli.saying import say
from gdbhv.cli.signals import signals_interrupt
from gdbhv.config import PLACED_FILES, SINGLE_FILES, BootConfig
from gdbhv.recording import Recording, Replay

TELL_SECONDS = 5.0  # between two progress messages


def replay(options: argparse.Namespace) -> int:
    """Run ``options.replay`` again; return the exit status."""
    with contextlib.ExitStack() as opened:
        recording = opened.enter_context(Recording(options.replay))
        recording.replace([_files(options, fields) for fields in options.vm or [{}]])
        console, consoles = open_consoles(options, opened, typed=False)
        playing = Replay(recording, console, consoles)
        target, vms = playing.target, recording.vms
        choose_tier(options, target)
        if options.perf_map:
            map_code(target, [vm.image for vm in vms])
        started = time.perf_counter()
        if options.gdb:
            first, hosted = vms[0], recording.header.hosted
            machine = {"cpu": first.cpu, "gic": first.gic, "el": 2 if not hosted and recording.header.el2 else 1}
            as_then = machine | {"bare": not hosted and not recording.header.el2, "no_reboot": not playing.reboots}
            stop = serve(argparse.Namespace(**vars(options) | as_then), target, [vm.image for vm in vms])
            outcome = playing.outcome()
        else:
            with signals_interrupt(target):
                outcome = playing.run(lambda: tell_undefined(target), _Progress(recording).tell)
            stop = playing.last_stop
        seconds = time.perf_counter() - started
        for one in (console, *consoles.values()) if outcome.same is not None else ():
            one.await_reader()
    return report(options, target, stop, seconds, None if options.gdb else 0, outcome)


def _files(options: argparse.Namespace, fields: dict[str, object]) -> BootConfig:
    """Return the files that the command line names, for one VM or for all."""
    named = {name: getattr(options, name) for name in _NAMED} | fields
    return BootConfig(**{name: value for name, value in named.items() if name in _NAMED})


_NAMED = (*SINGLE_FILES, *PLACED_FILES)


class _Progress:
    """Reports the progress of a replay now and then."""

    def __init__(self, recording: Recording) -> None:
        self._last = "" if recording.last is None else f" of {recording.last.insns:,}"
        self._said = time.monotonic()

    def tell(self, insns: int) -> None:
        """Report the progress, if it is time to."""
        if time.monotonic() - self._said >= TELL_SECONDS:
            self._said = time.monotonic()
            say(f"{insns:,}{self._last} instructions are replayed, the same so far")
