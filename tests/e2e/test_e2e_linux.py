"""Debian's kernel with four vCPUs under stock gdb-multiarch: one session, from reset to power-off.

Oracle: the kernel's own symbols, and that it goes on living.
"""

from __future__ import annotations

import time

import pytest

from e2e.debugged import DATA_ABORT, SYSREG, debugged
from gdbhv.boot import BootConfig

VCPUS = 4


@pytest.mark.timeout(600)
def test_linux_from_reset_on(kit):
    append = "console=ttyAMA0 nokaslr gdbhv.stay"  # so that it goes on living while nobody is attached, however fast it is
    config = BootConfig(image=kit.image, initrd=kit.initramfs, append=append, smp=VCPUS, memory=512 << 20)
    with debugged(config, kit.vmlinux, timeout=200) as session:
        gdb = session.gdb
        start_of_c(gdb)
        all_vcpus_are_up(gdb)
        a_watchpoint(gdb)
        ctrl_c(gdb)
        exits_by_class_and_number(gdb)
        stage_2_and_a_walk(gdb)
        detach_and_attach(gdb, session)
        gdb.execute("delete")
        gdb.resume()
        for marker in ("GDBHV-GUEST: boot ok", "GDBHV-GUEST: selftest ok"):
            session.wait_for(marker)
        assert gdb.interrupt().signal == "SIGINT"


def start_of_c(gdb):
    gdb.break_at("start_kernel")
    assert gdb.cont().frame.function == "start_kernel"
    pc = gdb.read_register("pc")
    assert gdb.step_instruction().pc != pc
    lines = {gdb.next().frame.line for _ in range(3)}
    assert len(lines) == 3
    assert gdb.backtrace()[-1].function == "__primary_switched"
    assert [t.details for t in gdb.threads()][1:] == ["off"] * (VCPUS - 1)
    gdb.execute("delete")


def all_vcpus_are_up(gdb):
    number = gdb.break_at("vfs_write")
    stop = gdb.cont()
    assert stop.frame.function == "vfs_write"
    functions = [frame.function for frame in gdb.backtrace()]
    assert functions[0] == "vfs_write"
    assert {"ksys_write", "el0_svc", "el0t_64_sync"} < set(functions)
    threads = gdb.threads()
    assert [t.target_id for t in threads] == [f"Thread 1.{n}" for n in range(1, VCPUS + 1)]
    assert "off" not in {t.details for t in threads}
    for thread in threads:
        gdb.select_thread(thread.number)
        assert int(gdb.evaluate("(long) $MPIDR_EL1 & 0xff"), 0) in range(VCPUS)
        assert gdb.backtrace()
    gdb.select_thread(stop.thread)
    assert "#0" in gdb.execute("thread apply all backtrace 2")
    gdb.delete(number)


def a_watchpoint(gdb):
    number = gdb.watch("jiffies_64")
    values = []
    for _ in range(3):
        stop = gdb.cont()
        assert (stop.reason, stop.frame.function) == ("watchpoint-trigger", "tick_do_update_jiffies64")
        values.append(int(gdb.evaluate("(long) jiffies_64")))
    assert values == [values[0], values[0] + 1, values[0] + 2]
    gdb.delete(number)


def ctrl_c(gdb):
    gdb.resume()
    start = time.perf_counter()
    stop = gdb.interrupt()
    seconds = time.perf_counter() - start
    assert (stop.reason, stop.signal) == ("signal-received", "SIGINT")
    assert seconds < 5, "and a fraction of that where nothing else runs"


def exits_by_class_and_number(gdb):
    gdb.catch_exit(SYSREG)
    stop = gdb.cont()
    assert (stop.reason, stop.exit_number) == ("syscall-entry", SYSREG)
    assert gdb.read_register("ESR_EL2") >> 26 == 0x18
    gdb.execute("delete")
    gdb.catch_exit("dabt.trans ipa=0x9000000-0x9000fff")
    stop = gdb.cont()
    assert stop.reason == "signal-received"
    assert "dabt.trans" in stop.text
    last = gdb.monitor_json("vmexit last")
    assert last["number"] == DATA_ABORT
    assert last["ipa"] & ~0xFFF == 0x9000000
    gdb.monitor("vmexit delete all")
    stats = gdb.monitor("vmexit stats")
    assert len([line for line in stats.splitlines() if line.strip()]) >= 5


def stage_2_and_a_walk(gdb):
    assert "0x40000000" in gdb.monitor("s2 dump").replace("0000_", "").replace("_", "")
    assert gdb.monitor_json("s2 dump")
    text = gdb.monitor(f"walk {gdb.read_register('pc'):#x}")
    assert "stage 1" in text
    assert "stage 2" in text
    assert len(gdb.monitor("vcpus").splitlines()) >= VCPUS
    assert "M" in gdb.monitor("sysreg SCTLR_EL1")


def detach_and_attach(gdb, session):
    before = len(session.console)
    gdb.break_at("vfs_write")
    gdb.detach()
    gdb.attach(str(session.server.address))
    assert gdb.cont().frame.function == "vfs_write"
    assert len(session.console) >= before
