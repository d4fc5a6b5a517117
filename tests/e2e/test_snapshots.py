"""`monitor snapshot` as gdb does it, with its breakpoints in place. Oracle: what gdb showed before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.debugged import GDBS, PREBUILT, Debugged, debugged, guest
from e2e.test_gdbside import ZOO, gdb, served
from gdbhv.boot import BootConfig
from gdbhv.client.stops import GdbError

REGISTERS = ("pc", "sp", *(f"x{n}" for n in range(31)), "ESR_EL1")
FLUSH = ("maintenance flush register-cache", "maintenance flush dcache")


def seen(at: Debugged) -> tuple[dict[str, int], str, str]:
    """What gdb shows: registers, the stack, threads."""
    registers = {name: at.gdb.read_register(name) for name in REGISTERS}
    return registers, at.gdb.execute("x/16xg $sp"), at.gdb.execute("info threads")


def restore(at: Debugged, name: str) -> None:
    """As it is typed: nothing but the server's hint tells gdb."""
    said = at.gdb.execute(f"monitor snapshot restore {name}")
    assert f"snapshot {name}: restored, after " in said
    assert "gdb shows what it knew before, until `maintenance flush register-cache`" in said
    for command in FLUSH:
        at.gdb.execute(command)


@pytest.mark.parametrize("gdb", GDBS)
@pytest.mark.parametrize(("vms", "late"), [(1, "zoo_wfi"), (2, "zoo_wfi")])
def test_save_continue_restore_continue_delete(gdb: str, vms: int, late: str, tmp_path: Path) -> None:
    with guest("exit_zoo", vms=vms, gdb=gdb) as at:
        at.gdb.break_at("main")
        breakpoint_ = at.gdb.break_at(late)
        assert at.gdb.cont().frame.function == "main"
        then = seen(at)
        assert at.gdb.monitor("snapshot save before").startswith("snapshot before: after ")
        assert at.gdb.cont().frame.function == late
        after = seen(at)
        assert after[0] != then[0]
        at.gdb.monitor("snapshot save after")
        for _ in range(2):
            restore(at, "before")
            assert seen(at) == then
            stop = at.gdb.cont()
            assert stop.frame.function == late, "its breakpoint is where it was, and main's is passed"
            assert seen(at) == after
        restore(at, "before")
        assert at.gdb.step_instruction().pc == then[0]["pc"] + 4
        restore(at, "after")
        assert seen(at) == after
        at.gdb.execute(f"delete {int(breakpoint_)}")
        assert [row["name"] for row in at.gdb.monitor_json("snapshot list")] == ["before", "after"]
        assert at.gdb.monitor(f"snapshot write before {tmp_path / 'file'}").startswith("snapshot before: ")
        assert at.gdb.monitor("snapshot delete all").strip() == "deleted 2"
        with pytest.raises(GdbError, match="there are no snapshots"):
            at.gdb.monitor("snapshot restore before")
        assert (tmp_path / "file").stat().st_size > 1000


@pytest.mark.parametrize("gdb", GDBS)
def test_what_has_ended_lives_again(gdb: str) -> None:
    with guest("exit_zoo", gdb=gdb) as at:
        at.gdb.break_at("main")
        at.gdb.cont()
        pc = at.gdb.read_register("pc")
        at.gdb.monitor("snapshot save")
        assert at.gdb.cont().ended
        assert "gdb does not know yet: `attach 1`" in at.gdb.execute("monitor snapshot restore 1")
        at.gdb.execute("attach 1")
        assert at.gdb.read_register("pc") == pc
        assert at.gdb.cont().ended
        assert at.console.count("zoo ok\n") == 2


def test_a_bare_machine_with_two_guests_goes_back() -> None:
    with debugged(BootConfig(image=PREBUILT / "type1.elf", memory=64 << 20), PREBUILT / "type1.elf", vms=0) as at:
        at.gdb.monitor("vmexit catch hvc")
        at.gdb.cont()
        then, text = seen(at), at.gdb.monitor("vmexit last")
        at.gdb.monitor("snapshot save")
        first = [(at.gdb.cont().pc, at.gdb.monitor("vmexit last")) for _ in range(3)]
        restore(at, "1")
        assert (seen(at), at.gdb.monitor("vmexit last")) == (then, text)
        assert [(at.gdb.cont().pc, at.gdb.monitor("vmexit last")) for _ in range(3)] == first


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    yield from served(tmp_path, ZOO, "--memory", "64M")


def test_gdbhv_snapshot_restore_flushes_what_gdb_knew(address: str) -> None:
    text = gdb(
        address,
        'printf "first=%#lx\\n", $pc',
        "gdbhv snapshot save start",
        "break zoo_wfi",
        "continue",
        'printf "late=%#lx\\n", $pc',
        "gdbhv snapshot restore start",
        'printf "again=%#lx\\n", $pc',
        "continue",
        'printf "late2=%#lx\\n", $pc',
        "gdbhv reset",
        'printf "reset=%#lx\\n", $pc',
    )
    found = dict(line.split("=") for line in text.splitlines() if line.startswith(("first=", "late", "again=", "reset=")))
    assert found["first"] == found["again"] == found["reset"] != found["late"] == found["late2"], text
    assert "gdb shows what it knew before" not in text
