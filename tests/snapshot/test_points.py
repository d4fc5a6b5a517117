"""Real kernels and hypervisors, a small hypervisor and all system programs, at random places: see ``points``.

``--cases N`` visits N places of each, over more of its run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conftest import Kit
from gdbhv import boot
from gdbhv.target import ThreadId
from snapshot.points import FOREVER, check
from snapshot.targets import Run, Setup, bare, el1_programs, system_programs

LINE = "console=ttyAMA0 cryptomgr.notests=1"
QUIET = f"{LINE} gdbhv.guest=quiet,cryptomgr.notests=1"
M = 1_000_000


@dataclass(frozen=True)
class Guest:
    """What runs, and after how many instructions it is looked at: from ``first`` on to ``few``, or with --cases ``many``."""

    name: str
    config: Callable[[Kit], boot.BootConfig]
    first: int
    few: int
    many: int
    el2: bool | None = True
    vmids: tuple[int, ...] = ()  # of its guests, all of which run meanwhile: that of the last exit of each CPU

    def setup(self, kit: Kit) -> Setup:
        config = replace(self.config(kit), name="vm1" if self.el2 is None else None)
        return Setup(self.name, (config,), self.el2, FOREVER)


def linux(kit: Kit) -> boot.BootConfig:
    return boot.BootConfig(image=kit.image, initrd=kit.initramfs, smp=2, memory=192 << 20, append=LINE)


def kvm(kit: Kit) -> boot.BootConfig:
    return boot.BootConfig(image=kit.image, initrd=kit.kvm, memory=640 << 20, append=QUIET)


def xen(kit: Kit) -> boot.BootConfig:
    load = [(str(kit.image), 0x50000000), (str(kit.initramfs), 0x53000000)]
    return boot.BootConfig(image=kit.xen, dtb=kit.xen_tree, load=load, smp=2, memory=1 << 30)


LINUX = [
    Guest("linux-hosted", linux, 30 * M, 120 * M, 560 * M, el2=None),
    Guest("linux-at-el2", linux, 30 * M, 120 * M, 560 * M),
]
KVM = Guest("kvm-with-an-l2", kvm, 660 * M, 720 * M, 1200 * M, vmids=(1,))
XEN = Guest("xen-with-two-domus", xen, 110 * M, 180 * M, 1150 * M, vmids=(1, 2))


def places(guest: Guest, count: int, rng: random.Random, *, many: bool) -> list[int]:
    if many:
        return sorted(rng.sample(range(guest.first, guest.many), count))
    # One in the first half of each equal part: the guest comes on between two of them.
    part = (guest.few - guest.first) // count
    return [guest.first + n * part + rng.randrange(part // 2) for n in range(count)]


@pytest.mark.slow
@pytest.mark.timeout(20_000)
@pytest.mark.parametrize("guest", [*LINUX, KVM, XEN], ids=lambda guest: guest.name)
def test_a_real_guest(
    guest: Guest, kit: Kit, seed: int, cases: Callable[[int], int], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    rng = random.Random(f"{seed} {guest.name}")
    many = pytestconfig.option.cases is not None
    exits: list[int] = []

    def arrived(run: Run) -> None:
        exits.append(run.target.core.exits)
        if guest.vmids:
            last = [run.target.last_exit(ThreadId(1, cpu + 1)) for cpu in range(run.target.core.cpus)]
            assert tuple(record["vmid"] for record in last if record) == guest.vmids

    again = many or guest in LINUX
    check(guest.setup(kit), places(guest, cases(2), rng, many=many), tmp_path, rng, arrived, again=again)
    assert not guest.vmids or exits[0] < exits[-1]


PROGRAMS = [bare("type1"), bare("type1", cpus=2), *system_programs(), *el1_programs()]


@pytest.mark.parametrize("setup", PROGRAMS, ids=str)
def test_a_program(setup: Setup, seed: int, cases: Callable[[int], int], tmp_path: Path) -> None:
    rng, whole = random.Random(f"{seed} {setup}"), setup.make()
    whole.to()
    check(setup, sorted(rng.sample(range(1, whole.insns + 1), cases(3))), tmp_path, rng)
