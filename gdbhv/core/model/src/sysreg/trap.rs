//! The named rules that refuse or trap an access to a system register or a system instruction.
//!
//! A rule is a name, the level that it traps to, and one condition. A row lists its rules in the architecture's order of
//! priority: what belongs to EL1 first, then EL2 (Arm ARM D24.2, the accessibility pseudocode of each register). Rules for EL2
//! are asked only where EL2 exists and the access comes from below, but not for the host's EL0 (HCR_EL2.E2H and TGE).
//!
//! A rule for EL1 is asked at EL0 only; HCR_EL2.TGE sends its trap to EL2 (`exception::take`).

use crate::config::Config;
use crate::cpu::Cpu;
use crate::fpen::fp_trap;
use crate::hcr;
use crate::reg::field;
use crate::reg::named::RegField;
use crate::reg::names::*;
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
    /// HCR_EL2.E2H.
    pub fn e2h(&self) -> bool {
        field!(HCR_EL2.E2H).is_set(self.hcr)
    }
    /// The host of FEAT_VHE: EL2 and the EL0 below it (`ELIsInHost(EL0)`).
    pub fn host(&self) -> bool {
        hcr::is_host(self.hcr)
    }
    /// A control.
    fn is_set(&self, f: RegField) -> bool {
        self.cpu.is_set(f)
    }
    /// A field of the SCTLR_ELx that governs EL0, at the same place as in SCTLR_EL1.
    fn sctlr(&self, f: RegField) -> bool {
        f.is_set(
            self.cpu
                .get(if self.host() { SCTLR_EL2 } else { SCTLR_EL1 }),
        )
    }
    /// A field of CNTKCTL_EL1 for EL0; for a host it is at the same place in CNTHCTL_EL2.
    fn cntkctl(&self, f: RegField) -> bool {
        f.is_set(self.cpu.get(if self.host() {
            CNTHCTL_EL2
        } else {
            CNTKCTL_EL1
        }))
    }
    /// A field of MDCR_EL2 that traps debug registers: TDE means all of them, and so does HCR_EL2.TGE (D24.3.18 MDCR_EL2).
    fn debug_trap(&self, f: RegField) -> bool {
        self.is_set(f) || self.is_set(field!(MDCR_EL2.TDE)) || field!(HCR_EL2.TGE).is_set(self.hcr)
    }
    /// Event counter `n` is EL2's own.
    fn hpmn(&self, n: usize) -> bool {
        n >= crate::pmu::hpmn(self.cpu, true)
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
    ($($(#[$doc:meta])* $name:ident $effect:ident $($cause:literal)? $($reg:ident.$field:ident)? |$w:ident $(, $f:ident)?| $hit:expr;)*) => {
        $(
            $(#[$doc])*
            pub const $name: Rule = Rule {
                name: rules!(@cause $($cause)? $($reg $field)?),
                causes: &[rules!(@cause $($cause)? $($reg $field)?)],
                effect: Effect::$effect,
                ec: ec::SYSREG,
                hit: |$w| {
                    $(let $f = field!($reg.$field);)?
                    $hit
                },
            };
        )*
        /// Every rule, with its identifier.
        pub const ALL: &[(&str, &Rule)] = &[$((stringify!($name), &$name)),*];
    };
    (@cause $cause:literal) => { $cause };
    (@cause $reg:ident $field:ident) => { concat!(stringify!($reg), ".", stringify!($field)) };
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
    UCT El1 SCTLR_EL1.UCT |w, f| !w.sctlr(f);
    /// DAIF.
    UMA El1 SCTLR_EL1.UMA |w, f| !w.sctlr(f);
    /// Cache maintenance by VA.
    UCI El1 SCTLR_EL1.UCI |w, f| !w.sctlr(f);
    /// DC ZVA.
    DZE El1 SCTLR_EL1.DZE |w, f| !w.sctlr(f);
    /// Prediction restriction (FEAT_SPECRES).
    ENRCTX El1 SCTLR_EL1.EnRCTX |w, f| !w.sctlr(f);
    /// IMPLEMENTATION DEFINED encodings (FEAT_TIDCP1).
    EL0_TIDCP El1 SCTLR_EL1.TIDCP |w, f| w.sctlr(f);
    /// SCXTNUM_EL0.
    TSCXT El1 SCTLR_EL1.TSCXT |w, f| w.sctlr(f);
    /// The debug communication channel.
    TDCC El1 MDSCR_EL1.TDCC |w, f| w.is_set(f);
    /// Performance monitors.
    PMU_EN El1 PMUSERENR_EL0.EN |w, f| !w.is_set(f);
    /// Software increments.
    PMU_SW El1 PMUSERENR_EL0.SW |w, f| !w.is_set(field!(PMUSERENR_EL0.EN)) && !w.is_set(f);
    /// The cycle counter: CR lets it be read.
    PMU_CR El1 PMUSERENR_EL0.CR |w, f| !w.is_set(field!(PMUSERENR_EL0.EN)) && (w.write || !w.is_set(f));
    /// Event counters: ER lets them be read,
    PMU_ER El1 PMUSERENR_EL0.ER |w, f| !w.is_set(field!(PMUSERENR_EL0.EN)) && (w.write || !w.is_set(f));
    /// and selected.
    PMU_SEL El1 PMUSERENR_EL0.ER |w, f| !w.is_set(field!(PMUSERENR_EL0.EN)) && !w.is_set(f);
    /// The frequency, if neither counter may be read.
    EL0FRQ El1 CNTKCTL_EL1.EL0PCTEN |w, f| !w.cntkctl(f) && !w.cntkctl(field!(CNTKCTL_EL1.EL0VCTEN));
    /// The physical count.
    EL0PCTEN El1 CNTKCTL_EL1.EL0PCTEN |w, f| !w.cntkctl(f);
    /// The virtual count.
    EL0VCTEN El1 CNTKCTL_EL1.EL0VCTEN |w, f| !w.cntkctl(f);
    /// The virtual timer.
    EL0VTEN El1 CNTKCTL_EL1.EL0VTEN |w, f| !w.cntkctl(f);
    /// The physical timer.
    EL0PTEN El1 CNTKCTL_EL1.EL0PTEN |w, f| !w.cntkctl(f);

    // ---- HCR_EL2
    /// Writes of translation control.
    TVM El2 HCR_EL2.TVM |w, f| w.el == 1 && w.write && w.is_set(f);
    /// Reads of translation control.
    TRVM El2 HCR_EL2.TRVM |w, f| w.el == 1 && !w.write && w.is_set(f);
    /// Auxiliary identification.
    TID1 El2 HCR_EL2.TID1 |w, f| w.is_set(f);
    /// Cache identification.
    TID2 El2 HCR_EL2.TID2 |w, f| w.is_set(f);
    /// Feature identification.
    TID3 El2 HCR_EL2.TID3 |w, f| w.is_set(f);
    /// Cache identification without CTR_EL0 (FEAT_EVT).
    TID4 El2 HCR_EL2.TID4 |w, f| w.is_set(f);
    /// GMID_EL1 (FEAT_MTE2).
    TID5 El2 HCR_EL2.TID5 |w, f| w.is_set(f);
    /// IMPLEMENTATION DEFINED encodings.
    TIDCP El2 HCR_EL2.TIDCP |w, f| w.el == 1 && w.is_set(f);
    /// ACTLR_EL1.
    TACR El2 HCR_EL2.TACR |w, f| w.is_set(f);
    /// Cache maintenance by set and way.
    TSW El2 HCR_EL2.TSW |w, f| w.is_set(f);
    /// Cache maintenance to the point of coherency.
    TPCP El2 HCR_EL2.TPCP |w, f| w.is_set(f);
    /// Cache maintenance to the point of unification.
    TPU El2 HCR_EL2.TPU |w, f| w.is_set(f);
    /// The same without IC IALLUIS (FEAT_EVT).
    TOCU El2 HCR_EL2.TOCU |w, f| w.is_set(f);
    /// IC IALLUIS (FEAT_EVT).
    TICAB El2 HCR_EL2.TICAB |w, f| w.is_set(f);
    /// TLB maintenance.
    TTLB El2 HCR_EL2.TTLB |w, f| w.is_set(f);
    /// TLB maintenance, inner shareable (FEAT_EVT).
    TTLBIS El2 HCR_EL2.TTLBIS |w, f| w.is_set(f);
    /// TLB maintenance, outer shareable (FEAT_EVT).
    TTLBOS El2 HCR_EL2.TTLBOS |w, f| w.is_set(f);
    /// DC ZVA.
    TDZ El2 HCR_EL2.TDZ |w, f| w.is_set(f);
    /// Limited ordering regions.
    TLOR El2 HCR_EL2.TLOR |w, f| w.is_set(f);
    /// Error records.
    TERR El2 HCR_EL2.TERR |w, f| w.is_set(f);
    /// Keys of pointer authentication.
    APK El2 HCR_EL2.APK |w, f| !w.is_set(f);
    /// EL1's exception registers while a hypervisor without E2H runs at EL1; FEAT_NV2 has them in memory (FEAT_NV).
    NV1 El2 "HCR_EL2.NV1" |w| w.el == 1 && crate::hcr::nvx(w.hcr) == 0b011;
    /// AT of stage 1 (FEAT_NV).
    AT El2 HCR_EL2.AT |w, f| w.is_set(f);
    /// SCXTNUM.
    ENSCXT El2 HCR_EL2.EnSCXT |w, f| !w.is_set(f);
    /// SGIs, where FIQs are virtual.
    SGI_FMO El2 HCR_EL2.FMO |w, f| w.is_set(f);
    /// SGIs, where IRQs are virtual.
    SGI_IMO El2 HCR_EL2.IMO |w, f| w.is_set(f);

    // ---- other controls of EL2
    /// CPACR_EL1.
    TCPAC El2 CPTR_EL2.TCPAC |w, f| w.el == 1 && w.is_set(f);
    /// PMCR_EL0.
    TPMCR El2Host MDCR_EL2.TPMCR |w, f| w.is_set(f);
    /// Performance monitors.
    TPM El2Host MDCR_EL2.TPM |w, f| w.is_set(f);
    /// The debug communication channel (FEAT_FGT).
    EL2_TDCC El2Host MDCR_EL2.TDCC |w, f| w.is_set(f);
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
    TDA El2Host MDCR_EL2.TDA |w, f| w.debug_trap(f);
    /// OS lock and power.
    TDOSA El2Host MDCR_EL2.TDOSA |w, f| w.debug_trap(f);
    /// Debug ROM.
    TDRA El2Host MDCR_EL2.TDRA |w, f| w.debug_trap(f);
    /// Trace filter.
    TTRF El2 MDCR_EL2.TTRF |w, f| w.is_set(f);
    /// The physical count.
    EL1PCTEN El2 "CNTHCTL_EL2.EL1PCTEN" |w| !w.is_set(match w.e2h() {
        false => field!(CNTHCTL_EL2.EL1PCTEN ?~E2H),
        true => field!(CNTHCTL_EL2.EL1PCTEN ?E2H),
    });
    /// The physical timer: by this name and at this place with E2H clear.
    EL1PCEN El2 CNTHCTL_EL2.EL1PCEN |w, f| !w.e2h() && !w.is_set(f);
    /// The same with E2H set.
    EL1PTEN El2 CNTHCTL_EL2.EL1PTEN |w, f| w.e2h() && !w.is_set(f);
    /// The virtual timer (FEAT_ECV).
    EL1TVT El2 CNTHCTL_EL2.EL1TVT |w, f| w.is_set(f);
    /// The virtual count (FEAT_ECV).
    EL1TVCT El2 CNTHCTL_EL2.EL1TVCT |w, f| w.is_set(f);
    /// ICC_SRE_EL1.
    SRE El2 ICC_SRE_EL2.Enable |w, f| !w.is_set(f);
    /// CPU interface registers common to both groups.
    ICH_TC El2 ICH_HCR_EL2.TC |w, f| w.is_set(f);
    /// CPU interface registers of group 0.
    ICH_TALL0 El2 ICH_HCR_EL2.TALL0 |w, f| w.is_set(f);
    /// CPU interface registers of group 1.
    ICH_TALL1 El2 ICH_HCR_EL2.TALL1 |w, f| w.is_set(f);
    /// ICC_DIR_EL1.
    ICH_TDIR El2 ICH_HCR_EL2.TDIR |w, f| w.is_set(f);
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
