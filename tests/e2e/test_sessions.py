"""The scripts that we tell people to keep, as they would start them; and the README's Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import GdbhvError, launch

SESSIONS = ROOT / "scripts" / "sessions"
ZOO = "guests/prebuilt/exit_zoo.elf"


def session(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    name, *rest = arguments
    command = [sys.executable, str(SESSIONS / name), *rest]
    return subprocess.run(command, capture_output=True, text=True, timeout=55, cwd=ROOT, env=environment, check=False)


def test_first_touches() -> None:
    done = session("first_touches.py", ZOO)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in done.stdout.splitlines() if " IPA " in line]
    assert [row.split("IPA ")[1].split()[:2] for row in rows if "0x42" in row] == [
        ["0x42000000", "zoo_fresh_load"],
        ["0x42200000", "zoo_fresh_store"],
        ["0x42400000", "0x82400000"],
        ["0x42600000", "zoo_fresh_table"],
    ]
    assert all("KiB leaf at PA" in row for row in rows)
    assert done.stdout.splitlines()[-1].startswith("the guest ended")


def test_first_touches_of_the_first_few() -> None:
    assert len(session("first_touches.py", ZOO, "--most", "2").stdout.splitlines()) == 2


def test_a_machine_that_has_much_to_say_and_a_gdb_that_prints_much(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand undefined instructions, each told on stderr: more than a pipe holds. And a command longer than one."""
    words = [0x10008000, 0xD518C000, 0xD5033FDF, *(0x00FF0000 + n for n in range(1000)), 0xD2800100, 0xF2B08000, 0xD4000002]
    handler = (0xD5384021, 0x91001021, 0xD5184021, 0xD69F03E0)  # mrs x1, elr_el1; add x1, x1, #4; msr elr_el1, x1; eret
    code, rest = (b"".join(n.to_bytes(4, "little") for n in some) for some in (words, handler))
    (path := tmp_path / "undefined.bin").write_bytes(code.ljust(0x1200, b"\0") + rest)
    caplog.set_level("INFO", "gdbhv.launch")
    with launch(path, "--memory", "64M", timeout=20) as gdb:
        gdb.write_memory(0x40100000, bytes(100_000))
        gdb.execute("python print('x' * 500_000)")
        assert gdb.cont().ended
    assert sum("is not implemented" in record.message for record in caplog.records) > 600


def test_exit_profile() -> None:
    done = session("exit_profile.py", ZOO, "--start", "zoo_wfi", "--end", "zoo_id_read")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rows = done.stdout.splitlines()
    counts = {name: int(n) for n, name in (row.split() for row in rows)}
    assert first == f"from zoo_wfi to zoo_id_read: {sum(counts.values())} exits"
    assert (counts["wfx.wfi"], counts["wfx.wfe"]) == (1, 1)
    assert "sysreg.read:ID_AA64PFR0_EL1" not in counts


@pytest.mark.parametrize("start", ["zoo_wfi", "no_such_function"])
def test_exit_profile_to_nowhere(start: str) -> None:
    done = session("exit_profile.py", ZOO, "--start", start, "--end", "no_such_function")
    assert done.returncode == 1
    assert "no_such_function" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("first_touches.py", "nothing.elf"), ("exit_profile.py", "nothing.elf", "--start", "a", "--end", "b")]
)
def test_a_guest_that_does_not_start(arguments: tuple[str, ...]) -> None:
    done = session(*arguments)
    assert done.returncode == 1
    assert "nothing.elf: No such file" in done.stderr
    assert "Traceback" not in done.stderr


EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", [c for c in EXAMPLES if "GdbSession" not in c], ids=lambda c: c.split("\n")[0])
def test_the_readmes_library_examples_run(code: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, cwd=ROOT, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_launch_ends_the_machine_and_says_why_it_did_not_start() -> None:
    with launch(ROOT / ZOO, "--smp", "2") as gdb:
        assert len(gdb.threads()) == 2
        gdb.catch_exit("wfx.wfi")
        assert gdb.cont().text.startswith("wfx.wfi; ")
    with pytest.raises(GdbhvError, match=r"nothing\.elf: No such file"), launch("nothing.elf"):
        pytest.fail("it started")
