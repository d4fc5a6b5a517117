"""System registers as gdb's own types: what each spelling of a name can do, in Debian's gdb and in the newest.

Oracle: gdb. The table in gdbhv/rsp/tdesc.py says what was chosen by these facts.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.debugged import GDBS, NEWEST, debugged, guest
from gdbhv.boot import BootConfig
from gdbhv.client.gdbline import gdb_target
from gdbhv.client.stops import GdbError

both = pytest.mark.parametrize("gdb", GDBS, ids=["debian", "newest"])

TYPED = """
set $hcr_el2 = 0x80000001                   ->
p $HCR_EL2.VM                               -> 1
p $HCR_EL2.BSU                              -> none
set $HCR_EL2.TWI = 1                        ->
set $HCR_EL2.BSU = 1                        ->
p/x $hcr_el2                                -> 0x80002401
p $HCR_EL2.BSU                              -> inner
p $HCR_EL2.flags                            -> [ VM BSU=inner TWI RW TWEDEL=0 ]
p $HCR_EL2.raw & 1                          -> 1
p $hcr_el2 & 1                              -> 1
set $HCR_EL2.TWI = 0                        ->
p/x $hcr_el2                                -> 0x80000401
set $HCR_EL2.raw = 0x80000003               ->
p $HCR_EL2.raw == $hcr_el2                  -> 1
p $HCR_EL2.SWIO                             -> 1
set $HCR_EL2 = 1                            -> Invalid cast.
set $HCR_EL2 = 0x80000000UL                 ->
p $HCR_EL2.VM                               -> 0
set $VBAR_EL1 = 0x40080000                  ->
p $VBAR_EL1                                 -> (void (*)()) 0x40080000
p/x $vbar_el1 + 0x200                       -> 0x40080200
p/x $vbar_el1 & ~0xfff                      -> 0x40080000
set $FAR_EL1 = 0x1234                       ->
p $FAR_EL1                                  -> (void *) 0x1234
set $TTBR0_EL1 = 0x1000042000000            ->
p $TTBR0_EL1 >> 48                          -> 1
set $CNTV_CVAL_EL0 = 5                      ->
p $CNTV_CVAL_EL0 + 1                        -> 6
set $ESR_EL1.EC = 0x15                      ->
p $ESR_EL1.EC                               -> svc
p $ESR_EL1.EC == 0x15                       -> 1
p $esr_el1 >> 26                            -> 21
python print(int(gdb.parse_and_eval("$ESR_EL1")["EC"]))     -> 21
python print(int(gdb.parse_and_eval("$esr_el1")) >> 26)     -> 21
p $ID_AA64PFR0_EL1.EL2                      -> aarch64
"""


@both
def test_what_is_typed_and_what_gdb_says(gdb: str) -> None:
    with debugged(BootConfig(memory=16 << 20), vms=0, gdb=gdb) as machine:
        for line in TYPED.strip().splitlines():
            command, _, wanted = (part.strip() for part in line.partition("->"))
            try:
                said = re.sub(r"^\$\d+ = ", "", machine.gdb.execute(command).strip())
            except GdbError as error:
                said = str(error).rpartition(": ")[2]
            assert said == wanted, command


@both
def test_by_the_library(gdb: str) -> None:
    with debugged(BootConfig(memory=16 << 20), vms=0, gdb=gdb) as machine:
        for name in ("HCR_EL2", "hcr_el2", "VBAR_EL2", "TTBR0_EL1"):
            machine.gdb.write_register(name, 0x80000000)
            assert machine.gdb.read_register(name) == 0x80000000
        created = machine.gdb.mi("-var-create trap * $HCR_EL2.TWI")
        assert created["value"] == "0"
        assert machine.gdb.mi("-var-assign trap 1")["value"] == "1"
        assert machine.gdb.read_register("hcr_el2") == 0x80002000


PUTC = "uart_putc"  # called for each character that hello prints
NUMBERS = ("$sctlr_el1 & 1 == 5", "$hcr_el2 & 4 == 3", "$esr_el1 >> 26 == 0x3f", "$TTBR0_EL1 == 5", "$VBAR_EL1 == 5",
           "(unsigned long) $FAR_EL1 & 1 == 5", "$CNTVCT_EL0 > 1000000000000", "*(int *) $vbar_el1 == 77")  # fmt: skip
FIELDS = ("$SCTLR_EL1.raw & 1 == 5", "$ESR_EL1.EC == 0x3f", "$HCR_EL2.flags & 4 == 3", "$SPSR_EL1.M == 5 || $x0 == 1000",
          "$cpsr & 0xc == 1", "$w0 == 1000", "$lr == 5", "*(int *) $fp == 77 && $HCR_EL2.VM == 1")  # fmt: skip
STOCK = "python gdb.events.breakpoint_created.disconnect(gdb.gdbhv_conditions)"


@both
@pytest.mark.parametrize(
    ("conditions", "before", "in_stub"),
    [(NUMBERS, "", True), (FIELDS, "", True), *(((one,), STOCK, False) for one in FIELDS)],
)
def test_where_a_condition_is_evaluated(
    gdb: str, conditions: tuple[str, ...], before: str, in_stub: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the stub, gdb asks it to go on once; else at each of the breakpoint's hits."""
    with guest("hello", gdb=gdb) as machine:
        if before:
            machine.gdb.execute(before)
        for condition in conditions:
            machine.gdb.break_at(PUTC, condition=condition)
        packets: list[str] = []
        note = machine.gdb._note
        monkeypatch.setattr(machine.gdb, "_note", lambda message: (packets.append(str(message["payload"])), note(message)))
        machine.gdb.execute("set debug remote on")
        assert machine.gdb.cont().ended
        asked = sum("Sending packet: $vCont;c" in packet for packet in packets)
        assert len(machine.console) > 10
        assert asked == 1 if in_stub else asked > len(machine.console)


