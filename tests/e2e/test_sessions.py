"""The scripts that we tell people to keep, as they would start them; and the README's Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from gdbhv import GdbError, GdbhvError, GdbUnexpectedStop, launch
from guest_manifest import manifest
from started import gdbhv

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
    assert sum("is not implemented" in record.message for record in caplog.records) == 1000


def test_exit_profile() -> None:
    done = session("exit_profile.py", ZOO, "--start", "zoo_wfi", "--end", "zoo_id_read")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rows = done.stdout.splitlines()
    counts = {name: int(n) for n, name in (row.split() for row in rows)}
    assert first == f"from zoo_wfi to zoo_id_read: {sum(counts.values())} exits"
    assert (counts["wfx.wfi"], counts["wfx.wfe"]) == (1, 1)
    assert "sysreg.read:ID_AA64PFR0_EL1" not in counts


def test_exit_profile_of_nothing_and_of_another_order() -> None:
    """No exits is said so; an end that comes before the start is not taken for it."""
    done = session("exit_profile.py", ZOO, "--start", "zoo_hvc_psci", "--end", "*zoo_hvc_psci+4")
    assert done.stdout == "from zoo_hvc_psci to *zoo_hvc_psci+4: no exits\n"
    done = session("exit_profile.py", ZOO, "--start", "zoo_id_read", "--end", "zoo_wfi")
    assert (done.returncode, done.stdout) == (1, "")
    assert "exit_profile.py: expected breakpoint 3 (zoo_wfi), but the guest ended (exited-normally)" in done.stderr


@pytest.fixture(scope="module")
def two_places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest with a function that is inlined twice. Needs Debian's gcc-aarch64-linux-gnu."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.c").write_text(
        '#define HVC(n) __asm__ volatile("hvc #" #n ::: "x0", "memory")\n'
        "static inline __attribute__((always_inline)) void inner(void) { HVC(7); }\n"
        "__attribute__((noinline)) void first(void) { inner(); HVC(1); }\n"
        "__attribute__((noinline)) void second(void) { inner(); HVC(2); }\n"
        '__asm__(".globl _start\\n_start: ldr x0, =0x40100000; mov sp, x0; bl first; bl second;"\n'
        '        "ldr x0, =0x84000008; hvc #0");\n'
    )
    options = (
        "-g -O1 -ffreestanding -fno-asynchronous-unwind-tables -nostdlib -static -Wl,--build-id=none,-Ttext=0x40080000,-N"
    )
    command = ["aarch64-linux-gnu-gcc", *options.split(), "-o", "two.elf", "two.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "two.elf"


def test_a_breakpoint_at_two_places(two_places: Path) -> None:
    """A script sees which place it is, and a profile refuses to guess."""
    with launch(two_places, program=two_places) as gdb:
        inner = gdb.break_at("inner")
        assert len(inner.locations) == 2
        stops = [gdb.cont(at=inner) for _ in range(2)]
        assert [(s.breakpoint, s.location) for s in stops] == [(inner, 1), (inner, 2)]
        assert [s.pc for s in stops] == [frame.pc for frame in inner.locations]
        with pytest.raises(GdbError, match=r"inner is at 2 places: name one of them by its address: \*0x[0-9a-f]+ in"):
            _ = inner.only
    done = session("exit_profile.py", str(two_places), "--start", "inner", "--end", "second")
    assert (done.returncode, done.stdout) == (1, "")
    assert "exit_profile.py: inner is at 2 places" in done.stderr
    address = f"*{inner.locations[0].pc:#x}"
    done = session("exit_profile.py", str(two_places), "--start", address, "--end", "second")
    assert done.stdout.splitlines()[0] == f"from {address} to second: 2 exits"


def test_a_stop_that_nobody_expected() -> None:
    with launch(ROOT / ZOO) as gdb:
        gdb.catch_exit("hvc")
        point = gdb.break_at("zoo_id_read")
        with pytest.raises(
            GdbUnexpectedStop, match=r"expected breakpoint 1 \(zoo_id_read\), but it stopped for hvc:"
        ) as error:
            gdb.cont(at=point)
        assert error.value.stop.is_exit("hvc")
        assert error.value.stop.exit == "hvc:0x0"
        with pytest.raises(GdbUnexpectedStop, match="expected an exit wfx, but it stopped for hvc"):
            gdb.cont(on="wfx")
        gdb.monitor("vmexit delete all")
        assert gdb.cont(at=point).location == 1
        gdb.delete(point)
        with pytest.raises(GdbUnexpectedStop, match=r"expected an exit \*, but the guest ended \(exited-normally\)"):
            gdb.cont(on="*")


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


BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
# Parts of files are tests/guards/test_handbook.py's, tests and what needs a server are tests/e2e/test_readme.py's.
OTHERS = ("# gdbhv/", "GdbSession", "def test_")
EXAMPLES = [code for code in BLOCKS if not any(word in code for word in OTHERS)]


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda c: c.split("\n")[0])
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


def test_back_to_the_store() -> None:
    done = session("back_to_store.py", "guests/prebuilt/overrun.elf")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("panic in el1_sync, after 820,")
    assert lines[0].endswith("devices[2].work is 0x20666f2072656c6c")
    assert re.fullmatch(r"devices\[2\]\.work was last written 820,\d{3} instructions before, after \d{3}:", lines[1])
    assert "(copy_name" in lines[2]
    assert "strb" in lines[2]
    assert [line.split(" in ")[1].split()[0] for line in lines[3:6]] == ["copy_name", "add", "main"]
    failed = session("back_to_store.py", "guests/prebuilt/overrun.elf", "--memory", "nothing")
    assert failed.returncode == 1
    assert 'No symbol "nothing"' in failed.stderr


def test_back_to_the_missing_tlbi() -> None:
    done = session("back_to_tlbi.py", "guests/prebuilt/stale.elf")
    assert (done.returncode, done.stderr) == (0, "")
    text, lines = done.stdout, done.stdout.splitlines()
    assert re.fullmatch(r"panic after 1,6\d\d,\d{3} instructions; of IPA 0x80005000 the TLB has:", lines[0])
    assert "0x0040208000" in lines[2]
    assert "DIFFER: PA 0x4020f000" in lines[2]
    assert "invalidate (ipa=ipa@entry=2147500032)" in text, "page 4: another one"
    assert re.search(r"the mapping was changed last 8\d\d,\d{3} instructions before the panic", text)
    assert "(compact+0x" in text
    assert "hvc:0x0; hvc #0" in text
    assert "break-before-make skipped: cpu0 in EL2" in text
    failed = session("back_to_tlbi.py", "guests/prebuilt/stale.elf", "--ipa", "0xc0000000")
    assert failed.returncode == 1


def test_the_hypervisor_that_forgets_a_tlbi_prints_what_the_manifest_says() -> None:
    (stale,) = (h for h in manifest()["hypervisor"] if h["name"] == "stale")
    done = gdbhv("run", "guests/prebuilt/stale.elf", "--el", "2", "--stats", "json", "--check", "tlb")
    *console, document = done.stdout.splitlines()
    assert console == stale["console"].split("\n")[:-1]
    counted = json.loads(document)
    assert counted["instructions"] > 1_000_000
    assert [(row["count"], row["name"]) for row in counted["counts"]] == [(40, "hvc:0x0")]
    assert done.returncode == 8
