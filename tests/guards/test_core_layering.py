"""The core's layers: which module of gdbhv/core/model/src may use which.

The table is the truth, and it is exact: a use that it does not have fails, and so does an entry that no use needs. A
module is a file or a folder of ``src``. It may use only what stands above it here, so that there is no circle; files
within one folder may form the circles of CIRCLES, and no others. Tests (``#[cfg(test)]`` and files of tests) may use
anything.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from conftest import ROOT

SOURCE = ROOT / "gdbhv/core/model/src"

# module: what it uses, the lowest first
LAYERS = {
    "bits": "",
    "crc": "",
    "feature": "",
    "fp": "",
    "mem": "bits",
    "raise": "",
    "syndrome": "",
    "cores": "feature",
    "reg": "bits feature",
    "hcr": "reg",
    "pstate": "bits hcr reg",
    "config": "cores feature",
    "save": "",
    "agent": "",
    "dev": "bits mem raise reg save",
    "bus": "dev mem save",
    "cpu": "pstate raise reg save",
    "chaos": "cpu",
    "board": "bus dev",
    "fpen": "cpu reg",
    "mmu": "bits cpu hcr reg save",
    "selfhosted": "bits cpu reg",
    "timer": "bits cpu dev hcr reg",
    "fdt": "board dev",
    "guest": "cpu mmu reg",
    "vms": "cpu mmu reg",
    "stops": "bits cpu hcr reg vms",
    "profile": "bits config cpu feature reg timer",
    "account": "cpu",
    "trace": "account dev",
    "repeat": "cpu raise",
    "exit": "cpu guest hcr mmu raise reg syndrome",
    "sieve": "exit reg",
    "exits": "account cpu dev exit mmu raise reg repeat save sieve trace vms",
    "platform": "bus config cpu dev mem profile save",
    "pmu": "bits cpu feature mem platform reg",
    "tlbcheck": "cpu mem mmu reg bits",
    "shared": "config cpu exits mmu platform save stops tlbcheck",
    "pe": "cpu mmu save selfhosted shared",
    "physical": "mem mmu platform",
    "psci": "cpu platform",
    "serror": "cpu feature platform raise reg syndrome",
    "debug_events": "cpu pe raise selfhosted syndrome",
    "exception": "bits cpu feature fpen hcr mmu platform pmu pstate raise reg selfhosted serror syndrome",
    "access": "bits debug_events exception feature hcr mem mmu pe physical raise reg shared stops syndrome tlbcheck",
    "sysreg": "bits config cpu dev exception feature fpen hcr pe platform pmu profile pstate raise reg selfhosted "
    "serror shared syndrome timer",
    "inspect": "cpu pe pstate reg shared sysreg",
    "halt": "agent cpu inspect mmu physical reg shared stops",
    "isa": "access bits cpu exception feature fp hcr mem mmu pe platform pmu psci pstate raise reg selfhosted serror "
    "shared syndrome sysreg timer",
    "ir": "feature fp isa mem",
    "exec": "access bits cpu crc debug_events exception feature fp fpen halt isa mem mmu pe pmu pstate raise selfhosted "
    "shared syndrome sysreg",
    "machine": "access board bus chaos config cores cpu dev exception exec exit exits feature halt hcr isa mem mmu pe "
    "physical platform pmu pstate raise reg save serror shared sieve stops sysreg timer",
}

# Files of one folder that use each other, and why.
CIRCLES = [
    {"access", "access::place"},  # two halves of one thing: where an access goes, and making it
    {
        "dev",
        "dev::fw_cfg",
        "dev::pci",
        "dev::pci::function",
        "dev::pl061",
        "dev::virtio",
    },  # what a device has besides registers is asked for by its type
    # Methods of one struct, the interrupt controller, by part.
    {
        "dev::gic",
        "dev::gic::cpuif",
        "dev::gic::hyp",
        "dev::gic::its",
        "dev::gic::its::command",
        "dev::gic::its::table",
        "dev::gic::lives",
        "dev::gic::lpi",
        "dev::gic::redist",
    },
    {"dev::gic::v2", "dev::gic::v2::cpu", "dev::gic::v2::msi"},  # the same
    {"exec::code", "exec::interp"},  # an op holds the function that executes it, and such functions go on to the next op
    {"exit", "exit::naming", "exit::record"},  # the table of classes, and one exit: a class's name is made of it
    {"machine", "machine::place", "machine::reset", "machine::snapshot", "machine::step"},  # methods of one struct
    {"sieve", "sieve::condition"},  # a condition looks at what is sifted, and is a part of a row
]


def files() -> dict[str, Path]:
    """The files by the path of their module, tests left out."""
    found = {}
    for path in sorted(SOURCE.rglob("*.rs")):
        if path.name != "lib.rs" and not re.search("tests|contract", path.name):
            found["::".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("::mod")] = path
    return found


FILES = files()


def flat(path: str) -> list[str]:
    """``a::{b, c::{d}}`` as ``a::b`` and ``a::c::d``."""
    head, brace, rest = path.partition("{")
    if not brace:
        return [path.strip()]
    parts, depth, start = [], 0, 0
    body = rest[: rest.rindex("}")]
    for i, c in enumerate(body + ","):
        depth += (c == "{") - (c == "}")
        if c == "," and depth == 0:
            parts.append(body[start:i].strip())
            start = i + 1
    return [head.strip() + tail for part in parts if part for tail in flat(part)]


def targets(module: str) -> Iterator[str]:
    """The modules that a file names, by ``crate::`` and ``super::``."""
    text = re.sub(r"#\[cfg\(test\)\]\n(#\[path = .*\]\n)?(pub )?mod \w+;", "", FILES[module].read_text())
    text = text.partition("#[cfg(test)]\nmod")[0]
    text = re.sub(r"//.*", "", text)
    own = module.split("::")
    # A folder's mod.rs names its files without a prefix.
    inner = [
        m for m in FILES if m.rpartition("::")[0] == module and re.search(rf"(?<![\w:]){m.rpartition('::')[2]}::", text)
    ]
    yield from inner
    for match in re.finditer(r"\b(crate|super)(?=::)((?:::\w+)*)(::\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})?", text):
        root = [] if match[1] == "crate" else own[:-1]
        for path in flat((match[2] + (match[3] or "")).removeprefix("::")):
            parts = root + [p.split(" ")[0] for p in path.split("::") if p and p != "self"]
            names = ("::".join(parts[:n]) for n in range(len(parts), 0, -1))
            found = next((name for name in names if name in FILES), None)
            if found and found != module:
                yield found


USES = {module: set(targets(module)) for module in FILES}


def tops(modules: Iterable[str]) -> set[str]:
    return {module.split("::")[0] for module in modules}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected sets of more than one module (each reaches each)."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for module in graph[todo.pop()] - seen:
                seen.add(module)
                todo.append(module)
        return seen

    reached = {module: reach(module) for module in graph}
    sets = {frozenset(m for m in reached[module] if module in reached[m]) for module in graph}
    return sorted((set(s) for s in sets if len(s) > 1), key=sorted)


def test_uses_are_those_of_the_table() -> None:
    actual: dict[str, set[str]] = defaultdict(set)
    for module, used in USES.items():
        top = module.split("::")[0]
        actual[top] |= tops(used) - {top}
    assert actual == {module: set(row.split()) for module, row in LAYERS.items()}


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    for module, row in LAYERS.items():
        assert set(row.split()) <= done, f"{module} uses what comes after it"
        done.add(module)


def test_circles_of_files_are_those_allowed() -> None:
    assert circles(USES) == CIRCLES
