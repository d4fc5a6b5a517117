"""Parsers of option values: sizes, numbers, files with addresses."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any

from gdbhv import _core
from gdbhv.config import GUEST_ADDRESS, HOST, Drive, Forward, Net


def size(text: str) -> int:
    """Parse a size: bytes, or with K, M or G."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    try:
        value = int(number, 0) * unit
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: bytes, or a number with K, M or G (512M)")
    return value


def number(text: str) -> int:
    """Parse a 64-bit number in C notation; 1e9 is allowed too."""
    try:
        value = int(float(text)) if "e" in text.lower() and not text.lower().startswith("0x") else int(text, 0)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is out of range: 0 to 2^64 - 1")
    return value


def chaos(text: str) -> str:
    """Parse SEED[:PROFILE]; all numbers are said in what is returned."""
    try:
        return _core.chaos(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from None


def speed(text: str) -> int:
    """Parse how many nanoseconds an instruction takes."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 1000 nanoseconds are possible")
    return int(text)


def profile(text: str) -> str:
    """Parse the name of a CPU profile."""
    names = [name for name, _ in _core.profiles()]
    if text not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is no CPU: {', '.join(names)}")
    return text


def moment(text: str) -> tuple[int, str]:
    """Parse N:FILE."""
    insns, colon, path = text.partition(":")
    if not colon or not path:
        raise argparse.ArgumentTypeError(f"{text!r}: N:FILE is needed, e.g. 1e9:booted.snap")
    return number(insns), path


def few(text: str) -> int:
    """Parse a number of CPUs or VMs."""
    if not text.isdecimal() or not 1 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 8 is possible")
    return int(text)


def placed_file(text: str) -> tuple[str, int]:
    """Parse FILE@ADDR."""
    path, at, address = text.rpartition("@")
    if not at or not path:
        raise argparse.ArgumentTypeError(f"{text!r}: FILE@ADDR is needed, e.g. initrd.img@0x48000000")
    return path, number(address)


def flash(text: str) -> tuple[str, bool]:
    """Parse FILE or FILE,rw; with rw, what the guest writes is kept in the file."""
    path = text.removesuffix(",rw")
    if not path:
        raise argparse.ArgumentTypeError("FILE or FILE,rw is needed")
    return path, path != text


ABSENT = {
    "--netdev": "there is --net user",
    "--nic": "there is --net user",
    "--device": "there are --drive, --net, --rng and --virtio-console (with --pcie on PCIe)",
    "--virtfs": "there are no shared folders (9p, virtio-fs); --drive has files, and --semihosting=DIR",
    "--smmu": "there is no SMMU",
}
"""Options that users of other emulators may try, and what to use instead."""


def absent(why: str, text: str) -> str:
    """Refuse an option of :data:`ABSENT`."""
    raise argparse.ArgumentTypeError(why)


def drive(text: str) -> Drive:
    """Parse FILE[,rw|ro][,format=raw|qcow2]."""
    path, *words = text.split(",")
    found = Drive(path)
    for word in words:
        if word == "rw":
            found = found._replace(keeps=True)
        elif word == "ro":
            found = found._replace(read_only=True)
        elif word in ("format=raw", "format=qcow2"):
            found = found._replace(format=word.removeprefix("format="))
        else:
            raise argparse.ArgumentTypeError(f"{word!r}: FILE is followed by rw or ro, and by format=raw or format=qcow2")
    if not path:
        raise argparse.ArgumentTypeError(f"{text!r}: a FILE comes first")
    if found.keeps and found.read_only:
        raise argparse.ArgumentTypeError(f"{text!r}: rw and ro contradict each other")
    return found


FORWARD = re.compile(r"(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)")


def forward(text: str) -> Forward:
    """Parse tcp:[HOST]:PORT-[GUEST]:PORT or udp:..., as QEMU's hostfwd has it."""
    found = FORWARD.fullmatch(text)
    if found is None:
        needed = "tcp::PORT-:PORT or udp::PORT-:PORT is needed, e.g. hostfwd=tcp::2222-:22"
        raise argparse.ArgumentTypeError(f"hostfwd={text}: {needed}")
    protocol, host, own, guest, port = found.groups()
    if host not in ("", HOST, "localhost"):
        raise argparse.ArgumentTypeError(f"hostfwd={text}: ports of {HOST} are forwarded, and of no other address")
    if guest not in ("", GUEST_ADDRESS):
        raise argparse.ArgumentTypeError(f"hostfwd={text}: the guest's address is {GUEST_ADDRESS}")
    if not (int(own) < 1 << 16 and 0 < int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"hostfwd={text}: ports are 1 to 65535, and of the host's 0 is any")
    return Forward(int(own), int(port), udp=protocol == "udp")


def net(text: str) -> Net:
    """Parse user[,hostfwd=tcp::PORT-:PORT]...[,mac=MAC]."""
    kind, *words = text.split(",")
    if kind != "user":
        raise argparse.ArgumentTypeError(f"{text!r}: user is served, with hostfwd= and mac=")
    found = Net()
    for word in words:
        key, _, value = word.partition("=")
        if key == "hostfwd":
            found = found._replace(forwards=(*found.forwards, forward(value)))
        elif key == "mac" and re.fullmatch("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", value) and not int(value[:2], 16) & 1:
            found = found._replace(mac=value.lower())
        elif key == "mac":
            raise argparse.ArgumentTypeError(f"mac={value}: the address of a device is needed, as 52:54:00:12:34:56")
        else:
            raise argparse.ArgumentTypeError(f"{word!r}: user is followed by hostfwd= and mac=")
    return found


VM_KEYS: dict[str, Callable[[str], Any]] = {
    "initrd": str,
    "append": str,
    "dtb": str,
    "smp": few,
    "memory": size,
    "name": str,
    "load": placed_file,
    "load-address": number,
    "entry": number,
    "x0": number,
    "kernel": str,
    "drive": drive,
    "rng": number,
}
"""Options of ``gdbhv run`` that can be given for each VM; the others apply to the machine."""


def vm(text: str) -> dict[str, Any]:
    """Parse IMAGE,KEY=VALUE,...: fields of a BootConfig. Two commas are one in a value."""
    image, *rest = text.replace(",,", "\0").split(",")
    fields: dict[str, Any] = {"image": image.replace("\0", ",")}
    for part in rest:
        key, equals, value = part.replace("\0", ",").partition("=")
        if not equals or key not in VM_KEYS:
            known = ", ".join(f"{k}=" for k in VM_KEYS)
            raise argparse.ArgumentTypeError(f"{part!r}: IMAGE is followed by {known} (in a value, two commas for one)")
        parsed = VM_KEYS[key](value)
        if key in ("load", "drive"):  # they repeat
            parsed = [*fields.get(key, []), parsed]
        fields[key.replace("-", "_")] = parsed
    if not image:
        raise argparse.ArgumentTypeError(f"{text!r}: an IMAGE comes first")
    return fields


def console(text: str) -> tuple[str, str]:
    """Parse WHERE or NAME=WHERE; without a name it is ""."""
    name, equals, where = text.partition("=")
    return (name, where) if equals and "/" not in name and ":" not in name else ("", text)
