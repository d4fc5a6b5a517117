"""Lists of accesses to the GIC for interrupts.S: written at random, carried out by any machine that can run a guest."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle import listing

ENTRY, LIST, RESULTS = 0x4020_0000, 0x4040_0000, 0x40C0_0000

GICD, SGI, RTC = 0x0800_0000, 0x080B_0000, 0x0901_0000

# In the order of interrupts.S.
REGISTERS = """
    ICC_PMR ICC_IAR0 ICC_EOIR0 ICC_HPPIR0 ICC_BPR0 ICC_AP0R0 ICC_AP1R0 ICC_DIR ICC_RPR ICC_SGI1R ICC_ASGI1R ICC_SGI0R
    ICC_IAR1 ICC_EOIR1 ICC_HPPIR1 ICC_BPR1 ICC_CTLR ICC_IGRPEN0 ICC_IGRPEN1
    ICH_AP0R0 ICH_AP1R0 ICH_HCR ICH_VTR ICH_MISR ICH_EISR ICH_ELRSR ICH_VMCR ICH_LR0 ICH_LR1 ICH_LR2 ICH_LR3
    ISR
""".split()
NUMBER = {name: index for index, name in enumerate(REGISTERS)}

SGIS_OF_GROUP1 = 0x83

READ, WRITE, EL2_READ, EL2_WRITE, EL1_READ, EL1_WRITE = 0, 1, 4, 5, 6, 7
_ACCESS = struct.Struct("<IIQQ")


@dataclass(frozen=True)
class Access:
    """One access: of memory (``index`` is log2 of the bytes) or of REGISTERS[index]."""

    kind: int
    index: int
    address: int = 0
    value: int = 0

    def __str__(self) -> str:
        verb = "read" if self.kind % 2 == 0 else f"write {self.value:#x} to"
        if self.kind < EL2_READ:
            return f"{verb} {self.address:#x} ({1 << self.index} bytes)"
        return f"EL{2 if self.kind < EL1_READ else 1}: {verb} {REGISTERS[self.index]}"


@functools.cache
def program() -> bytes:
    """Return the assembled guest. Needs Debian's gcc-aarch64-linux-gnu."""
    return listing.assemble(Path(__file__).with_name("interrupts.S"), ENTRY)[0]


def image(accesses: Sequence[Access]) -> list[tuple[int, bytes]]:
    """Return the guest as (address, bytes); it starts at ENTRY at EL2 and switches the machine off at the end."""
    body = b"".join(_ACCESS.pack(a.kind, a.index, a.address or a.value, a.value) for a in accesses)
    assert len(body) < RESULTS - LIST - 8
    return [(ENTRY, program()), (LIST, struct.pack("<Q", len(accesses)) + body)]


def results(memory: bytes, accesses: Sequence[Access]) -> list[int]:
    """Return what each read gave, from the bytes at RESULTS; 0 for a write."""
    raw = struct.unpack_from(f"<{len(accesses)}Q", memory)
    hcr = NUMBER["ICH_HCR"]
    return [
        0 if a.kind % 2 else v & 0xFFFF if a.index == hcr and a.kind > 3 else v for v, a in zip(raw, accesses, strict=True)
    ]


def on_qemu(accesses: Sequence[Access], cpu: str = "cortex-a57", timeout: float = 60) -> list[int]:
    """Return the results on QEMU."""
    size = 8 * len(accesses)
    memory = listing.on_qemu(image(accesses), ENTRY, RESULTS, size, cpu, clock=("-rtc", "clock=vm"), timeout=timeout)
    return results(memory, accesses)


