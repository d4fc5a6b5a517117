//! Oracle: the Arm ARM's register descriptions (D24.2, accessibility) and exit-class table (ISS of EC 0x18).

use super::*;
use crate::config::Config;
use crate::cores::profile;
use crate::feature::{Feature, Features};
use crate::isa::{decode, sysop};
use crate::raise::{Exception, Trap};
use crate::reg::names::*;
use crate::reg::Reg;
use crate::reg::{by_name, find, number, Access};
use crate::shared::Shared;
use crate::syndrome::ec;
use std::collections::BTreeSet;

const MRS: u32 = 0xd520_0000;
const MSR: u32 = 0xd500_0000;

/// One PE at `el` of a machine with these features.
pub(super) struct Bench {
    pub(super) cpu: crate::pe::Pe,
    pub(super) sh: Shared,
}

pub(super) fn pe(el: u8, has_el2: bool, features: Features) -> Bench {
    let config = Config {
        has_el2,
        hosted: false,
        features,
        core: &crate::cores::MAX,
    };
    let mut cpu = crate::pe::Pe::new(0, el);
    let sh = Shared::new(config, 0x4000_0000, 0x1_0000);
    sh.registers.reset(&mut cpu);
    cpu.x[5] = 0x4000_0000; // DC ZVA writes there
    Bench { cpu, sh }
}

pub(super) fn at(el: u8) -> Bench {
    pe(el, true, Features::ALL)
}

/// The word of an access to `r` (or a SYS) by X5.
pub(super) fn word(r: Reg, write: bool) -> u32 {
    (if write { MSR } else { MRS }) | (r.0 as u32) << 5 | 5
}

impl Bench {
    pub(super) fn run(&mut self, insn: u32) -> Result<(), Exception> {
        let row = decode::row(insn, self.sh.config.features).expect("a row");
        let body: crate::isa::Helper = match row.name {
            "MRS" => crate::isa::system::mrs,
            "MSR_reg" => crate::isa::system::msr,
            "SYS" => sysop::sys,
            other => panic!("{other}"),
        };
        match body(&mut self.cpu, &mut self.sh, insn) {
            Ok(_) => Ok(()),
            Err(Trap) => Err(self.cpu.raised.take().expect("raised")),
        }
    }
    pub(super) fn read(&mut self, r: Reg) -> Result<u64, Exception> {
        self.run(word(r, false)).map(|()| self.cpu.x[5])
    }
    pub(super) fn write(&mut self, r: Reg, v: u64) -> Result<(), Exception> {
        self.cpu.x[5] = v;
        self.run(word(r, true))
    }
    pub(super) fn set(&mut self, r: Reg, v: u64) {
        self.cpu.set(r, v);
        crate::exec::refresh::refresh(&mut self.cpu, &mut self.sh);
    }
}

/// One without the features that give an EL0 read of an ID register another class.
fn plain(el: u8) -> Bench {
    pe(el, true, Features::of(&[Feature::PAuth]))
}

pub(super) fn undefined() -> Exception {
    Exception::sync(1, ec::UNKNOWN, 0)
}

// ------------------------------------------------------------------------------------------------ the tables

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = ROWS.iter().map(|r| r.name.to_ascii_lowercase()).collect();
    assert_eq!(names.len(), ROWS.len());
    for r in &ROWS {
        assert_eq!(by_name(r.name).expect(r.name).reg, r.reg);
        assert_eq!(Reg::of_iss(r.reg.iss(7, true)), r.reg);
    }
}

#[test]
fn aliases_and_partners_lead_to_rows_that_hold_something() {
    for r in &ROWS {
        let to = match r.store {
            Store::Alias => r.alias,
            _ => r.e2h,
        };
        if let Some(to) = to {
            let to = find(to).unwrap_or_else(|| panic!("{}", r.name));
            assert!(to.alias.is_none(), "{}", r.name);
        }
    }
}

/// Names of features that rows and fields know and no profile can have yet.
const ABSENT: &str =
    "ADERR AFP AIE AMUv1 AMUv1p1 ANERR ATS1A BRBE CSV2_2 D128 DoubleFault2 ETMv4 GCS LS64 LS64_ACCDATA LS64_V \
    MOPS MTE MTE2 MixedEnd NMI RASv1p1 S1PIE S1POE S2POE SCTLR2 SME SPE SPECRES2 SPEv1p2 SPEv1p5 SVE SYSREG128 TCR2 THE TRBE TRF XS";

