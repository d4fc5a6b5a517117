"""Exit specifications: which exits are meant, as ``monitor vmexit catch`` and the guests' manifest spell them.

``CLASS[.SUB]...[:ARG] [FILTER=VALUE]...``, e.g. ``dabt.trans.w ipa=0x9000000-0x9000fff``, ``sysreg.write:SCTLR_EL1``,
``hvc nr=0x84000008``, ``sysinsn:TLBI_*``, ``dabt.*.noisv``, ``cause=HCR_EL2.TWI``. An exit is meant if its name has the
class, every sub-reason (in any order) and the argument, and if it passes every filter. Shell patterns may be used.

A word that no exit can have is refused when it is typed: a catchpoint that never hits would look like a guest that behaves.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbhv import tables
from gdbhv.errors import CommandError

if TYPE_CHECKING:
    from gdbhv.records import ExitRecord

Test = Callable[["ExitRecord"], bool]

# Class by first word, for exits whose name does not begin with the name of their class.
ALIASES = {word: name for name, row in tables.exit_classes().items() for word in row["also"]}

UNITS = {"K": 10, "M": 20, "G": 30}
RANGES = ("ipa", "pc", "va", "intid")  # filters that name a range, the most telling first
CALLS = ("hvc", "smc")  # the classes of which SMCCC says what x0 is
SYSREG_READ = tables.iss_field("sysreg", "Direction").mask


def span(text: str) -> tuple[int, int]:
    """Parse a range of numbers and return its ends, both in it: LO-HI, LO+SIZE (with K, M or G if need be) or one number.

    :raises gdbhv.errors.CommandError: it is none, or it is empty.
    """
    try:
        if "+" in text:
            start, _, size = text.partition("+")
            unit = UNITS.get(size[-1:].upper(), 0)
            low = int(start, 0)
            high = low + (int(size[:-1] if unit else size, 0) << unit) - 1
        elif "-" in text[1:]:
            low, high = (int(t, 0) for t in text.split("-", 1))
        else:
            low = high = int(text, 0)
    except ValueError:
        raise CommandError(f"{text!r} is no range of numbers: LO-HI, LO+SIZE or one number") from None
    if not 0 <= low <= high:
        raise CommandError(f"{text!r} is an empty range: LO-HI, LO+SIZE or one number")
    return low, high


def _within(key: str, most: int = (1 << 64) - 1) -> Callable[[str], Test]:
    def make(text: str) -> Test:
        low, high = span(text)
        if low > most:
            raise CommandError(f"{text!r}: 0 to {most:#x} is possible")
        return lambda r: (value := r.get(key)) is not None and low <= int(str(value)) <= high

    return make


def _register(text: str) -> Test:
    _known_register(text)
    return lambda r: r["class"] == "sysreg" and fnmatch.fnmatchcase(r["name"].partition(":")[2], text.upper())


def _direction(text: str) -> Test:
    if text not in ("r", "w", "x"):
        raise CommandError(f"dir={text}: r (read), w (write) or x (execute) is needed")

    def matches(r: ExitRecord) -> bool:
        if r["class"] == "sysreg":
            return text == ("r" if r["esr"] & SYSREG_READ else "w")
        return text in r["name"].partition(":")[0].split(".")[1:]

    return matches


def _cause(text: str) -> Test:
    wanted = _bit(text)
    if not re.fullmatch(r"[A-Z0-9_*?]+\.[A-Za-z0-9_*?]+", text, re.IGNORECASE):
        raise CommandError(f"cause={text}: REGISTER.BIT is needed, e.g. HCR_EL2.TWI")
    return lambda r: any(fnmatch.fnmatchcase(_bit(c), wanted) for c in r["cause"])


def _bit(name: str) -> str:
    """HCR.TWI and HCR_EL2.TWI are the same."""
    return name.upper().replace("_EL2.", ".")


def _call(text: str) -> Test:
    low, high = span(text)
    return lambda r: r["class"] in CALLS and low <= r["args"][0] & 0xFFFFFFFF <= high


def _level(text: str) -> Test:
    if text not in ("-1", "0", "1", "2", "3"):
        raise CommandError(f"level={text}: -1 to 3 is needed")
    return lambda r: f"l{text}" in r["name"].split(".")


# name: (what it compares, maker of the test)
FILTERS: dict[str, tuple[str, Callable[[str], Test]]] = {
    "ipa": ("IPA: LO-HI, LO+SIZE or one address", _within("ipa")),
    "va": ("faulting VA (FAR_EL2): LO-HI, LO+SIZE or one address", _within("far")),
    "pc": ("address of the instruction: LO-HI, LO+SIZE or one address", _within("pc")),
    "el": ("exception level it came from, 0 or 1", _within("el", 1)),
    "nv": ("nested virtualization: 0 without HCR_EL2.NV, 1 with it, 2 with NV2 too", _within("nv", 2)),
    "vmid": ("VMID", _within("vmid", 0xFFFF)),
    "cpu": ("physical CPU", _within("cpu", 7)),
    "reg": ("system register or instruction, shell pattern", _register),
    "dir": ("r, w or x", _direction),
    "nr": ("SMCCC function identifier of HVC and SMC", _call),
    "intid": ("interrupt", _within("intid")),
    "level": ("translation level of an abort", _level),
    "cause": ("control bit, e.g. HCR_EL2.TVM", _cause),
}
VM = "vm"  # the one filter that needs to know the VMs: their name or number


@dataclass(frozen=True)
class ExitSpec:
    """A parsed specification. ``vm`` is the name or number of a VM, or None."""

    text: str
    pattern: str
    tests: tuple[Test, ...]
    vm: str | None = None
    filters: tuple[tuple[str, str], ...] = ()  # as they were typed, names and values

    @property
    def classes(self) -> frozenset[int]:
        """The numbers of the classes that may match."""
        return frozenset(tables.exit_classes()[ALIASES.get(w, w)]["number"] for w in _first_words(self.pattern))

    @property
    def range(self) -> tuple[str, int, int] | None:
        """The most telling of the filters that are ranges, with its ends; None: there is none."""
        given = dict(self.filters)
        return next(((key, *span(given[key])) for key in RANGES if key in given), None)

    def matches(self, record: ExitRecord, vm: str = "", pid: int = 0) -> bool:
        """Whether an exit of VM ``vm`` (number ``pid``) is meant."""
        if self.vm is not None and self.vm not in (vm, str(pid)):
            return False
        return name_matches(self.pattern, record["name"]) and all(t(record) for t in self.tests)


def name_matches(pattern: str, name: str) -> bool:
    """Whether an exit's ``name`` has the class, all the sub-reasons and the argument of ``pattern``."""
    want, _, want_arg = pattern.partition(":")
    have, _, have_arg = name.partition(":")
    (want_class, *want_subs), (have_class, *have_subs) = want.split("."), have.split(".")
    return (
        fnmatch.fnmatchcase(have_class, want_class)
        and all(sub == "*" or any(fnmatch.fnmatchcase(h, sub) for h in have_subs) for sub in want_subs)
        and (not want_arg or _argument(want_arg, have_arg))
    )


