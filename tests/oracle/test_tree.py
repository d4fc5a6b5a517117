"""The board's device tree against the one that QEMU's `virt` makes for itself; and the board's map against the tree."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from gdbhv import _core

MEMORY = 512 << 20
LEFT_OUT = {
    "kaslr-seed": "random: every run would be another one",
    "rng-seed": "the same",
    "psci/migrate": "QEMU names a function that it answers with NOT_SUPPORTED",
}
"""What QEMU's tree has and ours does not, with the reason."""

OTHERWISE = ("gicd", "gicr", "virtio-mmio", "pcie-ecam")
"""Rows of the map without a node of their name: the GIC's frames share one, each virtio slot has one, PCIe's is another."""


def parse(tree: bytes) -> dict[str, bytes]:
    """Return the properties of a flattened device tree by path (Devicetree Specification, chapter 5)."""
    magic, _, structure, strings = struct.unpack_from(">4I", tree)
    assert magic == 0xD00DFEED
    found: dict[str, bytes] = {}
    path: list[str] = []
    at = structure
    while True:
        (token,) = struct.unpack_from(">I", tree, at)
        at += 4
        if token == 1:
            end = tree.index(b"\0", at)
            path.append(tree[at:end].decode())
            at = end + 4 & ~3
        elif token == 2:
            path.pop()
        elif token == 3:
            length, name = struct.unpack_from(">2I", tree, at)
            name_end = tree.index(b"\0", strings + name)
            found["/".join([*path, tree[strings + name : name_end].decode()])] = tree[at + 8 : at + 8 + length]
            at = at + 8 + length + 3 & ~3
        elif token == 9:
            return found


def number_phandles(tree: dict[str, bytes]) -> dict[str, bytes]:
    """Replace phandles, which a maker of trees chooses freely, by the paths of their nodes."""
    nodes = {value: path.removesuffix("/phandle").encode() for path, value in tree.items() if path.endswith("/phandle")}
    referring = ("phandle", "interrupt-parent", "clocks", "cpu")

    def resolve(path: str, value: bytes) -> bytes:
        if path.endswith("/gpios"):
            return nodes[value[:4]] + value[4:]
        if path.endswith("/msi-map"):
            return value[:4] + nodes[value[4:8]] + value[8:]
        if path.endswith("/interrupt-map"):
            rows = [value[n : n + 40] for n in range(0, len(value), 40)]
            return b"".join(row[:16] + nodes[row[16:20]] + row[20:] for row in rows)
        if path.rpartition("/")[2] not in referring:
            return value
        return b" ".join(nodes[value[n : n + 4]] for n in range(0, len(value), 4))

    return {path: resolve(path, value) for path, value in tree.items()}


def on_qemu(cpus: int, smc: bool, gic: int, folder: Path) -> dict[str, bytes]:
    dumped = folder / "qemu.dtb"
    machine = f"virt,gic-version={gic},virtualization={'on' if smc else 'off'},dumpdtb={dumped}"
    command = ["qemu-system-aarch64", "-M", machine, "-smp", str(cpus), "-m", str(MEMORY >> 20), "-cpu", "cortex-a57"]
    subprocess.run([*command, "-nic", "none", "-display", "none"], check=True, capture_output=True, timeout=60)
    return parse(dumped.read_bytes())


@pytest.mark.parametrize("cpus", [1, 2, 8])
@pytest.mark.parametrize("smc", [False, True])
@pytest.mark.parametrize("gic", [2, 3])
def test_same_as_qemu(cpus: int, smc: bool, gic: int, tmp_path: Path) -> None:
    psci, controller = ("smc" if smc else "hvc"), ("v2" if gic == 2 else "v3-its")
    made = _core.device_tree(cpus=cpus, memory=MEMORY, psci=psci, gic=controller, cpu="cortex-a57", pcie=True)  # type: ignore[arg-type]
    without = _core.device_tree(cpus=cpus, memory=MEMORY, psci=psci, gic=controller, cpu="cortex-a57")  # type: ignore[arg-type]
    tree = parse(made)
    assert {p: v for p, v in tree.items() if "/pcie@" not in p} == parse(without)
    ours = number_phandles(tree)
    theirs = number_phandles(on_qemu(cpus, smc, gic, tmp_path))
    left_out = {p: name for p in theirs for name in LEFT_OUT if f"/{name}" in p}
    assert set(left_out.values()) == LEFT_OUT.keys(), "listed, but not there"
    assert ours.keys() & left_out.keys() == set(), "listed, but there"
    theirs = {p: v for p, v in theirs.items() if p not in left_out}
    for n in range(cpus):
        # QEMU leaves it out for one CPU.
        assert ours.pop(f"/cpus/cpu@{n}/enable-method") == theirs.pop(f"/cpus/cpu@{n}/enable-method", b"psci\0")
    assert ours == theirs


@pytest.mark.parametrize(("cpu", "psci", "last"), [("max", "smc", 12), ("cortex-a57", "smc", 10), ("max", "hvc", 10)])
def test_the_virtual_timer_of_el2_is_told_to_who_has_it(cpu: str, psci: str, last: int) -> None:
    """A fifth interrupt, as newer QEMU has it (and Linux, arm,arch_timer.yaml: "hyp-virt")."""
    tree = parse(_core.device_tree(cpus=1, memory=MEMORY, psci=psci, cpu=cpu))  # type: ignore[arg-type]
    interrupts = struct.unpack(f">{len(tree['/timer/interrupts']) // 4}I", tree["/timer/interrupts"])
    assert interrupts[1::3] == (13, 14, 11, 10, 12)[: 5 if last == 12 else 4]


def test_what_a_kernel_is_told() -> None:
    tree = parse(_core.device_tree(cpus=1, memory=MEMORY, bootargs="quiet", initrd=(0x4800_0000, 0x4800_1234)))
    assert tree["/chosen/bootargs"] == b"quiet\0"
    assert tree["/chosen/linux,initrd-start"] == struct.pack(">Q", 0x4800_0000)
    assert tree["/chosen/linux,initrd-end"] == struct.pack(">Q", 0x4800_1234)
    assert tree["/memory@40000000/reg"] == struct.pack(">2Q", 0x4000_0000, MEMORY)


def test_each_device_is_where_the_map_says() -> None:
    tree = parse(_core.device_tree(cpus=1, memory=MEMORY))
    for row in _core.board():
        node = f"{'/intc@8000000' if row['name'] == 'its' else ''}/{row['name']}@{row['base']:x}"
        if row["name"] in OTHERWISE:
            assert f"{node}/reg" not in tree
            continue
        banks = 2 if row["name"] == "flash" else 1
        size = row["size"] // banks
        reg = [value for n in range(banks) for value in (row["base"] + n * size, size)]
        assert tree[f"{node}/reg"] == struct.pack(f">{2 * banks}Q", *reg)
        if row["intid"] is not None:
            assert tree[f"{node}/interrupts"] == struct.pack(">3I", 0, row["intid"] - 32, 4)
