"""The table of monitor commands: what they are called, what they take, what they say of themselves.

A command is a function behind :func:`command`. It gets a :class:`Context` and its parsed words, and yields lines. From the
table come dispatch, ``help``, completion, the README's reference, and the commands on GDB's side.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import logging
import pkgutil
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from gdbhv import monitor
from gdbhv.errors import CommandError, GdbhvError
from gdbhv.exits.records import VmRecord
from gdbhv.history import History
from gdbhv.monitor.catchpoints import Catchpoints, Mark, Watches
from gdbhv.target import Target, ThreadId

if TYPE_CHECKING:
    from gdbhv import _core
    from gdbhv.translation import Translation

log = logging.getLogger("gdbhv.monitor")


@dataclass
class Context:
    """What a command works on: the target, the thread that the debugger has selected (None: all VMs are off), what
    has been set so far."""

    target: Target
    selected: ThreadId | None
    catchpoints: Catchpoints = field(default_factory=Catchpoints)
    watches: Watches = field(default_factory=Watches)
    marks: dict[str, object] = field(default_factory=dict)  # of `s2 mark` and `sysreg --diff`
    exit_marks: dict[str, Mark] = field(default_factory=dict)
    only: VmRecord | None = None  # the VM that the command was typed for: vm:2
    kept: History | None = None  # what the target has done, if that is kept

    def vm(self, text: str) -> VmRecord:
        """Return a VM by number or name. :raises gdbhv.errors.CommandError: there is none, with those that are."""
        rows = self.target.vms()
        for vm in rows:
            if text in (vm.name, str(vm.number)):
                return vm
        known = ", ".join(f"{vm.number} ({vm.name})" for vm in rows)
        raise CommandError(f"no VM {text!r}; {f'there are {known}' if known else 'none has run yet'}")

    @property
    def thread(self) -> ThreadId:
        """The thread that the debugger has selected. :raises gdbhv.errors.CommandError: nobody is there to be selected."""
        if self.selected is None:
            raise CommandError(self.off())
        return self.selected

    def off(self) -> str:
        """Say that no VM is there, and what to do."""
        return f"{self.target.off_text}: `run` or `monitor reset` starts again"

    @property
    def history(self) -> History:
        """What the target has done. :raises gdbhv.errors.CommandError: it is not kept."""
        if self.kept is None:
            raise CommandError("nothing is kept of what the machine has done (`gdbhv run --no-history`)")
        return self.kept

    @property
    def core(self) -> _core.Machine:
        """The machine model behind the target."""
        return self.target.core

    def translation(self, args: argparse.Namespace) -> Translation:
        """Return the translation of VAs for a command: the thread's, or that of :data:`EL` and :data:`VMID`."""
        return self.target.translation(self.thread, args.el, args.vmid)

    def stage2(self, args: argparse.Namespace) -> Translation:
        """Return the translation of IPAs for a command."""
        return self.target.stage2(self.thread, args.vmid)


Handler = Callable[[Context, argparse.Namespace], Iterable[str | None]]
"""Yields lines, and None now and then if its work is proportional to what a guest controls: there it can be interrupted."""


@dataclass(frozen=True)
class Arg:
    """One argument: ``name`` as argparse takes it ("--json", "spec"), and what goes with it."""

    name: str
    help: str
    nargs: str | None = None
    type: Callable[[str], Any] | None = None
    choices: tuple[Any, ...] | None = None
    flag: bool = False
    free: tuple[str, ...] = ()  # words from which on everything is its own, also what begins with a -


