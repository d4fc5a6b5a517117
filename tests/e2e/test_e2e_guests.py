"""Stock gdb-multiarch on the real machine, hosted, with the guests of guests/. Oracle: the guests' sources."""

from __future__ import annotations

import pytest

from e2e.debugged import DATA_ABORT, HVC, PREBUILT, SYSREG, guest
from gdbhv import _core
from gdbhv.client.stops import GdbError
from gdbhv.target import ThreadId


@pytest.fixture
def hello():
    with guest("hello") as session:
        yield session


def test_hello_from_reset_to_power_off(hello):
    gdb = hello.gdb
    (thread,) = gdb.threads()
    assert thread.frame.function == "_start"
    gdb.break_at("main")
    stop = gdb.cont()
    assert (stop.reason, stop.frame.function) == ("breakpoint-hit", "main")
    gdb.execute("set backtrace past-main on")
    assert [frame.function for frame in gdb.backtrace()] == ["main", "_start"]
    assert gdb.cont().ended
    assert hello.console == "hello from EL1\n"


def test_the_first_step_takes_the_stage_2_fault_along(hello):
    """The fetch of the first instruction exits, memory is mapped, and the step is over when the instruction is executed."""
    start = hello.gdb.read_register("pc")
    assert hello.gdb.step_instruction().pc == start + 4


def test_every_step_moves(hello):
    """From the first instruction on, each stepi executes one: the trace of pcs has no repetition but at branches to self."""
    gdb = hello.gdb
    previous = gdb.read_register("pc")
    for _ in range(120):
        pc = gdb.step_instruction().pc
        assert pc != previous, hex(pc)
        previous = pc


def test_source_lines(hello):
    gdb = hello.gdb
    gdb.break_at("main")
    gdb.cont()
    ranges = []
    run = hello.target.run

    def watched(actions, max_insns=None):
        ranges.extend(action.range for action in actions if action.range)
        return run(actions, max_insns)

    hello.target.run = watched
    lines = [gdb.next().frame.line for _ in range(3)]
    assert 1 <= len(ranges) <= 20, "a line is a few ranges (fact 36), not a packet for each instruction"
    assert lines == sorted(lines)
    assert hello.console.startswith("hello from EL")
    gdb.break_at("uart_puts")
    gdb.cont()
    assert gdb.finish().frame.function == "main"


def test_catch_exits_by_number(hello):
    gdb = hello.gdb
    gdb.catch_exit(HVC)
    stop = gdb.cont()
    assert (stop.reason, stop.exit_number, stop.frame.function) == ("syscall-entry", HVC, "power_off")
    assert gdb.read_register("ESR_EL2") >> 26 == 0x16
    assert gdb.cont().ended


def test_exits_are_counted_in_order():
    """The zoo of exits has its animals in a known order: those of one class stop in it."""
    with guest("exit_zoo") as session:
        session.gdb.catch_exit(SYSREG)
        functions = [session.gdb.cont().frame.function for _ in range(4)]
    assert functions == ["zoo_id_read", "zoo_actlr_write", "zoo_set_way", "zoo_impdef_read"]


def test_an_exit_and_the_entry_after_it(hello):
    gdb = hello.gdb
    gdb.execute(f"catch syscall {DATA_ABORT} {DATA_ABORT + 0x200}")
    reasons = [(stop := gdb.cont()).reason for _ in range(4)]
    assert reasons == ["syscall-entry", "syscall-return"] * 2
    assert stop.exit_number == DATA_ABORT + 0x200


def test_the_wrong_store():
    """A watch on the guest's own handler: the store exits, the host injects, the guest's EL1 vector runs."""
    with guest("wrong_store") as session:
        gdb = session.gdb
        gdb.break_at("wrong_store")
        store = gdb.cont().pc
        assert gdb.read_register("x0") == 0x0B000000
        gdb.catch_exit(DATA_ABORT)
        stop = gdb.cont()
        assert (stop.reason, stop.pc) == ("syscall-entry", store)
        gdb.execute("delete")
        gdb.break_at("el1_sync")
        assert gdb.cont().frame.function == "el1_sync"
        assert gdb.read_register("FAR_EL1") == 0x0B000000
        assert gdb.read_register("ELR_EL1") == store
        gdb.execute("delete")
        assert gdb.cont().ended
        assert "wrong_store ok" in session.console


def test_a_breakpoint_at_the_instruction_that_exits(hello):
    """GDB passes the breakpoint with a step, in which the exit comes (see Session.report_late)."""
    gdb = hello.gdb
    gdb.break_at("power_off")
    stop = gdb.cont()
    while "hvc" not in gdb.execute("x/i $pc"):
        stop = gdb.step_instruction()
    gdb.break_at(stop.pc)
    gdb.catch_exit(HVC)
    assert gdb.cont().reason == "syscall-entry"
    assert gdb.cont().ended


