"""gdbhv runs a batch of cases (see batch.py), bare at EL2, as QEMU does in qemu.py."""

from __future__ import annotations

from collections.abc import Sequence

from gdbhv import _core
from oracle import batch

INSTRUCTIONS_PER_CASE = 1000  # the harness needs some 250


def run(cases: Sequence[batch.Case], cpu: str = "max") -> list[batch.Outcome]:
    """Return what each case leaves on gdbhv's ``cpu``.

    :raises RuntimeError: the guest did not switch itself off; the message has how far it came.
    """
    result: list[batch.Outcome] = []
    for start in range(0, len(cases), batch.MAX_CASES):
        result += _run_batch(cases[start : start + batch.MAX_CASES], cpu)
    return result


def _run_batch(cases: Sequence[batch.Case], cpu: str) -> list[batch.Outcome]:
    machine = _core.Machine(memory=batch.RAM_SIZE, cpu=cpu, hosted=False)
    for address, data in batch.image(cases):
        machine.write_pa(address, data)
    machine.write_register(0, "pc", batch.ENTRY)
    stop = machine.run(10_000 + len(cases) * INSTRUCTIONS_PER_CASE)
    if stop["kind"] != "poweroff":
        done = (machine.read_register(0, "tpidrro_el0") - batch.IN) // batch.RECORD_SIZE
        pc, undefined = machine.read_register(0, "pc"), machine.undefined_seen()[-5:]
        unknown = ", ".join(f"{word:08x} at {address:#x}" for address, word in undefined)
        raise RuntimeError(
            f"{stop} in case {done} of {len(cases)}, pc={pc:#x}; not implemented, so far: {unknown or 'none'}"
        )
    return batch.outcomes(machine.read_pa(batch.OUT, len(cases) * batch.RECORD_SIZE), cases)
