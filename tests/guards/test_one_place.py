"""What one place knows, no other asks or spells again: numbers of exit classes, bits of syndromes, kinds of targets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from conftest import ROOT
from gdbhv import _core
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.target import Target

PAGE = 0x1000  # and the class of EC 0
NUMBERS = {row["number"] for row in _core.exit_classes()} - {PAGE}
SYNDROMES = {"esr", "iss", "syndrome"}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted((ROOT / "gdbhv").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def is_syndrome(node: ast.expr) -> bool:
    """``esr``, ``record["esr"]``, ``x.esr``, or an operation on one of them."""
    match node:
        case ast.Name(name) | ast.Attribute(_, name) | ast.Subscript(_, ast.Constant(str(name))):
            return name in SYNDROMES
        case ast.BinOp(left, _, right):
            return is_syndrome(left) or is_syndrome(right)
    return False


def is_taken_apart(node: ast.AST) -> bool:
    """Whether it is ``esr >> 26`` or ``esr & 0x40``."""
    match node:
        case ast.BinOp(left, ast.RShift() | ast.BitAnd(), ast.Constant(int())):
            return is_syndrome(left)
        case ast.BinOp(ast.Constant(int()), ast.BitAnd(), right):
            return is_syndrome(right)
    return False


def test_no_exit_class_is_spelled_by_number() -> None:
    found = [
        place
        for place, node in nodes()
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in NUMBERS
    ]
    assert not found, "say tables.exit_classes()[NAME], or the record's class"


def test_no_syndrome_is_taken_apart_by_hand() -> None:
    found = [place for place, node in nodes() if is_taken_apart(node)]
    assert not found, "tables.iss_field(CLASS, FIELD) knows where a field is"


def test_taking_apart_is_noticed() -> None:
    for text in ("esr >> 26", "record['esr'] >> 5 & 31", "r.esr & 0x40", "1 & iss", "esr & 0x180 == 0x100"):
        assert any(is_taken_apart(node) for node in ast.walk(ast.parse(text))), text
    for text in ("esr & WNR.mask", "value >> 26", "len(esr) & 1"):
        assert not any(is_taken_apart(node) for node in ast.walk(ast.parse(text))), text


ADDRESSES = {row["base"] for gic in (2, 3) for row in _core.board(gic)} - {0} | {_core.RAM_BASE}


def test_no_address_of_the_board_is_spelled_again() -> None:
    found = [
        place
        for place, node in nodes()
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in ADDRESSES
    ]
    assert not found, "say tables.board()[NAME], or _core.RAM_BASE"


def core_sources() -> Iterator[tuple[str, str]]:
    """The Rust sources without their tests: path, text without comments."""
    for crate in ("model", "py"):
        for path in sorted((ROOT / "gdbhv/core" / crate / "src").rglob("*.rs")):
            if not re.search("tests|contract", path.name):
                text = path.read_text().partition("#[cfg(test)]\nmod")[0]
                yield f"{path.relative_to(ROOT / 'gdbhv/core')}", re.sub(r"//.*", "", text)


def test_what_is_said_of_a_device_is_said_in_its_row() -> None:
    """Its addresses and its interrupt; its name is in its own file too, and a test of ``board.rs`` compares the two."""
    names = {row["name"] for row in _core.board() if row["device"]}
    spelled: dict[str, set[str]] = {"an address": set(), "an interrupt": set()}
    named: dict[str, set[str]] = {name: set() for name in names}
    for path, text in core_sources():
        if {int(n.replace("_", ""), 16) for n in re.findall(r"\b0x[0-9a-f_]+", text)} & ADDRESSES:
            spelled["an address"].add(path)
        if re.search(r"\bSPI \+|\+ SPI\b", text):
            spelled["an interrupt"].add(path)
        for name in set(re.findall(r'"([\w-]+)"', text)) & names:
            named[name].add(path)
    assert spelled == {what: {"model/src/board.rs"} for what in spelled}
    for name, paths in named.items():
        assert paths - {"model/src/board.rs"} <= {next(p for p in paths if "/dev/" in p)}, name


VALUE = r"(?:\w*(?:hcr|hcrx|sctlr|tcr|cptr|mdcr|mdscr|cpacr|spsr)|cpu\.get\([A-Z]\w+\))"
BY_NUMBER = re.compile(rf"\bbits?\({VALUE}, ?\d|(?<![\w.]){VALUE} (?:>>|&) \(?\d")
BITS_BY_NUMBER = {
    "mmu/tlbi.rs": 5,
    "selfhosted.rs": 1,  # VTTBR_EL2.VMID with VMID_hi
    "stops.rs": 1,  # the same
}
"""By file, how often a bit has a number and not yet a name."""


def test_control_bits_have_names() -> None:
    found = {path: len(BY_NUMBER.findall(text)) for path, text in core_sources()}
    left = {path.removeprefix("model/src/"): n for path, n in found.items() if n}
    assert left == BITS_BY_NUMBER, "say field!(REGISTER.FIELD), which knows where a field is"


def test_bits_by_number_are_noticed() -> None:
    for text in (
        "bit(hcr, 27)",
        "cpu.get(HCR_EL2) >> 27 & 1",
        "bits(vtcr, 5, 0)",
        "x = hcr & (1 << 34 | 1 << 27)",
        "bit(cpu.get(VTCR_EL2), 19)",
    ):
        assert BY_NUMBER.search(text), text
    for text in ("field!(HCR_EL2.TGE).is_set(hcr)", "hcr & hcr::TGE != 0", "bit(va, 55)", "nvx(hcr) & 3"):
        assert not BY_NUMBER.search(text), text


ENCODINGS = {row["encoding"] for row in _core.registers("max")}


def test_no_register_is_spelled_by_number() -> None:
    """Its encoding is in its row: in Rust ``reg::names`` has it, in Python ``tables.encoding(NAME)``."""
    found = [
        place
        for place, node in nodes()
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in ENCODINGS
    ]
    found += [path for path, text in core_sources() if "/reg/" not in path and re.search(r"\bReg(?:::new)?\(\d", text)]
    assert not found


def test_no_list_of_features_besides_the_table() -> None:
    """Which cores have a feature, and where ID registers tell of it, is in its row of ``feature.rs``."""
    pattern = re.compile(r"&\[(?:\(?(?:Feature::)?(?:LSE|PAN|VHE|FP16|NV2)\b|[^]]*Feature::\w+, *Feature::)")
    found = [path for path, text in core_sources() if pattern.search(text)]
    assert not found, "a column of feature.rs says it"


def test_no_one_asks_which_target_it_has() -> None:
    """What differs between them is a member of :class:`gdbhv.target.Target`."""
    found = []
    for place, node in nodes():
        match node:
            case ast.Call(ast.Name("isinstance"), [_, kinds]):
                names = {n.id for n in ast.walk(kinds) if isinstance(n, ast.Name)}
                found += [place] * bool(names & {"HostTarget", "HostInspection", "Machine"})
    assert not found, "make it a property or a method of Target"


def test_both_targets_have_what_a_target_has() -> None:
    members = {name for name in vars(Target) if not name.startswith("_")} | set(Target.__annotations__)
    targets = Machine(), HostTarget(Host())
    assert {"place", "hosted", "catchers"} <= members
    for target in targets:
        assert not [name for name in members if not hasattr(target, name)], target
