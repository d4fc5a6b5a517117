"""``gdbhv qemu``: what of QEMU's command line becomes which option, what is named because it cannot be served, and a run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from conftest import ROOT
from gdbhv.cli import parser, qemu, usage_error
from gdbhv.cli.qemu import translated
from gdbhv.errors import GdbhvError

PLAIN = "--bare --cpu max --memory 128M --gic 2"

# QEMU's options behind -M virt -cpu max, and gdbhv's.
CASES = {
    "-kernel Image": f"Image {PLAIN}",
    "-kernel Image -m 1G -smp 4": "Image --bare --cpu max --memory 1G --gic 2 --smp 4",
    "-kernel Image -m size=512 -smp cpus=2,cores=2": "Image --bare --cpu max --memory 512M --gic 2 --smp 2",
    "-kernel a -initrd b -append 'c d' -dtb e": "a --bare --cpu max --memory 128M --gic 2 --initrd b --append 'c d' --dtb e",
    "-machine gic-version=3,virtualization=on,secure=off -kernel a": "a --el 2 --cpu max --memory 128M --gic 3",
    "-cpu cortex-a57 -kernel a": "a --bare --cpu cortex-a57 --memory 128M --gic 2",
    "-bios u-boot.bin": f"{PLAIN} --flash u-boot.bin",
    "-bios fw -kernel a -append b": "--kernel a --bare --cpu max --memory 128M --gic 2 --append b --flash fw",
    "-pflash a -pflash b": f"{PLAIN} --flash a,rw --flash b,rw",
    "-drive if=pflash,file=a,readonly=on,format=raw -drive if=pflash,file=b": f"{PLAIN} --flash a --flash b,rw",
    "-kernel a -drive if=none,id=d,file=x.img,format=raw -device virtio-blk-device,drive=d": f"a {PLAIN} --drive x.img,rw",
    "-kernel a -drive if=none,id=d,file=x,format=qcow2,snapshot=on -device virtio-blk-device,drive=d": (
        f"a {PLAIN} --drive x,format=qcow2"
    ),
    "-snapshot -kernel a -drive file=x,if=none,id=d,readonly=on -device virtio-blk-device,drive=d": (
        f"a {PLAIN} --drive x,ro"
    ),
    "-snapshot -kernel a -drive file=x": f"a {PLAIN} --drive x --pcie",
    "-kernel a -drive if=none,id=d,file=x,readonly=on -device virtio-blk-pci,drive=d -nic user -device virtio-rng-pci": (
        f"a {PLAIN} --drive x,ro --net user --pcie --rng 0"
    ),
    "-kernel a -netdev user,id=n,hostfwd=tcp::2222-:22 -device virtio-net-device,netdev=n,mac=52:54:00:00:00:01": (
        f"a {PLAIN} --net user,hostfwd=tcp::2222-:22,mac=52:54:00:00:00:01"
    ),
    "-kernel a -nic user,model=virtio-net-device,hostfwd=tcp:127.0.0.1:1-10.0.2.15:2,hostfwd=tcp::3-:4,restrict=on": (
        f"a {PLAIN} --net user,hostfwd=tcp:127.0.0.1:1-10.0.2.15:2,hostfwd=tcp::3-:4"
    ),
    "-kernel a -nographic -nodefaults -display none -nic none -no-reboot": f"a {PLAIN} --no-reboot",
    "-kernel a -s -S": f"a {PLAIN} --gdb 1234 --wait",
    "-kernel a -gdb tcp:127.0.0.1:5": f"a {PLAIN} --gdb 127.0.0.1:5",
    "-kernel a -gdb unix:/tmp/x,server=on": f"a {PLAIN} --gdb unix:/tmp/x",
    "-kernel a -serial mon:stdio": f"a {PLAIN}",
    "-kernel a -serial file:log": f"a {PLAIN} --console log",
    "-kernel a -semihosting": f"a {PLAIN} --semihosting={os.getcwd()}",
    "-device loader,file=x,addr=0x48000000 -kernel a": f"a {PLAIN} --load x@0x48000000",
    "-M virtualization=on -s -S": "--el 2 --cpu max --memory 128M --gic 2 --gdb 1234 --wait",
}


@pytest.mark.parametrize("line", CASES)
def test_what_it_becomes(line: str) -> None:
    arguments, _ = translated(shlex.split(f"qemu-system-aarch64 -M virt -cpu max {line}"))
    assert arguments == shlex.split(CASES[line])
    options = parser().parse_args(["run", *arguments])
    wrong = usage_error(options)
    assert wrong is None or "flash" in wrong or "qcow2" in wrong, wrong


def test_what_is_said() -> None:
    _, notes = translated(shlex.split("-M virt -cpu max,sve=off -kernel a -icount shift=1 -d int -drive file=x"))
    assert [note.split(":")[0].split(" is ")[0] for note in notes] == ["-cpu max,sve=off", "-icount", "-d"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-M virt -cpu max", "-kernel, -bios, -pflash or -device loader says what to run"),
        ("-cpu max -kernel a", "-M: the machine is to be named"),
        ("-M raspi3b -cpu max -kernel a", "-M raspi3b: the board is virt"),
        ("-M virt,secure=on -cpu max -kernel a", "-M secure=on: there is no EL3"),
        ("-M virt,gic-version=4 -cpu max -kernel a", "-M gic-version=4"),
        ("-M virt -kernel a", "-cpu: without it QEMU takes cortex-a15"),
        ("-M virt -cpu cortex-a15 -kernel a", "-cpu cortex-a15: there are cortex-a53"),
        ("-M virt -cpu max -kernel a -netdev user,id=n", "-netdev user,id=n: no -device virtio-net-device,netdev= uses it"),
        ("-M virt -cpu max -kernel a -netdev tap,id=n", "-netdev tap,id=n: user is served"),
        ("-M virt -cpu max -kernel a -netdev user,id=n,smb=x", "-netdev smb=x"),
        ("-M virt -cpu max -kernel a -device virtio-net-device", "there is no -netdev user,id=... before it"),
        ("-M virt -cpu max -kernel a -nic user -nic user", "there is one network device"),
        ("-M virt -cpu max -kernel a -nic user,model=e1000", "-nic model=e1000: virtio-net-device is there"),
        ("-M virt -cpu max -kernel a -net nic", "-net nic: -nic user"),
        ("-M virt -cpu max -kernel a -device nvme", "-device nvme: on PCIe there are virtio-blk-pci"),
        ("-M virt -cpu max -kernel a -nic user -device virtio-rng-device", "all on PCIe or all in the slots"),
        ("-M virt -cpu max -kernel a -virtfs local", "no shared folders"),
        ("-M virt -cpu max -kernel a -device virtio-9p-pci,fsdev=f", "no shared folders"),
        ("-M virt -cpu max -kernel a -device vhost-user-fs-device,chardev=c", "no shared folders"),
        ("-M virt -cpu max -kernel a -device arm-smmuv3", "there is no SMMU"),
        ("-M virt,iommu=smmuv3 -cpu max -kernel a", "there is no SMMU"),
        ("-M virt -cpu max -kernel a -device virtio-blk-device,drive=d", "there is no -drive if=none,id=d before it"),
        ("-M virt -cpu max -kernel a -drive if=none,id=d,file=x", "no -device virtio-blk-device,drive= uses it"),
        ("-M virt -cpu max -kernel a -drive if=sd,file=x", "-drive if=sd"),
        ("-M virt -cpu max -kernel a -S", "-S: nobody could start it"),
        ("-M virt -cpu max -kernel a -strange", "-strange: unknown to gdbhv"),
        ("-M virt -cpu max -kernel", "-kernel: it needs an argument"),
        ("-M virt -cpu max -kernel a disk.img", "disk.img: an argument without an option"),
        ("qemu-system-arm -M virt", "qemu-system-aarch64 is served"),
        ("-M virt -cpu max -kernel a -serial stdio -serial pty", "there is one UART"),
    ],
)
def test_what_cannot_be_served_is_named(line: str, said: str) -> None:
    with pytest.raises(GdbhvError, match="qemu: ") as raised:
        translated(shlex.split(line))
    assert said in str(raised.value)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gdbhv", "qemu", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False, cwd=ROOT
    )


def test_a_run() -> None:
    line = (
        "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 256 -kernel guests/prebuilt/system_base.elf -nographic"
    )
    done = run("-v", *line.split())
    assert done.returncode == 0, done.stderr
    said = "gdbhv run guests/prebuilt/system_base.elf --el 2 --cpu cortex-a57 --memory 256M --gic 3"
    assert said in done.stderr
    assert done.stdout


def test_help_and_errors() -> None:
    shown = run("--help")
    assert (shown.returncode, "examples:" in shown.stdout) == (0, True)
    assert run().returncode == 2
    refused = run("-M", "virt", "-netdev", "user")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_every_option_is_in_one_table() -> None:
    assert not set(qemu.WITH) & set(qemu.WITHOUT)