def _argument(want: str, have: str) -> bool:
    try:
        return int(want, 0) == int(have, 0)
    except ValueError:
        return fnmatch.fnmatchcase(have.upper(), want.upper())


def _first_words(pattern: str) -> list[str]:
    """Return the first words of exits' names that the class of ``pattern`` means."""
    word = pattern.partition(":")[0].split(".")[0]
    return [name for name in (*tables.exit_classes(), *ALIASES) if fnmatch.fnmatchcase(name, word)]


def parse(text: str) -> ExitSpec:
    """Parse a specification.

    :raises gdbhv.errors.CommandError: an unknown class, sub-reason, register or filter, with the nearest names; no word at
        all; a value that its filter cannot have.
    """
    words = text.split()
    if not words:
        raise CommandError("an exit specification is needed: a class like dabt or hvc, or filters like cause=HCR_EL2.TWI")
    pattern = "*"
    tests: list[Test] = []
    vm = None
    filters: list[tuple[str, str]] = []
    for i, word in enumerate(words):
        key, equals, value = word.partition("=")
        if not equals:
            if i:
                raise CommandError(f"{word!r}: after the class come filters NAME=VALUE ({', '.join([*FILTERS, VM])})")
            pattern = word
        elif not value:
            raise CommandError(f"{word} what? A value is needed")
        elif key == VM:
            vm = value
        elif key in FILTERS:
            tests.append(FILTERS[key][1](value))
            filters.append((key, value))
        else:
            raise CommandError(f"no filter {key!r}; {_near(key, [*FILTERS, VM])}")
    _known_name(pattern)
    return ExitSpec(" ".join(words), pattern, tuple(tests), vm, tuple(filters))


def _known_name(pattern: str) -> None:
    """Refuse a pattern that the name of no exit can match."""
    names, _, argument = pattern.partition(":")
    word, *subs = names.split(".")
    meant = _first_words(pattern)
    if not meant:
        raise CommandError(f"no exit class {word!r}; {_near(word, [*tables.exit_classes(), *ALIASES])}")
    known = {s for name in meant if name in tables.exit_classes() for s in tables.exit_classes()[name]["subs"]}
    for sub in subs:
        if sub != "*" and not any(fnmatch.fnmatchcase(k, sub) or fnmatch.fnmatchcase(sub, k) for k in known):
            raise CommandError(f"exits of class {word} have no sub-reason {sub!r}; {_near(sub, sorted(known))}")
    if word == "sysreg" and argument:
        _known_register(argument)


def _known_register(name: str) -> None:
    """Refuse the name of a register that does not exist; patterns, instructions and S3_0_C15_C2_0 may be anything."""
    registers = tables.registers()
    if re.search(r"[*?\[]", name) or not name.upper().endswith(("_EL0", "_EL1", "_EL2", "_EL12")):
        return
    if name.upper() not in registers:
        raise CommandError(f"no system register {name!r}; {_near(name.upper(), registers, all_too=False)}")


def _near(word: str, known: Iterable[str], *, all_too: bool = True) -> str:
    known = list(known)
    near = difflib.get_close_matches(word, known, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    everything = f"there are {', '.join(known)}" if known else "there are none"
    return f"{hint}{everything}" if all_too else hint or "`monitor sysreg --group el1` lists those of EL1"
