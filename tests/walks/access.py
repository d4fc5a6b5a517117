"""An access to a virtual address: both stages together, permissions, memory type, and descriptors that hardware
changes (D8.2 to D8.6).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from walks import attributes, interp, layout
from walks.interp import EL2, EL10, EL20, PERMISSION, Core, Fault, Leaf, Memories, Registers, Step, code
from walks.layout import parse
from walks.stage1 import Stage1
from walks.stage2 import Stage2


@dataclass(slots=True)
class Verdict:
    """What an access comes to."""

    fault: Fault | None = None
    pa: int = 0
    ipa: int = 0
    # Read, write, execute. What may be written only once a descriptor is marked dirty is not writable yet for other
    # accesses.
    allowed: tuple[bool, bool, bool] = (True, True, True)
    memory: tuple[int, int] = (0, 0)  # of both stages: MAIR byte, shareability
    s1_memory: tuple[int, int] = (0, 0)
    steps: list[Step] = field(default_factory=list)
    updates: dict[int, int] = field(default_factory=dict)  # PA of a descriptor: what hardware makes of it


class Translation:
    """One setting of the registers over one memory, for every EL."""

    def __init__(self, core: Core, registers: Registers, memory: Memories) -> None:
        self.core = core
        h = parse(layout.HCR, registers.hcr)
        self.e2h, self.tge = bool(h.E2H and core.has("VHE")), bool(h.TGE)
        self.s2 = Stage2(core, registers, memory)
        self.stage1 = {
            (regime, upper): Stage1(
                core, registers, memory, regime, upper, self.s2 if regime == EL10 and self.s2.enabled else None
            )
            for regime in (EL10, EL2, EL20)
            for upper in (False, True)
        }

    def regime(self, el: int) -> str:
        if el == 2:
            return EL20 if self.e2h else EL2
        return EL20 if self.e2h and self.tge else EL10

    def access(
        self, va: int, el: int, access: str, pan: bool, regime: str = "", s1_only: bool = False, updates: bool = True
    ) -> Verdict:
        """Translate ``va`` for an access from ``el``.

        :param regime: default: the one that ``el`` uses.
        :param s1_only: stage 2 serves the walk only (AT S1E1R).
        :param updates: False: no descriptor is written, as AT may do; a clear access flag that hardware may set is no
            fault then either.
        """
        regime = regime or self.regime(el)
        fetch, write = access == "fetch", access == "write"
        s1 = self.stage1[regime, regime != EL2 and bool(va >> 55 & 1)]
        v = Verdict()

        def touch(s2: Leaf) -> None:
            if s2.update != s2.value:
                v.updates[s2.at] = v.updates.get(s2.at, s2.value) | s2.update

        if not s1.enabled:
            found = s1.disabled(va, fetch)
            if found is None:
                v.fault = Fault(interp.ADDRESS_SIZE)
                return v
            v.ipa, memory = found
        else:
            v.steps, v.fault, leaf = s1.walk(va, el == 0, fetch, touch)
            if leaf is None:
                return v
            v.allowed = leaf.user if el == 0 else leaf.privileged
            if pan and el and leaf.pan:
                v.allowed = (False, False, v.allowed[2])
            if not v.allowed[KINDS[access]]:
                v.fault = Fault(code(PERMISSION, leaf.level))
                return v
            if updates and not self._update(v, s1, leaf, write):
                return v
            if not write and leaf.dirty != leaf.update:
                v.allowed = (v.allowed[0], False, v.allowed[2])
            v.ipa = leaf.base | va & leaf.mask
            memory = s1.cached(leaf.memory, fetch)
        v.pa = v.ipa
        v.memory = v.s1_memory = attributes.encoded(memory)
        if s1.s2 and not s1_only:
            self._stage2(v, s1.s2, el, access, memory)
        return v

    def _update(self, v: Verdict, s1: Stage1, leaf: Leaf, write: bool) -> bool:
        """Access flag and dirty state of stage 1: the write is subject to stage 2 (D8.5)."""
        new = leaf.dirty if write else leaf.update
        if new == leaf.value:
            return True
        s2 = s1.way(leaf.ipa, leaf.level).s2
        if s2:
            v.steps += s2.steps
            if not s2.w:
                v.fault = Fault(code(PERMISSION, s2.level), 2, True, leaf.ipa)
                return False
            if s2.dirty != s2.value:
                v.updates[s2.at] = v.updates.get(s2.at, s2.value) | s2.dirty
        v.updates[leaf.at] = new
        return True

    def _stage2(self, v: Verdict, s2: Stage2, el: int, access: str, memory: attributes.Memory) -> None:
        steps, fsc, leaf = s2.walk(v.ipa)
        v.steps += steps
        if leaf is None:
            v.fault = Fault(fsc, 2, False, v.ipa)
            return
        mine = (leaf.r, leaf.w, leaf.xp if el else leaf.xu)
        told = (leaf.r, leaf.w and (access == "write" or leaf.dirty == leaf.update), mine[2])
        v.allowed = tuple(a and b for a, b in zip(v.allowed, told, strict=True))  # type: ignore[assignment]
        if not mine[KINDS[access]]:
            v.fault = Fault(code(PERMISSION, leaf.level), 2, False, v.ipa)
            return
        new = leaf.dirty if access == "write" else leaf.update
        if new != leaf.value:
            v.updates[leaf.at] = v.updates.get(leaf.at, leaf.value) | new
        v.pa = leaf.base | v.ipa & leaf.mask
        uncached = s2.id if access == "fetch" else s2.cd
        both = attributes.combined(memory, leaf.attr, leaf.sh, s2.fwb, uncached)
        if access == "fetch" and attributes.is_device(both):
            both = attributes.NOT_CACHED
        v.memory = attributes.encoded(both)


KINDS = {"read": 0, "write": 1, "fetch": 2}
