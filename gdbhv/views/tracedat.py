"""The trace of exits as ``trace-cmd report`` opens it: a trace.dat file of version 6.

::

    magic, page size | header_page, header_event | formats of events | names of tasks | CPUs | options | flyrecord
    and then for each CPU pages of Linux's ring buffer: u64 time, u64 bytes used, records of a u32 (5 bits of type, 27 of
    the time since the record before) and data

Source: trace-cmd.dat.v6(5); ``include/linux/ring_buffer.h`` and ``kbuffer-parse.c`` of libtraceevent for the pages.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdbhv.views.trace import VmName, exit_words, task_name, thread_number

if TYPE_CHECKING:
    from gdbhv.exits.records import TraceEvent

MAGIC = b"\x17\x08\x44tracing6\0"
_PAGE = 4096
_HEAD = 16  # of a page: time and bytes used
_EXTEND, _DELTA_BITS = 30, 27

_HEADER_PAGE = b"""\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
_HEADER_EVENT = b"""\
# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
"""
_COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
"""
_NAMES = (8, 24, 64)  # bytes of the texts of a record: kind, KVM's name of the class, ours
_FIELDS = """\
\tfield:unsigned long vcpu_pc;\toffset:8;\tsize:8;\tsigned:0;
\tfield:unsigned int esr_ec;\toffset:16;\tsize:4;\tsigned:0;
\tfield:char kind[8];\toffset:20;\tsize:8;\tsigned:0;
\tfield:char ec_name[24];\toffset:28;\tsize:24;\tsigned:0;
\tfield:char name[64];\toffset:52;\tsize:64;\tsigned:0;
"""
_RECORD = struct.Struct("<HBBiQI8s24s64s")
_SYSTEM = b"gdbhv"  # events of "kvm" are taken by trace-cmd's plugin, which expects those of x86
_EVENTS = {  # by the trace's word: event, its number, how it is printed
    "exit": ("kvm_exit", 1, ('"%s: HSR_EC: 0x%04x (%s), PC: 0x%016lx, gdbhv: %s", '
             "REC->kind, REC->esr_ec, REC->ec_name, REC->vcpu_pc, REC->name")),
    "entry": ("kvm_entry", 2, '"PC: 0x%016lx", REC->vcpu_pc'),
    "": ("gdbhv_virtual", 3, '"%s, PC: 0x%016lx", REC->name, REC->vcpu_pc'),
}  # fmt: skip


def trace_dat(events: Sequence[TraceEvent], vm_name: VmName) -> bytes:
    """Return the file; times are virtual nanoseconds, of which trace-cmd shows microseconds unless told ``-t``."""
    cpus = max((e["cpu"] for e in events), default=0) + 1
    tasks = {thread_number(e): task_name(e, vm_name) for e in events}
    out = bytearray(MAGIC + bytes((0, 8)) + struct.pack("<I", _PAGE))
    for name, text in ((b"header_page", _HEADER_PAGE), (b"header_event", _HEADER_EVENT)):
        out += name + b"\0" + struct.pack("<Q", len(text)) + text
    out += struct.pack("<II", 0, 1) + _SYSTEM + b"\0" + struct.pack("<I", len(_EVENTS))  # no formats of ftrace's own
    for row in _EVENTS.values():
        text = _format(*row)
        out += struct.pack("<Q", len(text)) + text
    names = "".join(f"{number} {name}\n" for number, name in sorted(tasks.items())).encode()
    out += struct.pack("<IIQ", 0, 0, len(names)) + names  # neither symbols of a kernel nor formats of trace_printk
    out += struct.pack("<I", cpus) + b"options  \0" + struct.pack("<H", 0) + b"flyrecord\0"
    buffers = [_pages([e for e in events if e["cpu"] == cpu]) for cpu in range(cpus)]
    at = -(-(len(out) + 16 * cpus) // _PAGE) * _PAGE
    for buffer in buffers:
        out += struct.pack("<QQ", at, len(buffer))
        at += len(buffer)
    out += bytes(-len(out) % _PAGE)
    return bytes(out) + b"".join(buffers)


def _format(name: str, number: int, shown: str) -> bytes:
    return f"name: {name}\nID: {number}\nformat:\n{_COMMON}\n{_FIELDS}\nprint fmt: {shown}\n".encode()


def _pages(events: Sequence[TraceEvent]) -> bytes:
    pages: list[bytes] = []
    body, first, last = bytearray(), 0, 0
    for e in events:
        record = _record(e)
        if not body or len(body) + 12 + len(record) > _PAGE - _HEAD:
            if body:
                pages.append(_page(first, body))
            body, first, last = bytearray(), e["now"], e["now"]
        delta, last = e["now"] - last, e["now"]
        if delta >> _DELTA_BITS:
            body += struct.pack("<II", (delta & ((1 << _DELTA_BITS) - 1)) << 5 | _EXTEND, delta >> _DELTA_BITS)
            delta = 0
        body += struct.pack("<II", delta << 5, len(record) + 4) + record  # type 0: a length follows
    if body:
        pages.append(_page(first, body))
    return b"".join(pages)


def _page(time: int, body: bytearray) -> bytes:
    return struct.pack("<QQ", time, len(body)) + bytes(body).ljust(_PAGE - _HEAD, b"\0")


def _record(e: TraceEvent) -> bytes:
    number = _EVENTS.get(e["what"], _EVENTS[""])[1]
    kind, code, kvm = exit_words(e) if e["what"] == "exit" else ("", 0, "")
    texts = (text.encode()[: size - 1] for text, size in zip((kind, kvm, e["name"]), _NAMES, strict=True))
    return _RECORD.pack(number, 0, 0, thread_number(e), e["pc"], code, *texts)
