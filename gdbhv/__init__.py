"""gdbhv: a GDB remote stub for simulated AArch64 machines, for people who write, port, test and teach hypervisors.

The names here are the library. A machine whose EL2 is gdbhv's own hypervisor (hosted) or the image's (bare), from files::

    import gdbhv

    target = gdbhv.hosted(gdbhv.BootConfig(image="Image", initrd="initramfs.cpio.gz", append="console=ttyAMA0"))
    stop = target.run_all()

A VM made by hand, with a device of your own: :class:`Host`, :class:`Vm`, :class:`MmioDevice`. A script that drives stock
gdb: :func:`launch`, :class:`GdbSession`. What a debugger sees of any machine: :class:`Target`.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which takes longer to import than what is needed to hear a Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from gdbhv.boot import Setup, add_vm, bare, hosted, resumed
    from gdbhv.client.launch import launch
    from gdbhv.client.session import GdbSession
    from gdbhv.client.stops import GdbBreakpoint, GdbError, GdbStop, GdbUnexpectedStop
    from gdbhv.config import BootConfig
    from gdbhv.console import Console
    from gdbhv.errors import (
        CommandError,
        ConfigError,
        GdbhvError,
        ImageError,
        MemoryError_,
        PeekError,
        RegisterError,
        StateError,
    )
    from gdbhv.exits.exitspec import ExitSpec
    from gdbhv.exits.records import ExitCount, ExitRecord
    from gdbhv.history import Backward, History
    from gdbhv.hv.host import Host
    from gdbhv.hv.hosttarget import HostTarget
    from gdbhv.hv.mmio import MmioDevice
    from gdbhv.hv.vcpu import Vcpu
    from gdbhv.hv.vm import Vm
    from gdbhv.machine.machine import Machine
    from gdbhv.recording import Bundle, Recorder, Replay, bundle, record, replay
    from gdbhv.snapshot import Snapshot
    from gdbhv.target import Action, Space, Stop, StopKind, Target, ThreadId

# name: module. Imported when first used: `gdbhv gdb` and GdbSession need no native module.
_HOME = {
    "Action": "target",
    "Backward": "history",
    "BootConfig": "config",
    "Bundle": "recording",
    "CommandError": "errors",
    "ConfigError": "errors",
    "Console": "console",
    "ExitCount": "exits.records",
    "ExitRecord": "exits.records",
    "ExitSpec": "exits.exitspec",
    "GdbBreakpoint": "client.stops",
    "GdbError": "client.stops",
    "GdbSession": "client.session",
    "GdbStop": "client.stops",
    "GdbUnexpectedStop": "client.stops",
    "GdbhvError": "errors",
    "History": "history",
    "Host": "hv.host",
    "HostTarget": "hv.hosttarget",
    "ImageError": "errors",
    "Machine": "machine.machine",
    "MemoryError_": "errors",
    "MmioDevice": "hv.mmio",
    "PeekError": "errors",
    "Recorder": "recording",
    "RegisterError": "errors",
    "Replay": "recording",
    "Setup": "boot",
    "Snapshot": "snapshot",
    "Space": "target",
    "StateError": "errors",
    "Stop": "target",
    "StopKind": "target",
    "Target": "target",
    "ThreadId": "target",
    "Vcpu": "hv.vcpu",
    "Vm": "hv.vm",
    "add_vm": "boot",
    "bare": "boot",
    "bundle": "recording",
    "hosted": "boot",
    "launch": "client.launch",
    "record": "recording",
    "replay": "recording",
    "resumed": "boot",
}

__all__ = [
    "Action",
    "Backward",
    "BootConfig",
    "Bundle",
    "CommandError",
    "ConfigError",
    "Console",
    "ExitCount",
    "ExitRecord",
    "ExitSpec",
    "GdbBreakpoint",
    "GdbError",
    "GdbSession",
    "GdbStop",
    "GdbUnexpectedStop",
    "GdbhvError",
    "History",
    "Host",
    "HostTarget",
    "ImageError",
    "Machine",
    "MemoryError_",
    "MmioDevice",
    "PeekError",
    "Recorder",
    "RegisterError",
    "Replay",
    "Setup",
    "Snapshot",
    "Space",
    "StateError",
    "Stop",
    "StopKind",
    "Target",
    "ThreadId",
    "Vcpu",
    "Vm",
    "add_vm",
    "bare",
    "bundle",
    "hosted",
    "launch",
    "record",
    "replay",
    "resumed",
]


if not TYPE_CHECKING:  # for a type checker a name that is not above is a mistake

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            return getattr(import_module(f"gdbhv.{_HOME[name]}"), name)
        raise AttributeError(f"module 'gdbhv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
