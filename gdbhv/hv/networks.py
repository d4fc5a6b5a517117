"""The networks of a host's VMs, for who is outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv.board.network import Networked, Wire
from gdbhv.errors import GdbhvError

if TYPE_CHECKING:
    from gdbhv.hv.host import Host
    from gdbhv.hv.vm import Vm


class HostNetworks(Networked):
    """The part of :class:`gdbhv.hv.hosttarget.HostTarget` that has them."""

    host: Host
    vm: Callable[[int], Vm]

    def wires(self) -> dict[int, Wire]:
        """See :class:`gdbhv.board.network.Networked`."""
        networks = {vm.vmid: vm.network for vm in self.host.running()}
        return {vmid: d.wire for vmid, d in networks.items() if d is not None and d.wire is not None}

    def mute_networks(self, muted: bool) -> None:
        """See :class:`gdbhv.board.network.Networked`: of VMs that are off, too."""
        for vm in self.host.vms:
            if vm.network is not None and vm.network.wire is not None:
                vm.network.wire.mute(muted)

    def put_network(self, pid: int, client: int, event: str, data: bytes, port: int) -> None:
        """See :class:`gdbhv.inputs.Outside`."""
        vm = self.vm(pid)
        if vm.network is None:
            raise GdbhvError(f"{vm.name} has no network")
        vm.network.tell_network(client, event, data, port)
        self.host.scheduler.rearm(vm)
        self.host.scheduler.resume()
