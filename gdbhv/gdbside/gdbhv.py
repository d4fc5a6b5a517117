"""gdbhv's commands on GDB's side: ``gdbhv vmexit catch hvc`` is ``monitor vmexit catch hvc`` with GDB's values.

Runs inside GDB's own Python (GDB manual 23.3), with nothing of gdbhv but a connection to its server::

    (gdb) target extended-remote :1234
    (gdb) source gdbhv/gdbside/gdbhv.py

``gdbhv gdb`` does both. The commands are made from the answer to `monitor commands --json`, so they match the server.
Words that begin with $ or & are GDB expressions: ``gdbhv walk $pc``, ``gdbhv walk &jiffies``; and an address may be a
symbol of GDB's: ``gdbhv walk jiffies``.

While a hypervisor has the CPU, GDB's backtrace has the frame that exited, and its callers: see :class:`GuestUnwinder`.
``gdbhv frame guest`` selects it. Conditions of breakpoints are written so that the stub can judge them: see conditions.py.

Functions for expressions and conditions of breakpoints:

    $_gdbhv_sysreg("HCR_EL2"), $_gdbhv_sysreg("TCR_EL1.T0SZ")    a system register of the selected vCPU, or a field
    $_gdbhv_pa(ADDRESS)                                          where a virtual address is in physical memory
    $_gdbhv_exit("ipa")                                          a number out of the last exit's record
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gdb
import gdb.unwinder


def show(command: str, from_tty: bool = False) -> None:
    """Run a monitor command, whose output appears as it comes.

    :raises gdb.GdbError: the server refuses. Its message is printed; GDB 13 itself reports only a "protocol error".
    """
    try:
        gdb.execute("monitor " + command, from_tty)
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from None


def ask(command: str, thread: Any = None) -> str:
    """Return the output of a monitor command for a thread (the selected one), without running a command of GDB.

    :raises gdb.GdbError: the server refuses, with its message.
    """
    thread = thread or gdb.selected_thread()
    connection = (gdb.selected_inferior() if thread is None else thread.inferior).connection
    if connection is None:
        raise gdb.GdbError("not connected to a gdbhv server")
    who = "0" if thread is None else f"p{thread.ptid[0]:x}.{thread.ptid[1]:x}"
    answer = connection.send_packet(f"qGdbhv.monitor:{who};{command.encode().hex()}".encode())
    if answer[:1] not in (b"=", b"!"):
        raise gdb.GdbError(answer.decode(errors="replace").removeprefix("E.") or "this server is not gdbhv")
    text = bytes.fromhex(answer[1:].decode()).decode()
    if answer[:1] == b"!":
        raise gdb.GdbError(text)
    return text


def document(command: str, thread: Any = None) -> Any:
    """Return the JSON document that a monitor command prints for a thread (the selected one)."""
    return json.loads(ask(command + " --json", thread))


def evaluated(argument: str, *, address: bool = False) -> str:
    """Replace the words of a command line that are GDB expressions by their values.

    :param address: the command takes an address, which may be a symbol of GDB's, also behind ``ipa:`` and the like.
    """
    return " ".join(evaluated_word(word, address=address) for word in argument.split())


def evaluated_filters(argument: str) -> str:
    """Do the same for an exit specification: ``pc=$pc``, ``ipa=&table``. What follows ``if`` or ``do`` is the server's."""
    words = argument.split()
    end = min([n for n, word in enumerate(words) if word in ("if", "do")], default=len(words))
    done = []
    for word in words[:end]:
        key, equals, value = word.partition("=")
        done.append(f"{key}={value_of(value)}" if equals and value[:1] in ("$", "&") else word)
    return " ".join(done + words[end:])


def evaluated_word(word: str, *, address: bool) -> str:
    """Replace one word."""
    space, colon, rest = word.partition(":")
    if address and colon and space in ("va", "ipa", "pa"):
        return f"{space}:{evaluated_word(rest, address=True)}"
    if word[:1] in ("$", "&"):
        return value_of(word)
    if address and (word[:1].isalpha() or word[:1] == "_"):
        try:
            return hex(place(gdb.parse_and_eval(word)))
        except gdb.error:
            return word  # the server may know the symbol
    return word


def value_of(word: str) -> str:
    """Return an expression's value as a number in C notation. :raises gdb.GdbError: it cannot be evaluated."""
    try:
        return hex(number(gdb.parse_and_eval(word)))
    except gdb.error as error:
        raise gdb.GdbError(f"{word}: {error}") from None


def place(value: Any) -> int:
    """Return the address that a value means: as for GDB's `x`, where a function or variable is, or else the value itself."""
    lazy = value.type.strip_typedefs().code
    if value.address is not None and lazy != gdb.TYPE_CODE_PTR:
        return number(value.address)
    return number(value)


