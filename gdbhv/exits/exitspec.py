"""Exit specifications: which exits are meant, as ``monitor vmexit catch`` and the guests' manifest spell them.

``CLASS[.SUB]...[:ARG] [FILTER=VALUE]...``, e.g. ``dabt.trans.w ipa=0x9000000-0x9000fff``, ``sysreg.write:SCTLR_EL1``,
``hvc nr=0x84000008``, ``sysinsn:TLBI_*``, ``dabt.*.noisv``, ``cause=HCR_EL2.TWI``. An exit is meant if its name has the
class, every sub-reason (in any order) and the argument, and if it passes every filter. Shell patterns may be used.
``el1.svc``, ``host.irq``, ``el2.dabt``, ``el3.smc`` and ``virt.irq`` are other exceptions, which are no exits.

A catchpoint may go on: ``entry`` (the entry after such an exit), ``once``, ``after N``, ``every=N``, ``latency>N``,
``if CONDITION`` (:mod:`gdbhv.exits.conditions`), ``do ACTION``.

A word that no exit can have is refused when it is typed: a catchpoint that never hits would look like a guest that behaves.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gdbhv import tables
from gdbhv.errors import CommandError
from gdbhv.exits import conditions
from gdbhv.exits.catches import Catcher
from gdbhv.exits.conditions import Operation

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord

Named = Callable[[str, Sequence[str]], bool]
"""Whether an exit may be meant by its name, and by the controls that provoked it."""

# Class by first word, for exits whose name does not begin with the name of their class.
ALIASES = {word: name for name, row in tables.exit_classes().items() for word in row["also"]}

UNITS = {"K": 10, "M": 20, "G": 30}
CALLS = ("hvc", "smc")  # the classes of which SMCCC says what x0 is
SYMBOL = r"[A-Za-z_][\w.$]*(?:\+\w+)?"


def span(text: str, symbols: Mapping[str, int] | None = None) -> tuple[int, int]:
    """Parse a range of numbers and return its ends, both in it: LO-HI, LO+SIZE (with K, M or G if need be) or one number.

    :param symbols: their addresses may be ends too, with an offset behind a +: ``main``, ``main+0x10-main+0x20``.
    :raises gdbhv.errors.CommandError: it is none, or it is empty.
    """
    if symbols is not None and re.search(rf"(?:^|-)&?{SYMBOL}", text):
        ends = re.fullmatch(rf"&?({SYMBOL}|\d\w*)(?:-&?({SYMBOL}|\d\w*))?", text)
        if ends is None:
            raise CommandError(f"{text!r} is no range: SYMBOL, SYMBOL+OFFSET, or two of them with a - between")
        low = _place(ends[1], symbols)
        high = low if ends[2] is None else _place(ends[2], symbols)
    else:
        low, high = _numbers(text)
    if not 0 <= low <= high:
        raise CommandError(f"{text!r} is an empty range: LO-HI, LO+SIZE or one number")
    return low, high


def _place(text: str, symbols: Mapping[str, int]) -> int:
    if text[0].isdigit():
        return _numbers(text)[0]
    name, plus, offset = text.partition("+")
    if name not in symbols:
        near = difflib.get_close_matches(name, symbols, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "the image has none, or others"
        raise CommandError(f"no symbol {name!r}: {hint}")
    return symbols[name] + (_numbers(offset)[0] if plus else 0)


def _numbers(text: str) -> tuple[int, int]:
    try:
        if "+" in text:
            start, _, size = text.partition("+")
            unit = UNITS.get(size[-1:].upper(), 0)
            low = int(start, 0)
            return low, low + (int(size[:-1] if unit else size, 0) << unit) - 1
        if "-" in text[1:]:
            low, high = (int(t, 0) for t in text.split("-", 1))
            return low, high
        return int(text, 0), int(text, 0)
    except ValueError:
        raise CommandError(f"{text!r} is no range of numbers: LO-HI, LO+SIZE or one number") from None


def _register(text: str) -> Named:
    _known_register(text)
    wanted = text.upper()
    return lambda name, cause: (
        bool(re.match(r"(\w+\.)?sys(reg|insn)\b", name)) and fnmatch.fnmatchcase(name.partition(":")[2], wanted)
    )


def _direction(text: str) -> Named:
    if text not in ("r", "w", "x"):
        raise CommandError(f"dir={text}: r (read), w (write) or x (execute) is needed")
    words = {"r": {"r", "read"}, "w": {"w", "write", "sysinsn"}, "x": {"x"}}[text]
    return lambda name, cause: not words.isdisjoint(name.partition(":")[0].split("."))


def _cause(text: str) -> Named:
    wanted = _bit(text)
    if not re.fullmatch(r"[A-Z0-9_*?]+\.[A-Za-z0-9_*?]+", text, re.IGNORECASE):
        raise CommandError(f"cause={text}: REGISTER.BIT is needed, e.g. HCR_EL2.TWI")
    known = [f"{r.name}.{f.name}" for r in tables.registers().values() if r.el == 2 for f in r.fields]
    if not any(fnmatch.fnmatchcase(_bit(k), wanted) for k in known):
        near = difflib.get_close_matches(text, known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise CommandError(f"cause={text}: no register of EL2 here has such a bit{hint}")
    return lambda name, cause: any(fnmatch.fnmatchcase(_bit(c), wanted) for c in cause)


def _bit(name: str) -> str:
    """HCR.TWI and HCR_EL2.TWI are the same."""
    return name.upper().replace("_EL2.", ".")


def _level(text: str) -> Named:
    if text not in ("-1", "0", "1", "2", "3"):
        raise CommandError(f"level={text}: -1 to 3 is needed")
    return lambda name, cause: f"l{text}" in name.split(".")


MOST = (1 << 64) - 1

# name: (what it compares, the greatest value)
NUMBERS: dict[str, tuple[str, int]] = {
    "ipa": ("IPA: LO-HI, LO+SIZE or one address", MOST),
    "va": ("faulting VA (FAR_EL2): LO-HI, LO+SIZE or one address", MOST),
    "pc": ("address of the instruction: LO-HI, LO+SIZE, one address, SYMBOL or SYMBOL+OFFSET", MOST),
    "el": ("exception level it came from, 0 or 1", 2),
    "nv": ("nested virtualization: 0 without HCR_EL2.NV, 1 with it, 2 with NV2 too", 2),
    "vmid": ("VMID", 0xFFFF),
    "cpu": ("physical CPU", 7),
    "nr": ("SMCCC function identifier of HVC and SMC", MOST),
    "intid": ("interrupt", MOST),
}
# name: (what it compares, maker of the test)
WORDS: dict[str, tuple[str, Callable[[str], Named]]] = {
    "reg": ("system register or instruction, shell pattern", _register),
    "dir": ("r, w or x", _direction),
    "level": ("translation level of an abort", _level),
    "cause": ("control bit, e.g. HCR_EL2.TVM", _cause),
}
FILTERS = {key: row[0] for rows in (NUMBERS, WORDS) for key, row in rows.items()}
VM = "vm"  # the one filter that needs to know the VMs: their name or number
EVERY = "every"
TIMES = {
    "latency": "instructions of the hypervisor for the exit",
    "away": "virtual nanoseconds from the exit to the entry",
}

ACTIONS = {
    "stop": "stop the machine (what it does without one)",
    "log": "say what it is, and go on",
    "count": "count it, and go on",
    "mark": "`vmexit mark NAME`, and go on",
    "run": "run a monitor command, and go on: do run gic",
}


def completions() -> dict[str, list[str]]:
    """Return what may be typed in a specification: classes with each of their sub-reasons, filters, actions."""
    never = tables.exit_absent_words()
    plain = {
        name: [s for s in row["subs"] if not re.search(r"[*\[]", s) and s not in never]
        for name, row in tables.exit_classes().items()
    }
    classes = [*plain, *ALIASES, *(f"{name}.{sub}" for name, subs in plain.items() for sub in subs)]
    others = [f"{word}.{name}" for word in origins() for name in plain]
    filters = [f"{key}=" for key in (*FILTERS, VM, EVERY)] + [f"{key}>" for key in TIMES]
    return {
        "classes": [*classes, *others],
        "filters": [*filters, "entry", "once", "after", "if", "do"],
        "actions": list(ACTIONS),
    }


def _number_of(record: ExitRecord, key: str) -> int | None:
    """Return a number of :data:`NUMBERS` out of a record."""
    if key == "nr":
        return record["args"][0] & 0xFFFFFFFF if record["class"] in CALLS else None
    value = record.get("far" if key == "va" else key)
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class ExitSpec:
    """A parsed specification. ``vm`` is the name or number of a VM, or None."""

    text: str
    pattern: str
    names: tuple[Named, ...] = ()
    ranges: tuple[tuple[str, int, int], ...] = ()  # keys of NUMBERS and TIMES with the ends, both in it
    vm: str | None = None
    filters: tuple[tuple[str, str], ...] = ()  # as they were typed, names and values
    entry: bool = False  # the entry after the exit is meant
    every: int = 1  # each so many-th is told of,
    after: int = 0  # when so many were let by,
    once: bool = False  # and only the first
    condition: tuple[Operation, ...] = ()
    action: str = "stop"  # a key of ACTIONS
    argument: str = ""  # of "mark" and "run"

    @property
    def classes(self) -> frozenset[int]:
        """The numbers of the classes that may match."""
        first, *subs = self.pattern.partition(":")[0].split(".")
        offset = origins().get(first, 0)
        word = (subs[0] if subs else "*") if offset else first
        return frozenset(tables.exit_classes()[ALIASES.get(w, w)]["number"] + offset for w in _first_words(word))

    def named(self, name: str, cause: Sequence[str]) -> bool:
        """Whether an exit may be meant by its name, and by the controls that provoked it."""
        return name_matches(self.pattern, name) and all(test(name, cause) for test in self.names)

    def catcher(
        self, vm: int | None = None, number: int = 0, hook: Callable[[Any, ExitRecord], None] | None = None
    ) -> Catcher:
        """Return it as a target takes it.

        :param vm: number of the VM that :attr:`vm` names.
        :param number: of the catchpoint, the name of its marks if they have none.
        :param hook: called with the thread instead of a stop: it may look, ``target.answer(thread, value)``, or inject.
        """
        run = {"run": self.argument, "mark": f"vmexit mark {self.argument or f'catch{number}'}"}.get(self.action, "")
        return Catcher(
            classes=self.classes,
            entries=self.entry,
            named=self.named,
            ranges=(*self.ranges, *((VM, n, n) for n in (vm,) if n is not None)),
            condition=self.condition,
            every=self.every,
            after=self.after,
            once=self.once,
            silent=self.action == "count",
            stops=self.action == "stop" and hook is None,
            says=self.action == "log",
            run=run,
            hook=hook,
        )

    def matches(self, record: ExitRecord, vm: str = "", pid: int = 0) -> bool:
        """Whether an exit of VM ``vm`` (number ``pid``) is meant; what only the machine knows (``if``) is not asked."""
        if self.vm is not None and self.vm not in (vm, str(pid)):
            return False
        if not self.named(record["name"], record["cause"]) or record["number"] not in self.classes:
            return False
        numbers = ((_number_of(record, key), low, high) for key, low, high in self.ranges)
        return all(value is not None and low <= value <= high for value, low, high in numbers)


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


def origins() -> dict[str, int]:
    """Return what exceptions that are no exits are called by, and what is added to the numbers of their classes."""
    return {word: offset for word, _, offset in tables.exit_origins()}


def _first_words(word: str) -> list[str]:
    """Return the first words of exits' names that ``word`` means."""
    return [name for name in (*tables.exit_classes(), *ALIASES) if fnmatch.fnmatchcase(name, word)]


