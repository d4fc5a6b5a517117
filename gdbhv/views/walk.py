"""A translation, fetch by fetch, as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv.views.attributes import memory, rwx, size, stage1_leaf, stage2_leaf

if TYPE_CHECKING:
    from gdbhv._core import Regime, Walk, WalkStep


def walk_lines(
    title: str, walk: Walk, regime: Regime, *, xnx: bool = True, explain: Callable[[WalkStep], str] | None = None
) -> list[str]:
    """Return every descriptor fetch of both stages, and the result or the fault.

    :param regime: whose registers say what the bits of a descriptor mean.
    :param xnx: the CPU has FEAT_XNX.
    :param explain: returns what goes below a descriptor that is valid.
    """
    lines = [title]
    for s in walk["steps"]:
        lines.append(_step(s, regime, xnx=xnx))
        if explain is not None and s["found"] != "invalid":
            lines.append(" " * (len(lines[-1]) - len(lines[-1].lstrip()) + 4) + explain(s))
    if "pa" in walk:
        perms = "".join(c if walk[k] else "-" for c, k in (("r", "read"), ("w", "write"), ("x", "execute")))  # type: ignore[literal-required]
        both = (
            f"IPA {walk['ipa']:#x} -> " if walk["ipa"] != walk["pa"] or any(s["stage"] == 2 for s in walk["steps"]) else ""
        )
        blocks = ((1, walk["block"]), (2, walk["s2_block"]))
        pages = [f"stage {n} {size(1 << b)}" for n, b in blocks if any(s["stage"] == n for s in walk["steps"])]
        mapped = f"  ({', '.join(pages)})" if pages else "  (no stage is on)"
        lines.append(f"=> {both}PA {walk['pa']:#x}  {perms}  {memory(walk['memory'])}{mapped}")
    else:
        where = f" at IPA {walk['fault_ipa']:#x}" if walk.get("fault_ipa") is not None else ""
        on_walk = " on the walk of stage 1 (S1PTW)" if walk["s1ptw"] else ""
        lines.append(f"=> stage {walk['stage']} {walk['words']} (FSC {walk['fsc']:#04x}){where}{on_walk}")
    return lines


def _step(s: WalkStep, regime: Regime, *, xnx: bool) -> str:
    on_the_way = s["stage"] == 2 and s["for_s1"] is not None
    indent = "    " if on_the_way else "  "
    purpose = f" (for the S1 L{s['for_s1']} descriptor)" if on_the_way else ""
    at = f"{s['address']:#x}" + (f" = PA {s['pa']:#x}" if s["address"] != s["pa"] else "")
    head = f"{indent}S{s['stage']} L{s['level']} [{at}] = {s['value']:#018x}"
    if s["found"] == "invalid":
        return f"{head} invalid{purpose}"
    if s["found"] == "table":
        return f"{head} table {s['output']:#x}{purpose}"
    if s["stage"] == 2:
        leaf = stage2_leaf(s["value"], forced=regime["fwb"], xnx=xnx)
        what = f"{rwx(leaf)} {leaf['memory']}"
    else:
        what = stage1_leaf(s["value"], s["wide"], regime["name"], nv1=regime["nv1"])
    return f"{head} {s['found']} -> {s['output']:#x}, {what}{purpose}"
