"""Saving the hypervisor: all of it is saved, what is loaded is what was saved, and nothing else is loaded.

Oracle: a run in which nothing was saved; and the objects themselves, of which every attribute must have been decided on.
"""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass, fields

import pytest

from gdbhv.errors import StateError
from gdbhv.exits.catches import CatchEvents
from gdbhv.hv import saving
from gdbhv.hv.host import Host, HostState
from gdbhv.hv.mmio import MmioDevice
from gdbhv.hv.sched import SLICE
from gdbhv.target import Action, StopKind
from hv.programs import HVC0, LDR_X0_X1, NOP, add, add_vm, branch, hosted, thread
from hv.saved_runs import SETUPS, Setup, make, run
from scripts.sessions.adder_device import AdderDevice

POINTS = 3  # in each run
DEVICE = 0x0A004000


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_saving_and_loading_changes_nothing(setup: Setup, seed: int) -> None:
    """At random instructions: a copy of the state is loaded, into the host that it is of and into a new one."""
    plain = make(setup)
    run(plain, [], lambda: None)
    end = sum(plain.host.machine.insns)
    rng = random.Random(f"{seed} {setup}")
    looked_at, fresh = make(setup), make(setup)

    def look() -> None:
        data = looked_at.host.save().to_bytes()
        for host in (fresh.host, looked_at.host):
            host.load(HostState.from_bytes(data))
            assert host.save().to_bytes() == data
        assert [[{i.intid for i in mine} for mine in vm.vgic.lists] for vm in fresh.host.vms] == [
            [{i.intid for i in mine} for mine in vm.vgic.lists] for vm in looked_at.host.vms
        ]

    run(looked_at, [0, *(rng.randrange(end) for _ in range(POINTS - 1))], look)
    assert looked_at.outcome() == plain.outcome()


def test_an_exit_that_is_not_handled_yet_is_saved() -> None:
    """A debugger is told of an exit before its handler: what is saved there handles it after it is loaded."""
    target = hosted(HVC0, add(3, 3, 1), branch(-2))
    target.catch_exits(1, CatchEvents(exits=None))
    while target.run_all().exit["class"] != "hvc":  # type: ignore[index]
        pass
    target.catch_exits(1, CatchEvents())
    state, other = target.host.save(), hosted(HVC0)
    assert state.handling == 0
    other.host.load(state)
    assert other.host.pending is not None
    assert other.host.pending[1] == target.host.pending[1]  # type: ignore[index]
    target.host.load(state)
    assert target.run([Action(thread(), step=True)]).kind is StopKind.STEP
    assert target.read_register(thread(), "x0") == (1 << 64) - 1, "NOT_SUPPORTED, and it was handled once"
    assert target.host.save().handling is None


def test_what_is_saved_is_a_copy() -> None:
    target = hosted(NOP, branch(-1), vcpus=2)
    state = target.host.save()
    before = state.to_bytes()
    target.run_all(3 * SLICE)
    assert state.to_bytes() == before
    target.host.load(state)
    target.host.vms[0].vgic.set_spi(40, True)
    target.host.vcpus[0].gprs[5] = 7
    assert state.to_bytes() == before


# --- what cannot be loaded


def damaged(data: bytes, rng: random.Random) -> bytes:
    match rng.randrange(3):
        case 0:
            return data[: rng.randrange(len(data))]
        case 1:
            at = rng.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case _:
            return rng.randbytes(rng.randrange(200))


def test_damaged_bytes_are_refused(seed: int) -> None:
    data, rng = hosted(NOP).host.save().to_bytes(), random.Random(seed)
    for _ in range(500):
        with pytest.raises(StateError):
            HostState.from_bytes(damaged(data, rng))


def test_another_layout_is_refused() -> None:
    data = hosted(NOP).host.save().to_bytes()
    head = saving.HEADER.pack(saving.MAGIC, saving.LAYOUT + 1, 0)
    with pytest.raises(StateError, match=f"layout {saving.LAYOUT + 1}, and this one has {saving.LAYOUT}$"):
        HostState.from_bytes(head + data[len(head) :])


def refusal(host: Host, data: bytes) -> str | None:
    """Load what bytes say; return why not."""
    try:
        host.load(HostState.from_bytes(data))
    except StateError as e:
        return str(e)
    return None


def test_damage_with_a_right_checksum_is_refused_or_loaded_whole(seed: int) -> None:
    """What no accident makes. Either an error, and the host is as it was; or it is what the bytes say."""
    rng = random.Random(seed)
    target = hosted(NOP, branch(-1), vcpus=2, cpus=2)
    target.host.vms[0].add_device(DEVICE, AdderDevice(), 80)
    target.run_all(1000)
    before = target.host.save().to_bytes()
    refused = 0
    for _ in range(400):
        body = bytearray(before[saving.HEADER.size :])
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        data = saving.HEADER.pack(saving.MAGIC, saving.LAYOUT, zlib.crc32(body)) + body
        if (why := refusal(target.host, data)) is not None:
            refused += 1
            assert "\n" not in why
            assert target.host.save().to_bytes() == before
        else:
            assert target.host.save().to_bytes() == HostState.from_bytes(data).to_bytes()
            target.host.load(HostState.from_bytes(before))
    assert refused > 100


