//! The features of translation, as in the ID registers.

use crate::bits::bits;
use crate::cpu::Cpu;
use crate::reg::names::*;

/// The features of translation, as in the ID registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Bits of a physical address.
    pub pa_bits: u8,
    /// FEAT_HAFDBS: 0 none, 1 access flag, 2 dirty state too.
    pub hafdbs: u8,
    /// FEAT_HPDS.
    pub hpds: bool,
    /// FEAT_XNX.
    pub xnx: bool,
    /// FEAT_PAN3 (SCTLR_ELx.EPAN).
    pub epan: bool,
    /// FEAT_VMID16.
    pub vmid16: bool,
    /// 16-bit ASIDs.
    pub asid16: bool,
    /// The 16 KiB granule in stage 1 and in stage 2 (those of 4 and 64 KiB are always there).
    pub granule16: [bool; 2],
    /// FEAT_LVA: 52-bit VAs with the 64 KiB granule.
    pub lva: bool,
    /// FEAT_TTST: small tables.
    pub ttst: bool,
    /// FEAT_E0PD.
    pub e0pd: bool,
    /// FEAT_PAuth, which brings TCR_ELx.TBID.
    pub tbid: bool,
    /// FEAT_S2FWB.
    pub fwb: bool,
    /// FEAT_LPA2 for stage 1, by granule 4, 16 KiB.
    pub lpa2: [bool; 2],
    /// FEAT_LPA2 for stage 2, by granule 4, 16 KiB.
    pub lpa2_s2: [bool; 2],
}

impl Features {
    /// From the ID registers.
    pub fn of(cpu: &Cpu) -> Features {
        let (m0, m1, m2, i1) = (
            cpu.get(ID_AA64MMFR0_EL1),
            cpu.get(ID_AA64MMFR1_EL1),
            cpu.get(ID_AA64MMFR2_EL1),
            cpu.get(ID_AA64ISAR1_EL1),
        );
        let tgran4 = bits(m0, 31, 28) == 1;
        let tgran16 = bits(m0, 23, 20) == 2;
        let has16 = bits(m0, 23, 20) != 0;
        Features {
            pa_bits: size_bits(bits(m0, 3, 0)),
            hafdbs: bits(m1, 3, 0).min(2) as u8,
            hpds: bits(m1, 15, 12) != 0,
            xnx: bits(m1, 31, 28) != 0,
            epan: bits(m1, 23, 20) >= 3,
            vmid16: bits(m1, 7, 4) == 2,
            asid16: bits(m0, 7, 4) == 2,
            granule16: [
                has16,
                match bits(m0, 35, 32) {
                    0 => has16,
                    n => n >= 2,
                },
            ],
            lva: bits(m2, 19, 16) != 0,
            ttst: bits(m2, 31, 28) != 0,
            e0pd: bits(m2, 63, 60) != 0,
            tbid: bits(i1, 11, 4) != 0,
            fwb: bits(m2, 43, 40) != 0,
            lpa2: [tgran4, tgran16],
            lpa2_s2: [
                match bits(m0, 43, 40) {
                    0 => tgran4,
                    n => n == 3,
                },
                match bits(m0, 35, 32) {
                    0 => tgran16,
                    n => n == 3,
                },
            ],
        }
    }
}

impl Features {
    /// FEAT_LPA: 64 KiB descriptors hold 52-bit addresses.
    pub fn lpa(&self) -> bool {
        self.pa_bits == 52
    }
}

/// Address bits of a PARange, IPS or PS value (`AArch64.PhysicalAddressSize`); reserved values are the largest.
pub const fn size_bits(v: u64) -> u8 {
    match v {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => 52,
    }
}
