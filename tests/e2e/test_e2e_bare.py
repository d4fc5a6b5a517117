"""A bare machine under stock gdb-multiarch: the image owns EL2. Oracle: the guests' sources, and A64 by hand."""

from __future__ import annotations

import struct

from e2e.debugged import PREBUILT, debugged
from gdbhv.boot import BootConfig

RAM = 0x40000000


def test_reset_and_load_through_gdb():
    """A machine stopped at reset in EL2, MMU off, PC and RAM at 0x40000000: code is put there and runs."""
    with debugged(BootConfig(memory=64 << 20), vms=0) as session:
        gdb = session.gdb
        assert gdb.read_register("pc") == RAM
        assert gdb.execute("p $cpsr").split()[3] == "M=EL2h"
        code = (0xD2800540, 0x91000400, 0xD4000002, 0x14000000)  # mov x0, #42; add x0, x0, #1; hvc #0; b .
        gdb.write_memory(RAM, struct.pack("<4I", *code))
        gdb.write_register("VBAR_EL2", RAM + 0x1000)
        assert gdb.step_instruction(2).pc == RAM + 8
        assert gdb.read_register("x0") == 43
        assert gdb.step_instruction().pc == RAM + 0x1200
        assert gdb.read_register("ESR_EL2") >> 26 == 0x16


def test_an_elf_at_el2():
    elf = PREBUILT / "hello.elf"
    with debugged(BootConfig(image=elf, memory=64 << 20), elf, vms=0) as session:
        gdb = session.gdb
        gdb.break_at("main")
        assert gdb.cont().frame.function == "main"
        assert [t.target_id for t in gdb.threads()] == ["Thread 1.1"]
        gdb.break_at("power_off")
        assert gdb.cont().frame.function == "power_off"
        assert session.console == "hello from EL2\n"


def test_a_stop_at_an_exit_knows_where_the_guest_was():
    """pc is EL2's vector (VBAR_EL2 + 0x400: from a lower Exception level, D1.3.1.5), guest_pc the guest's instruction."""
    elf = PREBUILT / "type1.elf"
    with debugged(BootConfig(image=elf, memory=64 << 20), elf, vms=0) as session:
        session.gdb.catch_exit("hvc")
        stop = session.gdb.cont()
        assert (stop.is_exit("hvc"), stop.pc) == (True, session.gdb.read_register("VBAR_EL2") + 0x400)
        assert stop.guest_pc == session.gdb.monitor_json("vmexit last")["pc"]
        assert stop.guest_pc != stop.pc
        assert session.gdb.step_instruction().guest_pc is None


def test_the_device_of_an_interrupt_is_named():
    elf = PREBUILT / "type1.elf"
    with debugged(BootConfig(image=elf, memory=64 << 20), elf, vms=0) as session:
        session.gdb.catch_exit("irq.spi33")
        stop = session.gdb.cont()
        assert stop.exit == "irq.spi33"
        assert "; INTID 33 (pl011)" in stop.text
        assert "  irq.spi33 (pl011)\n" in session.gdb.monitor("vmexit stats")
        assert "irq.spi33" in [row["name"] for row in session.gdb.monitor_json("vmexit stats")["counts"]]
        assert "spi33 (pl011) " in session.gdb.monitor("gic")
        assert 33 in [i["intid"] for i in session.gdb.monitor_json("gic")["interrupts"] if i["device"] == "pl011"]
