//! Translation regimes: the system registers that control a translation, decoded into plain values.
//!
//! [`Controls::of`] is the only place that reads those registers, and [`Regime::from`] decodes them; the walker sees nothing else. Names and rules are those of
//! `AArch64.GetS1TTWParams` and `AArch64.GetS2TTWParams` in the Arm ARM's pseudocode (J1.1.5).

use super::controls::Controls;
use super::select::{asid_of, dc, stages, vmid_of};
use crate::bits::{bit, ones};
use crate::cpu::Cpu;
use crate::hcr::tables_of_nv1;
use crate::mmu::kind::RegimeKind;
use crate::reg::field;

pub use super::features::{size_bits, Features};
pub use super::select::{host, key, kind, sctlr, vmid};
pub use super::stages::{Range, Stage1, Stage2};
pub use crate::mmu::kind::Mode;

/// A whole regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regime {
    /// Which.
    pub kind: RegimeKind,
    /// The PE's features.
    pub features: Features,
    /// Stage 1.
    pub s1: Stage1,
    /// Stage 2, if it is on.
    pub s2: Option<Stage2>,
    /// Stage 2 serves the walk of stage 1 only, and the result is an IPA (AT S1E1R and its kind).
    pub s1_only: bool,
    /// VMID (EL1&0 only).
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
}

impl Regime {
    /// Decode the registers of regime `kind`, as they are now.
    pub fn of(cpu: &Cpu, kind: RegimeKind) -> Regime {
        Regime::from(Features::of(cpu), kind, &Controls::of(cpu, kind))
    }

    /// Decode the registers `c` of regime `kind`.
    pub fn from(f: Features, kind: RegimeKind, c: &Controls) -> Regime {
        let &Controls {
            hcr,
            sctlr,
            tcr,
            ttbr,
            mair,
            ..
        } = c;
        let (s1_on, s2_on) = stages(kind, sctlr, hcr);
        let s1 = if kind == RegimeKind::El2 {
            Stage1::one_range(&f, tcr, ttbr[0])
        } else {
            Stage1::two_ranges(&f, tcr, ttbr)
        };
        Regime {
            kind,
            features: f,
            s1: Stage1 {
                on: s1_on,
                dc: kind == RegimeKind::El10 && dc(hcr),
                nv1: kind == RegimeKind::El10 && tables_of_nv1(hcr),
                dcache: field!(SCTLR_EL1.C).is_set(sctlr),
                icache: field!(SCTLR_EL1.I).is_set(sctlr),
                mair,
                wxn: field!(SCTLR_EL1.WXN).is_set(sctlr),
                epan: f.epan && field!(SCTLR_EL1.EPAN).is_set(sctlr),
                ..s1
            },
            s2: s2_on.then(|| Stage2::of(&f, c.vtcr, c.vttbr, hcr)),
            s1_only: false,
            vmid: match kind {
                RegimeKind::El10 => vmid_of(c.vttbr, c.vtcr),
                _ => 0,
            },
            asid: match kind {
                RegimeKind::El2 => 0,
                _ => asid_of(tcr, ttbr[field!(TCR_EL1.A1).is_set(tcr) as usize]),
            },
        }
    }

    /// The range that `va` belongs to.
    #[inline]
    pub fn range(&self, va: u64) -> &Range {
        &self.s1.ranges[(self.s1.two && bit(va, 55)) as usize]
    }

    /// `va` without its tag (`AArch64.AddrTop`, `AArch64.BranchAddr`): the top byte is ignored if the regime says so.
    #[inline]
    pub fn untag(&self, va: u64, fetch: bool) -> u64 {
        let r = self.range(va);
        if !(if fetch { r.tbi_fetch } else { r.tbi }) {
            va
        } else if self.s1.two && bit(va, 55) {
            va | !ones(56)
        } else {
            va & ones(56)
        }
    }
}
