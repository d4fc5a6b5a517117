"""Memory that the host side takes away: the guest's next access exits, whatever its CPU has cached (Arm ARM D8.14)."""

from __future__ import annotations

import struct

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget

CODE, DATA = 0x40000000, 0x40400000  # in different blocks of 2 MiB
LOOP = (0xF9400001, 0x91000463, 0x17FFFFFE)  # LDR X1, [X0]; ADD X3, X3, #1; B .-8


def test_an_unmapped_block_exits_again() -> None:
    host = Host(memory=64 << 20)
    vm = host.create_vm()
    vm.add_memory(CODE, 16 << 20)
    vm.write(CODE, struct.pack("<3I", *LOOP))
    vm.start(CODE, DATA)
    target = HostTarget(host)

    def exits_of_a_run() -> int:
        before = host.machine.exits
        target.run_all(1000)
        return host.machine.exits - before

    assert exits_of_a_run() == 2, "the code and the data are touched for the first time"
    assert exits_of_a_run() == 0
    assert vm.unmap(DATA + 0x1000)
    assert not vm.unmap(DATA)
    assert exits_of_a_run() == 1
    assert vm.unmap(CODE)
    assert exits_of_a_run() == 1