#[test]
fn features_are_known_or_listed_as_absent() {
    let mut unknown = BTreeSet::new();
    let mut see = |f: &'static str| {
        let known = f.is_empty() || f == crate::profile::DOUBLE_LOCK;
        if !known && Feature::ALL.iter().all(|k| k.name() != f) {
            unknown.insert(f);
        }
    };
    for r in &ROWS {
        see(r.feature);
        field::parse(r.fields)
            .iter()
            .for_each(|f| see(f.feature.trim_start_matches('~')));
    }
    assert_eq!(unknown, ABSENT.split_whitespace().collect());
}

#[test]
fn fields_overlap_only_under_a_condition() {
    for r in &ROWS {
        for features in [true, false] {
            let mut seen = 0;
            for f in field::parse(r.fields)
                .iter()
                .filter(|f| f.condition.is_empty() && f.exists(|_| features))
            {
                assert_eq!(seen & f.mask(), 0, "{}.{}", r.name, f.name);
                seen |= f.mask();
            }
        }
    }
}

#[test]
fn conditions_are_fields_or_e2h() {
    for r in &ROWS {
        let fields = field::parse(r.fields);
        for f in fields.iter().filter(|f| !f.condition.is_empty()) {
            let c = f.condition.trim_start_matches('~');
            assert!(
                c == "E2H" || fields.iter().any(|f| f.name == c),
                "{}",
                r.name
            );
        }
    }
}

#[test]
fn a_machine_without_el2_has_no_register_of_it() {
    let p = pe(1, false, Features::ALL);
    let list = list(&p.sh.registers);
    assert!(list
        .iter()
        .all(|r| !r.row.name.contains("EL2") && !r.row.name.contains("_EL12")));
    assert!(list.iter().any(|r| r.row.name == "SCTLR_EL1"));
    assert!(at(2).sh.registers.rows[number(HCR_EL2).expect("row")].present);
}

// ------------------------------------------------------------------------------------------------ may I

#[test]
fn undefined_below_the_least_level() {
    for r in &ROWS {
        let name = r.name;
        for (write, least) in [(false, r.access.read), (true, r.access.write)] {
            for el in 0..least.min(3) {
                let mut p = plain(el);
                assert_eq!(
                    p.run(word(r.reg, write)),
                    Err(undefined()),
                    "{name} {write} at EL{el}"
                );
            }
        }
    }
}

#[test]
fn registers_of_absent_features_are_undefined_and_reported() {
    let mut p = pe(1, true, Features::of(&[]));
    assert_eq!(p.read(APIAKeyLo_EL1), Err(undefined()));
    assert_eq!(p.read(PMCR_EL0), Err(undefined()));
    assert_eq!(p.sh.undefined_new.len(), 2);
}

#[test]
fn reserved_identification_space_reads_as_zero() {
    let mut p = plain(1);
    assert_eq!(p.read(Reg::new(3, 0, 0, 3, 7)), Ok(0));
    assert_eq!(p.read(Reg::new(3, 0, 0, 7, 7)), Ok(0));
    assert_eq!(p.write(Reg::new(3, 0, 0, 7, 7), 0), Err(undefined()));
    assert_eq!(p.read(Reg::new(3, 0, 0, 0, 1)), Err(undefined()));
    p.cpu.pstate.el = 0;
    assert_eq!(p.read(Reg::new(3, 0, 0, 7, 7)), Err(undefined()));
}

#[test]
fn refused_reads_of_the_id_space_have_a_class_with_idst() {
    let mut p = at(0);
    let e = p.read(ID_AA64PFR0_EL1).expect_err("trapped");
    assert_eq!(
        (e.target, e.ec, e.iss),
        (1, ec::SYSREG, ID_AA64PFR0_EL1.iss(5, true))
    );
    let e = p.read(MIDR_EL1).expect_err("trapped");
    assert_eq!((e.target, e.ec), (1, ec::SYSREG));
    assert_eq!(p.read(SCTLR_EL1), Err(undefined()));
    // Reserved encodings too, and EL1's and EL2's own; not writes, nor what is outside (op1 = 2).
    for el in [0, 1, 2] {
        let mut p = at(el);
        for r in [Reg::new(3, 0, 0, 0, 1), Reg::new(3, 3, 0, 7, 7)] {
            let e = p.read(r).expect_err("refused");
            assert_eq!((e.target, e.ec, e.iss), (1, ec::SYSREG, r.iss(5, true)));
            assert_eq!(p.write(r, 0), Err(undefined()));
        }
        assert_eq!(p.read(Reg::new(3, 2, 0, 0, 1)), Err(undefined()));
    }
}