def parse(text: str, symbols: Mapping[str, int] | None = None) -> ExitSpec:
    """Parse a specification.

    :param symbols: addresses by name, for ``pc=`` and conditions.
    :raises gdbhv.errors.CommandError: an unknown class, sub-reason, register or filter, with the nearest names; no word at
        all; a value that its filter cannot have.
    """
    words = text.split()
    if not words:
        raise CommandError("an exit specification is needed: a class like dabt or hvc, or filters like cause=HCR_EL2.TWI")
    full = " ".join(words)
    words, action = _divide(words, "do")
    words, condition = _divide(words, "if")
    spec = _parse_words(full, words, symbols or {})
    _known_name(spec.pattern)
    if spec.pattern.partition(".")[0] not in ("el2", "el3") and any(key == "el" and low > 1 for key, low, _ in spec.ranges):
        raise CommandError(f"{dict(spec.filters)['el']!r}: 0 to 0x1 is possible")
    if condition is not None:
        spec = replace(spec, condition=conditions.parse(" ".join(condition), spec.classes, symbols or {}))
    if action is not None:
        spec = _action(spec, action)
    return spec


def _divide(words: list[str], at: str) -> tuple[list[str], list[str] | None]:
    """Return what is before the word ``at``, and what is behind it; None: it is not there."""
    if at not in words:
        return words, None
    n = words.index(at)
    if n + 1 == len(words):
        raise CommandError(f"{at} what? {'An action' if at == 'do' else 'A condition'} is needed")
    return words[:n], words[n + 1 :]


