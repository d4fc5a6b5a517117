"""What the record of an exit says, against EL2's registers as the hypervisor finds them, at every exit of every program.

The rules are written here once more, from the Arm ARM: the model's own (exit/record.rs, exit/naming.rs) are not asked.
ESR_EL2 is D24.2.40, FAR_EL2 D24.2.45, HPFAR_EL2 D24.2.66, preferred return addresses D1.3.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from conftest import ROOT
from gdbhv import _core, boot, image, tables
from gdbhv.target import StopKind
from system.test_system import BUDGET, MEMORY, facts

PREBUILT = ROOT / "guests" / "prebuilt"
PROGRAMS = [*sorted(PREBUILT.glob("system_*.elf")), PREBUILT / "type1.elf"]

Read = Callable[[str], int]

CLASS = {
    0x01: "wfx", 0x07: "fp", 0x15: "svc", 0x16: "hvc", 0x17: "smc", 0x18: "sysreg", 0x1A: "eret", 0x20: "iabt", 0x24: "dabt",
    0x25: "vncr", 0x2F: "serror", 0x30: "bp", 0x32: "step", 0x34: "wp", 0x35: "wp", 0x3C: "brk",
}  # fmt: skip
ASYNC = {"irq": 0x1100, "fiq": 0x1101}
KINDS = {0b0000: "asize", 0b0001: "trans", 0b0010: "af", 0b0011: "perm", 0b0101: "sea.walk"}
STATUS = {0x10: "sea", 0x13: "sea.walk.l-1", 0x21: "align", 0x29: "asize.l-1", 0x2B: "trans.l-1"}
MAINTENANCE = ("eoi", "u", "lrenp", "np", "vgrp0e", "vgrp0d", "vgrp1e", "vgrp1d")


def status(fsc: int) -> str:
    """Return the words of a fault status code, of those that a stage 2 without FEAT_RME, FEAT_MTE2 and FEAT_D128 has."""
    return STATUS.get(fsc) or f"{KINDS[fsc >> 2]}.l{fsc & 3}"


def word(on: int, text: str, otherwise: str = "") -> str:
    return text if on else otherwise


def sysreg(iss: int) -> str:
    """Return the name of a trapped MSR, MRS or system instruction, without that of the instruction."""
    op0, op2, op1, crn, crm = iss >> 20 & 3, iss >> 17 & 7, iss >> 14 & 7, iss >> 10 & 15, iss >> 1 & 15
    if op0 < 2:
        return "sysinsn:"
    code = op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
    names = {r.encoding: r.name for r in tables.registers().values()}
    return f"sysreg.{word(iss & 1, 'read', 'write')}:{names.get(code, f'S{op0}_{op1}_C{crn}_C{crm}_{op2}')}"


def name_of(esr: int, cause: list[str]) -> str:
    """Return what an exit with this syndrome is called."""
    ec, iss = esr >> 26, esr & 0x1FFFFFF
    kind = CLASS[ec]
    direction, cm = f".{word(iss >> 6 & 1, 'w', 'r')}", word(iss >> 8 & 1, ".cm")
    walk = word(iss >> 7 & 1, ".s1ptw") + word(cause == ["HCR_EL2.PTW"], ".ptw")
    match kind:
        case "wfx":
            return f"wfx.{('wfi', 'wfe', 'wfit', 'wfet')[iss & 3]}"
        case "eret":
            return f"eret.{('eret', 'eret', 'eretaa', 'eretab')[iss & 3]}"
        case "svc" | "hvc" | "smc" | "brk":
            return f"{kind}:{iss & 0xFFFF:#x}"
        case "sysreg":
            return sysreg(iss)
        case "iabt":
            return f"iabt.{status(iss & 0x3F)}{walk}.x"
        case "dabt":
            return f"dabt.{status(iss & 0x3F)}{walk}{direction}.{word(iss >> 24, 'isv', 'noisv')}{cm}"
        case "vncr":
            return f"vncr.{status(iss & 0x3F)}{direction}"
        case "wp":
            return f"wp{word(iss >> 13 & 1, '.vncr')}{direction}{cm}"
    return kind


def interrupt(record: Any) -> str:
    """Return what an interrupt is called, by the INTID that it had."""
    n = record["intid"]
    if n is None:
        return record["class"]
    line = next(
        text for last, text in ((15, f"sgi{n}"), (31, f"ppi{n}"), (1019, f"spi{n}"), (1 << 24, f"lpi{n}")) if n <= last
    )
    why = [text for bit, text in enumerate(MAINTENANCE) if record["misr"] >> bit & 1]
    return ".".join((record["class"], "maint" if n == 25 else line, *why))


def hpfar_is_valid(esr: int) -> bool:
    """Whether HPFAR_EL2 is not UNKNOWN: faults of stage 2 but permission faults of the access itself (D24.2.66)."""
    kinds = ("asize", "trans", "af", "perm") if esr >> 7 & 1 else ("asize", "trans", "af")
    return esr >> 26 in (0x20, 0x24) and status(esr & 0x3F).split(".")[0] in kinds


def wrong(record: Any, read: Read, x: Callable[[int], int], code: Callable[[], int | None]) -> list[str]:
    """Return what of a record is not what the registers say.

    :param read: a system register of the CPU at the exit.
    :param x: a general-purpose register.
    :param code: the word at ``record["pc"]``, None if there is none to read.
    """
    esr, iss, spsr, hcr = record["esr"], record["esr"] & 0x1FFFFFF, read("SPSR_EL2"), read("HCR_EL2")
    kind, asynchronous = record["class"], record["class"] in ASYNC
    ec = esr >> 26
    same = [
        ("seq", record["seq"] > 0, True),
        ("el", record["el"], spsr >> 2 & 3),
        ("spsr", record["spsr"], spsr),
        ("vmid", record["vmid"], read("VTTBR_EL2") >> 48 & (0xFFFF if read("VTCR_EL2") >> 19 & 1 else 0xFF)),
        ("nv", record["nv"], hcr >> 42 & 1 and 1 + (hcr >> 45 & 1)),
        ("args", record["args"], [x(n) for n in range(4)]),
        ("class", kind, kind if asynchronous else CLASS[ec]),
        ("number", record["number"], ASYNC[kind] if asynchronous else 0x1034 if kind == "wp" else 0x1000 + ec),
        ("esr", esr, 0 if asynchronous else read("ESR_EL2")),
        ("pc", record["pc"], read("ELR_EL2") - (4 if kind == "hvc" else 0)),  # a trapped SVC or SMC returns to itself
        ("intid", record["intid"] is not None and not asynchronous, False),
        ("misr", record["misr"] and record["intid"] != 25, 0),
    ]
    far = read("FAR_EL2") if ec in (0x20, 0x24, 0x25, 0x34, 0x35) and not asynchronous else None
    same.append(("far", record["far"], far))
    expected = interrupt(record) if asynchronous else name_of(esr, record["cause"])
    same.append(("name", record["name"] if expected[-1] != ":" else record["name"].partition(":")[0] + ":", expected))
    transfers = kind == "sysreg" or (kind == "dabt" and iss >> 24)
    rt = (iss >> 5 if kind == "sysreg" else iss >> 16) & 31 if transfers else None
    same += [("rt", record["rt"], rt), ("rt_value", record["rt_value"], None if rt is None else 0 if rt == 31 else x(rt))]
    executing = not asynchronous and kind not in ("serror", "iabt", "step", "bp")
    if executing and record["insn"] is not None:
        same.append(("insn", record["insn"], code()))
    elif executing or record["insn"] is not None:
        same.append(("insn", record["insn"] is not None, executing or kind == "bp"))
    valid = not asynchronous and hpfar_is_valid(esr)
    same.append(("hpfar_valid", record["hpfar_valid"], valid))
    if valid:
        same.append(("ipa", record["ipa"] and record["ipa"] >> 12, read("HPFAR_EL2") >> 4 & (1 << 40) - 1))
        if not esr >> 7 & 1:
            same.append(("ipa", record["ipa"] & 0xFFF, record["far"] & 0xFFF))
    elif not asynchronous and ec in (0x20, 0x24) and status(esr & 0x3F).startswith("perm"):
        same.append(("ipa", record["ipa"] is not None, True))  # the true one, though HPFAR_EL2 is UNKNOWN
    return [f"{what}: {got!r}, not {right!r}" for what, got, right in same if got != right]


def judge(machine: _core.Machine, record: Any) -> list[str]:
    """Return what is wrong with a record, on the machine that stands at its exit."""
    cpu = record["cpu"]

    def code() -> int | None:
        walk = machine.translate(cpu, record["pc"], el=machine.read_register(cpu, "SPSR_EL2") >> 2 & 3, access="fetch")
        return int.from_bytes(machine.read_pa(walk["pa"], 4), "little") if "pa" in walk else None

    return wrong(record, lambda name: machine.read_register(cpu, name), lambda n: machine.x(cpu, n), code)


def exits(program: Any) -> Iterator[tuple[_core.Machine, Any]]:
    """Run a program of the bare board, and stop at each of its exits."""
    topic = program.stem.removeprefix("system_")
    gic = 3 if topic == "type1" else facts(topic).get("gic", 3)
    machine = _core.Machine(cpus=2, memory=MEMORY, cpu="max", hosted=False, gic=gic)
    loaded = image.load(program)
    for address, data in loaded.segments:
        machine.write_pa(address, data)
    machine.write_register(0, "pc", loaded.entry)
    machine.catch_exits([row["number"] for row in tables.exit_classes().values()])
    while (stop := machine.run(BUDGET))["kind"] == "caught":
        yield machine, machine.exit_record(stop["cpu"])
    assert stop["kind"] == "poweroff"


@cache
def looked_at() -> tuple[Counter[str], list[str]]:
    """Return how many exits of each class there were, and the first of each kind that are wrong."""
    count: Counter[str] = Counter()
    found: dict[str, str] = {}
    for program in PROGRAMS:
        for machine, record in exits(program):
            count[record["class"]] += 1
            for what in judge(machine, record):
                found.setdefault(
                    f"{record['class']} {what.partition(':')[0]}", f"{program.stem}: {record['name']} {what}: {record}"
                )
    return count, list(found.values())


def test_records_of_a_hypervisor_at_el2() -> None:
    count, found = looked_at()
    assert found == []
    assert sum(count.values()) > 10_000
    assert set(count) >= {*CLASS.values(), *ASYNC} - {"serror"}, "tests/hv/test_serror.py injects those"


def test_records_of_the_zoo_hosted() -> None:
    count: Counter[str] = Counter()
    found: list[str] = []
    target = boot.hosted(boot.BootConfig(image=PREBUILT / "exit_zoo.elf", memory=256 << 20))

    def look(_: Any, record: Any) -> None:
        count[record["class"]] += 1
        found.extend(f"{record['name']} {what}: {record}" for what in judge(target.machine, record))

    target.host.on_exit.append(look)
    assert target.run_all().kind is StopKind.POWEROFF
    assert found == []
    assert set(count) >= {"wfx", "fp", "hvc", "smc", "sysreg", "iabt", "dabt", "irq"}


def changed(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case str():
            return value.replace("dabt", "iabt")
        case list():
            return [n ^ 1 for n in value]
        case bool():
            return not value
    return value ^ 1


FIELDS = "el spsr vmid nv args class number esr pc far name rt rt_value insn hpfar_valid"


@pytest.mark.parametrize("what", FIELDS.split())
def test_a_wrong_field_is_found(what: str) -> None:
    """The comparison can fail."""
    machine, record = next((m, r) for m, r in exits(PREBUILT / "type1.elf") if r["class"] == "dabt" and r["rt"] is not None)
    seen = judge(machine, record | {what: changed(record[what])})
    assert judge(machine, record) == []
    assert what in {line.partition(":")[0] for line in seen}


def test_a_wrong_address_is_found() -> None:
    """The IPA's page is HPFAR_EL2's, its offset FAR_EL2's."""
    machine, record = next((m, r) for m, r in exits(PREBUILT / "type1.elf") if r["hpfar_valid"])
    for bit in (0, 11, 12, 30):
        assert [line.partition(":")[0] for line in judge(machine, record | {"ipa": record["ipa"] ^ 1 << bit})] == ["ipa"]
