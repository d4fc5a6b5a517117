"""`s1 dump` against the walker: leaves, permissions and memory types of all regimes are those that a translation finds."""

from __future__ import annotations

import itertools
import random
import struct

import pytest

from gdbhv import _core, tables
from gdbhv.queries import layouts
from gdbhv.translation import bare
from gdbhv.views import attributes, descend
from gdbhv.views.stage1 import Geometry

BASE = 0x40000000
MOST = 3000
TOP = 1 << 64
TYPES = (0x00, 0x04, 0x08, 0x0C, 0x44, 0xFF, 0xBB, 0xAA, 0x4F)


def machine(rng: random.Random, cpu: str, el: int, *, e2h: bool) -> _core.Machine:
    """RAM with random descriptors, and registers that select some of it as stage 1 tables."""
    m = _core.Machine(cpus=1, memory=64 << 20, cpu=cpu, hosted=False)

    def descriptor() -> int:
        upper = rng.getrandbits(5) << 59 if rng.random() < 0.3 else 0
        low = rng.choice((1, 3, 3, 3)) | rng.getrandbits(8) << 2 & 0x3FC | 1 << 10 | rng.getrandbits(1) << 11
        return BASE + rng.randrange(64 << 20) & -0x1000 | low | rng.getrandbits(4) << 51 & ~(1 << 52) | upper

    for address in (BASE, *(BASE + rng.randrange(8 << 20) // 8 * 8 for _ in range(300))):
        m.write_pa(address, struct.pack("<Q", descriptor()))
    for table in range(BASE, BASE + 0x10000, 0x1000):
        words = [descriptor() if rng.random() < 0.2 else 0 for _ in range(512)]
        m.write_pa(table, struct.pack("<512Q", *words))
    sizes = [rng.choice((12, 16, 20, 25, 28, 32, 33, 36, 39, 40, 47)) for _ in range(2)]
    tcr = rng.getrandbits(64) & ~(0x3F | 0x3F << 16 | 7 << 32 | 1 << 7 | 1 << 23) | sizes[0] | 5 << 32
    tcr |= sizes[1] << 16 if el == 1 or e2h else 5 << 16
    of = f"EL{el}"
    state = {
        f"TCR_{of}": tcr,
        f"MAIR_{of}": int.from_bytes(rng.choices(TYPES, k=8), "little"),
        f"SCTLR_{of}": 0x1005 | rng.getrandbits(1) << 19,
    }
    state["HCR_EL2"] = 1 << 31 | e2h << 34
    for n in range(1 + (el == 1 or e2h)):
        state[f"TTBR{n}_{of}"] = BASE + rng.randrange(1 << 16) & ~0x3F
    for name, value in state.items():
        m.write_register(0, name, value)
    m.write_register(0, "cpsr", 0x3C9 if el == 2 else 0x3C5)
    return m


CASES = [
    (name, regime)
    for name, _ in _core.profiles()
    for regime in ("EL1&0", "EL2", "EL2&0")
    if regime != "EL2&0" or "TTBR1_EL2" in tables.registers(name)
]


@pytest.mark.parametrize(("cpu", "regime"), CASES)
def test_the_leaves_are_those_that_a_translation_finds(cpu: str, regime: str, seed: int) -> None:
    rng = random.Random(f"{seed} {cpu} {regime}")
    compared = none = 0
    for _ in range(400):
        if compared >= 150:
            break
        el = 1 if regime == "EL1&0" else 2
        m = machine(rng, cpu, el, e2h=regime == "EL2&0")
        by = bare(m, 0, el)
        assert by.regime["name"] == regime
        for n, g in layouts.stage1(by):
            if isinstance(g, str):
                for va in (0, BASE, rng.getrandbits(30)):
                    assert m.translate(0, (TOP - 0x1000 - va if n else va), el=el).get("fault") == "trans.l0", g
                    none += 1
                continue
            compared += compare(rng, m, g, el)
    assert compared >= 100


def compare(rng: random.Random, m: _core.Machine, g: Geometry, el: int) -> int:
    """Compare some leaves, and some addresses that may have none; return how many could be compared."""
    try:
        found = list(itertools.islice(descend.entries(g, m.read_pa, g.first, g.last), MOST))
    except IndexError:
        return 0  # the first table is not in RAM
    leaves = [e for e in found if not e.table]
    compared = 0
    for e in rng.sample(leaves, min(8, len(leaves))):
        va = e.ipa + rng.randrange(e.size)
        walk = m.translate(0, va, el=el)
        what = f"{g}, VA {va:#x}, {e}: {walk}"
        assert walk["steps"][-1]["level"] == e.level, what
        if "pa" not in walk:
            assert walk["fault"].startswith("asize"), what
            continue
        a = g.leaf(e.descriptor, e.limits)
        assert walk["pa"] == e.output + va - e.ipa, what
        assert [walk["read"], walk["write"], walk["execute"]] == [a["read"], a["write"], a["execute"]], what
        memory = a["memory"]
        assert memory == attributes.memory(walk["memory"]), what
        if a["el0"]:
            user = m.translate(0, va, el=0) if m.regime(0, 0)["name"] == m.regime(0, el)["name"] else None
            if user is not None and "pa" in user:
                assert {k: user[k] for k in ("read", "write", "execute")} == a["el0"], what  # type: ignore[literal-required]
        compared += 1
    if len(found) < MOST:
        for _ in range(5):
            va = g.first + rng.randrange(1 << min(g.ipa_bits, rng.choice((52, 32))))
            walk = m.translate(0, va, el=el)
            mapped = any(e.ipa <= va < e.ipa + e.size for e in leaves)
            assert ("pa" in walk) == mapped or walk["fault"].startswith(("asize", "sea")), f"{g}, VA {va:#x}"
    return compared