#[test]
fn writes_change_what_the_mask_says() {
    for r in ROWS.iter().filter(|r| matches!(r.store, Store::Plain)) {
        let (read, write) = (r.access.read, r.access.write);
        if read == Access::NEVER || write == Access::NEVER {
            continue;
        }
        let mut p = at(2);
        crate::exec::refresh::refresh(&mut p.cpu, &mut p.sh); // FP is not trapped
        let n = number(r.reg).expect("row");
        let state = p.sh.registers.rows[n];
        if !state.present {
            continue;
        }
        let keep = p.cpu.get(r.reg) & !state.mask;
        p.write(r.reg, !(1 << 34))
            .unwrap_or_else(|_| panic!("{}", r.name));
        let got = p.cpu.get(r.reg);
        assert_eq!(got, keep | state.mask & !(1 << 34), "{}", r.name);
        p.write(r.reg, 0).unwrap_or_else(|_| panic!("{}", r.name));
        assert_eq!(p.cpu.get(r.reg), keep, "{}", r.name);
    }
}

#[test]
fn masks_worth_a_look() {
    let a57 = profile("cortex-a57").expect("profile").features;
    let mut p = pe(2, true, a57);
    p.write(HCR_EL2, u64::MAX).expect("write");
    assert_eq!(p.read(HCR_EL2), Ok(0x43_ffff_ffff));
    p.write(SCTLR_EL1, u64::MAX).expect("write");
    assert_eq!(p.read(SCTLR_EL1), Ok(0x34dd_dbbf));
}

// ------------------------------------------------------------------------------------------------ traps

/// An access that a rule traps: rule, what to set, word, from which EL, and what comes of it.
type Case = (&'static str, &'static [(Reg, u64)], u32, u8, u8);

pub(super) fn sys(op1: u32, n: u32, m: u32, op2: u32) -> u32 {
    0xd508_0005 | op1 << 16 | n << 12 | m << 8 | op2 << 5
}

