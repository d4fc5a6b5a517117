"""Translations: which registers a view of memory goes by. One is chosen for a thread or by the user, and named in the first
line of the view.

A CPU has one set of registers, and whoever ran last has put its own there: under a VHE host VTTBR_EL2 is still the guest's
and HCR_EL2 the host's; a host at EL1 leaves nothing of its guest. So a view never asks "the CPU": it asks a
:class:`Translation`, which is of the CPU now, of a vCPU wherever it is, or of a guest's last exit, and which says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from gdbhv import _core
from gdbhv.errors import CommandError, MemoryError_
from gdbhv.tables import encode, exception_level, field

if TYPE_CHECKING:
    from gdbhv._core import Controls, Regime, Walk

Access = Literal["read", "write", "fetch"]

HOST = encode("HCR_EL2", E2H=1, TGE=1)  # EL2 is a host, and its processes are at EL0
PAN = field("SPSR_EL2.PAN").mask  # of PSTATE
XNX, SMALL_TABLES = field("ID_AA64MMFR1_EL1.XNX"), field("ID_AA64MMFR2_EL1.ST")
NO_EL2 = "this machine has no EL2, and so no stage 2: an IPA is a PA"
EL10 = {
    "HCR_EL2": "hcr", "VTCR_EL2": "vtcr", "VTTBR_EL2": "vttbr", "SCTLR_EL1": "sctlr", "TCR_EL1": "tcr", "TTBR0_EL1": "ttbr0",
    "TTBR1_EL1": "ttbr1", "MAIR_EL1": "mair",
}  # fmt: skip
EL2 = ("HCR_EL2", "SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "TTBR1_EL2", "MAIR_EL2")


@dataclass(frozen=True)
class Translation:
    """One exception level's view of memory. ``controls`` None: with the registers of EL2 that ``cpu`` has now.

    ``place`` is whose it is ("cpu0", "vm1 vcpu0"); ``note`` says what of it is not of this moment.
    """

    machine: _core.Machine
    cpu: int
    el: int
    place: str
    controls: Controls | None = None
    pan: bool = False
    note: str = ""
    el2: bool = True

    @cached_property
    def regime(self) -> Regime:
        """What the registers select."""
        return self.machine.regime(self.cpu, self.el, self.controls)

    @property
    def vmid(self) -> int | None:
        """The VMID, if EL1&0 is translated."""
        return self.regime["vmid"]

    @property
    def xnx(self) -> bool:
        """Whether stage 2 has separate permissions to execute for EL1 and EL0 (FEAT_XNX)."""
        return XNX.of(self.machine.read_register(self.cpu, "ID_AA64MMFR1_EL1")) != 0

    @property
    def ttst(self) -> bool:
        """Whether tables may be small (FEAT_TTST)."""
        return SMALL_TABLES.of(self.machine.read_register(self.cpu, "ID_AA64MMFR2_EL1")) != 0

    def walk(self, va: int, access: Access = "read", *, checked: bool = False) -> Walk:
        """Translate a VA; see ``_core.Machine.translate``."""
        return self.machine.translate(
            self.cpu, va, el=self.el, access=access, checked=checked, controls=self.controls, pan=self.pan
        )

    def walk_ipa(self, ipa: int, access: Access = "read", *, checked: bool = False) -> Walk:
        """Translate an IPA by stage 2 alone. :raises gdbhv.errors.CommandError: stage 2 is off, with the remedy."""
        found = None
        if self.controls is not None:
            found = self.machine.translate_ipa(self.cpu, ipa, access=access, checked=checked, controls=self.controls)
        if found is None:
            raise CommandError(self.no_stage2())
        return found

    def no_stage2(self) -> str:
        """Say that there is no stage 2, why, and what there is instead."""
        if not self.el2:
            return NO_EL2
        hcr = self.machine.read_register(self.cpu, "HCR_EL2") if self.controls is None else self.controls.hcr
        why = "HCR_EL2 is the host's, E2H = TGE = 1" if hcr & HOST == HOST else "HCR_EL2.VM = 0"
        others = ", ".join(map(str, with_stage2(self.machine)))
        remedy = f"; --vmid shows that of a guest that has run: VMID {others}" if others else ""
        return f"stage 2 is off ({why}): an IPA is a PA{remedy}"

    def physical(self, va: int) -> int:
        """Where a VA is. :raises gdbhv.errors.MemoryError_: it is not mapped."""
        return self._pa(va, self.walk(va))

    def physical_ipa(self, ipa: int) -> int:
        """Where an IPA is. :raises gdbhv.errors.MemoryError_: it is not mapped, or stage 2 is off."""
        try:
            return self._pa(ipa, self.walk_ipa(ipa))
        except CommandError as e:
            raise MemoryError_(ipa, str(e)) from None

    def _pa(self, address: int, walk: Walk) -> int:
        if "pa" not in walk:
            raise MemoryError_(address, f"stage {walk['stage']} {walk['words']}{' on the walk of stage 1' * walk['s1ptw']}")
        return walk["pa"]

    def words(self) -> str:
        """Say in a few words what is translated, and by what."""
        r = self.regime
        stages = {(1, 1): "stages 1 and 2", (1, 0): "stage 1", (0, 1): "stage 2", (0, 0): "no stage is on"}
        vmid = f", VMID {r['vmid']}" if r["stage2"] else ""
        return f"{self.place}: {r['name']} regime{vmid}, {stages[r['stage1'], r['stage2']]}{self.noted}"

    @property
    def noted(self) -> str:
        """The note, to be put behind a line."""
        return f"; {self.note}" if self.note else ""

    def document(self) -> dict[str, Any]:
        """Everything, for ``--json``."""
        if self.controls is not None:
            values = {name: getattr(self.controls, key) for name, key in EL10.items() if self.el2 or "EL2" not in name}
        else:
            values = {name: self.machine.read_register(self.cpu, name) for name in EL2}
        return {
            "place": self.place,
            "cpu": self.cpu,
            "el": self.el,
            "regime": self.regime["name"],
            **{k: self.regime[k] for k in ("stage1", "stage2", "vmid", "asid", "fwb")},
            "registers": values,
            "note": self.note,
        }


def with_stage2(machine: _core.Machine) -> list[int]:
    """Return the VMIDs of guests that have run with stage 2 on."""
    return sorted({vm["vmid"] for vm in machine.vms()})


@dataclass(frozen=True)
class _Exit:
    """The last exit of some VM: its translation, and where and when that was."""

    controls: Controls
    cpu: int
    now: int


def _exits(machine: _core.Machine) -> Iterator[_Exit]:
    """Yield the last exit of each VM, the latest first."""
    found = []
    for vm in machine.vms():
        if vm["last"] is not None:
            left, record = machine.vcpu_left(vm["number"], vm["last"]), machine.vcpu_exit(vm["number"], vm["last"])
            if left is not None and record is not None:
                found.append(_Exit(left["controls"], record["cpu"], record["now"]))
    yield from sorted(found, key=lambda e: -e.now)


def bare(
    machine: _core.Machine, cpu: int, el: int | None = None, vmid: int | None = None, *, el2: bool = True
) -> Translation:
    """Find the translation of a CPU as it is, of one of its ELs, or of the guest ``vmid`` that some hypervisor runs.

    :raises gdbhv.errors.CommandError: there is no such EL or guest, with those that are.
    """
    if vmid is not None:
        return _guest(machine, cpu, el, vmid, el2=el2)
    pstate = machine.read_register(cpu, "cpsr")
    now = exception_level(pstate)
    el = now if el is None else el
    place = f"cpu{cpu}" if el == now else f"cpu{cpu} (now at EL{now})"
    try:
        name = machine.regime(cpu, el)["name"]
    except ValueError as e:
        raise CommandError(str(e)) from None
    pan = el == now and bool(pstate & PAN)
    if name != "EL1&0" or el == 2:
        return Translation(machine, cpu, el, place, None, pan, el2=el2)
    controls = machine.controls(cpu)
    mine = Translation(machine, cpu, el, place, controls, pan, el2=el2)
    out = now == 2 or (now == 0 and controls.hcr & HOST == HOST)
    if not out or mine.regime["stage2"]:
        return mine
    # The hypervisor has the CPU, with an HCR_EL2 of its own; the tables may still be a guest's.
    guest = next((e for e in _exits(machine) if e.controls.vttbr == controls.vttbr), None)
    if guest is None:
        return mine
    kept = guest.controls.hcr
    note = f"HCR_EL2 {kept:#x} as of the guest's last exit, the CPU has the hypervisor's"
    values = {key: getattr(controls, key) for key in EL10.values()}
    return replace(mine, controls=_core.Controls(**{**values, "hcr": kept}), note=note)


def stage2(machine: _core.Machine, cpu: int, vmid: int | None = None, *, el2: bool = True) -> Translation:
    """Find the translation of IPAs: stage 2 belongs to EL1&0, wherever the CPU is, also in a process of a VHE host."""
    return bare(machine, cpu, 1, vmid, el2=el2)


def _guest(machine: _core.Machine, cpu: int, el: int | None, vmid: int, *, el2: bool) -> Translation:
    if not el2:
        raise CommandError("this machine has no EL2, and so no VMIDs")
    if el == 2:
        raise CommandError("--vmid is about a guest, and that has EL0 and EL1 alone")
    for i in [cpu, *(n for n in range(machine.cpus) if n != cpu)]:
        pstate, controls = machine.read_register(i, "cpsr"), machine.controls(i)
        regime = machine.regime(i, 1, controls)
        inside = exception_level(pstate) < 2 and controls.hcr & HOST != HOST and machine.power(i) != "off"
        if inside and regime["stage2"] and regime["vmid"] == vmid:
            level = exception_level(pstate)
            pan = el in (None, level) and bool(pstate & PAN)
            return Translation(machine, i, level if el is None else el, f"the guest on cpu{i}", controls, pan)
    guest = next((e for e in _exits(machine) if machine.regime(e.cpu, 1, e.controls)["vmid"] == vmid), None)
    if guest is None:
        known = ", ".join(map(str, with_stage2(machine)))
        raise CommandError(
            f"no guest with VMID {vmid} has run yet; {f'those with stage 2 on: {known}' if known else 'none has'}"
        )
    note = f"as of its last exit, on cpu{guest.cpu} at {guest.now} ns"
    return Translation(machine, guest.cpu, 1 if el is None else el, "a guest", guest.controls, note=note)
