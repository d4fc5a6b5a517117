"""`s2 dump` against the walker: whatever VTCR_EL2 says, its leaves are those that a translation finds, and no others."""

from __future__ import annotations

import itertools
import random
import struct

import pytest

from gdbhv import _core
from gdbhv.views import descend, stage2

BASE = 0x40000000
MOST = 5000


def machine(rng: random.Random, cpu: str) -> _core.Machine:
    """RAM with random descriptors, and registers that select some of it as stage 2 tables."""
    m = _core.Machine(cpus=1, memory=64 << 20, cpu=cpu, hosted=False)

    def descriptor() -> int:
        output = BASE + rng.randrange(64 << 20) & -0x1000
        return output | rng.choice((1, 3, 3, 3)) | rng.getrandbits(8) << 2 & 0x3FC | 1 << 10 | rng.getrandbits(2) << 53

    for address in (BASE, *(BASE + rng.randrange(8 << 20) // 8 * 8 for _ in range(300))):
        m.write_pa(address, struct.pack("<Q", descriptor()))
    for table in range(BASE, BASE + 0x10000, 0x1000):
        words = [descriptor() if rng.random() < 0.2 else 0 for _ in range(512)]
        m.write_pa(table, struct.pack("<512Q", *words))
    vtcr = rng.getrandbits(2) << 32 | 1 << 31 | rng.getrandbits(3) << 16 | rng.getrandbits(2) << 14 | rng.getrandbits(8)
    if rng.random() < 0.7:
        vtcr = vtcr & ~0x3F | rng.choice((12, 16, 20, 22, 24, 25, 28, 30, 32, 33, 34, 36, 39, 40))
    for name, value in (("VTCR_EL2", vtcr), ("VTTBR_EL2", 7 << 48 | BASE + rng.randrange(1 << 16) & ~0x3F), ("HCR_EL2", 1)):
        m.write_register(0, name, value)
    return m


def geometry(m: _core.Machine) -> stage2.Geometry:
    names = ("VTTBR_EL2", "VTCR_EL2", "ID_AA64MMFR0_EL1", "ID_AA64MMFR2_EL1")
    vttbr, vtcr, mmfr0, mmfr2 = (m.read_register(0, name) for name in names)
    return stage2.Geometry.of(vttbr, vtcr, mmfr0, ttst=bool(mmfr2 >> 28 & 15))


@pytest.mark.parametrize("cpu", [name for name, _ in _core.profiles()])
def test_the_leaves_are_those_that_a_translation_finds(cpu: str, seed: int) -> None:
    rng = random.Random(f"{seed} {cpu}")
    compared = 0
    while compared < 60:
        m = machine(rng, cpu)
        what = f"VTCR_EL2 {m.read_register(0, 'VTCR_EL2'):#x}"
        try:
            g = geometry(m)
        except ValueError:
            for ipa in (0, BASE, rng.getrandbits(40)):
                walk = m.translate_ipa(0, ipa)
                assert walk is not None
                assert walk.get("fault") == "trans.l0", what
            continue
        try:
            found = list(itertools.islice(descend.entries(g, m.read_pa), MOST))
        except IndexError:
            continue  # the first table is not in RAM
        leaves = [e for e in found if not e.table]
        for leaf in rng.sample(leaves, min(10, len(leaves))):
            ipa = leaf.ipa + rng.randrange(leaf.size)
            walk = m.translate_ipa(0, ipa)
            assert walk is not None
            assert walk["steps"][-1]["level"] == leaf.level, what
            fault = walk.get("fault", "")
            assert walk.get("pa") == leaf.output + ipa - leaf.ipa or fault.startswith("asize"), f"{what}, IPA {ipa:#x}"
            compared += not fault
        if len(found) < MOST:
            for _ in range(5):
                ipa = rng.randrange(1 << min(g.ipa_bits, rng.choice((52, 32))))
                walk = m.translate_ipa(0, ipa)
                assert walk is not None
                mapped = any(e.ipa <= ipa < e.ipa + e.size for e in leaves)
                assert ("pa" in walk) == mapped or walk["fault"].startswith(("asize", "sea")), f"{what}, IPA {ipa:#x}"
