"""Views: data in, golden text out; no machine."""

from __future__ import annotations

from typing import Any

import pytest

from gdbhv import _core, tables
from gdbhv.exits import smccc
from gdbhv.exits.records import ExitCount
from gdbhv.views import attributes, cpus, descend, disasm, exits, gic, stage2, syndrome, sysreg, table, walk

BASE: dict[str, Any] = {
    "seq": 7,
    "cpu": 0,
    "now": 1000,
    "el": 1,
    "nv": 0,
    "vmid": 3,
    "pc": 0x40200000,
    "spsr": 0x3C5,
    "esr": 0,
    "far": None,
    "ipa": None,
    "hpfar_valid": False,
    "insn": None,
    "rt": None,
    "rt_value": None,
    "args": [0, 0, 0, 0],
    "cause": [],
    "intid": None,
}


def record(name: str, number: int, **changes: Any) -> Any:
    return {**BASE, "name": name, "class": name.split(".")[0].split(":")[0], "number": number, **changes}


STORE = record(
    "dabt.trans.l3.w.isv",
    0x1024,
    esr=0x93830047,
    insn=0xB9000023,
    far=0x9000018,
    ipa=0x9000018,
    hpfar_valid=True,
    rt=3,
    rt_value=0x41,
    cause=["HCR_EL2.VM"],
)
LOAD = {**STORE, "name": "dabt.trans.l3.r.isv", "esr": 0x93C38007, "insn": 0xF9400023}
PERMISSION = record("iabt.perm.l3.x", 0x1020, esr=0x8200000F, far=0x8000, ipa=0x42000000)
TABLE = record(
    "dabt.trans.l2.s1ptw.r.noisv", 0x1024, esr=0x92000086, insn=0xF9400020, far=0xC0000000, ipa=0x42600000, hpfar_valid=True
)
MRS = record(
    "sysreg.read:MIDR_EL1", 0x1018, esr=0x62300001 | 2 << 5, insn=0xD5380002, rt=2, rt_value=5, cause=["HFGRTR_EL2.MIDR_EL1"]
)
MSR = record(
    "sysreg.write:TCR_EL1", 0x1018, esr=0x62340C80 | 31 << 5, insn=0xD518205F, rt=31, rt_value=0, cause=["HCR_EL2.TVM"]
)
VNCR = record("vncr.trans.l3.w", 0x1025, esr=0x96002047, insn=0xD51C1105, far=0x5078, nv=2, cause=["HCR_EL2.NV2"])
HVC = record("hvc:0x0", 0x1016, esr=0x5A000000, insn=0xD4000002, args=[0x84000008, 1, 2, 3])
WFI = record("wfx.wfi", 0x1001, esr=0x07E00000, insn=0xD503207F, cause=["HCR_EL2.TWI"])
IRQ = record("irq.ppi27", 0x1100, intid=27, cause=["HCR_EL2.IMO"])

LINES = [
    (
        STORE,
        (
            "dabt.trans.l3.w.isv; str w3, [x1] at 0x40200000 (EL1); "
            "4 bytes of x3=0x41 to VA 0x9000018 = IPA 0x9000018 (uart+0x18); by HCR_EL2.VM"
        ),
    ),
    (
        LOAD,
        (
            "dabt.trans.l3.r.isv; ldr x3, [x1] at 0x40200000 (EL1); "
            "8 bytes to x3 from VA 0x9000018 = IPA 0x9000018 (uart+0x18); by HCR_EL2.VM"
        ),
    ),
    (PERMISSION, "iabt.perm.l3.x; at 0x40200000 (EL1); VA 0x8000 = IPA 0x42000000, not in HPFAR_EL2"),
    (
        TABLE,
        (
            "dabt.trans.l2.s1ptw.r.noisv; ldr x0, [x1] at 0x40200000 (EL1); "
            "VA 0xc0000000; its stage 1 descriptor is at IPA 0x42600000"
        ),
    ),
    (MRS, "sysreg.read:MIDR_EL1; mrs x2, midr_el1 at 0x40200000 (EL1); by HFGRTR_EL2.MIDR_EL1"),
    (MSR, "sysreg.write:TCR_EL1; msr tcr_el1, xzr at 0x40200000 (EL1); xzr=0x0; by HCR_EL2.TVM"),
    (HVC, "hvc:0x0; hvc #0 at 0x40200000 (EL1); AFFINITY_INFO(0x1, 0x2)"),
    (VNCR, "vncr.trans.l3.w; msr hcr_el2, x5 at 0x40200000 (EL1); VA 0x5078; by HCR_EL2.NV2"),
    (WFI, "wfx.wfi; wfi at 0x40200000 (EL1); by HCR_EL2.TWI"),
    (IRQ, "irq.ppi27; at 0x40200000 (EL1); INTID 27 (virtual timer); by HCR_EL2.IMO"),
]


