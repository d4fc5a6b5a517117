"""Copies of the type-1 lab (guests/type1) with something added to its stage 2 and a mistake in that."""

from __future__ import annotations

import importlib.util
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from conftest import ROOT

HERE = Path(__file__).parent
GUESTS = ROOT / "guests"
CALL = ('    asm volatile("dsb ishst" ::: "memory");\n    return 1;\n}\n', "page_came(vm, ipa);")
MISTAKES = HERE / "mistakes.c"


@cache
def builder() -> Any:
    spec = importlib.util.spec_from_file_location("build_guests", ROOT / "scripts" / "build_guests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder: Path, mistake: str) -> Path:
    """Build the copy with a mistake of mistakes.c."""
    (hypervisor,) = (g for g in builder().manifest()["guest"] if g["name"] == "type1")
    copy = folder / "type1"
    shutil.copytree(GUESTS / "type1", copy)
    source = copy / "stage2.c"
    text = source.read_text()
    end, call = CALL
    assert text.count(end) == 1, "guests/type1/stage2.c has changed"
    text = text.replace(end, end.replace("return 1;", f"{call}\n    return 1;"))
    head = '#include "type1.h"\n'
    source.write_text(text.replace(head, f"{head}void page_came(struct vm *vm, u64 ipa);\n", 1) + MISTAKES.read_text())
    sources = [str(copy / Path(name).name) for name in hypervisor["sources"]]
    flags = [*hypervisor["flags"], f"-DMISTAKE={mistake}"]
    elf = builder().build({**hypervisor, "sources": sources, "flags": flags, "script": str(copy / "type1.ld")}, folder)
    path = folder / "type1.elf"
    path.write_bytes(elf)
    return path
