"""gdbhv's commands on GDB's side: ``gdbhv vmexit catch hvc`` is ``monitor vmexit catch hvc`` with GDB's values.

Runs inside GDB's own Python (GDB manual 23.3), with nothing of gdbhv but a connection to its server::

    (gdb) target extended-remote :1234
    (gdb) source gdbhv/gdbside/gdbhv.py

``gdbhv gdb`` does both. The commands are made from what `monitor commands --json` says, so they are always the server's.
Words that begin with $ or & are GDB expressions: ``gdbhv walk $pc``, ``gdbhv walk &jiffies``.

Functions for expressions and conditions of breakpoints:

    $_gdbhv_sysreg("HCR_EL2"), $_gdbhv_sysreg("TCR_EL1.T0SZ")    a system register of the selected vCPU, or a field
    $_gdbhv_pa(ADDRESS)                                          where a virtual address is in physical memory
    $_gdbhv_exit("ipa")                                          a number out of the last exit's record
"""

from __future__ import annotations

import json
from typing import Any

import gdb


def show(command: str, from_tty: bool = False) -> None:
    """Run a monitor command; what it prints appears as it comes.

    :raises gdb.GdbError: the server refuses. Its sentence is printed; GDB 13 itself knows of a "protocol error" only.
    """
    try:
        gdb.execute("monitor " + command, from_tty)
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from None


def monitor(command: str) -> str:
    """Return what a monitor command prints. :raises gdb.GdbError: the server refuses."""
    try:
        return str(gdb.execute("monitor " + command, to_string=True))
    except gdb.error:
        show(command)  # the sentence was lost with the text: once more, to be seen
        raise gdb.GdbError(f"monitor {command} failed, and then it did not") from None


def document(command: str) -> Any:
    """Return the JSON document that a monitor command prints."""
    return json.loads(monitor(command + " --json"))


def evaluated(argument: str) -> str:
    """Replace the words of a command line that are GDB expressions by their values."""
    return " ".join(value_of(word) if word[:1] in ("$", "&") else word for word in argument.split())


def value_of(word: str) -> str:
    """Return an expression's value as a number in C's notation. :raises gdb.GdbError: it has none."""
    try:
        return hex(number(gdb.parse_and_eval(word)))
    except gdb.error as error:
        raise gdb.GdbError(f"{word}: {error}") from None


def number(value: Any) -> int:
    """Return a GDB value as an unsigned number of 64 bits."""
    return int(value.cast(gdb.lookup_type("unsigned long"))) & (1 << 64) - 1


class MonitorCommand(gdb.Command):
    """A row of the server's table as a command of GDB."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.options = [a["name"] for a in row["args"] if a["name"].startswith("--")]
        self.__doc__ = f"{row['help'][:1].upper()}{row['help'][1:]}.\nUsage: gdbhv {row['usage']}"
        for a in row["args"]:
            self.__doc__ += f"\n  {a['name']:<10} {a['help']}"
        super().__init__("gdbhv " + row["name"], gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run the command."""
        show(f"{self.row['name']} {evaluated(argument)}", from_tty)

    def complete(self, text: str, word: str | None) -> list[str]:
        """Complete options, their choices, and the names of system registers."""
        words = text.split()
        before = words[-1] if words and text.endswith(" ") else words[-2] if len(words) > 1 else ""
        choices = next((a["choices"] for a in self.row["args"] if a["name"] == before and a["choices"]), None)
        if choices is None:
            choices = self.options if text.endswith("-") or "--" in text.split(" ")[-1] else []
            if self.row["name"] == "sysreg" and not choices:
                choices = [r.name for r in gdb.selected_inferior().architecture().registers() if "_EL" in r.name]
        return [str(c)[self.offset(text, word) :] for c in choices if str(c).startswith(text.split(" ")[-1])]

    @staticmethod
    def offset(text: str, word: str | None) -> int:
        """How much of the last word GDB has completed already: for GDB a word ends at "-"."""
        return len(text.split(" ")[-1]) - len(word or "")


class SystemRegister(gdb.Function):
    """$_gdbhv_sysreg(NAME): a system register of the selected vCPU, or NAME.FIELD."""

    def __init__(self) -> None:
        super().__init__("_gdbhv_sysreg")

    def invoke(self, name: Any) -> Any:
        """Return the value as a GDB number."""
        register, _, field = name.string().partition(".")
        found = document("sysreg " + register)
        if not field:
            return unsigned(found["value"])
        fields = {key.upper(): value for key, value in found["fields"].items()}
        if field.upper() not in fields:
            raise gdb.GdbError(f"{register} has no field {field}; it has {', '.join(found['fields'])}")
        return unsigned(fields[field.upper()])


class Physical(gdb.Function):
    """$_gdbhv_pa(ADDRESS): where a virtual address of the selected vCPU is in physical memory."""

    def __init__(self) -> None:
        super().__init__("_gdbhv_pa")

    def invoke(self, address: Any) -> Any:
        """Return the physical address as a GDB number."""
        found = document(f"walk {number(address):#x}")
        if "pa" not in found:
            raise gdb.GdbError(f"{number(address):#x}: stage {found['stage']} fault, {found['fault']}")
        return unsigned(found["pa"])


class LastExit(gdb.Function):
    """$_gdbhv_exit(KEY): a number out of the last exit's record: esr, far, ipa, pc, number, seq, insn, rt_value."""

    def __init__(self) -> None:
        super().__init__("_gdbhv_exit")

    def invoke(self, key: Any) -> Any:
        """Return the value as a GDB number."""
        found = document("vmexit last")
        value = found.get(key.string())
        if type(value) is not int:
            numbers = ", ".join(k for k, v in found.items() if type(v) is int)
            raise gdb.GdbError(f"{key.string()} is no number of this exit; there are {numbers}")
        return unsigned(value)


def unsigned(value: int) -> Any:
    """Return a Python number as a GDB value of type unsigned long."""
    return gdb.Value(value).cast(gdb.lookup_type("unsigned long"))


class Prefix(gdb.Command):
    """Commands of the gdbhv server."""

    def __init__(self, name: str, what: str) -> None:
        self.__doc__ = what
        super().__init__(name, gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)


def load() -> None:
    """Make all commands and functions. :raises gdb.GdbError: no gdbhv server is connected."""
    if getattr(gdb.selected_inferior(), "connection", None) is None:
        raise gdb.GdbError("connect to a gdbhv server first (target extended-remote), then source this file again")
    rows = document("commands")
    Prefix("gdbhv", "Commands of gdbhv's server: what `monitor` does, with completion and GDB's expressions.")
    for word in sorted({row["name"].split()[0] for row in rows if " " in row["name"]}):
        Prefix("gdbhv " + word, f"Commands of gdbhv's server about {word}.")
    for row in rows:
        MonitorCommand(row)
    for function in (SystemRegister, Physical, LastExit):
        function()


try:
    load()
except gdb.GdbError as error:  # at the top of a script it would come with a traceback
    gdb.write(f"gdbhv: {error}\n", gdb.STDERR)
