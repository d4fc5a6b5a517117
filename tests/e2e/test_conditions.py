"""A condition of stock gdb's is judged in the machine: in a loop of a guest, and of software of one's own."""

from __future__ import annotations

import time

import pytest

from e2e.debugged import GDBS, PREBUILT, debugged
from gdbhv import boot
from gdbhv.rsp import session
from hv.programs import add, branch, code

LOOP = code(add(0, 0, 1), branch(-1))


@pytest.mark.parametrize("gdb", GDBS)
@pytest.mark.parametrize("vms", [0, 1])
def test_only_the_hit_that_counts_comes_to_the_host_side(vms: int, gdb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, elf = [], PREBUILT / "hello.elf"
    real = session.reported
    monkeypatch.setattr(session, "reported", lambda *args: heard.append(args[0]) or real(*args))
    with debugged(boot.BootConfig(image=elf, memory=64 << 20), elf, vms=vms, gdb=gdb) as d:
        pc = d.gdb.read_register("pc")
        d.gdb.execute("stepi")
        d.gdb.write_memory(pc, LOOP)
        for register, value in (("pc", pc), ("x0", 0)):
            d.gdb.write_register(register, value)
        d.gdb.execute(f"break *{pc + 4:#x} if $x0 == 2000000 && $sp != 1 && *(unsigned *)$pc")
        heard.clear()
        begin = time.process_time()
        d.gdb.execute("continue")
        assert time.process_time() - begin < 20, "of a second: two million hits that do not stop"
        assert d.gdb.read_register("x0") == 2000000
        assert len(heard) == 1
        # dprintf with a condition: the machine goes on by itself but for the hits that print.
        d.gdb.execute("delete")
        d.gdb.execute("set dprintf-style agent")
        d.gdb.execute(f'dprintf *{pc + 4:#x},"at %d\\n",$x0')
        d.gdb.execute("condition $bpnum $x0 % 500000 == 0")
        d.gdb.execute(f"hbreak *{pc:#x} if $x0 == 3000001")
        heard.clear()
        text = d.gdb.cont().text
        assert [line for line in text.splitlines() if line.startswith("at ")] == ["at 2500000", "at 3000000"]
        assert d.gdb.read_register("x0") == 3000001
        assert len(heard) < 10, "of a million hits"
