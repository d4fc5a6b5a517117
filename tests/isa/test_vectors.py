"""The architecture's rules, instruction by instruction: each line of the .vec files here (format: oracle/vectors.py).

New lines come from ``python -m oracle.record``, which asks QEMU, or from the Arm ARM's pseudocode by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle import batch, ours, vectors

FILES = sorted(Path(__file__).parent.glob("*.vec"))


def lines_of(path: Path) -> list[str]:
    """Return the vectors of a file, without comments and what is skipped with a reason."""
    lines, skip = [], False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("@skip"):
            assert line[5:].strip(), f"{path.name}:{number}: @skip needs a reason"
            skip = True
        elif line and not line.startswith("#"):
            if not skip:
                lines.append(line)
            skip = False
    return lines


def test_there_are_vectors() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vectors(path: Path) -> None:
    lines = lines_of(path)
    wrong = []
    for line in lines:
        case, outputs = vectors.parse(line)
        (outcome,) = ours.run([case])  # alone, because a line's addresses are those of the first case
        found = batch.differences(case, outcome, vectors.expected(case, outputs, line))
        wrong += ["\n    ".join([line, *found])] if found else []
    if wrong:
        headline = f"{len(wrong)} of {len(lines)} lines differ ('ours' is gdbhv, 'theirs' the line):"
        pytest.fail("\n".join([headline, *wrong]), pytrace=False)
