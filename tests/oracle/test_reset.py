"""What each register of the board holds at reset, against a live QEMU: GICv3 and GICv2, EL2 or not.

Where the architecture leaves a value open, the board is QEMU's `virt`. What differs is listed here with its reason, and an
entry that is not needed any more fails.
"""

from __future__ import annotations

import pytest

from gdbhv import _core
from oracle import reset
from oracle.registers import encoding
from oracle.reset import Board, load, mrs

BOARDS = [Board(cpu, gic, el2) for cpu in ("cortex-a57", "max") for gic in (3, 2) for el2 in (True, False)]
each_board = pytest.mark.parametrize("board", BOARDS, ids=str)

FRAMES = {
    "GICD": {3: (0x0800_0000, 0x1_0000), 2: (0x0800_0000, 0x1000)},
    "GITS": {3: (0x0808_0000, 0x2_0000)},
    "GICR": {3: (0x080A_0000, 0x2_0000)},
    "GICC": {2: (0x0801_0000, 0x2000)},
    "V2M": {2: (0x0802_0000, 0x1000)},
    "GICH": {2: (0x0803_0000, 0x1000)},
    "GICV": {2: (0x0804_0000, 0x2000)},
    "PL011": dict.fromkeys((2, 3), (0x0900_0000, 0x1000)),
    "PL031": dict.fromkeys((2, 3), (0x0901_0000, 0x1000)),
    "FWCFG": dict.fromkeys((2, 3), (0x0902_0000, 4)),
    "FWCFG DMA": dict.fromkeys((2, 3), (0x0902_0010, 8)),
    "PL061": dict.fromkeys((2, 3), (0x0903_0000, 0x1000)),
    "VIRTIO": dict.fromkeys((2, 3), (0x0A00_0000, 0x4000)),
}
"""Where each frame is, by version of the GIC. Of a GICv2's frames QEMU has the part with registers."""

OF_EL2 = ("GICH", "GICV")
"""Not there without it."""

DIFFERENT = {
    3: {
        "GICD+0x4": "QEMU's ITLinesNumber leaves out its last 32 interrupts, which work; No1N = 0: 1 of N is there",
        "GITS+0x8": "ITT_entry_size: 8 bytes are enough here",
        "GICR+0x0": "GICR_CTLR.IR: GICR_INVLPIR, GICR_INVALLR and GICR_SYNCR are there",
        "GICR+0x8": "GICR_TYPER.DPGS goes with the 1 of N model",
        "PL031+0x0": "the time of day is virtual",
    },
    2: {
        "GICC+0x8": "5 bits of priority, as a GIC-400 has, and not 8: GICC_BPR is 2 at least",
        "GICC+0x1c": "the same of GICC_ABPR",
        "GICC+0x20": "group 1 is there, and so are its aliases: GICC_AIAR tells of no interrupt",
        "GICC+0x28": "GICC_AHPPIR, likewise",
        "GICV+0x20": "GICV_AIAR, likewise",
        "GICV+0x28": "GICV_AHPPIR, likewise",
        "PL031+0x0": "the time of day is virtual",
    },
}
"""By version of the GIC."""

SYSTEM_DIFFERENT = {
    "SCTLR_EL2": "QEMU resets RES1 bits to 0",
    "FPEXC32_EL2": "QEMU resets RES1 bits to 0",
    "CPTR_EL2": "QEMU resets RES1 bits to 0",
    "HCR_EL2": "RW is RES1 without AArch32",
    "PMCR_EL0": "LC is RES1 without AArch32",
    "CLIDR_EL1": "the caches are coherent (CTR_EL0.IDC, DIC)",
    "CTR_EL0": "the caches are coherent: IDC and DIC",
}
"""Of the system registers that both machines have, but for what tells of features and for counters."""

FEATURES = ("ID_", "MVFR", "PMCEID")
MOVING = ("CNTPCT", "CNTVCT", "_TVAL_")
REDIRECTED = ("_EL12", "_EL02")
"""Those and what QEMU 7.2 lacks are for test_registers.py: an exception here is not looked at."""


