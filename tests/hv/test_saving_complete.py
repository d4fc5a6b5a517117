"""Every attribute of every object of the hypervisor is in the state of its class, or its place below says why not.

And the layout of the states is the one that :data:`gdbhv.hv.saving.LAYOUT` names.
"""

from __future__ import annotations

import enum
import hashlib
import importlib
import inspect
import pkgutil
import types
import typing
from dataclasses import fields, is_dataclass

import pytest

import gdbhv.hv
from conftest import ROOT
from gdbhv import boot
from gdbhv.exits.records import ExitRecord
from gdbhv.hv import (
    debugregs,
    exits,
    host,
    hosttarget,
    hypercall,
    inspection,
    interference,
    mmio,
    networks,
    pmu,
    ptimer,
    saving,
    sched,
    stage2,
    urgency,
    vcpu,
    vgic,
    vgic_mmio,
    vits,
    vm,
)
from gdbhv.hv import irq as irqs

LAYOUTS = {
    1: "1ef4d2bd40e8d8bd",
    2: "165433883d22f679",
    3: "a73165f31a398ddc",
    4: "92ce5b894fee03dc",
    5: "bbbbf612a96014fd",
    6: "bbbbf612a96014fd",  # what an interrupt has by default is not written
}
"""Layout: digest of all fields of all states. A new one for each change; old ones stay, for whoever looks for theirs."""

MACHINE = "the model, which is saved beside"
UP = "a reference: to whose part it is"
CONSTANT = "made of constants and of what the machine is"
FOLLOWS = "follows from the state: rebuild"
IDENTITY = "which one it is: the same in every host that is made alike"
USERS = "a function or an object of whoever made the host"
DEBUGGER = "the debugger's, and stays as it has it"
BOARD = {"vm": UP, "intid": IDENTITY}

NOT_SAVED: dict[type, dict[str, str]] = {
    host.Host: {
        **dict.fromkeys(("machine",), MACHINE),
        "shape": CONSTANT,
        **dict.fromkeys(("registers", "has_ssbs", "has_pan", "has_ras", "hcr", "cptr", "_own_end", "_end"), CONSTANT),
        "vcpus": "those of the VMs once more, by number",
        "handlers": USERS,
        "on_exit": USERS,
    },
    sched.Scheduler: {
        "host": UP,
        "machine": MACHINE,
        "vcpus": UP,
        "_vms": "whose vCPUs a CPU has",
        "loaded": FOLLOWS,
        "_allowed": DEBUGGER + ": each run begins with it",
    },
    vm.Vm: {
        "host": UP,
        "machine": MACHINE,
        "vmid": IDENTITY,
        "hypercalls": USERS,
        **dict.fromkeys(("has_ssbs", "has_pan", "has_ras"), CONSTANT),
        "_timed": "of the devices, those that have a deadline",
        "_last": "of the devices, the one that is looked for first",
        "devices": "each is in HostState.device_states, by its `state`",
        "image": DEBUGGER + ": names of symbols",
        "_recipe": "what it was booted with is the caller's; `booted` is its digest, and must be the same",
    },
    vcpu.Vcpu: {"vm": UP, "machine": MACHINE, "number": IDENTITY, "index": IDENTITY, "numbers": CONSTANT},
    debugregs.DebugRegisters: {"machine": MACHINE},
    ptimer.PhysicalTimer: {"_vcpu": UP},
    pmu.GuestPmu: {"_vcpu": UP},
    stage2.Stage2: {"_machine": MACHINE, "_allocate": UP},
    vgic.Vgic: {
        "vm": UP,
        "machine": MACHINE,
        "lists": FOLLOWS,
        "used": FOLLOWS,
        "its": "one of the devices",
        "_out": "while the hypervisor makes a change",
        **dict.fromkeys(("list_registers", "control", "_on", "_more_pending", "_more_active"), CONSTANT),
    },
    vits.Lpis: {"_vgic": UP},
    vits.Its: {**BOARD, "_vgic": UP, "_work": "of one stretch of commands"},
    vgic_mmio.Distributor: {**BOARD, "_vgic": UP},
    vgic_mmio.Redistributor: {**BOARD, "_vgic": UP, "_vcpu": UP},
    mmio.Pl011: {**BOARD, "_output": USERS},
    mmio.BoardDevice: {
        **BOARD,
        "name": IDENTITY,
        "size": CONSTANT,
        "_make": CONSTANT,
        "_core": "the core's device: its `state` is what that saves",
        "_due": "the core's device has it: what loads `state` asks for it",
        "_items": "given by whoever made the machine",
        "drives": "given by whoever made the machine: which files its disks begin as",
        "net": "given by whoever made the machine, and in what is saved of the guest",
        "rng": "the same",
        "output": USERS + ", and a console is there again if they give one",
        "wire": "who is outside",
    },
    hosttarget.HostTarget: {
        "host": UP,
        "machine": MACHINE,
        "registers": CONSTANT,
        "_system": CONSTANT,
        **dict.fromkeys(("console", "consoles", "_outputs"), USERS),
        **dict.fromkeys(
            (
                "catchers",
                "describe",
                "describe_watch",
                "stepping",
                "looping",
                "refused",
                "asked",
                "selected",
                "_interrupter",
                "_interrupted",
            ),
            DEBUGGER,
        ),
        **dict.fromkeys(("_step", "_stood", "_wakes", "_end"), DEBUGGER + ": of one run"),
        "snapshots": "they stay, whichever of them is restored",
        "jumps": "a count of restores",
        "door": "where things come in from outside, and who notes them",
        "_moving": DEBUGGER + ": who may run, which it says before each run",
        "pace": "the host's clock, and no part of what happens",
    },
}

