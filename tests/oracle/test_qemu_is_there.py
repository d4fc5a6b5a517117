"""What compares with QEMU fails where it is missing: a skip would hide that nothing was compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oracle import qemu

TESTS = Path(__file__).resolve().parent.parent


def test_a_missing_qemu_is_a_failure_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="scripts/setup installs it"):
        qemu.executable()


def test_no_test_is_skipped_for_what_setup_installs() -> None:
    skips = re.compile(r"\b(skipif|importorskip)\(")
    assert [path.name for path in TESTS.rglob("*.py") if path != Path(__file__) and skips.search(path.read_text())] == []
