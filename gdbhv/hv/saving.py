"""Save the state of the hypervisor, and load it.

Every stateful class here is derived from a dataclass of plain values, its *state*: ``Vcpu`` from ``VcpuState``, ``Host``
from ``HostState``. Its other attributes are references (to its VM, the machine), constants, or are derived from the state
(``rebuild``). So a host is a tree of states, and saving it is encoding that tree. Devices are the exception: a user's class
is derived from ``MmioDevice`` only, and has its state as an attribute (``MmioDevice.state``).
"""

from __future__ import annotations

import inspect
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import msgspec

from gdbhv.errors import GdbhvError, StateError
from gdbhv.hv.debugregs import NAMES
from gdbhv.hv.pmu import CONTEXT
from gdbhv.hv.stage2 import PAGE
from gdbhv.hv.vits import ItsState

if TYPE_CHECKING:
    from gdbhv.hv.host import Host, HostState
    from gdbhv.hv.mmio import MmioDevice
    from gdbhv.hv.vcpu import Vcpu, VcpuState
    from gdbhv.hv.vgic import VgicState
    from gdbhv.hv.vm import Vm, VmState

LAYOUT = 6
"""Version of all states together; increased with every change of their fields."""
HEADER = struct.Struct("<16sHI")  # magic, layout, CRC-32 of what follows
MAGIC = b"gdbhv host state"
NOT_PLAIN = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class DeviceState:
    """A device of a VM, and its ``state`` as MessagePack."""

    vmid: int
    ipa: int
    name: str
    state: bytes


# --- bytes


def to_bytes(state: HostState) -> bytes:
    """Encode the state of a host.

    :raises gdbhv.errors.StateError: it has a value that is not plain.
    """
    try:
        data = msgspec.msgpack.encode(state)
    except NOT_PLAIN as e:
        raise StateError(f"the hypervisor cannot be saved: {e}") from None
    return HEADER.pack(MAGIC, LAYOUT, zlib.crc32(data)) + data


def from_bytes(kind: type[T], data: bytes) -> T:
    """Decode the result of :func:`to_bytes`.

    :raises gdbhv.errors.StateError: it is damaged, of another version, or something else.
    """
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise StateError("these bytes are no saved hypervisor")
    _, layout, checksum = HEADER.unpack_from(data)
    if layout != LAYOUT:
        raise StateError(f"the hypervisor was saved by another gdbhv: with layout {layout}, and this one has {LAYOUT}")
    data = data[HEADER.size :]
    if zlib.crc32(data) != checksum:
        raise StateError("the saved hypervisor is damaged: its checksum is wrong")
    try:
        state: T = _decode(data, kind)
    except NOT_PLAIN as e:
        raise StateError(f"the saved hypervisor is damaged: {e}") from None
    return state


def _decode(data: bytes, kind: Any) -> Any:
    """Decode a value of type ``kind`` that :func:`msgspec.msgpack.encode` encoded, strictly."""
    value = msgspec.msgpack.decode(data, type=kind)
    if msgspec.msgpack.encode(value) != data:
        raise ValueError("some of it is missing, or more than there should be")
    return value


@lru_cache(maxsize=64)
def _check(data: bytes, kind: Any) -> None:
    """Check that what was encoded can be decoded. Most devices are saved again as they were, and are not checked again."""
    _decode(data, kind)


# --- devices


def save_device(vm: Vm, ipa: int, device: MmioDevice) -> DeviceState:
    """Save one device. :raises gdbhv.errors.StateError: it declares no state, or the state is not of plain values."""
    what = f"{_words(device, vm, ipa)} cannot be saved"
    try:
        state = getattr(device, "state", NotImplemented)
    except GdbhvError as e:
        raise StateError(f"{what}: {e}") from e
    if state is NotImplemented:
        raise StateError(
            f"{what}: it declares no `state`; give the class one that is a dataclass of plain values, or a property with a "
            "setter, or None if it keeps nothing"
        )
    declared, _ = _declared(_class(device))
    if isinstance(declared, property) and declared.fset is None:
        raise StateError(f"{what}: its property `state` has no setter to load with; add one")
    try:
        data = msgspec.msgpack.encode(state)
        _check(data, _kind(device))
    except NOT_PLAIN as e:
        raise StateError(f"{what}: its `state` is not made of plain values ({e})") from None
    return DeviceState(vm.vmid, ipa, device.name, data)


