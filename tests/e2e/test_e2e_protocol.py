"""Stock gdb-multiarch against the protocol's server, on the fake target: what GDB makes of what we say.

Oracle: gdb-multiarch itself. What is said of guests is tested elsewhere, with real ones.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gdbhv.client.gdbline import gdb_target
from gdbhv.client.session import GdbSession
from gdbhv.client.stops import GdbError, GdbLost, GdbMissing, GdbTimeout
from gdbhv.target import ThreadId
from rsp.fake import DATA, ENTRY, OFF, PROGRAM, SPIN, FakeTarget
from rsp.wire import serving

LOOP, STORE, CALL = ENTRY + 4, ENTRY + 8, ENTRY + 12
HVC = 0x1016
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def target():
    return FakeTarget()


@pytest.fixture
def server(target):
    with serving(target) as server:
        yield server


@pytest.fixture
def gdb(server):
    with GdbSession(str(server.address), timeout=20) as session:
        yield session


def test_info_threads(gdb):
    threads = gdb.threads()
    assert [(t.target_id, t.name, t.details) for t in threads] == [
        ("Thread 1.1", "vm1/vcpu0", "EL1h, running"),
        ("Thread 1.2", "vm1/vcpu1", "EL1h, running"),
        ("Thread 2.1", "vm2/vcpu0", "descheduled (WFI) VMID=2"),
    ]
    assert {t.frame.pc for t in threads} == {ENTRY}
    assert '* 1.1  Thread 1.1 "vm1/vcpu0" (EL1h, running)' in gdb.execute("info threads")


def test_one_process_for_each_vm(gdb):
    text = gdb.execute("info inferiors")
    assert "process 1" in text
    assert "process 2" in text


def test_registers(gdb, target):
    vcpu = target.vcpus[ThreadId(1, 1)]
    gdb.write_register("x7", 0x1122334455667788)
    assert vcpu.x[7] == gdb.read_register("x7") == 0x1122334455667788
    gdb.write_register("sp", 0x40002000)
    assert vcpu.sp == 0x40002000
    vcpu.v[3] = 0x00112233445566778899AABBCCDDEEFF
    assert gdb.read_register("v3") == vcpu.v[3]
    gdb.execute("set var $v3.d.u[1] = 5")
    assert vcpu.v[3] == 5 << 64 | 0x8899AABBCCDDEEFF
    assert gdb.read_register("fpcr") == 0
    assert "[ M=EL1h F I A D ]" in gdb.execute("p $cpsr")


def test_system_registers(gdb, target):
    assert gdb.read_register("MIDR_EL1") == 0x411FD070
    assert gdb.execute("p $ESR_EL2.flags") == "$1 = [ ISS=0 IL EC=HVC64 ]\n"
    gdb.write_register("SCTLR_EL1", 5)
    assert target.vcpus[ThreadId(1, 1)].system[0xC080] == 5
    assert gdb.execute("p $SCTLR_EL1") == "$2 = {raw = 5, flags = [ M C ], M = 1, C = 1}\n"
    with pytest.raises(GdbError, match="MIDR_EL1: is read-only"):
        gdb.write_register("MIDR_EL1", 1)
    assert gdb.execute("p $DACR32_EL2") == "$3 = <unavailable>\n"
    with pytest.raises(GdbError, match="not available"):
        gdb.read_register("DACR32_EL2")
    assert "TTBR0_EL1" in gdb.execute("info registers mmu")
    # A listing goes past a register that cannot be read.
    assert "DACR32_EL2" in (text := gdb.execute("info registers control"))
    assert "SCTLR_EL1" in text


def test_the_second_vm_has_its_registers(gdb, target):
    """GDB reads no description for a process that it adds by itself; `g` must not be too long for it (fact 19)."""
    target.vcpus[ThreadId(2, 1)].x[9] = 99
    gdb.select_thread(3)
    assert gdb.read_register("x9") == 99
    assert gdb.read_register("pc") == ENTRY


def test_memory(gdb, target):
    gdb.write_memory(DATA, bytes(range(256)))
    assert gdb.read_memory(DATA, 256) == bytes(range(256)) == target.read_memory(ThreadId(1, 1), DATA, 256)
    with pytest.raises(GdbError, match="memory"):
        gdb.read_memory(0, 4)
    with pytest.raises(GdbError):
        gdb.write_memory(0, b"x")
    assert hex(LOOP) in gdb.execute(f"find {ENTRY:#x}, +0x1000, {PROGRAM[1]:#x}")
    assert "add\tx0, x0, #0x1" in gdb.execute(f"x/i {LOOP:#x}")


def test_breakpoint_and_steps(gdb, target):
    number = gdb.break_at(STORE)
    stop = gdb.cont()
    assert (stop.reason, stop.breakpoint, stop.pc) == ("breakpoint-hit", number, STORE)
    assert gdb.step_instruction().pc == CALL
    assert gdb.step_instruction(3).pc == STORE
    gdb.delete(number)
    assert target.read_memory(ThreadId(1, 1), STORE, 4) == PROGRAM[2].to_bytes(4, "little"), "nothing of it in memory"


def test_hardware_breakpoint(gdb):
    number = gdb.break_at(CALL, hardware=True)
    stop = gdb.cont()
    assert (stop.reason, stop.breakpoint, stop.pc) == ("breakpoint-hit", number, CALL)


@pytest.mark.parametrize(
    "condition",
    [
        "$x0 == 5",
        "$x0 > 4 && $sctlr_el1 != 0",
        f"*(unsigned long *) {DATA:#x} == 5",
        "$x0 % 7 == 5",
    ],
)
def test_condition_is_evaluated_by_the_server(gdb, condition):
    number = gdb.break_at(CALL, condition=condition)
    gdb.execute("set scheduler-locking on")
    assert gdb.cont().pc == CALL
    assert gdb.read_register("x0") == 5
    assert "already hit 1 time" in gdb.execute(f"info breakpoints {number}"), "GDB saw one hit"


def test_dprintf_prints_from_the_server(gdb):
    gdb.execute("set dprintf-style agent")
    gdb.execute(f'dprintf *{STORE:#x},"x0=%d at %#lx, SCTLR %lx\\n", $x0, $pc, $sctlr_el1')
    gdb.break_at(CALL, condition="$x0 == 3")
    gdb.execute("set scheduler-locking on")
    text = gdb.cont().text
    assert text.startswith("".join(f"x0={n} at 0x40080008, SCTLR 30d00800\n" for n in (1, 2, 3)))


def test_breakpoint_belongs_to_its_vm(gdb, target):
    gdb.break_at(STORE)
    gdb.cont()
    assert target.vcpus[ThreadId(2, 1)].pc == ENTRY, "other VMs stay where they are unless schedule-multiple is on"
    gdb.execute("set schedule-multiple on")
    gdb.select_thread(3)
    assert gdb.cont().pc == STORE


def test_watchpoint(gdb):
    number = gdb.watch(f"*(unsigned long *) {DATA:#x}")
    stop = gdb.cont()
    assert (stop.reason, stop.breakpoint) == ("watchpoint-trigger", number)
    assert "New value = 1" in stop.text
    assert gdb.cont().reason == "watchpoint-trigger"


def test_access_watchpoint(gdb):
    gdb.watch(f"*(unsigned long *) {DATA:#x}", read=True)
    assert gdb.cont().reason == "access-watchpoint-trigger"


def test_catch_syscall_is_an_exit(gdb):
    gdb.catch_exit(HVC)
    stop = gdb.cont()
    assert (stop.reason, stop.exit_number, stop.pc) == ("syscall-entry", HVC, CALL)
    assert stop.text.startswith("exit hvc:0 at 0x4008000c, cause: always\n")
    gdb.execute("delete")
    gdb.execute(f"catch syscall {HVC + 0x200}")
    stop = gdb.cont()
    assert (stop.reason, stop.exit_number) == ("syscall-return", HVC + 0x200)


def test_catch_syscall_in_either_vm(gdb):
    """GDB does not say whose catchpoint it is; the thread that it looked at last is no hint."""
    gdb.catch_exit(HVC)
    gdb.threads()  # leaves Hg at the last one
    assert gdb.cont().reason == "syscall-entry"
    gdb.execute("delete")
    gdb.select_thread(3)
    gdb.catch_exit(HVC)
    gdb.select_thread(1)
    gdb.execute("maintenance flush register-cache")
    gdb.evaluate("$pc")
    gdb.select_thread(3)
    stop = gdb.cont()
    assert (stop.reason, stop.thread) == ("syscall-entry", 3)


def test_ctrl_c(gdb):
    gdb.write_register("pc", SPIN)
    gdb.resume()
    with pytest.raises(GdbTimeout, match="no stop within"):
        gdb.wait_for_stop(0.05)
    stop = gdb.interrupt()
    assert (stop.reason, stop.signal, stop.pc) == ("signal-received", "SIGINT", SPIN)


def test_monitor_streams():
    """The first line is on gdb's console while the command still waits for something."""
    seen = threading.Event()

    def waits(line, thread):
        yield "begin"
        yield "seen" if seen.wait(10) else "not seen"

    with serving(FakeTarget(), monitor=waits) as server, GdbSession(str(server.address)) as gdb:
        note = gdb._note

        def watch(message):
            if message["type"] == "target" and "begin" in message["payload"]:
                seen.set()
            note(message)

        gdb._note = watch
        assert gdb.monitor("anything") == "begin\nseen\n"


