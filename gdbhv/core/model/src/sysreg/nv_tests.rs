//! Oracle: the Arm ARM's table of VNCR_EL2 offsets (D8.11, R_CSRPQ), the accessibility pseudocode of each register, and HCR_EL2's
//! NV, NV1 and NV2 (D24.2.63).

use super::*;
use crate::config::Config;
use crate::cores::profile;
use crate::feature::{Feature, Features};
use crate::isa::{decode, sysop, Helper};
use crate::raise::Exception;
use crate::raise::{Flow, Trap};
use crate::reg::{find, Access};
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::ROWS;
use std::collections::BTreeSet;

const NV: u32 = 42;
const NV1: u32 = 43;
const NV2: u32 = 45;

/// Registers of the Arm ARM's table that no profile can have yet: offset, name, feature (and AMEVCNTVOFF0<n>_EL2, AMEVCNTVOFF1<n>_EL2 of
/// FEAT_AMUv1p1 from 0xa00 to 0xaff). A feature that is known here and is in a profile must leave this list.
#[rustfmt::skip]
const ABSENT: &[(u16, &str, &str)] = &[
    (0x030, "VSTTBR_EL2",     "SEL2"),
    (0x048, "VSTCR_EL2",      "SEL2"),
    (0x188, "SCXTNUM_EL1",    "CSV2_2"),
    (0x190, "TFSR_EL1",       "MTE2"),
    (0x1a0, "HDFGRTR2_EL2",   "FGT2"),
    (0x1b0, "HDFGWTR2_EL2",   "FGT2"),
    (0x1f0, "SMCR_EL1",       "SME"),
    (0x270, "TCR2_EL1",       "TCR2"),
    (0x278, "SCTLR2_EL1",     "SCTLR2"),
    (0x280, "MAIR2_EL1",      "AIE"),
    (0x288, "AMAIR2_EL1",     "AIE"),
    (0x290, "PIRE0_EL1",      "S1PIE"),
    (0x298, "PIRE0_EL2",      "S1PIE"),
    (0x2a0, "PIR_EL1",        "S1PIE"),
    (0x2a8, "POR_EL1",        "S1POE"),
    (0x2b0, "S2PIR_EL2",      "S2PIE"),
    (0x2b8, "S2POR_EL1",      "S2POE"),
    (0x2c0, "HFGRTR2_EL2",    "FGT2"),
    (0x2c8, "HFGWTR2_EL2",    "FGT2"),
    (0x2d0, "PFAR_EL1",       "PFAR"),
    (0x2e0, "HDBSSBR_EL2",    "HDBSS"),
    (0x310, "HFGITR2_EL2",    "FGT2"),
    (0x318, "SCTLRMASK_EL1",  "SRMASK"),
    (0x320, "CPACRMASK_EL1",  "SRMASK"),
    (0x328, "SCTLR2MASK_EL1", "SRMASK"),
    (0x330, "TCRMASK_EL1",    "SRMASK"),
    (0x338, "TCR2MASK_EL1",   "SRMASK"),
    (0x340, "ACTLRMASK_EL1",  "SRMASK"),
    (0x420, "ICH_LR4_EL2",    "more than 4 list registers"),
    (0x428, "ICH_LR5_EL2",    "more than 4 list registers"),
    (0x430, "ICH_LR6_EL2",    "more than 4 list registers"),
    (0x438, "ICH_LR7_EL2",    "more than 4 list registers"),
    (0x440, "ICH_LR8_EL2",    "more than 4 list registers"),
    (0x448, "ICH_LR9_EL2",    "more than 4 list registers"),
    (0x450, "ICH_LR10_EL2",   "more than 4 list registers"),
    (0x458, "ICH_LR11_EL2",   "more than 4 list registers"),
    (0x460, "ICH_LR12_EL2",   "more than 4 list registers"),
    (0x468, "ICH_LR13_EL2",   "more than 4 list registers"),
    (0x470, "ICH_LR14_EL2",   "more than 4 list registers"),
    (0x478, "ICH_LR15_EL2",   "more than 4 list registers"),
    (0x488, "ICH_AP0R1_EL2",  "more than 5 bits of preemption"),
    (0x490, "ICH_AP0R2_EL2",  "more than 5 bits of preemption"),
    (0x498, "ICH_AP0R3_EL2",  "more than 5 bits of preemption"),
    (0x4a8, "ICH_AP1R1_EL2",  "more than 5 bits of preemption"),
    (0x4b0, "ICH_AP1R2_EL2",  "more than 5 bits of preemption"),
    (0x4b8, "ICH_AP1R3_EL2",  "more than 5 bits of preemption"),
    (0x800, "PMBLIMITR_EL1",  "SPE"),
    (0x810, "PMBPTR_EL1",     "SPE"),
    (0x820, "PMBSR_EL1",      "SPE"),
    (0x828, "PMSCR_EL1",      "SPE"),
    (0x830, "PMSEVFR_EL1",    "SPE"),
    (0x838, "PMSICR_EL1",     "SPE"),
    (0x840, "PMSIRR_EL1",     "SPE"),
    (0x848, "PMSLATFR_EL1",   "SPE"),
    (0x850, "PMSNEVFR_EL1",   "SPE"),
    (0x858, "PMSDSFR_EL1",    "SPE"),
    (0x880, "TRFCR_EL1",      "TRF"),
    (0x888, "TRCITECR_EL1",   "ITE"),
    (0x8c0, "GCSPR_EL1",      "GCS"),
    (0x8d0, "GCSCR_EL1",      "GCS"),
    (0x8e0, "BRBCR_EL1",      "BRBE"),
    (0x8e8, "SPMACCESSR_EL1", "SPMU"),
    (0x900, "MPAM1_EL1",      "MPAM"),
    (0x908, "MPAMBW1_EL1",    "MPAM"),
    (0x910, "MPAMBWCAP_EL2",  "MPAM"),
    (0x930, "MPAMHCR_EL2",    "MPAM"),
    (0x938, "MPAMVPMV_EL2",   "MPAM"),
    (0x940, "MPAMVPM0_EL2",   "MPAM"),
    (0x948, "MPAMVPM1_EL2",   "MPAM"),
    (0x950, "MPAMVPM2_EL2",   "MPAM"),
    (0x958, "MPAMVPM3_EL2",   "MPAM"),
    (0x960, "MPAMVPM4_EL2",   "MPAM"),
    (0x968, "MPAMVPM5_EL2",   "MPAM"),
    (0x970, "MPAMVPM6_EL2",   "MPAM"),
    (0x978, "MPAMVPM7_EL2",   "MPAM"),
];