fn cases() -> Vec<Case> {
    let (r, w) = (|x| word(x, false), |x| word(x, true));
    vec![
        ("UCT", &[(SCTLR_EL1, 0)], r(CTR_EL0), 0, 1),
        ("UMA", &[(SCTLR_EL1, 0)], r(DAIF), 0, 1),
        ("UCI", &[(SCTLR_EL1, 0)], sys(3, 7, 14, 1), 0, 1),
        ("ENRCTX", &[(SCTLR_EL1, 0)], sys(3, 7, 3, 4), 0, 1),
        (
            "EL0_TIDCP",
            &[(SCTLR_EL1, 1 << 63)],
            r(Reg::new(3, 7, 11, 3, 5)),
            0,
            1,
        ),
        ("DZE", &[(SCTLR_EL1, 0)], sys(3, 7, 4, 1), 0, 1),
        ("TDCC", &[(MDSCR_EL1, 1 << 12)], r(MDCCSR_EL0), 0, 1),
        ("EL0FRQ", &[(CNTKCTL_EL1, 0)], r(CNTFRQ_EL0), 0, 1),
        ("EL0PCTEN", &[(CNTKCTL_EL1, 2)], r(CNTPCT_EL0), 0, 1),
        ("EL0VCTEN", &[(CNTKCTL_EL1, 1)], r(CNTVCT_EL0), 0, 1),
        ("EL0VTEN", &[(CNTKCTL_EL1, 1 << 9)], w(CNTV_CTL_EL0), 0, 1),
        ("EL0PTEN", &[(CNTKCTL_EL1, 1 << 8)], r(CNTP_CVAL_EL0), 0, 1),
        ("TVM", &[(HCR_EL2, 1 << 26)], w(TTBR0_EL1), 1, 2),
        ("TRVM", &[(HCR_EL2, 1 << 30)], r(SCTLR_EL1), 1, 2),
        ("TID1", &[(HCR_EL2, 1 << 16)], r(REVIDR_EL1), 1, 2),
        (
            "TID2",
            &[(HCR_EL2, 1 << 17), (SCTLR_EL1, 1 << 15)],
            r(CTR_EL0),
            0,
            2,
        ),
        ("TID3", &[(HCR_EL2, 1 << 18)], r(ID_AA64PFR0_EL1), 1, 2),
        (
            "TIDCP",
            &[(HCR_EL2, 1 << 20)],
            r(Reg::new(3, 7, 11, 3, 5)),
            1,
            2,
        ),
        ("TACR", &[(HCR_EL2, 1 << 21)], w(ACTLR_EL1), 1, 2),
        ("TSW", &[(HCR_EL2, 1 << 22)], sys(0, 7, 14, 2), 1, 2),
        ("TPCP", &[(HCR_EL2, 1 << 23)], sys(0, 7, 6, 1), 1, 2),
        ("TPU", &[(HCR_EL2, 1 << 24)], sys(3, 7, 11, 1), 1, 2),
        ("TID4", &[(HCR_EL2, 1 << 49)], r(CLIDR_EL1), 1, 2),
        ("TOCU", &[(HCR_EL2, 1 << 52)], sys(3, 7, 5, 1), 1, 2),
        ("TICAB", &[(HCR_EL2, 1 << 50)], sys(0, 7, 1, 0), 1, 2),
        ("TTLBIS", &[(HCR_EL2, 1 << 54)], sys(0, 8, 3, 1), 1, 2),
        ("TTLBOS", &[(HCR_EL2, 1 << 55)], sys(0, 8, 1, 1), 1, 2),
        ("TTLB", &[(HCR_EL2, 1 << 25)], sys(0, 8, 7, 0), 1, 2),
        ("TDZ", &[(HCR_EL2, 1 << 28)], sys(3, 7, 4, 1), 1, 2),
        ("AT", &[(HCR_EL2, 1 << 44)], sys(0, 7, 8, 0), 1, 2),
        ("NV1", &[(HCR_EL2, 3 << 42)], w(VBAR_EL1), 1, 2),
        ("TLOR", &[(HCR_EL2, 1 << 35)], w(LORC_EL1), 1, 2),
        ("SGI_FMO", &[(HCR_EL2, 1 << 3)], w(ICC_SGI0R_EL1), 1, 2),
        ("SGI_IMO", &[(HCR_EL2, 1 << 4)], w(ICC_SGI1R_EL1), 1, 2),
        ("TCPAC", &[(CPTR_EL2, 1 << 31)], w(CPACR_EL1), 1, 2),
        ("TERR", &[(HCR_EL2, 1 << 36)], r(ERRIDR_EL1), 1, 2),
        ("EL2_TDCC", &[(MDCR_EL2, 1 << 27)], w(MDCCINT_EL1), 1, 2),
        ("TDA", &[(MDCR_EL2, 1 << 9)], w(MDSCR_EL1), 1, 2),
        ("TDOSA", &[(MDCR_EL2, 1 << 10)], w(OSLAR_EL1), 1, 2),
        ("TDRA", &[(MDCR_EL2, 1 << 11)], r(MDRAR_EL1), 1, 2),
        ("PMU_EN", &[(PMUSERENR_EL0, 0xe)], r(PMCR_EL0), 0, 1),
        ("PMU_EN", &[(PMUSERENR_EL0, 0xe)], w(PMEVTYPER0_EL0), 0, 1),
        ("PMU_SW", &[(PMUSERENR_EL0, 0xc)], w(PMSWINC_EL0), 0, 1),
        ("PMU_CR", &[(PMUSERENR_EL0, 0xa)], r(PMCCNTR_EL0), 0, 1),
        ("PMU_CR", &[(PMUSERENR_EL0, 0xe)], w(PMCCNTR_EL0), 0, 1),
        ("PMU_ER", &[(PMUSERENR_EL0, 0x6)], r(PMXEVCNTR_EL0), 0, 1),
        ("PMU_ER", &[(PMUSERENR_EL0, 0xe)], w(PMEVCNTR5_EL0), 0, 1),
        ("PMU_SEL", &[(PMUSERENR_EL0, 0x6)], w(PMSELR_EL0), 0, 1),
        ("TPM", &[(MDCR_EL2, 1 << 6 | 6)], r(PMUSERENR_EL0), 0, 2),
        ("TPM", &[(MDCR_EL2, 1 << 6 | 6)], w(PMCNTENSET_EL0), 1, 2),
        ("TPMCR", &[(MDCR_EL2, 1 << 5 | 6)], w(PMCR_EL0), 1, 2),
        ("HPMN_0", &[(MDCR_EL2, 0)], r(PMEVCNTR0_EL0), 1, 2),
        ("HPMN_1", &[(MDCR_EL2, 1)], w(PMEVTYPER1_EL0), 1, 2),
        ("HPMN_2", &[(MDCR_EL2, 1)], w(PMEVCNTR2_EL0), 1, 2),
        ("HPMN_3", &[(MDCR_EL2, 3)], r(PMEVTYPER3_EL0), 1, 2),
        ("HPMN_4", &[(MDCR_EL2, 2)], w(PMEVCNTR4_EL0), 1, 2),
        ("HPMN_5", &[(MDCR_EL2, 5)], r(PMEVCNTR5_EL0), 1, 2),
        (
            "HPMN_SEL",
            &[(MDCR_EL2, 4), (PMSELR_EL0, 4)],
            r(PMXEVTYPER_EL0),
            1,
            2,
        ),
        ("EL1TVT", &[(CNTHCTL_EL2, 1 << 13)], w(CNTV_CVAL_EL0), 1, 2),
        ("EL1TVCT", &[(CNTHCTL_EL2, 1 << 14)], r(CNTVCTSS_EL0), 1, 2),
        ("EL1PCTEN", &[(CNTHCTL_EL2, 2)], r(CNTPCT_EL0), 1, 2),
        ("EL1PCEN", &[(CNTHCTL_EL2, 1)], r(CNTP_CTL_EL0), 1, 2),
        (
            "EL1PTEN",
            &[(CNTHCTL_EL2, 1 << 10), (HCR_EL2, 1 << 34)],
            r(CNTP_CTL_EL0),
            1,
            2,
        ),
        ("SRE", &[(ICC_SRE_EL2, 7)], r(ICC_SRE_EL1), 1, 2),
        ("ICH_TC", &[(ICH_HCR_EL2, 1 << 10)], r(ICC_PMR_EL1), 1, 2),
        (
            "ICH_TALL0",
            &[(ICH_HCR_EL2, 1 << 11)],
            r(ICC_IAR0_EL1),
            1,
            2,
        ),
        (
            "ICH_TALL1",
            &[(ICH_HCR_EL2, 1 << 12)],
            w(ICC_EOIR1_EL1),
            1,
            2,
        ),
        ("ICH_TDIR", &[(ICH_HCR_EL2, 1 << 14)], w(ICC_DIR_EL1), 1, 2),
    ]
}

