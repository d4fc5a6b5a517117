"""Every encoding of MRS and MSR at EL1, in a guest and on a board without EL2: the same ones are undefined, and what reads
gives the same value, but for what is listed with its reason. What EL2 traps and emulates is then as the CPU's own."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest

from gdbhv import _core, boot
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.target import Action, StopKind
from system.test_system import PROFILES

MEMORY = 64 << 20
VECTORS, CODE, RESULTS = 0x40080000, 0x40100000, 0x41000000
SPACES = {  # op0, op1, CRn, CRm, op2; op0 = 1 is SYS
    "registers": [e for e in itertools.product((2, 3), range(8), range(16), range(16), range(8)) if e[:3:2] != (3, 4)],
    "instructions": [e for e in itertools.product((1,), range(8), range(16), range(16), range(8)) if e[2] not in (2, 3)],
}
OTHERWISE = {
    (3, 0, 12, 0, 1): "RVBAR_EL1 is there where EL1 is the highest level",
    (3, 3, 14, 0, 0): "CNTFRQ_EL0 is written at the highest level",
    (2, 0, 1, 1, 4): "OSLSR_EL1: a guest begins with the OS lock open, as if firmware had done it",
    (3, 0, 0, 7, 0): "ID_AA64MMFR0_EL1: no FEAT_FGT and FEAT_ECV_POFF for a guest",
    (3, 0, 0, 7, 1): "ID_AA64MMFR1_EL1: no FEAT_HCX for a guest",
    (3, 0, 0, 7, 2): "ID_AA64MMFR2_EL1: no FEAT_NV for a guest",
}
TIME = {(3, 3, 14, crm, op2) for crm, op2 in ((0, 1), (0, 2), (0, 5), (0, 6), (2, 0), (3, 0))}  # counts, and what is left


def words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def program(space: str, write: bool) -> bytes:
    """Code that notes X0 and, in X1, whether the instruction was undefined; a write comes after a read of the same."""
    handler = words(0xD2800021, 0xD5384023, 0x91001063, 0xD5184023, 0xD69F03E0)  # x1 = 1; ELR_EL1 += 4; eret
    code = words(0xD2A80102, 0xD518C002, 0xD5033FDF, 0xD2A82004)  # VBAR_EL1 = VECTORS; isb; x4 = RESULTS
    for op0, op1, crn, crm, op2 in SPACES[space]:
        insn = 0xD5000000 | op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
        if space == "instructions":
            code += words(0xD2A82800, 0xD2800001, insn)  # x0 = memory; x1 = 0
        elif write:
            code += words(0xD2800000, insn | 1 << 21, 0xD2800001, insn)
        else:
            code += words(0xD2800001, 0xD2800000, insn | 1 << 21)
        code += words(0xA8810480)  # stp x0, x1, [x4], #16
    code += words(0xD2800100, 0xF2B08000, 0xD4000002)  # PSCI SYSTEM_OFF
    return (bytes(0x200) + handler).ljust(CODE - VECTORS, b"\0") + code


def run(space: str, cpu: str, write: bool, hosted: Path | None) -> list[tuple[int, int]]:
    image, size = program(space, write), 16 * len(SPACES[space])
    if hosted:
        hosted.write_bytes(image)
        host = Host(memory=MEMORY, cpu=cpu)
        where = {"load_address": VECTORS, "entry": CODE}
        boot.add_vm(
            host, boot.BootConfig(image=hosted, memory=MEMORY, append="", name="vm", cpu=cpu, **where), bytearray().extend
        )
        target = HostTarget(host)
        (thread,) = (thread.id for process in target.processes() for thread in process.threads)
        assert target.run([Action(thread)], 100_000_000).kind is StopKind.POWEROFF
        pages = [host.vms[0].pa(at) for at in range(RESULTS, RESULTS + size, 4096)]
        data = b"".join(host.machine.read_pa(page, 4096) for page in pages if page is not None)[:size]
    else:
        machine = _core.Machine(memory=MEMORY, cpu=cpu, hosted=False, el2=False)
        machine.write_pa(VECTORS, image)
        machine.write_register(0, "pc", CODE)
        assert machine.run(100_000_000)["kind"] == "poweroff"
        data = machine.read_pa(RESULTS, size)
    return list(struct.iter_unpack("<QQ", data))


@pytest.mark.parametrize("cpu", PROFILES)
def test_a_guest_has_the_encodings_of_a_board_without_el2(tmp_path: Path, cpu: str) -> None:
    different = set()
    for space, write in ("registers", False), ("registers", True), ("instructions", True):
        alone, guest = run(space, cpu, write, None), run(space, cpu, write, tmp_path / "image.bin")
        assert len(alone) == len(guest) == len(SPACES[space])
        assert 0 < sum(undefined for _, undefined in guest) < len(guest)
        different |= {
            encoding
            for encoding, one, other in zip(SPACES[space], alone, guest, strict=True)
            if one[1] != other[1] or (not write and one != other and encoding not in TIME)
        }
    assert different - OTHERWISE.keys() == set()
    if cpu == "max":
        assert OTHERWISE.keys() - different == set(), "listed, but the same"
