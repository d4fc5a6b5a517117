"""What a test expects of the exits of a run, and whether it is so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdbhv.errors import CommandError
from gdbhv.exits.exitspec import name_matches, parse

Counts = Mapping[str, int]
"""How many exits there were, by name: class and sub-reasons."""
Expected = int | tuple[int | None, int | None]
"""A number, or the least and the most (None: no bound)."""


def matching(counts: Counts, pattern: str) -> int:
    """Return how many exits have a name that ``pattern`` means: the classes and sub-reasons of ``vmexit catch``."""
    return sum(n for name, n in counts.items() if name_matches(pattern, name))


def check(pattern: str) -> None:
    """Check that a pattern names exits, and nothing else.

    :raises gdbhv.errors.CommandError: there is no such class or sub-reason; or it has filters or an action, which counts
        cannot have.
    """
    if parse(pattern).pattern != pattern:
        raise CommandError(
            f"{pattern!r}: exits are counted by class and sub-reason; filters and actions are for catchpoints"
        )


def differences(counts: Counts, expected: Mapping[str, Expected], most: int | None = None) -> Iterator[str]:
    """Yield what is not as expected, a sentence each. :raises gdbhv.errors.CommandError: see :func:`check`."""
    for pattern, wanted in expected.items():
        check(pattern)
        least, limit = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        found = matching(counts, pattern)
        if (least is not None and found < least) or (limit is not None and found > limit):
            yield f"{found:,} exits are {pattern}, and {_words(least, limit)} expected"
    total = sum(counts.values())
    if most is not None and total > most:
        yield f"{total:,} exits in all, and at most {most:,} were expected"


def _words(least: int | None, limit: int | None) -> str:
    if least == limit and least is not None:
        return f"{least:,} {'was' if least == 1 else 'were'}"
    ends = [text for n, text in ((least, f"at least {least}"), (limit, f"at most {limit}")) if n is not None]
    return f"{' and '.join(ends) or 'any number'} were"


def table(counts: Counts) -> Sequence[str]:
    """Return the counts as lines, the most frequent first."""
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    width = max((len(f"{n:,}") for _, n in rows), default=1)
    return [f"{n:>{width},}  {name}" for name, n in rows]
