"""`gdbhv s2 build`, `s2 check` and `gdbhv dump`: what is built is what a walk finds; a dump shows what its machine did."""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from gdbhv import _core, building, dumps
from gdbhv.cli import main
from gdbhv.errors import CommandError
from gdbhv.views import descend, stage2
from mappings.test_tlb import ask
from system.test_type1 import PROGRAM
from vms.test_vms import TYPE1, type1

AT = 0x44000000


def random_mappings(rng: random.Random, granule: int) -> list[building.Mapping]:
    page, found, ipa = 1 << granule, [], 0
    for _ in range(rng.randrange(1, 12)):
        ipa += rng.choice((page, 7 * page, 0x200000, 0x2000000)) + ipa % page
        size = rng.choice((page, 3 * page, 0x200000, 0x600000, 0x4000000)) // page * page
        pa = rng.choice((ipa, ipa + page, 0x80000000)) & -page
        perm = "".join(c for c in "rwx" if rng.random() < 0.7)
        found.append(building.Mapping(ipa, size, pa, perm, rng.choice(list(building.MEMORY))))
        ipa += size
    return found


@pytest.mark.parametrize("granule", [12, 14, 16])
def test_what_is_built_is_what_a_walk_finds(granule: int, seed: int) -> None:
    rng = random.Random(f"{seed} {granule}")
    for _ in range(25):
        rows = random_mappings(rng, granule)
        built = building.build(rows, AT, granule, rng.choice((None, 36, 40)))
        m = _core.Machine(cpus=1, memory=128 << 20, hosted=False)
        m.write_pa(AT, built.data)
        for name, value in (("VTCR_EL2", built.vtcr), ("VTTBR_EL2", built.vttbr), ("HCR_EL2", 1)):
            m.write_register(0, name, value)
        for row in rows:
            for ipa in (row.ipa, row.ipa + row.size - 1, row.ipa + rng.randrange(row.size)):
                walk = m.translate_ipa(0, ipa)
                assert walk is not None
                assert walk["pa"] == row.pa + ipa - row.ipa
                may = (("r", walk["read"]), ("w", walk["write"]), ("x", walk["execute"]))
                assert "".join(c for c, on in may if on) == row.perm
            for ipa in (row.ipa - 1, row.ipa + row.size):
                if not any(r.ipa <= ipa < r.ipa + r.size for r in rows):
                    walk = m.translate_ipa(0, ipa)
                    assert walk is not None
                    assert walk["fault"].startswith("trans")
        wrong: list[descend.Wrong] = []
        g = stage2.Geometry.of(built.vttbr, built.vtcr)
        leaves = [e for e in descend.entries(g, dumps.Dump([(AT, built.data)]).read, note=wrong.append) if not e.table]
        assert wrong == []
        assert sum(e.size for e in leaves) == sum(r.size for r in rows)


def test_blocks_are_used_where_they_fit() -> None:
    built = building.build(building.parse("0x40000000+1G 0x40000000 rwx normal\n0x8000000+2M 0x8000000 rw device"), AT)
    g = stage2.Geometry.of(built.vttbr, built.vtcr)
    leaves = [e.size for e in descend.entries(g, dumps.Dump([(AT, built.data)]).read) if not e.table]
    assert g.start == 2
    assert sorted(set(leaves)) == [2 << 20], "32 bits: four tables of level 2 side by side"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no range is there"),
        ("0x1000+4K 0x1000 rw", "line 1: 3 words instead of 4"),
        ("\n0x1000+4K 0x1000 rq normal", "line 2: 'rq' is no permission"),
        ("0x1000+4K 0x1000 rw ram", "line 1: 'ram' is no memory: normal, write-through"),
        ("0x1000+4K zero rw normal", "line 1: invalid literal"),
        ("0x1800+4K 0x1000 rw normal", "not aligned to the granule, 0x1000"),
        ("0x1000+8K 0x1000 rw normal\n0x2000+4K 0 r normal", "0x1000+0x2000 and 0x2000+0x1000 overlap"),
        ("0x1000+4K 0x10000000000 rw normal", "PA 0x10000000fff has more than 40 bits"),
        ("0x10000000000+4K 0x1000 rw normal", "41 bits of IPA: 41 .* to 40"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said).replace(r"\.\*", ".*")):
        building.build(building.parse(text), AT)