#[test]
fn no_two_registers_share_an_offset() {
    let mut seen = BTreeSet::new();
    let here = ALWAYS.iter().map(|r| r.0).chain(PAIRS.iter().map(|r| r.0));
    for o in here.chain(ABSENT.iter().map(|r| r.0)) {
        assert!(o & 7 == 0 && o < 0xa00, "{o:#x}");
        assert!(seen.insert(o), "{o:#x} twice");
    }
    let registers = ALWAYS.iter().map(|r| r.1);
    let pairs = PAIRS.iter().flat_map(|r| [r.1, r.2]);
    let all: Vec<_> = registers.chain(pairs).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

/// What is in memory has a row, the first of a pair is EL1's name and the second leads to it.
#[test]
fn memory_holds_registers_that_exist() {
    for (o, r) in ALWAYS {
        assert!(find(*r).is_some(), "{o:#x}");
    }
    for (o, one, two) in PAIRS {
        let alias = find(*two).unwrap_or_else(|| panic!("{o:#x}"));
        assert!(alias.alias == Some(*one), "{o:#x}");
    }
    for (from, to) in REDIRECTED {
        assert!(find(*from).is_some() && find(*to).is_some());
    }
}

#[test]
fn the_absent_are_absent() {
    for (o, name, feature) in ABSENT {
        let known = Feature::ALL.iter().find(|f| f.name() == *feature);
        for p in ["cortex-a57", "max"].map(|p| profile(p).expect(p).features) {
            assert!(!known.is_some_and(|f| p.has(*f)), "{o:#x} {name}");
        }
        if feature.contains("more than") {
            assert!(crate::reg::by_name(name).is_none(), "{name} has a row");
        }
    }
}

struct Bench {
    cpu: crate::pe::Pe,
    sh: Shared,
}

const RAM: u64 = 0x4000_0000;

/// EL1 with these bits of HCR_EL2 set, stage 1 of EL2 off, and VNCR_EL2 at the start of RAM.
fn pe(hcr: u64) -> Bench {
    let config = Config {
        has_el2: true,
        hosted: false,
        features: Features::ALL,
        core: &crate::cores::MAX,
    };
    let mut cpu = crate::pe::Pe::new(0, 1);
    let mut sh = Shared::new(config, RAM, 0x1_0000);
    sh.registers.reset(&mut cpu);
    cpu.set(HCR_EL2, 1 << 31 | hcr);
    cpu.set(VNCR_EL2, RAM);
    crate::exec::refresh::refresh(&mut cpu, &mut sh);
    Bench { cpu, sh }
}

const N: u64 = 1 << NV;
const N1: u64 = N | 1 << NV1;
const N2: u64 = N | 1 << NV2;
const N12: u64 = N1 | N2;

impl Bench {
    fn run(&mut self, insn: u32) -> Result<Flow, Exception> {
        let row = decode::row(insn, self.sh.config.features).expect("a row");
        let body: Helper = match row.name {
            "MRS" => crate::isa::system::mrs,
            "MSR_reg" => crate::isa::system::msr,
            "SYS" => sysop::sys,
            other => panic!("{other}"),
        };
        let done = body(&mut self.cpu, &mut self.sh, insn);
        done.map_err(|Trap| self.cpu.raised.take().expect("raised"))
    }
    fn read(&mut self, r: Reg) -> Result<u64, Exception> {
        self.run(0xd520_0000 | (r.0 as u32) << 5 | 5)?;
        Ok(self.cpu.x[5])
    }
    fn write(&mut self, r: Reg, v: u64) -> Result<Flow, Exception> {
        self.cpu.x[5] = v;
        self.run(0xd500_0000 | (r.0 as u32) << 5 | 5)
    }
}

fn trap(r: Reg, read: bool, cause: &'static [&'static str]) -> Exception {
    Exception {
        cause,
        ..Exception::sync(2, ec::SYSREG, r.iss(5, read))
    }
}

