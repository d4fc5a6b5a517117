//! Translation regimes: what the system registers say about a translation, decoded into plain values.
//!
//! [`Regime::of`] is the only place that reads those registers; the walker sees nothing else. Names and rules are those of
//! `AArch64.GetS1TTWParams` and `AArch64.GetS2TTWParams` in the Arm ARM's pseudocode (J1.1.5).

use super::select::{asid, stages};
use crate::bits::{bit, bits, ones};
use crate::cpu::Cpu;
use crate::sysreg::names::*;
use crate::sysreg::nv::tables_of_nv1;

pub use super::features::{size_bits, Features};
pub use super::select::{host, key, kind, sctlr, vmid, Mode};

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
    /// From TCR.TG0 or VTCR_EL2.TG0 (`DecodeTGx`).
    const fn tg0(v: u64) -> Granule {
        match v {
            1 => Granule::K64,
            2 => Granule::K16,
            _ => Granule::K4,
        }
    }
    /// From TCR.TG1.
    const fn tg1(v: u64) -> Granule {
        match v {
            1 => Granule::K16,
            3 => Granule::K64,
            _ => Granule::K4,
        }
    }
    /// Index in [`Features::lpa2`].
    fn lpa2(self, by_granule: [bool; 2]) -> bool {
        match self {
            Granule::K4 => by_granule[0],
            Granule::K16 => by_granule[1],
            Granule::K64 => false,
        }
    }
}

/// One range of VAs: what TCR and TTBR say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The whole TTBR.
    pub ttbr: u64,
    /// TxSZ.
    pub txsz: u8,
    /// Granule.
    pub granule: Granule,
    /// Walks are disabled.
    pub epd: bool,
    /// Hierarchical permissions are disabled.
    pub hpd: bool,
    /// The top byte is ignored in data addresses.
    pub tbi: bool,
    /// ... and in instruction addresses.
    pub tbi_fetch: bool,
    /// No access by EL0.
    pub e0pd: bool,
}

/// Stage 1 of a regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage1 {
    /// The MMU is on.
    pub on: bool,
    /// HCR_EL2.DC: with the MMU off, memory is Normal.
    pub dc: bool,
    /// HCR_EL2.{NV, NV1}: the table format for a hypervisor at EL1.
    pub nv1: bool,
    /// SCTLR.I: with the MMU off, fetches are cacheable.
    pub icache: bool,
    /// Two ranges of VAs; else only the lower.
    pub two: bool,
    /// Two privileges (EL0 and ELx); else one, with XN and AP\[2\] only.
    pub user: bool,
    /// TTBR0's and TTBR1's range.
    pub ranges: [Range; 2],
    /// Bits of an output address, the PE's limit included.
    pub oa_bits: u8,
    /// MAIR.
    pub mair: u64,
    /// Writable is execute-never.
    pub wxn: bool,
    /// PAN also covers pages that EL0 may only execute.
    pub epan: bool,
    /// Hardware sets the access flag.
    pub ha: bool,
    /// Hardware manages dirty state.
    pub hd: bool,
    /// 52-bit descriptors for 4 and 16 KiB granules.
    pub ds: bool,
}

/// Stage 2 of EL1&0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage2 {
    /// The whole VTTBR.
    pub vttbr: u64,
    /// T0SZ.
    pub t0sz: u8,
    /// SL2:SL0.
    pub sl: u8,
    /// Granule.
    pub granule: Granule,
    /// Bits of an output address, the PE's limit included.
    pub oa_bits: u8,
    /// Protected table walk.
    pub ptw: bool,
    /// Data is non-cacheable.
    pub cd: bool,
    /// Instructions are non-cacheable.
    pub id: bool,
    /// Forced write-back encoding of MemAttr.
    pub fwb: bool,
    /// Hardware sets the access flag.
    pub ha: bool,
    /// Hardware manages dirty state.
    pub hd: bool,
    /// 52-bit descriptors.
    pub ds: bool,
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
    /// Decode the registers of regime `kind`.
    pub fn of(cpu: &Cpu, kind: Kind) -> Regime {
        let f = Features::of(cpu);
        let hcr = cpu.get(HCR_EL2);
        let (s1_on, s2_on) = stages(cpu, kind);
        let sctlr = sctlr(cpu, kind);
        let (tcr, ttbr, mair) = match kind {
            Kind::El10 => (
                cpu.get(TCR_EL1),
                [cpu.get(TTBR0_EL1), cpu.get(TTBR1_EL1)],
                cpu.get(MAIR_EL1),
            ),
            _ => (
                cpu.get(TCR_EL2),
                [cpu.get(TTBR0_EL2), cpu.get(TTBR1_EL2)],
                cpu.get(MAIR_EL2),
            ),
        };
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
                dc: kind == Kind::El10 && hcr & hcr::DC != 0,
                nv1: kind == Kind::El10 && tables_of_nv1(hcr),
                icache: bit(sctlr, 12),
                mair,
                wxn: bit(sctlr, 19),
                epan: f.epan && bit(sctlr, 57),
                ..s1
            },
            s2: s2_on.then(|| Stage2::of(&f, cpu.get(VTCR_EL2), cpu.get(VTTBR_EL2), hcr)),
            s1_only: false,
            vmid: if kind == Kind::El10 { vmid(cpu) } else { 0 },
            asid: asid(cpu, kind),
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

