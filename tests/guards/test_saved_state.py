"""Nothing of a machine is left out of a snapshot by oversight.

A part that says itself what of it is saved (``impl Save for``) names each of its fields there, or the field is here with
the reason why it is not saved.
"""

from __future__ import annotations

import re

import pytest

from conftest import ROOT

SOURCE = ROOT / "gdbhv/core/model/src"

# part: (file, fields that its impl does not name)
PARTS = {
    "Cpu": ("cpu.rs", {"id": "its place in the machine", "landed": "only repeated exceptions ask"}),
    "Pe": (
        "pe/mod.rs",
        {
            "fp_traps": "follows",
            "fgt": "follows",
            "armed": "follows",
            "ctx": "by its number",
            "until": "the run sets it",
            "derived": "follows",
            "host_mxcsr": "true between two runs",
        },
    ),
    "Tlb": (
        "mmu/tlb.rs",
        {"strict": "follows", "notes": "all accesses look again"},
    ),
    "Context": (
        "mmu/context.rs",
        {"uid": "only the jump cache asks", "noted": "all accesses look again"},
    ),
    "Second": ("mmu/second.rs", {}),
    "WalkCache": ("mmu/walk_cache.rs", {}),
    "Gic": (
        "dev/gic/mod.rs",
        {
            "derived": "follows",
            "one_of_n": "follows",
            "lives": "follows, and is the trace's",
            "version": "what the machine is",
        },
    ),
    "Bus": ("bus.rs", {"last": "makes the next search short"}),
    "Pci": ("dev/pci/mod.rs", {"messages": "delivered before anybody looks"}),
    "Platform": (
        "platform.rs",
        {
            "config": "what the machine is",
            "registers": "what the machine is",
            "ns_per_insn": "what the machine is",
            "semihosting": "what the machine is",
            "ram": "shared by pages",
        },
    ),
    "Exits": (
        "exits.rs",
        {
            "catch": "the debugger's",
            "sieve": "the debugger's",
            "wanted": "the debugger's",
            "missed": "the debugger's",
            "row": "of the last exit",
            "others": "the debugger's",
            "other": "of the last stop",
            "calls": "of an instruction",
            "latency": "of the last entry, for the debugger",
            "catch_entry": "the debugger's",
            "idle": "a turn sets it",
            "own": "a turn sets it",
            "trace": "of what has happened here",
            "repeats": "of what has happened here",
        },
    ),
    "Shared": (
        "shared.rs",
        {"check": "of what has happened here", "undefined": "told to the user", "undefined_new": "told to the user"},
    ),
}

# part: what is made anew when the rest is loaded
REBUILT = {
    "Platform": {"leave"},
    "Cpu": {"changed", "moved", "granted", "granted_there", "off", "block_pa"},
    "Tlb": {"recent", "regime"},
    "Context": {"fetch", "fetched", "filled", "large", "watched"},
    "WalkCache": {"filled", "tables_filled"},
    "Shared": {"debug", "tlb_notes"},
}


def struct(text: str, name: str) -> set[str]:
    """The fields of a struct."""
    body = re.search(rf"^pub(?:\([a-z]+\))? struct {name} \{{\n(.*?)^\}}", text, re.M | re.S)
    assert body, name
    return set(re.findall(r"^    (?:pub(?:\([a-z]+\))? )?(\w+):", body[1], re.M))


@pytest.mark.parametrize("part", PARTS)
def test_every_field_is_saved_or_has_a_reason(part: str) -> None:
    file, others = PARTS[part]
    text = (SOURCE / file).read_text()
    body = re.search(rf"^impl Save for {part} \{{\n(.*?)^\}}", text, re.M | re.S)
    assert body
    named = {field for field in struct(text, part) if re.search(rf"self\.(\w+\.)?{field}\b", body[1])}
    saving, loading = body[1].split("fn load")
    fields = struct(text, part)
    assert fields - named == set(others) - named, "a field that is neither saved nor listed, or listed in vain"
    saved = {field for field in named if re.search(rf"\b{field}\b", saving)}
    assert all(re.search(rf"\b(set_)?{field}\b", loading) for field in saved), "saved and not loaded"
    assert named - saved - set(others) == set(REBUILT.get(part, ())), "named where it is loaded, and not saved"


def test_every_part_is_in_the_table() -> None:
    found = set()
    for path in SOURCE.rglob("*.rs"):
        found |= set(re.findall(r"^impl Save for (\w+) ", path.read_text(), re.M))
    devices = {
        "Pl011",
        "Pl031",
        "Pl061",
        "FwCfg",
        "Flash",
        "Virtio",
    }  # each has one struct of plain values, or none
    assert found == set(PARTS) | devices