def _words(device: MmioDevice, vm: Vm, ipa: int) -> str:
    return f"device {device.name} at {ipa:#x} of {vm.name} (class {type(device).__name__})"


def _kind(device: MmioDevice) -> Any:
    """Return the type of a device's state: the annotation of the property, or the type of the present value."""
    declared, kind = _declared(_class(device))
    return kind if isinstance(declared, property) else type(device.state)


def _class(device: MmioDevice) -> Any:
    return type(device)


@cache
def _declared(kind: Any) -> tuple[object, Any]:
    """Return what a class has for its devices' state, and if that is a property, the type of its values."""
    declared = inspect.getattr_static(kind, "state", None)
    return declared, get_type_hints(declared.fget).get("return", Any) if isinstance(declared, property) else None


def _devices(host: Host) -> Iterator[tuple[Vm, int, MmioDevice]]:
    return ((vm, ipa, device) for vm in host.vms for ipa, device in vm.devices)


def save_devices(host: Host) -> list[DeviceState]:
    """Save the devices of all VMs. :raises gdbhv.errors.StateError: one of them cannot be saved."""
    return [save_device(vm, ipa, device) for vm, ipa, device in _devices(host)]


# --- loading


def load(host: Host, state: HostState) -> None:
    """Load saved state into a host, all of it or nothing. ``state`` becomes the host's own.

    :raises gdbhv.errors.StateError: it does not fit this host, or a device rejects its state.
    """
    if (why := next(_other(host, state), None)) is not None:
        raise StateError(f"what was saved is of another machine: {why}")
    new = [_decoded(*each, saved) for each, saved in zip(_devices(host), state.device_states, strict=True)]
    its = [[value for _, _, vm, value in new if vm is one and isinstance(value, ItsState)] for one in host.vms]
    if (why := next(_wrong(host, state, its), None)) is not None:
        raise StateError(f"what was saved contradicts itself: {why}")
    done: list[tuple[MmioDevice, Any]] = []
    for words, device, _, value in new:
        try:
            old = device.state
            device.state = value
        except Exception as e:
            for earlier, before in reversed(done):
                earlier.state = before
            raise StateError(f"{words} does not take its `state`: {e}") from e
        done.append((device, old))
    state.device_states = []
    restore(host, state)
    for vm in host.vms:
        vm.vgic.rebuild()
    host.scheduler.rebuild()


def _decoded(vm: Vm, ipa: int, device: MmioDevice, saved: DeviceState) -> tuple[str, MmioDevice, Vm, Any]:
    words = _words(device, vm, ipa)
    save_device(vm, ipa, device)  # raises if something is wrong with its class
    try:
        return words, device, vm, _decode(saved.state, _kind(device))
    except NOT_PLAIN as e:
        raise StateError(f"{words} does not take its `state`: {e}") from None


def restore(live: object, state: Any) -> None:
    """Assign saved values to an object; a stateful object in it is updated in place, so that references stay valid."""
    for f in fields(state):
        old, new = getattr(live, f.name), getattr(state, f.name)
        if _has_state(old):
            restore(old, new)
        elif isinstance(old, list) and old and _has_state(old[0]):
            for one, its in zip(old, new, strict=True):
                restore(one, its)
        else:
            setattr(live, f.name, new)


def _has_state(value: object) -> bool:
    """Whether a value is an object of a class derived from its state."""
    return is_dataclass(value) and "__dataclass_fields__" not in vars(type(value))


# --- checks whether it fits


def _other(host: Host, state: HostState) -> Iterator[str]:
    """Return the reasons why a state is not one of a host like this, each a sentence."""
    for name in ("profile", "memory"):
        if getattr(host, name) != getattr(state, name):
            yield f"its {name} is {getattr(state, name)!r}, and this one's {getattr(host, name)!r}"
    cpus = len(state.scheduler.queues)
    if cpus != len(host.scheduler.queues):
        yield f"it has {cpus} CPUs, and this one {len(host.scheduler.queues)}"
    for what, mine in (("name", [vm.name for vm in host.vms]), ("vCPU count", [len(vm.vcpus) for vm in host.vms])):
        saved = [vm.name if what == "name" else len(vm.vcpus) for vm in state.vms]
        if mine != saved:
            yield f"the {what}s of its VMs are {saved}, and this one's {mine}"
    here = [(vm.vmid, ipa, device.name) for vm, ipa, device in _devices(host)]
    there = [(d.vmid, d.ipa, d.name) for d in state.device_states]
    if different := sorted({*here} ^ {*there}):
        vmid, ipa, name = different[0]
        whose = "it has" if different[0] in there else "only this one has"
        yield f"{whose} a device {name} at {ipa:#x} of VM {vmid}"
    if here != there:
        yield "its devices were added in another order"
    for vm, of in zip(host.vms, state.vms, strict=True):
        if vm.digest() != of.booted:
            yield f"{vm.name} was booted with another image"


