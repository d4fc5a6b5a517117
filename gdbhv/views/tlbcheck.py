"""What is wrong with the use of translation tables and TLBs (``_core.Machine.tlb_check``), in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdbhv.exits.records import By, TableChange, TlbAlarm, TlbiRecord

Symbol = Callable[[int], str]

DOES = {"read": "reads", "write": "writes to", "fetch": "fetches from"}


def alarm_text(a: TlbAlarm, symbol: Symbol) -> str:
    """Return what is wrong, in a sentence or two, with the instructions that have to do with it.

    :param symbol: an address, with the symbol that it is in.
    """
    text = _WORDS[a["wrong"]](a, symbol)
    return text if a["count"] == 1 else f"{text} ({a['count']:,} times)"


def change_text(c: TableChange, symbol: Symbol) -> str:
    """Return who changed a descriptor, and when: for views of tables."""
    return f"by {_who(c, symbol)}, after exit {c['exits']:,}"


def _who(by: By, symbol: Symbol) -> str:
    return f"cpu{by['cpu']} in EL{by['el']} at {symbol(by['pc'])}"


def _place(c: TableChange) -> str:
    if c["stage"] == 2:
        return f"the stage 2 descriptor of IPA {c['address']:#x}, VMID {c['vmid']} (level {c['level']}, at PA {c['pa']:#x})"
    va = c["address"] | (0xFF << 56 if c["address"] >> 55 & 1 else 0)
    asid = "" if c["regime"] == "EL2" else f", ASID {c['asid']}"
    return f"the {c['regime']} descriptor of VA {va:#x}{asid} (level {c['level']}, at PA {c['pa']:#x})"


def _values(c: TableChange) -> str:
    return f"{c['old']:#x} -> {c['new']:#x}"


def _changed(a: TlbAlarm) -> TableChange:
    assert a["change"] is not None
    return a["change"]


def _nearest(a: TlbAlarm, symbol: Symbol) -> str:
    """Say why no TLBI covers a change."""
    if a["tlbi"] is None:
        return "no TLBI came between"
    return f"the TLBI at {symbol(a['tlbi']['pc'])} ({a['tlbi']['text']}) does not cover it: {a['narrow']}"


def _tlbi(t: TlbiRecord | None, symbol: Symbol) -> str:
    assert t is not None
    return f"the TLBI at {symbol(t['pc'])} ({t['text']})"


def _replaced(a: TlbAlarm, symbol: Symbol) -> str:
    c = _changed(a)
    what = f"{_who(c, symbol)} changes {c['what']} in {_place(c)}, which is valid: {_values(c)}"
    return f"break-before-make skipped: {what}. Make it invalid first, DSB, TLBI, DSB, and then valid"


def _made(a: TlbAlarm, symbol: Symbol) -> str:
    c = _changed(a)
    broken = c["broken"]
    assert broken is not None
    before = f"it was {broken['old']:#x} until {symbol(broken['pc'])}"
    return f"TLBI missing: {_who(c, symbol)} makes {_place(c)} {c['new']:#x}; {before}, and {_nearest(a, symbol)}"


def _made_early(a: TlbAlarm, symbol: Symbol) -> str:
    c = _changed(a)
    tlbi = _tlbi(a["tlbi"], symbol)
    return f"DSB missing after the TLBI: {_who(c, symbol)} makes {_place(c)} {c['new']:#x} before a DSB has completed {tlbi}"


def _stale(a: TlbAlarm, symbol: Symbol) -> str:
    c, u = _changed(a), a["use"]
    assert u is not None
    who = f"{_who(u, symbol)} {DOES[u['purpose']]} VA {u['va']:#x} by what its TLB still has"
    ago = f"{u['now'] - c['now']:,} ticks before"
    change = f"{_place(c)} was changed {ago} by {_who(c, symbol)}, after exit {c['exits']:,}: {_values(c)}"
    if (broken := c["broken"]) is not None:
        change += f" (it was {broken['old']:#x} until {symbol(broken['pc'])})"
    late = (
        ""
        if a["late"] is None
        else f"; {_tlbi(a['late'], symbol)} comes too late, {a['late']['now'] - u['now']:,} ticks after"
    )
    kind = "TLBI missing" if a["tlbi"] is None else "TLBI too narrow"
    return f"{kind if a['late'] is None else 'TLBI too late'}: {who}; {change}; {_nearest(a, symbol)}{late}"


def _early(a: TlbAlarm, symbol: Symbol) -> str:
    c = _changed(a)
    store = f"the store by {_who(c, symbol)} to {_place(c)}"
    return f"DSB missing before the TLBI: {_tlbi(a['tlbi'], symbol)} follows {store} without a DSB between them"


def _returned(a: TlbAlarm, symbol: Symbol) -> str:
    u = a["use"]
    assert u is not None
    what = f"{_who(u, symbol)} returns to a lower exception level before a DSB has completed {_tlbi(a['tlbi'], symbol)}"
    return f"DSB missing after the TLBI: {what}"


def _used(a: TlbAlarm, symbol: Symbol) -> str:
    c, u = _changed(a), a["use"]
    assert u is not None
    barrier = "DSB" if a["wrong"] == "used-before-dsb" else "ISB"  # an ISB behind the DSB
    what = f"{_who(u, symbol)} {DOES[u['purpose']]} VA {u['va']:#x} through {_place(c)}"
    return f"{barrier} missing: {what}, which it has made {c['new']:#x} at {symbol(c['pc'])}, without {barrier} since"


_WORDS: dict[str, Callable[[TlbAlarm, Symbol], str]] = {
    "break-before-make": _replaced,
    "made-before-tlbi": _made,
    "made-before-dsb": _made_early,
    "stale": _stale,
    "tlbi-before-dsb": _early,
    "return-before-dsb": _returned,
    "used-before-dsb": _used,
    "used-before-isb": _used,
}
