"""The guests of scripts/bench.py check what they compute: they end well here and on QEMU, and a wrong sum is an error."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from scripts.benchmarks import loops
from scripts.benchmarks.subjects import Gdbhv, Qemu, time_process

each_loop = pytest.mark.parametrize("loop", loops.LOOPS, ids=lambda loop: loop.name)
C = [loop for loop in loops.LOOPS if loop.file.endswith(".c")]
MAIN = (
    '#include <stdio.h>\n#include "guest.h"\nint main(void) { printf("%d", round() == expected && round() == expected); }\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guests")


@each_loop
def test_it_ends_well(loop: loops.Loop, folder: Path) -> None:
    assert loops.run(loop, 2, folder)[1] == "ok\n"


@each_loop
def test_it_ends_well_on_qemu(loop: loops.Loop, folder: Path) -> None:
    time_process(Qemu().bare(loops.build(loop, 2, folder), cpus=loop.cpus), says=b"ok\n", limit=30)


@pytest.mark.parametrize("loop", [loop for loop in loops.LOOPS if not loop.events], ids=lambda loop: loop.name)
def test_each_round_has_as_many_instructions(loop: loops.Loop, folder: Path) -> None:
    one, two, three = (loops.run(loop, rounds, folder)[0] for rounds in (1, 2, 3))
    assert three - two == two - one == loops.instructions(loop, folder)


@pytest.mark.parametrize("loop", C, ids=lambda loop: loop.name)
def test_the_host_computes_the_same(loop: loops.Loop, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(MAIN)
    options = ["-O2", "-ffp-contract=off", "-fno-math-errno", "-fno-builtin-round", "-I", str(loops.GUEST)]
    program = tmp_path / "native"
    subprocess.run(["cc", *options, str(tmp_path / "main.c"), str(loops.GUEST / loop.file), "-o", str(program)], check=True)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "1"


@pytest.mark.parametrize("name", ["alu", "svc", "exclusive"])
def test_a_wrong_sum_is_an_error(name: str, folder: Path, tmp_path: Path) -> None:
    loop = loops.NAMED[name]
    image = loops.build(loop, 1, folder)
    data, at = bytearray(image.read_bytes()), loops.offset(image, loops.symbol(image, "expected"))
    (wanted,) = struct.unpack_from("<Q", data, at)
    struct.pack_into("<Q", data, at, wanted ^ 0xF0)
    wrong = tmp_path / "wrong.elf"
    wrong.write_bytes(data)
    with pytest.raises(RuntimeError, match=f"the sum is {wanted:016x} instead of {wanted ^ 0xF0:016x}"):
        time_process(Gdbhv().bare(wrong, cpus=loop.cpus), says=b"ok\n")