def _vmid(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is no VMID, which is a number up to 65535")
    return value


JSON = Arg("--json", "print one JSON document", flag=True)
EL = Arg("--el", "exception level whose view it is (default: the thread's)", type=int, choices=(0, 1, 2))
KEEP = Arg("--keep", "stop the machine when this debugger has left, too", flag=True)
KEPT = " (kept)"
STALE = "gdb shows what it knew before, until `maintenance flush register-cache`"
VMID = Arg("--vmid", "a VM's view: where it runs, else as of its last exit (default: the thread's)", type=_vmid)


@dataclass(frozen=True)
class Command:
    """A row of the table."""

    name: str
    args: tuple[Arg, ...]
    help: str
    handler: Handler
    more: Callable[[], list[str]] = list  # further lines of `help COMMAND`
    about: str = ""  # what of EL2 it is about: nothing to see on a machine without
    words: Callable[[], dict[str, list[str]]] = dict  # what its arguments may be, for completion
    replaces: bool = False  # the machine is another one afterwards, which gdb does not notice

    def missing(self, target: Target) -> str | None:
        """Say why the command has nothing to work on; None: it has."""
        if self.about and "HCR_EL2" not in target.registers:
            return f"this machine has no EL2, and so no {self.about}"
        return None

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of its words."""
        p = _Parser(prog=self.name, description=self.help, add_help=False)
        for a in self.args:
            options: dict[str, Any] = {"help": a.help}
            if a.flag:
                options["action"] = "store_true"
            else:
                options |= {k: v for k, v in (("nargs", a.nargs), ("type", a.type), ("choices", a.choices)) if v is not None}
            p.add_argument(a.name, **options)
        return p

    @property
    def usage(self) -> str:
        """One line: the name and its arguments."""
        return " ".join(self.parser().format_usage().removeprefix("usage: ").split())


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise CommandError(f"{self.prog}: {message}; usage: {usage}")


COMMANDS: dict[str, Command] = {}


def command(
    name: str,
    *args: Arg,
    help: str,  # noqa: A002
    more: Callable[[], list[str]] = list,
    about: str = "",
    words: Callable[[], dict[str, list[str]]] = dict,
    replaces: bool = False,
) -> Callable[[Handler], Handler]:
    """File a function as the monitor command ``name`` (one or two words).

    :param about: what of EL2 it is about, if anything: "VM exits". It is refused where there is no EL2.
    :param words: what its arguments may be, for completion in gdb.
    :param replaces: it replaces the machine's state: what gdb is to do then is said at its end, and ``gdbhv NAME`` does it.
    """

    def add(f: Handler) -> Handler:
        if name in COMMANDS:
            raise ValueError(f"two commands are called {name!r}")
        COMMANDS[name] = Command(name, args, help, f, more, about, words, replaces)
        return f

    return add


@cache
def load() -> dict[str, Command]:
    """Return the whole table, in the order of names: the commands of every file of this package."""
    for topic in pkgutil.iter_modules(monitor.__path__, f"{monitor.__name__}."):
        importlib.import_module(topic.name)
    return dict(sorted(COMMANDS.items()))


def find(words: list[str]) -> tuple[Command, list[str]]:
    """Return the command that ``words`` begin with, and the rest. Names may be shortened while they stay unambiguous.

    :raises gdbhv.errors.CommandError: there is none, with the nearest names.
    """
    table = load()
    for n in (2, 1):
        name = " ".join(words[:n])
        if len(words) >= n and name in table:
            return table[name], words[n:]
    for n in (2, 1):
        if len(words) >= n:
            short = [c for c in table if _abbreviates(words[:n], c.split())]
            if len(short) == 1:
                return table[short[0]], words[n:]
            if short:
                raise CommandError(f"{' '.join(words[:n])} is short for several: {', '.join(short)}")
    begun = [c for c in table if c.split()[0] == words[0]]
    if begun:
        raise CommandError(f"{words[0]} what? There are: {', '.join(begun)}")
    near = difflib.get_close_matches(" ".join(words[:2]), table, 3) or difflib.get_close_matches(words[0], table, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise CommandError(f"no monitor command {words[0]!r}; {hint}`monitor help` lists them")


def _abbreviates(words: list[str], name: list[str]) -> bool:
    return len(words) == len(name) and all(n.startswith(w) for w, n in zip(words, name, strict=True))


def run(line: str, context: Context) -> Iterator[str | None]:
    """Run one command line and yield its lines, and None wherever it has nothing to say yet and can be given up.

    :raises gdbhv.errors.GdbhvError: whatever is wrong, in one sentence. A bug of the command itself is one too, and its
        traceback is logged: the debugger's session goes on.
    """
    try:
        words = shlex.split(line) or ["help"]
    except ValueError as e:
        raise CommandError(f"{line!r}: {e}") from None
    found, rest = find(words)
    if missing := found.missing(context.target):
        raise CommandError(missing)
    context, rest = _of_vm(context, rest)
    try:
        args = found.parser().parse_args(_freed(found, rest))
        yield from found.handler(context, args)
        if (
            found.replaces
            and context.selected is not None
            and not getattr(args, "json", False)
            and context.target.processes()
        ):
            yield f"{STALE}; `gdbhv {found.name}` does it too"
    except GdbhvError:
        raise
    except Exception as e:
        log.exception("monitor %s failed", line)
        raise CommandError(f"{found.name} failed ({type(e).__name__}: {e}): this is an error of gdbhv itself") from e


def _freed(found: Command, words: list[str]) -> list[str]:
    """Put a -- before the words that no option is among."""
    free = {word for a in found.args for word in a.free}
    first = next((n for n, word in enumerate(words) if word in free), None)
    return words if first is None else [*words[:first], "--", *words[first:]]


def _of_vm(context: Context, words: list[str]) -> tuple[Context, list[str]]:
    """Take the VM out of a command's words: with ``vm:2`` or ``ipa:2:0x40000000`` it is for that VM's thread.

    :raises gdbhv.errors.CommandError: there is no such VM.
    """
    rest = []
    for word in words:
        kind, _, name = word.partition(":")
        name, colon, address = name.partition(":")
        if (kind == "vm" and not colon) or (kind == "ipa" and colon):
            vm = context.vm(name)
            context = replace(context, selected=context.target.thread_of_vm(vm.number), only=vm)
        if kind != "vm" or colon:
            rest.append(f"ipa:{address}" if kind == "ipa" and colon else word)
    return context, rest


class Bound:
    """The commands of one target: a command line for a thread (None: all VMs are off) gives its answer."""

    def __init__(self, target: Target, history: History | None = None) -> None:
        self._target, self._history = target, history
        self._points, self._watches = Catchpoints(), Watches()
        self._marks: dict[str, object] = {}
        self._exit_marks: dict[str, Mark] = {}

    def __call__(self, line: str, thread: ThreadId | None) -> Iterator[str | None]:
        return run(line, self._context(thread))

    def _context(self, thread: ThreadId | None) -> Context:
        sets = self._points, self._watches, self._marks, self._exit_marks
        return Context(self._target, thread, *sets, kept=self._history)

    def left(self) -> None:
        """Remove the catchpoints and watches of a debugger that has left, but for those that it asked to be kept."""
        for number in self._points.unkept():
            self._target.catchers.pop(("vmexit", number), None)
            del self._points.rows[number]
        self._watches.delete(self._context(None).core, self._watches.unkept())
        self._marks.clear()


def bind(target: Target, history: History | None = None) -> Bound:
    """Return what the remote protocol calls for ``monitor``; stops at exits are described in a line from now on.

    :param history: what the target has done, for the commands that go back.
    """
    from gdbhv.monitor import exits

    exits.install(target)
    return Bound(target, history)


def to_json(document: Any) -> Iterator[str]:
    """Yield a JSON document in one line."""
    yield json.dumps(document)