def number(value: Any) -> int:
    """Return a GDB value as an unsigned number of 64 bits; a register of fields is its `raw`."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT and any(f.name == "raw" for f in kind.fields()):
        value = value["raw"]
    elif kind.code == gdb.TYPE_CODE_FLAGS:  # of 4 bytes: GDB does not cast it to a larger type
        return int(value) & (1 << 64) - 1
    return int(value.cast(gdb.lookup_type("unsigned long"))) & (1 << 64) - 1


class MonitorCommand(gdb.Command):
    """A monitor command of the server as a command of GDB."""

    def __init__(self, row: dict[str, Any], *, prefix: bool = False) -> None:
        self.row = row
        self.options = [a["name"] for a in row["args"] if a["name"].startswith("--")]
        self.address = any(a["name"] == "address" for a in row["args"])
        self.__doc__ = f"{row['help'][:1].upper()}{row['help'][1:]}.\nUsage: gdbhv {row['usage']}"
        for a in row["args"]:
            self.__doc__ += f"\n  {a['name']:<10} {a['help']}"
        super().__init__("gdbhv " + row["name"], gdb.COMMAND_DATA, prefix=prefix)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run the command."""
        show(f"{self.row['name']} {evaluated(argument, address=self.address)}", from_tty)

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
        """Return how much of the last word GDB has completed already; for GDB a word ends at "-"."""
        return len(text.split(" ")[-1]) - len(word or "")


class Frames:
    """The frames of a guest whose hypervisor has the CPU: where it exited, and its callers, as (PC, x29, SP)."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.registers: dict[str, int] = found["registers"]
        r = self.registers
        self.list = [(r["pc"], r["x29"], r["sp"])]
        callers = [(c["pc"], c["fp"]) for c in found["callers"]]
        if callers and r["x30"] != callers[0][0] and not same_function(r["pc"], r["x30"] - 4):
            self.list.append((r["x30"], r["x29"], r["sp"]))  # a function without a frame record of its own
        sp = r["x29"] + 16
        for pc, fp in callers:
            self.list.append((pc, fp, sp))
            sp = fp + 16

    def find(self, pc: int, fp: int) -> int | None:
        """Return the index of the frame with this PC and frame pointer; None if there is none."""
        return next((n for n, f in enumerate(self.list) if f[:2] == (pc, fp)), None)


def symbol(address: int) -> str:
    """Return GDB's symbolic form of an address: ``main``, ``main+4``; "" if it has none."""
    text = gdb.format_address(address)  # 0x40200000 <main+4>
    return str(text.partition("<")[2].partition(">")[0])


def same_function(one: int, other: int) -> bool:
    """Whether two addresses are in the same function; without symbols they count as being so."""
    names = [symbol(a).partition("+")[0] for a in (one, other)]
    return names[0] == names[1]


class FrameId:
    """A frame's identity for GDB. Frame addresses must increase, and the hypervisor's stack may be anywhere: its frame is at
    1."""

    def __init__(self, sp: int, pc: int) -> None:
        self.sp = gdb.Value(sp).cast(gdb.lookup_type("unsigned long"))
        self.pc = gdb.Value(pc).cast(gdb.lookup_type("unsigned long"))


class GuestUnwinder(gdb.unwinder.Unwinder):
    """Unwinds from EL2 to the guest while x30 is still the guest's: the caller is the guest, which exited at ELR_EL2.

    GDB would take x30 for a return address of the hypervisor, and so lose the frame that exited. This applies from the
    vector to the first call that the hypervisor makes; after that, its own frames are right. The guest's callers come from
    the server, which reads the guest's stack through the guest's translation; GDB itself reads through that of EL2. They are
    fetched when the machine has stopped, since GDB 13 crashes if an unwinder sends a packet.
    """

    def __init__(self) -> None:
        super().__init__("gdbhv-guest")
        self.frames: dict[Any, Frames] = {}  # by thread

    def fetch(self, event: Any = None) -> None:
        """Fetch the guest frames of each thread that is in its hypervisor, and make GDB unwind again.

        Of all inferiors: a VM's may be the one that stopped, and the user selects the machine's afterwards.
        """
        self.frames = {}
        for thread in [thread for inferior in gdb.inferiors() for thread in inferior.threads()]:
            try:
                found = document("frame guest", thread)
            except (gdb.GdbError, gdb.error, AttributeError, ValueError):
                continue  # no guest yet, or a server other than gdbhv
            if found["when"] != "now":
                self.frames[thread.ptid] = Frames(found)
        if self.frames:
            gdb.invalidate_cached_frames()

    def __call__(self, pending: Any) -> Any:
        """Unwind such a frame; return None for frames that GDB's own unwinders handle."""
        thread = gdb.selected_thread()
        frames = None if thread is None else self.frames.get(thread.ptid)
        if frames is None:
            return None
        hypervisor = number(pending.read_register("cpsr")) >> 2 & 3 == 2
        pc, sp, fp = (number(pending.read_register(r)) for r in ("pc", "sp", "x29"))
        if pending.level() == 0:
            if not hypervisor or number(pending.read_register("x30")) != frames.registers["x30"]:
                return None
            return self.caller(pending, FrameId(1, number(pending.read_register("vbar_el2"))), frames.registers)
        n = None if hypervisor else frames.find(pc, fp)
        if n is None:
            return None
        outer = frames.list[n + 1] if n + 1 < len(frames.list) else (0, 0, sp)
        saved = {**dict(zip(("pc", "x29", "sp"), outer, strict=True)), "cpsr": frames.registers["cpsr"]}
        return self.caller(pending, FrameId(sp, pc), saved)

    @staticmethod
    def caller(pending: Any, identity: FrameId, registers: dict[str, int]) -> Any:
        """Return GDB's description of a frame: its identity, and the registers of its caller."""
        info = pending.create_unwind_info(identity)
        for name, value in registers.items():
            kind = pending.read_register(name).type
            size = gdb.lookup_type("unsigned int" if kind.sizeof == 4 else "unsigned long")
            info.add_saved_register(name, gdb.Value(value).cast(size))
        return info


