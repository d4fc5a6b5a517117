"""What changes a machine from outside goes through its door (gdbhv/inputs.py), or no recording has it.

Nobody who serves a user calls a method that changes the model or the hypervisor behind the target; and in the two targets
only the methods do that by which the door lets something in, and those of :data:`OTHERS`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import inputs

PACKAGE = ROOT / "gdbhv"

# Methods of _core.Machine, Host, Vm, Vcpu and the devices that change what a guest sees.
MODEL = set(
    "write_pa zero_pa write_register set_x msr msr_many set_gprs set_vregs software_increment set_power cpu_on eret "
    "inject_serror end_turn bus_write set_spi press_power_button push_input set_fw_cfg invalidate_vm "
    "clear_exit_counts restore import_snapshot reset receive power_on boot stop set_control set_v zero load load_bytes "
    "allow leave schedule resume wake kick take_typed".split()
)
# What is called so on a target is its door's side; on these it is the model's.
MODEL_NAMES = {"core", "machine", "host", "scheduler", "vm", "vcpu", "v", "uart", "_core", "model"}
PUTS = {name for name in dir(inputs.Outside) if name.startswith("put_")}

AGAIN = {"_load", "jumped", "_give"}  # how a target begins, and goes on at a snapshot; answers from inside a machine

# Who serves users: (file, call): why it is none of the guest's business.
SERVING = ["rsp", "monitor", "cli", "console", "views", "client", "gdbside"]
ALLOWED: dict[tuple[str, str], str] = {}

# Methods of the targets that change the model besides put_*.
OTHERS = {
    "machine/machine.py": {
        "_load": "before anything runs, and as part of a reset",
    },
    "board/calls.py": {"take_typed": "what has come in already"},
    "hv/hosttarget.py": {
        "_settle": "CPUs look for something to run: no change if nothing has come in",
        "_turn": "the hypervisor's own work",
        "load_beside": "a snapshot is restored",
    },
    "hv/inspection.py": {
        "loaded": "registers of a vCPU that is on no CPU, put back afterwards",
        "_entering": "list registers, put back afterwards",
    },
}


def last_name(node: ast.expr) -> str:
    """``b`` of ``a.b``; ``a`` of ``a`` and ``a()``."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST, names: set[str]) -> Iterator[tuple[str, str]]:
    """The calls of methods with one of ``names``: on what, and which."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield last_name(node.func.value), node.func.attr


def changes(tree: ast.AST) -> set[str]:
    return {f"{on}.{method}" for on, method in calls(tree, MODEL) if on in MODEL_NAMES or on == "m"}


def serving() -> list[Path]:
    return [path for name in SERVING for path in sorted((PACKAGE / name).rglob("*.py"))]


def test_who_serves_users_changes_nothing_behind_the_door() -> None:
    found = set()
    for path in serving():
        tree, name = ast.parse(path.read_text()), str(path.relative_to(PACKAGE))
        found |= {(name, call) for call in changes(tree)}
        found |= {(name, f"{on}.{put}") for on, put in calls(tree, PUTS)}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("file", OTHERS)
def test_targets_change_the_model_where_the_door_lets_something_in(file: str) -> None:
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("put_") and changes(node):
            found.add(node.name)
    assert found == set(OTHERS[file])


def test_only_the_door_lets_something_in() -> None:
    """``put_*`` is called by inputs alone; and within a target by one of them, or by :data:`AGAIN`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "inputs.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("put_") and node.name not in AGAIN:
                assert not list(calls(node, PUTS)), (path, node.name)


def test_the_check_itself() -> None:
    assert changes(ast.parse("context.core.write_register(0, 'x0', 1)")) == {"core.write_register"}
    assert changes(ast.parse("context.target.write_register(t, 'x0', 1)")) == set()
    assert {"put_typed", "put_register", "put_memory"} <= PUTS
