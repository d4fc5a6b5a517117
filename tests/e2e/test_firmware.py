"""U-Boot and EDK2, unmodified, from flash at address 0: to their prompts, and from there to a kernel."""

from __future__ import annotations

import pytest

from conftest import Kit
from gdbhv.boot import BootConfig
from gdbhv.target import StopKind
from scenario import play

# Kernel and RAM disk for U-Boot, which is told of both by hand
KERNEL_AT, DISK_AT = 0x42000000, 0x48000000
PROMPT = ["U-Boot 20", "DRAM:", "Hit any key to stop autoboot", "> ", "=>"]  # a space stops the countdown
TO_LINUX = (
    f">setenv bootargs console=ttyAMA0 cryptomgr.notests=1; booti {KERNEL_AT:#x} {DISK_AT:#x}:{{disk:#x}} $fdtcontroladdr\n"
)
SHELL = ["UEFI firmware", "UEFI Interactive Shell", "seconds to skip", ">\x1b", "Shell>"]


def config(kit: Kit, **fields: object) -> BootConfig:
    return BootConfig(memory=512 << 20, ns_per_insn=20, **fields)  # type: ignore[arg-type]  # both wait by the counter


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("el2", "cpu"), [(False, "max"), (True, "cortex-a57")])
def test_u_boot(kit: Kit, el2: bool, cpu: str) -> None:
    steps = [*PROMPT, ">bdinfo\n", "fdt_blob", "=>", ">poweroff\n", "poweroff ..."]
    made = config(kit, cpu=cpu, flash=[(str(kit.u_boot), False)])
    assert play(made, steps, 400_000_000, el2=el2) is StopKind.POWEROFF


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("el2", "cpu"), [(False, "cortex-a57"), (True, "neoverse-n1")])
def test_u_boot_starts_linux(kit: Kit, el2: bool, cpu: str) -> None:
    load = [(str(kit.image), KERNEL_AT), (str(kit.initramfs), DISK_AT)]
    line = TO_LINUX.format(disk=kit.initramfs.stat().st_size)
    steps = [*PROMPT, line, "Starting kernel", "GDBHV-GUEST: boot ok", "GDBHV-GUEST: selftest ok"]
    made = config(kit, cpu=cpu, flash=[(str(kit.u_boot), False)], load=load)
    assert play(made, steps, 1_500_000_000, el2=el2) is StopKind.POWEROFF


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("el2", "cpu"), [(False, "max"), (True, "cortex-a57")])
def test_edk2(kit: Kit, el2: bool, cpu: str) -> None:
    steps = [*SHELL, ">ver\r", "UEFI Interactive Shell", "Shell>", ">reset -s\r"]
    made = config(kit, cpu=cpu, flash=[(str(kit.edk2), False)])
    assert play(made, steps, 1_000_000_000, el2=el2) is StopKind.POWEROFF
