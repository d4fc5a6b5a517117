"""Transcripts of monitor commands: what is typed and what comes back, replayed on a machine without gdb.

    # a comment
    $ command             a monitor command; the lines below it are its whole answer
    ! message             the answer is this error
    @ continue [N]        run all vCPUs to the next stop (at most N instructions); the line below is the stop's text
    @ step                execute one instruction of the first vCPU

``...`` in an expected line stands for any characters: for numbers that belong to other parts than the command. A line of
``...`` alone stands for any number of lines: for rows of tables that grow elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from gdbhv.errors import GdbhvError
from gdbhv.history import History
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import Action, Stop


@dataclass
class Step:
    """One command with the answer that is expected; ``line`` is where it stands."""

    line: int
    text: str
    expected: list[str] = field(default_factory=list)


def steps(path: Path) -> list[Step]:
    """Parse a transcript."""
    found: list[Step] = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if text.startswith(("$ ", "@ ")):
            found.append(Step(number, text))
        elif text and not text.startswith("# "):
            found[-1].expected.append(text)
    return found


def answer(target: HostTarget | Machine, run: registry.Bound, text: str) -> list[str]:
    """Do one step and return what it says."""
    thread = target.processes()[0].threads[0].id
    kind, _, words = text.partition(" ")
    if kind == "$":
        try:
            return [line for line in run(words, thread) if line is not None]
        except GdbhvError as error:
            return [f"! {error}"]
    what, _, number = words.partition(" ")
    if what == "step":
        return described(target.run([Action(thread, step=True)]))
    assert what == "continue", text
    return described(target.run_all(int(number, 0) if number else None))


def described(stop: Stop) -> list[str]:
    return [f"{stop.kind.value}: {stop.text}" if stop.text else stop.kind.value]


def same(expected: str, actual: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, actual) is not None


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the lines that came are those that are expected."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[n:]) for n in range(len(actual) + 1))
    return bool(actual) and same(expected[0], actual[0]) and matches(expected[1:], actual[1:])


def replay(target: HostTarget | Machine, path: Path, history: History | None = None) -> None:
    """Do what a transcript says and compare. :raises AssertionError: an answer differs, with both."""
    run = registry.bind(target, history)
    for step in steps(path):
        actual = answer(target, run, step.text)
        assert matches(step.expected, actual), (
            f"{path.name}:{step.line}: {step.text}\nexpected:\n"
            + "\n".join(step.expected)
            + "\nactual:\n"
            + "\n".join(actual)
        )