/// Every register and name that EL2 alone has, both ways, under each HCR_EL2.{NV2, NV1, NV}.
#[test]
fn every_name_of_el2_traps_or_is_memory() {
    let undefined = Exception::sync(1, ec::UNKNOWN, 0);
    let in_memory = |r: Reg, nv1: bool| {
        ALWAYS.iter().any(|x| x.1 == r) || !nv1 && PAIRS.iter().any(|x| x.2 == r)
    };
    for row in ROWS.iter().filter(|r| r.access.read == 2) {
        for hcr in [0, 1 << NV1, 1 << NV2, N, N1, N2, N12] {
            let mut p = pe(hcr);
            let n = number(row.reg).expect("a row");
            let there = p.sh.registers.rows[n].present;
            let memory = hcr & N2 == N2 && in_memory(row.reg, hcr & 1 << NV1 != 0);
            let same = hcr & N2 == N2 && REDIRECTED.iter().any(|x| x.0 == row.reg);
            let what = format!("{} with {hcr:#x}", row.name);
            let (read, write) = (p.read(row.reg), p.write(row.reg, 0));
            if !there || hcr & N == 0 {
                assert_eq!(read, Err(undefined.clone()), "{what}");
                assert_eq!(write, Err(undefined.clone()), "{what}");
                continue;
            }
            if memory || same {
                assert!(read.is_ok() && write.is_ok(), "{what}");
                continue;
            }
            assert_eq!(read, Err(trap(row.reg, true, &["HCR_EL2.NV"])), "{what}");
            let expected = if row.access.write == Access::NEVER {
                undefined.clone()
            } else {
                trap(row.reg, false, &["HCR_EL2.NV"])
            };
            assert_eq!(write, Err(expected), "{what}");
        }
    }
}

#[test]
fn memory_has_them_at_their_offsets() {
    let always = ALWAYS.iter().flat_map(|r| [(N2, *r), (N12, *r)]);
    let one = PAIRS.iter().map(|r| (N12, (r.0, r.1)));
    let two = PAIRS.iter().map(|r| (N2, (r.0, r.2)));
    for (hcr, (offset, r)) in always.chain(one).chain(two) {
        let mut p = pe(hcr | 1 << 3 << 37); // APK: no register here asks for it
        let name = r.name();
        if !p.sh.registers.rows[number(r).expect("a row")].present {
            continue;
        }
        let v = 0x1122_3344_5566_0000 | offset as u64;
        assert_eq!(p.write(r, v), Ok(Flow::Next), "{name}");
        let at = RAM + offset as u64;
        assert_eq!(p.sh.ram.read(at, 8), Some(v), "{name}");
        p.sh.ram.write(at, 8, !v).expect("RAM");
        assert_eq!(p.read(r), Ok(!v), "{name}");
    }
}

/// EL1's own names are its own with NV1 = 0, and those of its guest, in memory, with NV1 = 1.
#[test]
fn names_of_el1_follow_nv1() {
    for (_, r, _) in PAIRS {
        if !pe(0).sh.registers.rows[number(*r).expect("a row")].present {
            continue;
        }
        let own = |hcr: u64| {
            let mut p = pe(hcr);
            p.sh.ram.write(RAM, 8, 0).expect("RAM");
            p.write(*r, 0x3000).map(|_| {
                p.sh.ram
                    .get(RAM, 4096)
                    .expect("RAM")
                    .iter()
                    .all(|b| *b == 0)
            })
        };
        for hcr in [0, N, N2] {
            assert_eq!(own(hcr), Ok(true), "{} with {hcr:#x}", r.name());
        }
        assert_eq!(own(N12), Ok(false), "{}", r.name());
        let nv1 = [VBAR_EL1, ELR_EL1, SPSR_EL1].contains(r);
        let expected = if nv1 {
            Err(trap(*r, false, &["HCR_EL2.NV1"]))
        } else {
            Ok(true)
        };
        assert_eq!(own(N1), expected, "{}", r.name());
    }
}