impl Stage1 {
    /// TCR_EL1, and TCR_EL2 with E2H.
    fn two_ranges(f: &Features, tcr: u64, ttbr: [u64; 2]) -> Stage1 {
        let granules = [
            Granule::tg0(bits(tcr, 15, 14)),
            Granule::tg1(bits(tcr, 31, 30)),
        ];
        let ds = bit(tcr, 59);
        let range = |i: u32| {
            let tbi = bit(tcr, 37 + i);
            Range {
                ttbr: ttbr[i as usize],
                txsz: bits(tcr, 5 + 16 * i, 16 * i) as u8,
                granule: granules[i as usize],
                epd: bit(tcr, 7 + 16 * i),
                hpd: f.hpds && bit(tcr, 41 + i),
                tbi,
                tbi_fetch: tbi && !bit(tcr, 51 + i),
                e0pd: f.e0pd && bit(tcr, 55 + i),
            }
        };
        Stage1 {
            two: true,
            user: true,
            ranges: [range(0), range(1)],
            oa_bits: output_bits(f, bits(tcr, 34, 32), ds || granules[0] == Granule::K64),
            ha: f.hafdbs >= 1 && bit(tcr, 39),
            hd: f.hafdbs >= 2 && bit(tcr, 39) && bit(tcr, 40),
            ds: ds && granules[0].lpa2(f.lpa2),
            ..Stage1::OFF
        }
    }
    /// TCR_EL2 without E2H.
    fn one_range(f: &Features, tcr: u64, ttbr: u64) -> Stage1 {
        let tbi = bit(tcr, 20);
        let granule = Granule::tg0(bits(tcr, 15, 14));
        let ds = bit(tcr, 32);
        let range = Range {
            ttbr,
            txsz: bits(tcr, 5, 0) as u8,
            granule,
            epd: false,
            hpd: f.hpds && bit(tcr, 24),
            tbi,
            tbi_fetch: tbi && !bit(tcr, 29),
            e0pd: false,
        };
        Stage1 {
            two: false,
            user: false,
            ranges: [range, range],
            oa_bits: output_bits(f, bits(tcr, 18, 16), ds || granule == Granule::K64),
            ha: f.hafdbs >= 1 && bit(tcr, 21),
            hd: f.hafdbs >= 2 && bit(tcr, 21) && bit(tcr, 22),
            ds: ds && granule.lpa2(f.lpa2),
            ..Stage1::OFF
        }
    }
    const OFF: Stage1 = {
        let range = Range {
            ttbr: 0,
            txsz: 0,
            granule: Granule::K4,
            epd: false,
            hpd: false,
            tbi: false,
            tbi_fetch: false,
            e0pd: false,
        };
        Stage1 {
            on: false,
            dc: false,
            nv1: false,
            icache: false,
            two: false,
            user: false,
            ranges: [range, range],
            oa_bits: 0,
            mair: 0,
            wxn: false,
            epan: false,
            ha: false,
            hd: false,
            ds: false,
        }
    };
}

impl Stage2 {
    fn of(f: &Features, vtcr: u64, vttbr: u64, hcr: u64) -> Stage2 {
        let granule = Granule::tg0(bits(vtcr, 15, 14));
        let ds = bit(vtcr, 32);
        Stage2 {
            vttbr,
            t0sz: bits(vtcr, 5, 0) as u8,
            sl: (bits(vtcr, 7, 6) | (ds as u64 & bits(vtcr, 33, 33)) << 2) as u8,
            granule,
            oa_bits: output_bits(f, bits(vtcr, 18, 16), ds || granule == Granule::K64),
            ptw: hcr & hcr::PTW != 0,
            cd: hcr & hcr::CD != 0,
            id: hcr & hcr::ID != 0,
            fwb: f.fwb && hcr & hcr::FWB != 0,
            ha: f.hafdbs >= 1 && bit(vtcr, 21),
            hd: f.hafdbs >= 2 && bit(vtcr, 21) && bit(vtcr, 22),
            ds: ds && granule.lpa2(f.lpa2_s2),
        }
    }
}

/// Bits of an output address: what PS or IPS says, at most what the PE has, and 52 only with descriptors that can hold them.
fn output_bits(f: &Features, ps: u64, wide: bool) -> u8 {
    size_bits(ps).min(f.pa_bits).min(if wide { 52 } else { 48 })
}
