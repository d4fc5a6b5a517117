"""Emulated devices of a VM: a stage 2 data abort on an address that a device claims becomes a call of its ``read``
or ``write``.

A device of your own is a subclass of :class:`MmioDevice` and one line, ``vm.add_device(0x0a004000, MyDevice())``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gdbhv._core import BoardDevice as CoreDevice
from gdbhv.errors import PeekError
from gdbhv.tables import board

if TYPE_CHECKING:
    from gdbhv.hv.vm import Vm


class MmioDevice:
    """Something behind a range of IPAs. Offsets and sizes are in bytes; sizes are 1, 2, 4 or 8."""

    name = "device"
    size = 0x1000

    def __init__(self) -> None:
        self.vm: Vm | None = None
        self.intid: int | None = None

    def read(self, offset: int, size: int) -> int:
        """Return what a load sees."""
        raise NotImplementedError

    def peek(self, offset: int, size: int) -> int:
        """Return what :meth:`read` would, without an effect of any kind: a debugger's view, of 1 to 8 bytes.

        A device whose reads have none says so with ``peek = read``.

        :raises gdbhv.errors.PeekError: a read here has an effect. The base's always raises.
        """
        raise PeekError(f"{self.name} does not say which of its reads have no effect (MmioDevice.peek does)")

    def write(self, offset: int, size: int, value: int) -> None:
        """Take what a store brings."""
        raise NotImplementedError

    def reset(self) -> None:
        """The VM is switched off and on: be as at power-on, the line low. What stands outside (a console, a disk) stays."""

    def deadline(self) -> int | None:
        """Return when :meth:`event` is to be called, in virtual nanoseconds; None: not of itself."""
        return None

    def event(self) -> None:
        """The time of :meth:`deadline` has come (or has passed)."""

    def set_irq(self, level: bool) -> None:
        """Set the level of the device's interrupt line (the INTID given to ``Vm.add_device``)."""
        if self.vm is None or self.intid is None:
            raise ValueError(f"{self.name} has no interrupt: give an INTID to add_device")
        self.vm.vgic.set_spi(self.intid, level)


class Pl011(MmioDevice):
    """Arm PrimeCell UART (PL011, Arm DDI 0183): transmits at once, receives what :meth:`receive` is given.

    What is typed waits until the guest listens: it has the receive interrupts on, or polls. Drivers empty the FIFO before.

    :param output: called with each run of bytes that the guest sends.
    """

    name = "pl011"
    ID = (0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1)
    FIFO = 16  # bytes
    RX, TX, RT = 1 << 4, 1 << 5, 1 << 6  # interrupt bits of IMSC, RIS, MIS, ICR
    POLLS = 16
    SILENCE = 10**9  # nanoseconds after which a guest is taken to wait for the next line of what is typed line by line

    def __init__(self, output: Callable[[bytes], None]) -> None:
        super().__init__()
        self._output = output
        self._fifo = bytearray()
        self._held = bytearray()  # typed before the guest listened
        self._paced = False  # it is typed line by line, each after a silence, unless the guest polls
        self.reset()

    def reset(self) -> None:
        """What was typed and is too much for the hardware's FIFO is typed again, once the guest listens."""
        self._held = self._fifo[self.FIFO :] + self._held
        self._fifo.clear()
        self._due: int | None = None  # when the silence is looked at next
        self._last = 0  # when the guest sent or took a byte last, or a line was typed
        self._polls = 0  # reads of FR or DR in a row that found nothing, and nothing sent between them
        self._raw = 0
        # offset: value of the registers that only store
        self._plain = {0x20: 0, 0x24: 0, 0x28: 0, 0x2C: 0, 0x30: 0x300, 0x34: 0x12, 0x38: 0, 0x48: 0}

    def receive(self, data: bytes, *, paced: bool = False) -> None:
        """Type ``data`` on the guest's terminal.

        :param paced: line by line, each after a second in which the guest neither sent nor took anything.
        """
        self._paced |= paced
        self._held += data
        self._give()

    @property
    def listens(self) -> bool:
        """Whether the guest would see what is typed."""
        return bool(self._plain[0x38] & (self.RX | self.RT)) or self._polls >= self.POLLS

    def _give(self) -> None:
        if not self._held or not self.listens:
            return
        if self._paced and self._polls < self.POLLS:
            self._due = self._due or self._now() + self.SILENCE
        else:
            self._due = None
            self._put(len(self._held))

    def _put(self, count: int) -> None:
        """Move bytes into the FIFO."""
        self._fifo += self._held[:count]
        del self._held[:count]
        self._raw |= self.RX | self.RT
        self._line()

    def _now(self) -> int:
        return 0 if self.vm is None else self.vm.machine.now

    def deadline(self) -> int | None:
        return self._due

    def event(self) -> None:
        now, quiet, self._due = self._now(), self._last + self.SILENCE, None
        if not self.listens:
            return  # until it listens again
        if quiet > now:
            self._due = quiet
            return
        self._put(next((n for n, byte in enumerate(self._held, 1) if byte in b"\r\n"), len(self._held)))
        self._last = now
        self._give()

    def _line(self) -> None:
        if self.intid is not None:
            self.set_irq(bool(self._raw & self._plain[0x38]))

    def read(self, offset: int, size: int) -> int:
        if offset in (0x00, 0x18) and not self._fifo and self._polls < self.POLLS:
            self._polls += 1
            self._give()
        if offset != 0x00:
            return self.peek(offset, size)
        value = self._fifo.pop(0) if self._fifo else 0  # DR
        self._last = self._now()
        if not self._fifo:
            self._raw &= ~(self.RX | self.RT)
        self._line()
        return value

    def peek(self, offset: int, size: int) -> int:
        if offset == 0x00:
            raise PeekError("UARTDR: reading it takes a character")
        if offset == 0x18:  # FR: transmitter always empty; receiver empty or not
            return 0x80 if self._fifo else 0x90
        if offset == 0x3C:
            return self._raw
        if offset == 0x40:
            return self._raw & self._plain[0x38]
        if offset >= 0xFE0:
            return self.ID[(offset - 0xFE0) >> 2 & 7]
        return self._plain.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x00:  # DR
            self._output(bytes([value & 0xFF]))
            self._last = self._now()
            self._polls = 0 if self._polls < self.POLLS else self.POLLS
            self._raw |= self.TX
            if self._plain[0x38] & self.TX:
                self._line()
        elif offset == 0x44:  # ICR
            self._raw &= ~value
            self._line()
        elif offset in self._plain:
            self._plain[offset] = value & 0xFFFF
            if offset == 0x38:
                self._raw |= self.TX
                self._line()
                self._give()


