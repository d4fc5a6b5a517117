"""Stage 1 tables as data, read as the walker reads them: from TCR, TTBR and MAIR of any regime (Arm ARM D8.2, D8.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gdbhv import tables
from gdbhv.views.attributes import SHAREABILITY, memory
from gdbhv.views.descend import Layout
from gdbhv.views.stage2 import GRANULE_16K, GRANULES, PA_BITS, PA_RANGE

GRANULES_1 = {0: 12, 1: 14, 2: 12, 3: 16}  # by TCR.TG1; the reserved value acts as 4 KiB
TGRAN4, TGRAN16 = tables.field("ID_AA64MMFR0_EL1.TGran4"), GRANULE_16K
HPDS, LARGE_VA, SMALL = (
    tables.field(f"ID_AA64MMFR{n}.{name}") for n, name in (("1_EL1", "HPDS"), ("2_EL1", "VARange"), ("2_EL1", "ST"))
)
WXN = tables.field("SCTLR_EL1.WXN")
TWO = {
    name: tables.field(f"TCR_EL1.{name}") for name in "DS IPS T0SZ T1SZ TG0 TG1 SH0 SH1 EPD0 EPD1 HPD0 HPD1 HA HD".split()
}
ONE = {name: tables.field(f"TCR_EL2.{name}") for name in "T0SZ TG0 SH0 PS HPD".split()}
ONE |= {f.name: f for f in tables.register("TCR_EL2").fields if f.name in ("DS", "HA", "HD") and f.condition == "~E2H"}


@dataclass(frozen=True)
class Features:
    """ID_AA64MMFR0_EL1 to ID_AA64MMFR2_EL1 of the CPU."""

    mmfr0: int
    mmfr1: int
    mmfr2: int


@dataclass(frozen=True)
class Geometry(Layout):
    """The tables of one range of VAs of stage 1."""

    upper: bool = False  # the range of TTBR1
    two: bool = True  # two privileges: EL0 and a higher one
    mair: int = 0
    shareability: int | None = None  # of all leaves: 52-bit descriptors of FEAT_LPA2 have none of their own
    wxn: bool = False
    dirty: bool = False  # hardware manages dirty state
    hpd: bool = False  # tables limit nothing
    nv1: bool = False  # HCR_EL2.{NV, NV1}

    @property
    def first(self) -> int:
        """See :class:`Layout`."""
        return (1 << 64) - (1 << self.ipa_bits) if self.upper else 0

    def leaf(self, descriptor: int, limits: int = 0) -> dict[str, object]:
        """See :class:`Layout`. Permissions as in D8.4.1 and D8.4.2, those without PAN."""
        limits = 0 if self.hpd else limits
        d = descriptor
        attr = self.mair >> 8 * (d >> 2 & 7) & 0xFF
        flags = (" nG" if self.two and not self.nv1 and d >> 11 & 1 else "") + (" DBM" if d >> 51 & 1 else "")
        readonly = bool(d >> 7 & 1 or limits >> 62 & 1)
        dirty = self.dirty and d >> 51 & 1 and d >> 7 & 1 and not limits >> 62 & 1
        write = not readonly
        writable = bool(write or dirty)
        xn = bool((d | limits >> 6) >> 54 & 1)  # XNTable is bit 60, and XN bit 54
        xn_wxn = self.wxn and writable
        own: dict[str, object] = {"read": True, "write": write, "execute": not (xn or xn_wxn)}
        if self.two and self.nv1:
            user: dict[str, object] = {"read": False, "write": False, "execute": True}
        elif self.two:
            seen = bool(d >> 6 & 1 and not limits >> 61 & 1)
            pxn = bool((d | limits >> 6) >> 53 & 1)
            own["execute"] = not (pxn or xn_wxn or (seen and writable))
            user = {"read": seen, "write": seen and write, "execute": not (xn or (xn_wxn and seen))}
        else:
            user = {}
        return {
            **own,
            "el0": user,
            "memory": memory(attr),
            "shareability": SHAREABILITY[d >> 8 & 3 if self.shareability is None else self.shareability],
            "af": bool(d >> 10 & 1),
            "contiguous": bool(d >> 52 & 1),
            "flags": flags,
        }

    def reserved(self, descriptor: int, *, table: bool) -> int:
        """See :class:`Layout`: what is RES0 here depends on features that add a meaning to it, so nothing is said of it."""
        return 0

    def permission(self, attributes: dict[str, object]) -> str:
        """See :class:`Layout`: of the higher level, then of EL0."""
        user = attributes["el0"]
        assert isinstance(user, dict)
        return _rwx(attributes) + (f"/{_rwx(user)}" if user else "")


def _rwx(may: dict[str, object]) -> str:
    return "".join(c if may[k] else "-" for c, k in (("r", "read"), ("w", "write"), ("x", "execute")))


def of(
    regime: str, tcr: int, ttbr: int, mair: int, sctlr: int, features: Features, *, upper: bool = False, nv1: bool = False
) -> Geometry:
    """Return the geometry of one range of a regime: "EL1&0", "EL2&0" (two ranges each) or "EL2".

    :param sctlr: for WXN.
    :param upper: the range of TTBR1.
    :raises ValueError: there are no tables, with the reason: a translation fault of level 0 whatever the VA
        (``AArch64.S1TxSZFaults``, TCR_ELx.EPD0 and EPD1).
    """
    fields = ONE if regime == "EL2" else TWO

    def get(name: str) -> int:
        return fields[name].of(tcr)

    n = int(upper)
    granule = (GRANULES_1 if upper else GRANULES)[get(f"TG{n}")]
    if granule == 14 and not GRANULE_16K.of(features.mmfr0):
        granule = 12
    lpa2 = {12: TGRAN4.of(features.mmfr0) == 1, 14: TGRAN16.of(features.mmfr0) == 2, 16: False}[granule]
    ds = bool(get("DS")) and lpa2
    limit = PA_BITS[min(PA_RANGE.of(features.mmfr0), 6)]
    ps = get("PS" if regime == "EL2" else "IPS")
    txsz = get(f"T{n}SZ")
    least = 12 if ds or (granule == 16 and LARGE_VA.of(features.mmfr2)) else 16
    most = 39 if not SMALL.of(features.mmfr2) else 47 if granule == 16 else 48
    if not least <= txsz <= most:
        raise ValueError(
            f"T{n}SZ = {txsz} is out of range ({least} to {most}): each access is a translation fault of level 0"
        )
    if regime != "EL2" and get(f"EPD{n}"):
        raise ValueError(f"TCR.EPD{n} = 1: no walks by TTBR{n}, each access is a translation fault of level 0")
    bits = 64 - txsz
    start = 4 - -(-(bits - granule) // (granule - 3))
    pa_bits = 52 if ds or (granule == 16 and limit == 52) else 48
    g = Geometry(granule, bits, start, 0, 0, pa_bits, min(limit, PA_BITS[min(ps, 6)]))
    count = 1 << (bits - g.shift(start))
    root = ttbr & ((1 << 48) - 2)
    if wide := ds or (granule == 16 and limit == 52 and ps >= 6):
        root = root & ~0x3F | (ttbr >> 2 & 15) << 48
    hpd = "HPD" if regime == "EL2" else f"HPD{n}"
    return replace(
        g,
        entries=count,
        root=root & -max(8 * count, 64 if wide else 8),
        upper=upper,
        two=regime != "EL2",
        mair=mair,
        shareability=get(f"SH{n}") if ds else None,
        wxn=bool(WXN.of(sctlr)),
        dirty=bool(get("HA") and get("HD")),
        hpd=bool(HPDS.of(features.mmfr1) and get(hpd)),
        nv1=nv1,
    )
