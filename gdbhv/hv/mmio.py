"""Emulated devices of a VM: a stage 2 data abort on an address that a device claims becomes a call of its ``read``
or ``write``.

A device of your own is a subclass of :class:`MmioDevice` and one line, ``vm.add_device(0x0a004000, MyDevice())``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gdbhv import drives
from gdbhv._core import BoardDevice as CoreDevice
from gdbhv.board.network import Wire
from gdbhv.config import Drive, Net
from gdbhv.drives import Plugged
from gdbhv.errors import PeekError
from gdbhv.tables import board

if TYPE_CHECKING:
    from gdbhv.hv.vm import Vm


class MmioDevice:
    """Something behind a range of IPAs. Offsets and sizes are in bytes; sizes are 1, 2, 4 or 8.

    What a device keeps is to be found in its ``state``, or the VMs cannot be saved (``Host.save``). It is

    * a dataclass of plain values, set in ``__init__``: ``self.state = AdderState()``. Plain values are None, bool, int (up
      to 64 bits), float, str, bytes, bytearray, enums, lists, tuples and dictionaries of those, and such dataclasses; or
    * a property that returns plain values, with their type as its annotation, and has a setter that takes them; or
    * None, if it keeps nothing.

    The level of its interrupt is not part of it: it is the interrupt controller's, and a setter leaves it alone. What stands
    outside (a console, a disk) is not either.
    """

    name = "device"
    size = 0x1000
    state: Any

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
        """Be as at power-on, the line low: the VM was switched off and on. What stands outside (a console, a disk) stays."""

    def deadline(self) -> int | None:
        """Return when :meth:`event` is to be called, in virtual nanoseconds; None: not of itself."""
        return None

    def event(self) -> None:
        """Do what was to be done at :meth:`deadline`, which has come (or has passed)."""

    def set_irq(self, level: bool) -> None:
        """Set the level of the device's interrupt line (the INTID given to ``Vm.add_device``)."""
        if self.vm is None or self.intid is None:
            raise ValueError(f"{self.name} has no interrupt: give an INTID to add_device")
        self.vm.vgic.set_spi(self.intid, level)


@dataclass(eq=False, slots=True)
class Pl011State:
    """The registers of a PL011, and what is typed."""

    fifo: bytearray = field(default_factory=bytearray)
    held: bytearray = field(default_factory=bytearray)  # typed before the guest listened
    paced: bool = False  # it is typed line by line, each after a silence, unless the guest polls
    due: int | None = None  # when the silence is looked at next
    last: int = 0  # when the guest sent or took a byte last, or a line was typed
    polls: int = 0  # reads of FR or DR in a row that found nothing, and nothing sent between them
    raw: int = 0  # RIS
    # offset: value of the registers that only store
    plain: dict[int, int] = field(
        default_factory=lambda: {0x20: 0, 0x24: 0, 0x28: 0, 0x2C: 0, 0x30: 0x300, 0x34: 0x12, 0x38: 0, 0x48: 0}
    )


class Terminal(Protocol):
    """What a VM is typed on: its UART, or its virtio console."""

    def receive(self, data: bytes, *, paced: bool = False) -> None:
        """Type ``data``. ``paced``: a UART takes it line by line."""

    @property
    def waiting(self) -> int:
        """Bytes that were typed, and that the guest has not read."""

    @property
    def listens(self) -> bool:
        """Whether the guest would see what is typed."""