@pytest.mark.parametrize(("exit_", "text"), LINES, ids=[r["name"] for r, _ in LINES])
def test_an_exit_is_one_line(exit_: Any, text: str) -> None:
    place = {0x9000018: "uart+0x18"}.get
    assert exits.exit_line(exit_, place, "AFFINITY_INFO(0x1, 0x2)" if exit_ is HVC else None) == text


ISS = [
    (
        STORE,
        "ISV=1 SAS=word SSE=0 SRT=x3 SF=0 AR=0 FnV=0 EA=0 CM=0 S1PTW=0 WnR=write DFSC=0x07 (translation fault, level 3)",
    ),
    (
        LOAD,
        (
            "ISV=1 SAS=doubleword SSE=0 SRT=x3 SF=1 AR=0 FnV=0 EA=0 CM=0 S1PTW=0 WnR=read "
            "DFSC=0x07 (translation fault, level 3)"
        ),
    ),
    (TABLE, "ISV=0 FnV=0 EA=0 CM=0 S1PTW=1 WnR=read DFSC=0x06 (translation fault, level 2)"),
    (PERMISSION, "SET=0 FnV=0 EA=0 S1PTW=0 IFSC=0x0f (permission fault, level 3)"),
    (MRS, "Op0=3 Op2=0 Op1=0 CRn=0 Rt=x2 CRm=0 Direction=read"),
    (MSR, "Op0=3 Op2=2 Op1=0 CRn=3 Rt=xzr CRm=0 Direction=write"),
    (HVC, "imm16=0"),
    (VNCR, "VNCR=1 FnV=0 EA=0 CM=0 S1PTW=0 WnR=write DFSC=0x07 (translation fault, level 3)"),
    (WFI, "CV=1 COND=0xe TI=WFI"),
    (IRQ, ""),
]


@pytest.mark.parametrize(("exit_", "text"), ISS, ids=[r["name"] for r, _ in ISS])
def test_the_syndrome_field_by_field(exit_: Any, text: str) -> None:
    assert syndrome.iss_text(exit_) == text


@pytest.mark.parametrize("iss", [0, 1 << 24, (1 << 25) - 1])
def test_the_fields_that_an_iss_has_do_not_overlap(iss: int) -> None:
    offsets = (0, *(offset for _, _, offset in tables.exit_origins()))
    assert set(tables.iss_layouts()) == {c["number"] + n for c in tables.exit_classes().values() for n in offsets}
    for number in tables.iss_layouts():
        masks = [f.mask for f in syndrome.layout(number, iss)]
        assert all(a & b == 0 for i, a in enumerate(masks) for b in masks[i + 1 :])


def test_an_exit_explained() -> None:
    assert exits.explain(PERMISSION) == [
        "exit 7 of the machine, at 1000 ns on CPU 0, VMID 3; class iabt, 0x1020",
        "ESR_EL2    0x000000008200000f  ISS=0xf IL=32bit EC=iabt_lower",
        "           SET=0 FnV=0 EA=0 S1PTW=0 IFSC=0x0f (permission fault, level 3)",
        "FAR_EL2    0x0000000000008000",
        "IPA        0x0000000042000000  HPFAR_EL2 is not valid for this fault: AT S1E1R tells",
        "SPSR_EL2   0x00000000000003c5  M=EL1h nRW=aarch64 F I A D",
    ]


def test_an_exit_of_a_nested_hypervisor_explained() -> None:
    assert exits.explain(VNCR)[0] == (
        "exit 7 of the machine, at 1000 ns on CPU 0, VMID 3, with HCR_EL2.NV and NV2; class vncr, 0x1025"
    )