NO_OBJECTS: dict[type, str] = {
    # values, in states or while an exit is handled
    **dict.fromkeys((irqs.Irq, vits.Event, vits.Device, vm.Slot, saving.DeviceState), "is a state itself"),
    **dict.fromkeys((vits.Command, stage2.Mapping), "a value that nothing keeps"),
    hypercall.Call: "a row of a table",
    vcpu.RunState: "an enumeration",
    urgency.Queue: "follows from the interrupts' states",
    mmio.MmioDevice: "the base of devices",
    mmio.Terminal: "a protocol",
    inspection.HostInspection: "the base of HostTarget",
    networks.HostNetworks: "another",
    interference.Interference: "another",
}


@pytest.fixture(scope="module")
def hosted() -> hosttarget.HostTarget:
    """Two VMs that have all the devices that boot gives them."""
    made = host.Host(cpus=2, memory=256 << 20)
    for n in range(2):
        image = ROOT / "guests" / "prebuilt" / "two_vcpus.elf"
        boot.add_vm(made, boot.BootConfig(image=image, smp=2, memory=128 << 20, name=f"vm{n}"), lambda text: None)
    one = hosttarget.HostTarget(made)
    one.run_all()
    return one


def objects(one: hosttarget.HostTarget) -> list[object]:
    """All objects of the hypervisor that keep something."""
    found: list[object] = [one, one.host, one.host.scheduler]
    for each in one.host.vms:
        found += [each, each.stage2, each.vgic, each.vgic.lpis, *(device for _, device in each.devices)]
        for v in each.vcpus:
            found += [v, v.debug, v.ptimer, v.pmu]
    return found


def state_of(kind: type) -> type | None:
    """The dataclass of plain values that a class is derived from."""
    return next((c for c in kind.__mro__ if "__dataclass_fields__" in vars(c) and c.__name__.endswith("State")), None)


