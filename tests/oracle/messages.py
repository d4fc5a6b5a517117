"""Lists of accesses to the ITS for interrupts.S: commands written at random, LPIs taken as they come."""

from __future__ import annotations

import random

from oracle.interrupts import EL2_READ, EL2_WRITE, NUMBER, READ, WRITE, Access

GICD, GITS, GICR = 0x0800_0000, 0x0808_0000, 0x080A_0000
# In RAM, above the list's results.
QUEUE, DEVICES, COLLECTIONS, CONFIG, PENDING, LEVEL2, ITT = (0x40E0_0000 + 0x2_0000 * n for n in range(7))
QUEUE_SIZE = 0x1_0000
VALID = 1 << 63
LPI = 8192


class Generator:
    """Few devices, events, LPIs and collections, so that commands meet what earlier ones have made, or miss it."""

    DEVICES = (0, 7, 300)
    EVENTS = (0, 1, 15, 16)
    PRIORITIES = (0, 0x40, 0x48, 0x80, 0xA0, 0xF0)
    ICIDS = (0, 1, 9)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.written = 0

    def accesses(self, count: int) -> list[Access]:
        """Return about ``count`` accesses: tables, LPIs and the ITS are set up first."""
        indirect = self.random.randrange(2) << 62
        result = [Access(WRITE, 2, GICD, 2), self.to("ICC_PMR", 0xF8), self.to("ICC_IGRPEN1", 1)]
        result += [Access(WRITE, 0, CONFIG + n, 0xA1) for n in range(16)]
        result += [Access(WRITE, 3, DEVICES, LEVEL2 | VALID)] * bool(indirect)
        result += [
            Access(WRITE, 3, GICR + 0x70, CONFIG | 15),
            Access(WRITE, 3, GICR + 0x78, PENDING),
            Access(WRITE, 2, GICR, 1),
            Access(WRITE, 3, GITS + 0x100, DEVICES | VALID | 0x200 | indirect),
            Access(WRITE, 3, GITS + 0x108, COLLECTIONS | VALID | 0x200),
            Access(WRITE, 3, GITS + 0x80, QUEUE | VALID | QUEUE_SIZE // 4096 - 1),
            Access(WRITE, 2, GITS, 1),
        ]
        for icid in self.ICIDS[:2]:
            result += self.command(9, 0, icid | VALID)
        weighted = (
            (self.map_device, 2), (self.map_collection, 2), (self.map_event, 12), (self.event, 20), (self.move, 3),
            (self.configure, 6), (self.take, 16), (self.see, 4), (self.interface, 3), (self.translate, 2), (self.wrong, 1),
        )  # fmt: skip
        makers = [maker for maker, weight in weighted for _ in range(weight)]
        while len(result) < count:
            result += self.random.choice(makers)()
        return result

    def to(self, name: str, value: int) -> Access:
        return Access(EL2_WRITE, NUMBER[name], 0, value)

    def of(self, name: str) -> Access:
        return Access(EL2_READ, NUMBER[name])

    def command(self, a: int, b: int = 0, c: int = 0, d: int = 0) -> list[Access]:
        result = [Access(WRITE, 3, QUEUE + self.written + 8 * n, v) for n, v in enumerate((a, b, c, d))]
        self.written = (self.written + 32) % QUEUE_SIZE
        return [*result, Access(WRITE, 3, GITS + 0x88, self.written), Access(READ, 3, GITS + 0x90)]

    def device(self) -> int:
        return self.random.choice(self.DEVICES)

    def map_device(self) -> list[Access]:
        n = self.random.randrange(len(self.DEVICES))
        itt = ITT + 0x1000 * n
        clean = [Access(WRITE, 3, itt + 8 * k, 0) for k in range(64)]  # what it had is forgotten
        valid = VALID * (self.random.randrange(4) > 0)
        unmap = self.command(8 | self.DEVICES[n] << 32)
        return [*unmap, *clean, *self.command(8 | self.DEVICES[n] << 32, self.random.choice((3, 4)), itt | valid)]

    def map_collection(self) -> list[Access]:
        return self.command(9, 0, self.random.choice(self.ICIDS) | self.random.choice((0, VALID, VALID)))

    def map_event(self) -> list[Access]:
        device, event, icid = self.device(), self.random.choice(self.EVENTS), self.random.choice(self.ICIDS)
        intid = self.random.choice((LPI, LPI + 1, LPI + 2, LPI + 3, LPI + 15, 8191, 65536))
        return self.command(10 | device << 32, event | intid << 32, icid)

    def event(self) -> list[Access]:
        code = self.random.choice((3, 3, 3, 3, 4, 12, 15))
        return self.command(code | self.device() << 32, self.random.choice(self.EVENTS))

    def move(self) -> list[Access]:
        return self.command(1 | self.device() << 32, self.random.choice(self.EVENTS), self.random.choice(self.ICIDS))

    def configure(self) -> list[Access]:
        """A change and, at once, INVALL: what is kept until then is the GIC's own affair."""
        n = self.random.choice((0, 1, 2, 3, 15))
        value = self.random.choice(self.PRIORITIES) | self.random.choice((0, 1, 1))
        both = self.command(9, 0, VALID) + self.command(13)
        return [Access(WRITE, 0, CONFIG + n, value), *both]

    def take(self) -> list[Access]:
        end = [self.to("ICC_EOIR1", LPI)] * self.random.choice((0, 1, 1, 1, 1))  # any LPI: it only drops the priority
        return [self.of("ICC_HPPIR1"), self.of("ICC_IAR1"), self.of("ICC_RPR"), *end]

    def see(self) -> list[Access]:
        registers = [Access(READ, 2, GITS), Access(READ, 3, GITS + 0x88), Access(READ, 3, GICR + 0x70)]
        return [self.of("ISR"), self.of("ICC_AP1R0"), self.random.choice(registers)]

    def interface(self) -> list[Access]:
        match self.random.randrange(4):
            case 0:
                return [self.to("ICC_PMR", self.random.choice((0xF8, 0xF8, 0xF8, 0x80)))]
            case 1:
                return [Access(WRITE, 2, GICD, self.random.choice((2, 2, 2, 2, 2, 0)))]
            case 2:
                return [self.to("ICC_CTLR", self.random.choice((0, 0, 2)))]
            case _:
                return [self.to("ICC_EOIR1", LPI + self.random.randrange(4))]

    def translate(self) -> list[Access]:
        return [Access(WRITE, 2, GITS + 0x1_0040, self.random.choice(self.EVENTS))]

    def wrong(self) -> list[Access]:
        code = self.random.choice((0x00, 0x02, 0x29, 0x2A, 0x05, 0x0D))
        return self.command(code | self.device() << 32, self.random.getrandbits(6), self.random.choice((0, 1, 9)))