def test_counts_are_sorted_and_shared() -> None:
    rows = ((1, 0x1016, "hvc:0x0", 1), (2, 0x1024, "dabt.trans.l3.w.isv", 2999))
    counts: list[ExitCount] = [{"vmid": v, "number": c, "name": name, "count": n} for v, c, name, n in rows]
    assert exits.stats_document(counts, 0) == {"exits": 3000, "further": 0, "counts": counts}
    assert exits.stats_document(counts, 7) == {"exits": 3007, "further": 7, "counts": counts}
    assert exits.stats_table(counts, names={1: "left", 2: "right"}.__getitem__) == [
        "count   share  vm     class   exit",
        "2,999  100.0%  right  0x1024  dabt.trans.l3.w.isv",
        "    1    0.0%  left   0x1016  hvc:0x0",
        "3,000 exits of 2 kinds",
    ]
    assert exits.stats_table(counts[:1], 3)[1:] == [
        "    1  25.0%  1   0x1016  hvc:0x0",
        "    3  75.0%              further kinds",
        "4 exits of 1 kinds and further ones",
    ]
    assert exits.stats_table([]) == ["no exits yet"]


REGISTERS = [
    ("HCR_EL2", 0x80000001, False, "VM BSU=none RW"),
    ("CPTR_EL2", 0x300400, False, "TFP TTA"),
    ("CPTR_EL2", 0x300400, True, "FPEN=none"),
    ("PAR_EL1", 0x80B, False, "F=fault FST=5 S=stage1 NSE"),
    (
        "TCR_EL1",
        0x3518,
        False,
        "T0SZ=0x18 IRGN0=wbwa ORGN0=wbwa SH0=inner TG0=4K A1=ttbr0 IRGN1=nc ORGN1=nc SH1=non IPS=32 AS=8bit",
    ),
    ("SPSR_EL2", 0x600003C5, False, "M=EL1h nRW=aarch64 F I A D C Z"),
]


@pytest.mark.parametrize(("name", "value", "e2h", "text"), REGISTERS)
def test_registers_with_their_fields(name: str, value: int, e2h: bool, text: str) -> None:
    assert sysreg.fields_text(tables.register(name), value, e2h=e2h) == text


def test_a_register_is_a_line() -> None:
    assert sysreg.register_line(tables.register("HCR_EL2"), 1) == "HCR_EL2            0x0000000000000001  VM BSU=none"


@pytest.mark.parametrize(
    ("descriptor", "text"),
    [
        (0x442007FD, "rwx Normal-WB, inner"),
        (0x4420077D, "r-x Normal-WB, inner"),
        (1 << 54 | 0x442007FD, "rw- Normal-WB, inner"),
        (3 << 53 | 0x442007FD, "rwx(EL1) Normal-WB, inner"),
        (1 << 53 | 0x442007FD, "rwx(EL0) Normal-WB, inner"),
        (0x090004C5 | 1 << 54, "rw- Device-nGnRE, non-shareable"),
        (0x442007D5, "rwx Normal-NC, inner"),
    ],
)
def test_stage_2_attributes(descriptor: int, text: str) -> None:
    leaf = attributes.stage2_leaf(descriptor)
    assert f"{attributes.rwx(leaf)} {leaf['memory']}, {leaf['shareability']}" == text


@pytest.mark.parametrize(
    ("attr", "text"),
    [
        (0x00, "Device-nGnRnE"),
        (0x04, "Device-nGnRE"),
        (0x44, "Normal-NC"),
        (0xFF, "Normal-WB"),
        (0xBB, "Normal-WT"),
        (0x4F, "Normal-oNC-iWB"),
        (0x33, "Normal-WT"),
        (0x77, "Normal-WB"),
    ],
)
def test_memory_types(attr: int, text: str) -> None:
    assert attributes.memory(attr) == text


@pytest.mark.parametrize(
    ("n", "text"), [(4096, "4K"), (2 << 20, "2M"), (3 << 30, "3G"), (1 << 40, "1T"), (6144, "6K"), (100, "100")]
)
def test_sizes(n: int, text: str) -> None:
    assert attributes.size(n) == text


