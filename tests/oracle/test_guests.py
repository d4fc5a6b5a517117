"""Oracle: a live QEMU. Each guest prints on QEMU's `virt` board, at EL1 without a hypervisor, what the manifest says."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from guest_manifest import Case, cases

QEMU = "qemu-system-aarch64"
BOARD = ("-M", "virt,gic-version=3", "-m", "128", "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio")

pytestmark = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
@pytest.mark.parametrize("case", [case for case in cases() if not case.devices], ids=str)
def test_console_is_qemus(case: Case, cpu: str) -> None:
    for vm in case.vms:
        command = [QEMU, *BOARD, "-cpu", cpu, "-smp", str(case.vcpus), "-kernel", str(case.elf)]
        command += ["-append", case.bootargs(vm)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == case.console_alone(vm)
