"""Every class of exits and every word of their names is caused by a guest; and nothing comes to EL2 that has no class.

The words are those of the table of classes (exit.rs). What no guest causes is listed with the reason, and leaves the list
when one does.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache

from conftest import ROOT
from gdbhv import boot, tables
from gdbhv.target import StopKind

PREBUILT = ROOT / "guests" / "prebuilt"
SYNDROME = (ROOT / "gdbhv/core/model/src/syndrome.rs").read_text()

EL1 = "taken at EL1 while HCR_EL2.TGE is 0"
ABSENT = "the model has no such feature"
NO_FAULT = "the model never reports it"
ERRORS = "no guest makes memory fail: tests/hv/test_serror.py and tests/monitor/inject.txt inject it"
NOT_CAUSED = {
    "pac": ABSENT,
    "sve": ABSENT,
    "eret.eretaa": ABSENT,
    "eret.eretab": ABSENT,
    **dict.fromkeys(("unknown", "illegal_state", "pc_align", "sp_align"), EL1),
    **{f"{name}.{word}": NO_FAULT for name in ("iabt", "dabt", "vncr") for word in ("tlbconflict", "hwupdate")},
    **{f"{name}.fsc0x[0-9a-f][0-9a-f]": "a status that has a name" for name in ("iabt", "dabt", "vncr")},
    "iabt.walk": "tables outside memory: only by data accesses",
    "iabt.align": "an instruction is aligned",
    "iabt.exclusive": "of data accesses only",
    "iabt.l-1": "of data accesses only",
    "dabt.exclusive": NO_FAULT,
    "vncr.asize": "the page of a nested hypervisor has a translation of EL2, in whose tables no guest has a wide address",
    "vncr.walk": "the same",
    "vncr.align": "a register of 8 bytes is aligned",
    "vncr.exclusive": "a register is no exclusive access",
    "vncr.l-1": "EL2 has four levels",
    **{f"serror.{word}": ERRORS for word in "uc ueu ueo uer ce aet[457] impdef uncategorized fsc0x[0-9a-f][0-9a-f]".split()},
    "serror": ERRORS,
    "wp.cm": "no guest watches what it maintains",
    **{
        f"{name}.{word}": "tests/monitor/test_catching.py"
        for name in ("irq", "fiq")
        for word in "maint eoi u lrenp np vgrp0e vgrp0d vgrp1e vgrp1d".split()
    },
    **{f"{name}.{word}": "no guest uses it under a hypervisor" for name in ("irq", "fiq") for word in ("lpi[0-9]*",)},
    **{f"{name}.intid[0-9]*": "a reserved INTID" for name in ("irq", "fiq")},
    **{f"fiq.{word}": "guests take group 0 by SGI only" for word in ("ppi[0-9]*", "spi[0-9]*")},
}


@cache
def caused() -> dict[str, int]:
    """The names of all exits of the system programs, of the type-1 hypervisor and of the zoo, with their numbers."""
    found: dict[str, int] = {}
    for path in (*sorted(PREBUILT.glob("system_*.elf")), PREBUILT / "type1.elf"):
        machine = boot.bare(boot.BootConfig(image=path, smp=2, memory=256 << 20))
        machine.run_all(50_000_000)
        found |= {row["name"].partition(":")[0]: row["number"] for row in machine.core.exit_counts()}
    hosted = boot.hosted(boot.BootConfig(image=PREBUILT / "exit_zoo.elf", memory=256 << 20))
    assert hosted.run_all().kind is StopKind.POWEROFF
    return found | {row["name"].partition(":")[0]: row["number"] for row in hosted.machine.exit_counts()}


def test_every_class_and_sub_reason_is_caused() -> None:
    missing = set()
    for name, row in tables.exit_classes().items():
        mine = [n for n in caused() if n.split(".")[0] in (name, *row["also"])]
        words = {word for n in mine for word in n.split(".")[1:]}
        missing |= {f"{name}.{sub}" for sub in row["subs"] if not any(fnmatchcase(w, sub) for w in words)}
        missing |= set() if mine else {name}
    assert missing == set(NOT_CAUSED)


def test_the_classes_partition_all_ways_into_el2() -> None:
    """Each exit is of the class whose number it has, and none of EC 0; each EC that the model raises has a row."""
    for name, number in caused().items():
        word = name.split(".")[0]
        (row,) = [r for r in tables.exit_classes().values() if r["number"] == number]
        assert word in (row["name"], *row["also"])
    assert len({row["number"] for row in tables.exit_classes().values()}) == len(tables.exit_classes())
    ecs = {name: int(value, 16) for name, value in re.findall(r"pub const ([A-Z0-9_]+): u8 = (0x[0-9a-f]+);", SYNDROME)}
    assert len(ecs) > 15
    rows = {row["ec"] for row in tables.exit_classes().values() if row["ec"] is not None}
    without = {name for name, ec in ecs.items() if ec not in rows}
    assert without == {"NV2_WATCHPOINT"}, "wp, told by its ISS"


def test_numbers_of_origins_are_apart() -> None:
    numbers = tables.exit_numbers()
    offsets = (0, *(offset for _, _, offset in tables.exit_origins()))
    assert len(numbers) == len(tables.exit_classes()) * len(offsets)
    assert not any(number & 0x200 for number in numbers), "that is the entry after it"
