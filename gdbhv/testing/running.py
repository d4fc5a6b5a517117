"""A machine as a test has it: run it to a place, and say what is to be true there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdbhv.boot import Setup
from gdbhv.console import Console
from gdbhv.errors import GdbhvError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor.registry import Bound
from gdbhv.recording import Recorder
from gdbhv.recording.bundles import write
from gdbhv.target import Stop, StopKind
from gdbhv.testing import counting, golden

SLICE = 50_000
"""Instructions after which :meth:`Run.run_until` looks at the console."""
MOST = 1_000_000_000
"""Instructions that a test's run may take, unless it says otherwise."""
ENDS = (StopKind.POWEROFF, StopKind.RESET, StopKind.CRASH)


class Run:
    """A machine that a test runs. Made by the fixtures ``machine`` and ``hosted``.

    :param setup: what it is made from.
    :param update: golden files are written, not compared with.
    :param keeps: what comes from outside is kept, so that :meth:`write_bundle` can be called.
    """

    def __init__(self, setup: Setup, *, update: bool = False, keeps: bool = False) -> None:
        self.console = Console()
        self.target: HostTarget | Machine = setup.make(self.console)
        self._recorder = Recorder(self.target, setup, None, keeps=True) if keeps else None
        self._update = update
        self._last: Stop | None = None
        self._monitor = Bound(self.target)

    # --- what there is to see

    @property
    def text(self) -> str:
        """What the guests have printed (of more than 1 MiB the end)."""
        return self.console.text.decode(errors="replace")

    @property
    def instructions(self) -> int:
        """Instructions that all CPUs have executed."""
        return int(sum(self.target.core.insns))

    def exits(self, vm: int | None = None) -> dict[str, int]:
        """Return how many exits there were, by name: class and sub-reasons, as ``monitor vmexit stats`` has them.

        :param vm: number of the VM; without it, of all.
        """
        found: Counter[str] = Counter()
        for one in self.target.core.exit_counts():
            if vm is None or one["vm"] == vm:
                found[one["name"]] += one["count"]
        return dict(found)

    def monitor(self, line: str) -> str:
        """Return what a ``monitor`` command says, for the first thread there is.

        :raises gdbhv.errors.GdbhvError: whatever is wrong with it.
        """
        thread = next((t.id for process in self.target.processes() for t in process.threads), None)
        return "\n".join(one for one in self._monitor(line, thread) if one is not None)

    def monitor_json(self, line: str) -> Any:
        """Return what a ``monitor`` command says with ``--json``. :raises gdbhv.errors.GdbhvError: see :meth:`monitor`."""
        return json.loads(self.monitor(f"{line} --json"))

    # --- running

    def type(self, text: str) -> None:
        """Type at the guest's console."""
        self.console.type(text.encode())

    def run(self, instructions: int) -> Stop:
        """Run so many instructions, or until something stops the machine; return why it stopped."""
        self._last = self.target.run_all(instructions)
        return self._last

    def run_until(self, text: str, most: int = MOST) -> None:
        """Run until the console has ``text``: looked at every :data:`SLICE` instructions, always at the same ones.

        :param most: instructions that this may take.
        :raises AssertionError: the machine has stopped before, or it takes longer; with the end of the console.
        """
        begun = self.instructions
        while text not in self.text:
            if self.instructions - begun >= most:
                raise AssertionError(self._said(f"no {text!r} on the console within {most:,} instructions"))
            stop = self.run(SLICE)
            if stop.kind is not StopKind.BUDGET and text not in self.text:
                raise AssertionError(self._said(f"the machine stopped before {text!r} was printed: {stop.text}"))

    def run_to_end(self, most: int = MOST) -> Stop:
        """Run until the machine is off. Return how it ended (``code``: the status that it reported).

        :param most: instructions that this may take.
        :raises AssertionError: something else stops it, it crashes, or it takes longer.
        """
        stop = self._last if self._last is not None and self._last.kind in ENDS else self.run(most)
        if stop.kind is StopKind.BUDGET:
            raise AssertionError(self._said(f"the machine is not off after {most:,} instructions"))
        if stop.kind is not StopKind.POWEROFF:
            raise AssertionError(self._said(f"the machine does not switch itself off: {stop.text}"))
        return stop

    def _said(self, what: str) -> str:
        last = self.text.rstrip().splitlines()[-5:]
        return "\n".join([what, *(["the console ends with:", *last] if last else ["nothing was printed"])])

    # --- what is to be true

    def assert_exits(
        self,
        expected: Mapping[str, counting.Expected] | None = None,
        *,
        max: int | None = None,  # noqa: A002
        vm: int | None = None,
        **classes: counting.Expected,
    ) -> None:
        """Assert how many exits there were: ``run.assert_exits(hvc=3, dabt=(1, 10), max=100)``.

        :param expected: by class and sub-reason, ``{"dabt.perm": 0}``: a number, or the least and the most (None: no bound).
        :param max: the most of all exits, a budget.
        :param vm: number of the VM; without it, of all.
        :raises AssertionError: it is not so, with all that is not and with the counts.
        :raises gdbhv.errors.CommandError: there is no such class.
        """
        counts = self.exits(vm)
        wrong = list(counting.differences(counts, {**(expected or {}), **classes}, max))
        if wrong:
            raise AssertionError("\n".join([*wrong, "the exits were:", *(counting.table(counts) or ["none"])]))

    def assert_golden(self, path: str | Path) -> None:
        """Assert that the run has had the exits, entries and virtual interrupts that a file says.

        ``pytest --gdbhv-update`` writes the file; it is to be looked at, and kept with the tests.

        :raises AssertionError: it has had others, with the difference; or there is no file.
        :raises gdbhv.errors.GdbhvError: there were more events than the machine keeps.
        """
        core = self.target.core
        if core.trace_total > core.trace_size:
            raise GdbhvError(f"the run has had {core.trace_total:,} events, and the last {core.trace_size:,} are kept")
        lines = [golden.line(event) for event in core.trace(core.trace_size)]
        if (wrong := golden.compare(Path(path), lines, update=self._update)) is not None:
            raise AssertionError(wrong)

    # --- after a failure

    def write_bundle(self, path: str | Path, reason: str) -> None:
        """Write what has happened for ``gdbhv run --replay``, which does it again to the same instruction.

        :raises gdbhv.errors.GdbhvError: the run was not kept.
        """
        if self._recorder is None:
            raise GdbhvError("a run is kept with `pytest --gdbhv-bundle FOLDER` only")
        self._recorder.finish(reason)
        write(path, self._recorder.written, reason=reason, insns=self.instructions)