def other_hosts() -> dict[str, tuple[Host, str]]:
    two = hosted(NOP, vms=2).host
    two.vms[1].name = "other"
    memory = Host(memory=8 << 20)
    add_vm(memory, NOP)
    cpu = Host(memory=4 << 20, cpu="cortex-a57")
    add_vm(cpu, NOP)
    device = hosted(NOP).host
    device.vms[0].add_device(DEVICE, AdderDevice())
    booted = hosted(NOP).host
    booted.vms[0].boot([(0x40000000, b"1234")], 0x40000000)
    return {
        "cpus": (hosted(NOP, cpus=2).host, "it has 1 CPUs, and this one 2"),
        "vcpus": (hosted(NOP, vcpus=2).host, r"the vCPU counts of its VMs are \[1\], and this one's \[2\]"),
        "memory": (memory, "its memory is 71303168, and this one's 75497472"),
        "cpu": (cpu, "its profile is 'max', and this one's 'cortex-a57'"),
        "device": (device, "only this one has a device adder at 0xa004000 of VM 1"),
        "image": (booted, "vm1 was booted with another image"),
    }


@pytest.mark.parametrize("what", other_hosts())
def test_another_machine_is_refused(what: str) -> None:
    state = hosted(NOP).host.save()
    host, why = other_hosts()[what]
    before = host.save().to_bytes()
    with pytest.raises(StateError, match=f"of another machine: {why}$"):
        host.load(state)
    assert host.save().to_bytes() == before


# --- devices of a user


class Undeclared(MmioDevice):
    name = "secretive"


class Closures(MmioDevice):
    def __init__(self) -> None:
        super().__init__()
        self.state = {"call": print}


class NoSetter(MmioDevice):
    @property
    def state(self) -> int:
        return 1


class Loose(MmioDevice):
    """Returns a set, which is a list when it comes back, and does not say so."""

    @property
    def state(self):  # type: ignore[no-untyped-def]
        return {"seen": {3, 4}, "pair": (1, 2)}

    @state.setter
    def state(self, state) -> None:  # type: ignore[no-untyped-def]
        pass


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (
            Undeclared(),
            r"device secretive at 0xa004000 of vm1 \(class Undeclared\) cannot be saved: it declares no `state`; give",
        ),
        (Closures(), "class Closures.* its `state` is not made of plain values .*builtin_function"),
        (NoSetter(), "class NoSetter.* its property `state` has no setter to load with; add one"),
    ],
)
def test_a_device_that_cannot_be_saved_is_named(device: MmioDevice, why: str) -> None:
    host = hosted(NOP).host
    host.vms[0].add_device(DEVICE, device)
    with pytest.raises(StateError, match=why):
        host.save()


@dataclass
class Inner:
    pair: tuple[int, bytes]


@dataclass
class DiskState:
    blocks: dict[int, Inner]
    error: str | None = None


class Disk(MmioDevice):
    """One whose state is a dataclass with another in it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = DiskState({7: Inner((1, b"x"))})


class Counter(MmioDevice):
    """One whose state is a property."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int]] = []

    @property
    def state(self) -> list[tuple[int, int]]:
        return self.reads

    @state.setter
    def state(self, reads: list[tuple[int, int]]) -> None:
        if len(reads) > 2:
            raise ValueError("too many")
        self.reads = reads

    def read(self, offset: int, size: int) -> int:
        self.reads.append((offset, size))
        return len(self.reads)


def with_devices() -> tuple[Host, Disk, Counter]:
    target = hosted(LDR_X0_X1, LDR_X0_X1, branch(-1))
    disk, counter = Disk(), Counter()
    target.host.vms[0].add_device(DEVICE, disk)
    target.host.vms[0].add_device(DEVICE + 0x1000, counter)
    return target.host, disk, counter


def test_devices_of_a_user_are_saved() -> None:
    host, disk, counter = with_devices()
    disk.state.blocks[9] = Inner((2, b""))
    counter.read(8, 4)
    data = host.save().to_bytes()
    other, disk2, counter2 = with_devices()
    other.load(HostState.from_bytes(data))
    assert disk2.state == disk.state
    assert counter2.reads == [(8, 4)]
    assert other.save().to_bytes() == data
    disk.state.blocks.clear()
    assert len(disk2.state.blocks) == 2


def test_a_device_that_does_not_take_its_state_leaves_all_as_it_was() -> None:
    host, disk, counter = with_devices()
    disk.state.error = "none"
    counter.reads = [(0, 4)] * 3
    state = host.save()
    other, disk2, _ = with_devices()
    before = other.save().to_bytes()
    with pytest.raises(StateError, match=r"class Counter\) does not take its `state`: too many"):
        other.load(state)
    assert other.save().to_bytes() == before
    assert disk2.state.error is None


def test_a_device_s_own_state_has_its_types() -> None:
    """A value of the wrong type is refused before any device is touched."""
    host, _, _ = with_devices()
    state = host.save()
    state.device_states[-2].state = struct.pack("B", 0xC0)  # None in MessagePack
    with pytest.raises(StateError, match=r"class Disk\) does not take its `state`: Expected `object`, got `None`"):
        host.load(state)


# --- completeness: what is in the objects, in their states, and in neither

EVERY = {f.name for f in fields(HostState)}