def _action(spec: ExitSpec, words: list[str]) -> ExitSpec:
    what, *rest = words
    if what not in ACTIONS:
        raise CommandError(f"do {what}: {_near(what, ACTIONS)}")
    if what == "run" and not rest:
        raise CommandError("do run what? A monitor command is needed")
    if (rest and what not in ("run", "mark")) or (what == "mark" and len(rest) > 1):
        raise CommandError(f"do {what} takes nothing more: {' '.join(rest)!r}")
    return replace(spec, action=what, argument=" ".join(rest))


def _parse_words(text: str, words: list[str], symbols: Mapping[str, int]) -> ExitSpec:
    spec = ExitSpec(text, "*")
    rest = iter(words)
    for i, word in enumerate(rest):
        key, equals, value = word.partition("=")
        if time := re.fullmatch(r"(\w+)>(=?)(.*)", word):
            spec = replace(spec, ranges=(*spec.ranges, _time(time[1], time[3], strict=not time[2])), entry=True)
        elif word == "once":
            spec = replace(spec, once=True)
        elif word == "entry":
            spec = replace(spec, entry=True)
        elif word == "after":
            spec = replace(spec, after=_count("after", next(rest, ""), 0))
        elif not equals:
            if i:
                known = ", ".join([*FILTERS, VM, EVERY])
                raise CommandError(
                    f"{word!r}: after the class come filters NAME=VALUE ({known}), latency>N, entry, once, after N, if, do"
                )
            spec = replace(spec, pattern=word)
        elif not value:
            raise CommandError(f"{word} what? A value is needed")
        elif key == VM:
            spec = replace(spec, vm=value)
        elif key == EVERY:
            spec = replace(spec, every=_count("every=", value, 1))
        else:
            spec = _filter(spec, key, value, symbols)
    return spec