def _wrong(host: Host, state: HostState, its: list[list[ItsState]]) -> Iterator[str]:
    """Yield what is inconsistent in a state: references to what does not exist, and tables of the wrong size."""
    s, cpus = state.scheduler, len(host.scheduler.queues)
    if {len(each) for each in (s.queues, s.in_guest, s.slice_end, s.alarm, s.event_wait)} != {cpus}:
        yield "the scheduler's tables are not of one size"
    vcpus = [v for vm in state.vms for v in vm.vcpus]
    if [[n for n, v in enumerate(vcpus) if v.home == cpu] for cpu in range(cpus)] != [sorted(q) for q in s.queues]:
        yield "a queue has a vCPU that does not belong to its CPU"
    loaded = [v.cpu for v in vcpus if v.cpu is not None]
    if len({*loaded}) != len(loaded) or any(v.cpu not in (None, v.home) for v in vcpus):
        yield "two vCPUs are on one CPU, or one is on another's"
    executing = {cpu for cpu, is_in in enumerate(s.in_guest) if is_in}
    if not executing <= {*loaded} or state.handling not in (None, *loaded):
        yield "a CPU is in a guest, and has none"
    first, last = host.machine.ram[0], sum(host.machine.ram)
    for v, live in zip(vcpus, host.vcpus, strict=True):
        yield from _wrong_vcpu(live, v)
    for vm, mine, frames in zip(host.vms, state.vms, its, strict=True):
        yield from _wrong_memory(vm, mine, first, last)
        yield from _wrong_interrupts(vm, mine.vgic, frames)


def _wrong_vcpu(live: Vcpu, v: VcpuState) -> Iterator[str]:
    sizes = (len(v.gprs), len(v.vregs)) == (len(live.gprs), len(live.vregs))
    names = list(v.sys) == list(live.sys) and list(v.debug.values) == NAMES and list(v.pmu.saved) in ([], CONTEXT)
    values = (*v.gprs, *v.sys.values(), *v.debug.values.values(), *v.pmu.saved.values())
    if not sizes or not names or min(values) < 0:
        yield f"{live.name} has other registers"


def _wrong_memory(vm: Vm, state: VmState, first: int, last: int) -> Iterator[str]:
    pages = [(state.stage2.root, PAGE), *((t, PAGE) for t in (*state.stage2.tables, *state.stage2.spare))]
    for pa, size in (*pages, *((slot.pa, slot.size) for slot in state.slots)):
        if pa % PAGE or not first <= pa <= pa + size <= last:
            yield f"{vm.name} has memory at PA {pa:#x}, where there is none"


def _wrong_interrupts(vm: Vm, s: VgicState, its: list[ItsState]) -> Iterator[str]:
    vcpus = range(len(vm.vcpus))
    private = [[i.intid for i in bank] for bank in s.private]
    shape = private == [[*range(32)] for _ in vcpus] and [i.intid for i in s.shared] == [i.intid for i in vm.vgic.shared]
    if not shape or any(n != irq.intid for n, irq in s.lpis.irqs.items()):
        yield f"{vm.name} has other interrupts"
    if [len(s.lpis.pendbaser), len(s.lpis.enabled)] != [len(vcpus)] * 2:
        yield f"{vm.name} has other Redistributors"
    everyone = [*((n, i) for n, bank in enumerate(s.private) for i in bank), *((None, i) for i in s.shared)]
    for owner, irq in (*everyone, *((None, i) for i in s.lpis.irqs.values())):
        if irq.owner != owner or not {irq.holder, irq.home} <= {None, *vcpus} or irq.lr not in (None, *range(4)):
            yield f"interrupt {irq.intid} of {vm.name} is on the list of a vCPU that is not there"
    for frame in its:
        events = [event.lpi for device in frame.devices.values() for event in device.events.values()]
        if (
            frame.mapped != len(events)
            or not {*events} <= {*s.lpis.irqs}
            or not {*frame.collections.values()} <= {*vcpus}
            or len(frame.baser) != 2
        ):
            yield f"the ITS of {vm.name} names what is not there"