class Memory:
    """Words of physical memory; the rest of the first MiB is 0, and there is no more."""

    def __init__(self, words: dict[int, int]) -> None:
        self.words = words

    def read(self, address: int, length: int) -> bytes:
        if address + length > 1 << 20:
            raise IndexError(f"{address:#x}")
        return b"".join(self.words.get(a, 0).to_bytes(8, "little") for a in range(address, address + length, 8))


VTCR = 0x18 | 1 << 6  # T0SZ = 24, SL0 = 1: 40 bits from level 1, 4 KiB
PAGES = Memory(
    {
        0x4008: 0x2003,  # L1[1]: 0x40000000
        0x2000: 0x442007FD,  # a block of 2 MiB
        0x2008: 0x444007FD,  # and the next
        0x2010: 0x3003,
        0x2018: 0x900003,  # a table that is not RAM
        0x3000: 0x100007FF,
        0x3008: 0x10001 | 0x7FC,  # 0b01 at level 3: reserved, so invalid
        0x3018: 0x1000377F,
    }
)


def test_stage_2_tables_as_ranges_and_as_a_tree() -> None:
    geometry = stage2.Geometry.of(0x4000 | 5 << 48, VTCR)
    assert geometry == stage2.Geometry(12, 40, 1, 1024, 0x4000)
    found = list(descend.entries(geometry, PAGES.read))
    assert stage2.tree(found, geometry) == [
        "L1 0x0040000000 table at 0x2000  [0x4008] = 0x0000000000002003",
        "  L2 0x0040000000 2M -> 0x44200000 rwx Normal-WB  [0x2000] = 0x00000000442007fd",
        "  L2 0x0040200000 2M -> 0x44400000 rwx Normal-WB  [0x2008] = 0x00000000444007fd",
        "  L2 0x0040400000 table at 0x3000  [0x2010] = 0x0000000000003003",
        "    L3 0x0040400000 4K -> 0x10000000 rwx Normal-WB  [0x3000] = 0x00000000100007ff",
        "    L3 0x0040403000 4K -> 0x10003000 r-x Normal-WB  [0x3018] = 0x000000001000377f",
        "  L2 0x0040600000 table at 0x900000, which is not RAM  [0x2018] = 0x0000000000900003",
    ]
    ranges = stage2.merged([e for e in found if not e.table], geometry)
    assert stage2.dump(ranges, lambda ipa, pa: "memory" if ipa < 0x40400000 else "") == [
        "IPA                        PA            size  leaves  perm  memory            what",
        "0x0040000000-0x00403fffff  0x0044200000    4M  2 x 2M  rwx   Normal-WB, inner  memory",
        "0x0040400000-0x0040400fff  0x0010000000    4K  1 x 4K  rwx   Normal-WB, inner",
        "0x0040403000-0x0040403fff  0x0010003000    4K  1 x 4K  r-x   Normal-WB, inner",
    ]
    assert [e.ipa for e in descend.entries(geometry, PAGES.read, 0x40401000, 0x40403000) if not e.table] == [0x40403000]
    assert list(descend.entries(geometry, PAGES.read, 0x80000000)) == []
    assert stage2.dump([]) == ["nothing is mapped there"]


WIDE = 1 << 32 | 6 << 16  # VTCR_EL2: DS, 52 bits of PA
MAX = 6 | 2 << 20 | 1 << 28 | 3 << 32 | 3 << 40  # ID_AA64MMFR0_EL1 with FEAT_LPA2


@pytest.mark.parametrize(
    ("vtcr", "expected"),
    [
        (VTCR | 3 << 14, (12, 40, 1, 1024, 0x34000, 48, None)),  # reserved: as 4 KiB
        (12 | 1 << 33 | 3 << 12 | WIDE, (12, 52, -1, 16, 0x8_0000_0003_4000, 52, 3)),
        (12 | 2 << 6 | WIDE, (12, 52, 0, 8192, 0x8_0000_0003_0000, 52, 0)),  # 16 tables side by side
        (12 | 2 << 14 | 3 << 6 | 1 << 33 | WIDE, (14, 52, 0, 32, 0x8_0000_0003_4000, 52, 0)),  # SL2 does not count
        (12 | 1 << 14 | 2 << 6 | 6 << 16, (16, 52, 1, 1024, 0x8_0000_0003_4000, 52, None)),
        (16 | 1 << 14 | 2 << 6 | 5 << 16, (16, 48, 1, 64, 0x34000, 52, None)),  # by PS the root has 48 bits
    ],
)
def test_geometries_of_52_bits(vtcr: int, expected: tuple[int | None, ...]) -> None:
    g = stage2.Geometry.of(0x34000 | 8 << 2, vtcr, MAX)
    assert (g.granule, g.ipa_bits, g.start, g.entries, g.root, g.pa_bits, g.shareability) == expected


