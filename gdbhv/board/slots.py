"""What a machine has in its virtio slots besides disks: an entropy device, a console, a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gdbhv.board.network import Networked, Wire
from gdbhv.config import Net
from gdbhv.snapshot.snapfile import Shape

if TYPE_CHECKING:
    from gdbhv import _core


class Slots(Networked):
    """The part of :class:`gdbhv.machine.machine.Machine` that has them."""

    PID: int
    core: _core.Machine
    net: str | None = None
    """The hardware address of the network device, if there is one."""
    wire: Wire | None = None
    _shape: Shape
    _awaits_typing: Callable[[], bool]

    def add_pcie(self) -> None:
        """Give the machine PCIe: what is plugged in from now on is there."""
        self.core.add_pcie()
        self._shape = replace(self._shape, pcie=True)

    def plug(self, rng: int | None, *, console: bool, net: Net | None = None) -> None:
        """Put an entropy device, a console and a network device into virtio slots; disks are there before."""
        if rng is not None:
            self.core.plug_rng(rng)
        if console:
            self.core.plug_console()
        self._shape = replace(self._shape, rng=rng, virtio_console=console)
        if net is not None:
            self.core.plug_net(net.address)
            self.net, self.wire = net.mac, Wire(self.core)

    def wires(self) -> Mapping[int, Wire]:
        """See :class:`gdbhv.board.network.Networked`."""
        return {} if self.wire is None else {self.PID: self.wire}

    def put_network(self, pid: int, client: int, event: str, data: bytes, port: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        self.core.net_tell(client, event, data, port)

    def _awaits(self) -> bool:
        """Whether something may come from outside that the machine would see."""
        return self._awaits_typing() or self.clients_awaited