class Pl011(MmioDevice):
    """Arm PrimeCell UART (PL011, Arm DDI 0183): transmits at once, receives what :meth:`receive` is given.

    What is typed waits until the guest listens: it has the receive interrupts on, or polls. Drivers empty the FIFO before.

    :param output: called with each run of bytes that the guest sends.
    """

    name = "pl011"
    state: Pl011State
    ID = (0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1)
    FIFO = 16  # bytes
    RX, TX, RT = 1 << 4, 1 << 5, 1 << 6  # interrupt bits of IMSC, RIS, MIS, ICR
    POLLS = 16
    SILENCE = 10**9  # nanoseconds after which a guest is taken to wait for the next line of what is typed line by line

    def __init__(self, output: Callable[[bytes], None]) -> None:
        super().__init__()
        self._output = output
        self.state = Pl011State()

    def reset(self) -> None:
        """Type again what was too much for the hardware's FIFO, once the guest listens."""
        s = self.state
        self.state = Pl011State(held=s.fifo[self.FIFO :] + s.held, paced=s.paced)

    def receive(self, data: bytes, *, paced: bool = False) -> None:
        """Type ``data`` on the guest's terminal.

        :param paced: line by line, each after a second in which the guest neither sent nor took anything.
        """
        self.state.paced |= paced
        self.state.held += data
        self._give()

    @property
    def waiting(self) -> int:
        """Bytes that were typed, and that the guest has not read."""
        return len(self.state.fifo) + len(self.state.held)

    @property
    def listens(self) -> bool:
        """Whether the guest would see what is typed."""
        return bool(self.state.plain[0x38] & (self.RX | self.RT)) or self.state.polls >= self.POLLS

    def _give(self) -> None:
        s = self.state
        if not s.held or not self.listens:
            return
        if s.paced and s.polls < self.POLLS:
            s.due = s.due or self._now() + self.SILENCE
        else:
            s.due = None
            self._put(len(s.held))

    def _put(self, count: int) -> None:
        """Move bytes into the FIFO."""
        s = self.state
        s.fifo += s.held[:count]
        del s.held[:count]
        s.raw |= self.RX | self.RT
        self._line()

    def _now(self) -> int:
        return 0 if self.vm is None else self.vm.machine.now

    def deadline(self) -> int | None:
        return self.state.due

    def event(self) -> None:
        s = self.state
        now, quiet, s.due = self._now(), s.last + self.SILENCE, None
        if not self.listens:
            return  # until it listens again
        if quiet > now:
            s.due = quiet
            return
        self._put(next((n for n, byte in enumerate(s.held, 1) if byte in b"\r\n"), len(s.held)))
        s.last = now
        self._give()

    def _line(self) -> None:
        if self.intid is not None:
            self.set_irq(bool(self.state.raw & self.state.plain[0x38]))

    def read(self, offset: int, size: int) -> int:
        s = self.state
        if offset in (0x00, 0x18) and not s.fifo and s.polls < self.POLLS:
            s.polls += 1
            self._give()
        if offset != 0x00:
            return self.peek(offset, size)
        value = s.fifo.pop(0) if s.fifo else 0  # DR
        s.last = self._now()
        if not s.fifo:
            s.raw &= ~(self.RX | self.RT)
        self._line()
        return value

    def peek(self, offset: int, size: int) -> int:
        s = self.state
        if offset == 0x00:
            raise PeekError("UARTDR: reading it takes a character")
        if offset == 0x18:  # FR: transmitter always empty; receiver empty or not
            return 0x80 if s.fifo else 0x90
        if offset == 0x3C:
            return s.raw
        if offset == 0x40:
            return s.raw & s.plain[0x38]
        if offset >= 0xFE0:
            return self.ID[(offset - 0xFE0) >> 2 & 7]
        return s.plain.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        s = self.state
        if offset == 0x00:  # DR
            self._output(bytes([value & 0xFF]))
            s.last = self._now()
            s.polls = 0 if s.polls < self.POLLS else self.POLLS
            s.raw |= self.TX
            if s.plain[0x38] & self.TX:
                self._line()
        elif offset == 0x44:  # ICR
            s.raw &= ~value
            self._line()
        elif offset in s.plain:
            s.plain[offset] = value & 0xFFFF
            if offset == 0x38:
                s.raw |= self.TX
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
        self._due: int | None = None  # its deadline, which each exit asks for
        self._items: dict[int | str, bytes] = {}
        self.drives: list[Plugged] = []
        self.rng: int | None = None  # the seed of the entropy device in a slot
        self.net: str | None = None  # the hardware address of the network device in a slot
        self.output: Callable[[bytes], None] | None = None  # of the console in a slot
        self.wire: Wire | None = None

    @property
    def state(self) -> bytes:
        """What the core's device keeps, and what was written to its disks.

        Items are given by whoever makes the machine, and are none of it.
        """
        return self._core.save()

    @state.setter
    def state(self, state: bytes) -> None:
        self._core.load(state)
        self._due = self._core.deadline()

    def reset(self) -> None:
        """As it was made, with the items that were given since: they are the machine's, not the guest's. So are disks."""
        if self.drives or self.net is not None or self.rng is not None or self.output is not None:
            typed = self._core.take_waiting()
            self._core.reset_slots()
            if typed:
                self._core.push_input(typed, self._now(), self.vm)
        else:
            self._core = self._make()
            for key, data in self._items.items():
                self._core.set_item(key, data)
        self._due = self._core.deadline()

    def _now(self) -> int:
        assert self.vm is not None
        return self.vm.machine.now

    def _acted(self) -> None:
        """Pass on what an access or an event has changed."""
        self._due = self._core.deadline()
        if self.intid is not None:
            assert self.vm is not None
            for line, level in self._core.irqs():
                self.vm.vgic.set_spi(self.intid + line, level)

    @property
    def items(self) -> tuple[tuple[int | str, bytes], ...]:
        """The items that it was given, by number or name."""
        return tuple(self._items.items())

    def set_item(self, key: int | str, data: bytes) -> None:
        """Give fw_cfg an item by its number, or by its name. :raises ValueError: a bad name, or this is not fw_cfg."""
        self._core.set_item(key, data)
        self._items[key] = data

    def plug_drives(self, given: Sequence[Drive]) -> None:
        """Put disks into the virtio slots: :func:`gdbhv.drives.plug`, which may raise."""
        self.drives += drives.plug(self._core, given)

    def plug_rng(self, seed: int) -> None:
        """Put an entropy device into a virtio slot. :raises ValueError: no slot is free, or this is not virtio-mmio."""
        self._core.plug_rng(seed)
        self.rng = seed

    def plug_console(self, output: Callable[[bytes], None]) -> None:
        """Put a console into a virtio slot: the VM's terminal from now on. :raises ValueError: no slot, or not virtio-mmio.

        :param output: called with each run of bytes that the guest sends.
        """
        self._core.plug_console()
        self.output = output

    def receive(self, data: bytes, *, paced: bool = False) -> None:
        """Type on the console, all at once: the driver has room for as much as it has given. See :class:`Terminal`."""
        self._core.push_input(data, self._now(), self.vm)
        self._done()

    @property
    def waiting(self) -> int:
        """See :class:`Terminal`."""
        return self._core.input_waiting()

    @property
    def listens(self) -> bool:
        """See :class:`Terminal`."""
        return self._core.listens()

    def plug_net(self, net: Net) -> None:
        """Put a network device into a virtio slot. :raises ValueError: no slot is free, or this is not virtio-mmio."""
        self._core.plug_net(net.address)
        self.net, self.wire = net.mac, Wire(self._core)

    def tell_network(self, client: int, event: str, data: bytes, port: int) -> None:
        """Tell the guest what a client does (:class:`gdbhv.inputs.Network`)."""
        self._core.net_tell(client, event, data, port, self._now(), self.vm)
        self._acted()

    @property
    def slots(self) -> CoreDevice:
        """The core's device, for what its disks hold (:func:`gdbhv.drives.keep`)."""
        return self._core

    def press_power_button(self) -> None:
        """Press the power button at the GPIO block (100 ms long). :raises ValueError: this is not pl061."""
        self._core.press_power_button(self._now())
        self._acted()

    def read(self, offset: int, size: int) -> int:
        if offset % size:  # a guest that maps it as Normal memory: byte by byte, as the machine does
            return sum(self.read(offset + n, 1) << 8 * n for n in range(size))
        value = self._core.read(offset, size, self._now())
        self._due = self._core.deadline()
        return value

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
        self._done()

    def deadline(self) -> int | None:
        return self._due

    def event(self) -> None:
        self._core.event(self._now(), self.vm)
        self._done()

    def _done(self) -> None:
        self._acted()
        if self.wire is not None:
            self.wire.hear()
        if self.output is not None and (text := self._core.take_output()):
            self.output(text)
