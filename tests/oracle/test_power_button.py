"""The power button, pressed while power_button.S waits for it: on a live QEMU, on gdbhv's board, and in its VM."""

from __future__ import annotations

import functools
import json
import mmap
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdbhv import tables
from gdbhv.errors import GdbhvError
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import BoardDevice, Pl011
from gdbhv.machine.machine import Machine
from gdbhv.monitor import registry
from gdbhv.target import StopKind
from oracle import listing

ENTRY, RESULTS, WORDS = 0x4020_0000, 0x4400_0000, 6
PRESSED_TICKS = 100_000_000 // 16
"""100 ms of the counter at 62.5 MHz."""


@functools.cache
def program() -> bytes:
    return listing.assemble(Path(__file__).with_name("power_button.S"), ENTRY)[0]


def records(memory: bytes) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack(f"<{WORDS}Q", memory))


def on_qemu(folder: Path) -> list[tuple[int, ...]]:
    """Press QEMU's by its monitor's system_powerdown, once the guest has said that it waits."""
    ram, qmp = folder / "ram", folder / "qmp"
    with ram.open("w+b") as file:
        file.truncate(listing.RAM_SIZE)
        file.seek(ENTRY - listing.RAM)
        file.write(program())
        file.flush()
        command = ["qemu-system-aarch64", "-M", "virt,gic-version=3,memory-backend=ram", "-cpu", "cortex-a57"]
        command += ["-object", f"memory-backend-file,id=ram,size={listing.RAM_SIZE},mem-path={ram},share=on"]
        command += ["-m", f"{listing.RAM_SIZE >> 20}", "-nodefaults", "-display", "none", "-serial", "stdio"]
        command += ["-qmp", f"unix:{qmp},server=on,wait=off", "-device", f"loader,addr={ENTRY:#x},cpu-num=0"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"r"
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(str(qmp))
                for name in ("qmp_capabilities", "system_powerdown"):
                    monitor.sendall(json.dumps({"execute": name}).encode())
                assert process.wait(60) == 0
        with mmap.mmap(file.fileno(), 0) as memory:
            return records(memory[RESULTS - listing.RAM :][: 2 * 8 * WORDS])


def on_board() -> tuple[Machine, Iterator[list[tuple[int, ...]]]]:
    machine = Machine(memory=listing.RAM_SIZE, el2=False)
    machine.start([(ENTRY, program())], ENTRY, 0)
    return machine, (records(machine.core.read_pa(RESULTS, 2 * 8 * WORDS)) for _ in range(1))


def in_vm() -> tuple[HostTarget, Iterator[list[tuple[int, ...]]]]:
    host = Host(memory=listing.RAM_SIZE)
    vm = host.create_vm()
    vm.add_memory(listing.RAM, listing.RAM_SIZE)
    uart = tables.board()["pl011"]
    vm.add_device(uart["base"], Pl011(lambda _: None), uart["intid"])
    row = tables.board()["pl061"]
    vm.add_device(row["base"], BoardDevice("pl061"), row["intid"])
    vm.boot([(ENTRY, program())], ENTRY)
    return HostTarget(host), (records(vm.read(RESULTS, 2 * 8 * WORDS)) for _ in range(1))


@pytest.mark.parametrize("make", [on_board, in_vm])
@pytest.mark.parametrize("before", [20_000, 1_000_000_000], ids=["soon", "late"])
def test_as_on_qemu(make: type, before: int, tmp_path: Path) -> None:
    target, seen = make()
    target.run_all(before)
    thread = target.processes()[0].threads[0].id
    (said,) = registry.bind(target)("inject power-button", thread)
    assert "pressed: pin 3 of the PL061 is high" in said
    assert target.run_all(100_000_000).kind is StopKind.POWEROFF
    (pressed, released) = next(seen)
    assert [pressed[:-1], released[:-1]] == [(39, 8, 8, 8, 0), (39, 0, 8, 8, 0)]
    assert abs(released[-1] - pressed[-1] - PRESSED_TICKS) < PRESSED_TICKS // 100
    assert [words[:-1] for words in on_qemu(tmp_path)] == [pressed[:-1], released[:-1]]


def test_a_vm_without_gpio_has_none() -> None:
    vm = Host(memory=4 << 20).create_vm("bald")
    with pytest.raises(GdbhvError, match="bald has no power button to press: it has no PL061"):
        vm.press_power_button()
