"""What Linux's own drivers make of the machine: guests/linux/probe.c as /init uses the PMU, hardware breakpoints and
watchpoints, ptrace and timers, and says of each whether it did what it must. Oracle: the kernel, and the probe's counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import ROOT, Kit
from gdbhv import boot
from gdbhv.console import Console
from gdbhv.target import StopKind
from scripts.fetch_guests import Node, cpio

PROBE = ROOT / "guests" / "prebuilt" / "linux_probe.elf"
NAMES = re.findall(r'(?:verdict|counter|hardware_breakpoint|traps)\("([^"]+)"', (ROOT / "guests/linux/probe.c").read_text())

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
@pytest.mark.parametrize(("how", "smp"), [("hosted", 1), ("hosted", 2), ("el1", 2), ("el2", 1)])
def test_linux_finds_nothing_wrong(kit: Kit, tmp_path: Path, how: str, smp: int, cpu: str) -> None:
    initrd = tmp_path / "probe.cpio"
    console = (Node("dev", 0o040755), Node("dev/console", 0o020600, device=(5, 1)))
    initrd.write_bytes(cpio([*console, Node("init", 0o100755, PROBE.read_bytes())]))
    config = boot.BootConfig(
        image=kit.image,
        initrd=initrd,
        smp=smp,
        cpu=cpu,
        memory=256 << 20,
        append="console=ttyAMA0 cryptomgr.notests=1 quiet",
    )
    out = Console()
    target = boot.hosted(config, out) if how == "hosted" else boot.bare(config, out, el2=how == "el2")
    assert target.run_all().kind is StopKind.POWEROFF
    found = re.findall(r"^probe (.+?): (.*?)\r?$", out.text.decode(), re.M)
    assert dict(found) == dict.fromkeys(NAMES, "ok")
    assert len(found) == len(NAMES)