def test_descriptors_of_52_bits() -> None:
    four = stage2.Geometry.of(0x4000, 12 | 1 << 33 | 3 << 12 | WIDE, MAX, 1 << 46)
    block = 0x3_8000_0000_02FD  # a block of 512 GiB at level 0, above 48 bits
    memory = Memory({0x4000: 0x5003, 0x5008: block, 0x4008: 0x1})
    found = list(descend.entries(four, memory.read))
    assert stage2.tree(found, four) == [
        "L-1 0x0000000000 table at 0x5000  [0x4000] = 0x0000000000005003",
        "  L0 0x8000000000 512G -> 0xb800000000000 rwx as stage 1  [0x5008] = 0x00038000000002fd",
    ]
    assert four.leaf(block)["shareability"] == "inner", "VTCR_EL2.SH0"
    large = stage2.Geometry.of(0x4000, 12 | 1 << 14 | 2 << 6 | 6 << 16, MAX)
    assert large.output(0x1234_5678_A7FF, 16) == 0xA_1234_5678_0000


@pytest.mark.parametrize("vtcr", [0x18 | 3 << 6, 0x18, 0x3F | 1 << 6, 12 | 2 << 6, 16 | 1 << 14 | 3 << 6])
def test_reserved_geometries(vtcr: int) -> None:
    with pytest.raises(ValueError, match="VTCR_EL2"):
        stage2.Geometry.of(0x1000, vtcr)


def step(stage: int, level: int, found: str, value: int, output: int, **changes: Any) -> Any:
    at = 0x1000 * level + 8
    return {
        "stage": stage,
        "level": level,
        "for_s1": None,
        "address": at,
        "pa": at,
        "value": value,
        "found": found,
        "output": output,
        "wide": False,
        **changes,
    }


def regime(name: str = "EL1&0", **changes: Any) -> Any:
    return {"name": name, "stage1": True, "stage2": True, "vmid": 1, "asid": 0, "fwb": False, "nv1": False, **changes}


def test_a_walk_of_both_stages() -> None:
    data: Any = {
        "steps": [
            step(2, 2, "block", 0x442007FD, 0x44205000, for_s1=3),
            step(1, 3, "page", 0x40000F83, 0x40000000, address=0x40205008, pa=0x44205008),
            step(2, 2, "block", 0x442007FD, 0x44200000),
        ],
        "pa": 0x44200000,
        "ipa": 0x40000000,
        "read": True,
        "write": False,
        "execute": True,
        "memory": 0xFF,
        "block": 12,
        "s2_block": 21,
    }
    assert walk.walk_lines("VA 0x1000, read at EL1", data, regime()) == [
        "VA 0x1000, read at EL1",
        "    S2 L2 [0x2008] = 0x00000000442007fd block -> 0x44205000, rwx Normal-WB (for the S1 L3 descriptor)",
        "  S1 L3 [0x40205008 = PA 0x44205008] = 0x0000000040000f83 page -> 0x40000000, EL1 r, nG, AttrIndx=0, inner",
        "  S2 L2 [0x2008] = 0x00000000442007fd block -> 0x44200000, rwx Normal-WB",
        "=> IPA 0x40000000 -> PA 0x44200000  r-x  Normal-WB  (stage 1 4K, stage 2 2M)",
    ]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            {
                "stage": 1,
                "fault": "perm.l3",
                "words": "permission fault, level 3",
                "fsc": 0xF,
                "s1ptw": False,
                "fault_ipa": None,
            },
            "=> stage 1 permission fault, level 3 (FSC 0x0f)",
        ),
        (
            {
                "stage": 2,
                "fault": "trans.l1",
                "words": "translation fault, level 1",
                "fsc": 5,
                "s1ptw": False,
                "fault_ipa": 0xB000000,
            },
            "=> stage 2 translation fault, level 1 (FSC 0x05) at IPA 0xb000000",
        ),
        (
            {
                "stage": 2,
                "fault": "trans.l2",
                "words": "translation fault, level 2",
                "fsc": 6,
                "s1ptw": True,
                "fault_ipa": 0x42600000,
            },
            "=> stage 2 translation fault, level 2 (FSC 0x06) at IPA 0x42600000 on the walk of stage 1 (S1PTW)",
        ),
    ],
)
def test_a_fault_of_a_walk(fault: Any, text: str) -> None:
    assert walk.walk_lines("VA 0", {"steps": [step(1, 1, "invalid", 0, 0)], **fault}, regime())[1:] == [
        "  S1 L1 [0x1008] = 0x0000000000000000 invalid",
        text,
    ]


