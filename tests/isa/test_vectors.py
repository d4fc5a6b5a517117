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
    parsed = [vectors.parse(line) for line in lines]
    outcomes = ours.run([case for case, _ in parsed])
    wrong = []
    for index, (line, (case, outputs), outcome) in enumerate(zip(lines, parsed, outcomes, strict=True)):
        demanded = vectors.expected(case, outputs, line, index % batch.MAX_CASES)
        found = batch.differences(case, outcome, demanded)
        wrong += [f"{line}\n    " + "\n    ".join(found)] if found else []
    assert not wrong, "\n".join([f"{len(wrong)} of {len(lines)} ('ours' is gdbhv, 'theirs' the line):", *wrong])