/// Rules that no access of this machine can hit: their feature is absent, or they have a test of their own.
const UNHIT: &str = "SP_EL0_IN_USE HIGHEST_EL1 CNTFRQ_W FP TSCXT TID5 APK ENSCXT TTRF";

#[test]
fn each_rule_traps_with_its_class_and_syndrome() {
    let mut hit = BTreeSet::new();
    for (name, set, insn, el, target) in cases() {
        let mut p = at(el);
        let got = p.run(insn);
        assert!(
            !matches!(&got, Err(e) if e.target == target && !e.cause.is_empty() && e.ec == ec::SYSREG && el == 1),
            "{name}: trapped without its control"
        );
        let mut p = at(el);
        set.iter().for_each(|(r, v)| p.set(*r, *v));
        let e = p.run(insn).expect_err(name);
        let (_, rule) = trap::ALL.iter().find(|(n, _)| *n == name).expect(name);
        assert_eq!(
            (e.target, e.ec, e.next),
            (target, ec::SYSREG, false),
            "{name}"
        );
        let read = insn >> 21 & 1 != 0;
        assert_eq!(e.iss, Reg::of_insn(insn).iss(5, read), "{name}");
        assert_eq!(e.cause[0], rule.name, "{name}");
        hit.insert(name);
    }
    let all: BTreeSet<_> = trap::ALL.iter().map(|r| r.0).collect();
    let unhit: BTreeSet<_> = UNHIT.split_whitespace().collect();
    assert_eq!(
        all.difference(&hit).copied().collect::<BTreeSet<_>>(),
        unhit
    );
}

