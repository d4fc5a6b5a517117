//! What the registers of a regime say about each stage: TCR and TTBR by range of VAs, VTCR_EL2 and VTTBR_EL2
//! (`AArch64.GetS1TTWParams`, `AArch64.GetS2TTWParams`).

use super::features::{size_bits, Features};
use crate::hcr;
use crate::mmu::kind::Granule;
use crate::reg::field;
use crate::reg::named::RegField;

/// One range of VAs, with the fields of TCR and TTBR that apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The whole TTBR.
    pub ttbr: u64,
    /// Bits 51:48 of the table's address are in TTBR\[5:2\].
    pub wide: bool,
    /// TxSZ.
    pub txsz: u8,
    /// Granule.
    pub granule: Granule,
    /// 52-bit descriptors (FEAT_LPA2).
    pub ds: bool,
    /// Shareability of what 52-bit descriptors map: they have no room for it.
    pub sh: u8,
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
    /// SCTLR.C: Normal data may be cacheable.
    pub dcache: bool,
    /// SCTLR.I: fetches may be cacheable.
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
}

/// Stage 2 of EL1&0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage2 {
    /// The whole VTTBR.
    pub vttbr: u64,
    /// Bits 51:48 of the table's address are in VTTBR_EL2\[5:2\].
    pub wide: bool,
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
    /// 52-bit descriptors (FEAT_LPA2).
    pub ds: bool,
    /// Shareability of what 52-bit descriptors map.
    pub sh: u8,
}

impl Stage1 {
    /// TCR_EL1, and TCR_EL2 with E2H.
    pub(super) fn two_ranges(f: &Features, tcr: u64, ttbr: [u64; 2]) -> Stage1 {
        let has16 = f.granule16[0];
        let ps = field!(TCR_EL1.IPS).of(tcr);
        let range = |i: usize| {
            let is_set = |fields: [RegField; 2]| fields[i].is_set(tcr);
            let tbi = is_set([field!(TCR_EL1.TBI0), field!(TCR_EL1.TBI1)]);
            let (granule, sh) = match i {
                0 => (
                    Granule::tg0(field!(TCR_EL1.TG0).of(tcr), has16),
                    field!(TCR_EL1.SH0).of(tcr),
                ),
                _ => (
                    Granule::tg1(field!(TCR_EL1.TG1).of(tcr), has16),
                    field!(TCR_EL1.SH1).of(tcr),
                ),
            };
            let ds = field!(TCR_EL1.DS).is_set(tcr) && granule.lpa2(f.lpa2);
            Range {
                ttbr: ttbr[i],
                wide: wide(f, granule, ds, ps),
                txsz: [field!(TCR_EL1.T0SZ), field!(TCR_EL1.T1SZ)][i].of(tcr) as u8,
                granule,
                ds,
                sh: sh as u8,
                epd: is_set([field!(TCR_EL1.EPD0), field!(TCR_EL1.EPD1)]),
                hpd: f.hpds && is_set([field!(TCR_EL1.HPD0), field!(TCR_EL1.HPD1)]),
                tbi,
                tbi_fetch: tbi
                    && !(f.tbid && is_set([field!(TCR_EL1.TBID0), field!(TCR_EL1.TBID1)])),
                e0pd: f.e0pd && is_set([field!(TCR_EL1.E0PD0), field!(TCR_EL1.E0PD1)]),
            }
        };
        Stage1 {
            two: true,
            user: true,
            ranges: [range(0), range(1)],
            oa_bits: output_bits(f, ps),
            ha: f.hafdbs >= 1 && field!(TCR_EL1.HA).is_set(tcr),
            hd: f.hafdbs >= 2 && field!(TCR_EL1.HA).is_set(tcr) && field!(TCR_EL1.HD).is_set(tcr),
            ..Stage1::OFF
        }
    }
    /// TCR_EL2 without E2H.
    pub(super) fn one_range(f: &Features, tcr: u64, ttbr: u64) -> Stage1 {
        let tbi = field!(TCR_EL2.TBI).is_set(tcr);
        let granule = Granule::tg0(field!(TCR_EL2.TG0).of(tcr), f.granule16[0]);
        let ds = field!(TCR_EL2.DS ?~E2H).is_set(tcr) && granule.lpa2(f.lpa2);
        let ps = field!(TCR_EL2.PS).of(tcr);
        let range = Range {
            ttbr,
            wide: wide(f, granule, ds, ps),
            txsz: field!(TCR_EL2.T0SZ).of(tcr) as u8,
            granule,
            ds,
            sh: field!(TCR_EL2.SH0).of(tcr) as u8,
            epd: false,
            hpd: f.hpds && field!(TCR_EL2.HPD).is_set(tcr),
            tbi,
            tbi_fetch: tbi && !(f.tbid && field!(TCR_EL2.TBID).is_set(tcr)),
            e0pd: false,
        };
        Stage1 {
            two: false,
            user: false,
            ranges: [range, range],
            oa_bits: output_bits(f, ps),
            ha: f.hafdbs >= 1 && field!(TCR_EL2.HA ?~E2H).is_set(tcr),
            hd: f.hafdbs >= 2
                && field!(TCR_EL2.HA ?~E2H).is_set(tcr)
                && field!(TCR_EL2.HD ?~E2H).is_set(tcr),
            ..Stage1::OFF
        }
    }
    const OFF: Stage1 = {
        let range = Range {
            ttbr: 0,
            wide: false,
            txsz: 0,
            granule: Granule::K4,
            ds: false,
            sh: 0,
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
            dcache: false,
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
        }
    };
}

