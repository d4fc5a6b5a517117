//! Translation regimes: what the system registers say about a translation, decoded into plain values.
//!
//! [`Controls::of`] is the only place that reads those registers, and [`Regime::from`] decodes them; the walker sees nothing else. Names and rules are those of
//! `AArch64.GetS1TTWParams` and `AArch64.GetS2TTWParams` in the Arm ARM's pseudocode (J1.1.5).

use super::controls::Controls;
use super::select::{asid_of, dc, stages, vmid_of};
use crate::bits::{bit, ones};
use crate::cpu::Cpu;
use crate::sysreg::nv::tables_of_nv1;

pub use super::features::{size_bits, Features};
pub use super::select::{host, key, kind, sctlr, vmid, Mode};
pub use super::stages::{Range, Stage1, Stage2};

/// HCR_EL2 fields that select or shape a translation.
pub mod hcr {
    /// Stage 2 is on.
    pub const VM: u64 = 1;
    /// Protected table walk: a stage 1 walk through stage 2 Device memory is a permission fault.
    pub const PTW: u64 = 1 << 2;
    /// Force broadcast of the guest's TLBI.
    pub const FB: u64 = 1 << 9;
    /// Default cacheability: stage 1 off is Normal memory.
    pub const DC: u64 = 1 << 12;
    /// Exceptions of EL0 go to EL2.
    pub const TGE: u64 = 1 << 27;
    /// EL2 hosts an operating system.
    pub const E2H: u64 = 1 << 34;
    /// Stage 2 data is non-cacheable.
    pub const CD: u64 = 1 << 32;
    /// Stage 2 instructions are non-cacheable.
    pub const ID: u64 = 1 << 33;
    /// Stage 2 forces write-back.
    pub const FWB: u64 = 1 << 46;
}

/// A translation regime (Arm ARM D8.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// EL1&0, perhaps with stage 2.
    El10 = 1,
    /// EL2 without E2H: one range, one privilege, no ASID.
    El2 = 2,
    /// EL2&0 (HCR_EL2.E2H): two ranges, two privileges, ASIDs.
    El20 = 3,
}

/// Translation granule, as log2 of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Granule {
    /// 4 KiB.
    K4 = 12,
    /// 16 KiB.
    K16 = 14,
    /// 64 KiB.
    K64 = 16,
}

impl Granule {
    /// log2 of the bytes.
    #[inline]
    pub const fn bits(self) -> u32 {
        self as u32
    }
    /// From TCR.TG0 or VTCR_EL2.TG0. A reserved value and a granule that is not there act as 4 KiB (`AArch64.S1DecodeTG0`,
    /// `AArch64.S2DecodeTG0`: an IMPLEMENTATION DEFINED choice among those that are).
    pub(super) const fn tg0(v: u64, has16: bool) -> Granule {
        match v {
            1 => Granule::K64,
            2 if has16 => Granule::K16,
            _ => Granule::K4,
        }
    }
    /// From TCR.TG1.
    pub(super) const fn tg1(v: u64, has16: bool) -> Granule {
        match v {
            1 if has16 => Granule::K16,
            3 => Granule::K64,
            _ => Granule::K4,
        }
    }
    /// Whether FEAT_LPA2 is there, from [`Features::lpa2`] or [`Features::lpa2_s2`].
    pub(super) const fn lpa2(self, by_granule: [bool; 2]) -> bool {
        match self {
            Granule::K4 => by_granule[0],
            Granule::K16 => by_granule[1],
            Granule::K64 => false,
        }
    }
}

/// A whole regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regime {
    /// Which.
    pub kind: Kind,
    /// What the PE can do.
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
    pub fn of(cpu: &Cpu, kind: Kind) -> Regime {
        Regime::from(Features::of(cpu), kind, &Controls::of(cpu, kind))
    }

    /// Decode the registers `c` of regime `kind`.
    pub fn from(f: Features, kind: Kind, c: &Controls) -> Regime {
        let &Controls {
            hcr,
            sctlr,
            tcr,
            ttbr,
            mair,
            ..
        } = c;
        let (s1_on, s2_on) = stages(kind, sctlr, hcr);
        let s1 = if kind == Kind::El2 {
            Stage1::one_range(&f, tcr, ttbr[0])
        } else {
            Stage1::two_ranges(&f, tcr, ttbr)
        };
        Regime {
            kind,
            features: f,
            s1: Stage1 {
                on: s1_on,
                dc: kind == Kind::El10 && dc(hcr),
                nv1: kind == Kind::El10 && tables_of_nv1(hcr),
                dcache: bit(sctlr, 2),
                icache: bit(sctlr, 12),
                mair,
                wxn: bit(sctlr, 19),
                epan: f.epan && bit(sctlr, 57),
                ..s1
            },
            s2: s2_on.then(|| Stage2::of(&f, c.vtcr, c.vttbr, hcr)),
            s1_only: false,
            vmid: match kind {
                Kind::El10 => vmid_of(c.vttbr, c.vtcr),
                _ => 0,
            },
            asid: match kind {
                Kind::El2 => 0,
                _ => asid_of(tcr, ttbr[bit(tcr, 22) as usize]),
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