#[test]
fn iss_of_a_trapped_access() {
    // MSR SCTLR_EL1, X5: Op0 3, Op1 0, CRn 1, CRm 0, Op2 0, Rt 5, write; ID_AA64PFR0_EL1 as KVM and Xen print it.
    assert_eq!(SCTLR_EL1.iss(5, false), 0x30_04a0);
    assert_eq!(ID_AA64PFR0_EL1.iss(0, true), 0x30_0009);
    assert_eq!(Reg::of_iss(0x30_0009), ID_AA64PFR0_EL1);
}

#[test]
fn every_cause_is_listed_the_effective_one_first() {
    let mut p = at(1);
    p.set(HCR_EL2, 3 << 3);
    let e = p.write(ICC_SGI1R_EL1, 0).expect_err("trapped");
    assert_eq!(e.cause, ["HCR_EL2.FMO", "HCR_EL2.IMO"]);
    // EL1's own control comes first, and hides EL2's.
    let mut p = at(0);
    p.set(HCR_EL2, 1 << 17);
    p.set(SCTLR_EL1, 0);
    assert_eq!(p.read(CTR_EL0).expect_err("trapped").target, 1);
}

#[test]
fn el2_does_not_trap_itself() {
    for (name, set, insn, _, target) in cases() {
        if target == 2 && name != "TIDCP" {
            let mut p = at(2);
            set.iter().for_each(|(r, v)| p.set(*r, *v));
            // (DC ZVA with the MMU off is an alignment fault: Device memory.)
            let trapped = p.run(insn).is_err_and(|e| e.ec == ec::SYSREG);
            assert!(!trapped, "{name}");
        }
    }
}

#[test]
fn tge_traps_debug_registers_of_the_host_too() {
    let mut p = at(0);
    p.set(HCR_EL2, E2H | 1 << 27);
    let e = p.read(MDCCSR_EL0).expect_err("trapped");
    assert_eq!((e.target, e.cause), (2, &["MDCR_EL2.TDA"][..]));
}

#[test]
fn fp_registers_follow_the_fp_trap() {
    let mut p = at(1);
    p.set(CPTR_EL2, 0);
    let e = p.read(FPCR).expect_err("CPACR_EL1.FPEN is 0");
    assert_eq!((e.target, e.ec, e.iss), (1, ec::FP, 0x1e0_0000));
    p.set(CPACR_EL1, 3 << 20);
    assert_eq!(p.read(FPCR), Ok(0));
    p.set(CPTR_EL2, 1 << 10);
    assert_eq!(p.read(FPSR).expect_err("CPTR_EL2.TFP").target, 2);
}

// ------------------------------------------------------------------------------------------------ E2H, views, odd ones

const E2H: u64 = 1 << 34;

#[test]
fn e2h_redirects_el1_names_and_12_names_lead_back() {
    let mut p = at(2);
    assert_eq!(p.read(SCTLR_EL12), Err(undefined()));
    p.write(HCR_EL2, E2H).expect("write");
    p.write(VBAR_EL1, 0x1000).expect("write");
    p.write(VBAR_EL12, 0x2000).expect("write");
    assert_eq!((p.cpu.get(VBAR_EL2), p.cpu.get(VBAR_EL1)), (0x1000, 0x2000));
    assert_eq!(p.read(VBAR_EL1), Ok(0x1000));
    p.write(CNTP_CVAL_EL0, 7).expect("write");
    p.write(CNTP_CVAL_EL02, 8).expect("write");
    assert_eq!(
        (p.cpu.get(CNTHP_CVAL_EL2), p.cpu.get(CNTP_CVAL_EL0)),
        (7, 8)
    );
    p.cpu.pstate.el = 1;
    assert_eq!(p.read(VBAR_EL1), Ok(0x2000));
    assert_eq!(p.read(VBAR_EL12), Err(undefined()));
}

#[test]
fn a57_has_no_e2h() {
    let mut p = pe(2, true, profile("cortex-a57").expect("profile").features);
    p.write(HCR_EL2, E2H).expect("write");
    assert_eq!(p.read(HCR_EL2), Ok(1 << 31));
    assert_eq!(p.read(TTBR1_EL2), Err(undefined()));
}