def test_breakpoints_and_steps_are_invisible():
    """A guest that is stepped and broken into prints and counts what it does alone."""
    with guest("exit_zoo") as session:
        gdb = session.gdb
        alone = guest("exit_zoo")
        gdb.execute("rbreak ^zoo_.*")
        gdb.execute(
            "clear zoo_own_brk"
        )  # GDB steps over a BRK of the program at which it has a breakpoint, as if it were its own
        while not (stop := gdb.cont()).ended:
            assert stop.reason == "breakpoint-hit"
            gdb.step_instruction()
        with alone as other:
            assert other.gdb.cont().ended
            assert session.console == other.console
            assert session.target.machine.insns == other.target.machine.insns


def test_watchpoint(hello):
    with guest("two_vcpus", vcpus=2) as session:
        gdb = session.gdb
        gdb.break_at("main")
        gdb.cont()
        number = gdb.watch("counter")
        stop = gdb.cont()
        assert (stop.reason, stop.breakpoint) == ("watchpoint-trigger", number)
        assert "New value = 1" in stop.text
        assert gdb.evaluate("counter") == "1"
        for value in range(2, 6):
            assert gdb.cont().reason == "watchpoint-trigger"
            assert gdb.evaluate("counter") == str(value)


def test_two_vcpus():
    with guest("two_vcpus", vcpus=2) as session:
        gdb = session.gdb
        assert [(t.name, t.details) for t in gdb.threads()][1] == ("vcpu1", "off")
        gdb.break_at("give_turn")
        seen = {gdb.cont().thread for _ in range(4)}
        assert seen == {1, 2}
        assert len(gdb.threads()) == 2
        gdb.execute("delete")
        assert gdb.cont().ended


def test_a_step_through_an_exclusive_pair():
    """`stepi` at LDAXR runs to behind the STXR (GDB puts a breakpoint there), and the lock is taken."""
    with guest("two_vcpus", vcpus=2) as session:
        gdb = session.gdb
        gdb.break_at("lock")
        gdb.cont()
        gdb.execute("delete")
        gdb.execute("set scheduler-locking on")
        for _ in range(30):
            if gdb.step_instruction().frame.function != "lock":
                break
        assert gdb.evaluate("counter_lock") == "1"


def test_two_vms_are_two_processes():
    """The other VM is not on the only CPU: it is a thread all the same, and runs when it is the one to run."""
    with guest("hello", vms=2) as session:
        gdb = session.gdb
        assert [t.target_id for t in gdb.threads()] == ["Thread 1.1", "Thread 2.1"]
        gdb.break_at("main")
        assert gdb.cont().frame.function == "main"
        assert [t.frame.function for t in gdb.threads()] == ["main", "_start"]
        gdb.select_thread(2)
        assert gdb.cont().thread == 2
        assert [t.frame.function for t in gdb.threads()] == ["main", "main"]
        gdb.write_register("x19", 0x1234)
        assert gdb.step_instruction().thread == 2
        assert gdb.cont().ended
        assert session.console == "vm2| hello from EL1\n"
        gdb.select_thread(1)
        assert gdb.read_register("x19") != 0x1234
        assert gdb.cont().ended
        assert session.console == "vm2| hello from EL1\nvm1| hello from EL1\n"


def test_two_vms_run_together():
    with guest("hello", vms=2) as session:
        gdb = session.gdb
        gdb.execute("set schedule-multiple on")
        gdb.break_at("main")
        assert gdb.cont().thread == 1
        gdb.execute("delete")
        assert gdb.cont().ended
        gdb.select_thread(2)
        assert gdb.cont().ended
        lines = session.console.splitlines()  # a line that the other one breaks into goes on in the next
        for name in ("vm1| ", "vm2| "):
            assert "".join(line.removeprefix(name) for line in lines if line.startswith(name)) == "hello from EL1"


def test_condition_on_a_system_register(hello):
    gdb = hello.gdb
    gdb.break_at("uart_putc", condition="$esr_el2 != 0 && $x0 == 'f'")
    stop = gdb.cont()
    assert stop.frame.function == "uart_putc"
    assert hello.console == "hello "


def test_registers_are_writable_and_say_why_not(hello):
    gdb = hello.gdb
    gdb.write_register("TPIDR_EL1", 0x1234)
    assert gdb.read_register("TPIDR_EL1") == 0x1234
    with pytest.raises(GdbError, match="MIDR_EL1"):
        gdb.write_register("MIDR_EL1", 0)
    for name in ("VTTBR_EL2", "HCR_EL2", "SCTLR_EL1", "TTBR0_EL1", "CNTVCT_EL0"):
        assert name in gdb.execute(f"p ${name}") or gdb.read_register(name) >= 0
    gdb.write_register("v7", 5)
    assert gdb.read_register("v7") == 5


