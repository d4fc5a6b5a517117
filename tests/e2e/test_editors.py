"""What editors and test benches drive: gdb's adapter for DAP, and its machine interface through pygdbmi."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pygdbmi.gdbcontroller import GdbController

from e2e.dap import Dap
from e2e.debugged import GDBS, NEWEST, PREBUILT
from gdbhv import _core, boot
from gdbhv.console import Console
from gdbhv.monitor import registry
from gdbhv.rsp.server import Server
from rsp.wire import serving

ELF = PREBUILT / "wrong_store.elf"


@pytest.fixture(params=[0, 1], ids=["bare", "hosted"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    config, console = boot.BootConfig(image=ELF, memory=64 << 20), Console()
    target = boot.hosted(config, console, vms=1) if request.param else boot.bare(config, console, el2=False)
    options = {"registers": _core.registers(), "monitor": registry.bind(target), "exec_file": lambda pid: str(ELF)}
    with serving(target, **options) as made:
        yield made


def test_an_editor_attaches_breaks_looks_and_goes_on(server: Server) -> None:
    with Dap(str(NEWEST)) as dap:
        assert dap.ask("initialize", adapterID="gdb")["supportsFunctionBreakpoints"]
        dap.event("initialized")
        attached = dap.send("attach", target=str(server.address), program=str(ELF))
        (placed,) = dap.ask("setFunctionBreakpoints", breakpoints=[{"name": "el1_sync"}])["breakpoints"]
        dap.ask("configurationDone")
        dap.answer(attached)
        dap.event("stopped")
        (thread,) = dap.ask("threads")["threads"]
        assert dap.ask("evaluate", expression="monitor help vmexit", context="repl")["result"].count("vmexit catch") == 1
        dap.ask("continue", threadId=thread["id"])
        stop = dap.event("stopped")
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [placed["id"]])
        frames = dap.ask("stackTrace", threadId=thread["id"])["stackFrames"]
        assert frames[0]["name"] == "el1_sync"
        assert frames[0]["source"]["name"] == "wrong_store.c"
        scopes = {s["name"]: s["variablesReference"] for s in dap.ask("scopes", frameId=frames[0]["id"])["scopes"]}
        assert set(dap.variables(scopes["Arguments"])) == {"frame"}
        assert int(dap.ask("evaluate", expression="frame->far", frameId=frames[0]["id"])["result"], 0) == 0x0B000000
        registers = dap.variables(scopes["Registers"])
        assert int(re.match(r"0x[0-9a-f]+|\d+", registers["far_el1"])[0], 0) == 0x0B000000
        assert {"x0", "pc", "sctlr_el1", "ESR_EL1"} <= set(registers)
        dap.ask("setFunctionBreakpoints", breakpoints=[])
        dap.ask("next", threadId=thread["id"])
        assert dap.event("stopped")["reason"] == "step"
        assert dap.ask("stackTrace", threadId=thread["id"])["stackFrames"][0]["line"] > frames[0]["line"]
        dap.ask("continue", threadId=thread["id"])
        assert dap.event("exited")["exitCode"] == 0


class Mi:
    """pygdbmi, with one wait for what is asked for."""

    def __init__(self, gdb: str) -> None:
        self._gdb = GdbController([gdb, "-nx", "-q", "--interpreter=mi3"])
        self._records: list[dict[str, Any]] = []

    def ask(self, command: str) -> Any:
        """Return the payload of the result."""
        self._gdb.write(command, read_response=False)
        found = self._find(lambda r: r["type"] == "result")
        assert found["message"] in ("done", "connected", "running"), found
        return found["payload"]

    def stopped(self) -> Any:
        """Return the payload of the next stop."""
        return self._find(lambda r: r["type"] == "notify" and r["message"] == "stopped")["payload"]

    def _find(self, wanted: Any) -> dict[str, Any]:
        for _ in range(100):
            for i, record in enumerate(self._records):
                if wanted(record):
                    return self._records.pop(i)
            self._records += self._gdb.get_gdb_response(timeout_sec=20)
        raise AssertionError(self._records)

    def close(self) -> None:
        self._gdb.exit()


@pytest.mark.parametrize("gdb", GDBS)
def test_the_machine_interface_through_pygdbmi(server: Server, gdb: str) -> None:
    mi = Mi(gdb)
    try:
        mi.ask("-gdb-set mi-async on")
        mi.ask(f"-file-exec-and-symbols {ELF}")
        mi.ask(f"-target-select extended-remote {server.address}")
        placed = mi.ask('-break-insert -c "frame->far == 0x0b000000" el1_sync')["bkpt"]
        mi.stopped()
        mi.ask("-exec-continue")
        stop = mi.stopped()
        assert (stop["reason"], stop["bkptno"], stop["frame"]["func"]) == ("breakpoint-hit", placed["number"], "el1_sync")
        frames = mi.ask("-stack-list-frames")["stack"]
        assert frames[0]["func"] == "el1_sync"
        assert [v["name"] for v in mi.ask("-stack-list-variables --all-values")["variables"]] == ["frame"]
        assert int(mi.ask("-data-evaluate-expression $far_el1")["value"], 0) == 0x0B000000
        names = mi.ask("-data-list-register-names")["register-names"]
        number = names.index("sctlr_el1")
        assert mi.ask(f"-data-list-register-values x {number}")["register-values"][0]["value"].startswith("0x")
        watch = mi.ask("-break-watch aborts_seen")["wpt"]
        mi.ask("-exec-continue")
        stop = mi.stopped()
        assert (stop["reason"], stop["wpt"]["number"]) == ("watchpoint-trigger", watch["number"])
        assert stop["value"] == {"old": "0", "new": "1"}
        mi.ask(f"-break-delete {watch['number']}")
        mi.ask("-exec-continue")
        assert mi.stopped()["reason"] == "exited-normally"
    finally:
        mi.close()
