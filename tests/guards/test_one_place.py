"""What one place knows, no other asks or spells again: numbers of exit classes, bits of syndromes, kinds of targets."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from conftest import ROOT
from gdbhv import _core
from gdbhv.hv.host import Host
from gdbhv.hv.target import HostTarget
from gdbhv.machine import Machine
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


def test_no_one_asks_which_target_it_has() -> None:
    """What differs between them is a member of :class:`gdbhv.target.Target`."""
    found = []
    for place, node in nodes():
        match node:
            case ast.Call(ast.Name("isinstance"), [_, kinds]):
                names = {n.id for n in ast.walk(kinds) if isinstance(n, ast.Name)}
                found += [place] * bool(names & {"HostTarget", "HostState", "Machine"})
    assert not found, "make it a property or a method of Target"


def test_both_targets_have_what_a_target_has() -> None:
    members = {name for name in vars(Target) if not name.startswith("_")} | set(Target.__annotations__)
    targets = Machine(), HostTarget(Host())
    assert {"place", "hosted", "catchers"} <= members
    for target in targets:
        assert not [name for name in members if not hasattr(target, name)], target