def _filter(spec: ExitSpec, key: str, value: str, symbols: Mapping[str, int]) -> ExitSpec:
    filters = (*spec.filters, (key, value))
    if key in WORDS:
        return replace(spec, names=(*spec.names, WORDS[key][1](value)), filters=filters)
    if key not in NUMBERS:
        raise CommandError(f"no filter {key!r}; {_near(key, [*FILTERS, VM, EVERY])}")
    low, high = span(value, symbols if key in ("pc", "va") else None)
    if low > NUMBERS[key][1]:
        raise CommandError(f"{value!r}: 0 to {NUMBERS[key][1]:#x} is possible")
    return replace(spec, ranges=(*spec.ranges, (key, low, min(high, MOST))), filters=filters)


def _time(key: str, value: str, *, strict: bool) -> tuple[str, int, int]:
    if key not in TIMES:
        raise CommandError(f"{key}>: {_near(key, TIMES)}")
    return key, _count(f"{key}>", value, 0) + strict, MOST


def _count(what: str, text: str, least: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not least <= value < 1 << 63:
        raise CommandError(f"{what} {text}: a number from {least} is needed")
    return value


def _known_name(pattern: str) -> None:
    """Refuse a pattern that the name of no exit can match."""
    names, _, argument = pattern.partition(":")
    word, *subs = names.split(".")
    if word in origins():
        word, *subs = subs or ["*"]
    if word in tables.exit_absent():
        raise CommandError(f"no exit is ever {word!r} here: {tables.exit_absent()[word]['why']}")
    meant = _first_words(word)
    if not meant:
        raise CommandError(f"no exit class {word!r}; {_near(word, [*tables.exit_classes(), *ALIASES, *origins()])}")
    known = {s for name in meant if name in tables.exit_classes() for s in tables.exit_classes()[name]["subs"]}
    known -= tables.exit_absent_words().keys()
    for sub in subs:
        if sub in tables.exit_absent_words():
            raise CommandError(f"no exit is ever {sub!r} here: {tables.exit_absent_words()[sub]}")
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
