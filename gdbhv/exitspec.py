"""Exit specifications: which exits are meant, as ``monitor vmexit catch`` and the guests' manifest spell them.

``CLASS[.SUB]...[:ARG] [FILTER=VALUE]...``, e.g. ``dabt.trans.w ipa=0x9000000-0x9000fff``,
``sysreg.write:SCTLR_EL1``, ``hvc nr=0x84000008``,
``sysinsn:TLBI_*``, ``dabt.*.noisv``. Sub-reasons may be left out and need not be next to each other; their order
is that of exit names.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbhv.errors import CommandError
from gdbhv.tables import exit_classes

if TYPE_CHECKING:
    from gdbhv._core import ExitRecord

# Classes whose exits are named differently from the class's row.
ALIASES = {"sysinsn": "sysreg"}


def _span(text: str) -> tuple[int, int]:
    """Parse LO-HI or a single number."""
    low, dash, high = text.partition("-")
    try:
        first = int(low, 0)
        return first, int(high, 0) if dash else first
    except ValueError:
        raise CommandError(f"{text!r} is no number and no range LO-HI") from None


def _within(key: str) -> Callable[[str], Callable[[ExitRecord], bool]]:
    def make(text: str) -> Callable[[ExitRecord], bool]:
        low, high = _span(text)
        return lambda r: (value := r.get(key)) is not None and low <= int(str(value)) <= high

    return make


def _register(text: str) -> Callable[[ExitRecord], bool]:
    return lambda r: fnmatch.fnmatchcase(r["name"].partition(":")[2], text.upper())


def _direction(text: str) -> Callable[[ExitRecord], bool]:
    if text not in ("r", "w", "x"):
        raise CommandError(f"dir={text}: r, w or x is needed")

    def matches(r: ExitRecord) -> bool:
        words = r["name"].partition(":")[0].split(".")
        return text in words or {"r": "read", "w": "write", "x": "-"}[text] in words

    return matches


def _cause(text: str) -> Callable[[ExitRecord], bool]:
    wanted = text.upper().replace("_EL2", "")
    return lambda r: any(c.upper().replace("_EL2", "") == wanted for c in r["cause"])


def _call(text: str) -> Callable[[ExitRecord], bool]:
    low, high = _span(text)
    return lambda r: r["number"] in (0x1016, 0x1017) and low <= r["args"][0] & 0xFFFFFFFF <= high


def _level(text: str) -> Callable[[ExitRecord], bool]:
    return lambda r: f"l{text}" in r["name"].split(".")


# name: (what it compares, maker of the test)
FILTERS: dict[str, tuple[str, Callable[[str], Callable[[ExitRecord], bool]]]] = {
    "ipa": ("IPA, LO-HI or one address", _within("ipa")),
    "va": ("faulting VA, LO-HI or one address", _within("far")),
    "pc": ("address of the instruction, LO-HI or one address", _within("pc")),
    "el": ("exception level it came from, 0 or 1", _within("el")),
    "vmid": ("VMID", _within("vmid")),
    "cpu": ("physical CPU", _within("cpu")),
    "reg": ("system register or instruction, glob", _register),
    "dir": ("r, w or x", _direction),
    "nr": ("SMCCC function identifier of HVC and SMC", _call),
    "intid": ("interrupt", _within("intid")),
    "level": ("translation level of an abort", _level),
    "cause": ("control bit, e.g. HCR_EL2.TVM", _cause),
}


@dataclass(frozen=True)
class ExitSpec:
    """A parsed specification. ``vm`` is the name or number of a VM, or None."""

    text: str
    pattern: str
    tests: tuple[Callable[[ExitRecord], bool], ...]
    vm: str | None = None

    @property
    def classes(self) -> frozenset[int]:
        """The numbers of the classes that may match."""
        word = self.pattern.partition(":")[0].split(".")[0]
        return frozenset(
            c["number"] for name, c in exit_classes().items() if fnmatch.fnmatchcase(name, ALIASES.get(word, word))
        )

    def matches(self, record: ExitRecord, vm: str = "", pid: int = 0) -> bool:
        """Whether an exit of VM ``vm`` (number ``pid``) is meant."""
        if self.vm is not None and self.vm not in (vm, str(pid)):
            return False
        return name_matches(self.pattern, record["name"]) and all(t(record) for t in self.tests)


def name_matches(pattern: str, name: str) -> bool:
    """Whether ``name`` (class, sub-reasons, argument) is an instance of ``pattern``: its sub-reasons in order,
    gaps allowed."""
    want, _, want_arg = pattern.partition(":")
    have, _, have_arg = name.partition(":")
    if want_arg and not _argument(want_arg, have_arg):
        return False
    words = have.split(".")
    parts = [p for p in want.split(".") if p != "*"] if want != "*" else []
    if parts and not fnmatch.fnmatchcase(words[0], parts[0]) and want.split(".")[0] != "*":
        return False
    at = 0
    for part in parts:
        while at < len(words) and not fnmatch.fnmatchcase(words[at], part):
            at += 1
        if at == len(words):
            return False
        at += 1
    return True


def _argument(want: str, have: str) -> bool:
    try:
        return int(want, 0) == int(have, 0)
    except ValueError:
        return fnmatch.fnmatchcase(have.upper(), want.upper())


def parse(text: str) -> ExitSpec:
    """Parse a specification.

    :raises gdbhv.errors.CommandError: an unknown class or filter, with the nearest names.
    """
    words = text.split()
    pattern = "*"
    tests: list[Callable[[ExitRecord], bool]] = []
    vm = None
    for i, word in enumerate(words):
        key, equals, value = word.partition("=")
        if not equals:
            if i:
                raise CommandError(f"{word!r}: after the class come filters NAME=VALUE ({', '.join([*FILTERS, 'vm'])})")
            pattern = word
        elif key == "vm":
            vm = value
        elif key in FILTERS:
            tests.append(FILTERS[key][1](value))
        else:
            near = difflib.get_close_matches(key, [*FILTERS, "vm"], 1)
            raise CommandError(
                f"no filter {key!r}{f'; did you mean {near[0]}?' if near else ';'} there are {', '.join([*FILTERS, 'vm'])}"
            )
    spec = ExitSpec(text, pattern, tuple(tests), vm)
    if not words:
        raise CommandError("an exit specification is needed: a class like dabt or hvc, or filters")
    if not spec.classes:
        known = [*exit_classes(), *ALIASES]
        near = difflib.get_close_matches(pattern.partition(":")[0].split(".")[0], known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ";"
        raise CommandError(f"no exit class {pattern.split('.')[0]!r}{hint} there are {', '.join(known)}")
    return spec
