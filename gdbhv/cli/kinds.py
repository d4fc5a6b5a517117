"""What an option's value may be: sizes, numbers, files with addresses."""

from __future__ import annotations

import argparse


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
    """Parse a number of 64 bits in C's notation; 1e9 is one too."""
    try:
        value = int(float(text)) if "e" in text.lower() and not text.lower().startswith("0x") else int(text, 0)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is out of range: 0 to 2^64 - 1")
    return value


def speed(text: str) -> int:
    """Parse how many nanoseconds an instruction takes."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 1000 nanoseconds are possible")
    return int(text)


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
