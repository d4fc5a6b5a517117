"""Exit specifications: the grammar, one line for each case. Source of the names: the table of exit classes and exit.rs."""

from __future__ import annotations

from typing import Any

import pytest

from gdbhv import _core
from gdbhv.errors import CommandError
from gdbhv.exits import exitspec

CLASSES = {word: c for c in _core.exit_classes() for word in (c["name"], *c["also"])}


def record(name: str, **changes: Any) -> Any:
    """An exit called ``name``; what it does not set is as if it were nothing."""
    row = CLASSES[name.partition(":")[0].split(".")[0]]
    empty = {"el": 1, "nv": 0, "vmid": 1, "cpu": 0, "pc": 0x40200000, "far": None, "ipa": None, "args": [0, 0, 0, 0]}
    rest = {"esr": 1 if ".read:" in name else 0, "cause": [], "intid": None}
    return {**empty, **rest, "name": name, "class": row["name"], "number": row["number"], **changes}


W = record("dabt.trans.l3.w.isv", ipa=0x9000000, far=0xFFFF800009000018, cause=["HCR_EL2.VM"])
X = record("iabt.perm.l2.x", ipa=0x42400000, el=0)
TABLE = record("dabt.trans.l2.s1ptw.r.noisv", ipa=0x42600000)
MRS = record("sysreg.read:ID_AA64PFR0_EL1", cause=["HCR_EL2.TID3"])
MSR = record("sysreg.write:SCTLR_EL1", cause=["HCR_EL2.TVM", "HFGWTR_EL2.SCTLR_EL1"])
TLBI = record("sysinsn:TLBI_VMALLE1IS", cause=["HCR_EL2.TTLB"])
VNCR = record("vncr.trans.l3.w", far=0x5000078, nv=2, cause=["HCR_EL2.NV2"])
ERET = record("eret.eret", nv=1, cause=["HCR_EL2.NV"])
HVC = record("hvc:0x0", args=[0x84000008, 1, 2, 3])
TIMER = record("irq.ppi27", intid=27, cause=["HCR_EL2.IMO"])

MATCHES = [
    ("dabt", W),
    ("dabt.trans", W),
    ("dabt.w", W),
    ("dabt.w.trans", W),
    ("dabt.l3.w", W),
    ("dabt.*.isv", W),
    ("d*", W),
    ("*", W),
    ("*.w", W),
    ("[di]abt.perm", X),
    ("iabt.perm.l2.x", X),
    ("dabt.trans.s1ptw", TABLE),
    ("dabt.*.noisv", TABLE),
    ("sysreg", MRS),
    ("sysreg.read", MRS),
    ("sysreg:ID_*", MRS),
    ("sysreg.read:id_aa64pfr0_el1", MRS),
    ("sysreg.write:SCTLR_EL1", MSR),
    ("sysinsn", TLBI),
    ("sysinsn:TLBI_*", TLBI),
    ("sys*", TLBI),
    ("hvc", HVC),
    ("hvc:0", HVC),
    ("hvc:0x0", HVC),
    ("irq.ppi27", TIMER),
    ("irq.ppi*", TIMER),
    ("dabt ipa=0x9000000", W),
    ("dabt ipa=0x9000000-0x9000fff", W),
    ("dabt ipa=0x8fff000+0x2000", W),
    ("ipa=0x9000000", W),
    ("dabt va=0xffff800009000000-0xffff800009000fff", W),
    ("dabt pc=0x40200000", W),
    ("dabt el=1", W),
    ("iabt el=0", X),
    ("dabt vmid=1 cpu=0", W),
    ("dabt dir=w", W),
    ("dabt dir=r", TABLE),
    ("iabt dir=x", X),
    ("sysreg dir=r", MRS),
    ("sysreg dir=w reg=SCTLR_EL1", MSR),
    ("reg=SCTLR*", MSR),
    ("sysinsn dir=w", TLBI),
    ("sysinsn reg=TLBI_*", TLBI),
    ("hvc nr=0x84000008", HVC),
    ("nr=0x84000000-0x8400001f", HVC),
    ("irq intid=27", TIMER),
    ("dabt level=3", W),
    ("iabt level=2", X),
    ("cause=HCR_EL2.TVM", MSR),
    ("cause=HCR.TVM", MSR),
    ("cause=hcr.tvm", MSR),
    ("cause=HFGWTR_EL2.*", MSR),
    ("cause=HCR.*", TIMER),
    ("dabt vm=left", W),
    ("vncr", VNCR),
    ("vncr.trans.w level=3 va=0x5000000-0x5000fff", VNCR),
    ("nv=1-2", VNCR),
    ("eret nv=1 cause=HCR.NV", ERET),
    ("dabt vm=1", W),
]

DIFFERENT = [
    ("iabt", W),
    ("dabt.r", W),
    ("dabt.perm", W),
    ("dabt.l2", W),
    ("dabt.trans.s1ptw", W),
    ("sysreg", TLBI),
    ("sysinsn", MRS),
    ("sysreg.write", MRS),
    ("sysreg.read:SCTLR_EL1", MRS),
    ("hvc:0x2a", HVC),
    ("irq.ppi26", TIMER),
    ("dabt ipa=0x9000001", W),
    ("dabt ipa=0x8000000-0x8ffffff", W),
    ("dabt ipa=0x8fff000+0x1000", W),
    ("ipa=0x0-0xffffffff", HVC),
    ("dabt va=0x9000000", W),
    ("dabt el=0", W),
    ("dabt vmid=2", W),
    ("dabt dir=x", W),
    ("sysreg dir=w", MRS),
    ("dir=r", HVC),
    ("reg=TTBR*", MSR),
    ("reg=*", HVC),
    ("nr=0x84000009", HVC),
    ("nr=0-0xffffffff", W),
    ("irq intid=30", TIMER),
    ("dabt level=2", W),
    ("level=3", HVC),
    ("cause=HCR.TID3", MSR),
    ("dabt vm=right", W),
    ("vncr.r", VNCR),
    ("dabt", VNCR),
    ("nv=0", VNCR),
    ("eret nv=2", ERET),
    ("dabt vm=2", W),
    ("dabt ipa=0x9000000 el=0", W),
]

