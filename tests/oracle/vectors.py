"""Cases as text: one line each, so that a test of an instruction is a line, and a difference can be read and kept.

    8b030041 add x1, x2, x3 ; x2=5 x3=7 => x1=c
    word     text           ; inputs    => what changed

All numbers are hexadecimal. Inputs are what deviates from the base state (:data:`BASE`); outputs are what deviates from the
state before, all else must stay. Names: x0 to x30, sp, v0 to v31, nzcv, fpcr, fpsr, el (0 or 1, default 1), and @OFFSET for
bytes of the window in memory order. Outputs have pc too, relative to the instruction, if it is not 4, and esr and far if the
instruction itself ended in an exception, and not the BRK behind it.

A line that starts with # is a comment; `@skip REASON` on a line of its own skips the next one.
"""

from __future__ import annotations

import dataclasses
import re

from oracle import batch, generate

BASE = batch.Case(
    words=(0,),
    x=tuple(0x0101_0101_0101_0101 * number for number in range(31)),
    v=b"".join(bytes(range(number, number + 16)) for number in range(32)),
    window=bytes(range(256)),
)


def vector(number: int, v: bytes) -> int:
    return int.from_bytes(v[number * 16 : number * 16 + 16], "little")


def simplify(case: batch.Case) -> batch.Case:
    """Return ``case`` with everything that its instruction does not name put back to the base state."""
    text = generate.text(case.words[0])
    named = {int(number) for number in re.findall(r"\b[xw](\d+)\b", text)} | ({30} if text == "ret" else set())
    vectors = {int(number) for number in re.findall(r"\b[bhsdqv](\d+)\b", text)}
    for first, last in re.findall(r"\bv(\d+)\.\w+ - v(\d+)\.", text):  # a list: first to last, modulo 32
        vectors |= {(int(first) + step) % 32 for step in range((int(last) - int(first)) % 32 + 1)}
    x = tuple(case.x[n] if n in named else BASE.x[n] for n in range(31))
    v = b"".join((case if n in vectors else BASE).v[n * 16 : n * 16 + 16] for n in range(32))
    sp = case.sp if re.search(r"\bw?sp\b", text) else BASE.sp
    return dataclasses.replace(case, x=x, v=v, sp=sp, window=BASE.window)


def to_line(case: batch.Case, outcome: batch.Outcome) -> str:
    """Return the line of a case of one instruction."""
    inputs = _registers(BASE, case) + _window(BASE.window, case.window)
    inputs += [f"nzcv={case.spsr >> 28:x}"] if case.spsr & batch.NZCV else []
    inputs += ["el=0"] if not case.spsr & 0xF else []
    after = dataclasses.replace(
        case, x=outcome.x, sp=outcome.sp, v=outcome.v, fpcr=outcome.fpcr, fpsr=outcome.fpsr, window=outcome.window
    )
    outputs = _registers(case, after) + _window(case.window, outcome.window)
    outputs += [f"nzcv={outcome.spsr >> 28:x}"] if (outcome.spsr ^ case.spsr) & batch.NZCV else []
    outputs += [f"pc={outcome.pc & (1 << 64) - 1:x}"] if outcome.pc != 4 else []
    if outcome.ec != 0x3C:
        outputs += [f"esr={outcome.esr:x}"] + ([f"far={outcome.far:x}"] if outcome.far else [])
    return f"{case.words[0]:08x} {generate.text(case.words[0])} ; {' '.join(inputs)} => {' '.join(outputs)}".rstrip()


def _registers(before: batch.Case, after: batch.Case) -> list[str]:
    lines = [f"x{n}={after.x[n]:x}" for n in range(31) if before.x[n] != after.x[n]]
    lines += [
        f"{name}={getattr(after, name):x}"
        for name in ("sp", "fpcr", "fpsr")
        if getattr(before, name) != getattr(after, name)
    ]
    return lines + [f"v{n}={vector(n, after.v):x}" for n in range(32) if vector(n, before.v) != vector(n, after.v)]


def _window(before: bytes, after: bytes) -> list[str]:
    changed = [offset for offset in range(256) if before[offset] != after[offset]]
    if not changed:
        return []
    first, last = changed[0], changed[-1] + 1
    return [f"@{first:x}={after[first:last].hex()}"]


def parse(line: str) -> tuple[batch.Case, dict[str, int | bytes]]:
    """Return a line's case and the outputs it expects.

    :raises ValueError: it is no such line; the message has the line.
    """
    match = re.fullmatch(r"([0-9a-f]{8}) ([^;]*) ; ?(.*?) ?=>(.*)", line.strip())
    if match is None:
        raise ValueError(f"no vector: {line}")
    inputs = _items(match[3], line)
    case = _apply(dataclasses.replace(BASE, words=(int(match[1], 16),), name=match[2]), inputs, line)
    return case, _items(match[4], line)


def _items(text: str, line: str) -> dict[str, int | bytes]:
    items: dict[str, int | bytes] = {}
    for item in text.split():
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"{item}: no NAME=VALUE in: {line}")
        items[name] = bytes.fromhex(value) if name[0] == "@" else int(value, 16)
    return items


def _apply(case: batch.Case, items: dict[str, int | bytes], line: str) -> batch.Case:
    x, v, window, spsr = list(case.x), bytearray(case.v), bytearray(case.window), case.spsr
    others: dict[str, int] = {}
    for name, value in items.items():
        if isinstance(value, bytes):
            offset = int(name[1:], 16)
            window[offset : offset + len(value)] = value
        elif re.fullmatch(r"x\d+", name):
            x[int(name[1:])] = value
        elif re.fullmatch(r"v\d+", name):
            v[int(name[1:]) * 16 : int(name[1:]) * 16 + 16] = value.to_bytes(16, "little")
        elif name == "nzcv":
            spsr = spsr & ~batch.NZCV | value << 28
        elif name == "el":
            spsr = spsr & ~0xF | (5 if value else 0)
        elif name in ("sp", "fpcr", "fpsr"):
            others[name] = value
        else:
            raise ValueError(f"{name} is nothing that can be set, in: {line}")
    return dataclasses.replace(case, x=tuple(x), v=bytes(v), window=bytes(window), spsr=spsr, **others)


def expected(case: batch.Case, outputs: dict[str, int | bytes], line: str) -> batch.Outcome:
    """Return the outcome that a line demands of the first case of a batch: the state before, but for its outputs."""
    state = {name: value for name, value in outputs.items() if name not in ("pc", "esr", "far")}
    after = _apply(case, state, line)
    pc, esr, far = (outputs.get(name) for name in ("pc", "esr", "far"))
    pc = 4 if pc is None else pc
    assert isinstance(pc, int)
    pc -= (pc >> 63) << 64
    landing = batch.brk(batch.slot(0) + pc) >> 5 & 0xFFFF
    return batch.Outcome(
        x=after.x,
        sp=after.sp,
        pc=pc,
        spsr=after.spsr,
        esr=esr if isinstance(esr, int) else 0xF200_0000 | landing,
        far=far if isinstance(far, int) else 0,
        v=after.v,
        fpcr=after.fpcr,
        fpsr=after.fpsr,
        window=after.window,
    )