impl Stage2 {
    pub(super) fn of(f: &Features, vtcr: u64, vttbr: u64, hcr: u64) -> Stage2 {
        let granule = Granule::tg0(field!(VTCR_EL2.TG0).of(vtcr), f.granule16[1]);
        let ds = field!(VTCR_EL2.DS).is_set(vtcr) && granule.lpa2(f.lpa2_s2);
        let ps = field!(VTCR_EL2.PS).of(vtcr);
        // SL2 applies to the 4 KiB granule only, where DS is 1.
        let sl2 = ds && granule == Granule::K4 && field!(VTCR_EL2.SL2).is_set(vtcr);
        Stage2 {
            vttbr,
            wide: wide(f, granule, ds, ps),
            t0sz: field!(VTCR_EL2.T0SZ).of(vtcr) as u8,
            sl: (field!(VTCR_EL2.SL0).of(vtcr) | (sl2 as u64) << 2) as u8,
            granule,
            oa_bits: output_bits(f, ps),
            ptw: hcr & hcr::PTW != 0 && hcr & hcr::TGE == 0,
            cd: hcr & hcr::CD != 0,
            id: hcr & hcr::ID != 0,
            fwb: f.fwb && hcr & hcr::FWB != 0,
            ha: f.hafdbs >= 1 && field!(VTCR_EL2.HA).is_set(vtcr),
            hd: f.hafdbs >= 2
                && field!(VTCR_EL2.HA).is_set(vtcr)
                && field!(VTCR_EL2.HD).is_set(vtcr),
            ds,
            sh: field!(VTCR_EL2.SH0).of(vtcr) as u8,
        }
    }
}

/// Bits of an output address: what PS or IPS says, at most what the PE has (`AArch64.PhysicalAddressSize`). The reserved value 7 acts as 6.
fn output_bits(f: &Features, ps: u64) -> u8 {
    size_bits(ps).min(f.pa_bits)
}

/// Whether a TTBR holds 52 bits (`AArch64.S1TTBaseAddress`, `AArch64.S2TTBaseAddress`): by the size asked for, not by the PE's.
fn wide(f: &Features, granule: Granule, ds: bool, ps: u64) -> bool {
    ds || f.lpa() && granule == Granule::K64 && ps >= 6
}
