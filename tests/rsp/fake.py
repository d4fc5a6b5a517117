"""A target of a few lines: two VMs on flat memory, a handful of A64 instructions. For the protocol's tests only.

VM 1 has two vCPUs, VM 2 has one.  Each begins at ENTRY in a loop that counts, stores, and calls the host; see PROGRAM.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any

from gdbhv.errors import GdbhvError, MemoryError_, RegisterError
from gdbhv.exits.catches import CatchEvents
from gdbhv.stepping import Stepping
from gdbhv.target import Action, Process, Space, Stop, StopKind, Thread, ThreadId, nothing_refused

RAM = 0x4000_0000
RAM_SIZE = 0x10_0000
ENTRY = 0x4008_0000
SPIN = ENTRY + 0x14
OFF = ENTRY + 0x18
DATA = 0x4009_0000
HVC = 0x1016

PROGRAM = (
    0xD2800000,  # 00      mov x0, #0
    0x91000400,  # 04 loop: add x0, x0, #1
    0xF9000020,  # 08      str x0, [x1]
    0xD4000002,  # 0c      hvc #0
    0x17FFFFFD,  # 10      b loop
    0x14000000,  # 14 spin: b .
    0xD4000022,  # 18 off: hvc #1         (powers the VM off)
    0xD4000042,  # 1c      hvc #2         (the host side fails)
    0xD4000062,  # 20      hvc #3         (asks for a reset, and the VM is gone)
)

ROWS: list[dict[str, Any]] = [
    {"name": "MIDR_EL1", "encoding": 0xC000, "el": 1, "group": "id", "bits": 64, "writable": False, "fields": []},
    {"name": "SCTLR_EL1", "encoding": 0xC080, "el": 1, "group": "control", "bits": 64, "writable": True,
     "fields": [{"name": "M", "lsb": 0, "msb": 0}, {"name": "C", "lsb": 2, "msb": 2}]},
    {"name": "TTBR0_EL1", "encoding": 0xC100, "el": 1, "group": "mmu", "bits": 64, "writable": True, "fields": []},
    {"name": "DACR32_EL2", "encoding": 0xE180, "el": 2, "group": "control", "bits": 64, "writable": True, "fields": []},
    {"name": "ESR_EL2", "encoding": 0xE290, "el": 2, "group": "exception", "bits": 64, "writable": True,
     "fields": [{"name": "EC", "lsb": 26, "msb": 31, "values": {0x16: "HVC64", 0x24: "DABT_LOW"}},
                {"name": "IL", "lsb": 25, "msb": 25}, {"name": "ISS", "lsb": 0, "msb": 24}]},
    {"name": "FPCR", "encoding": 0xDA20, "el": 0, "group": "fp", "bits": 64, "writable": True, "fields": []},
    {"name": "TPIDR_EL0", "encoding": 0xDE82, "el": 0, "group": "thread", "bits": 64, "writable": True, "fields": []},
]  # fmt: skip
_ROWS = {row["encoding"]: row for row in ROWS}
_UNREADABLE = 0xE180


class Vcpu:
    """State of one vCPU."""

    def __init__(self, cpu: int | None) -> None:
        self.x = [0] * 31
        self.x[1] = DATA
        self.sp, self.pc, self.cpsr = RAM + 0x1000, ENTRY, 0x3C5
        self.v, self.fpsr, self.fpcr = [0] * 32, 0, 0
        self.system = {0xC000: 0x411FD070, 0xC080: 0x30D00800, 0xE290: 0x5A000000, 0xC100: 0, 0xDE82: 0}
        self.cpu = cpu
        self.seen: int | None = ENTRY  # the pc of its last reported stop
        self.in_exit = False


class FakeTarget:
    """Implements ``gdbhv.target.Target``."""

    def __init__(self, vms: int = 2, ram_size: int = RAM_SIZE) -> None:
        self.ram_size = ram_size
        self.stepping = Stepping()
        self.refused = nothing_refused()
        self.vcpus = {ThreadId(1, 1): Vcpu(0), ThreadId(1, 2): Vcpu(1)}
        if vms > 1:
            self.vcpus[ThreadId(2, 1)] = Vcpu(None)
        self.memory = {pid: bytearray(ram_size) for pid in {t.pid for t in self.vcpus}}
        for memory in self.memory.values():
            struct.pack_into(f"<{len(PROGRAM)}I", memory, ENTRY - RAM, *PROGRAM)
        self.breakpoints: set[tuple[int, int, int, int]] = set()
        self.conditions: dict[tuple[int, int, int, int], tuple[bytes, ...]] = {}
        self.catches: dict[int, CatchEvents] = {}
        self.off: dict[ThreadId, Vcpu] = {}
        self.insns = 0
        self.stubborn = False  # does not begin again
        self._interrupted = threading.Event()

    def processes(self) -> Sequence[Process]:
        return [
            Process(pid, f"vm{pid}", tuple(self._thread(t) for t in self.vcpus if t.pid == pid))
            for pid in sorted({t.pid for t in self.vcpus})
        ]

    def _thread(self, ident: ThreadId) -> Thread:
        cpu = self.vcpus[ident].cpu
        extra = "EL1h, running" if cpu is not None else "descheduled (WFI) VMID=2"
        return Thread(ident, f"vcpu{ident.tid - 1}", extra, cpu)

    off_text = "all VMs are off"
    exit_numbers = frozenset(range(0x1000, 0x1102))

    def end(self, pid: int) -> None:
        for thread in [t for t in self.vcpus if t.pid == pid]:
            self.off[thread] = self.vcpus.pop(thread)

    jumps = 0

    def reset(self, pid: int | None = None) -> None:
        self.jumps += 1
        if self.stubborn:
            raise GdbhvError("nobody knows how it begins")
        threads = sorted(t for t in (*self.vcpus, *self.off) if pid in (None, t.pid))
        self.vcpus = dict(sorted({**self.vcpus, **{t: Vcpu(i) for i, t in enumerate(threads)}}.items()))
        for thread in threads:
            self.off.pop(thread, None)

    reboot = reset

    def read_register(self, thread: ThreadId, register: str | int) -> int:
        vcpu = self.vcpus[thread]
        match register:
            case str() if register in ("sp", "pc", "cpsr", "fpsr", "fpcr"):
                return int(getattr(vcpu, register))
            case str() if register[0] in "xv" and register[1:].isdigit():
                return int(getattr(vcpu, register[0])[int(register[1:])])
            case int() if register in vcpu.system:
                return vcpu.system[register]
        raise RegisterError(register, "cannot be read here")

    def write_register(self, thread: ThreadId, register: str | int, value: int) -> None:
        vcpu = self.vcpus[thread]
        if isinstance(register, int):
            if not _ROWS[register]["writable"]:
                raise RegisterError(_ROWS[register]["name"], "is read-only")
            vcpu.system[register] = value
        elif register == "cpsr" and value & 0x10:
            raise RegisterError("cpsr", f"mode {value & 0x1F:#x} does not exist on this machine")
        elif register in ("sp", "pc", "cpsr", "fpsr", "fpcr"):
            setattr(vcpu, register, value)
            if register == "pc":
                vcpu.seen, vcpu.in_exit = value, False
        else:
            getattr(vcpu, register[0])[int(register[1:])] = value

    def read_core(self, thread: ThreadId) -> bytes:
        vcpu = self.vcpus[thread]
        return struct.pack("<33QI", *vcpu.x, vcpu.sp, vcpu.pc, vcpu.cpsr)

    def read_memory(self, thread: ThreadId, address: int, length: int, space: Space = Space.VA) -> bytes:
        self._check(address)
        return bytes(self.memory[thread.pid][address - RAM : address - RAM + length])

    def write_memory(self, thread: ThreadId, address: int, data: bytes, space: Space = Space.VA) -> None:
        self._check(address)
        self._check(address + len(data) - 1)
        self.memory[thread.pid][address - RAM : address - RAM + len(data)] = data

    def _check(self, address: int) -> None:
        if not RAM <= address < RAM + self.ram_size:
            raise MemoryError_(address, "translation fault, level 1")

    def judged(self, encoding: int) -> bool:
        return encoding == 0xC080

    def insert_breakpoint(self, pid: int, kind: int, address: int, length: int, conditions: Sequence[bytes] = ()) -> None:
        self.conditions[pid, kind, address, length] = tuple(conditions)
        self.breakpoints.add((pid, kind, address, length))

    def remove_breakpoint(self, pid: int, kind: int, address: int, length: int) -> None:
        self.breakpoints.discard((pid, kind, address, length))

    def catch_exits(self, pid: int, events: CatchEvents) -> None:
        self.catches[pid] = events

    def interrupt(self) -> None:
        self._interrupted.set()

    def run(self, actions: Sequence[Action], max_insns: int | None = None) -> Stop:
        stop = self._run(actions, max_insns)
        if (vcpu := self.vcpus.get(stop.thread)) is not None:
            vcpu.seen = vcpu.pc
        return stop

    def _run(self, actions: Sequence[Action], max_insns: int | None) -> Stop:
        first = actions[0].thread if actions else next(iter(self.vcpus), ThreadId(1, 1))
        while True:
            for action in actions or [Action(first)]:
                if self._interrupted.is_set():
                    self._interrupted.clear()
                    return Stop(StopKind.INTERRUPT, first)
                if max_insns is not None:
                    if max_insns <= 0:
                        return Stop(StopKind.BUDGET, first)
                    max_insns -= 1
                if (stop := self._step(action)) is not None:
                    return stop

    def _step(self, action: Action) -> Stop | None:
        ident = action.thread
        vcpu = self.vcpus[ident]
        for kind, reason in ((0, StopKind.SW_BREAK), (1, StopKind.HW_BREAK)):
            if (ident.pid, kind, vcpu.pc, 4) in self.breakpoints and vcpu.seen != vcpu.pc:
                return Stop(reason, ident)
        stop = self._execute(ident, vcpu)
        if stop is None and action.step and not (action.range and action.range[0] <= vcpu.pc < action.range[1]):
            return Stop(StopKind.STEP, ident)
        return stop

    def _execute(self, ident: ThreadId, vcpu: Vcpu) -> Stop | None:
        word = struct.unpack_from("<I", self.memory[ident.pid], vcpu.pc - RAM)[0]
        if word == 0xF9000020:  # str x0, [x1]
            for kind, reason in ((2, StopKind.WATCH), (4, StopKind.AWATCH)):
                for pid, k, address, length in self.breakpoints:
                    if pid == ident.pid and k == kind and address < vcpu.x[1] + 8 and vcpu.x[1] < address + length:
                        return Stop(reason, ident, address=vcpu.x[1])
            struct.pack_into("<Q", self.memory[ident.pid], vcpu.x[1] - RAM, vcpu.x[0])
        self.insns += 1
        vcpu.seen = None
        if word & 0xFFE0001F == 0xD4000002:
            return self._call(ident, vcpu, word >> 5 & 0xFFFF)
        match word:
            case 0xD2800000:
                vcpu.x[0] = 0
            case 0x91000400:
                vcpu.x[0] += 1
            case 0x17FFFFFD:
                vcpu.pc -= 12
                return None
            case 0x14000000:
                return None
            case 0xF9000020 | 0xD503201F:
                pass
            case _:
                return Stop(StopKind.CRASH, ident, text=f"0x{vcpu.pc:x}: not an instruction of this machine")
        vcpu.pc += 4
        return None

    def _call(self, ident: ThreadId, vcpu: Vcpu, imm: int) -> Stop | None:
        record = {"number": HVC, "class": f"hvc:{imm}", "pc": vcpu.pc}
        events = self.catches.get(ident.pid, CatchEvents())
        if not vcpu.in_exit and (events.exits is None or HVC in events.exits):
            vcpu.in_exit = True
            return Stop(StopKind.EXIT, ident, exit=record, text=f"exit hvc:{imm} at 0x{vcpu.pc:x}, cause: always")
        vcpu.in_exit = False
        if imm == 1:
            self.end(ident.pid)
            return Stop(StopKind.POWEROFF, ident, code=0, text=f"vm{ident.pid} powered off")
        if imm == 3:
            self.end(ident.pid)
            return Stop(StopKind.RESET, ident, text=f"vm{ident.pid} asks for a reset")
        if imm == 2:
            raise ZeroDivisionError("a handler divides by zero")
        vcpu.pc += 4
        if events.entries is None or HVC in events.entries:
            return Stop(StopKind.ENTRY, ident, exit=record, text=f"entry after hvc:{imm}")
        return None