#[test]
fn exception_registers_of_el2_are_those_of_el1() {
    for (two, one) in [
        (SPSR_EL2, SPSR_EL1),
        (ELR_EL2, ELR_EL1),
        (ESR_EL2, ESR_EL1),
        (FAR_EL2, FAR_EL1),
    ] {
        for hcr in [N2, N12] {
            let mut p = pe(hcr);
            p.cpu.set(two, 0x77);
            assert_eq!(p.write(two, 0x3c4), Ok(Flow::Next));
            assert_eq!((p.cpu.get(one), p.cpu.get(two)), (0x3c4, 0x77));
            assert_eq!(p.read(two), Ok(0x3c4));
        }
    }
}

/// A trap of EL1's register comes before the memory (accessibility pseudocode of SCTLR_EL1 and its kind).
#[test]
fn traps_come_first() {
    let mut p = pe(N12 | 1 << 26 | 1 << 30);
    assert_eq!(
        p.read(SCTLR_EL1),
        Err(trap(SCTLR_EL1, true, &["HCR_EL2.TRVM"]))
    );
    assert_eq!(
        p.write(TTBR0_EL1, 0),
        Err(trap(TTBR0_EL1, false, &["HCR_EL2.TVM"]))
    );
    assert_eq!(p.read(VBAR_EL1), Ok(0));
}

#[test]
fn current_el_is_el2_at_el1_alone() {
    for (hcr, el) in [(0, 4), (1 << NV2, 4), (N, 8), (N2, 8), (N12, 8)] {
        assert_eq!(pe(hcr).read(CurrentEL), Ok(el));
    }
}

#[test]
fn instructions_of_el2_trap() {
    for row in crate::reg::sysop::INFOS.iter().filter(|r| r.el == 2) {
        let insn = 0xd508_0000 | (row.code as u32 & 0x3fff) << 5 | 5;
        let r = Reg::of_insn(insn);
        for hcr in [N, N1, N2, N12] {
            assert_eq!(
                pe(hcr).run(insn),
                Err(trap(r, false, &["HCR_EL2.NV"])),
                "{}",
                row.name
            );
        }
        assert_eq!(
            pe(1 << NV2).run(insn),
            Err(Exception::sync(1, ec::UNKNOWN, 0))
        );
    }
}

/// The page is EL2's: BADDR is sign-extended from bit 56, a fault is EL2's with ISS.VNCR, and TTBR1_EL1 has no say.
#[test]
fn a_fault_of_the_page_is_told_as_el2s() {
    for (vncr, far) in [
        (0x5000_0000, 0x5000_0078),
        (0x0100_0000_0000_1000, 0xff00_0000_0000_1078),
        (0x0000_0000_0000_1fff, 0x1078),
    ] {
        let mut p = pe(N2);
        p.cpu.set(VNCR_EL2, vncr);
        // An address beyond what the PE has, or where nothing is.
        let e = p.read(HCR_EL2).expect_err("nothing there");
        assert_eq!((e.target, e.ec, e.far), (2, 0x25, Some(far)), "{vncr:#x}");
        assert_eq!(e.iss & !0x3f, 1 << 13);
        assert_eq!(e.cause, ["HCR_EL2.NV2"]);
        let e = p.write(HCR_EL2, 0).expect_err("nothing there");
        assert_eq!(e.iss & !0x3f, 1 << 13 | 1 << 6);
    }
}

/// A debugger's watchpoint sees the access, as one of EL2: not one that it set for a guest's addresses.
#[test]
fn a_debuggers_watchpoint_sees_the_access() {
    use crate::stops::{Scope, Space, Watchpoint};
    for (scope, stops) in [(Scope::All, true), (Scope::Vmid(0), false)] {
        let mut p = pe(N2);
        p.sh.debug.insert_watchpoint(Watchpoint {
            space: Space::Va,
            at: RAM + 0x78,
            len: 8,
            read: false,
            write: true,
            scope,
        });
        assert!(p.read(HCR_EL2).is_ok(), "reads are not watched");
        let stopped = crate::isa::system::msr(&mut p.cpu, &mut p.sh, 0xd51c_1105).is_err();
        assert_eq!((stopped, p.sh.debug.hit.is_some()), (stops, stops));
        assert!(p.cpu.raised.is_none());
    }
}
