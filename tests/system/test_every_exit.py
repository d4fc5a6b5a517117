"""Every class of exits and every word of their names is caused by a guest; and nothing comes to EL2 that has no class.

The words are those of the table of classes (exit.rs). What no guest causes is listed with the reason, and leaves the list
when one does.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache

from conftest import ROOT
from gdbhv import _core, boot, image, tables
from gdbhv.target import StopKind
from system.test_system import BUDGET, MEMORY, facts

PREBUILT = ROOT / "guests" / "prebuilt"
SYNDROME = (ROOT / "gdbhv/core/model/src/syndrome.rs").read_text()

EL1 = "taken at EL1 while HCR_EL2.TGE is 0"
ABSENT = "the model has no such feature"
ERRORS = "no guest makes memory fail: tests/hv/test_serror.py and tests/monitor/inject.txt inject it"
NOT_CAUSED = {
    "pac": ABSENT,
    "sve": ABSENT,
    "eret.eretaa": ABSENT,
    "eret.eretab": ABSENT,
    **dict.fromkeys(("unknown", "illegal_state", "pc_align", "sp_align"), EL1),
    **{f"{name}.fsc0x[0-9a-f][0-9a-f]": "a status that has a name" for name in ("iabt", "dabt", "vncr")},
    "iabt.walk": "tables outside memory: only by data accesses",
    "iabt.align": "an instruction is aligned",
    "iabt.l-1": "of data accesses only",
    "dabt.ptw": "the fetch of the instruction comes first",
    "vncr.asize": "the page of a nested hypervisor has a translation of EL2, in whose tables no guest has a wide address",
    "vncr.walk": "the same",
    "vncr.align": "a register of 8 bytes is aligned",
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
        subs = set(row["subs"]) - tables.exit_absent_words().keys()
        missing |= {f"{name}.{sub}" for sub in subs if not any(fnmatchcase(w, sub) for w in words)}
        assert not words & tables.exit_absent_words().keys()
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


ZERO = {"CNTHCTL_EL2.EL1PCEN", "CNTHCTL_EL2.EL1PTEN", "CNTHCTL_EL2.EL1PCTEN", "ICC_SRE_EL2.Enable", "CPTR_EL2.FPEN"}
"""Controls that provoke exits while they are 0 (Arm ARM D24.10.2, D24.2.33; IHI 0069, 12.2)."""


def test_controls_that_provoke_exits_are_set() -> None:
    """What an exit's record blames is so in the registers, as the hypervisor finds them; only HVC needs no control."""
    lists: set[tuple[str, tuple[str, ...]]] = set()
    blamed: set[str] = set()
    clear: set[str] = set()
    for path in (*sorted(PREBUILT.glob("system_*.elf")), PREBUILT / "type1.elf"):
        topic = path.stem.removeprefix("system_")
        gic = 3 if path.stem == "type1" else facts(topic).get("gic", 3)
        machine = _core.Machine(cpus=2, memory=MEMORY, cpu="max", hosted=False, gic=gic)
        loaded = image.load(path)
        for address, data in loaded.segments:
            machine.write_pa(address, data)
        machine.write_register(0, "pc", loaded.entry)
        machine.catch_exits([row["number"] for row in tables.exit_classes().values()])
        while (stop := machine.run(BUDGET))["kind"] == "caught":
            record = machine.exit_record(stop["cpu"])
            one = record["name"].partition(":")[0], tuple(record["cause"])
            if one in lists:
                continue
            lists.add(one)
            assert record["cause"] or record["class"] == "hvc", record
            for name in record["cause"]:
                blamed.add(name)
                register, _, field = name.partition(".")
                value = machine.read_register(stop["cpu"], register)
                fields = [f for f in tables.register(register).fields if f.name == field]
                assert fields, name
                if not any(f.of(value) for f in fields):
                    clear.add(name)
    assert clear == ZERO
    assert len(lists) > 150
    assert len(blamed) > 60
