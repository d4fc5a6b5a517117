"""A run that hangs says why, and leaves a snapshot. Oracle: guests that hang for a known reason."""

from __future__ import annotations

import os
from pathlib import Path

from started import SPIN, TYPE1, gdbhv, words


def test_a_vector_that_is_not_mapped_is_told_at_once(tmp_path: Path) -> None:
    """A hypervisor that is started as a guest: its first access to EL2 is undefined, and it has no vector at EL1."""
    path = tmp_path / "hang.bundle"
    done = gdbhv("run", TYPE1, "--max-insns", "20000", "--on-hang", path, "--console", os.devnull)
    said = done.stderr.splitlines()
    first = "gdbhv: CPU 0 has taken the same exception 1,000 times: instruction abort of stage 2"
    assert said[0].startswith(first)
    assert "(VBAR_EL1 is 0x0) and faults itself" in said[0]
    assert any(line.startswith("gdbhv: vm1 vcpu0 (p1.1):") for line in said)
    assert any("exit 0 ns ago: iabt.trans.l1.x at 0x200, by HCR_EL2.VM" in line for line in said)
    assert done.returncode == 5
    info = gdbhv("bundle", "info", path)
    assert info.returncode == 0
    assert "20,000 instructions, exit status 5" in info.stdout
    assert "replayed 20,000 instructions: the same" in gdbhv("run", "--replay", path, "--console", os.devnull).stderr


def test_a_branch_to_itself_is_told(tmp_path: Path) -> None:
    image = tmp_path / "spin.bin"
    image.write_bytes(SPIN)
    said = gdbhv("run", image, "--max-insns", "100", "--memory", "64M").stderr
    assert "it branches to itself for ever (b .)" in said
    assert "has taken the same exception" not in said


def test_a_jump_into_zeros_is_told(tmp_path: Path) -> None:
    image = tmp_path / "zeros.bin"
    image.write_bytes(words(0xD2A82000, 0xD61F0000))  # mov x0, #0x41000000; br x0
    said = gdbhv("run", image, "--el", "2", "--max-insns", "2", "--memory", "64M").stderr
    assert "at 0x41000000" in said
    assert "it has jumped to 0x41000000, where memory is zero" in said