REWRITTEN = """
$HCR_EL2.VM == 1                     -> (($hcr_el2 >> 0) & 0x1) == 1
$ESR_EL1 . EC != 0x15                -> (($esr_el1 >> 26) & 0x3f) != 0x15
$HCR_EL2.raw & 1                     -> $hcr_el2 & 1
$HCR_EL2.flags                       -> $hcr_el2
c == 36 && $HCR_EL2.TGE || $x1       -> c == 36 && (($hcr_el2 >> 27) & 0x1) || $x1
$cpsr & 0xc                          -> ((unsigned int) $cpsr) & 0xc
(unsigned int)$cpsr & 0xc            -> (unsigned int)$cpsr & 0xc
$w3 == $lr                           -> ((unsigned int) $x3) == $x30
$_streq("$HCR_EL2.VM", "a\\"$w0")    -> $_streq("$HCR_EL2.VM", "a\\"$w0")
$sp && $VBAR_EL1 && $x30 && $unknown -> $sp && $VBAR_EL1 && $x30 && $unknown
"""


@both
def test_how_a_condition_is_rewritten(gdb: str) -> None:
    """By `break`, `tbreak`, `hbreak` and `condition`; each means what was typed, and one line says so once."""
    with guest("hello", gdb=gdb) as machine:
        said = []
        for number, line in enumerate(REWRITTEN.strip().splitlines(), 1):
            typed, wanted = (part.strip() for part in line.split("->"))
            command = ("break", "tbreak", "hbreak", "break")[number % 4]
            said.append(machine.gdb.execute(f"{command} {PUTC}{' if ' + typed if number % 4 else ''}"))
            if number % 4 == 0:
                said.append(machine.gdb.execute(f"condition {number} {typed}"))
            condition = machine.gdb.execute(f"python print(gdb.breakpoints()[{number - 1}].condition)").strip()
            assert condition == wanted
        notes = [text for text in said if "gdbhv: " in text]
        assert len(notes) == 1
        assert "breakpoint 1 stops only if (($hcr_el2 >> 0) & 0x1) == 1: the same, but judged in the stub" in notes[0]


@both
def test_a_rewritten_condition_means_what_was_typed(gdb: str) -> None:
    """Each field of some registers, of random values: what gdb makes of the field, and of the expression."""
    generator = random.Random(4)
    with debugged(BootConfig(memory=16 << 20), vms=0, gdb=gdb) as machine:
        machine.gdb.execute("python import __main__")
        for name in ("HCR_EL2", "ESR_EL1", "SCTLR_EL1", "CPACR_EL1", "SPSR_EL1", "PMCR_EL0", "CNTKCTL_EL1"):
            machine.gdb.write_register(name.lower(), generator.getrandbits(31))
            fields = json.loads(
                machine.gdb.execute(
                    f"python import json; print(json.dumps([f.name for f in gdb.parse_and_eval('${name}').type.fields()]))"
                )
            )
            assert len(fields) > 3
            for field in set(fields) - {"flags"}:
                expressions = f"'${name}.{field}', __main__.plain('${name}.{field}')"
                typed, plain = machine.gdb.execute(
                    f"python print(*(int(gdb.parse_and_eval(e)) for e in ({expressions})))"
                ).split()
                assert typed == plain, f"{name}.{field}"


class Dap:
    """A client of gdb's server for the Debug Adapter Protocol, which came with GDB 14."""

    def __init__(self, gdb: Path) -> None:
        command = [str(gdb), "-nx", "-q", "-i=dap", "-iex", "set architecture aarch64"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._sent = 0

    def __enter__(self) -> Dap:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def send(self, command: str, **arguments: object) -> int:
        assert self._process.stdin is not None
        self._sent += 1
        request = {"type": "request", "seq": self._sent, "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()
        return self._sent

    def answer(self, number: int) -> dict[str, Any]:
        assert self._process.stdout is not None
        while True:
            length = 0
            while line := self._process.stdout.readline().strip():
                length = int(line.partition(b":")[2])
            message = json.loads(self._process.stdout.read(length))
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body", {})

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        return self.answer(self.send(command, **arguments))


def test_by_dap() -> None:
    with debugged(BootConfig(memory=16 << 20), vms=0) as machine, Dap(NEWEST) as dap:
        machine.gdb.detach()
        dap.ask("initialize", clientID="test", adapterID="gdb")
        attached = dap.send("attach", target=gdb_target(str(machine.server.address)))
        dap.ask("configurationDone")
        dap.answer(attached)
        (thread, *_) = dap.ask("threads")["threads"]
        (frame, *_) = dap.ask("stackTrace", threadId=thread["id"])["stackFrames"]
        (registers, *_) = (s for s in dap.ask("scopes", frameId=frame["id"])["scopes"] if s["name"] == "Registers")
        inside = registers["variablesReference"]
        found = {v["name"]: v for v in dap.ask("variables", variablesReference=inside)["variables"]}
        hcr = found["HCR_EL2"]["variablesReference"]
        shown = {v["name"]: v["value"] for v in dap.ask("variables", variablesReference=hcr)["variables"]}
        assert shown["raw"] == found["hcr_el2"]["value"]
        assert shown["TWI"] == "0"
        assert dap.ask("setVariable", variablesReference=hcr, name="TWI", value="1")["value"] == "1"
        assert (
            dap.ask("setVariable", variablesReference=inside, name="vbar_el2", value="0x40080000")["value"] == "1074266112"
        )
        assert machine.target.core.read_register(0, "HCR_EL2") & 1 << 13
        assert machine.target.core.read_register(0, "VBAR_EL2") == 0x40080000
