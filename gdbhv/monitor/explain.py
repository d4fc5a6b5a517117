"""What ``walk --explain`` adds: the fields of descriptors, each stage by itself, and the result of each access and each
AT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gdbhv.monitor.registry import Context
from gdbhv.queries import layouts
from gdbhv.tables import field
from gdbhv.translation import Access, Translation
from gdbhv.views import attributes, descriptor, outcome

if TYPE_CHECKING:
    from gdbhv._core import Walk, WalkStep

TGE, DC, C = field("HCR_EL2.TGE"), field("HCR_EL2.DC"), field("SCTLR_EL1.C")
UPPER = 1 << 55
ACCESSES: tuple[Access, ...] = ("read", "write", "fetch")


@dataclass(frozen=True)
class Explained:
    """Everything about one VA: the result of each access, and PAR_EL1 of each AT instruction, by name."""

    by: Translation
    va: int
    outcomes: list[outcome.Outcome]
    pars: dict[str, int]

    def fields(self, step: WalkStep) -> str:
        """Return a descriptor's fields."""
        return descriptor.fields(step, self.by.regime, _mair(self.by), xnx=self.by.xnx)

    def lines(self, walk: Walk) -> Iterator[str]:
        """Yield the lines below the walk."""
        yield from _stages(self.by, walk)
        yield "an access (of a load or store of 8 bytes of x0, where the syndrome tells) gives:"
        yield from (f"  {outcome.line(o)}" for o in self.outcomes)
        yield "an AT instruction (at EL2, or the highest EL that there is) gives:"
        yield from (f"  {name:<6}  PAR_EL1 {par:#018x}" for name, par in self.pars.items())

    def document(self) -> dict[str, Any]:
        """Return it as data."""
        return {"accesses": [asdict(o) for o in self.outcomes], "par": self.pars}


def explain(context: Context, by: Translation, va: int) -> Explained:
    """Find out everything about a VA."""
    controls = by.controls
    el1 = "EL1" in by.regime["name"]
    hcr = controls.hcr if controls is not None else 0
    if controls is None and "HCR_EL2" in context.target.registers:
        hcr = by.machine.read_register(by.cpu, "HCR_EL2")
    higher = 1 if el1 else 2
    levels = [higher] if by.regime["name"] == "EL2" else [higher, 0]
    outcomes: list[outcome.Outcome] = []
    pars: dict[str, int] = {}
    for el in levels:
        view = replace(by, el=el, pan=by.pan and el == by.el)
        if view.regime["name"] != by.regime["name"]:
            continue  # while TGE is 0, no process of this host executes
        for access in ACCESSES:
            walk = view.walk(va, access, checked=True)
            outcomes.append(outcome.outcome(walk, va, access, el, by.regime, tge=bool(TGE.of(hcr))))
        pars |= _pars(replace(view, pan=False), va, el)
    return Explained(by, va, outcomes, pars)


def _pars(by: Translation, va: int, el: int) -> dict[str, int]:
    """Return PAR_EL1 of the AT instructions for an EL."""
    found = {}
    for access, letter in (("read", "R"), ("write", "W")):
        walk = by.walk(va, "write" if access == "write" else "read", checked=True)
        if by.regime["name"] == "EL1&0" and by.el2:
            found[f"S12E{el}{letter}"] = outcome.par(walk)
        one = stage1_only(by, va, access == "write") if by.regime["stage2"] else outcome.par(walk)
        found[f"S1E{el}{letter}"] = one
    return found


def stage1_only(by: Translation, va: int, write: bool) -> int:
    """Return PAR_EL1 of an AT of stage 1 where stage 2 is on: its walk goes through stage 2, but the result is the IPA."""
    walk = by.walk(va, "write" if write else "read", checked=True)
    if "pa" not in walk and (walk["stage"] == 1 or walk["s1ptw"]):
        return outcome.par(walk)
    assert by.controls is not None
    leaf = next((s for s in reversed(walk["steps"]) if s["stage"] == 1), None)
    if leaf is None:
        off = (outcome.WRITE_BACK, 0) if DC.of(by.controls.hcr) else (0, outcome.OUTER)
        return outcome.success(walk["ipa"], *off)
    g = layouts.stage1(by)[bool(va & UPPER)][1]
    own = None if isinstance(g, str) else g.shareability
    cached = bool(C.of(by.controls.sctlr))
    attr = outcome.effective(_mair(by) >> 8 * (leaf["value"] >> 2 & 7) & 0xFF, cached=cached)
    return outcome.success(walk["ipa"], attr, leaf["value"] >> 8 & 3 if own is None else own)


def _mair(by: Translation) -> int:
    if by.controls is not None and by.regime["name"] == "EL1&0":
        return by.controls.mair
    return by.machine.read_register(by.cpu, "MAIR_EL1" if by.regime["name"] == "EL1&0" else "MAIR_EL2")


def _stages(by: Translation, walk: Walk) -> Iterator[str]:
    """Yield the permissions and memory type of each stage, and their combination."""
    if "pa" not in walk:
        return
    leaves = {s["stage"]: s for s in walk["steps"] if s["found"] in ("block", "page") and s["for_s1"] is None}
    one, two = leaves.get(1), leaves.get(2)
    if one is not None:
        words = attributes.stage1_leaf(one["value"], one["wide"], by.regime["name"], nv1=by.regime["nv1"])
        yield f"stage 1: {words}: {attributes.memory(walk['s1_memory'])}"
    if two is not None:
        leaf = attributes.stage2_leaf(two["value"], forced=by.regime["fwb"], xnx=by.xnx)
        yield f"stage 2: {attributes.rwx(leaf)}: {leaf['memory']}, {leaf['shareability']}"
    shareability = attributes.SHAREABILITY[walk["shareability"]]
    perms = "".join(c if on else "-" for c, on in zip("rwx", (walk["read"], walk["write"], walk["execute"]), strict=True))
    yield f"together, at EL{by.el}: {perms}: {attributes.memory(walk['memory'])}, {shareability}"
