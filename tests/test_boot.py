"""From files to a machine: what goes where in a guest's memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fdt
import pytest

import gdbhv
from conftest import ROOT
from gdbhv import _core, boot
from gdbhv.boot import MIB, RAM, BootConfig, layout
from gdbhv.errors import ConfigError, GdbhvError
from gdbhv.machine.machine import Machine
from gdbhv.target import Space

HELLO = ROOT / "guests" / "prebuilt" / "hello.elf"
KERNEL = struct.pack("<IIQQQ24sII", 0x14000010, 0, 0, 0x1000, 10, b"", 0x644D5241, 0).ljust(0x1000, b"\0")


def config(tmp_path: Path, image: bytes, **changes: object) -> BootConfig:
    (path := tmp_path / "image").write_bytes(image)
    return BootConfig(image=path, **changes)  # type: ignore[arg-type]


def tree_of(plan: boot.Layout, address: int) -> fdt.FDT:
    return fdt.parse_dtb(dict(plan.pieces)[address])


def test_a_kernel_is_below_its_device_tree(tmp_path: Path) -> None:
    plan = layout(config(tmp_path, KERNEL, append="quiet", memory=64 * MIB, smp=2), psci="hvc")
    assert (plan.entry, plan.x0) == (RAM + 2 * MIB, RAM + 32 * MIB)
    tree = tree_of(plan, plan.x0)
    assert tree.get_property("bootargs", "/chosen").value == "quiet"
    assert tree.get_property("method", "/psci").value == "hvc"
    assert len([n for n in tree.get_node("/cpus").nodes if n.name.startswith("cpu@")]) == 2


def test_the_tree_goes_behind_what_is_at_the_beginning_of_ram(tmp_path: Path) -> None:
    (path := tmp_path / "first").write_bytes(bytes(3 * MIB))
    plan = layout(BootConfig(load=[(str(path), RAM)]), psci="smc")
    assert (plan.entry, plan.x0) == (RAM, RAM + 4 * MIB)
    assert tree_of(plan, plan.x0).get_property("method", "/psci").value == "smc"


def test_the_tree_evades_what_is_loaded(tmp_path: Path) -> None:
    (path := tmp_path / "guest").write_bytes(bytes(3 * MIB))
    plan = layout(config(tmp_path, KERNEL, load=[(str(path), RAM + 128 * MIB)]), psci="smc")
    assert plan.x0 == RAM + 132 * MIB


@pytest.mark.parametrize(("memory", "start"), [(1024 * MIB, RAM + 128 * MIB), (128 * MIB, RAM + 64 * MIB)])
def test_the_ram_disk_is_above_the_kernel_and_in_the_tree(tmp_path: Path, memory: int, start: int) -> None:
    (disk := tmp_path / "initrd").write_bytes(b"x" * 5000)
    plan = layout(config(tmp_path, KERNEL, initrd=disk, memory=memory), psci="hvc")
    assert dict(plan.pieces)[start] == b"x" * 5000
    tree = tree_of(plan, plan.x0)
    ends = [tree.get_property(f"linux,initrd-{end}", "/chosen").data for end in ("start", "end")]
    assert [high << 32 | low for high, low in ends] == [start, start + 5000]


def test_a_tree_of_ones_own_gets_command_line_and_ram_disk(tmp_path: Path) -> None:
    (own := tmp_path / "x.dtb").write_bytes(_core.device_tree(cpus=1, memory=64 * MIB, bootargs="old"))
    plan = layout(config(tmp_path, KERNEL, dtb=own, append="new", memory=64 * MIB), psci="hvc")
    assert tree_of(plan, plan.x0).get_property("bootargs", "/chosen").value == "new"
    untouched = layout(config(tmp_path, KERNEL, dtb=own, memory=64 * MIB), psci="hvc")
    assert dict(untouched.pieces)[untouched.x0] == own.read_bytes()


def test_x0_and_entry_may_be_others(tmp_path: Path) -> None:
    plan = layout(config(tmp_path, KERNEL, x0=5, entry=RAM + 2 * MIB + 64), psci="hvc")
    assert (plan.entry, plan.x0) == (RAM + 2 * MIB + 64, 5)
    assert RAM + 128 * MIB in dict(plan.pieces), "the tree is there all the same"


def test_raw_bytes_go_where_one_says_and_begin_there(tmp_path: Path) -> None:
    plan = layout(config(tmp_path, b"\x1f\x20\x03\xd5", load_address=RAM, memory=64 * MIB), psci="smc")
    assert (plan.entry, plan.pieces[0], plan.x0) == (RAM, (RAM, b"\x1f\x20\x03\xd5"), RAM + 32 * MIB)
    with pytest.raises(GdbhvError, match="load_address: it is for an image"):
        layout(BootConfig(load_address=RAM), psci="smc")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (
            RAM,
            "is 0 (undefined): nothing is loaded there, and memory is zero; loaded: {image} at 0x40080000-0x40080007, ",
        ),
        (RAM + 0x80004, "is 0 (undefined): {image} is there, but holds zeros; loaded: {image} at"),
        (RAM + 0x80000, None),
    ],
)
def test_a_first_instruction_that_is_none(
    tmp_path: Path, entry: int, what: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    layout(config(tmp_path, b"\x1f\x20\x03\xd5\0\0\0\0", entry=entry), psci="smc")
    texts = [r.getMessage() for r in caplog.records]
    expected = what and f"the first instruction, at {entry:#x}, {what.format(image=tmp_path / 'image')}"
    assert (expected is None and texts == []) or texts[0].startswith(str(expected))


def test_no_room_for_the_tree(tmp_path: Path) -> None:
    (path := tmp_path / "all").write_bytes(bytes(4 * MIB))
    with pytest.raises(GdbhvError, match=r"^memory: it has no room for the device tree: give the machine more"):
        layout(BootConfig(load=[(str(path), RAM)], memory=4 * MIB), psci="hvc")


def test_a_bare_machine_without_an_image_stands_at_reset() -> None:
    machine = boot.bare(BootConfig(memory=64 * MIB, cpu="cortex-a57"))
    thread = machine.processes()[0].threads[0].id
    assert machine.read_register(thread, "pc") == RAM
    assert machine.read_register(thread, "cpsr") & 15 == 9  # EL2h
    assert machine.read_register(thread, "SCTLR_EL2") & 1 == 0
    assert machine.read_register(thread, "x0") == 0


def test_vms_of_one_configuration_have_names_and_memory_of_their_own() -> None:
    target = boot.hosted(BootConfig(image=HELLO, memory=64 * MIB), vms=2)
    assert [p.name for p in target.processes()] == ["vm1", "vm2"]
    first, second = (p.threads[0].id for p in target.processes())
    target.write_memory(first, RAM + 32 * MIB, b"mine", Space.IPA)
    assert target.read_memory(second, RAM + 32 * MIB, 4, Space.IPA) == bytes(4)


@pytest.mark.parametrize("make", [boot.bare, boot.hosted])
def test_a_firmware_finds_its_kernel_in_fw_cfg(tmp_path: Path, make: Callable[[BootConfig], Any]) -> None:
    files = {"kernel": b"a kernel", "initrd": b"a disk"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    config = BootConfig(
        image=HELLO, memory=256 << 20, kernel=tmp_path / "kernel", initrd=tmp_path / "initrd", append="quiet"
    )
    plan = boot.layout(config, psci="hvc")
    assert not any(data in (b"a disk",) or b"quiet" in data for _, data in plan.pieces)
    items = {0x08: b"\x08\0\0\0", 0x11: b"a kernel", 0x0B: b"\6\0\0\0", 0x12: b"a disk", 0x15: b"quiet\0"}
    target = make(config)
    for key, data in items.items():
        assert bytes(through_fw_cfg(target, key, len(data))) == data
    target.reset(1)
    assert bytes(through_fw_cfg(target, 0x11, 8)) == b"a kernel"
    assert boot.firmware_items(BootConfig(initrd=tmp_path / "initrd")) == {}


def through_fw_cfg(target: Any, key: int, length: int) -> Iterator[int]:
    selector = int.from_bytes(key.to_bytes(2, "big"), "little")
    if isinstance(target, Machine):
        target.core.bus_write(0, 0x0902_0008, 2, selector)
        yield from (target.core.bus_read(0, 0x0902_0000, 1) for _ in range(length))
    else:
        device, _ = target.host.vms[0].device(0x0902_0000)
        device.write(8, 2, selector)
        yield from (device.read(0, 1) for _ in range(length))


WRONG = [
    ({"memory": 5}, "memory: 5 bytes are not whole 4 KiB pages (4,096 bytes are)"),
    ({"memory": 1 << 40}, "memory: 1,048,576 MiB are too much: at most 255 GiB of RAM are possible"),
    ({"append": "a\0b"}, "append: a kernel's command line ends at its first NUL, and this has one in it"),
    ({"smp": -1}, "smp: -1 is out of range: 0 to 2^64 - 1"),
    ({"x0": 1 << 64}, "x0: 18446744073709551616 is out of range: 0 to 2^64 - 1"),
    ({"entry": RAM + 2}, "entry: the first instruction cannot be at 0x40000002: it is a multiple of 4 in RAM, which is "),
    ({"load_address": RAM}, "load_address: it is for an image, and there is none"),
]


@pytest.mark.parametrize("make", [gdbhv.hosted, gdbhv.bare], ids=["hosted", "bare"])
@pytest.mark.parametrize(("fields", "text"), WRONG, ids=[next(iter(fields)) for fields, _ in WRONG])
def test_a_library_s_error_names_the_parameter(make, fields, text) -> None:
    with pytest.raises(ConfigError) as caught:
        make(BootConfig(**fields))
    assert str(caught.value).startswith(text)
    assert caught.value.parameter in fields


@pytest.mark.parametrize("fields", [{"dtb": "x"}, {"initrd": "x"}, {"append": "x"}, {"load_address": RAM}], ids=str)
def test_nothing_is_given_to_an_image_that_is_not_there(fields) -> None:
    with pytest.raises(ConfigError, match="it is for an image, and there is none"):
        gdbhv.bare(BootConfig(**fields))