# Arm ARM D8.4.1 (AP, UXN, PXN), D8.4.1.2.2 (one privilege), D8.11 (HCR_EL2.{NV, NV1}), D8.6.6 (FWB), FEAT_XNX.
MEANT = [
    (1, 0x40000F43, regime(), True, "EL1 rw EL0 rw, nG, AttrIndx=0, inner"),
    (1, 3 << 53 | 0x400007C3, regime(), True, "EL1 r EL0 r, PXN, UXN, AttrIndx=0, inner"),
    (1, 1 << 54 | 0x40000743, regime("EL2"), True, "EL2 rw, XN, AttrIndx=0, inner"),
    (1, 1 << 53 | 0x400007C3, regime("EL2&0"), True, "EL2 r EL0 r, PXN, AttrIndx=0, inner"),
    (1, 3 << 53 | 0x40000743, regime(nv1=True), True, "EL1 rw, PXN, AttrIndx=0, inner"),
    (2, 0x400007DB, regime(), True, "rwx Normal-oNC-iWT"),
    (2, 0x400007DB, regime(fwb=True), True, "rwx Normal-WB"),
    (2, 3 << 53 | 0x400007FF, regime(), True, "rwx(EL1) Normal-WB"),
    (2, 3 << 53 | 0x400007FF, regime(), False, "rw- Normal-WB"),
    (2, 1 << 53 | 0x400007FF, regime(), False, "rwx Normal-WB"),
]


@pytest.mark.parametrize(("stage", "value", "of", "xnx", "text"), MEANT)
def test_what_a_leaf_says_is_its_regime_s(stage: int, value: int, of: Any, xnx: bool, text: str) -> None:
    fault = {"stage": stage, "words": "translation fault, level 3", "fsc": 7, "s1ptw": False}
    data: Any = {"steps": [step(stage, 3, "page", value, 0x40000000)], **fault}
    assert walk.walk_lines("", data, of, xnx=xnx)[1].partition(" -> 0x40000000, ")[2] == text


def test_what_was_not_looked_at_of_an_its_is_said() -> None:
    """A guest may claim more events than anybody can list."""
    document: dict[str, Any] = {
        "enabled": True, "stalled": False, "cbaser": 0x40010000, "creadr": 0, "cwriter": 32, "collections": [(0, 0)],
        "devices": [{"id": 2, "itt": None, "bits": 32, "events": [(1, 8192, 0)]}], "unread": (1 << 32) - (1 << 20),
    }  # fmt: skip
    assert list(gic.its(document)) == [
        "ITS: on, queue 0x40010000, read 0x0, written 0x20",
        "  collections: 0 -> cpu0",
        "  device 0x2: 32 bits of EventID",
        "    event 1 -> lpi8192, collection 0 -> cpu0",
        "  4,293,918,720 entries of these tables were not looked at: they claim more than 1,048,576",
    ]


def test_columns() -> None:
    assert table.table(("a", "number"), [("long", 5), ("x", 12345)], " r") == [
        "a     number",
        "long       5",
        "x      12345",
    ]
    assert table.table(("a", "b"), []) == ["a  b"]