#[test]
fn el1_sees_the_virtual_ids() {
    let mut p = at(2);
    p.write(VPIDR_EL2, 0x1234).expect("write");
    p.write(VMPIDR_EL2, 0x8000_0003).expect("write");
    assert_eq!(p.read(MIDR_EL1), Ok(0x000f_0510));
    p.cpu.pstate.el = 1;
    assert_eq!(p.read(MIDR_EL1), Ok(0x1234));
    assert_eq!(p.read(MPIDR_EL1), Ok(0x8000_0003));
    assert_eq!(pe(1, false, Features::ALL).read(MPIDR_EL1), Ok(0x8000_0000));
}

#[test]
fn frequency_is_written_at_the_highest_level() {
    assert_eq!(at(1).write(CNTFRQ_EL0, 1), Err(undefined()));
    assert_eq!(at(2).write(CNTFRQ_EL0, 1), Ok(()));
    assert_eq!(pe(1, false, Features::ALL).write(CNTFRQ_EL0, 1), Ok(()));
    assert_eq!(at(1).read(CNTFRQ_EL0), Ok(62_500_000));
}

#[test]
fn sp_el0_is_not_reached_by_its_name_while_in_use() {
    let mut p = at(1);
    assert_eq!(p.write(SP_EL0, 0x1000), Ok(()));
    p.cpu.pstate.sp = 0;
    assert_eq!(p.read(SP_EL0), Err(undefined()));
}

#[test]
fn os_lock_and_claim_tags() {
    let mut p = at(1);
    assert_eq!(p.read(OSLSR_EL1), Ok(0xa));
    p.write(OSLAR_EL1, 0).expect("write");
    assert_eq!(p.read(OSLSR_EL1), Ok(0x8));
    p.write(DBGCLAIMSET_EL1, 0x15).expect("write");
    p.write(DBGCLAIMCLR_EL1, 0x11).expect("write");
    assert_eq!(p.read(DBGCLAIMCLR_EL1), Ok(0x04));
    assert_eq!(p.read(DBGCLAIMSET_EL1), Ok(0xff));
}

#[test]
fn what_mirrors_the_external_debugger_is_written_under_the_os_lock() {
    let mut p = at(1);
    p.write(MDSCR_EL1, u64::MAX).expect("write"); // locked after reset
    assert_eq!(p.read(MDSCR_EL1), Ok(0x6cf0_f041 & !(1 << 19 | 1 << 20)));
    p.write(OSLAR_EL1, 0).expect("write");
    p.write(MDSCR_EL1, 0).expect("write");
    assert_eq!(p.read(MDSCR_EL1), Ok(0x6ce0_4040));
    p.write(MDSCR_EL1, 0x8000).expect("write");
    assert_eq!(p.read(MDSCR_EL1), Ok(0x6ce0_c040));
}

#[test]
fn a_debugger_is_not_asked_and_changes_nothing() {
    let mut p = at(0);
    let (cpu, sh) = (&mut p.cpu, &mut p.sh);
    assert_eq!(access::debug_read(cpu, sh, MIDR_EL1), Ok(0x000f_0510));
    assert_eq!(access::debug_write(cpu, sh, VBAR_EL1, 0xffff), Ok(()));
    assert_eq!(access::debug_read(cpu, sh, VBAR_EL1), Ok(0xf800));
    assert!(access::debug_read(cpu, sh, ICC_IAR1_EL1).is_err());
    assert!(access::debug_write(cpu, sh, MIDR_EL1, 0).is_err());
    assert!(access::debug_read(cpu, sh, Reg::new(3, 7, 15, 15, 7)).is_err());
}

#[test]
fn the_physical_timer_follows_tge_where_it_has_an_offset() {
    let mut p = at(2);
    let level = |p: &Bench| p.sh.gic.state().pe[0].private[30].pending();
    p.write(CNTPOFF_EL2, 1u64.wrapping_neg() << 40)
        .expect("write");
    p.write(CNTHCTL_EL2, 1 << 12).expect("write");
    p.write(CNTP_CVAL_EL0, 1 << 39).expect("write");
    p.write(CNTP_CTL_EL0, 1).expect("write");
    assert!(level(&p));
    p.write(HCR_EL2, 1 << 27).expect("write");
    assert!(!level(&p));
    p.write(HCR_EL2, 0).expect("write");
    assert!(level(&p));
}
