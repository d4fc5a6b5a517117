"""Two banks of flash: files that they hold, commands, snapshots, resets, and files that keep what is written."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from gdbhv import _core, boot
from gdbhv.errors import GdbhvError
from gdbhv.machine.machine import Machine
from gdbhv.target import Space, StopKind, ThreadId

CPU = ThreadId(1, 1)
BANK, BLOCK = 0x400_0000, 0x4_0000
# At 0, in EL2: erases the first block of bank 1, programs 0x12345678 at its beginning, loads that back, and powers off.
#
#     mov w1, #0x04000000
#     mov w2, #0x20
#     str w2, [x1]
#     mov w2, #0xd0
#     str w2, [x1]
#     ldr w10, [x1] ; status
#     mov w2, #0x40
#     str w2, [x1]
#     movz w3, #0x5678
#     movk w3, #0x1234, lsl #16
#     str w3, [x1]
#     mov w2, #0xff
#     str w2, [x1]
#     ldr w11, [x1]
#     movz x0, #8
#     movk x0, #0x8400, lsl #16
#     smc #0
WORDS = (
    *(0x52A08001, 0x52800402, 0xB9000022, 0x52801A02, 0xB9000022, 0xB940002A, 0x52800802, 0xB9000022, 0x528ACF03),
    *(0x72A24683, 0xB9000023, 0x52801FE2, 0xB9000022, 0xB940002B, 0xD2800100, 0xF2B08000, 0xD4000003),
)
CODE = struct.pack(f"<{len(WORDS)}I", *WORDS)


def store(machine: Machine, address: int, value: int) -> None:
    machine.write_memory(CPU, address, struct.pack("<I", value), Space.PA)


def word(machine: Machine, address: int) -> int:
    return int.from_bytes(machine.read_memory(CPU, address, 4, Space.PA), "little")


@pytest.fixture
def code(tmp_path: Path) -> str:
    path = tmp_path / "code.bin"
    path.write_bytes(CODE)
    return str(path)


def machine_with(*flash: tuple[str, bool]) -> Machine:
    return boot.bare(boot.BootConfig(memory=16 << 20, flash=list(flash)))


def test_the_first_instruction_is_at_0_and_the_tree_at_the_beginning_of_ram(code: str) -> None:
    machine = machine_with((code, False))
    assert (machine.read_register(CPU, "pc"), machine.read_register(CPU, "x0")) == (0, 0)
    assert machine.read_memory(CPU, boot.RAM, 4, Space.PA) == b"\xd0\x0d\xfe\xed"
    assert machine.run_all(100).kind is StopKind.POWEROFF
    assert machine.read_register(CPU, "x10") == 0x80_0080
    assert machine.read_register(CPU, "x11") == 0x1234_5678
    assert word(machine, BANK) == 0x1234_5678
    assert word(machine, BANK + 4) == 0xFFFF_FFFF
    assert word(machine, BANK + BLOCK) == 0


def test_code_that_is_programmed_anew_is_executed_anew(code: str) -> None:
    machine = machine_with((code, False))
    machine.run_all(3)
    store(machine, 0x20, 0x20)
    store(machine, 0x20, 0xD0)
    store(machine, 0x40, 0x40)
    store(machine, 12, 0xD503_201F)  # NOP instead of the fourth
    store(machine, 0, 0xFF)
    assert machine.core.read_pa(8, 8) == struct.pack("<2I", 0xFFFF_FFFF, 0xD503_201F)
    before = machine.core.insns[0]
    machine.write_register(CPU, "pc", 12)
    machine.run_all(1)
    assert (machine.read_register(CPU, "pc"), machine.core.insns[0]) == (16, before + 1)


def test_a_snapshot_has_what_it_holds_and_its_mode(code: str, tmp_path: Path) -> None:
    machine = machine_with((code, False))
    store(machine, 0, 0x98)
    made = machine.snapshot("asked")
    path = tmp_path / "asked.snap"
    made.write(path)
    for restore in (lambda: (made.restore(), machine)[1], lambda: boot.resumed(path)):
        store(machine, 0, 0x20)
        store(machine, 0, 0xD0)
        store(machine, 0, 0xFF)
        assert word(machine, 0) == 0xFFFF_FFFF
        there = restore()
        assert word(there, 0x40) == 0x51_0051
        store(there, 0, 0xFF)
        assert word(there, 0) == WORDS[0]


def test_a_reset_leaves_what_it_holds(code: str) -> None:
    machine = machine_with((code, False))
    store(machine, BANK, 0x20)
    store(machine, BANK, 0xD0)
    assert word(machine, BANK) == 0x80_0080
    machine.reset()
    assert word(machine, BANK) == 0xFFFF_FFFF, "and shows it"
    assert machine.read_register(CPU, "pc") == 0
    assert machine.run_all(100).kind is StopKind.POWEROFF


def test_tables_in_flash_are_walked_and_never_written() -> None:
    machine = machine_with()
    table = struct.pack("<2Q", 0, 0x4000_0701 & ~(1 << 10))  # level 1: a block at RAM whose access flag is clear
    machine.core.set_flash(0, table)
    machine.core.write_pa(boot.RAM, struct.pack("<I", 0xD503_201F))  # NOP
    registers = {"TTBR0_EL2": 0, "TCR_EL2": 1 << 31 | 1 << 23 | 1 << 21 | 32, "SCTLR_EL2": 1, "pc": boot.RAM}  # HA
    for name, value in registers.items():
        machine.write_register(CPU, name, value)
    machine.run_all(1)
    assert machine.read_register(CPU, "pc") == boot.RAM + 4
    assert machine.core.read_pa(0, 16) == table


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    long = tmp_path / "long.bin"
    long.write_bytes(bytes(BANK + 1))
    with pytest.raises(GdbhvError, match=r"long\.bin"):
        machine_with((str(long), False))
    with pytest.raises(ValueError, match="bare machine has two, of 64 MiB"):
        _core.Machine(memory=1 << 20, hosted=True).set_flash(0, b"x")
    with pytest.raises(GdbhvError, match="hosted VM has no flash"):
        boot.hosted(boot.BootConfig(memory=16 << 20, flash=[(str(long), False)]))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gdbhv", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


def test_a_file_keeps_what_is_written_if_it_is_said(code: str, tmp_path: Path) -> None:
    kept = tmp_path / "vars.bin"
    kept.write_bytes(bytes(16))
    once = run("--el", "2", "--memory", "16M", "--flash", code, "--flash", str(kept))
    assert once.returncode == 0, once.stderr
    assert kept.read_bytes() == bytes(16)
    done = run("--el", "2", "--memory", "16M", "--flash", code, "--flash", f"{kept},rw")
    assert done.returncode == 0
    assert "has what the guest wrote" in done.stderr
    assert kept.read_bytes() == struct.pack("<I", 0x1234_5678).ljust(BLOCK, b"\xff")
    again = run("--el", "2", "--memory", "16M", "--flash", code, "--flash", f"{kept},rw")
    assert again.returncode == 0
    assert "has what the guest wrote" not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--flash", "{code}"], "--flash is for a machine of the image's own"),
        (["--bare", "--flash", "{code}", "--flash", "a", "--flash", "b"], "there are two banks"),
        (["--bare", "--flash", "{code},rw", "--record", "r.rec"], "leave ,rw out"),
        (["--bare", "--flash", "/nowhere/x,rw"], "No such file"),
        (["--bare", "--flash", ",rw"], "FILE or FILE,rw is needed"),
    ],
)
def test_wrong_usage(code: str, arguments: list[str], said: str) -> None:
    done = run(*(a.replace("{code}", code) for a in arguments))
    assert done.returncode in (1, 2)
    assert said in done.stderr