@pytest.mark.parametrize(
    ("word", "text"),
    [(0xD503201F, "nop"), (0x94000001, "bl #0x1004"), (0x00000000, "udf #0"), (0xFFFFFFFF, ".inst 0xffffffff")],
)
def test_disassembly(word: int, text: str) -> None:
    assert disasm.disassemble(word, 0x1000) == text


def test_cpus_side_by_side() -> None:
    features = dict(_core.profiles())
    reset = {name: {r["name"]: r["reset"] for r in _core.registers(name)} for name in ("cortex-a57", "neoverse-n1")}
    documents = [cpus.document(name, features[name], reset[name]) for name in reset]
    assert [(d["pa_bits"], d["va_bits"], d["aarch32_registers"]) for d in documents] == [(44, 48, True), (48, 48, False)]
    lines = cpus.compare(documents)
    assert lines[0].split() == ["cortex-a57", "neoverse-n1"]
    assert "bits of PA      44          48" in lines
    assert "FEAT_VHE        -           yes" in lines
    assert lines[-1] == "all of them: FEAT_FP FEAT_AdvSIMD FEAT_CRC32 FEAT_AES FEAT_PMULL FEAT_SHA1 FEAT_SHA256 FEAT_PMUv3"


# Arm ARM: the value of each register, and the address that it holds.
ADDRESSES = [
    ("VTTBR_EL2", 0x0001_0000_4020_6000, "BADDR=0x40206000 VMID=1"),
    ("TTBR0_EL1", 0x0003_0000_4020_5001, "CnP BADDR=0x40205000 ASID=3"),
    ("TTBR1_EL2", 0x0000_8000_0000_1000, "BADDR=0x800000001000"),
    ("HPFAR_EL2", 0x0000_0000_0009_0000, "FIPA=0x9000000"),  # FIPA, bits 43:4, is IPA[51:12]
    ("HPFAR_EL2", 0x0000_0FFF_FFFF_FFF0, "FIPA=0xffffffffff000"),
    ("VBAR_EL2", 0xFFFF_8000_4008_0800, "VBA=0xffff800040080800"),
    ("VNCR_EL2", 0x0000_0000_4300_0000, "BADDR=0x43000000"),
    ("PAR_EL1", 0xFF00_0000_4020_0000, "PA=0x40200000"),
    ("DBGWVR0_EL1", 0xFFFF_8000_1234_5678, "VA=0xffff800012345678"),
    ("LORSA_EL1", 0x4000_0001, "SA=0x40000000"),
    ("LOREA_EL1", 0x4FFF_0000, "EA=0x4fff0000"),
]


@pytest.mark.parametrize(("name", "value", "text"), ADDRESSES)
def test_an_address_field_is_shown_as_the_address(name: str, value: int, text: str) -> None:
    shown = sysreg.fields_text(tables.register(name), value).split()
    assert set(text.split()) <= set(shown)
    field, _, number = next(word for word in text.split() if "=0x" in word).partition("=")
    assert sysreg.fields_of(tables.register(name), value)[field] == int(number, 16)


def test_all_address_fields_are_known() -> None:
    """A wide field that does not begin at bit 0 is an address, or one of these."""
    wide = {f.name for r in tables.registers().values() for f in r.fields if f.lsb and f.msb - f.lsb >= 20}
    assert wide - {"ISS2", "EVCNT_hi"} == tables.ADDRESSES
    assert sysreg.fields_text(tables.register("SCTLR_EL1"), 0x18).startswith("SA SA0"), "a flag of the same name is none"


NO_ISV = "ISV=0 FnV=0 EA=0 CM=0 S1PTW=0"


FPAC = "(FEAT_FPAC is not modelled; it would go to EL2 with HCR_EL2.TGE alone); ISS 0x1"


