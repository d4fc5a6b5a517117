"""A target that is dropped gives its RAM back. Oracle: what the kernel says of this process (proc(5), statm)."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.target import Space, Target, ThreadId

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"
TOUCHED = 32 << 20  # bytes of each target's RAM
MAKE: dict[str, Callable[[boot.BootConfig, Console], Target]] = {"bare": boot.bare, "hosted": boot.hosted}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection of garbage but one that is asked for."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("kind", MAKE)
def test_the_ram_of_a_dropped_target_is_given_back(kind: str) -> None:
    config, console, sizes = boot.BootConfig(image=HELLO, memory=1 << 30), Console(), []
    for _ in range(8):  # whose console stays
        target = MAKE[kind](config, console)
        target.write_memory(ThreadId(1, 1), 0x42000000, bytes(range(1, 129)) * (TOUCHED // 128), Space.PA)
        target.run_all(1000)
        sizes.append(resident())
    assert sizes[-1] < sizes[1] + 2 * TOUCHED, [size >> 20 for size in sizes]
