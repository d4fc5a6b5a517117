//! Regimes, granules and privileges by name, and what selects a set of cached translations.

use crate::cpu::Cpu;
use crate::mmu::entry::CONTEXTS;
use borsh::{BorshDeserialize, BorshSerialize};

/// A translation regime (Arm ARM D8.1.2).
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[borsh(use_discriminant = false)]
pub enum RegimeKind {
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
    /// Whether FEAT_LPA2 is implemented, from `Features::lpa2` or `Features::lpa2_s2`.
    pub(super) const fn lpa2(self, by_granule: [bool; 2]) -> bool {
        match self {
            Granule::K4 => by_granule[0],
            Granule::K16 => by_granule[1],
            Granule::K64 => false,
        }
    }
}

/// Privileges of data accesses: part of a context's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// EL0.
    User = 0,
    /// EL1 or EL2.
    Privileged = 1,
    /// EL1, or EL2 with E2H, with PSTATE.PAN.
    Pan = 2,
}

impl Mode {
    /// Of the PE now, for an ordinary access.
    #[inline]
    pub fn of(cpu: &Cpu, kind: RegimeKind) -> Mode {
        if cpu.pstate.el == 0 {
            Mode::User
        } else if cpu.pstate.pan && kind != RegimeKind::El2 {
            Mode::Pan
        } else {
            Mode::Privileged
        }
    }
}

/// What distinguishes contexts.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    /// Bits 1:0 the regime (`RegimeKind`), then: stage 1 on, stage 2 on, default cacheability, tables of NV1.
    pub regime: u8,
    /// VMID, 0 where stage 2 does not apply.
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
    /// Privilege: `Mode`.
    pub mode: u8,
}

impl Key {
    pub(super) fn slot(&self) -> usize {
        let h = (self.regime as u32) << 2
            ^ self.mode as u32
            ^ (self.asid as u32).wrapping_mul(0x9e5)
            ^ (self.vmid as u32) << 4;
        (h ^ h >> 6) as usize % CONTEXTS
    }
}