@pytest.mark.parametrize(
    ("esr", "words"),
    [
        (0x92000046, f"data abort from a lower EL: {NO_ISV} WnR=write DFSC=0x06 (translation fault, level 2)"),
        (0x8600000F, "instruction abort from the same EL: SET=0 FnV=0 EA=0 S1PTW=0 IFSC=0x0f (permission fault, level 3)"),
        (0x5A00002A, "HVC: imm16=0x2a"),
        (0x56000000, "SVC: imm16=0"),
        (0xF2000001, "BRK: Comment=1"),
        (0x8A000000, "PC alignment fault"),
        (0x9A000000, "SP alignment fault"),
        (0x3A000000, "illegal execution state"),
        (0x02000000, "undefined instruction, or no reason is known"),
        (0xCA000022, "software step from a lower EL: ISV=0 EX=other IFSC=0x22 (debug exception)"),
        (0xFE000000, "class 0x3f, which this machine does not have: reserved"),
        (0x72000001, "class 0x1c, which this machine does not have: failed pointer authentication " + FPAC),
    ],
)  # fmt: skip
def test_syndromes_in_words(esr: int, words: str) -> None:
    assert syndrome.esr_words(esr) == words


def test_each_class_of_a_syndrome_has_words() -> None:
    named = tables.field("ESR_EL2.EC").values
    assert {name.removesuffix("_lower").removesuffix("_same") for name in named.values()} == set(syndrome.WORDS)
    for name, row in tables.exit_classes().items():
        if row["ec"] is not None and name != "vncr":
            assert syndrome.esr_words(row["ec"] << 26).startswith(syndrome.WORDS[name])


def test_fields_one_by_one_and_those_that_differ() -> None:
    vtcr = tables.register("VTCR_EL2")
    lines = sysreg.detail(vtcr, 0x80023558)
    assert "  5:0    T0SZ=24" in [line.replace("0x18", "24") for line in lines]
    assert [int(line.split()[0].split(":")[0]) for line in lines] == sorted(
        (f.msb for f in vtcr.fields if "RES" not in f.name), reverse=True
    )
    assert sysreg.changed_fields(tables.register("HCR_EL2"), 1, 1 << 13) == "VM -> VM=0, TWI=0 -> TWI"
    assert sysreg.changed_fields(tables.register("HCR_EL2"), 1, 1) == ""
    assert sysreg.changed_fields(tables.register("FAR_EL1"), 1, 2) == ""


def test_every_class_of_syndromes_has_words_once() -> None:
    """D24.2.40, ESR_EL2.EC: 64 values, of which these are allocated (issue K)."""
    allocated = {0x00, 0x01, *range(0x03, 0x0B), 0x0C, 0x0D, 0x0E, *range(0x11, 0x23)}
    allocated |= {0x24, 0x25, 0x26, 0x27, 0x28, 0x2C, 0x2D, *range(0x2F, 0x36), 0x38, 0x3A, 0x3C, 0x3D}
    here, absent = set(syndrome.EC.values), {a["ec"] for a in tables.exit_absent().values()}
    assert len(absent) == len(tables.exit_absent())
    assert not absent & here
    assert here | absent == allocated


@pytest.mark.parametrize(
    ("function", "immediate", "name"),
    [
        (0x84000000, 0, "PSCI_VERSION"),
        (0xC4000003, 0, "CPU_ON"),
        (0x80000001, 0, "SMCCC_ARCH_FEATURES"),
        (0xC4000053, 0, "TRNG_RND"),
        (0xC400002B, 0, "SDEI_PE_MASK"),
        (0xC4000032, 0, "SDEI_SHARED_RESET"),
        (0x84000063, 0, "FFA_VERSION"),
        (0xC400006F, 0, "FFA_MSG_SEND_DIRECT_REQ"),
        (0x84000077, 0, "FFA_MEM_RECLAIM"),
        (0xC5000020, 0, "PV_TIME_FEATURES"),
        (0x86000000, 0, "KVM_FEATURES"),
        (0xC6000003, 0, "KVM_MEM_SHARE"),
        (0x8600FF01, 0, "VENDOR_HYP_CALL_UID"),
        (0x8400FF03, 0, "std:REVISION"),
        (0x32, smccc.XEN, "xen.50"),
        (0x20, smccc.XEN, "xen.event_channel_op"),
        (0x1F, 0, "0x1f"),
        (0xC6001234, 0, "vendor-hyp:0xc6001234"),
    ],
)
def test_hypercalls_by_name(function: int, immediate: int, name: str) -> None:
    """Arm DEN 0028, 0022, 0098, 0054, 0077 and 0057; Linux's arm-smccc.h; Xen's xen.h."""
    assert smccc.name(function, immediate) == name