ERRORS = [
    ("", "an exit specification is needed"),
    ("dapt", "no exit class 'dapt'; did you mean dabt"),
    ("zzz", "no exit class 'zzz'; there are wfx, fp,"),
    ("DABT", "no exit class 'DABT'"),
    ("mops", "no exit is ever 'mops' here: FEAT_MOPS is not modelled"),
    ("el1.bti", "no exit is ever 'bti' here: FEAT_BTI is not modelled"),
    ("dabt.gpf.w", "no exit is ever 'gpf' here: FEAT_RME is not modelled"),
    ("iabt.tlbconflict", "no exit is ever 'tlbconflict' here: of two entries"),
    ("cause=HCR.TVMX", "no register of EL2 here has such a bit; did you mean HCR_EL2.TVM"),
    ("dabt every=0", "every= 0: a number from 1 is needed"),
    ("dabt evry=3", "no filter 'evry'; did you mean every"),
    ("dabt after", "after : a number from 0"),
    ("dabt after x", "after x: a number from 0"),
    ("latncy>5", "latncy>: did you mean latency?"),
    ("latency>", "latency> : a number"),
    ("dabt do", "do what? An action is needed"),
    ("dabt do stpo", "do stpo: did you mean stop"),
    ("dabt do log it", "do log takes nothing more: 'it'"),
    ("dabt do run", "do run what?"),
    ("dabt if", "if what? A condition is needed"),
    ("dabt if $q0", "'$q0' is no register"),
    ("dabt if x0 ==", "something is missing at its end"),
    ("dabt if (x0", "something is missing"),
    ("dabt if x0 x1", "'x1' is one too many"),
    ("dabt if u32 x0", "u32(ADDRESS) is needed"),
    ("dabt if iss.TI == 1", "no field 'TI' in the syndromes"),
    ("dabt if x0 = 1", "' = 1' in a condition: a number"),
    ("dabt if 0x1ffffffffffffffff", "more than 64 bits"),
    ("dabt if ----------------------------------x0", "nested too deep"),
    ("el1.svcc", "no exit class 'svcc'; did you mean svc"),
    ("el1.dabt.isw", "no sub-reason 'isw'"),
    ("dabt ip=3", "no filter 'ip'; did you mean ipa"),
    ("dabt trans", "'trans': after the class come filters NAME=VALUE"),
    ("dabt.trnas", "no sub-reason 'trnas'; did you mean trans"),
    ("wfx.wfx", "no sub-reason 'wfx'; did you mean"),
    ("hvc.smc", "no sub-reason 'smc'; there are none"),
    ("irq.maint.x", "no sub-reason 'x'"),
    ("sysinsn.read", "no sub-reason 'read'"),
    ("sysreg.write:SCTRL_EL1", "no system register 'SCTRL_EL1'; did you mean SCTLR_EL1"),
    ("sysreg reg=TTBR9_EL1", "no system register 'TTBR9_EL1'"),
    ("dabt ipa=", "ipa= what?"),
    ("dabt ipa=foo", "'foo' is no range of numbers"),
    ("dabt ipa=0x2000-0x1000", "is an empty range"),
    ("dabt ipa=0x2000+0", "is an empty range"),
    ("dabt pc=main", "no symbol 'main'"),
    ("dabt el=2", "'2': 0 to 0x1 is possible"),
    ("dabt dir=q", "r (read), w (write) or x (execute)"),
    ("dabt level=4", "-1 to 3 is needed"),
    ("cause=TVM", "REGISTER.BIT is needed"),
]


@pytest.mark.parametrize(("spec", "exit_"), MATCHES, ids=[s for s, _ in MATCHES])
def test_matches(spec: str, exit_: Any) -> None:
    parsed = exitspec.parse(spec)
    assert parsed.matches(exit_, "left", 1)
    assert exit_["number"] in parsed.classes, "the mask of classes would have hidden it"


@pytest.mark.parametrize(("spec", "exit_"), DIFFERENT, ids=[f"{s}-{r['name']}" for s, r in DIFFERENT])
def test_does_not_match(spec: str, exit_: Any) -> None:
    assert not exitspec.parse(spec).matches(exit_, "left", 1)


@pytest.mark.parametrize(("spec", "message"), ERRORS, ids=[s or "empty" for s, _ in ERRORS])
def test_errors_name_the_word_and_what_there_is(spec: str, message: str) -> None:
    with pytest.raises(CommandError) as e:
        exitspec.parse(spec)
    assert message in str(e.value)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_caught_by_its_name(name: str) -> None:
    spec = exitspec.parse(name)
    assert spec.classes == {CLASSES[name]["number"]}
    assert spec.matches(record(name))


def test_each_filter_has_a_case() -> None:
    used = {word.partition("=")[0] for spec, _ in MATCHES for word in spec.split() if "=" in word}
    assert used == {*exitspec.FILTERS, exitspec.VM}


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("5", (5, 5)),
        ("0x10-0x20", (16, 32)),
        ("0x1000+0x1000", (0x1000, 0x1FFF)),
        ("0x1000+4K", (0x1000, 0x1FFF)),
        ("0+1g", (0, 2**30 - 1)),
        ("0-0xffffffffffffffff", (0, 2**64 - 1)),
    ],
)
def test_ranges(text: str, ends: tuple[int, int]) -> None:
    assert exitspec.span(text) == ends
