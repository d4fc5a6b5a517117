"""What a machine has done so far, in short: cheap to ask for, and equal for equal runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from gdbhv import _core
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.recording.file import Digest
from gdbhv.target import Target

SYSTEM = ("ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "SP_EL0", "TTBR0_EL1", "TTBR1_EL1", "CNTV_CVAL_EL0")


@dataclass
class _Printed:
    """What came on a console."""

    count: int = 0  # bytes
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def see(self, data: bytes) -> None:
        self.count += len(data)
        self.digest.update(data)


class Witness:
    """Follows what a target prints from now on."""

    def __init__(self, target: HostTarget | Machine) -> None:
        self._target, self._core = target, target.core
        self._printed: dict[str, _Printed] = {}
        for name, console in {"": target.console, **target.consoles}.items():
            if console is not None:
                self._printed[name] = _Printed()
                console.witness = self._printed[name].see

    def sum_up(self) -> Digest:
        """Return a digest of what was so far."""
        core = self._core
        return Digest(
            insns=core.insns,
            registers=[self._registers(cpu) for cpu in range(core.cpus)],
            exits=_exits(core),
            console={name: f"{p.count} {p.digest.hexdigest()}" for name, p in self._printed.items()},
            memory=f"{core.ram_digest():016x}",
            threads=_threads(self._target),
        )

    def _registers(self, cpu: int) -> str:
        core = self._core
        system = [core.read_register(cpu, name) for name in SYSTEM]
        return _hash(core.read_core(cpu) + repr((core.power(cpu), core.vregs(cpu), system)).encode())


def digest(target: Target) -> Digest:
    """Return a digest of what a target has done so far, at a place that it may have been brought to."""
    core = target.core
    return Digest(core.insns, [], _exits(core), {}, f"{core.ram_digest():016x}", _threads(target))


def _exits(core: _core.Machine) -> str:
    return f"{core.exits} {_hash(repr((core.exit_counts(), core.further_exits)).encode())}"


def _threads(target: Target) -> dict[str, str]:
    threads = [t.id for p in target.processes() if not p.found for t in p.threads]
    return {str(t): _hash(target.read_core(t)) for t in threads}


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def compare(then: Digest, now: Digest) -> str:
    """Return what differs, in words; "" if nothing does."""
    different = [
        f"the registers of CPU {n}" for n, (a, b) in enumerate(zip(then.registers, now.registers, strict=False)) if a != b
    ]
    common = then.threads.keys() & now.threads.keys()
    different += [f"the registers of thread {t}" for t in sorted(common) if then.threads[t] != now.threads[t]]
    if then.insns != now.insns:
        different.append("the instructions of each CPU")
    if then.memory and then.memory != now.memory:
        different.append("memory")
    if then.exits != now.exits:
        different.append(f"exits ({then.exits.split()[0]} then, {now.exits.split()[0]} now)")
    for name in sorted({*then.console} & {*now.console}):
        if then.console[name] != now.console[name]:
            whose = f"the console of {name}" if name else "the console"
            different.append(f"{whose} ({then.console[name].split()[0]} bytes then, {now.console[name].split()[0]} now)")
    return ", ".join(different)
