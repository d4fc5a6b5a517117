//! What the registers of a regime say about each stage: TCR and TTBR by range of VAs, VTCR_EL2 and VTTBR_EL2
//! (`AArch64.GetS1TTWParams`, `AArch64.GetS2TTWParams`).

use super::features::{size_bits, Features};
use crate::bits::{bit, bits};
use crate::hcr;
use crate::mmu::kind::Granule;

/// One range of VAs: what TCR and TTBR say about it.
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
        let ps = bits(tcr, 34, 32);
        let range = |i: u32| {
            let tbi = bit(tcr, 37 + i);
            let (granule, sh) = match i {
                0 => (Granule::tg0(bits(tcr, 15, 14), has16), bits(tcr, 13, 12)),
                _ => (Granule::tg1(bits(tcr, 31, 30), has16), bits(tcr, 29, 28)),
            };
            let ds = bit(tcr, 59) && granule.lpa2(f.lpa2);
            Range {
                ttbr: ttbr[i as usize],
                wide: wide(f, granule, ds, ps),
                txsz: bits(tcr, 5 + 16 * i, 16 * i) as u8,
                granule,
                ds,
                sh: sh as u8,
                epd: bit(tcr, 7 + 16 * i),
                hpd: f.hpds && bit(tcr, 41 + i),
                tbi,
                tbi_fetch: tbi && !(f.tbid && bit(tcr, 51 + i)),
                e0pd: f.e0pd && bit(tcr, 55 + i),
            }
        };
        Stage1 {
            two: true,
            user: true,
            ranges: [range(0), range(1)],
            oa_bits: output_bits(f, ps),
            ha: f.hafdbs >= 1 && bit(tcr, 39),
            hd: f.hafdbs >= 2 && bit(tcr, 39) && bit(tcr, 40),
            ..Stage1::OFF
        }
    }
    /// TCR_EL2 without E2H.
    pub(super) fn one_range(f: &Features, tcr: u64, ttbr: u64) -> Stage1 {
        let tbi = bit(tcr, 20);
        let granule = Granule::tg0(bits(tcr, 15, 14), f.granule16[0]);
        let ds = bit(tcr, 32) && granule.lpa2(f.lpa2);
        let ps = bits(tcr, 18, 16);
        let range = Range {
            ttbr,
            wide: wide(f, granule, ds, ps),
            txsz: bits(tcr, 5, 0) as u8,
            granule,
            ds,
            sh: bits(tcr, 13, 12) as u8,
            epd: false,
            hpd: f.hpds && bit(tcr, 24),
            tbi,
            tbi_fetch: tbi && !(f.tbid && bit(tcr, 29)),
            e0pd: false,
        };
        Stage1 {
            two: false,
            user: false,
            ranges: [range, range],
            oa_bits: output_bits(f, ps),
            ha: f.hafdbs >= 1 && bit(tcr, 21),
            hd: f.hafdbs >= 2 && bit(tcr, 21) && bit(tcr, 22),
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
        let granule = Granule::tg0(bits(vtcr, 15, 14), f.granule16[1]);
        let ds = bit(vtcr, 32) && granule.lpa2(f.lpa2_s2);
        let ps = bits(vtcr, 18, 16);
        // SL2 counts for the 4 KiB granule alone, where DS is 1.
        let sl2 = ds && granule == Granule::K4 && bit(vtcr, 33);
        Stage2 {
            vttbr,
            wide: wide(f, granule, ds, ps),
            t0sz: bits(vtcr, 5, 0) as u8,
            sl: (bits(vtcr, 7, 6) | (sl2 as u64) << 2) as u8,
            granule,
            oa_bits: output_bits(f, ps),
            ptw: hcr & hcr::PTW != 0 && hcr & hcr::TGE == 0,
            cd: hcr & hcr::CD != 0,
            id: hcr & hcr::ID != 0,
            fwb: f.fwb && hcr & hcr::FWB != 0,
            ha: f.hafdbs >= 1 && bit(vtcr, 21),
            hd: f.hafdbs >= 2 && bit(vtcr, 21) && bit(vtcr, 22),
            ds,
            sh: bits(vtcr, 13, 12) as u8,
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
