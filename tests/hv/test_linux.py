"""Debian's kernel under the hypervisor: it boots, it powers off, two runs are the same, and the exits make sense.

Oracle: the markers of the initramfs, and what is known of a kernel's exits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from gdbhv import boot
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import StopKind

MEMORY = 192 << 20
MARKERS = (b"GDBHV-GUEST: boot ok", b"GDBHV-GUEST: selftest ok", b"reboot: Power down")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Boot:
    """What came of a boot: by VMID the console and the exits by kind."""

    consoles: list[bytearray]
    stops: list[StopKind]
    instructions: int
    now: int
    exits: dict[int, Counter[str]] = field(default_factory=dict)

    def count(self, prefix: str, vmid: int = 1) -> int:
        return sum(n for name, n in self.exits[vmid].items() if name.startswith(prefix))


def linux(kit, *, vcpus: int, vms: int = 1, cpus: int | None = None) -> Boot:
    host = Host(cpus=cpus or vcpus, memory=vms * MEMORY)
    consoles = [bytearray() for _ in range(vms)]
    config = boot.BootConfig(
        image=kit.image, initrd=kit.initramfs, smp=vcpus, memory=MEMORY, append="console=ttyAMA0 nokaslr loglevel=4"
    )
    for console in consoles:
        boot.add_vm(host, config, console.extend)
    target = HostTarget(host)
    stops = [target.run_all().kind for _ in range(vms)]
    assert not target.processes()
    machine = host.machine
    result = Boot(consoles, stops, sum(machine.insns), machine.now)
    for row in machine.exit_counts():
        result.exits.setdefault(row["vmid"], Counter())[row["name"]] += row["count"]
    assert sum(n for c in result.exits.values() for n in c.values()) == machine.exits
    return result


def check(result: Boot) -> None:
    assert result.stops == [StopKind.POWEROFF] * len(result.consoles)
    for console in result.consoles:
        assert [m for m in MARKERS if m not in console] == [], console.decode(errors="replace")[-2000:]
        assert b"BUG" not in console
        assert b"Oops" not in console


@pytest.mark.parametrize("vcpus", [1, 2, 4])
def test_it_boots_twice_the_same(kit, vcpus: int) -> None:
    first = linux(kit, vcpus=vcpus)
    check(first)
    exits_make_sense(first, vcpus)
    if vcpus < 4:
        second = linux(kit, vcpus=vcpus)
        assert (second.instructions, second.now) == (first.instructions, first.now)
        assert second.exits == first.exits
        assert second.consoles == first.consoles


def exits_make_sense(result: Boot, vcpus: int) -> None:
    kinds = {name.partition(":")[0] for name in result.exits[1]}
    assert len(kinds) >= 10, kinds
    assert {"hvc", "fp", "wfx.wfi", "sysreg.read", "sysreg.write", "irq.ppi27"} <= kinds
    assert result.count("dabt.") >= len(result.consoles[0]), "each byte of the console is a store"
    assert result.count("hvc") >= vcpus, "CPU_ON for all but one, and SYSTEM_OFF"
    assert result.count("fp") <= 10 * vcpus, "the registers are a vCPU's own from its first use on"
    assert result.count("iabt.trans") <= MEMORY >> 21, "memory is mapped in blocks"
    ticks = result.now // 4_000_000  # CONFIG_HZ is 250
    assert 0 < result.count("irq.ppi27") <= vcpus * ticks + 50, "those that come while a CPU is idle leave no guest"
    if vcpus > 1:
        assert result.count("sysreg.write:ICC_SGI1R_EL1") >= vcpus
    else:
        assert result.count("wfx.wfe") == 0


def test_two_at_once_on_one_cpu(kit) -> None:
    result = linux(kit, vcpus=1, vms=2, cpus=1)
    check(result)
    for vmid in (1, 2):
        assert result.count("irq.ppi26", vmid) > 10, "slices end"
        assert result.count("fp", vmid) > 2, "the SIMD registers change hands"


def test_four_vcpus_on_one_cpu(kit) -> None:
    """Those that spin for each other waste no more than what is left of a slice."""
    result = linux(kit, vcpus=4, cpus=1)
    check(result)
    assert result.instructions < 2_000_000_000