def test_load_through_gdb(hello):
    """Another image into the memory of a VM that stands at reset, by X packets, checked by qCRC."""
    gdb = hello.gdb
    gdb.execute(f"load {PREBUILT / 'wrong_store.elf'}")
    gdb.execute(f"file {PREBUILT / 'wrong_store.elf'}")
    assert "MIS-MATCHED" not in gdb.execute("compare-sections")
    assert gdb.cont().ended
    assert "wrong_store ok" in hello.console


def loop_here(gdb):
    """Put `b .` at the pc; return it."""
    gdb.write_memory("$pc", (0x14000000).to_bytes(4, "little"))
    return gdb.read_register("pc")


def test_detach_and_attach_again(hello):
    gdb = hello.gdb
    gdb.break_at("main")
    gdb.cont()
    gdb.execute("delete")
    pc = loop_here(gdb)
    gdb.detach()
    executed = 0
    while executed < 100_000:  # it goes on while nobody is attached
        gdb.attach(str(hello.server.address))
        assert gdb.read_register("pc") == pc
        executed = hello.target.machine.insns[0]
        gdb.detach()
    gdb.attach(str(hello.server.address))
    gdb.write_register("pc", int(gdb.evaluate("(long) power_off"), 0))
    assert gdb.cont().ended


def test_ctrl_c_in_a_loop(hello):
    gdb = hello.gdb
    gdb.break_at("main")
    gdb.cont()
    gdb.execute("delete")
    pc = loop_here(gdb)
    gdb.resume()
    stop = gdb.interrupt()
    assert (stop.signal, stop.pc) == ("SIGINT", pc)
    assert gdb.step_instruction().pc == pc, "a branch to itself is a step, too"


def test_what_a_monitor_command_changes_is_seen(hello):
    """GDB remembers registers until the next resume, unless it is told to forget them (fact 24)."""
    gdb = hello.gdb
    gdb.write_register("TPIDR_EL1", 1)
    assert gdb.read_register("TPIDR_EL1") == 1
    gdb.monitor("sysreg TPIDR_EL1=0x55")
    assert gdb.read_register("TPIDR_EL1") == 0x55


def test_all_registers(hello):
    """Every register of the description answers: with a value, or that it cannot be read without a side effect."""
    rows = {line.split()[0]: line for line in hello.gdb.execute("info all-registers").splitlines()}
    assert {row["name"] for row in _core.registers()} - {"FPCR", "FPSR"} <= set(rows)
    assert "<unavailable>" in rows["ICC_IAR1_EL1"]
    assert "M=EL1h" in rows["cpsr"]


def test_a_function_of_the_guest_is_called(hello):
    """GDB makes a frame, sets pc and a breakpoint at the return, and puts all registers back."""
    gdb = hello.gdb
    gdb.break_at("main")
    gdb.cont()
    vcpu = ThreadId(1, 1)
    before = hello.target.read_core(vcpu)
    gdb.execute("call (void) uart_decimal(4711)")
    assert hello.console == "4711"
    assert hello.target.read_core(vcpu) == before
    gdb.execute("delete")
    assert gdb.cont().ended
    assert hello.console == "4711hello from EL1\n"


def test_until_advance_and_tbreak(hello):
    gdb = hello.gdb
    gdb.execute("tbreak main")
    assert gdb.cont().frame.function == "main"
    assert "uart_puts" in gdb.execute("advance uart_puts") + gdb.execute("frame")
    assert "main" in gdb.execute("finish") + gdb.execute("frame")


def test_next_passes_a_wait_for_another_vcpu():
    """With scheduler-locking at its default the other vCPU has its turns meanwhile, or the wait would never end."""
    with guest("two_vcpus", vcpus=2) as session:
        gdb = session.gdb
        gdb.break_at("wait_for_turn")
        stop = gdb.cont()
        gdb.execute("delete")
        lines = 0
        while stop.frame.function == "wait_for_turn":
            stop = gdb.next()
            lines += 1
            assert lines < 40, "it waits for ever"
        assert lines > 3


def test_interrupts_are_held_back_while_stepping_and_it_is_said():
    with guest("two_vcpus", vcpus=2) as session:
        gdb = session.gdb
        gdb.break_at("wait_for_turn")
        waiting = gdb.cont().thread
        gdb.execute("delete")
        assert "holds interrupts back" in gdb.monitor("step interrupts off")
        functions = set()
        for _ in range(40):
            stop = gdb.step_instruction()
            assert stop.thread == waiting
            functions.add(stop.frame.function)
        assert functions <= {"wait_for_turn", "irq_enable", "irq_disable", "this_vcpu", None}, functions
        gdb.monitor("step interrupts on")
        gdb.break_at("el1_irq")
        assert gdb.cont().frame.function == "el1_irq"
