#!/usr/bin/env python3
"""Build what guests/manifest.toml lists and the system programs (guests/system/) into guests/prebuilt/, the same bytes in
any folder.

    scripts/build_guests.py                     rebuild all ELFs and SHA256SUMS
    scripts/build_guests.py hello system_base   rebuild these
    scripts/build_guests.py --check             change nothing; fail if prebuilt/ is not what the sources give

It needs Debian 12's aarch64-linux-gnu-gcc (the version that the manifest names): another one gives other bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GUESTS = ROOT / "guests"
SYSTEM = GUESTS / "system"
PREBUILT = GUESTS / "prebuilt"
SUMS = PREBUILT / "SHA256SUMS"

CC = "aarch64-linux-gnu-gcc"
COMMON_SOURCES = ("common/start.S", "common/vectors.S", "common/unexpected.c", "common/uart.c")
CFLAGS = (
    *("-Og", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-main"),
    *("-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    "-fno-common",
    # The FP registers are left alone, and with the MMU off every access must be aligned.
    *("-march=armv8-a", "-mgeneral-regs-only", "-mstrict-align", "-mno-outline-atomics"),
    "-Icommon",
)
LDFLAGS = ("-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096")
SYSTEM_COMMON = ("start.S", "system.c", "features.c", "tables.c", "record.c", "clean.c")
SYSTEM_LEVELS = {"system": "el2.c", "el1": "el1.c"}
"""By the start of the ELF's name: what depends on the level that the program runs at."""


class BuildError(Exception):
    """A guest could not be built; the message is for the user."""


def manifest() -> dict[str, Any]:
    """Return `compiler` and the list `guest` of all that is built: name, sources, link script, flags, without_debug."""
    table = tomllib.loads((GUESTS / "manifest.toml").read_text())
    for guest in table["guest"]:
        guest |= {"sources": [*COMMON_SOURCES, *guest["sources"]], "script": "common/link.ld"}
    for topic in sorted(SYSTEM.glob("*.toml")):
        facts = tomllib.loads(topic.read_text())
        table["guest"] += [
            system_program(topic.stem, facts, level) for level in ("system", "el1") if level != "el1" or level in facts
        ]
    table["guest"] += table["hypervisor"] + table["program"]
    return table


def system_program(topic: str, facts: dict[str, Any], level: str) -> dict[str, Any]:
    """Return what to build of a topic of system programs, in the shape of the manifest's guests.

    :param level: a key of SYSTEM_LEVELS.
    """
    common = [f"system/common/{name}" for name in (*SYSTEM_COMMON, SYSTEM_LEVELS[level])]
    return {
        "name": f"{level}_{topic}",
        "sources": [*common, "common/uart.c", f"system/{topic}.c"],
        "script": "system/common/link.ld",
        # Cases run in the order of the file.
        "flags": ["-fno-toplevel-reorder", *(["-DAT_EL1"] if level == "el1" else []), *facts.get("flags", ())],
    }


def compiler_version() -> str | None:
    """Return the version of the cross compiler, or None where there is none."""
    if shutil.which(CC) is None:
        return None
    return subprocess.run([CC, "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()


def build(guest: dict[str, Any], folder: Path) -> bytes:
    """Build one guest with its objects below `folder`; return the ELF. Raises BuildError with the compiler's words.

    Objects that are there already, of a guest with the same flags, are taken as they are.
    """
    flags = [*CFLAGS, *guest.get("flags", ()), f"-fdebug-prefix-map={GUESTS}=guests"]
    folder /= hashlib.sha256(" ".join([*flags, *guest.get("without_debug", ())]).encode()).hexdigest()
    folder.mkdir(exist_ok=True)
    objects = []
    for source in guest["sources"]:
        # ld names an object without a .file directive by its path: give it a relative one.
        objects.append(source.replace("/", "_") + ".o")
        without_lines = ["-g0"] if source in guest.get("without_debug", ()) else []
        if not (folder / objects[-1]).exists():
            run([CC, *flags, *without_lines, "-c", source, "-o", str(folder / objects[-1])], GUESTS)
    elf = folder / f"{guest['name']}.elf"
    script = [f"-Wl,-T,{GUESTS / guest['script']}"] if "script" in guest else []
    run([CC, *LDFLAGS, *script, *objects, "-o", elf.name], folder)
    return elf.read_bytes()


def run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if result.returncode:
        raise BuildError(f"{' '.join(command)}\n{result.stderr}")


def build_all(names: list[str]) -> dict[str, bytes]:
    """Build the named guests, or all; return the ELFs by file name. Raises BuildError."""
    table = manifest()
    unknown = set(names) - {guest["name"] for guest in table["guest"]}
    if unknown:
        raise BuildError(f"no guest named {', '.join(sorted(unknown))} in guests/manifest.toml or guests/system")
    version = compiler_version()
    if version is None:
        raise BuildError(f"{CC} is missing: apt-get install gcc-aarch64-linux-gnu")
    if version != table["compiler"]:
        raise BuildError(f"{CC} is {version}, the prebuilt guests are made with {table['compiler']} (Debian 12)")
    with tempfile.TemporaryDirectory() as folder:
        return {
            f"{guest['name']}.elf": build(guest, Path(folder))
            for guest in table["guest"]
            if not names or guest["name"] in names
        }


def sums() -> str:
    """Return what SHA256SUMS should say of the ELFs that are in prebuilt/."""
    return "".join(f"{hashlib.sha256(elf.read_bytes()).hexdigest()}  {elf.name}\n" for elf in sorted(PREBUILT.glob("*.elf")))


def check(built: dict[str, bytes]) -> list[str]:
    """Return a line for each difference between `built` and prebuilt/."""
    lines = [
        f"{name}: prebuilt differs from what the sources give"
        for name, elf in built.items()
        if not (PREBUILT / name).exists() or (PREBUILT / name).read_bytes() != elf
    ]
    if not SUMS.exists() or SUMS.read_text() != sums():
        lines.append("SHA256SUMS does not describe the files in prebuilt/")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guest", nargs="*", help="names from the manifest (default: all)")
    parser.add_argument("--check", action="store_true", help="compare with prebuilt/, change nothing")
    options = parser.parse_args()
    try:
        built = build_all(options.guest)
    except BuildError as error:
        print(f"build_guests.py: {error}", file=sys.stderr)
        return 1
    if options.check:
        differences = check(built)
        print("\n".join(differences) or f"{len(built)} guests are what their sources give")
        return 1 if differences else 0
    PREBUILT.mkdir(exist_ok=True)
    for name, elf in built.items():
        (PREBUILT / name).write_bytes(elf)
        print(f"{name:20}{len(elf):8} bytes")
    SUMS.write_text(sums())
    return 0


if __name__ == "__main__":
    sys.exit(main())