def test_a_long_monitor_answer(gdb):
    assert gdb.monitor("count 2000").split() == [str(n) for n in range(2000)]


def test_monitor_refuses_with_a_sentence(gdb):
    with pytest.raises(GdbError, match="no command 'nope': try `monitor help`"):
        gdb.monitor("nope")


def test_monitor_is_about_the_selected_thread(gdb):
    gdb.threads()
    for number, name in ((1, "p1.1"), (3, "p2.1"), (1, "p1.1")):
        gdb.select_thread(number)
        assert gdb.monitor("echo x") == f"{name}: x\n"


def test_detach_and_attach_again(gdb, server, target):
    gdb.break_at(STORE)
    gdb.detach()
    insns = target.insns
    while target.insns < insns + 1000:
        time.sleep(0.001)
    assert target.breakpoints == set()
    gdb.attach(str(server.address))
    insns = target.insns
    assert len(gdb.threads()) == 3
    assert gdb.cont().pc == STORE, "gdb keeps its breakpoints"
    assert target.insns > insns


def test_attach_to_one_vm(gdb):
    gdb.execute("detach inferiors 2")
    assert len(gdb.threads()) == 2
    gdb.execute("add-inferior")
    gdb.execute("inferior 3")
    gdb.execute("attach 2")
    assert "Thread 2.1" in gdb.execute("info threads")
    assert gdb.read_register("MIDR_EL1") == 0x411FD070, "and its description is read (fact 19)"