class BoardDevice(MmioDevice):
    """A device of the board's table, as bare machines have it: the clock, fw_cfg, the GPIO block, the empty buses.

    :param name: of a row of ``gdbhv._core.board()``.
    :param epoch: what the clock shows at virtual time 0, in seconds since 1970; None: what a machine's does.
    :raises KeyError: no row, or the GIC's.
    """

    def __init__(self, name: str, *, cpus: int = 1, epoch: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.size = board()[name]["size"]
        self._make = partial(CoreDevice, name, cpus=cpus, **({} if epoch is None else {"epoch": epoch}))
        self._core = self._make()
        self._items: dict[int | str, bytes] = {}

    def reset(self) -> None:
        """As it was made, with the items that were given since: they are the machine's, not the guest's."""
        self._core = self._make()
        for key, data in self._items.items():
            self._core.set_item(key, data)

    def _now(self) -> int:
        assert self.vm is not None
        return self.vm.machine.now

    def _line(self) -> None:
        if self.intid is not None:
            self.set_irq(self._core.irq())

    def set_item(self, key: int | str, data: bytes) -> None:
        """Give fw_cfg an item by its number, or by its name. :raises ValueError: a bad name, or this is not fw_cfg."""
        self._core.set_item(key, data)
        self._items[key] = data

    def press_power_button(self) -> None:
        """Press the power button at the GPIO block (100 ms long). :raises ValueError: this is not pl061."""
        self._core.press_power_button(self._now())
        self._line()

    def read(self, offset: int, size: int) -> int:
        if offset % size:  # a guest that maps it as Normal memory: byte by byte, as the machine does
            return sum(self.read(offset + n, 1) << 8 * n for n in range(size))
        return self._core.read(offset, size, self._now())

    def peek(self, offset: int, size: int) -> int:
        width = next(n for n in (1, 2, 4, 8) if offset + size <= (offset & -n) + n)
        try:
            value = self._core.peek(offset & -width, width, self._now())
            return value >> 8 * (offset % width) & ((1 << 8 * size) - 1)
        except KeyError as e:
            raise PeekError(e.args[0]) from None

    def write(self, offset: int, size: int, value: int) -> None:
        if offset % size:
            for n in range(size):
                self.write(offset + n, 1, value >> 8 * n & 0xFF)
            return
        self._core.write(offset, size, value, self._now(), self.vm)
        self._line()

    def deadline(self) -> int | None:
        return self._core.deadline()

    def event(self) -> None:
        self._core.event(self._now())
        self._line()