class Catching(MonitorCommand):
    """`gdbhv vmexit catch`: with completion of classes, sub-reasons, filters and actions."""

    def __init__(self, row: dict[str, Any], *, prefix: bool = False) -> None:
        super().__init__(row, prefix=prefix)
        self.words: dict[str, list[str]] = row["words"]

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run the command."""
        show(f"{self.row['name']} {evaluated_filters(argument)}", from_tty)

    def complete(self, text: str, word: str | None) -> list[str]:
        """Complete the last word: of the specification, by what may stand there."""
        before, last = text.split(" ")[:-1], text.split(" ")[-1]
        before = [w for w in before if not w.startswith("--")]
        if before and before[-1] == "do":
            known = self.words["actions"]
        elif "if" in before or "do" in before:
            known = []
        elif last.partition("=")[0] == "reg" and "=" in last:
            registers = gdb.selected_inferior().architecture().registers()
            known = ["reg=" + r.name for r in registers if "_EL" in r.name]
        else:
            known = self.words["filters"] + ([] if before else self.words["classes"])
        return [w[self.offset(text, word) :] for w in known if w.startswith(last)]


class Replacing(MonitorCommand):
    """A command that replaces the machine's state: GDB then forgets its cached registers, memory and threads."""

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run the command, and flush GDB's caches."""
        patience = gdb.parameter("remotetimeout")
        gdb.execute("set remotetimeout 1000", to_string=True)  # it may go a long way
        try:
            said = ask(f"{self.row['name']} {evaluated(argument, address=self.address)}")
        finally:
            gdb.execute(f"set remotetimeout {patience}", to_string=True)
        gdb.write("".join(f"{line}\n" for line in said.splitlines() if not line.startswith("gdb shows what it knew before")))
        for command in ("maintenance flush register-cache", "maintenance flush dcache", "info threads"):
            gdb.execute(command, to_string=True)


class GuestFrame(MonitorCommand):
    """`gdbhv frame guest`: select the frame, where GDB's backtrace has it; else show it with GDB's symbols."""

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run the command."""
        if argument.strip():
            super().invoke(argument, from_tty)
            return
        found = document("frame guest")
        if found["when"] == "now":
            gdb.newest_frame().select()
            gdb.execute("frame", from_tty)
            return
        frame = gdb.newest_frame()
        while frame is not None and number(frame.read_register("cpsr")) >> 2 & 3 == 2:
            frame = frame.older()
        if frame is not None and number(frame.read_register("pc")) == found["registers"]["pc"]:
            frame.select()
            gdb.execute("frame", from_tty)
            return
        gdb.write(f"The guest, {found['when']}:\n")
        for n, (pc, _, _) in enumerate(Frames(found).list):
            where = symbol(pc - 4 * (n > 0))
            gdb.write(f"#{n:<2} {pc:#018x}{where and f' in {where}'}\n")
        gdb.write(
            "GDB's own frames are the hypervisor's, which has made calls since; `monitor frame guest` has registers.\n"
        )


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
            raise gdb.GdbError(f"{number(address):#x}: stage {found['stage']} {found['words']}")
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
        raise gdb.GdbError(f"no server, no commands of it: target extended-remote ADDRESS, then source {__file__}")
    rows = document("commands")
    Prefix("gdbhv", "Commands of gdbhv's server: what `monitor` does, with completion and GDB's expressions.")
    topics = {row["name"].split()[0] for row in rows if " " in row["name"]}
    for word in sorted(topics - {row["name"] for row in rows}):
        Prefix("gdbhv " + word, f"Commands of gdbhv's server about {word}.")
    for row in rows:
        usual = Replacing if row["replaces"] else MonitorCommand
        kinds = {"frame guest": GuestFrame, "vmexit catch": Catching}
        kinds.get(row["name"], usual)(row, prefix=row["name"] in topics)
    unwinder = GuestUnwinder()
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    gdb.events.stop.connect(unwinder.fetch)
    unwinder.fetch()
    for function in (SystemRegister, Physical, LastExit):
        function()
    gdb.execute(f"source {Path(__file__).with_name('conditions.py')}")


try:
    load()
except gdb.GdbError as error:  # uncaught, it would be shown with a traceback
    gdb.write(f"gdbhv: {error}\n", gdb.STDERR)
