"""What is wrong with tables: each mistake, planted in tables without one, is said once (Arm ARM D8.2, D8.3, D8.7.1)."""

from __future__ import annotations

import pytest

from gdbhv.views import descend, stage2

VTCR = 0x18 | 1 << 6 | 2 << 16  # 40 bits of IPA from level 1, 4 KiB, 40 bits of PA
ROOT = 0x4000
GOOD = {0x4008: 0x8003, 0x8000: 0x400007FD, 0x8008: 0x9003}
GOOD |= {0x9000 + 8 * n: 0x5000_07FF + 0x1000 * n | 1 << 52 for n in range(16)}

OF_A_LEAF = "RES0, as a leaf of {0} bytes is aligned to {0}"
DIFFERS = "one of 16 contiguous ones, and differs from the first, 0x100000500007ff, in bits"
APART = "contiguous, but the 16 addresses are not one aligned block of 0x10000 bytes"


def said(words: dict[int, int], vtcr: int = VTCR, low: int = 0, high: int | None = None) -> list[str]:
    def read(address: int, length: int) -> bytes:
        if address + length > 1 << 20:
            raise IndexError(f"{address:#x}")
        return b"".join(words.get(a, 0).to_bytes(8, "little") for a in range(address, address + length, 8))

    wrong: list[descend.Wrong] = []
    assert list(descend.entries(stage2.Geometry.of(ROOT, vtcr), read, low, high, note=wrong.append))
    assert all(words[w.address] == w.descriptor for w in wrong)
    return [f"{w.address:#x} L{w.level} {w.what}" for w in wrong]


def test_tables_without_mistakes() -> None:
    assert said(GOOD) == []
    assert said(GOOD, low=0x40201000, high=0x40202FFF) == [], "a part of a row"


@pytest.mark.parametrize(
    ("at", "descriptor", "expected"),
    [
        (0x8008, 0x4003, "a loop: 0x4000 is the table of level 1 on the way to it"),
        (0x8008, 0x8003, "a loop: 0x8000 is the table of level 2 on the way to it"),
        (0x8010, 0x7000_0003, "the table at 0x70000000 is not in memory: a walk is an external abort"),
        (0x8000, 0x4000_17FD, f"misaligned: address bits 0x1000 are {OF_A_LEAF.format('0x200000')}"),
        (0x4010, 0x4020_07FD, f"misaligned: address bits 0x200000 are {OF_A_LEAF.format('0x40000000')}"),
        (0x9100, 0x5000_07FD, "bits 1:0 = 0b01 are reserved at level 3: it is invalid"),
        (0x8000, 0x4000_07FD | 1 << 48, "bits 0x1000000000000 are RES0"),
        (0x8008, 0x9003 | 1 << 62, "bits 0x4000000000000000 are RES0"),
        (0x8000, 0x4000_07D1, "bits 0x10 are RES0"),  # MemAttr 0b0100
        (0x9038, 0x5000_77BF | 1 << 52, f"{DIFFERS} 0x40"),
        (0x9038, 0x5000_77FF, f"{DIFFERS} 0x10000000000000"),
        (0x9038, 0x5000_87FF | 1 << 52, APART),
        (0x8000, 0x100_0000_07FD, "output address 0x10000000000 has more than 40 bits: an address size fault"),
    ],
)
def test_a_mistake_is_said_once(at: int, descriptor: int, expected: str) -> None:
    assert said({**GOOD, at: descriptor})[0].split(" ", 2)[::2] == [f"{at:#x}", expected]
    if "a loop" not in expected:
        assert len(said({**GOOD, at: descriptor})) == 1


def test_rows_that_are_not_aligned() -> None:
    words = {**GOOD, **{0x9000 + 8 * n: 0x5000_17FF + 0x1000 * n | 1 << 52 for n in range(16)}}
    assert said(words) == [f"0x9000 L3 {APART}"]


def test_the_access_flag_may_differ_in_a_row() -> None:
    assert said({**GOOD, 0x9020: GOOD[0x9020] & ~(1 << 10)}) == []


def test_contiguous_where_it_is_reserved() -> None:
    """52-bit addresses, 4 KiB granule: a block of level 0 is in no row."""
    words = {0x4000: 0x8003, 0x8000: 0x3C1 | 1 << 52 | 1 << 10}
    vtcr = 12 | 1 << 33 | 3 << 12 | 1 << 32 | 6 << 16
    geometry = stage2.Geometry.of(ROOT, vtcr, 6 | 2 << 20 | 1 << 28 | 3 << 32 | 3 << 40)
    wrong: list[descend.Wrong] = []
    list(descend.entries(geometry, lambda a, n: b"".join(words.get(a + i, 0).to_bytes(8, "little") for i in range(0, n, 8)),
                         note=wrong.append))  # fmt: skip
    assert [w.what for w in wrong] == ["bit 52 (Contiguous) is RES0 at level 0 of this granule"]
