//! The named rules that refuse or trap an access to a system register or a system instruction.
//!
//! A rule is a name, the level that it traps to, and one condition. A row lists its rules in the architecture's order of
//! priority: what belongs to EL1 first, then EL2 (Arm ARM D24.2, the accessibility pseudocode of each register). Rules for EL2
//! are asked only where EL2 exists and the access comes from below, but not for the host's EL0 (HCR_EL2.E2H and TGE).
//!
//! A rule for EL1 is asked at EL0 only; HCR_EL2.TGE sends its trap to EL2 (`exception::take`).

use crate::bits::bit;
use crate::config::Config;
use crate::cpu::Cpu;
use crate::fpen::fp_trap;
use crate::reg::names::*;
use crate::reg::Reg;
use crate::syndrome::ec;

/// Who does what.
pub struct Who<'a> {
    /// The PE.
    pub cpu: &'a Cpu,
    /// Exception level of the access.
    pub el: u8,
    /// A write (MSR), or an instruction that acts (SYS).
    pub write: bool,
    /// EL2 exists.
    pub has_el2: bool,
    /// HCR_EL2, or 0 without EL2.
    pub hcr: u64,
}

const E2H: u32 = 34;
const TGE: u32 = 27;

impl<'a> Who<'a> {
    /// The PE as it is now.
    pub fn new(cpu: &'a Cpu, config: &Config, write: bool) -> Who<'a> {
        let hcr = if config.has_el2 { cpu.get(HCR_EL2) } else { 0 };
        Who {
            cpu,
            el: cpu.pstate.el,
            write,
            has_el2: config.has_el2,
            hcr,
        }
    }
    /// A bit of HCR_EL2.
    pub fn hcr(&self, n: u32) -> bool {
        bit(self.hcr, n)
    }
    /// HCR_EL2.E2H.
    pub fn e2h(&self) -> bool {
        self.hcr(E2H)
    }
    /// The host of FEAT_VHE: EL2 and the EL0 below it (`ELIsInHost(EL0)`).
    pub fn host(&self) -> bool {
        self.hcr(E2H) && self.hcr(TGE)
    }
    /// A bit of some register.
    fn bit(&self, r: Reg, n: u32) -> bool {
        bit(self.cpu.get(r), n)
    }
    /// A bit of the SCTLR_ELx that governs EL0.
    fn sctlr(&self, n: u32) -> bool {
        self.bit(if self.host() { SCTLR_EL2 } else { SCTLR_EL1 }, n)
    }
    /// A bit of CNTKCTL_EL1 for EL0; the host has it in CNTHCTL_EL2.
    fn cntkctl(&self, n: u32) -> bool {
        self.bit(
            if self.host() {
                CNTHCTL_EL2
            } else {
                CNTKCTL_EL1
            },
            n,
        )
    }
    /// A bit of MDCR_EL2 that traps debug registers: TDE means all of them, and so does HCR_EL2.TGE (D24.3.18 MDCR_EL2).
    fn debug_trap(&self, n: u32) -> bool {
        self.bit(MDCR_EL2, n) || self.bit(MDCR_EL2, 8) || self.hcr(TGE)
    }
    /// A bit of PMUSERENR_EL0.
    fn pmuserenr(&self, n: u32) -> bool {
        self.bit(PMUSERENR_EL0, n)
    }
    /// Event counter `n` is EL2's own.
    fn hpmn(&self, n: usize) -> bool {
        n >= crate::pmu::hpmn(self.cpu, true)
    }
    /// A bit of CNTHCTL_EL2: `n` with E2H clear, `n_e2h` with it set.
    fn cnthctl(&self, n: u32, n_e2h: u32) -> bool {
        self.bit(CNTHCTL_EL2, if self.e2h() { n_e2h } else { n })
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// UNDEFINED, whatever the level.
    Undefined,
    /// Traps EL0 to EL1.
    El1,
    /// Traps EL1, and EL0 but for the host's, to EL2.
    El2,
    /// Traps EL1, EL0 and the host's EL0 to EL2.
    El2Host,
    /// The trap of FP and SIMD instructions, which `exception::fp_access` raises.
    Fp,
}

/// One rule.
pub struct Rule {
    /// The control, as `REGISTER.FIELD`.
    pub name: &'static str,
    /// The same, as an exit's list of causes when it is the only one.
    pub causes: &'static [&'static str],
    /// Where it traps.
    pub effect: Effect,
    /// The exception class.
    pub ec: u8,
    /// Whether it does, given that it is asked.
    pub hit: fn(&Who) -> bool,
}

impl Rule {
    /// Whether this access hits it.
    #[inline]
    pub fn hits(&self, w: &Who) -> bool {
        let asked = match self.effect {
            Effect::Undefined | Effect::Fp => true,
            Effect::El1 => w.el == 0,
            Effect::El2 => w.has_el2 && w.el < 2 && !(w.el == 0 && w.host()),
            Effect::El2Host => w.has_el2 && w.el < 2,
        };
        asked && (self.hit)(w)
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $effect:ident $cause:literal $hit:expr;)*) => {
        $(
            $(#[$doc])*
            pub const $name: Rule = Rule {
                name: $cause,
                causes: &[$cause],
                effect: Effect::$effect,
                ec: ec::SYSREG,
                hit: $hit,
            };
        )*
        /// Every rule, with its identifier.
        pub const ALL: &[(&str, &Rule)] = &[$((stringify!($name), &$name)),*];
    };
}

rules! {
    // ---- UNDEFINED in some states
    /// SP_EL0 while it is the stack pointer in use (C5.2.20).
    SP_EL0_IN_USE Undefined "PSTATE.SP" |w| w.cpu.pstate.sp == 0;
    /// A register of the highest implemented level, where that is EL1.
    HIGHEST_EL1 Undefined "EL2" |w| w.has_el2;
    /// CNTFRQ_EL0 is written at the highest implemented level only (D24.10.4).
    CNTFRQ_W Undefined "EL2" |w| w.write && w.el < 1 + w.has_el2 as u8;

    // ---- EL0 under EL1
    /// FP registers.
    FP Fp "CPACR_EL1.FPEN" |w| fp_trap(w.cpu).is_some();
    /// CTR_EL0.
    UCT El1 "SCTLR_EL1.UCT" |w| !w.sctlr(15);
    /// DAIF.
    UMA El1 "SCTLR_EL1.UMA" |w| !w.sctlr(9);
    /// Cache maintenance by VA.
    UCI El1 "SCTLR_EL1.UCI" |w| !w.sctlr(26);
    /// DC ZVA.
    DZE El1 "SCTLR_EL1.DZE" |w| !w.sctlr(14);
    /// Prediction restriction (FEAT_SPECRES).
    ENRCTX El1 "SCTLR_EL1.EnRCTX" |w| !w.sctlr(10);
    /// IMPLEMENTATION DEFINED encodings (FEAT_TIDCP1).
    EL0_TIDCP El1 "SCTLR_EL1.TIDCP" |w| w.sctlr(63);
    /// SCXTNUM_EL0.
    TSCXT El1 "SCTLR_EL1.TSCXT" |w| w.sctlr(20);
    /// The debug communication channel.
    TDCC El1 "MDSCR_EL1.TDCC" |w| w.bit(MDSCR_EL1, 12);
    /// Performance monitors.
    PMU_EN El1 "PMUSERENR_EL0.EN" |w| !w.pmuserenr(0);
    /// Software increments.
    PMU_SW El1 "PMUSERENR_EL0.SW" |w| !w.pmuserenr(0) && !w.pmuserenr(1);
    /// The cycle counter: CR lets it be read.
    PMU_CR El1 "PMUSERENR_EL0.CR" |w| !w.pmuserenr(0) && (w.write || !w.pmuserenr(2));
    /// Event counters: ER lets them be read,
    PMU_ER El1 "PMUSERENR_EL0.ER" |w| !w.pmuserenr(0) && (w.write || !w.pmuserenr(3));
    /// and selected.
    PMU_SEL El1 "PMUSERENR_EL0.ER" |w| !w.pmuserenr(0) && !w.pmuserenr(3);
    /// The frequency, if neither counter may be read.
    EL0FRQ El1 "CNTKCTL_EL1.EL0PCTEN" |w| !w.cntkctl(0) && !w.cntkctl(1);
    /// The physical count.
    EL0PCTEN El1 "CNTKCTL_EL1.EL0PCTEN" |w| !w.cntkctl(0);
    /// The virtual count.
    EL0VCTEN El1 "CNTKCTL_EL1.EL0VCTEN" |w| !w.cntkctl(1);
    /// The virtual timer.
    EL0VTEN El1 "CNTKCTL_EL1.EL0VTEN" |w| !w.cntkctl(8);
    /// The physical timer.
    EL0PTEN El1 "CNTKCTL_EL1.EL0PTEN" |w| !w.cntkctl(9);

    // ---- HCR_EL2
    /// Writes of translation control.
    TVM El2 "HCR_EL2.TVM" |w| w.el == 1 && w.write && w.hcr(26);
    /// Reads of translation control.
    TRVM El2 "HCR_EL2.TRVM" |w| w.el == 1 && !w.write && w.hcr(30);
    /// Auxiliary identification.
    TID1 El2 "HCR_EL2.TID1" |w| w.hcr(16);
    /// Cache identification.
    TID2 El2 "HCR_EL2.TID2" |w| w.hcr(17);
    /// Feature identification.
    TID3 El2 "HCR_EL2.TID3" |w| w.hcr(18);
    /// Cache identification without CTR_EL0 (FEAT_EVT).
    TID4 El2 "HCR_EL2.TID4" |w| w.hcr(49);
    /// GMID_EL1 (FEAT_MTE2).
    TID5 El2 "HCR_EL2.TID5" |w| w.hcr(58);
    /// IMPLEMENTATION DEFINED encodings.
    TIDCP El2 "HCR_EL2.TIDCP" |w| w.el == 1 && w.hcr(20);
    /// ACTLR_EL1.
    TACR El2 "HCR_EL2.TACR" |w| w.hcr(21);
    /// Cache maintenance by set and way.
    TSW El2 "HCR_EL2.TSW" |w| w.hcr(22);
    /// Cache maintenance to the point of coherency.
    TPCP El2 "HCR_EL2.TPCP" |w| w.hcr(23);
    /// Cache maintenance to the point of unification.
    TPU El2 "HCR_EL2.TPU" |w| w.hcr(24);
    /// The same without IC IALLUIS (FEAT_EVT).
    TOCU El2 "HCR_EL2.TOCU" |w| w.hcr(52);
    /// IC IALLUIS (FEAT_EVT).
    TICAB El2 "HCR_EL2.TICAB" |w| w.hcr(50);
    /// TLB maintenance.
    TTLB El2 "HCR_EL2.TTLB" |w| w.hcr(25);
    /// TLB maintenance, inner shareable (FEAT_EVT).
    TTLBIS El2 "HCR_EL2.TTLBIS" |w| w.hcr(54);
    /// TLB maintenance, outer shareable (FEAT_EVT).
    TTLBOS El2 "HCR_EL2.TTLBOS" |w| w.hcr(55);
    /// DC ZVA.
    TDZ El2 "HCR_EL2.TDZ" |w| w.hcr(28);
    /// Limited ordering regions.
    TLOR El2 "HCR_EL2.TLOR" |w| w.hcr(35);
    /// Error records.
    TERR El2 "HCR_EL2.TERR" |w| w.hcr(36);
    /// Keys of pointer authentication.
    APK El2 "HCR_EL2.APK" |w| !w.hcr(40);
    /// EL1's exception registers while a hypervisor without E2H runs at EL1; FEAT_NV2 has them in memory (FEAT_NV).
    NV1 El2 "HCR_EL2.NV1" |w| w.el == 1 && crate::hcr::nvx(w.hcr) == 0b011;
    /// AT of stage 1 (FEAT_NV).
    AT El2 "HCR_EL2.AT" |w| w.hcr(44);
    /// SCXTNUM.
    ENSCXT El2 "HCR_EL2.EnSCXT" |w| !w.hcr(53);
    /// SGIs, where FIQs are virtual.
    SGI_FMO El2 "HCR_EL2.FMO" |w| w.hcr(3);
    /// SGIs, where IRQs are virtual.
    SGI_IMO El2 "HCR_EL2.IMO" |w| w.hcr(4);

    // ---- other controls of EL2
    /// CPACR_EL1.
    TCPAC El2 "CPTR_EL2.TCPAC" |w| w.el == 1 && w.bit(CPTR_EL2, 31);
    /// PMCR_EL0.
    TPMCR El2Host "MDCR_EL2.TPMCR" |w| w.bit(MDCR_EL2, 5);
    /// Performance monitors.
    TPM El2Host "MDCR_EL2.TPM" |w| w.bit(MDCR_EL2, 6);
    /// The debug communication channel (FEAT_FGT).
    EL2_TDCC El2Host "MDCR_EL2.TDCC" |w| w.bit(MDCR_EL2, 27);
    // Event counters that are EL2's own: trapped with FEAT_FGT, without it CONSTRAINED UNPREDICTABLE, and trapped here too.
    /// Event counter 0.
    HPMN_0 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(0);
    /// Event counter 1.
    HPMN_1 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(1);
    /// Event counter 2.
    HPMN_2 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(2);
    /// Event counter 3.
    HPMN_3 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(3);
    /// Event counter 4.
    HPMN_4 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(4);
    /// Event counter 5.
    HPMN_5 El2Host "MDCR_EL2.HPMN" |w| w.hpmn(5);
    /// The selected event counter, if it exists.
    HPMN_SEL El2Host "MDCR_EL2.HPMN" |w| {
        let sel = w.cpu.get(PMSELR_EL0) as usize;
        sel < crate::reg::pmu::COUNTERS && w.hpmn(sel)
    };
    /// Debug registers.
    TDA El2Host "MDCR_EL2.TDA" |w| w.debug_trap(9);
    /// OS lock and power.
    TDOSA El2Host "MDCR_EL2.TDOSA" |w| w.debug_trap(10);
    /// Debug ROM.
    TDRA El2Host "MDCR_EL2.TDRA" |w| w.debug_trap(11);
    /// Trace filter.
    TTRF El2 "MDCR_EL2.TTRF" |w| w.bit(MDCR_EL2, 19);
    /// The physical count.
    EL1PCTEN El2 "CNTHCTL_EL2.EL1PCTEN" |w| !w.cnthctl(0, 10);
    /// The physical timer: by this name and at this place with E2H clear.
    EL1PCEN El2 "CNTHCTL_EL2.EL1PCEN" |w| !w.e2h() && !w.bit(CNTHCTL_EL2, 1);
    /// The same with E2H set.
    EL1PTEN El2 "CNTHCTL_EL2.EL1PTEN" |w| w.e2h() && !w.bit(CNTHCTL_EL2, 11);
    /// The virtual timer (FEAT_ECV).
    EL1TVT El2 "CNTHCTL_EL2.EL1TVT" |w| w.bit(CNTHCTL_EL2, 13);
    /// The virtual count (FEAT_ECV).
    EL1TVCT El2 "CNTHCTL_EL2.EL1TVCT" |w| w.bit(CNTHCTL_EL2, 14);
    /// ICC_SRE_EL1.
    SRE El2 "ICC_SRE_EL2.Enable" |w| !w.bit(ICC_SRE_EL2, 3);
    /// CPU interface registers common to both groups.
    ICH_TC El2 "ICH_HCR_EL2.TC" |w| w.bit(ICH_HCR_EL2, 10);
    /// CPU interface registers of group 0.
    ICH_TALL0 El2 "ICH_HCR_EL2.TALL0" |w| w.bit(ICH_HCR_EL2, 11);
    /// CPU interface registers of group 1.
    ICH_TALL1 El2 "ICH_HCR_EL2.TALL1" |w| w.bit(ICH_HCR_EL2, 12);
    /// ICC_DIR_EL1.
    ICH_TDIR El2 "ICH_HCR_EL2.TDIR" |w| w.bit(ICH_HCR_EL2, 14);
}

/// The outcome of a row's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// UNDEFINED.
    Undefined,
    /// The trap of FP and SIMD instructions.
    Fp,
    /// A trap to EL1, or for `causes`, all of them, to EL2.
    Trap(u8, u8, &'static [&'static str]),
}

