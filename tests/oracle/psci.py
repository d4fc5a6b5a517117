"""Lists of firmware calls for psci.S, and what they return on any machine that can run it."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gdbhv import boot
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import StopKind
from oracle import listing

ENTRY, LIST, MAIL, RESULTS = 0x4020_0000, 0x4040_0000, 0x4080_0000, 0x4400_0000
CPUS = 8
BUDGET = 100_000_000
MASK = (1 << 64) - 1


class Call(NamedTuple):
    """A call by CPU ``cpu`` (0, or one that is on): X0 to X3."""

    x0: int
    x1: int = 0
    x2: int = 0
    x3: int = 0
    cpu: int = 0


class Cpu(NamedTuple):
    """What a CPU that CPU_ON has started found: MPIDR_EL1, X0, CurrentEL."""

    mpidr: int
    x0: int
    current_el: int


Results = tuple[list[str], list[Cpu]]
"""What each call returned, as text ("never": it did not), and the CPUs from the second on (zeros: never on)."""


@functools.cache
def _program() -> tuple[bytes, dict[str, int]]:
    return listing.assemble(Path(__file__).with_name("psci.S"), ENTRY)


def secondary() -> int:
    """Return where CPUs that are started begin."""
    return _program()[1]["secondary"]


def _image(calls: Sequence[Call]) -> list[tuple[int, bytes]]:
    items = (struct.pack("<5Q", c.cpu, c.x0 & MASK, c.x1 & MASK, c.x2 & MASK, c.x3 & MASK) for c in calls)
    return [(ENTRY, _program()[0]), (LIST, struct.pack("<Q", len(calls)) + b"".join(items))]


def _results(read: Callable[[int, int], bytes], calls: int) -> Results:
    def text(status: int, x0: int) -> str:
        value = x0 - (x0 >> 63 << 64)
        changed = ", and X1 to X3 have changed" if status & 2 else ""
        return (f"{value}" if -16 < value < 16 else f"{x0:#x}") + changed if status & 1 else "never"

    cpus = [Cpu(*struct.unpack("<3Q", read(MAIL + 64 * n + 8, 24))) for n in range(1, CPUS)]
    return [text(*pair) for pair in struct.iter_unpack("<QQ", read(RESULTS, 16 * calls))], cpus


def on_qemu(calls: Sequence[Call], *, el2: bool, gic: int = 3) -> Results:
    """On QEMU, by SMC from EL2 or by HVC from EL1."""
    size = RESULTS - listing.RAM + 16 * len(calls)
    where = {"el2": el2, "cpus": CPUS, "gic": gic}
    memory = listing.on_qemu(_image(calls), ENTRY, listing.RAM, size, "cortex-a57", clock=(), **where)  # type: ignore[arg-type]
    return _results(lambda address, n: memory[address - listing.RAM :][:n], len(calls))


def on_board(calls: Sequence[Call], *, el2: bool) -> Results:
    """On gdbhv's bare machine."""
    machine = Machine(cpus=CPUS, memory=listing.RAM_SIZE, el2=el2)
    machine.start(_image(calls), ENTRY, 0)
    assert machine.run_all(BUDGET).kind in (StopKind.POWEROFF, StopKind.RESET)
    return _results(machine.core.read_pa, len(calls))


def in_vm(calls: Sequence[Call], *, el2: bool = False) -> Results:
    """In a VM of gdbhv's hypervisor, by HVC."""
    assert not el2
    host = Host(cpus=2, memory=listing.RAM_SIZE)
    vm = host.create_vm(vcpus=CPUS)
    vm.add_memory(boot.RAM, listing.RAM_SIZE)
    vm.boot(_image(calls), ENTRY)
    assert HostTarget(host).run_all(BUDGET).kind in (StopKind.POWEROFF, StopKind.RESET)
    return _results(vm.read, len(calls))
