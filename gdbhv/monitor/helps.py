"""``help``, ``commands``, ``version``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gdbhv import _core
from gdbhv.monitor import registry
from gdbhv.monitor.registry import JSON, Arg, Context, command, to_json
from gdbhv.views.table import table


@command("help", Arg("words", "command", nargs="*"), help="list the commands, or explain one")
def help_(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """All commands, or the arguments of one."""
    if not args.words:
        here = [c for c in registry.load().values() if not c.missing(context.target)]
        yield from table(("command", "what it does"), [(c.name, c.help) for c in here])
        if others := sorted({c.about: c.name for c in registry.load().values() if c not in here}):
            yield f"This machine has no EL2, and so no {', no '.join(others)}: there are no commands for them."
        yield "`monitor help COMMAND` explains one; names may be shortened."
        return
    topic = [c for c in registry.load().values() if c.name.split()[0] == args.words[0] and c.name != args.words[0]]
    if len(args.words) == 1 and topic:
        yield from table(("command", "what it does"), [(c.usage, c.help) for c in topic])
        return
    found, _ = registry.find(args.words)
    yield f"{found.usage}: {found.help}"
    if missing := found.missing(context.target):
        yield f"Not here: {missing}."
        return
    yield from table(("argument", "meaning"), [(a.name, a.help) for a in found.args]) if found.args else ()
    yield from found.more()


@command("commands", JSON, help="the table of commands, for programs")
def commands(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """Names, usage and help of all commands."""
    rows = [
        {
            "name": c.name,
            "usage": c.usage,
            "help": c.help,
            "words": c.words(),
            "replaces": c.replaces,
            "args": [{"name": a.name, "help": a.help, "choices": a.choices, "flag": a.flag} for a in c.args],
        }
        for c in registry.load().values()
    ]
    if args.json:
        yield from to_json(rows)
    else:
        yield from (str(r["usage"]) for r in rows)


@command("version", help="the version of gdbhv")
def version(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """One line."""
    yield f"gdbhv {_core.__version__}"


def reference() -> list[str]:
    """Return the table of all commands as Markdown: the README's command reference."""
    rows = [(f"`{c.usage}`", c.help) for c in registry.load().values()]
    return ["| command | what it does |", "| --- | --- |", *(f"| {a.replace('|', chr(92) + '|')} | {b} |" for a, b in rows)]