class Generator:
    """Random accesses that make interrupts meet: few INTIDs, few priorities, both groups, both interfaces."""

    INTIDS = (0, 1, 7, 25, 27, 30, 32, 33, 34, 35, 63, 64, 255)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def accesses(self, count: int) -> list[Access]:
        """Return ``count`` accesses, after some that turn most things on."""
        result = [
            Access(WRITE, 2, GICD, 3),
            *(Access(WRITE, 2, SGI + at, v) for at, v in ((0x80, 0x4A00_0000 | SGIS_OF_GROUP1), (0x100, 0xFFFF_FFFF))),
            *(Access(WRITE, 2, GICD + 0x84 + 4 * n, 0x5555_5555) for n in range(7)),
            *(Access(WRITE, 2, GICD + 0x104 + 4 * n, 0xFFFF_FFFF) for n in range(7)),
            self.to("ICC_PMR", 0xF8),
            self.to("ICC_IGRPEN0", 1),
            self.to("ICC_IGRPEN1", 1),
            self.to("ICC_CTLR", 0),
            self.to("ICH_HCR", 1),
            self.to("ICH_VMCR", 0xF8 << 24 | 3),
        ]
        weighted = (
            (self.pend, 4), (self.field, 3), (self.cpu_interface, 8), (self.list_register, 4), (self.hypervisor, 3),
            (self.guest_interface, 8), (self.see, 10), (self.line, 1),
        )  # fmt: skip
        makers = [maker for maker, weight in weighted for _ in range(weight)]
        while len(result) < count:
            result += self.random.choice(makers)()
        return result[:count]

    def to(self, name: str, value: int, el: int = 2) -> Access:
        return Access(EL2_WRITE if el == 2 else EL1_WRITE, NUMBER[name], 0, value)

    def of(self, name: str, el: int = 2) -> Access:
        return Access(EL2_READ if el == 2 else EL1_READ, NUMBER[name])

    def intid(self) -> int:
        return self.random.choice(self.INTIDS)

    def priority(self) -> int:
        return self.random.choice((0, 8, 0x40, 0x48, 0x50, 0x80, 0xA0, 0xF0, 0xF8))

    def frame(self, intid: int) -> int:
        return SGI if intid < 32 else GICD

    def pend(self) -> list[Access]:
        intid = self.intid()
        base = self.random.choice((0x200, 0x200, 0x200, 0x280))
        return [Access(WRITE, 2, self.frame(intid) + base + intid // 32 * 4, 1 << intid % 32)]

    def field(self) -> list[Access]:
        intid = self.intid()
        frame = self.frame(intid)
        match self.random.randrange(6):
            case 0 | 1:
                return [Access(WRITE, 0, frame + 0x400 + intid, self.priority())]
            case 2:
                base = self.random.choice((0x100, 0x100, 0x180, 0x300, 0x380, 0x380))
                return [Access(WRITE, 2, frame + base + intid // 32 * 4, 1 << intid % 32)]
            case 3:
                groups = self.random.getrandbits(32) | (SGIS_OF_GROUP1 if intid < 32 else 0)
                return [Access(WRITE, 2, frame + 0x80 + intid // 32 * 4, groups)]
            case 4 if intid >= 16:
                edges = self.random.getrandbits(32) & (0xAAAA_AA8A if intid // 16 == 2 else 0xAAAA_AAAA)  # 34 has a line
                return [Access(WRITE, 2, frame + 0xC00 + intid // 16 * 4, edges)]
            case _:
                return [Access(WRITE, 2, GICD, self.random.choice((3, 3, 3, 2, 1, 0)))]

    def eoi_value(self) -> int:
        return self.random.choice((*self.INTIDS, 1020, 1023))

    def interface(self, el: int) -> list[Access]:
        group = self.random.randrange(2)
        match self.random.randrange(12):
            case 0 | 1 | 2:
                return [self.of(f"ICC_IAR{group}", el)]
            case 3 | 4 | 5:
                return [self.to(f"ICC_EOIR{group}", self.eoi_value(), el)]
            case 6:
                return [self.to("ICC_DIR", self.eoi_value(), el)]
            case 7:
                return [self.to("ICC_PMR", self.random.choice((0xF8, 0xF8, 0xF0, 0x80, 0x48, 0)), el)]
            case 8:
                return [self.to(f"ICC_BPR{group}", self.random.randrange(8), el)]
            case 9:
                return [self.to("ICC_CTLR", self.random.choice((0, 0, 1, 2, 3)), el)]
            case 10:
                return [self.to(f"ICC_IGRPEN{group}", self.random.choice((1, 1, 1, 0)) if el == 1 else 1, el)]
            case _:
                # Acknowledge, look, end.
                return [self.of(f"ICC_{r}{group}", el) for r in ("HPPIR", "IAR")] + [self.of("ICC_RPR", el)]

    def cpu_interface(self) -> list[Access]:
        if self.random.randrange(8) == 0:
            target = self.random.choice((1, 1, 2, 1 << 40, 1 << 16 | 1))
            return [self.to(self.random.choice(("ICC_SGI0R", "ICC_SGI1R")), target | self.random.choice((0, 1, 7)) << 24)]
        return self.interface(2)

    def guest_interface(self) -> list[Access]:
        return self.interface(1)

    def list_register(self) -> list[Access]:
        r = self.random
        value = r.choice((1, 1, 1, 2, 3, 0)) << 62 | r.choice((0, 1, 1)) << 60 | self.priority() << 48 | self.intid()
        if r.randrange(4) == 0:
            value |= 1 << 61 | r.choice((27, 30, 33, 34)) << 32
        elif r.randrange(4) == 0:
            value |= 1 << 41
        return [self.to(f"ICH_LR{r.randrange(4)}", value)]

    def hypervisor(self) -> list[Access]:
        r = self.random
        match r.randrange(4):
            case 0:
                return [self.to("ICH_HCR", r.choice((0, 1, 1)) | r.getrandbits(8) & 0xDA)]
            case 1:
                bpr = r.randrange(2, 8) << 21 | r.randrange(3, 8) << 18
                bits = r.choice((3, 3, 2, 1, 0)) | r.choice((0, 0, 0x10)) | r.choice((0, 0, 0x200))
                return [self.to("ICH_VMCR", r.choice((0xF8, 0x80, 0x40)) << 24 | bpr | bits)]
            case 2:
                return [self.to(f"ICH_AP{r.randrange(2)}R0", r.choice((0, 0, 0, 1 << r.randrange(32))))]
            case _:
                return [self.of(name) for name in ("ICH_MISR", "ICH_EISR", "ICH_ELRSR", "ICH_VMCR", "ICH_HCR")]

    def line(self) -> list[Access]:
        """Drive SPI 2 (INTID 34) up or down: the clock's alarm comes when match and count are equal."""
        if self.random.randrange(2):
            return [Access(WRITE, 2, RTC + at, v) for at, v in ((8, 5000), (4, 5000), (0x10, 1))]
        return [Access(WRITE, 2, RTC + 0x1C, 1)]

    def see(self) -> list[Access]:
        intid = self.intid()
        frame = self.frame(intid)
        match self.random.randrange(5):
            case 0:
                return [self.of("ISR", 2), self.of("ISR", 1)]
            case 1:
                base = self.random.choice((0x80, 0x100, 0x200, 0x300))
                return [Access(READ, 2, frame + base + intid // 32 * 4)]
            case 2:
                return [self.of(name, el) for el in (1, 2) for name in ("ICC_RPR", "ICC_HPPIR0", "ICC_HPPIR1")]
            case 3:
                names = ("ICH_LR0", "ICH_LR1", "ICH_LR2", "ICH_LR3", "ICH_AP0R0", "ICH_AP1R0", "ICH_VMCR", "ICH_MISR")
                return [self.of(name) for name in names]
            case _:
                names = (
                    "ICC_PMR",
                    "ICC_BPR0",
                    "ICC_BPR1",
                    "ICC_CTLR",
                    "ICC_AP0R0",
                    "ICC_AP1R0",
                    "ICC_IGRPEN0",
                    "ICC_IGRPEN1",
                )
                return [self.of(name, self.random.choice((1, 2))) for name in names]
