"""The layout of a translation's tables, by its registers, and how to read them: for views of whole tables."""

from __future__ import annotations

from gdbhv.errors import MemoryError_
from gdbhv.tables import field
from gdbhv.translation import Translation
from gdbhv.views import stage1 as one
from gdbhv.views import stage2 as two
from gdbhv.views.descend import Read

FWB = field("HCR_EL2.FWB").mask
PAGE = 0x1000
Tables = tuple[int, one.Geometry | str]
"""The TTBR, and the layout of its tables, or the reason why there are none."""


def stage2(by: Translation) -> two.Geometry:
    """Return the layout of the stage 2 tables. :raises ValueError: the registers allow no walk, with the reason."""
    assert by.controls is not None
    mmfr0 = by.machine.read_register(by.cpu, "ID_AA64MMFR0_EL1")
    hcr = FWB if by.regime["fwb"] else 0
    return two.Geometry.of(by.controls.vttbr, by.controls.vtcr, mmfr0, hcr, xnx=by.xnx, ttst=by.ttst)


def stage1(by: Translation) -> list[Tables]:
    """Return the tables of a regime, one set for each range of VAs."""
    read = by.machine.read_register
    features = one.Features(*(read(by.cpu, f"ID_AA64MMFR{n}_EL1") for n in range(3)))
    regime = by.regime["name"]
    if by.controls is not None and regime == "EL1&0":
        c = by.controls
        tcr, ttbrs, mair, sctlr = c.tcr, [c.ttbr0, c.ttbr1], c.mair, c.sctlr
    else:
        el = "EL1" if regime == "EL1&0" else "EL2"
        tcr, mair, sctlr = (read(by.cpu, f"{name}_{el}") for name in ("TCR", "MAIR", "SCTLR"))
        names = [f"TTBR0_{el}"] + [f"TTBR1_{el}"] * (regime != "EL2")
        ttbrs = [read(by.cpu, name) for name in names]
    found: list[Tables] = []
    for n, ttbr in enumerate(ttbrs):
        try:
            upper, nv1 = n == 1, by.regime["nv1"]
            found.append((n, one.of(regime, tcr, ttbr, mair, sctlr, features, upper=upper, nv1=nv1)))
        except ValueError as e:
            found.append((n, str(e)))
    return found


def reader(by: Translation) -> Read:
    """Return a function that reads stage 1 tables: by IPA, where stage 2 is on."""
    if not by.regime["stage2"]:
        return by.machine.read_pa
    pages: dict[int, int | None] = {}

    def physical(page: int) -> int:
        if page not in pages:
            try:
                pages[page] = by.physical_ipa(page)
            except MemoryError_:
                pages[page] = None
        found = pages[page]
        if found is None:
            raise IndexError(f"IPA {page:#x} is not mapped")
        return found

    def read(address: int, length: int) -> bytes:
        out = b""
        while len(out) < length:
            n = min(length - len(out), PAGE - address % PAGE)
            out += by.machine.read_pa(physical(address & -PAGE) + address % PAGE, n)
            address += n
        return out

    return read