def test_power_off(gdb, server):
    gdb.write_register("pc", OFF)
    stop = gdb.cont()
    assert (stop.reason, stop.exit_code, stop.ended) == ("exited-normally", 0, True)
    assert "vm1 powered off" in stop.text
    with pytest.raises(GdbError, match="the guest is gone"):
        _ = stop.pc


def test_kill_and_run_are_answered(gdb):
    gdb.break_at(CALL)
    assert gdb.cont().pc == CALL
    gdb.execute("kill inferiors 1")
    assert gdb.run().pc == CALL


def test_quit_lets_the_guest_run(server, target):
    with GdbSession(str(server.address)):
        pass
    while target.insns < 1000:
        time.sleep(0.001)


def test_non_stop_is_a_clean_error(server):
    with GdbSession() as gdb:
        gdb.mi("-gdb-set non-stop on")
        with pytest.raises(GdbError, match="non-stop"):
            gdb.attach(str(server.address))


def test_a_second_gdb_is_told(gdb, server):
    with pytest.raises(GdbError, match="another debugger controls this machine"):
        GdbSession(str(server.address), timeout=5)
    assert gdb.read_register("pc") == ENTRY


def test_nobody_listens():
    with pytest.raises(GdbError, match="no gdbhv listens on"):
        GdbSession("127.0.0.1:1", timeout=5)