/// Ask `rules` in order; the first one that hits decides.
pub fn judge(w: &Who, rules: &[&'static Rule]) -> Verdict {
    let mut i = 0;
    while i < rules.len() {
        let r = rules[i];
        if r.hits(w) {
            return match r.effect {
                Effect::Undefined => Verdict::Undefined,
                Effect::Fp => Verdict::Fp,
                Effect::El1 => Verdict::Trap(1, r.ec, r.causes),
                Effect::El2 | Effect::El2Host => Verdict::Trap(2, r.ec, causes(w, &rules[i..])),
            };
        }
        i += 1;
    }
    Verdict::Allowed
}

/// The names of all rules for EL2 that hit, the first of which does.
fn causes(w: &Who, rules: &[&'static Rule]) -> &'static [&'static str] {
    let to_el2 = |r: &Rule| matches!(r.effect, Effect::El2 | Effect::El2Host);
    let hit = |r: &&&'static Rule| to_el2(r) && r.hits(w);
    if rules[1..].iter().find(hit).is_none() {
        return rules[0].causes;
    }
    intern(rules.iter().filter(hit).map(|r| r.name).collect())
}

/// One copy of each combination of causes: there are few.
pub(super) fn intern(names: Vec<&'static str>) -> &'static [&'static str] {
    use std::sync::{Mutex, PoisonError};
    static KNOWN: Mutex<Vec<&'static [&'static str]>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(k) = known.iter().find(|k| **k == names) {
        return k;
    }
    let new: &'static [&'static str] = Box::leak(names.into_boxed_slice());
    known.push(new);
    new
}