def shown(value: int | None) -> str:
    return "an exception" if value is None else f"{value:#x}"


@each_board
def test_devices(board: Board) -> None:
    places = {}
    for name, where in FRAMES.items():
        if board.gic in where:
            base, size = where[board.gic]
            places |= {f"{name}+{offset:#x}": load(base + offset) for offset in range(0, size, 4)}
    items = list(places.values())
    pairs = zip(places, reset.on_gdbhv(items, board), reset.on_qemu(items, board), strict=True)
    differing = {place: f"{place}: ours {shown(a)}, QEMU's {shown(b)}" for place, a, b in pairs if a != b}
    listed = {n for n in DIFFERENT[board.gic] if board.el2 or not n.startswith(OF_EL2)}
    assert [text for place, text in differing.items() if place not in listed] == []
    assert listed - differing.keys() == set(), "listed, but the same"


@each_board
def test_system_registers(board: Board) -> None:
    rows = {
        row["encoding"]: row["name"]
        for row in _core.registers(board.cpu)
        if row["read"] is not None and not row["name"].startswith(FEATURES)
        if not any(part in row["name"] for part in (*MOVING, *REDIRECTED))
    }
    items = [mrs(e) for e in rows]
    pairs = zip(rows.values(), reset.on_gdbhv(items, board), reset.on_qemu(items, board), strict=True)
    differing = {name: f"{name}: ours {a:#x}, QEMU's {b:#x}" for name, a, b in pairs if None not in (a, b) and a != b}
    listed = set(SYSTEM_DIFFERENT)
    assert [text for name, text in differing.items() if name not in listed] == []
    everywhere = {"PMCR_EL0"} | ({"SCTLR_EL2", "CPTR_EL2", "HCR_EL2"} if board.el2 else set())
    everywhere |= {"CLIDR_EL1", "CTR_EL0"} if board.cpu == "max" else set()
    assert everywhere <= differing.keys(), "listed, but the same"


@pytest.mark.parametrize("gic", [2, 3])
def test_the_last_interrupts_work_on_both(gic: int) -> None:
    """INTIDs 256 to 287: GICD_ISENABLER8 keeps what is written, although QEMU's GICD_TYPER leaves them out on a GICv3."""
    store = reset.Item(0xB900_0063, 0x0800_0120)  # STR W3, [X3]: some of the address's own bits
    items = [store, load(0x0800_0120), mrs(encoding(3, 0, 4, 2, 2))]
    board = Board(gic=gic)
    assert reset.on_gdbhv(items, board)[1] == reset.on_qemu(items, board)[1] == 0x0800_0120


ABSENT = {
    "PCIe windows": [(0x1000_0000, 0x2F00_0000), (0x80_0000_0000, 0x80_0000_0000)],
    "PCIe host bridge": [(0x40_1000_0000, 0x1_0000)],
}
"""What QEMU's board has besides, as ranges of addresses that answer there with something else."""

STEPS = [(0, 0x4000_0000, 0x1_0000), (0x40_0000_0000, 0x40_3000_0000, 0x10_0000), (0x50_0000_0000, 0x100_0000_0000, 1 << 36)]
"""Begin, end and distance of the words that are read: the whole map, without RAM."""


@pytest.mark.parametrize("gic", [2, 3])
def test_the_map(gic: int) -> None:
    """Where something answers, and where an access is an external abort."""
    addresses = [a for begin, end, step in STEPS for a in range(begin, end, step)]
    board = Board(cpu="max", gic=gic)
    items = [load(a) for a in addresses]
    answers = zip(addresses, reset.on_gdbhv(items, board), reset.on_qemu(items, board), strict=True)
    # The devices' own words are compared above; here, whether there is one, and what an empty bus reads.
    differing = {a for a, ours, theirs in answers if (ours is None) != (theirs is None) or (a >= 1 << 32 and ours != theirs)}
    for what, ranges in ABSENT.items():
        within = {a for a in differing for base, size in ranges if base <= a < base + size}
        assert within, f"{what}: listed, but the same"
        differing -= within
    assert sorted(map(hex, differing)) == []
