"""``gdbhv run --replay``: run a recording again, with or without a debugger that watches."""

from __future__ import annotations

import argparse
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

from gdbhv.cli.bundling import restore
from gdbhv.cli.ending import report, tell_undefined
from gdbhv.cli.running import choose_tier, keep_history, map_code, open_consoles, serve
from gdbhv.cli.saying import say
from gdbhv.cli.signals import signals_interrupt
from gdbhv.config import PLACED_FILES, SINGLE_FILES, BootConfig
from gdbhv.history import History
from gdbhv.recording import Bundle, Recording, Replay
from gdbhv.recording.bundles import is_bundle

if TYPE_CHECKING:
    from gdbhv.monitor.registry import Bound

TELL_SECONDS = 5.0  # between two progress messages


def replay(options: argparse.Namespace) -> int:
    """Run ``options.replay`` again; return the exit status."""
    with contextlib.ExitStack() as opened:
        bundle = opened.enter_context(Bundle(options.replay)) if is_bundle(options.replay) else None
        recording = opened.enter_context(Recording(options.replay) if bundle is None else bundle.recording())
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
            then = argparse.Namespace(**vars(options) | as_then)
            history = keep_history(then, target)
            images, set_up = [vm.image for vm in vms], _nothing
            if bundle is not None:
                _to_its_end(playing, history, recording)
                set_up, then.wait = partial(restore, bundle, history), True
            stop = serve(then, target, images, history, set_up)
            outcome = playing.outcome()
        else:
            with signals_interrupt(target):
                outcome = playing.run(lambda: tell_undefined(target), _Progress(recording).tell)
            stop = playing.last_stop
        seconds = time.perf_counter() - started
        for one in (console, *consoles.values()) if outcome.same is not None else ():
            one.await_reader()
    return report(options, target, stop, seconds, None if options.gdb else 0, outcome)


def _nothing(monitor: Bound) -> None:
    """Set nothing."""


def _to_its_end(playing: Replay, history: History | None, recording: Recording) -> None:
    """Run a bundle to where somebody is to look; a machine that was off then stands before its last instruction."""
    target = playing.target
    with signals_interrupt(target):
        outcome = playing.run(lambda: tell_undefined(target), _Progress(recording).tell)
    say(outcome.text)
    if history is not None and not any(t.alive for p in target.processes() for t in p.threads):
        history.go_to_instruction(max(history.present.insns - 1, history.beginning.insns))


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