def test_gdb_is_missing():
    with pytest.raises(GdbMissing, match="apt-get install gdb-multiarch"):
        GdbSession("1234", gdb="gdb-of-another-world")


def test_no_thread_is_left_behind(server):
    with GdbSession(str(server.address)):
        count = threading.active_count()
    assert threading.active_count() <= count


def test_symbols_come_with_the_address(target):
    """The server names the ELF, and gdb opens it on its own machine (fact 26): no user command is needed."""
    elf = ROOT / "guests" / "prebuilt" / "hello.elf"
    with serving(target, exec_file=lambda pid: str(elf)) as server, GdbSession(str(server.address)) as gdb:
        assert "hello.elf" in gdb.execute("info files")
        assert gdb.read_register("pc") == ENTRY


def test_plain_target_remote(server, target):
    with GdbSession() as gdb:
        gdb.execute(f"target remote {server.address}")
        gdb.write_register("x3", 3)
        assert target.vcpus[ThreadId(1, 1)].x[3] == 3
        gdb.execute("delete")
        gdb.write_register("pc", OFF)
        assert gdb.cont().reason == "exited-normally"


def test_compare_sections_uses_the_crc():
    elf = ROOT / "guests" / "prebuilt" / "hello.elf"
    with serving(FakeTarget(ram_size=1 << 22)) as server, GdbSession(str(server.address), program=str(elf)) as gdb:
        assert "MIS-MATCHED" in gdb.execute("compare-sections")
        gdb.execute("load")
        assert "MIS-MATCHED" not in (text := gdb.execute("compare-sections"))
        assert "matched" in text


def test_exec_gdb_attaches_as_it_starts(server):
    commands = ["info threads", "monitor echo which", "thread 2.1", "monitor echo which", "quit"]
    code = f"from gdbhv.client.gdbline import exec_gdb; exec_gdb('{server.address}', commands={commands})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "vm1/vcpu0" in done.stdout, done.stderr
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.endswith(": which")]
    assert said == ["p1.1: which", "p2.1: which"], "monitor is about the selected thread"
    assert done.returncode == 0


def test_addresses_as_gdb_takes_them():
    assert gdb_target("1234") == "127.0.0.1:1234"
    assert gdb_target("host:1") == "host:1"
    assert gdb_target("unix:/run/x") == "/run/x"


def test_unix_socket(target, tmp_path):
    with serving(target, address=f"unix:{tmp_path / 'gdb'}") as server, GdbSession(str(server.address)) as gdb:
        assert gdb.read_register("pc") == ENTRY


def test_stdio(target):
    """`target remote | command`."""
    code = "from rsp.fake import *; from gdbhv.rsp.server import Server; Server(FakeTarget(), 'stdio').serve()"
    with GdbSession() as gdb:
        gdb.execute(f"""target remote | PYTHONPATH={ROOT}:{ROOT}/tests {sys.executable} -c "{code}" """)
        assert gdb.read_register("pc") == ENTRY
        gdb.break_at(STORE)
        assert gdb.cont().pc == STORE


def test_a_server_that_ends_is_no_time_out(target):
    with serving(target) as server, GdbSession(str(server.address)) as gdb:
        gdb.write_register("pc", SPIN)
        gdb.resume()
        server.close()
        with pytest.raises(GdbLost, match="the server has ended"):
            gdb.wait_for_stop()


def test_a_gdb_that_dies_is_said(gdb):
    gdb._process.kill()
    with pytest.raises(GdbLost, match="gdb has ended with status -9"):
        gdb.threads()


def test_a_stop_in_the_same_breath_as_the_result(gdb, monkeypatch):
    """Result and stop may come in one read; neither is lost."""
    read = gdb._read

    def all_at_once(*args):
        messages = read(*args)
        while all(message["message"] != "stopped" for message in messages):
            messages += read(*args)
        return messages

    gdb.break_at(STORE)
    with monkeypatch.context() as patch:
        patch.setattr(gdb, "_read", all_at_once)
        assert gdb.cont().pc == STORE