def test_build_and_check_on_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec, blob, source = tmp_path / "ranges", tmp_path / "tables.bin", tmp_path / "tables.c"
    spec.write_text("0x40000000+6M 0x46000000 rwx normal  # memory\n0x09000000+4K 0x09000000 rw- device\n")
    assert main(["s2", "build", str(spec), "--at", hex(AT), "-o", str(blob)]) == 0
    said = capfd.readouterr().err
    vtcr = re.search(r"VTTBR_EL2 = 0x44000000, VTCR_EL2 = (0x\w+)", said)
    assert vtcr is not None
    check = ["s2", "check", str(blob), "--base", hex(AT), "--vttbr", hex(AT), "--vtcr", vtcr[1]]
    assert main(check) == 0
    out = capfd.readouterr().out.splitlines()
    assert out[2].split() == "0x0009000000-0x0009000fff 0x0009000000 4K 1 x 4K rw- Device-nGnRE, non-shareable".split()
    assert out[3].split() == "0x0040000000-0x00405fffff 0x0046000000 6M 3 x 2M rwx Normal-WB, inner".split()
    assert main(["s2", "build", str(spec), "--at", hex(AT), "--format", "c", "-o", str(source)]) == 0
    words = struct.unpack(f"<{blob.stat().st_size // 8}Q", blob.read_bytes())
    text = source.read_text()
    assert {int(n): int(w, 16) for n, w in re.findall(r"\[(\d+)\] = (0x\w+)", text)} == {
        n: w for n, w in enumerate(words) if w
    }
    subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", "-fsyntax-only", str(source)], check=True)
    broken = bytearray(blob.read_bytes())
    index = next(n for n, w in enumerate(words) if w & 3 == 1)
    broken[8 * index + 2] |= 2  # bit 17 of a block
    blob.write_bytes(broken)
    capfd.readouterr()
    assert main(check) == 1
    assert "wrong: IPA 0x40" in capfd.readouterr().out
    assert main([*check[:-1], "0x80000000"]) == 1
    assert "VTCR_EL2" in capfd.readouterr().err


def core_file(path: Path, pieces: list[tuple[int, bytes]], notes: bytes) -> None:
    """An ELF core as QEMU's dump-guest-memory writes it: PT_NOTE and PT_LOAD with physical addresses."""
    headers = 1 + len(pieces)
    at = 64 + 56 * headers
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    out = ident + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, 64, 0, 0, 64, 56, headers, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), len(notes), 0)
    offset = at + len(notes)
    for address, data in pieces:
        out += struct.pack("<IIQQQQQQ", 1, 0, offset, 0, address, len(data), len(data), 0)
        offset += len(data)
    path.write_bytes(out + notes + b"".join(data for _, data in pieces))


def prstatus(m: _core.Machine, cpu: int) -> bytes:
    values = [*(m.x(cpu, n) for n in range(31)), *(m.read_register(cpu, name) for name in ("sp", "pc", "cpsr"))]
    data = bytes(112) + struct.pack("<34Q", *values) + bytes(8)
    return struct.pack("<III", 5, len(data), 1) + b"CORE\0\0\0\0" + data


