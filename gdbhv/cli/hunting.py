"""``gdbhv hunt``: many runs, each with another seed of chaos, until one fails."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from gdbhv.cli.saying import say

FOUND = 9
"""The exit status if a seed fails."""

CHAOS, BUNDLE = "{chaos}", "{bundle}"
SEARCHED = 64 << 20  # bytes of what a run prints
TELL_SECONDS = 5.0  # between two words on how far it is
GRACE_SECONDS = 5.0  # for a run that is told to end


@dataclass(frozen=True)
class Wanted:
    """When a run fails, besides by its exit status."""

    expect: Sequence[str]
    forbid: Sequence[str]
    seconds: float | None  # a run takes at most

    def wrong(self, status: int | None, printed: bytes) -> str:
        """Return why a run has failed, "" if it has not. ``status`` None: it had to be stopped."""
        if status is None:
            return f"it was not over after {self.seconds:g} seconds"
        if status != 0:
            return f"exit status {status}"
        for text in self.forbid:
            if text.encode() in printed:
                return f"it has printed {text!r}"
        for text in self.expect:
            if text.encode() not in printed:
                return f"it has not printed {text!r}"
        return ""


class Runs:
    """The processes that run now."""

    def __init__(self, words: Sequence[str], profile: str | None, wanted: Wanted) -> None:
        self._words, self._profile, self._wanted = words, profile, wanted
        self.own = any(CHAOS in word for word in words)  # a command of the user's, and no arguments of `gdbhv run`
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._over = False

    def command(self, seed: int, bundle: str | None = None) -> list[str]:
        """Return what runs with a seed, and leaves a bundle."""
        chaos = str(seed) if self._profile is None else f"{seed}:{self._profile}"
        if self.own:
            return [word.replace(CHAOS, chaos).replace(BUNDLE, bundle or os.devnull) for word in self._words]
        more = [] if bundle is None else ["--bundle-on-exit-status", f"{bundle}:any", "--copy-images"]
        return [sys.executable, "-m", "gdbhv", "run", *self._words, "--chaos", chaos, *more]

    def run(self, seed: int, bundle: str | None = None) -> str | None:
        """Run with a seed; return why it has failed, "" if it has not. None: all was ended meanwhile."""
        with tempfile.TemporaryFile() as output:
            with self._lock:
                if self._over:
                    return None
                running = subprocess.Popen(
                    self.command(seed, bundle),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(running)
            try:
                status: int | None = running.wait(self._wanted.seconds)
            except subprocess.TimeoutExpired:
                status = None
                _end(running)
            finally:
                with self._lock:
                    self._running.discard(running)
            if self._over:
                return None
            output.seek(0)
            return self._wanted.wrong(status, output.read(SEARCHED))

    def end(self) -> None:
        """End all."""
        with self._lock:
            self._over = True
            left = list(self._running)
        for running in left:
            _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGTERM)
    try:
        running.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def hunt(options: argparse.Namespace) -> int:
    """``gdbhv hunt``; return the exit status."""
    from gdbhv.cli.options import parser, usage_error

    wanted = Wanted(options.expect, options.forbid, options.seconds)
    runs = Runs(options.words, options.profile, wanted)
    if not runs.own:  # what is wrong with the arguments is told once
        wrong = usage_error(parser().parse_args(runs.command(options.first)[3:]))
        if wrong is not None:
            say(f"error: {wrong}", "gdbhv hunt: ")
            return 2
    if not os.path.isdir(options.output):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), options.output)
    failed: list[int] = []
    done, begun = 0, time.monotonic()
    try:
        for seed, why in _results(runs, options):
            done += 1
            if why:
                failed.append(seed)
                say(f"seed {seed}: {why}")
                _keep(runs, seed, why, Path(options.output))
                if len(failed) == options.most:
                    break
    finally:
        runs.end()
    took = time.monotonic() - begun
    if failed:
        say(f"{len(failed)} of {done:,} seeds failed: {', '.join(map(str, failed))} ({took:.0f} s)")
        return FOUND
    say(f"no seed of {done:,} failed ({took:.0f} s)")
    return 0


def _results(runs: Runs, options: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """Run all seeds, some at a time; yield each that is done, and why it has failed."""
    seeds = iter(range(options.first, options.first + options.seeds))
    waiting: dict[Future[str | None], int] = {}
    done, said = 0, time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            while True:
                for seed in seeds:
                    waiting[pool.submit(runs.run, seed)] = seed
                    if len(waiting) == options.jobs:
                        break
                if not waiting:
                    return
                for future in wait(waiting, TELL_SECONDS, FIRST_COMPLETED).done:
                    seed, why = waiting.pop(future), future.result()
                    done += 1
                    yield seed, why or ""
                if time.monotonic() - said >= TELL_SECONDS:
                    said = time.monotonic()
                    say(f"{done:,} of {options.seeds:,} seeds")
        finally:
            runs.end()


def _keep(runs: Runs, seed: int, why: str, folder: Path) -> None:
    """Run a seed that has failed again, for its bundle, and say what replays it."""
    bundle = str(folder / f"seed-{seed}.bundle")
    if runs.own and not any(BUNDLE in word for word in runs.command(seed, BUNDLE)):
        say(f"again: {shlex.join(runs.command(seed))}")
        return
    again = runs.run(seed, bundle)
    if again is None:
        return
    if again != why:
        say(f"seed {seed}: another time: {again or 'it did not fail'}: what it runs is not deterministic")
    if os.path.exists(bundle):
        say(f"again, under gdb: gdbhv run --replay {shlex.quote(bundle)} --gdb 1234")
