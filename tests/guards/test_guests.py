"""The guests: manifest, folders, sources and prebuilt ELFs are the same set, and the ELFs are what the sources give."""

from __future__ import annotations

import fnmatch
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from guest_manifest import GUESTS, PREBUILT, ROOT, Case, cases, manifest

TOPICS = sorted((GUESTS / "system").glob("*.toml"))
SYSTEM_NAMES = [f"system_{topic.stem}" for topic in TOPICS]
SYSTEM_NAMES += [f"el1_{topic.stem}" for topic in TOPICS if "\n[el1]\n" in topic.read_text()]
HYPERVISOR_NAMES = [hypervisor["name"] for hypervisor in manifest()["hypervisor"]]
PROGRAM_NAMES = [program["name"] for program in manifest()["program"]]
GUEST_NAMES = [guest["name"] for guest in manifest()["guest"]]
GUEST_KEYS = {"name", "sources", "flags", "without_debug", "purpose", "case"}
HYPERVISOR_KEYS = {"name", "sources", "script", "flags", "purpose", "console", "exits"}
CASE_KEYS = {"name", "vcpus", "vms", "bootargs", "devices", "console", "alone", "places", "exits", "races"}


def build_guests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_guests", ROOT / "scripts" / "build_guests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_guests"] = module
    spec.loader.exec_module(module)
    return module


def functions(name: str) -> set[str]:
    """Return the symbols of a prebuilt guest that are functions, or named addresses."""
    with (PREBUILT / f"{name}.elf").open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name for symbol in table.iter_symbols() if symbol["st_info"]["type"] in ("STT_FUNC", "STT_NOTYPE")}


def test_manifest_names_each_guest_once() -> None:
    assert len(GUEST_NAMES) == len(set(GUEST_NAMES))


def test_manifest_equals_folders() -> None:
    folders = {path.name for path in GUESTS.iterdir() if path.is_dir()} - {"common", "prebuilt", "system"}
    assert folders == {*GUEST_NAMES, *HYPERVISOR_NAMES} | {entry["name"] for entry in manifest()["fetched"]}


def test_manifest_equals_prebuilt() -> None:
    assert {path.name for path in PREBUILT.iterdir()} == {
        f"{name}.elf" for name in GUEST_NAMES + HYPERVISOR_NAMES + SYSTEM_NAMES + PROGRAM_NAMES
    } | {"SHA256SUMS"}


def test_sources_equal_files() -> None:
    named = {s for kind in ("guest", "hypervisor", "program") for entry in manifest()[kind] for s in entry["sources"]}
    found = {
        path
        for name in [*GUEST_NAMES, *HYPERVISOR_NAMES, "linux"]
        for path in (GUESTS / name).iterdir()
        if path.suffix in (".c", ".S")
    }
    assert named == {str(path.relative_to(GUESTS)) for path in found}


@pytest.mark.parametrize("guest", manifest()["guest"], ids=GUEST_NAMES)
def test_entry_is_complete(guest: dict[str, Any]) -> None:
    assert guest.keys() <= GUEST_KEYS
    assert guest["purpose"]
    assert set(guest.get("without_debug", ())) <= set(guest["sources"])
    names = [case["name"] for case in guest["case"]]
    assert names
    assert len(names) == len(set(names))
    for case in guest["case"]:
        assert case.keys() <= CASE_KEYS
        assert case["exits"].keys() == {f"vcpu{number}" for number in range(case.get("vcpus", 1))}


@pytest.mark.parametrize("hypervisor", manifest()["hypervisor"], ids=HYPERVISOR_NAMES)
def test_hypervisor_is_complete(hypervisor: dict[str, Any]) -> None:
    assert hypervisor.keys() == HYPERVISOR_KEYS
    assert hypervisor["purpose"]
    named = {line.split()[1] for text in hypervisor["exits"].values() for line in text.splitlines()}
    assert named <= functions(hypervisor["name"])


@pytest.mark.parametrize("case", cases(), ids=str)
def test_case_names_what_the_guest_has(case: Case) -> None:
    known = functions(case.guest)
    for exits in case.exits:
        assert {expected.function for expected in exits} <= known
    for pattern in case.places or ():
        assert fnmatch.filter(known, pattern), pattern
        assert case.differences_alone <= set(case.console(case.vms[0]))


@pytest.mark.parametrize("name", GUEST_NAMES + HYPERVISOR_NAMES)
def test_opening_comment_says_what_it_proves(name: str) -> None:
    assert (GUESTS / name / f"{name}.c").read_text().startswith(f"/*\n * {name}: ")


@pytest.mark.parametrize("name", GUEST_NAMES + HYPERVISOR_NAMES + SYSTEM_NAMES + PROGRAM_NAMES)
def test_elf_tells_no_build_path(name: str) -> None:
    assert str(ROOT).encode() not in (PREBUILT / f"{name}.elf").read_bytes()


def test_sha256sums_are_true() -> None:
    tool = build_guests()
    assert tool.SUMS.read_text() == tool.sums()


@pytest.mark.timeout(300)  # some seconds of compiling, on an idle machine
def test_prebuilt_is_what_the_sources_give() -> None:
    tool = build_guests()
    wanted = manifest()["compiler"]
    assert tool.compiler_version() is not None, f"{tool.CC} is not installed; scripts/setup installs it"
    if tool.compiler_version() != wanted:
        pytest.skip(f"{tool.CC} {wanted} is not here (found {tool.compiler_version()}); another gives other bytes")
    assert tool.check(tool.build_all([])) == []