@pytest.mark.parametrize("kind", ["raw", "core"])
def test_a_dump_shows_what_the_machine_showed(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    machine = type1(2)
    machine.run_all(400_000)
    core = machine.core
    base, _ = core.ram
    memory = core.read_pa(base, 8 << 20)
    names = ("VTTBR_EL2", "VTCR_EL2", "HCR_EL2", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "MAIR_EL1", "SCTLR_EL1", "TTBR0_EL2")
    names += ("TCR_EL2", "MAIR_EL2", "SCTLR_EL2", "VBAR_EL2")  # type: ignore[assignment]
    file, registers = tmp_path / "memory", tmp_path / "registers"
    lines = [f"{name} {core.read_register(0, name):#x}" for name in names]
    if kind == "raw":
        file.write_bytes(memory)
        lines += [f"{name} = {core.read_register(0, name):#x}  # by hand" for name in ("pc", "sp", "cpsr")]
    else:
        core_file(
            file, [(base, memory[: 4 << 20]), (base + (4 << 20), memory[4 << 20 :])], prstatus(core, 0) + prstatus(core, 1)
        )
    registers.write_text("\n".join(lines))
    commands = ["s2 dump", "s1 dump", "s1 dump --el 2", "walk $pc --explain", "sysreg VTTBR_EL2", "x $pc 32"]
    asked = [word for command in commands for word in ("-c", command)]
    assert main(["dump", str(file), "--registers", str(registers), *asked]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    wanted = [line for command in commands for line in ask(machine, command)]
    assert said.out.splitlines() == wanted
    assert main(["dump", str(file)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == (2 if kind == "raw" else 3)


@pytest.mark.parametrize(
    ("registers", "said"),
    [
        ("VTTBR_EL2", "line 1: 'VTTBR_EL2' is no register with its value"),
        ("\nVTTBR_EL2 much", "line 2: 'VTTBR_EL2 much' is no register with its value"),
        ('{"VTTBR_EL2": []}', "the registers are no JSON object of numbers"),
        ("cpu3:VTTBR_EL2 1", "cpu3:VTTBR_EL2: there are cpu0 to cpu0"),
    ],
)
def test_what_is_wrong_with_registers_is_said(
    registers: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m").write_bytes(bytes(4096))
    (tmp_path / "r").write_text(registers)
    assert main(["dump", str(tmp_path / "m"), "--registers", str(tmp_path / "r")]) == 1
    assert said in capfd.readouterr().err


def test_what_is_no_dump_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"\x7fELF" + bytes(10))
    assert main(["dump", str(file)]) == 1
    assert "a broken ELF core" in capfd.readouterr().err
    file.write_bytes(bytes(4096))
    assert main(["dump", str(file), "--base", "0x1000"]) == 1
    assert "nothing of this dump is at 0x40000000 or above" in capfd.readouterr().err
    (tmp_path / "r").write_text('{"MIDR_EL1": 1, "NO_SUCH": 2, "VBAR_EL2": "0x40000800"}')
    assert main(["dump", str(file), "--registers", str(tmp_path / "r"), "-c", "sysreg VBAR_EL2"]) == 0
    said = capfd.readouterr()
    assert "MIDR_EL1 of cpu0" in said.err
    assert "NO_SUCH of cpu0: no such register" in said.err
    assert "VBA=0x40000800" in said.out


def test_a_dump_of_qemus(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """type1 on QEMU, dumped by dump-guest-memory when it has ended: the tables of its first VM."""
    core, control = tmp_path / "qemu.core", tmp_path / "monitor"
    machine = "-M virt,virtualization=on,gic-version=3 -cpu cortex-a57 -m 128 -nic none -display none -no-shutdown"
    serial = f"-serial stdio -monitor unix:{control},server,nowait -kernel {TYPE1}"
    qemu = ["qemu-system-aarch64", *machine.split(), *serial.split()]
    with subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("both are off" in line for line in process.stdout)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(control))
            monitor.sendall(f"stop\ndump-guest-memory {core}\nquit\n".encode())
            while monitor.recv(4096):
                pass
        process.wait(60)
    dump = dumps.load(core)
    assert len(dump.cpus) == 1
    assert dump.pieces[0][0] == 0x40000000
    slot = PROGRAM.address["vms"] + PROGRAM.offset["vm", "stage2"]
    root = int.from_bytes(dump.read(slot, 8), "little")
    own = type1(1)
    own.run_all(400_000)
    vtcr = own.core.read_register(0, "VTCR_EL2")
    assert main(["s2", "check", str(core), "--vttbr", hex(root), "--vtcr", hex(vtcr), "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["wrong"] == []
    assert said["ranges"][0]["ipa"] == 0x80000000
    assert said["ranges"][0]["attributes"]["execute"] == "x"
    assert main(["dump", str(core), "-c", f"x pa:{root:#x} 16", "-c", "vcpus"]) == 0
    assert f"{dump.cpus[0]['pc']:#x}" in capfd.readouterr().out