def test_every_attribute_has_been_decided_on(hosted: hosttarget.HostTarget) -> None:
    seen: dict[type, set[str]] = {}
    for each in objects(hosted):
        seen.setdefault(type(each), set()).update(vars(each))
    assert set(seen) == set(NOT_SAVED)
    for kind, attributes in seen.items():
        state = state_of(kind)
        saved = {f.name for f in fields(state)} if state is not None else set()
        saved |= {"state"} if issubclass(kind, mmio.MmioDevice) else set()
        undecided = attributes - saved - set(NOT_SAVED[kind])
        assert not undecided, f"{kind.__name__}: put {undecided} into its state, or say in NOT_SAVED why it is not saved"
        assert set(NOT_SAVED[kind]) <= attributes - saved, f"{kind.__name__}: NOT_SAVED has what is not there, or is saved"


def test_every_class_has_been_decided_on() -> None:
    modules = [importlib.import_module(f"gdbhv.hv.{m.name}") for m in pkgutil.iter_modules(gdbhv.hv.__path__)]
    classes = {c for m in modules for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__ == m.__name__}
    states = {state_of(kind) for kind in NOT_SAVED} - {None} | set(device_states())
    assert classes == set(NOT_SAVED) | set(NO_OBJECTS) | states
    assert {exits, hypercall} <= set(modules), "functions and tables only: nothing is kept there"


def test_no_module_keeps_anything() -> None:
    """What guests change is in objects: the globals of modules are constants, tables and caches of constants."""
    for m in pkgutil.iter_modules(gdbhv.hv.__path__):
        module = importlib.import_module(f"gdbhv.hv.{m.name}")
        assert "global " not in inspect.getsource(module), module.__name__


# --- the layout


def device_states() -> list[type]:
    """The states of the devices that gdbhv has."""
    kinds = [kind for kind in NOT_SAVED if issubclass(kind, mmio.MmioDevice)]
    return [typing.get_type_hints(kind)["state"] for kind in kinds if kind.__annotations__.get("state")]


PLAIN = (bool, int, str, bytes, bytearray, types.NoneType)


def layout(kind: typing.Any, done: dict[str, str]) -> str:
    """Write down a type; the fields of those that it is made of go into ``done``. Fails for one that is not plain."""
    if kind in PLAIN:
        return str(kind.__name__)
    if arguments := typing.get_args(kind):
        origin = typing.get_origin(kind)
        name = "union" if origin in (types.UnionType, typing.Union) else origin.__name__
        assert name in ("union", "list", "dict", "tuple", "Sequence"), kind
        return f"{name}[{', '.join(layout(a, done) for a in arguments)}]"
    assert isinstance(kind, type), kind
    if issubclass(kind, enum.Enum):
        done[kind.__name__] = ", ".join(f"{member.name}={member.value!r}" for member in kind)
    elif kind.__name__ not in done:
        assert is_dataclass(kind) or kind in (ExitRecord, irqs.Irq), f"{kind.__name__} is no plain value"
        done[kind.__name__] = ""
        done[kind.__name__] = ", ".join(f"{name}: {layout(t, done)}" for name, t in typing.get_type_hints(kind).items())
    return kind.__name__


def test_the_layout_is_the_one_that_its_number_names() -> None:
    done: dict[str, str] = {}
    for kind in (host.HostState, *device_states()):
        layout(kind, done)
    assert {"HostState", "VcpuState", "Irq", "Pl011State", "ExitRecord", "RunState", "Slot", "ItsState"} <= set(done)
    digest = hashlib.sha256(repr(sorted(done.items())).encode()).hexdigest()[:16]
    assert max(LAYOUTS) == saving.LAYOUT, "LAYOUTS needs a row for each layout"
    assert LAYOUTS[saving.LAYOUT] == digest, (
        f"the fields of a state have changed (digest {digest}), so that what was saved before cannot be loaded: add 1 to "
        "gdbhv.hv.saving.LAYOUT, and a row with that number and this digest to LAYOUTS"
    )


@pytest.mark.parametrize("kind", [object, list[object], set[int], frozenset[str], typing.Callable[[], int]])
def test_what_is_not_plain_is_no_state(kind: object) -> None:
    with pytest.raises(AssertionError):
        layout(kind, {})
