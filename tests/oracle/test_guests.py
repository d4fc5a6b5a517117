"""Oracle: a live QEMU. Each guest prints on QEMU's `virt` board, at EL1 without a hypervisor, what the manifest says; and so
it does on gdbhv's own board."""

from __future__ import annotations

import subprocess

import pytest

from gdbhv import _core, image
from guest_manifest import Case, cases
from oracle.qemu import executable

BOARD = ("-M", "virt,gic-version=3", "-m", "128", "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio")
RAM, MEMORY = 0x40000000, 128 << 20
TIMEOUT = 1_000_000_000  # virtual nanoseconds: no guest needs a tenth of it

each_case = pytest.mark.parametrize("case", [case for case in cases() if not case.devices], ids=str)
each_cpu = pytest.mark.parametrize("cpu", ["cortex-a57", "max"])


@each_cpu
@pytest.mark.parametrize("case", [case for case in cases() if not case.devices and not case.races], ids=str)
def test_console_is_qemus(case: Case, cpu: str) -> None:
    for vm in case.vms:
        command = [executable(), *BOARD, "-cpu", cpu, "-smp", str(case.vcpus), "-kernel", str(case.elf)]
        command += ["-append", case.bootargs(vm)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == case.console_alone(vm)


@each_cpu
@each_case
def test_console_on_gdbhvs_board(case: Case, cpu: str) -> None:
    for vm in case.vms:
        machine = _core.Machine(cpus=case.vcpus, memory=MEMORY, cpu=cpu, hosted=False, el2=False)
        loaded = image.load(case.elf)
        for address, data in loaded.segments:
            machine.write_pa(address, data)
        tree = _core.device_tree(cpus=case.vcpus, memory=MEMORY, bootargs=case.bootargs(vm))
        machine.write_pa(RAM, tree)
        machine.cpu_on(0, loaded.entry, RAM)
        assert machine.run(TIMEOUT)["kind"] == "poweroff"
        assert machine.take_output().decode("ascii").splitlines() == case.console_alone(vm)
