"""Snapshots on the command line: starting from a file, writing one on the way, and ``gdbhv snapshot info``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os

from gdbhv import files
from gdbhv.cli.saying import say
from gdbhv.config import BootConfig
from gdbhv.snapshot import snapfile
from gdbhv.snapshot.snapfile import Content
from gdbhv.target import Target


def info(options: argparse.Namespace) -> int:
    """``gdbhv snapshot info``: print what a file says of itself; return the exit status."""
    content = snapfile.read(options.file)
    size = os.stat(options.file).st_size
    if options.json:
        print(json.dumps({"file": options.file, "bytes": size, **content.summary()}))
        return 0
    print(f"{options.file}: snapshot {content.name}, {size:,} bytes, written by gdbhv {content.gdbhv}")
    print(f"machine: {content.shape}")
    by_cpu = f" ({', '.join(f'{n:,}' for n in content.instructions)})" if len(content.instructions) > 1 else ""
    print(f"time: {sum(content.instructions):,} instructions{by_cpu}, {content.virtual_ns / 1e9:.9f} s of virtual time")
    for guest in content.guests:
        memory = sum(size for _, size, _ in guest.memory) / (1 << 20)
        vcpus = f"{guest.vcpus} vCPU{'s' * (guest.vcpus > 1)}, {memory:g} MiB"
        ran = "started by hand" if guest.image is None else f"{guest.image}, SHA-256 {guest.sha256}"
        print(f"{guest.name}: {vcpus}, {ran}{f'; has ended: {guest.ended}' if guest.ended else ''}")
    return 0


def contradiction(options: argparse.Namespace, content: Content) -> str | None:
    """Return which option contradicts the file that the run starts from; else have the options say what the file says."""
    shape = content.shape
    sizes = {sum(size for _, size, _ in guest.memory) for guest in content.guests}
    says = {
        "el": 2 if shape.el2 and not shape.hosted else 1,
        "bare": not (shape.hosted or shape.el2),
        "smp": shape.cpus,
        "vms": len(content.guests),
        "memory": sizes.pop() if len(sizes) == 1 else None,
        "cpu": shape.profile,
        "gic": shape.gic,
        "ns_per_insn": shape.ns_per_insn,
        "rng": content.guests[0].rng if shape.hosted else shape.rng,
        "virtio_console": shape.virtio_console,
        "pcie": shape.pcie,
    }
    boots = {"vm", *(f.name for f in dataclasses.fields(BootConfig))} - {
        "drive",
        "net",
    }  # a snapshot has no disks' files, no ports
    for name in sorted(options.given):
        option = "IMAGE" if name == "image" else "--" + name.replace("_", "-")
        if name in boots - says.keys():
            return f"{option}: what runs is in the snapshot {options.snapshot}, which has started already; leave it out"
        if name in says and getattr(options, name) != says[name]:
            return f"{option}: the snapshot {options.snapshot} is of a machine with {shape}; leave it out"
    if options.net is not None and content.guests[0].net != options.net.mac:
        return f"--net: the snapshot {options.snapshot} has " + (
            f"mac={content.guests[0].net}" if content.guests[0].net else "no network"
        )
    vars(options).update((name, value) for name, value in says.items() if value is not None)
    return None


class Writes:
    """The files that ``--snapshot-at`` asks for, while a run goes on."""

    def __init__(self, target: Target, wanted: list[tuple[int, str]]) -> None:
        for _, path in wanted:
            files.check_replaced(path, files.SNAPSHOT)
        self._target = target
        begun = sum(target.core.insns)
        self._left = sorted((begun + insns, path) for insns, path in wanted)

    @property
    def next(self) -> int | None:
        """Instructions since the machine was made at which the next one is due; None: no more."""
        return self._left[0][0] if self._left else None

    def write_due(self) -> None:
        """Write those whose time has come."""
        now = sum(self._target.core.insns)
        while self._left and self._left[0][0] <= now:
            _, path = self._left.pop(0)
            made = self._target.snapshot()
            size = made.write(path)
            made.delete()
            say(f"{path}: snapshot after {now:,} instructions, {size:,} bytes")

    def tell_left(self) -> None:
        """Say which were not written, since the run ended before."""
        for insns, path in self._left:
            say(f"{path}: not written: the run ended before instruction {insns:,}")
